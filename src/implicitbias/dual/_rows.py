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

import numpy as np
from scipy.linalg import lapack, lu_solve

from implicitbias._arrays import EPS, FloatArray, IntArray
from implicitbias.features import Dense, ExactSums, Features, Precise, exact_sum

ROUNDING = 64 * EPS  # of |G|^T |c|: what a sum rounds
CORRECTIONS = 6  # each wins the digits that LU keeps

Products = Precise | ExactSums


@dataclass(frozen=True, eq=False)
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

    features: Features
    basis: IntArray | None = None
    factor: tuple[FloatArray, IntArray] | None = None
    size: FloatArray | None = None
    sharp: bool = False

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

    def dual_from_given(self, nu: FloatArray, given: Features) -> FloatArray:
        """B^T nu for a dual point in the given rows of Z = ``given``."""
        return nu if self.basis is None else given.columns(self.basis).T @ nu


def solve_factored(factor: tuple[FloatArray, IntArray], right: FloatArray) -> FloatArray:
    """lu_solve for finite arrays, without its checks: they take longer than small systems do."""
    solution: FloatArray = lapack.dgetrs(*factor, right)[0]
    return solution


def as_given(features: Features) -> Rows:
    """The rows of Z themselves."""
    return Rows(features)


def heaviest_rows(features: Features, log_weights: FloatArray) -> Rows | None:
    """B^{-1} Z for the heaviest independent columns B.

    None where Z has dependent rows, or where B^{-1} Z would be too large.
    """
    basis = features.heaviest_basis(log_weights)
    found = None if basis is None else features.combined(basis, log_weights)
    if found is None:
        return None
    return Rows(found.features, basis, found.factor, found.size)


def sharpened(rows: Rows, given: Features, products: Products) -> Rows:
    """The same rows with all digits of B^{-1} Z; Z = ``given`` and its products.

    Columns that fail G^T c = Z^T B^{-T} c for one generic c are corrected by B^{-1} (Z - B G).
    """
    square, combined = given.columns(rows.basis), rows.features
    inner = Dense(square).precise
    c = np.cos(np.arange(1.0, len(square) + 1.0)) / combined.largest(1)
    nu, rest = rows.dual_as_given(c), np.zeros_like(c)
    for _ in range(CORRECTIONS):
        missing = inner.transposed_residual(nu, c) - square.T @ rest
        nu, rest = exact_sum(nu, rest + rows.dual_as_given(missing))
    apart = products.transposed_residual(nu, combined.T @ c) - given.T @ rest
    wrong = np.flatnonzero(np.abs(apart) > ROUNDING * combined.absolute_transposed(c))
    if wrong.size == 0:
        return replace(rows, sharp=True)
    goals, found = given.columns(wrong), combined.columns(wrong)
    kept = found != 0.0
    for _ in range(CORRECTIONS):
        step = np.where(kept, lu_solve(rows.factor, inner.residual(found, goals)), 0.0)
        found = found + step
        if np.all(np.abs(step).max(axis=0) <= EPS * np.abs(found).max(axis=0)):
            break
    return replace(rows, features=combined.replaced(wrong, found), sharp=True)
