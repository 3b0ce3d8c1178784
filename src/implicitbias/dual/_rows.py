"""Rows of Z x = y combined so that weights of any range are harmless.

Let B be n columns of Z chosen greedily by weight: each is the heaviest, by sqrt(D_j) times its
distance to the span of those chosen before (column-pivoted QR, level by level, because a column's
distance is known only relative to its own norm). Then B^{-1} Z has the identity on B, and an entry
(i, j) that is not rounding only where D_j <~ D_i. So B^{-1} Z D Z^T B^{-T}, scaled by 1/D_i, is the
identity plus a bounded matrix, whatever hundreds of orders of magnitude D spans: the preconditioner
of interior-point methods, used here as an exact change of rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy.linalg import lapack, lu_factor, lu_solve, qr
from scipy.sparse import coo_array

from implicitbias._arrays import FloatArray, IntArray, is_sparse
from implicitbias._exact_sums import ExactSums, exact_sum
from implicitbias._precise import Precise

LEVEL = 27.0  # columns within e^{-27} of the heaviest are pivoted together
INDEPENDENT = 1e-13  # a relative distance to the span below this is rounding
EPS = float(np.finfo(np.float64).eps)
ROUNDING = 64 * EPS  # of |G|^T |c|: what a sum rounds
CORRECTIONS = 6  # each wins the digits that LU keeps
NOISE = 1e-11  # entries of B^{-1} Z below this, where the weights say zero, are zero

Products = Precise | ExactSums


@dataclass(frozen=True)
class Rows:
    """Z and y in one choice of rows: as given, or multiplied by B^{-1}.

    Attributes
    ----------
    features
        Z or B^{-1} Z, shape (n, m).
    basis
        The columns of B, or None for the rows as given.
    factor
        The LU factors of B, or None.
    size
        |B^{-1}|, which bounds the rounding of B^{-1} y, or None.
    sharp
        Whether B^{-1} Z has all its digits: LU loses those of cond B.
    """

    features: FloatArray
    basis: IntArray | None = None
    factor: tuple[FloatArray, IntArray] | None = None
    size: FloatArray | None = None
    sharp: bool = False

    @cached_property
    def log_sizes(self) -> FloatArray:
        """log |B^{-1} Z|; of a sparse one its entries alone."""
        entries = self.features.data if is_sparse(self.features) else self.features
        with np.errstate(divide="ignore"):
            return np.log(np.abs(entries))

    @cached_property
    def places(self) -> tuple[IntArray, IntArray]:
        """Rows and columns of the entries of a sparse B^{-1} Z."""
        rows, columns = coo_array(self.features).coords
        return rows, columns

    def target(self, y: FloatArray) -> FloatArray:
        """y or B^{-1} y; entries that are only rounding of the others are zero."""
        if self.factor is None:
            return y
        combined = solve_factored(self.factor, y)
        noise = 64 * np.finfo(np.float64).eps * (self.size @ np.abs(y))
        return np.where(np.abs(combined) <= noise, 0.0, combined)

    def combined(self, y: FloatArray) -> FloatArray:
        """y or B^{-1} y, (n,) or (n, k), rounding included."""
        return y if self.factor is None else np.asarray(lu_solve(self.factor, y))

    def dual_as_given(self, nu: FloatArray) -> FloatArray:
        """B^{-T} nu: the dual point in the given rows."""
        return nu if self.factor is None else np.asarray(lu_solve(self.factor, nu, trans=1))

    def dual_from_given(self, nu: FloatArray, given: FloatArray) -> FloatArray:
        """B^T nu for a dual point in the given rows of Z = ``given``."""
        return nu if self.basis is None else given[:, self.basis].T @ nu


def solve_factored(factor: tuple[FloatArray, IntArray], right: FloatArray) -> FloatArray:
    """lu_solve for finite arrays, without its checks: they take longer than small systems do."""
    solution: FloatArray = lapack.dgetrs(*factor, right)[0]
    return solution


def as_given(features: FloatArray) -> Rows:
    """The rows of Z themselves."""
    return Rows(features)


def heaviest_rows(features: FloatArray, log_weights: FloatArray) -> Rows | None:
    """B^{-1} Z for the heaviest independent columns B; None where Z has dependent rows."""
    norms = np.linalg.norm(features, axis=0)
    with np.errstate(divide="ignore"):
        heights = 0.5 * log_weights + np.log(norms)
    basis = heaviest_basis(features, norms, heights)
    if basis is None:
        return None
    factor = lu_factor(features[:, basis])
    combined = lu_solve(factor, features)
    light = log_weights[None, :] - log_weights[basis][:, None] > 0
    combined[light & (np.abs(combined) < NOISE * np.abs(combined).max(axis=0))] = 0.0
    combined[:, basis] = np.eye(basis.size)
    return Rows(combined, basis, factor, np.abs(np.linalg.inv(features[:, basis])))


def sharpened(rows: Rows, given: FloatArray, products: Products) -> Rows:
    """The same rows with all digits of B^{-1} Z; Z = ``given`` and its products.

    Columns that fail G^T c = Z^T B^{-T} c for one generic c are corrected by B^{-1} (Z - B G).
    """
    inner, combined = Precise(_dense(given[:, rows.basis])), rows.features
    sizes = abs(combined)
    c = np.cos(np.arange(1.0, len(inner.matrix) + 1.0)) / _dense(sizes.max(axis=1)).ravel()
    nu, rest = rows.dual_as_given(c), np.zeros_like(c)
    for _ in range(CORRECTIONS):
        missing = inner.transposed_residual(nu, c) - inner.matrix.T @ rest
        nu, rest = exact_sum(nu, rest + rows.dual_as_given(missing))
    apart = products.transposed_residual(nu, combined.T @ c) - given.T @ rest
    wrong = np.flatnonzero(np.abs(apart) > ROUNDING * (sizes.T @ np.abs(c)))
    if wrong.size == 0:
        return replace(rows, sharp=True)
    goals, found = _dense(given[:, wrong]), _dense(combined[:, wrong])
    kept = found != 0.0
    for _ in range(CORRECTIONS):
        pairs = zip(found.T, goals.T, strict=True)
        missing = np.array([inner.residual(column, goal) for column, goal in pairs]).T
        step = np.where(kept, lu_solve(rows.factor, missing), 0.0)
        found = found + step
        if np.all(np.abs(step).max(axis=0) <= EPS * np.abs(found).max(axis=0)):
            break
    return replace(rows, features=_with_columns(combined, wrong, found), sharp=True)


def _dense(array: Any) -> FloatArray:
    return np.asarray(array.toarray() if is_sparse(array) else array)


def _with_columns(array: Any, chosen: IntArray, columns: FloatArray) -> Any:
    """The array with these columns; of a sparse one, at the entries it has."""
    if not is_sparse(array):
        array = array.copy()
        array[:, chosen] = columns
        return array
    array = array.tocsc(copy=True)
    for j, column in zip(chosen, columns.T, strict=True):
        part = slice(array.indptr[j], array.indptr[j + 1])
        array.data[part] = column[array.indices[part]]
    return array.tocsr()


def heaviest_basis(features: FloatArray, norms: FloatArray, heights: FloatArray) -> IntArray | None:
    rows = features.shape[0]
    chosen: list[int] = []
    span = np.zeros((rows, 0))
    left = np.flatnonzero(norms > 0)
    left = left[np.argsort(-heights[left], kind="stable")]
    while len(chosen) < rows:
        if left.size == 0:
            return None
        near = left[heights[left] > heights[left[0]] - LEVEL]
        unit = features[:, near] / norms[near]
        unit -= span @ (span.T @ unit)
        unit -= span @ (span.T @ unit)
        away = np.linalg.norm(unit, axis=0) > INDEPENDENT
        dependent = near[~away]
        near, unit = near[away], unit[:, away]
        if near.size:
            weight = np.exp(heights[near] - heights[near[0]])
            _, triangle, order = qr(unit * weight, mode="economic", pivoting=True)
            distance = np.abs(np.diag(triangle)) / weight[order[: triangle.shape[0]]]
            good = np.flatnonzero(distance < INDEPENDENT)
            count = min(int(good[0]) if good.size else distance.size, rows - len(chosen))
            picked = near[order[:count]]
            chosen.extend(int(j) for j in picked)
            span = np.linalg.qr(features[:, chosen] / norms[chosen])[0]
            dependent = np.concatenate([dependent, picked])
        left = left[~np.isin(left, dependent)]
    return np.array(chosen)
