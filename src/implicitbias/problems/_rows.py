"""The rows of X at unit length, compressed to the smaller side, and a basis among them.

Whether x_i^T z = y_i can be solved depends neither on how long the rows are nor on the units of
the features, so ranks are decided on u_i = F x_i / ||F x_i||, F the powers of two that equilibrate
the features: a row counts as dependent when its distance to the span of the others is what rounding
of the entries of the combination could make of 0. Where X consists of few enough integers (times
F and powers of two of the rows), nothing was rounded, and integer arithmetic decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from scipy.linalg.lapack import dtrtrs

from implicitbias._arrays import EPS, FloatArray, IntArray, NumericArray
from implicitbias.features import Features, as_features
from implicitbias.problems import _scaling
from implicitbias.problems._exact import short_integers
from implicitbias.problems._scaling import (
    equilibration,
    row_blocks,
    row_exponents,
)

CLEAR_GRAM = 1e-8  # eigenvalues of unit rows' Gram matrix above this are not rounding
MAX_EXACT_ENTRIES = 1 << 16  # of a matrix that integer arithmetic looks at: some 20 ms


def rank_tolerance(shape: tuple[int, ...]) -> float:
    """Distance above which a unit row is clearly independent: 16 max(n, d) eps >= 1e-13."""
    return max(1e-13, 16 * max(shape) * EPS)


def rounding_of(weights: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Distance of x_i to c^T X_B that rounding explains, rows and features at unit size.

    Every entry may be wrong by some eps: (8 + sqrt(max(n, d))) eps (1 + |c|_1).
    """
    return np.asarray((8 + np.sqrt(max(shape))) * EPS * (1 + np.abs(weights).sum(axis=-1)))


class UnitRows:
    """The unit rows u_i = F x_i / ||F x_i|| (0 stays 0) in k = min(n, d) coordinates.

    n <= d: F X^T = Q R is factored over blocks of features, keeping R (n, n) alone; the rows of R^T
    are those of X F in the basis Q, to full precision (a Gram matrix would lose half the digits).
    n > d: the rows themselves, normalised block by block. ``scaling`` is what ``equilibration``
    says, where that is known already.

    Attributes
    ----------
    exponents, norms
        ||F x_i|| = norms_i 2^{exponents_i}, so that neither overflows.
    columns
        F = diag(2^{-columns}), or None for the identity, as where nothing was ``equilibrated``.
    """

    def __init__(
        self,
        X: FloatArray | Features,
        *,
        equilibrated: bool = False,
        scaling: tuple[IntArray, IntArray | None] | None = None,
    ) -> None:
        X = as_features(X)
        self._X, self.shape = X, X.shape
        if scaling is None:
            scaling = equilibration(X) if equilibrated else (row_exponents(X), None)
        self.exponents, self.columns = scaling
        self.num_rows, self.width = X.shape[0], min(X.shape)
        is_wide = self.num_rows <= X.shape[1]
        self._compressed = _triangular_factor(X, *scaling).T if is_wide else None
        if self._compressed is not None:  # sparse X may have fewer features in use than points
            self.width = self._compressed.shape[1]
        self.norms = np.concatenate(
            [np.linalg.norm(self._raw(block), axis=1) for block in self.blocks()]
        )

    def blocks(self) -> Iterator[slice]:
        """Slices that cover the rows; one slice if they are compressed."""
        if self._compressed is not None:
            return iter((slice(0, self.num_rows),))
        return row_blocks(self.num_rows, self.width)

    def _raw(self, block: slice | IntArray) -> FloatArray:
        if self._compressed is not None:
            return self._compressed[block]
        return self.scaled(block).toarray()

    def scaled(self, block: slice | IntArray) -> Features:
        """Rows F x_i 2^{-e_i}: exact, except that entries below 2^{-1074} vanish."""
        columns = None if self.columns is None else -self.columns
        return self._X.rows(block).shifted(-self.exponents[block], columns)

    def integers(self) -> IntArray | None:
        """Rows F x_i times powers of two, if they are integers that leave room for rounding."""
        if self._X.size > MAX_EXACT_ENTRIES:
            return None
        first = self.scaled(slice(0, 1)).toarray()  # mostly tells already
        if short_integers(first) is None:
            return None
        return short_integers(self.scaled(slice(0, self.num_rows)).toarray())

    def block(self, block: slice | IntArray) -> FloatArray:
        """Some rows u_i, (m, k)."""
        norms = self.norms[block]
        return self._raw(block) / np.where(norms > 0, norms, 1.0)[:, None]

    def relative(self, values: FloatArray) -> tuple[FloatArray, int]:
        """values_i / ||x_i|| times 2^{-g} with a common g that keeps them finite; and g."""
        mantissas, exponents = np.frexp(values)
        mantissas, more = np.frexp(mantissas / np.where(self.norms > 0, self.norms, 1.0))
        exponents = exponents.astype(np.intp) + more - self.exponents
        nonzero = mantissas != 0
        common = int(exponents[nonzero].max()) if nonzero.any() else 0
        return np.ldexp(mantissas, np.where(nonzero, exponents - common, 0)), common


def _triangular_factor(X: Features, rows: IntArray, columns: IntArray | None = None) -> FloatArray:
    """R (n, n) with R^T R = X X^T for X scaled by 2^{-rows} and 2^{-columns}, by QR over blocks."""
    columns = None if columns is None else -columns
    if not X.is_array:
        X = X.shifted(-rows, columns)
        factor = _cholesky_factor(X)
        if factor is not None:
            return factor
        X = X.taken(np.flatnonzero(X.largest(0)))
        rows, columns = np.zeros_like(rows), None
    num_rows, num_features = X.shape
    step = max(2 * num_rows, _scaling.BLOCK_ENTRIES // num_rows)
    factor = np.zeros((0, num_rows))
    for start in range(0, num_features, step):
        part = slice(start, start + step)
        block = X.taken(part).shifted(-rows, None if columns is None else columns[part])
        factor = upper_triangle(np.vstack([factor, block.toarray().T]))
    return factor


def _cholesky_factor(X: Features) -> FloatArray | None:
    """R from the Gram matrix of X, where that is far from losing digits.

    The smallest eigenvalue of the unit rows' Gram matrix exceeding ``CLEAR_GRAM`` proves full rank:
    its rounding is near 1e-15. Otherwise None: squared, a small distance drowns in rounding.
    """
    upper = X.gram(np.ones(X.shape[1]))
    gram = upper + np.triu(upper, 1).T
    lengths = np.sqrt(np.diag(gram))
    if not lengths.all() or np.linalg.eigvalsh(gram / np.outer(lengths, lengths))[0] < CLEAR_GRAM:
        return None
    return np.asarray(np.linalg.cholesky(gram).T)


def upper_triangle(matrix: FloatArray) -> FloatArray:
    """R of matrix = Q R, (min(m, k), k)."""
    return np.asarray(np.linalg.qr(matrix, mode="r"), dtype=np.float64)


def _solve_triangular(
    triangular: FloatArray, values: FloatArray, *, transposed: bool = False
) -> FloatArray:
    """R^{-1} values or R^{-T} values for R upper triangular; SciPy's checks cost more than that."""
    if not values.size:
        return np.zeros(values.shape)
    if triangular.flags.f_contiguous:
        found, failed = dtrtrs(triangular, values, trans=int(transposed))
    else:
        found, failed = dtrtrs(triangular.T, values, lower=1, trans=int(not transposed))
    if failed:
        raise np.linalg.LinAlgError(f"R is singular at {failed - 1}")
    return np.asarray(found)


@dataclass(frozen=True, eq=False)
class RowBasis:
    """Independent rows b_1, .., b_r whose span holds all rows up to rounding.

    Attributes
    ----------
    rows
        Their indices, in pivoting order.
    orthonormal, triangular
        B^T = Q R: (k, r) and (r, r).
    weights
        (n, r), C with U = C B where more rows are independent than float64 can tell apart; R is
        then singular, up to rounding.
    exact
        Whether integer arithmetic gave those.
    """

    rows: NumericArray
    orthonormal: FloatArray
    triangular: FloatArray
    weights: FloatArray | None = None
    exact: bool = False

    def solve(self, values: FloatArray) -> FloatArray:
        """R^{-1} values."""
        return _solve_triangular(self.triangular, values)

    def solve_transposed(self, values: FloatArray) -> FloatArray:
        """R^{-T} values: the smallest w with B w = values is Q times this."""
        return _solve_triangular(self.triangular, values, transposed=True)

    def combinations(self, rows: UnitRows, block: slice | IntArray) -> FloatArray:
        """C with u_i = C B for some of the rows, (m, r)."""
        if self.weights is not None:
            return self.weights[block]
        return self.solve((rows.block(block) @ self.orthonormal).T).T


def row_basis(rows: UnitRows, *, clear: bool = False) -> RowBasis:
    """Pick independent rows by column-pivoted QR, block against block, as far as float64 can tell.

    ``clear``: those alone whose distance is above ``rank_tolerance``, whatever rounding explains.
    Every block competes with the rows kept so far, so the workspace is one block and at most k
    kept rows. R_jj is the distance of a unit row to the span of those before it.
    """
    tolerance = rank_tolerance(rows.shape)
    kept, indices = np.zeros((0, rows.width)), np.zeros(0, dtype=np.intp)
    for block in rows.blocks():
        stack = np.vstack([kept, rows.block(block)])
        candidates = np.concatenate([indices, np.arange(block.start, block.stop)])
        triangular, order = scipy.linalg.qr(stack.T, mode="r", pivoting=True, check_finite=False)[
            :2
        ]
        rank = int(np.sum(np.abs(np.diag(triangular)) > tolerance))
        if (
            len(stack) == rows.num_rows and not clear
        ):  # else rows dropped before may have been the better ones
            rank = _beyond_rounding(triangular, rank, rows.shape)
        kept, indices = stack[order[:rank]], candidates[order[:rank]]
        if rank == rows.width:
            break
    return RowBasis(indices, *np.linalg.qr(kept.T))


def _beyond_rounding(triangular: FloatArray, rank: int, shape: tuple[int, ...]) -> int:
    """Count on from the clear rank while the next row is further off than rounding explains."""
    while rank < min(triangular.shape):
        before, column = triangular[:rank, :rank], triangular[:rank, rank]
        weights = _solve_triangular(before, column) if rank else column
        if not np.abs(triangular[rank, rank]) > rounding_of(weights, shape):
            break
        rank += 1
    return rank


def condition_number(X: Features) -> str:
    """The largest over the smallest singular value, to three digits; "-" without rows."""
    none = np.zeros(X.shape[0], dtype=np.intp)
    rows = X.toarray() if X.is_array else _triangular_factor(X, none)
    values = np.linalg.svd(rows, compute_uv=False)
    return f"{values[0] / values[-1]:.3g}" if values.size and values[-1] > 0 else "-"
