"""What the rounding of a start U_l^T v_l does to the limit where it decides what can be reached.

Two layers that tie keep the sign of their coordinate, two that nearly tie do not: from a balanced
start the tie is the rounding of the products. The limit from drawn starts tells what that means.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from implicitbias._arrays import EPS, BoolArray, FloatArray, NumericArray, Parameters
from implicitbias._errors import NoPredictionError
from implicitbias._verdicts import Status, Verdict
from implicitbias.features import Features
from implicitbias.limits import (
    MaxMargin,
    PathError,
    PotentialProblem,
    at_actual_scale,
    certify,
    l1_max_margin,
    small_scale_end,
    solve,
    solve_one_point,
)
from implicitbias.problems import Regression
from implicitbias.theorems._one_point import OnePointSVD
from implicitbias.theorems._situation import Situation

Verdicts = tuple[Verdict, ...]
DRAWS = 3
NOTHING = 64.0  # roundings of the start below which a sum of two layers' coordinates may be 0
TIED = 1e-6  # of the largest singular value: gaps whose two may turn into each other
SMALLER = 1e-9  # relative: an l1 norm that is another one
FIRST_ORDER = 1e-9  # larger changes of beta are no small ones


def zeros_told(situation: Situation) -> str:
    """How many coordinates stay at 0, and how far they are from it where they are rounded."""
    count, doubtful = int(situation.curves.dead.sum()), doubtful_zeros(situation)
    if not doubtful.any():
        return f"{count} stay at 0"
    return f"{count} stay at 0, where rounding leaves {_off_zero(situation, doubtful):.2g}"


def zeros_held(situation: Situation) -> Status:
    """Whether coordinates that count as 0 are: products in float64 do not tell."""
    return "undecided" if doubtful_zeros(situation).any() else "holds"


def doubtful_zeros(situation: Situation) -> BoolArray:
    """Coordinates that stay at 0 because two of their layers count as 0, and may not be, (m,)."""
    dead = situation.curves.dead
    if not dead.any() or situation.decomposition.power is not None:
        return np.zeros_like(dead)
    if "vanish" not in situation.derived:
        known = situation.decomposition.vanish(situation.init.directions)
        situation.derived["vanish"] = known.sum(axis=0)
    return np.asarray(dead & (situation.derived["vanish"] < 2))


def _off_zero(situation: Situation, doubtful: BoolArray) -> float:
    """The largest of what the products leave of these zeros, or what they may have lost."""
    given = np.abs(situation.decomposition.projections(situation.init.directions))
    zeros = doubtful & (situation.coordinates == 0.0)
    return max(float(given[zeros].max()), EPS * float(given.max()))


def changed_by_rounding(
    situation: Situation, rho: FloatArray, coefficients: FloatArray, *, end: bool = False
) -> float:
    """|d beta|_inf / |beta|_inf where rounding decides which coordinates move, or keep their sign.

    Where it decides nothing, 0. Otherwise the limit, or the ``end`` of the path at scale 0, from
    other starts within rounding is solved too.
    """
    curves, doubtful, largest = situation.curves, doubtful_zeros(situation), 0.0
    held = curves.locked if end else situation.reach.forced
    tied = not situation.start_is_exact and (held & ~curves.dead).any()
    moves, starts = ~curves.dead | doubtful, []
    if tied or doubtful.any():
        starts.append((_without_ties(situation, doubtful, tied=bool(tied)), moves))
    near = _near_ties(situation)
    if near.any():
        starts.append((_with_ties(situation.reduction.start, near), ~curves.dead))
    for start, moves in starts:
        problem = _from(situation, start, moves)
        other = _end_of(problem) if end else _limit_of(problem)
        if other is None:
            return np.inf
        largest = max(largest, _apart(situation, moves, other, rho, coefficients))
    return largest


def _limit_of(problem: PotentialProblem) -> FloatArray | None:
    try:
        solved, state = solve(problem)
    except PathError:
        return None
    if not problem.target.any():
        solved, state = at_actual_scale(solved, state)
    return solved.curves.rho(certify(solved, state).state.t)


def _end_of(problem: PotentialProblem) -> FloatArray | None:
    try:
        return small_scale_end(problem).rho
    except ValueError:
        return None


def left_out(situation: Situation, coefficients: FloatArray) -> float:
    """|d beta|_inf / |beta|_inf for what a searched decomposition leaves out of the tensor.

    Its part of beta(0): residual ||M(e)|| prod_l |r_l|, r_l what of layer l no coordinate holds.
    """
    decomposition, size = situation.decomposition, float(np.abs(coefficients).max(initial=0.0))
    if decomposition.residual == 0.0 or size == 0.0:
        return 0.0
    start = situation.init.directions
    inside = decomposition.parameters(decomposition.coordinates(start))
    outside = [float(np.linalg.norm(v - kept)) for v, kept in zip(start, inside, strict=True)]
    if min(outside) == 0.0:
        return 0.0
    tensor = float(np.linalg.norm(decomposition.S, axis=0).max())
    logs = decomposition.depth * situation.init.log_scale + float(np.log(outside).sum())
    with np.errstate(over="ignore"):
        return float(decomposition.residual * tensor / size * np.exp(logs))


def _without_ties(situation: Situation, doubtful: BoolArray, *, tied: bool) -> NumericArray:
    """A start off by rounding, that of ``doubtful`` zeros included.

    Entries other than 0 are off where ties are rounding.
    """
    reduction, rng = situation.reduction, np.random.default_rng(0)
    start, draws = reduction.start, rng.standard_normal(reduction.start.shape)
    off = reduction.start_error(situation.decomposition.residual)
    noise = np.where(start == 0.0, 0.0, off * tied)
    if doubtful.any():
        noise = np.where((start == 0.0) & doubtful, _off_zero(situation, doubtful), noise)
    return np.asarray(start + noise * draws)


def _near_ties(situation: Situation) -> BoolArray:
    """Coordinates whose smallest two layers differ by what may be rounding, (m,)."""
    curves, start = situation.curves, situation.reduction.start
    if situation.start_is_exact or len(start) < 2:
        return np.zeros_like(curves.dead)
    off = situation.reduction.start_error(situation.decomposition.residual).max()
    sizes = np.sort(np.abs(start), axis=0)
    real = ~np.any(np.imag(start) != 0.0, axis=0)
    near = (sizes[1] - sizes[0] <= NOTHING * off) & (sizes[0] > 0.0)
    return np.asarray(near & real & ~curves.locked & ~curves.dead)


def _with_ties(start: NumericArray, near: BoolArray) -> NumericArray:
    """The start with its smallest two layers of one size in the coordinates ``near``."""
    tied, columns = start.copy(), np.flatnonzero(near)
    first, second = np.argsort(np.abs(start[:, columns]), axis=0)[:2]
    tied[second, columns] = np.sign(start[second, columns]) * np.abs(start[first, columns])
    return tied


def _from(situation: Situation, start: NumericArray, moves: BoolArray) -> PotentialProblem:
    """The problem on the coordinates ``moves`` from another start."""
    reduction = replace(situation.reduction, start=start)
    rest = Regression(reduction.features.taken(moves), situation.targets)
    return PotentialProblem(
        rest.features.rows(rest.rows),
        np.ascontiguousarray(rest.y[rest.rows]),
        reduction.curves(situation.init.log_scale, moves),
        max_iterations=situation.max_iterations,
    )


def _apart(
    situation: Situation,
    moves: BoolArray,
    other: FloatArray,
    rho: FloatArray,
    coefficients: FloatArray,
) -> float:
    """|d beta|_inf / |beta|_inf from rho to the ``other`` one, of the coordinates ``moves``."""
    change = -rho
    change[moves] += other
    moved = situation.decomposition.coefficients(situation.reduction.spectrum(change)).real
    size, most = float(np.abs(coefficients).max()), float(np.abs(moved).max())
    if size == 0.0:  # and nothing says that the other one is not right
        return np.inf if most > 0.0 else 0.0
    return most / size


def require_no_smaller(
    situation: Situation,
    rows: Features,
    found: MaxMargin,
    moves: BoolArray,
    verdicts: Verdicts,
) -> None:
    """Refuse where layers that tie, or vanish, to rounding alone keep the flow from a better point.

    They do not keep the flow of the given layers: what differs by a rounding grows without end. A
    point as good will do, unless the multipliers leave those coordinates out: |z_j^T a| < 1.
    """
    doubtful, signs = doubtful_zeros(situation), found.signs
    if not doubtful.any() and (signs is None or situation.ties_are_given):
        return
    pulls, wrong, kept = rows.T @ found.multipliers, np.zeros(0), None
    if signs is not None and situation.ties_are_given:
        kept = np.zeros(moves.size)
        kept[moves] = signs
    elif signs is not None:
        wrong = -signs * pulls[moves]
    freed = moves | doubtful
    norm = float(np.abs(found.rho).sum())
    other = l1_max_margin(rows.taken(freed), signs=None if kept is None else kept[freed])
    free = float(np.abs(other.rho).sum())
    best = max(np.abs(pulls[doubtful]).max(initial=0.0), wrong.max(initial=0.0))
    tied = best >= (1.0 - SMALLER) * np.abs(pulls[moves]).max()
    if free < norm * (1.0 - SMALLER) or tied:
        raise NoPredictionError(
            "layers of the start tie, or vanish, in some coordinates to rounding, and this decides "
            f"the direction: beside the l1 norm {norm:.6g} with their signs kept there is "
            f"{free:.6g} without. Start from one layer twice, or from layers that differ.",
            verdicts,
        )


def whole_layers(
    situation: Situation, moved: tuple[FloatArray, FloatArray], *, resting: bool = True
) -> Parameters:
    """The two layers from their singular coordinates, with what of the start never moves."""
    svd = situation.one_point
    start = [np.ravel(layer) for layer in situation.start_parameters]
    kept = svd.layers(*(project(old) for project, old in zip(svd.project, start, strict=True)))
    return tuple(
        (new + (old - part if resting else 0.0)).reshape(shape)
        for new, old, part, shape in zip(
            svd.layers(*moved), start, kept, situation.network.parameter_shapes, strict=True
        )
    )


def one_point_start_change(
    situation: Situation, coefficients: FloatArray, moved: tuple[FloatArray, FloatArray], nu: float
) -> float:
    """|d beta|_inf for rounding of the start's singular coordinates, drawn a few times.

    Sums and differences a +- b grow by e^{+-nu s}: where they are rounding they need not stay it,
    and where they may be none at all (a balanced start) nothing grows, so that 0 is tried, too.
    What they do at the same clock is made up for by a step of it, or by solving again.
    """
    svd, one = situation.one_point, situation.one_point_problem
    if svd.exact:
        return 0.0
    start = np.array([svd.first, svd.second])
    noise = 2.0 * EPS * svd.sizes[:, None]  # a layer of zeros is exact
    rng, largest = np.random.default_rng(0), 0.0
    others = [start + noise * rng.standard_normal(start.shape) for _ in range(DRAWS)]
    for first, second in [*others, *_without_rounding(start, svd)]:
        other = replace(one, first=first, second=second)
        change = _one_point_change(situation, coefficients, moved, other.layers(nu))
        if not change <= FIRST_ORDER * float(np.abs(coefficients).max()):
            clock = solve_one_point(other)
            change = np.inf
            if clock is not None:
                beta = situation.network.coefficients(whole_layers(situation, other.layers(clock)))
                change = float(np.abs(beta - coefficients).max())
        largest = max(largest, change if np.isfinite(change) else np.inf)
    return largest


def _without_rounding(start: FloatArray, svd: OnePointSVD) -> list[FloatArray]:
    """The start (2, m) with sums and differences of its rows 0 where they may be rounding.

    Singular vectors are rounded by eps over the gap to the next singular value.
    """
    turned = np.array([start[0] + start[1], start[0] - start[1]])
    size = float(np.linalg.norm(svd.sizes))
    nothing = np.abs(turned) <= NOTHING * EPS / _gaps(svd.values) * size
    nothing &= turned != 0.0
    if not nothing.any():
        return []
    turned[nothing] = 0.0
    return [np.array([turned[0] + turned[1], turned[0] - turned[1]]) / 2.0]


def _gaps(values: FloatArray) -> FloatArray:
    """The distance to the next singular value that is no tie, over the largest, (m,); at most 1."""
    sizes = values / float(values.max())
    ends = np.concatenate([[-np.inf], np.sort(sizes), [np.inf]])
    below = ends[np.searchsorted(ends, sizes - TIED) - 1]
    above = ends[np.searchsorted(ends, sizes + TIED, side="right")]
    return np.asarray(np.minimum(np.minimum(sizes - below, above - sizes), 1.0))


def _one_point_change(
    situation: Situation,
    coefficients: FloatArray,
    moved: tuple[FloatArray, FloatArray],
    there: tuple[FloatArray, FloatArray],
) -> float:
    """|d beta|_inf from the layers at nu to those of another start, taken back to the target."""
    svd, (first, second) = situation.one_point, moved
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        a, b = there[0] - first, there[1] - second
        growth = np.sum((svd.values * first) ** 2 + (svd.values * second) ** 2)
        step = -float(np.sum(svd.values * (first * b + second * a + a * b)) / growth)
        back = there[0] + svd.values * second * step, there[1] + svd.values * first * step
        beta = situation.network.coefficients(whole_layers(situation, back))
        return float(np.abs(beta - coefficients).max())
