"""What the rounding of a start U_l^T v_l does to the limit where it decides what can be reached.

Two layers that tie keep the sign of their coordinate, two that nearly tie do not: from a balanced
start the tie is the rounding of the products. The limit from drawn starts tells what that means.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from implicitbias._arrays import EPS, FloatArray, Parameters
from implicitbias._verdicts import Status
from implicitbias.limits import (
    PathError,
    PotentialProblem,
    at_actual_scale,
    certify,
    small_scale_end,
    solve,
    solve_one_point,
)
from implicitbias.problems import Regression
from implicitbias.theorems._situation import Situation

DRAWS = 3
NOTHING = 16.0  # roundings of the start below which a sum of two layers' coordinates may be 0
FIRST_ORDER = 1e-9  # larger changes of beta are no small ones


def zeros_told(situation: Situation) -> str:
    """How many coordinates stay at 0, and how far they are from it where they are rounded."""
    off = _off_zero(situation)
    count = int(situation.curves.dead.sum())
    return f"{count} stay at 0" + (f", where rounding leaves {off:.2g}" if off else "")


def zeros_held(situation: Situation) -> Status:
    """Whether coordinates that count as 0 are: products in float64 do not tell."""
    return "undecided" if _off_zero(situation) else "holds"


def _off_zero(situation: Situation) -> float:
    """The largest coordinate of the start that counts as 0 and may be none."""
    if situation.ties_are_given or not situation.curves.dead.any():
        return 0.0
    given = situation.decomposition.projections(situation.init.directions)
    return float(np.abs(given[:, situation.curves.dead]).max())


def forced_by_rounding(situation: Situation, rho: FloatArray, coefficients: FloatArray) -> float:
    """|d beta|_inf / |beta|_inf where coordinates are forced to 0 by ties that may be rounding.

    Where none is 0. Otherwise the limit from one start without these ties is solved too.
    """
    if situation.start_is_exact or not (situation.reach.forced & ~situation.curves.dead).any():
        return 0.0
    loose = _without_ties(situation)
    try:
        solved, state = solve(loose)
    except PathError:
        return np.inf
    if not loose.target.any():
        solved, state = at_actual_scale(solved, state)
    return _apart(situation, solved.curves.rho(certify(solved, state).state.t), rho, coefficients)


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


def end_without_ties(situation: Situation, rho: FloatArray, coefficients: FloatArray) -> float:
    """The same at scale 0, where coordinates keep their sign by ties that may be rounding."""
    curves = situation.curves
    if situation.start_is_exact or not (curves.locked & ~curves.dead).any():
        return 0.0
    try:
        end = small_scale_end(_without_ties(situation))
    except ValueError:
        return np.inf
    return _apart(situation, end.rho, rho, coefficients)


def _without_ties(situation: Situation) -> PotentialProblem:
    """The problem from the start with entries other than 0 off by rounding; dead ones left out."""
    reduction, rng = situation.reduction, np.random.default_rng(0)
    start, moves = reduction.start, ~situation.curves.dead
    noise = 2.0 * EPS * float(np.abs(start).max()) * rng.standard_normal(start.shape)
    loose = replace(reduction, start=start + np.where(start == 0.0, 0.0, noise))
    rest = Regression(reduction.features.taken(moves), situation.targets)
    return PotentialProblem(
        rest.features.rows(rest.rows),
        np.ascontiguousarray(rest.y[rest.rows]),
        loose.curves(situation.init.log_scale, moves),
        max_iterations=situation.max_iterations,
    )


def _apart(
    situation: Situation, other: FloatArray, rho: FloatArray, coefficients: FloatArray
) -> float:
    """|d beta|_inf / |beta|_inf from rho to the ``other`` one of the coordinates that move."""
    change = -rho
    change[~situation.curves.dead] += other
    moved = situation.decomposition.coefficients(situation.reduction.spectrum(change)).real
    size = float(np.abs(coefficients).max())
    return float(np.abs(moved).max()) / size if size > 0.0 else 0.0


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
    noise = 2.0 * EPS * np.abs(start).max(axis=1, keepdims=True)  # a layer of zeros is exact
    rng, largest = np.random.default_rng(0), 0.0
    others = [start + noise * rng.standard_normal(start.shape) for _ in range(DRAWS)]
    for first, second in [*others, *_without_rounding(start)]:
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


def _without_rounding(start: FloatArray) -> list[FloatArray]:
    """The start (2, m) with sums and differences of its rows 0 where they may be rounding."""
    turned = np.array([start[0] + start[1], start[0] - start[1]])
    nothing = np.abs(turned) <= NOTHING * EPS * float(np.linalg.norm(start))
    nothing &= (start != 0.0).all(axis=0)
    if not nothing.any():
        return []
    turned[nothing] = 0.0
    return [np.array([turned[0] + turned[1], turned[0] - turned[1]]) / 2.0]


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
