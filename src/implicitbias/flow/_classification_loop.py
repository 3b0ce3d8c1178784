"""The loop around LSODA for classification: step, tell the time, save, and stop in the right place."""

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
from implicitbias.flow._integrate import Budget, Callback, finite
from implicitbias.flow._margin_record import MarginRecord, SavedPoint
from implicitbias.flow._margin_time import LogTime
from implicitbias.flow._result import FlowState
from implicitbias.flow._rules import End

REST_FALL = 1e-10  # of log loss over a doubling of the time: then ask whether the flow is at rest
RESOLVED = 0.05  # noise of a margin above which the integrator loses the softmax
ROUNDINGS = 1000.0  # of the smallest margin: its terms are larger and many
EPS = float(np.finfo(np.float64).eps)
LOWEST = -1e4  # stands for the log margin of a margin that is not positive


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
    """Integrate from the system's start until the margin, a rule, the budget or the callback ends it.

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
    solver = None if run.end else _solver(system)
    while run.end is None:
        failure = _step(solver)
        run.num_steps, run.num_evaluations = run.num_steps + 1, solver.nfev
        if failure is not None:
            run.end = End(Outcome.FAILED, f"LSODA gave up at margin {run.point.margin:.3g}: {failure}")
            break
        _accept(system, solver, run, log_target, budget)
        record.add(saved(system, run.state, run.point, run.time.value))
        run.end = run.end or _rules(system, run, budget, callback)
    return run


def saved(system: MarginSystem, state: FloatArray, point: MarginPoint, log_time: float) -> SavedPoint:
    """What the record keeps of a state."""
    smallest = float(point.margins.min())
    return SavedPoint(system.shape_of(state), point.log_size, smallest, log_time, point.log_loss)


def flow_state(point: MarginPoint, log_time: float, steps: int) -> FlowState:
    """What a callback sees."""
    with np.errstate(over="ignore"):
        time = float(np.exp(log_time))
    return FlowState(time, log_time, point.log_loss, np.nan, steps, point.margin, point.log_margin)


def _solver(system: MarginSystem) -> LSODA:
    return LSODA(
        lambda _, state: finite(system.velocity(state)),
        0.0,
        system.start,
        np.inf,
        jac=lambda _, state: finite(system.jacobian(state)),
        rtol=system.rtol,
        atol=system.atol,
    )


def _step(solver: LSODA) -> str | None:
    """One step; the integrator's complaint if it fails."""
    with warnings.catch_warnings(record=True) as caught, np.errstate(over="ignore", invalid="ignore"):
        warnings.simplefilter("always")
        message = solver.step()
    if solver.status != "failed":
        return None
    return " ".join(str(warning.message) for warning in caught) or str(message)


def _accept(
    system: MarginSystem, solver: LSODA, run: Run, log_target: float, budget: Budget
) -> None:
    """Take the step, or the part of it up to the margin or the time to stop at."""
    begin, step = float(solver.t_old), float(solver.t - solver.t_old)
    state, point = solver.y, system.look(solver.y)
    part, end = 1.0, None
    if point.log_margin >= log_target:
        part = _part_until(lambda x: system.look(x).log_margin, log_target, solver, run, point)
        end = End(Outcome.MARGIN_REACHED, f"margin {np.exp(min(log_target, 709.0)):.4g}.")
    if budget.max_time is not None:
        log_limit = float(np.log(budget.max_time))
        if run.time.after(step, point.log_speed, part) >= log_limit:
            part = run.time.part_until(log_limit, step, point.log_speed)
            end = End(Outcome.TIME_REACHED, f"max_time = {budget.max_time:.4g}.")
    if end is not None:
        log_time = run.time.after(step, point.log_speed, part)
        state = solver.dense_output()(begin + part * step)
        point, run.time.value = system.look(state), log_time
    else:
        run.time.advance(step, point.log_speed)
    run.state, run.point, run.end = state, point, end
    run.drift = max(run.drift, system.drift(state))


def _part_until(
    value: Callable[[FloatArray], float], target: float, solver: LSODA, run: Run, point: MarginPoint
) -> float:
    """The part of the step after which ``value`` reaches ``target``."""
    dense, begin, step = solver.dense_output(), solver.t_old, solver.t - solver.t_old
    if max(run.point.log_margin, LOWEST) >= target or point.log_margin == target:
        return 1.0
    return float(
        brentq(
            lambda part: max(value(dense(begin + part * step)), LOWEST) - target if part < 1.0
            else point.log_margin - target,
            0.0,
            1.0,
            xtol=1e-14,
        )
    )


def _rules(
    system: MarginSystem, run: Run, budget: Budget, callback: Callback | None
) -> End | None:
    """Why the flow ends at this step, if it does."""
    if callback is not None and callback(flow_state(run.point, run.time.value, run.num_steps)):
        return End(Outcome.STOPPED_BY_CALLBACK, f"stopped after {run.num_steps} steps.")
    if (system.rtol + ROUNDINGS * EPS) * max(run.point.margin, 0.0) > RESOLVED:
        return End(
            Outcome.PRECISION_REACHED,
            f"at margin {run.point.margin:.3g} float64, or the tolerance {system.rtol:.1e}, no "
            "longer resolves the differences of margins that weigh the points against each other.",
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


def _rest(system: MarginSystem, run: Run) -> End | None:
    rest = system.rest(run.state, run.point)
    if rest is None:
        return None
    return End(rest.outcome, f"{rest.how}; loss exp({run.point.log_loss:.4g}).")
