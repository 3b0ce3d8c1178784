"""Following a path of potential problems: to the first solution, and from scale to scale.

Every start reaches the solution along a path whose beginning is known exactly: ``solve`` begins at
a scale where t moves by about one, moving the target from Z rho(t_0), where nu = 0, to y;
``rescale`` moves the scale from one solution to the next. The path's tangent costs one more
back-substitution, and is exact both for saturated and for inactive coordinates as the scale goes
to 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias.coordinates import ScalarCurves
from implicitbias.dual import NewtonSystem, as_given
from implicitbias.limits.potential._descent import descend, from_least_squares
from implicitbias.limits.potential._problem import (
    MAX_PATH_STEPS,
    STEP_CAP,
    PathError,
    PotentialProblem,
    PotentialState,
    correct,
    last_system,
    linearise,
    log_dual_weights,
    moved_along,
)

LOG_LINEAR = -23.0  # log t below this: the potential is quadratic to 1e-20
LARGEST_START = 690.0  # log of the largest rho(0) that a float64 holds, and its sums
HOPELESS = 1e13  # start predictions this many times the targets leave no digits
TINY_STEP = 1e-9  # a path step this short means that the path has ended


@dataclass(frozen=True, eq=False)
class _Path:
    """From x = 0 to x = 1 the target moves from start to end, the log scale by a change."""

    start: FloatArray
    end: FloatArray
    log_scale_change: float

    def target(self, x: float) -> FloatArray:
        return self.end if x >= 1.0 else self.start + x * (self.end - self.start)


def follow(problem: PotentialProblem, path: _Path, state: PotentialState) -> PotentialState:
    """Predictor and corrector along a path; the problem's curves belong to x = 0."""
    x, width = 0.0, 1.0
    growth = problem.curves.depth * path.log_scale_change
    for _ in range(MAX_PATH_STEPS):
        here = problem.curves.shifted(path.log_scale_change * x)
        if state.iterations > problem.max_iterations:
            why = f"more than {problem.max_iterations} Newton steps were needed"
            raise PathError(why, state, here)
        found = last_system(problem, here, state)
        if found is None:
            raise PathError("the rows of X S^T are numerically dependent", state)
        system, state = found
        speed = system.rows.target(path.end - path.start) - growth * (
            system.rows.features @ here.rho(state.t)
        )
        dt, dnu = system.solve(speed, np.zeros_like(state.t))
        # u' dt = a Z^T dnu has to hold here to rounding, not where the system was factored
        dt = dt * np.exp(system.slopes.log_u - here.log_u_slope(state.t))
        width = min(width, 1.0 - x)
        moved = None
        while moved is None:
            if width < TINY_STEP:
                raise PathError(f"the path stopped at {x:.3g} of its length", state)
            there = 1.0 if x + width >= 1.0 - TINY_STEP else x + width
            moved = correct(
                problem,
                problem.curves.shifted(path.log_scale_change * there),
                path.target(there),
                moved_along(here, state, there - x, dt, dnu),
                rough=there < 1.0,
            )
            if moved is None:
                width *= 0.3
        spent = moved.iterations - state.iterations
        state, x = replace(moved, path_steps=state.path_steps + 1), there
        if x >= 1.0:
            return state
        width *= 3.0 if spent <= 4 else 1.0
    raise PathError("the path needs more steps than allowed", state)


def solve(problem: PotentialProblem) -> tuple[PotentialProblem, PotentialState]:
    """The solution at the curves' own scale from t_0, nu = 0, to five digits; ``certify`` corrects.

    Returns
    -------
    tuple
        The problem and its solution. Where the potential is quadratic to rounding (beta(0) = 0 and
        a large scale) rho no longer depends on the scale: the problem returned is at the smallest
        such scale, with the rest in ``log_excess``.

    Raises
    ------
    PathError
        No interior solution was reached: no rho in the curves' range satisfies Z rho = y, or
        float64 could not follow the path.
    """
    curves = problem.curves
    state = PotentialState(
        curves.t0, np.zeros(problem.target.size), np.zeros(curves.size), as_given(problem.features)
    )
    if problem.target.size == 0:
        return problem, state
    if problem.target.size == curves.size and not problem.target.any():
        return problem, _at_zero(problem, state)
    log_start = float(np.max(curves.log_abs_rho(curves.t0), initial=-np.inf))
    if log_start > LARGEST_START:
        why = f"the start's products of layers are of size exp({log_start:.4g}), beyond float64"
        raise PathError(why, state)
    log_scale = float(curves.log_unit.max())
    first, system = _first_scale(problem, state)
    problem = problem.shifted(first - log_scale)
    if system is not None:
        state = replace(state, system=system.at_scale(curves.depth * first), rows=system.rows)
    excess = 0.0  # above the first scale a start at rest no longer matters
    if not problem.target.any():
        excess = log_scale - first
    elif _rests(curves):
        excess = max(log_scale - first, 0.0)
    start = _start_predictions(problem, state)
    further = log_scale != first and excess == 0.0
    if log_scale < first and state.system is not None:
        arrived = _by_bent_steps(problem, state.system, log_scale - first)
        if arrived is not None:
            return replace(arrived[0], curves=curves), arrived[1]
    moved = correct(problem, problem.curves, problem.target, state, rough=further)
    if moved is None:
        moved = follow(problem, _Path(start, problem.target, 0.0), state)
    problem = replace(problem, log_excess=excess)
    if not further:
        return problem, moved
    try:
        problem, moved = _along_scale(problem, moved, log_scale - first)
    except PathError as error:
        if log_scale < first:
            raise
        ratio = (problem.curves.depth * (log_scale - first)) / np.log(10.0)
        text = f"the start predicts values 1e{ratio:.0f} times the targets: {error}"
        raise PathError(text, error.state, error.curves) from None
    return replace(problem, curves=curves), moved  # there and back again was rounded


def _at_zero(problem: PotentialProblem, state: PotentialState) -> PotentialState:
    """The solution where Z is square and y = 0, so that rho = 0 is the only one."""
    curves = problem.curves
    t = curves.t_from_rho(np.zeros(curves.size), np.full(curves.size, -np.inf))
    clocks = curves.u_increment(curves.t0, t - curves.t0) * np.exp(-log_dual_weights(curves))
    nu: FloatArray = np.linalg.solve(problem.features.toarray().T, clocks).astype(np.float64)
    return replace(state, t=t, nu=nu)


def _start_predictions(problem: PotentialProblem, state: PotentialState) -> FloatArray:
    """Z rho(t_0), refused where its rounding alone exceeds the target."""
    rho = problem.curves.rho(problem.curves.t0)
    if not rho.any() and problem.target.any():
        return np.zeros_like(problem.target)
    with np.errstate(over="ignore", invalid="ignore"):
        start = np.asarray(problem.features @ rho)
        size = float(np.max(problem.features.absolute(rho), initial=0.0))
    target = float(np.abs(problem.target).max(initial=0.0))
    if not size < HOPELESS * target and target > 0:
        raise PathError(
            f"the start predicts values of size {size:.1e} where the targets are of size "
            f"{target:.1e}, and float64 cannot hold their difference",
            state,
        )
    return start


def _first_scale(
    problem: PotentialProblem, state: PotentialState
) -> tuple[float, NewtonSystem | None]:
    """The log scale to begin with, where t moves by about STEP_CAP, and the system at scale 1."""
    own = float(problem.curves.log_unit.max())
    size = float(np.abs(problem.target).max(initial=0.0))
    if size == 0.0:
        return 0.0, None  # Z rho = 0 has no scale
    unit = problem.curves.shifted(-own)
    found = linearise(problem, unit, state)
    if found is None:
        raise PathError("the rows of X S^T are numerically dependent", state)
    system, _ = found
    dt, _ = system.solve(system.rows.target(problem.target / size), np.zeros_like(state.t))
    length = float(np.abs(dt).max(initial=0.0))
    if not 0.0 < length < np.inf:
        raise PathError("no coordinate reaches the target", state)
    log_length = np.log(length) + np.log(size)
    depth = problem.curves.depth
    if log_length - depth * own > np.log(STEP_CAP):
        return float(log_length - np.log(STEP_CAP)) / depth, system
    if not _rests(problem.curves):  # from where the start is like the targets, if it is larger
        log_start = _log_start_size(replace(problem, curves=unit)) - float(np.log(size))
        first = max(-log_start, float(log_length - np.log(STEP_CAP))) / depth
        return min(own, first), system
    if log_length - depth * own < LOG_LINEAR:
        return float(log_length - LOG_LINEAR) / depth, system
    return own, system


def _rests(curves: ScalarCurves) -> bool:
    """Whether rho(0) = 0; locked coordinates have t0 = 0 and rho(0) != 0."""
    return not (curves.t0.any() or curves.locked.any())


def _log_start_size(problem: PotentialProblem) -> float:
    """Log of max_i sum_j |Z_ij rho_j| at the start; -inf if all rest."""
    rho = problem.curves.rho(problem.curves.t0)
    with np.errstate(over="ignore", divide="ignore"):
        return float(np.log(problem.features.absolute(rho).max(initial=0.0)))


def rescale(
    problem: PotentialProblem, state: PotentialState, log_scale_change: float
) -> tuple[PotentialProblem, PotentialState]:
    """Carry a solution to a scale exp(log_scale_change) times as large.

    Raises
    ------
    PathError
        The path to that scale could not be followed.
    """
    if problem.log_excess > 0.0 or not problem.target.any():
        kept = problem.log_excess + log_scale_change
        if kept >= 0.0 or not problem.target.any():
            return replace(problem, log_excess=kept), state
        problem, log_scale_change = replace(problem, log_excess=0.0), kept
    if log_scale_change < 0.0:
        reached = descend(problem, state, log_scale_change)
        arrived = _the_rest(problem, reached, log_scale_change)
        if arrived is not None:
            return arrived
    return _along_scale(problem, state, log_scale_change)


def _by_bent_steps(
    problem: PotentialProblem, system: NewtonSystem, log_scale_change: float
) -> tuple[PotentialProblem, PotentialState] | None:
    """The solution at a smaller scale than the first one, its system given; None without."""
    reached = from_least_squares(problem, system, log_scale_change)
    return None if reached is None else _the_rest(problem, reached, log_scale_change)


def _the_rest(
    problem: PotentialProblem, reached: tuple[float, PotentialState], log_scale_change: float
) -> tuple[PotentialProblem, PotentialState] | None:
    """On from where bent steps led; None where they led nowhere, or into a dead end."""
    change, state = reached
    if change == 0.0:
        return None
    there = problem.shifted(change)
    if change == log_scale_change:
        return there, state
    try:
        return _along_scale(there, state, log_scale_change - change)
    except PathError:
        return None


def _along_scale(
    problem: PotentialProblem, state: PotentialState, log_scale_change: float
) -> tuple[PotentialProblem, PotentialState]:
    path = _Path(problem.target, problem.target, log_scale_change)
    return problem.shifted(log_scale_change), follow(problem, path, state)
