"""Stationary points of min ||rho||_{2/L} s.t. Re(A rho) >= 1, L >= 3: polished, judged, compared.

A point is stationary when conj(A^T a) is the quasi-norm's gradient on the support for some a >= 0
that charges only margins of 1; zero coordinates ask nothing, for the slope there is infinite.
Concave along every coordinate, the problem has many such points. From a start two routes are
tried: Newton on the support the start shows (which also finds points that are no minima), and
descent by reweighted l1 steps that may at most double a coordinate; the nearer certified point is
returned with the angle moved. Source: Theorem 2 of Yun, Krishnan and Mobahi, ICLR 2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from implicitbias._arrays import (
    EPS,
    FloatArray,
    NumericArray,
    finite_array,
    positive_int,
    real_power,
)
from implicitbias._errors import InvalidInputError, NoPredictionError
from implicitbias._verdicts import CERTIFIED, Verdict
from implicitbias.features import Features
from implicitbias.limits.margin._convex import checked_rows, twist
from implicitbias.limits.margin._error import corrected
from implicitbias.limits.margin._faces import Kind, part_that_leaves, second_order
from implicitbias.limits.margin._groups import Groups
from implicitbias.limits.margin._kkt import KKT, best_multipliers, kkt_residuals
from implicitbias.limits.margin._l1 import (
    GroupedProblem,
    Point,
    least_norm_unknowns,
    solve_l1,
)
from implicitbias.limits.margin._polish import ActiveSet, merit, newton, polish

NEGLIGIBLE = 1e-13  # a coordinate below this share of the largest is dropped before descending
DESCENTS = 300
SETTLING = 0.02  # relative change of a step from which on Newton is tried
NEAR = 0.2  # radians; a basin is not expected to reach further from a late direction
SADDLE_BONUS = 100  # how much nearer a point that is no minimum must lie to be meant
SAME = 1e-6  # relative distance below which two stationary points are one


@dataclass(frozen=True, eq=False)
class StationaryPoint:
    """A certified stationary point of the l_{2/L} max-margin problem.

    Attributes
    ----------
    rho, multipliers
        The point, shape (m,), smallest margin 1, and a >= 0, shape (n,), with sum a = value.
    value
        ||rho||_{2/L}.
    margin
        1 / value.
    depth
        L.
    kkt
        The optimality conditions, measured at (rho, a).
    kind
        "local minimum", or "stationary" where some direction lowers the norm (or none is known
        to raise it).
    curvature
        The smallest curvature along directions that keep the charged margins, in units where one
        coordinate has 1 across and 2/L - 1 along itself; infinite at a vertex.
    angle
        Between the start and the point, in radians.
    same_basin
        Whether the polishing stayed where it started; its number is the angle.
    support, support_points
        Indices of nonzero coordinates and of nonzero multipliers.
    correction
        What is left of rho to the exact point, (m,), by residuals beyond float64.
    leaving
        At a point that is no minimum: the start's part along directions that lower the norm,
        relative. No flow ends there unless a symmetry keeps this at 0.
    hits
        How many starts of ``many_starts`` ended here.
    """

    rho: NumericArray
    multipliers: FloatArray
    value: float
    margin: float
    depth: float
    kkt: KKT
    kind: Kind
    curvature: float
    angle: float
    same_basin: Verdict
    support: np.ndarray = field(repr=False)
    support_points: np.ndarray = field(repr=False)
    correction: NumericArray | None = field(default=None, repr=False)
    hits: int = 1
    leaving: float = 0.0

    @property
    def rate(self) -> float:
        """min(curvature, 1, 4/L off a vertex): the margin's exponent in a flow's distance.

        Asymptotic. Negative: the flow leaves this point unless it starts on its symmetry.
        """
        if np.isinf(self.curvature):
            return 1.0
        return min(self.curvature, 1.0, 4 / self.depth)

    def __str__(self) -> str:
        return (
            f"{self.kind} of the l_2/{self.depth} max-margin problem: norm {self.value:.10g}, "
            f"{self.support.size} of {self.rho.size} coordinates, {self.support_points.size} of "
            f"{self.multipliers.size} points, curvature {self.curvature:.3g}\n"
            f"  {self.kkt}\n  {self.same_basin}"
        )


def stationary_point(
    A: NumericArray | Features, depth: float, start: NumericArray, groups: Groups | None = None
) -> StationaryPoint:
    """The stationary point of min ||rho||_{2/L} s.t. Re(A rho) >= 1 that a direction leads to.

    Parameters
    ----------
    A
        Rows y_i x_i^T S^T, shape (n, m), real or complex.
    depth
        L >= 3.
    start
        A direction with positive margins, shape (m,), such as a flow's late rho.
    groups
        How complex coordinates make S^T rho real (needed when A is complex).

    Raises
    ------
    InvalidInputError
        Wrong shapes, not finite, depth not above 2, or a start without positive margins.
    NoPredictionError
        No candidate's KKT residual reached 1e-8 (or rounding).
    """
    Z, groups = checked_rows(A, groups)
    depth = checked_depth(depth)
    start = finite_array(start, "start", shape=(Z.shape[1],), allow_complex=True)
    problem = _problem(Z, depth, groups)
    r = _scaled(problem, groups.unknowns(start))
    if r is None:
        worst = float((problem.array @ groups.unknowns(start)).min())
        raise InvalidInputError(
            f"start has the smallest margin {worst:.3g}; expected a direction with positive "
            "margins. Pass the direction of a flow that separates the data."
        )
    found = [(merit(problem, point), point) for point in _routes(problem, r)]
    noise = 100 * EPS * float((np.abs(problem.array) @ np.abs(r)).max())
    candidates = [
        _finished(Z, depth, groups, problem, start, r, point)
        for residual, point in found
        if residual <= max(CERTIFIED, noise)
    ]
    if not candidates:
        best = min((residual for residual, _ in found), default=np.inf)
        raise NoPredictionError(
            f"No stationary point of l_2/{depth} was certified from this start: the best KKT "
            f"residual is {best:.1e}, wanted {CERTIFIED:.0e}. Start from a later direction."
        )
    return _chosen(candidates)


def many_starts(
    A: NumericArray | Features,
    depth: float,
    seed: int = 0,
    num: int = 32,
    groups: Groups | None = None,
    starts: Sequence[NumericArray] = (),
) -> tuple[StationaryPoint, ...]:
    """Distinct stationary points reached from random starts, smallest quasi-norm first.

    A random start is the l2 max-margin point in coordinates scaled by log-normal factors, which is
    dense and separates. Given ``starts`` are tried as well.

    Raises
    ------
    InvalidInputError, NoPredictionError
        As ``stationary_point``.
    InfeasibleProblemError
        No rho separates; ``evidence`` is the Farkas vector.
    """
    Z, groups = checked_rows(A, groups)
    depth, num = checked_depth(depth), positive_int(num, "num", at_least=0)
    problem = _problem(Z, depth, groups)
    random = np.random.default_rng(seed)
    found: list[StationaryPoint] = [stationary_point(Z, depth, s, groups) for s in starts]
    for _ in range(num):
        factors = np.exp(random.normal(scale=1.5, size=problem.weights.size))[problem.labels]
        scaled = problem.scaled(factors, problem.weights)
        rho = groups.rho(least_norm_unknowns(scaled) * factors)
        try:
            found.append(stationary_point(Z, depth, rho, groups))
        except NoPredictionError:
            continue
    distinct: list[StationaryPoint] = []
    for point in found:
        for index, other in enumerate(distinct):
            if np.linalg.norm(point.rho - other.rho) <= SAME * np.linalg.norm(other.rho):
                distinct[index] = replace(other, hits=other.hits + 1)
                break
        else:
            distinct.append(point)
    return tuple(sorted(distinct, key=lambda point: point.value))


def globally_optimal(point: StationaryPoint, others: Sequence[StationaryPoint]) -> Verdict:
    """Whether a stationary point is refuted as the global minimum by a certified smaller one.

    The number is the smallest value found relative to the point's own. Finding none proves nothing:
    the verdict is then "undecided".
    """
    best = min((other.value for other in others), default=point.value)
    claim = f"globally optimal for l_2/{point.depth}"
    if best < point.value * (1 - 1e-9):
        detail = f"a certified point has the norm {best:.6g}, this one {point.value:.6g}"
        return Verdict(claim, "fails", best / point.value, detail)
    return Verdict(claim, "undecided", best / point.value, f"none of {len(others)} was smaller")


def checked_depth(depth: float) -> float:
    """L > 2, an int where it is whole."""
    depth = real_power(depth, "depth")
    if depth == 2.0:
        raise InvalidInputError(
            "depth is 2; the quasi-norm problem needs more than that. Use l1_max_margin for 2."
        )
    return int(depth) if depth % 1.0 == 0.0 else depth


def _problem(A: Features, depth: float, groups: Groups) -> GroupedProblem:
    return GroupedProblem(
        groups.rows(A), groups.equations, groups.labels, groups.group_weights(None), 2 / depth
    )


def _scaled(problem: GroupedProblem, r: FloatArray) -> FloatArray | None:
    """r with a smallest margin of 1, or None if it does not separate."""
    top = float(np.abs(r).max(initial=0.0))
    if top == 0.0:
        return None
    smallest = float((problem.array @ (r / top)).min())
    return r / top / smallest if smallest > 0 else None


def _routes(problem: GroupedProblem, r: FloatArray) -> list[Point]:
    """Candidates: Newton on the support that the start shows, and descent."""
    found = [newton(problem, *guess) for guess in _shown(problem, r)]
    descended = _descend(problem, r)
    return found if descended is None else [*found, descended]


def _shown(problem: GroupedProblem, r: FloatArray) -> list[tuple[Point, ActiveSet]]:
    """Supports that a direction shows: where A^T a is near the gradient, and above the widest gap.

    Off the support the gradient grows without bound as a coordinate vanishes while A^T a does not.
    """
    size = problem.norms(r)
    rows = np.zeros((problem.rows.shape[0], size.size))
    nonzero = np.where(size > 0, size, 1.0)
    np.add.at(rows.T, problem.labels, (problem.array * r).T)
    rows = rows / nonzero  # along each group's own direction
    try:
        a = best_multipliers(rows, size, problem.exponent, problem.weights)
    except RuntimeError:  # nonnegative least squares cycled
        return []
    if not a.any():
        return []
    point = Point(r, a, np.zeros(problem.equations.shape[0]))
    value = problem.value(r)
    slope = problem.weights * (nonzero / value) ** (problem.exponent - 1)
    masks = [(problem.norms(problem.driver(point)) > 0.5 * slope) & (size > 0)]
    order = np.argsort(-size)
    steps = np.diff(np.log(np.maximum(size[order], np.finfo(float).tiny)))
    if steps.size:
        above = np.zeros(size.size, dtype=bool)
        above[order[: int(np.argmin(steps)) + 1]] = True
        masks.append(above)
    charged = a > 1e-6 * a.max()
    none = np.zeros(size.size, dtype=bool)
    return [(point, ActiveSet(mask, none, charged, charged)) for mask in masks if mask.any()]


def _descend(problem: GroupedProblem, r: FloatArray) -> Point | None:
    """Reweighted l1 steps within twice each coordinate, until the point stays put."""
    point = None
    for _ in range(DESCENTS):
        moved = _step(problem, r)
        if moved is None:
            break
        point = moved
        change = float(np.linalg.norm(point.r - r) / np.linalg.norm(r))
        r = point.r
        if change > SETTLING:
            continue
        polished = polish(problem, point)
        done = merit(problem, polished) <= CERTIFIED
        if (done and second_order(problem, polished)[0] == "local minimum") or change < 1e-7:
            return polished
    return point and polish(problem, point)


def _step(problem: GroupedProblem, r: FloatArray) -> Point | None:
    """One reweighted l1 step from r, scaled to a smallest margin of 1, with its multipliers."""
    size = problem.norms(r)
    trimmed = _scaled(problem, np.where((size > NEGLIGIBLE * size.max())[problem.labels], r, 0.0))
    r = r if trimmed is None else trimmed
    size = problem.norms(r)
    part, kept = problem.restricted(size > 0)
    slopes = part.weights * (size[size > 0] / problem.value(r)) ** (problem.exponent - 1)
    solved = solve_l1(replace(part, weights=slopes, exponent=1.0), reach=r[kept])
    if solved is None:
        return None
    moved = np.zeros_like(r)
    moved[kept] = solved.r
    scaled = _scaled(problem, moved)
    return None if scaled is None else Point(scaled, solved.a, solved.b)


def _finished(
    A: Features,
    depth: float,
    groups: Groups,
    problem: GroupedProblem,
    start: NumericArray,
    r: FloatArray,
    point: Point,
) -> StationaryPoint:
    point, step = corrected(problem, point)
    rho, value = groups.rho(point.r), problem.value(point.r)
    kkt = kkt_residuals(A, rho, point.a, 2 / depth, twist=twist(A, groups, point.b))
    kind, curvature = second_order(problem, point)
    angle = _angle(start, rho)
    return StationaryPoint(
        rho,
        point.a,
        value,
        1.0 / value,
        depth,
        kkt,
        kind,
        curvature,
        angle,
        _same_basin(problem, r, point.r, angle),
        np.flatnonzero(rho),
        np.flatnonzero(point.a),
        groups.rho(step),
        leaving=0.0 if curvature >= 0 else part_that_leaves(problem, point, r),
    )


def _angle(first: NumericArray, second: NumericArray) -> float:
    """The angle between two directions of C^m, accurate when small."""
    unit = [v / np.abs(v).max() for v in (first, second)]
    chord = float(
        np.linalg.norm(unit[0] / np.linalg.norm(unit[0]) - unit[1] / np.linalg.norm(unit[1]))
    )
    return float(2 * np.arcsin(min(1.0, chord / 2)))


def _same_basin(
    problem: GroupedProblem, start: FloatArray, end: FloatArray, angle: float
) -> Verdict:
    """Judged by the angle and by whether the norm rises on the (feasible) segment in between."""
    path = [problem.value(start + t * (end - start)) for t in np.linspace(0.0, 1.0, 33)]
    barrier = max(path) / path[0] - 1.0
    claim = "the polished point lies in the start's basin"
    detail = f"angle moved {angle:.2e} rad, the norm rises by {barrier:.1e} on the way"
    rises = barrier > 1e-9
    if angle <= NEAR and (not rises or angle < 1e-3):
        return Verdict(claim, "holds", angle, detail)
    return Verdict(claim, "fails" if rises and angle > NEAR else "undecided", angle, detail)


def _chosen(candidates: list[StationaryPoint]) -> StationaryPoint:
    """The nearest minimum, unless a point that is none lies far nearer: most flows leave those."""
    minima = [c for c in candidates if c.kind == "local minimum"]
    nearest = min(candidates, key=lambda c: c.angle)
    if not minima:
        return nearest
    minimum = min(minima, key=lambda c: c.angle)
    return nearest if SADDLE_BONUS * nearest.angle < minimum.angle else minimum
