"""The rows of X at unit length, compressed to the smaller side, and a basis among them.

Whether x_i^T z = y_i can be solved does not depend on how long the rows are, so ranks are decided
on u_i = x_i / ||x_i||: a row counts as dependent when its distance to the span of the others is
below a multiple of rounding *of its own length*, whatever the other rows' lengths.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg

from implicitbias._arrays import FloatArray, NumericArray, is_sparse

CLEAR_GRAM = 1e-8  # eigenvalues of unit rows' Gram matrix above this are not rounding
BLOCK_ENTRIES = 1 << 20  # workspace of one block, in numbers


def row_exponents(X: FloatArray) -> NumericArray:
    """e_i with max_j |x_ij| 2^{-e_i} in [1/2, 1); 0 for a zero row. No copy of X is made."""
    if is_sparse(X):
        largest = abs(X).max(axis=1).toarray().ravel()
        return np.asarray(np.frexp(largest)[1], dtype=np.intp)
    return np.asarray(np.frexp(np.maximum(X.max(axis=1), -X.min(axis=1)))[1], dtype=np.intp)


def scaled_rows(X: FloatArray, exponents: NumericArray) -> FloatArray:
    """2^{-e_i} x_i: exact, except that entries below 2^{-1074} of their row's largest vanish."""
    X = X.toarray() if is_sparse(X) else X
    return np.asarray(np.ldexp(X, -exponents[:, None]))


def row_blocks(num_rows: int, width: int) -> Iterator[slice]:
    """Slices of rows that hold about ``BLOCK_ENTRIES`` numbers each."""
    step = max(1, BLOCK_ENTRIES // width)
    return (slice(start, min(start + step, num_rows)) for start in range(0, num_rows, step))


def rank_tolerance(shape: tuple[int, ...]) -> float:
    """Relative distance below which a unit row counts as dependent: 16 max(n, d) eps >= 1e-13."""
    return max(1e-13, 16 * max(shape) * float(np.finfo(float).eps))


class UnitRows:
    """The unit rows u_i = x_i / ||x_i|| (0 stays 0) in k = min(n, d) coordinates.

    n <= d: X^T = Q R is factored over blocks of features, keeping R (n, n) alone; the rows of R^T
    are those of X in the basis Q, to full precision (a Gram matrix would lose half the digits).
    n > d: the rows themselves, normalised block by block.

    Attributes
    ----------
    exponents, norms
        ||x_i|| = norms_i 2^{exponents_i}, so that neither overflows.
    """

    def __init__(self, X: FloatArray) -> None:
        self._X = X
        self.exponents = row_exponents(X)
        self.num_rows, self.width = X.shape[0], min(X.shape)
        is_wide = self.num_rows <= X.shape[1]
        self._compressed = _triangular_factor(X, self.exponents).T if is_wide else None
        self.norms = np.concatenate(
            [np.linalg.norm(self._raw(block), axis=1) for block in self.blocks()]
        )

    def blocks(self) -> Iterator[slice]:
        """Slices that cover the rows; one slice if they are compressed."""
        if self._compressed is not None:
            return iter((slice(0, self.num_rows),))
        return row_blocks(self.num_rows, self.width)

    def _raw(self, block: slice) -> FloatArray:
        if self._compressed is not None:
            return self._compressed[block]
        return scaled_rows(self._X[block], self.exponents[block])

    def block(self, block: slice) -> FloatArray:
        """Rows u_i of a slice, (m, k)."""
        norms = self.norms[block]
        return self._raw(block) / np.where(norms > 0, norms, 1.0)[:, None]

    def relative(self, values: FloatArray) -> tuple[FloatArray, int]:
        """values_i / ||x_i|| times 2^{-g} with a common g that keeps them finite; and g."""
        mantissas, exponents = np.frexp(values / np.where(self.norms > 0, self.norms, 1.0))
        exponents = exponents.astype(np.intp) - self.exponents
        nonzero = mantissas != 0
        common = int(exponents[nonzero].max()) if nonzero.any() else 0
        return np.ldexp(mantissas, np.where(nonzero, exponents - common, 0)), common


def _triangular_factor(X: FloatArray, exponents: NumericArray) -> FloatArray:
    """R (n, n) with R^T R = X X^T for scaled rows, by QR over blocks of features."""
    if is_sparse(X):
        factor = _cholesky_factor(X, exponents)
        if factor is not None:
            return factor
        columns: Any = X.tocsc()
        X = columns[:, np.diff(columns.indptr) > 0]
    num_rows, num_features = X.shape
    step = max(2 * num_rows, BLOCK_ENTRIES // num_rows)
    factor = np.zeros((0, num_rows))
    for start in range(0, num_features, step):
        block = scaled_rows(X[:, start : start + step], exponents).T
        factor = upper_triangle(np.vstack([factor, block]))
    return factor


def _cholesky_factor(X: Any, exponents: NumericArray) -> FloatArray | None:
    """R from the Gram matrix of a sparse X, where that is far from losing digits.

    The smallest eigenvalue of the unit rows' Gram matrix exceeding ``CLEAR_GRAM`` proves full rank:
    its rounding is near 1e-15. Otherwise None: squared, a small distance drowns in rounding.
    """
    from scipy.sparse import diags_array

    scaled = diags_array(np.ldexp(1.0, -exponents)) @ X
    gram = (scaled @ scaled.T).toarray()
    lengths = np.sqrt(np.diag(gram))
    if not lengths.all() or np.linalg.eigvalsh(gram / np.outer(lengths, lengths))[0] < CLEAR_GRAM:
        return None
    return np.asarray(np.linalg.cholesky(gram).T)


def upper_triangle(matrix: FloatArray) -> FloatArray:
    """R of matrix = Q R, (min(m, k), k)."""
    return np.asarray(np.linalg.qr(matrix, mode="r"), dtype=np.float64)


@dataclass(frozen=True)
class RowBasis:
    """Independent rows b_1, .., b_r whose span holds all rows to the tolerance.

    Attributes
    ----------
    rows
        Their indices, in pivoting order.
    orthonormal, triangular
        B^T = Q R: (k, r) and (r, r).
    """

    rows: NumericArray
    orthonormal: FloatArray
    triangular: FloatArray

    def solve(self, values: FloatArray) -> FloatArray:
        """R^{-1} values."""
        return np.asarray(scipy.linalg.solve_triangular(self.triangular, values))

    def solve_transposed(self, values: FloatArray) -> FloatArray:
        """R^{-T} values: the smallest w with B w = values is Q times this."""
        return np.asarray(scipy.linalg.solve_triangular(self.triangular, values, trans="T"))

    def combinations(self, block: FloatArray) -> FloatArray:
        """C with block = C B up to the tolerance, (m, r)."""
        return self.solve((block @ self.orthonormal).T).T

    def positions(self, block: slice) -> NumericArray:
        """Which rows of a slice belong to the basis, counted from its start."""
        inside = (self.rows >= block.start) & (self.rows < block.stop)
        return np.asarray(self.rows[inside] - block.start)


def row_basis(rows: UnitRows, tolerance: float) -> RowBasis:
    """Pick independent rows by column-pivoted QR, block against block.

    Every block competes with the rows kept so far, so the workspace is one block and at most k
    kept rows. R_jj is the distance of a unit row to the span of those before it.
    """
    kept, indices = np.zeros((0, rows.width)), np.zeros(0, dtype=np.intp)
    for block in rows.blocks():
        stack = np.vstack([kept, rows.block(block)])
        candidates = np.concatenate([indices, np.arange(block.start, block.stop)])
        triangular, order = scipy.linalg.qr(stack.T, mode="r", pivoting=True)[:2]
        rank = int(np.sum(np.abs(np.diag(triangular)) > tolerance))
        kept, indices = stack[order[:rank]], candidates[order[:rank]]
        if rank == rows.width:
            break
    orthonormal, triangular = np.linalg.qr(kept.T)
    return RowBasis(indices, orthonormal, triangular)


def condition_number(rows: FloatArray) -> str:
    """The largest over the smallest singular value, to three digits; "-" without rows."""
    if is_sparse(rows):
        rows = _triangular_factor(rows, np.zeros(rows.shape[0], dtype=np.intp))
    values = np.linalg.svd(rows, compute_uv=False)
    return f"{values[0] / values[-1]:.3g}" if values.size and values[-1] > 0 else "-"
