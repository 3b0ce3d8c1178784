"""The loop around LSODA for classification: step, tell the time, save, stop where it should."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.integrate import LSODA
from scipy.optimize import brentq

from implicitbias._arrays import FloatArray
from implicitbias._errors import Outcome
from implicitbias.flow._classification_system import MarginPoint, MarginSystem
from implicitbias.flow._integrate import Budget, Callback
from implicitbias.flow._margin_record import MarginRecord, SavedPoint
from implicitbias.flow._margin_time import LogTime
from implicitbias.flow._result import FlowState
from implicitbias.flow._rules import End

REST_FALL = 1e-10  # of log loss over a doubling of the time: then ask whether the flow is at rest
RESOLVED = 0.05  # noise of a margin above which the integrator loses the softmax
ROUNDINGS = 16.0  # of the terms of a margin
EPS = float(np.finfo(np.float64).eps)
LOWEST = -1e4  # stands for the logarithm of a number that is not positive
SMALLEST_PART = 1e-12  # of a step
PIECE = 0.2  # of log margin, within which the chord of log(dt/dsigma) tells the time
FADING = 1e-11  # a step this much shorter than sigma: count sigma from here
HUGE = 1e200


@dataclass
class Run:
    """One integration, as it stands.

    Attributes
    ----------
    state, point
        Where it is.
    end
        Why it ended, or None while it runs.
    """

    state: FloatArray
    point: MarginPoint
    time: LogTime
    drift: float = 0.0
    num_steps: int = 0
    num_evaluations: int = 0
    end: End | None = None
    rest_time: float = field(default=-np.inf, repr=False)
    rest_loss: float = field(default=np.inf, repr=False)


def follow(
    system: MarginSystem,
    log_target: float,
    budget: Budget,
    record: MarginRecord,
    callback: Callback | None,
) -> Run:
    """Integrate until the margin, a rule, the budget or the callback ends it.

    Parameters
    ----------
    system
        The flow in its variables.
    log_target
        Log of the margin to stop at, exactly there.
    budget
        Largest time and number of steps.
    record
        Receives every accepted step; its end is left to the caller.
    callback
        Called with a ``FlowState`` after every step.
    """
    point = system.look(system.start)
    run = Run(system.start, point, LogTime(point.log_speed))
    record.add(saved(system, run.state, point, -np.inf))
    if point.log_margin >= log_target:
        run.end = End(Outcome.MARGIN_REACHED, "the margin was there at the start.")
    elif not system.velocity(system.start).any():
        run.end = _rest(system, run)
    solver = _solver(system, run.state)
    while run.end is None:
        if solver.t_old is not None and solver.t - solver.t_old <= FADING * solver.t:
            solver = _solver(system, run.state)
        evaluations, failure = solver.nfev, _step(solver)
        run.num_steps += 1
        run.num_evaluations += solver.nfev - evaluations
        if failure is not None:
            run.end = End(
                Outcome.FAILED, f"LSODA gave up at margin {run.point.margin:.3g}: {failure}"
            )
            break
        _accept(system, solver, run, log_target, budget)
        record.add(saved(system, run.state, run.point, run.time.value))
        run.end = run.end or _rules(system, run, budget, callback)
    return run


def saved(
    system: MarginSystem, state: FloatArray, point: MarginPoint, log_time: float
) -> SavedPoint:
    """What the record keeps of a state."""
    smallest = float(point.margins.min())
    return SavedPoint(system.shape_of(state), point.log_size, smallest, log_time, point.log_loss)


def flow_state(point: MarginPoint, log_time: float, steps: int) -> FlowState:
    """What a callback sees."""
    with np.errstate(over="ignore"):
        time = float(np.exp(log_time))
    return FlowState(time, log_time, point.log_loss, np.nan, steps, point.margin, point.log_margin)


def _finite(array: FloatArray) -> FloatArray:
    """The array without NaN and infinities: LSODA rejects what is huge, and chokes on those."""
    if np.isfinite(array).all():
        return array
    return np.nan_to_num(array, nan=HUGE, posinf=HUGE, neginf=-HUGE)


def _solver(system: MarginSystem, state: FloatArray) -> LSODA:
    """LSODA at sigma = 0, which can be any state: the flow does not know its clock."""
    return LSODA(
        lambda _, state: _finite(system.velocity(state)),
        0.0,
        state,
        np.inf,
        jac=lambda _, state: _finite(system.jacobian(state)),
        rtol=system.rtol,
        atol=system.atol,
    )


def _step(solver: LSODA) -> str | None:
    """One step; the integrator's complaint if it fails."""
    with (
        warnings.catch_warnings(record=True) as caught,
        np.errstate(over="ignore", invalid="ignore"),
    ):
        warnings.simplefilter("always")
        message = solver.step()
    if solver.status != "failed":
        return "its step fell below rounding" if solver.t == solver.t_old else None
    return " ".join(str(warning.message) for warning in caught) or str(message)


def _accept(
    system: MarginSystem, solver: LSODA, run: Run, log_target: float, budget: Budget
) -> None:
    """Take the step, or the part of it up to the margin or the time to stop at."""
    step, before = float(solver.t - solver.t_old), run.point.log_margin
    run.state, run.point = solver.y, system.look(solver.y)
    log_time = run.time.after(step, run.point.log_speed)
    log_limit = np.inf if budget.max_time is None else float(np.log(budget.max_time))
    if run.point.log_margin < log_target and log_time < log_limit:
        _tell_time(system, solver, run, before, 1.0)
    else:
        _stop_within(system, solver, run, before, log_target, log_limit)
    run.drift = max(run.drift, system.drift(run.state))


def _stop_within(
    system: MarginSystem,
    solver: LSODA,
    run: Run,
    before: float,
    log_target: float,
    log_limit: float,
) -> None:
    """Go back to where, within the step, the margin or the time was reached first."""
    dense, begin, step = solver.dense_output(), solver.t_old, solver.t - solver.t_old

    def at(part: float) -> tuple[FloatArray, MarginPoint]:
        state = dense(begin + part * step) if part < 1.0 else solver.y
        return state, system.look(state)

    def margin_left(part: float) -> float:
        return max(at(part)[1].log_margin, LOWEST) - log_target

    def time_left(part: float) -> float:
        log_time = run.time.after(part * step, at(part)[1].log_speed)
        return max(log_time, LOWEST) - log_limit

    parts = [_zero(margin_left), _zero(time_left) if np.isfinite(log_limit) else np.inf]
    part = min(parts)
    run.state, run.point = at(part)
    _tell_time(system, solver, run, before, part)
    if parts[0] == part:
        run.end = End(Outcome.MARGIN_REACHED, f"margin {run.point.margin:.4g}.")
    else:
        limit = np.exp(log_limit)
        run.end = End(
            Outcome.TIME_REACHED, f"max_time = {limit:.4g} with margin {run.point.margin:.4g}."
        )


def _tell_time(system: MarginSystem, solver: LSODA, run: Run, before: float, part: float) -> None:
    """Advance the time to ``run.point``, in pieces over which the margin grows only so much."""
    length = part * (solver.t - solver.t_old)
    growth = run.point.log_margin - before
    pieces = int(np.ceil(growth / PIECE)) if PIECE < growth < np.inf else 1
    for piece in range(1, pieces):
        state = solver.dense_output()(solver.t_old + length * piece / pieces)
        run.time.advance(length / pieces, system.look(state).log_speed)
    run.time.advance(length / pieces, run.point.log_speed)


def _zero(left: Callable[[float], float]) -> float:
    """The part of a step at which an increasing function is 0; infinity where beyond it."""
    if left(1.0) < 0.0:
        return float("inf")
    if left(SMALLEST_PART) >= 0.0:
        return SMALLEST_PART
    return float(brentq(left, SMALLEST_PART, 1.0, xtol=1e-14))


def _rules(system: MarginSystem, run: Run, budget: Budget, callback: Callback | None) -> End | None:
    """Why the flow ends at this step, if it does."""
    if callback is not None and callback(flow_state(run.point, run.time.value, run.num_steps)):
        return End(Outcome.STOPPED_BY_CALLBACK, f"stopped after {run.num_steps} steps.")
    if _noise(system, run.point) > RESOLVED:
        return End(
            Outcome.PRECISION_REACHED,
            f"at margin {run.point.margin:.3g} float64, or the tolerance {system.margin_tol:.1e}, "
            "no longer resolves the differences of margins that weigh the points.",
        )
    if run.time.value >= run.rest_time + np.log(2.0):
        if run.rest_loss - run.point.log_loss < REST_FALL:
            end = _rest(system, run)
            if end is not None:
                return end
        run.rest_time, run.rest_loss = run.time.value, run.point.log_loss
    if run.num_steps >= budget.max_steps:
        return End(
            Outcome.STEP_LIMIT,
            f"max_steps = {budget.max_steps} used up at margin {run.point.margin:.3g}.",
        )
    return None


def _noise(system: MarginSystem, point: MarginPoint) -> float:
    """What the tolerance and rounding leave uncertain of the smallest margin."""
    with np.errstate(over="ignore", invalid="ignore"):
        size = float(np.exp(point.log_size))
        return system.margin_tol * max(point.margin, 0.0) + ROUNDINGS * EPS * size * point.terms


def _rest(system: MarginSystem, run: Run) -> End | None:
    rest = system.rest(run.state, run.point, run.time.value)
    if rest is None:
        return None
    return End(rest.outcome, f"{rest.how}; loss exp({run.point.log_loss:.4g}).")
