"""Max-margin directions: l2, (weighted) l1, and l1 over complex coordinates, with certificates.

min N(rho) s.t. Re(A rho) >= 1, rows of A being y_i x_i^T S^T. N is the l2 norm for fully connected
networks (Corollary 1) and the l1 norm for two decomposable layers (Theorem 2, L = 2), where S^T rho
is to be real. Multipliers are those of the norm: sum a = N(rho) = 1 / margin.
Source: Yun, Krishnan and Mobahi, ICLR 2021; Ji and Telgarsky, 2020 for l2.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from implicitbias._arrays import (
    EPS,
    FloatArray,
    NumericArray,
    finite_array,
)
from implicitbias._errors import InvalidInputError, NoPredictionError
from implicitbias._verdicts import Verdict
from implicitbias.features import Features, features_of
from implicitbias.limits.margin._error import corrected, corrected_in_blocks, corrected_least_norm
from implicitbias.limits.margin._faces import second_order, uniqueness
from implicitbias.limits.margin._groups import Groups, real_groups
from implicitbias.limits.margin._kkt import KKT, kkt_residuals
from implicitbias.limits.margin._l1 import GroupedProblem, Point
from implicitbias.limits.margin._polish import polish
from implicitbias.limits.margin._rational import ExactHull, ExactPoint, least_norm, solve_l1

UNCERTIFIED = 1e-6  # an l1 point with a KKT residual above this (and above rounding) is refused
TIGHT = 1 - 1e-7  # a zero coordinate nearer to its bound may be tied
NEAR_BOUND = 0.99  # of its bound: a zero group of sparse data below it takes no part in Newton


@dataclass(frozen=True, eq=False)
class MaxMargin:
    """The point of least norm with margins of at least 1.

    Attributes
    ----------
    rho
        The point, shape (m,), complex where A is.
    multipliers
        a >= 0, shape (n,), with sum a = N(rho).
    value
        N(rho).
    margin
        1 / N(rho): the largest smallest margin of any point with norm 1.
    kkt
        The optimality conditions, measured at (rho, a).
    support, support_points
        Indices of nonzero coordinates and of nonzero multipliers.
    kappa
        l1: max |A^T a|_j / w_j over zero coordinates, relative to the same over all (0 if none is
        zero): a zero coordinate of a two-layer flow falls like margin^{-(1 - kappa)}. None for l2.
    curvature
        l1: the norm's smallest curvature on the support along directions that keep the margins,
        infinite at a vertex (every real solution that is unique). None for l2.
    unique
        l1: whether another point has the same norm and margins. None for l2 (always unique).
    rate
        l1: min(1 - kappa, curvature), the exponent of the margin in a two-layer flow's distance to
        this direction (asymptotic; w = 1). None for l2.
    realness
        The largest multiplier of S^T rho real, relative to the largest a: a flow's limit has 0.
    correction
        What is left of rho to the exact point, (m,), by residuals beyond float64.
    signs
        l1: the signs that coordinates were made to keep, or None.
    """

    rho: NumericArray
    multipliers: FloatArray
    value: float
    margin: float
    kkt: KKT
    support: np.ndarray = field(repr=False)
    support_points: np.ndarray = field(repr=False)
    kappa: float | None = None
    curvature: float | None = None
    unique: Verdict | None = None
    realness: float = 0.0
    correction: NumericArray | None = field(default=None, repr=False)
    signs: FloatArray | None = field(default=None, repr=False)

    @property
    def rate(self) -> float | None:
        """min(1 - kappa, curvature)."""
        if self.kappa is None or self.curvature is None:
            return None
        return min(1.0 - self.kappa, self.curvature)

    @property
    def error(self) -> float:
        """The correction relative to rho: an estimate of the angle to the exact point."""
        if self.correction is None:
            return float("inf")
        left = float(np.linalg.norm(self.correction))
        return max(left / float(np.linalg.norm(self.rho)), EPS)

    @property
    def alone(self) -> bool:
        """Whether it is the only point of its norm, and no zero coordinate is near its bound."""
        near = self.kappa is not None and self.kappa > TIGHT
        return not near and (self.unique is None or self.unique.holds)

    def __str__(self) -> str:
        lines = [
            f"norm {self.value:.10g}, margin {self.margin:.10g}, {self.support.size} of "
            f"{self.rho.size} coordinates, {self.support_points.size} of "
            f"{self.multipliers.size} points",
            f"  {self.kkt}",
        ]
        if self.kappa is not None:
            lines.append(f"  kappa {self.kappa:.6g}, rate {self.rate:.6g}")
        if self.unique is not None:
            lines.append(f"  {self.unique}")
        return "\n".join(lines)


def l2_max_margin(A: NumericArray | Features) -> MaxMargin:
    """min ||z||_2 s.t. A z >= 1: the direction of fully connected networks.

    Parameters
    ----------
    A
        Rows y_i x_i^T, shape (n, d), real, dense or sparse. Sparse ones stay so for d > n, where
        the work is done in n coordinates.

    Raises
    ------
    InvalidInputError
        Not a finite real matrix.
    InfeasibleProblemError
        No z separates; ``evidence`` is a >= 0, sum a = 1, with A^T a = 0.
    NoPredictionError
        float64 cannot tell whether any z separates.
    """
    Z = features_of(A, "A")
    hull = least_norm(Z)
    z, left = hull.z, np.zeros(Z.shape[1])
    exact, on_support = isinstance(hull, ExactHull), hull.multipliers[hull.active]
    if not (exact or Z.is_whole):
        z, left = corrected_in_blocks(Z.rows(hull.active), z, on_support)
    elif not exact:
        support, used = _dense_rows(Z, hull.active)
        z[used], left[used] = corrected_least_norm(support, z[used], on_support)
    value = float(np.linalg.norm(z))
    a = hull.multipliers / value
    return MaxMargin(
        z,
        a,
        value,
        1.0 / value,
        kkt_residuals(Z, z, a, 2),
        np.flatnonzero(z),
        np.flatnonzero(a),
        correction=left,
    )


def _dense_rows(A: Features, rows: np.ndarray) -> tuple[FloatArray, np.ndarray | slice]:
    """Some rows as a dense array, without the columns in which sparse ones have no entry."""
    part = A.rows(rows)
    if part.is_array:
        return part.toarray(), slice(None)
    used = np.flatnonzero(part.largest(0))
    return part.columns(used), used


def l1_max_margin(
    A: NumericArray | Features,
    weights: FloatArray | None = None,
    groups: Groups | None = None,
    signs: FloatArray | None = None,
) -> MaxMargin:
    """min sum_j w_j |rho_j| s.t. Re(A rho) >= 1 (and S^T rho real): two decomposable layers.

    A linear program when every coordinate is real, a second-order cone program otherwise, then
    Newton on the identified support.

    Parameters
    ----------
    A
        Rows y_i x_i^T S^T, shape (n, m), real or complex; or sparse and real, which stay so.
    weights
        w, shape (m,), positive; ones if None. Equal within a conjugate pair.
    groups
        How complex coordinates make S^T rho real: ``conjugate_groups(S)`` or
        ``fourier_groups(d)``. Needed when A is complex.
    signs
        Real rows only: +1 or -1 where a coordinate keeps that sign, 0 where it is free, shape (m,).

    Raises
    ------
    InvalidInputError
        Not finite, wrong shapes, a weight that is not positive, or complex rows without groups.
    InfeasibleProblemError
        No rho separates; ``evidence`` is the Farkas vector.
    NoPredictionError
        None with these signs separates, float64 cannot tell whether any rho separates, or the
        solver found nothing.
    """
    Z, groups = checked_rows(A, groups, allow_sparse=True)
    if weights is not None:
        weights = checked_weights(weights, Z.shape[1])
    problem = GroupedProblem(
        groups.rows(Z),
        groups.equations,
        groups.labels,
        groups.group_weights(weights),
        signs=checked_signs(signs, groups),
    )
    point = solve_l1(problem)
    if point is None:
        raise NoPredictionError(
            "The convex solver found no l1 max-margin point"
            + ("; rescale the data." if signs is None else " with these signs.")
        )
    if isinstance(point, ExactPoint):
        exact = _l1_result(Z, weights, groups, problem, point)
        exact = replace(exact, correction=np.zeros(Z.shape[1]))
        claim = "the l1 max-margin solution is unique"
        proved = Verdict(claim, "holds", 1.0, "in integers: the dual vertex is not degenerate")
        return replace(exact, unique=proved) if point.unique else exact
    face, kept = _face(problem, point)
    polished = polish(face, Point(point.r[kept], point.a, point.b))
    polished, step = corrected(face, polished)
    r, left = np.zeros_like(point.r), np.zeros_like(point.r)
    r[kept], left[kept] = polished.r, step
    found = _l1_result(Z, weights, groups, problem, Point(r, polished.a, polished.b))
    return replace(found, correction=groups.rho(left))


def _face(problem: GroupedProblem, point: Point) -> tuple[GroupedProblem, np.ndarray]:
    """The dense problem on the groups that an l1 solution near ``point`` can use; its unknowns.

    All of them unless the rows are sparse.
    """
    if problem.rows.is_array:
        return problem, np.ones(point.r.size, dtype=bool)
    bound = problem.pull(point)
    return problem.restricted((problem.norms(point.r) > 0) | (bound > NEAR_BOUND * problem.weights))


def checked_rows(
    A: NumericArray | Features, groups: Groups | None, *, allow_sparse: bool = False
) -> tuple[Features, Groups]:
    """A as features with groups that fit it."""
    Z = features_of(A, "A", allow_complex=True)
    if not (Z.is_array or (allow_sparse and groups is None)):
        raise InvalidInputError(
            "A is not an array; this needs all of its columns at once. Pass A.toarray()."
        )
    if groups is None:
        if Z.is_complex:
            raise InvalidInputError(
                "A is complex but no groups were given; which rho make S^T rho real depends on S. "
                "Pass groups=conjugate_groups(S), or fourier_groups(d) for the DFT."
            )
        groups = real_groups(Z.shape[1])
    if groups.expansion.shape[0] != Z.shape[1]:
        raise InvalidInputError(
            f"groups are for {groups.expansion.shape[0]} coordinates; A has {Z.shape[1]} columns."
        )
    return Z, groups


def checked_signs(signs: FloatArray | None, groups: Groups) -> FloatArray | None:
    """Signs as floats in {-1, 0, 1}, one a real coordinate; None if all are free."""
    if signs is None:
        return None
    signs = finite_array(signs, "signs", shape=(groups.labels.size,))
    if not groups.real or not np.isin(signs, (-1.0, 0.0, 1.0)).all():
        raise InvalidInputError("signs are -1, 0 or 1, one for each real coordinate.")
    return signs if signs.any() else None


def checked_weights(weights: FloatArray, m: int) -> FloatArray:
    """Weights as positive floats, one a coordinate."""
    weights = finite_array(weights, "weights", shape=(m,))
    if weights.min() <= 0:
        raise InvalidInputError(
            f"weights[{int(weights.argmin())}] is {weights.min():g}; expected positive weights."
        )
    return weights


def twist(A: Features, groups: Groups, b: FloatArray) -> NumericArray | None:
    """-i S b for the multipliers b of S^T rho real, None where that holds by itself."""
    if b.size == 0:
        return None
    return np.asarray((groups.expansion @ (groups.equations.T @ b)).conj())


def _l1_result(
    A: Features,
    weights: FloatArray | None,
    groups: Groups,
    problem: GroupedProblem,
    point: Point,
) -> MaxMargin:
    rho = groups.rho(point.r)
    kkt = kkt_residuals(
        A,
        rho,
        point.a,
        1,
        weights=weights,
        twist=twist(A, groups, point.b),
        signs=problem.signs,
    )
    doubtful = kkt.worst > max(UNCERTIFIED, 100 * kkt.rounding)
    if doubtful and not isinstance(point, ExactPoint):
        raise NoPredictionError(
            f"The l1 max-margin point could not be certified: its KKT residual is {kkt.worst:.1e}. "
            "Rescale features or points of very different sizes.",
            certificate=kkt,
        )
    value = problem.value(point.r)
    ratio = problem.pull(point) / problem.weights
    top = float(ratio.max())  # 0 where terms cancel beyond float64: nothing tells coordinates apart
    zero = problem.norms(point.r) == 0
    face, kept = _face(problem, point)
    there = Point(point.r[kept], point.a, point.b)
    return MaxMargin(
        rho,
        point.a,
        value,
        1.0 / value,
        kkt,
        np.flatnonzero(rho),
        np.flatnonzero(point.a),
        kappa=float(ratio[zero].max(initial=0.0)) / top if top > 0.0 else 1.0,
        curvature=second_order(face, there)[1],
        unique=uniqueness(face, there),
        realness=float(np.abs(point.b).max(initial=0.0)) / float(point.a.max()),
        signs=problem.signs,
    )
