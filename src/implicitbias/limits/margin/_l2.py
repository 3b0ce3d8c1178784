"""The l2 max-margin point by a dual active-set method, and whether the rows are separable at all.

min 1/2 ||z||^2 s.t. A z >= 1 has z = A_I^T u with u >= 0 and A_I z = 1 on its support points I.
Nonnegative least squares proposes I; then, as in Goldfarb and Idnani (1983), the most violated row
enters, rows whose multiplier would turn negative leave, and z and u come anew from a QR
factorisation of A_I^T (condition of A_I, not of its Gram matrix). A row that depends on I with no
multiplier to give way is a Farkas vector: a >= 0, A^T a = 0.

Only the span of the rows matters: n <= d rows enter in n coordinates. Sparse ones are never made
dense for that, and z is a combination of them, A_I^T u.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import qr, solve_triangular

from implicitbias._arrays import EPS, FloatArray
from implicitbias._errors import InfeasibleProblemError, NoPredictionError
from implicitbias._nonnegative import nnls
from implicitbias.features import Features, as_features
from implicitbias.problems import SignedRows, UnitRows, decide

NEGLIGIBLE = 1e-11  # a share of a Farkas vector below this is rounding
DEPENDENT = 1e-13  # a unit row this close to the span of others lies in it


@dataclass(frozen=True, eq=False)
class Hull:
    """z of least norm with A z >= 1, its multipliers A^T u = z, and the support points."""

    z: FloatArray
    multipliers: FloatArray
    active: np.ndarray


class _ActiveRows:
    """min ||z|| s.t. B_I z = b_I for unit rows B: z, multipliers and projections, by QR."""

    def __init__(self, rows: FloatArray, target: FloatArray, active: list[int]) -> None:
        self.active = active
        self.q = np.zeros((rows.shape[1], 0))
        self.z, self.u = np.zeros(rows.shape[1]), np.zeros(0)
        if active:
            self.q, self.r = np.linalg.qr(rows[active].T)
            half = solve_triangular(self.r, target[active], trans="T", check_finite=False)
            self.z = self.q @ half
            self.u = solve_triangular(self.r, half, check_finite=False)

    def split(self, row: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The part of a row outside the span of the active ones, and its coefficients inside."""
        if not self.active:
            return row, np.zeros(0)
        inside = self.q.T @ row
        outside = row - self.q @ inside
        again = self.q.T @ outside  # a second pass keeps nearly dependent rows accurate
        coefficients = solve_triangular(self.r, inside + again, check_finite=False)
        return outside - self.q @ again, coefficients


def _proposed_support(rows: FloatArray, target: FloatArray) -> list[int]:
    """Rows with positive multipliers in the least-distance problem, by NNLS."""
    scale = float(target.max())
    right = np.zeros(rows.shape[1] + 1)
    right[-1] = 1.0
    try:
        weights, _ = nnls(np.vstack([rows.T, target / scale]), right, maxiter=50 * target.size)
    except RuntimeError:  # it cycled: start from nothing
        return []
    support = np.flatnonzero(weights > 0)
    if support.size == 0:
        return []
    _, r, order = qr(rows[support].T, mode="economic", pivoting=True, check_finite=False)
    diagonal = np.abs(np.diag(r))
    kept = order[: diagonal.size][diagonal > 1e3 * DEPENDENT * diagonal[0]]
    active = sorted(support[kept].tolist())
    while active:  # the method starts from a support whose multipliers are all positive
        state = _ActiveRows(rows, target, active)
        if state.u.min() > 0:
            break
        active = [i for i, u in zip(active, state.u, strict=True) if u > 0]
    return active


def _entering(rows: FloatArray, target: FloatArray, state: _ActiveRows) -> int | None:
    """The row violated most beyond rounding, or None."""
    noise = 8 * EPS * (np.abs(rows) @ np.abs(state.z))
    violation = target - rows @ state.z - noise - 1e-14 * target
    violation[state.active] = 0.0
    worst = int(np.argmax(violation / target))
    return worst if violation[worst] > 0 else None


def _add_row(rows: FloatArray, target: FloatArray, state: _ActiveRows, new: int) -> _ActiveRows:
    """Move to the minimiser with row ``new`` active, letting rows leave on the way."""
    active, u, z, u_new = list(state.active), state.u.copy(), state.z.copy(), 0.0
    while True:
        outside, inside = state.split(rows[new])
        length = float(outside @ outside)
        full = np.inf
        if length > DEPENDENT**2:
            full = float(target[new] - rows[new] @ z) / length
        blocking = np.flatnonzero(inside > 0)
        ratios = u[blocking] / inside[blocking]
        partial = float(ratios.min()) if blocking.size else np.inf
        if np.isinf(full) and np.isinf(partial):
            farkas = np.zeros(target.size)
            farkas[active], farkas[new] = -inside, 1.0
            raise _Dependent(farkas)
        if full <= partial:
            return _ActiveRows(rows, target, [*active, new])
        u, u_new = u - partial * inside, u_new + partial
        if np.isfinite(full):
            z = z + partial * outside
        leaving = int(blocking[np.argmin(ratios)])
        active.pop(leaving)
        u = np.delete(u, leaving)
        state = _ActiveRows(rows, target, active)


class _Dependent(Exception):
    """A combination of unit rows with nonnegative weights that vanishes."""

    def __init__(self, weights: FloatArray) -> None:
        super().__init__("dependent rows")
        self.weights = weights


def least_norm(A: FloatArray | Features) -> Hull:
    """Solve min ||z||_2 s.t. A z >= 1, or prove that no z separates.

    Parameters
    ----------
    A
        Rows y_i x_i^T, shape (n, d).

    Raises
    ------
    InfeasibleProblemError
        No z has A z > 0; ``evidence`` is a >= 0, sum a = 1, with A^T a = 0 (to rounding).
    NoPredictionError
        float64 can decide neither way.
    """
    A = as_features(A)
    norms = A.row_norms()
    if norms.min() == 0.0:
        raise _zero_row(int(np.argmin(norms)), norms.size)
    n, d = A.shape
    basis, few = None, d <= n or A.is_array
    if not few:
        rows = UnitRows(A).block(slice(0, n))
    else:
        rows = A.toarray() / norms[:, None]
        if d > n:
            basis, triangle = np.linalg.qr(rows.T)
            rows = np.ascontiguousarray(triangle.T)
    shortest = float(norms.min())
    target = shortest / norms  # the rows are scaled to length 1 and z by the shortest row
    state = _ActiveRows(rows, target, _proposed_support(rows, target))
    for _ in range(20 * n + 100):
        new = _entering(rows, target, state)
        if new is None:
            break
        try:
            state = _add_row(rows, target, state, new)
        except _Dependent as dependent:
            raise not_separable(A, dependent.weights / norms) from None
    margins = rows @ state.z
    noise = max(8, rows.shape[1]) * EPS * (np.abs(rows) @ np.abs(state.z))
    if not np.all(margins > noise):
        raise undecided(float(margins.min()) / max(float(np.linalg.norm(state.z)), EPS))
    if not few:
        z = _combination(A, norms, target, state)
    else:
        z = state.z if basis is None else basis @ state.z
    multipliers = np.zeros(n)
    multipliers[state.active] = state.u.clip(min=0.0) / norms[state.active]
    return Hull(z / shortest, multipliers / shortest, np.array(sorted(state.active)))


def _combination(
    A: Features, norms: FloatArray, target: FloatArray, state: _ActiveRows
) -> FloatArray:
    """A_I^T u for sparse rows, with A_I z = b_I corrected once."""
    active = state.active
    rows, lengths = A.rows(active), norms[active]
    z = rows.T @ (state.u / lengths)
    missing = target[active] - (rows @ z) / lengths
    half = solve_triangular(state.r, missing, trans="T", check_finite=False)
    change = solve_triangular(state.r, half, check_finite=False)
    return np.asarray(z + rows.T @ (change / lengths))


def _zero_row(index: int, count: int) -> InfeasibleProblemError:
    farkas = np.zeros(count)
    farkas[index] = 1.0
    return InfeasibleProblemError(
        f"Point {index} is zero in every coordinate, so no direction gives it a positive margin. "
        "Remove it.",
        evidence=farkas,
    )


def not_separable(A: Features, a: FloatArray) -> Exception:
    """The error that a candidate for a >= 0, A^T a = 0 supports: infeasible only if proved."""
    data = SignedRows(A, np.ones(A.shape[0]))
    lengths = a * A.row_norms()
    a = np.where(lengths > NEGLIGIBLE * lengths.max(), a / a.max(), 0.0)
    found = data.gordan_vector(np.ldexp(a, data.exponents))
    weights, residual = found.weights, found.residual
    if not found.proved:  # points that do not belong may hide a proof: linear programs look anew
        decided = decide(A, np.ones(A.shape[0]))
        if not decided.verdict.fails or decided.farkas is None:
            return undecided(residual)
        weights, residual = decided.farkas, decided.verdict.value
    return InfeasibleProblemError(
        f"No direction has positive margins on all {a.size} points: {np.count_nonzero(weights)} of "
        f"them combine, with weights >= 0, to zero (size {residual:.1e} for points of length 1; "
        "the weights are in .evidence). Max-margin limits need separable data.",
        evidence=weights,
    )


def undecided(number: float) -> NoPredictionError:
    """The error for data that are separable by no more than rounding, if at all."""
    return NoPredictionError(
        f"float64 cannot tell whether the data are separable: at best by a margin of {number:.1e} "
        "for points of length 1, which is rounding. Remove near-duplicate points of opposite "
        "labels, or features that depend on others."
    )
