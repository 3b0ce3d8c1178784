"""The one loop around the integrators: step, save, ask the rules, tell the callback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from scipy.integrate import OdeSolver

from implicitbias._arrays import FloatArray, Parameters, stable_norm
from implicitbias._errors import Outcome
from implicitbias.flow._budget import Budget, Callback, End
from implicitbias.flow._result import FlowState, stacked
from implicitbias.flow._stability import ErrorGrowth
from implicitbias.flow.integrators._landing import landing
from implicitbias.flow.integrators._step import steps
from implicitbias.flow.regression._record import Recorder, TimesRecorder
from implicitbias.flow.regression._rules import RegressionRules
from implicitbias.flow.regression._system import FlowSystem, Reading

FIRST_POINT = 1e-2  # first saved time over the fastest time scale of the start
FIRST_STEP = 1e-3  # first step over the first saved time
FALLING, GROWING = 0.1, 3.0  # of log loss, or times the state's size: then the flow moves


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Saved points and the end of one integration, in the system's own time tau.

    ``parameters`` are Theta at the saved points where the budget asks for them.
    ``growth`` is the exponent by which errors may have grown, ``step_times`` and ``step_losses``
    are tau and the log of the loss at every look.
    """

    times: FloatArray
    coefficients: FloatArray
    log_losses: FloatArray
    state: FloatArray
    reading: Reading
    end: End
    drift: float
    num_steps: int
    num_evaluations: int
    growth: float
    step_times: FloatArray
    step_losses: FloatArray
    parameters: Parameters = ()


def integrate(
    system: FlowSystem,
    rules: RegressionRules,
    budget: Budget,
    callback: Callback | None,
) -> Trajectory:
    """Follow the flow from its start until a rule, the budget or the callback ends it."""
    state = system.start
    reading, points = system.read(state), [_snapshot(system, state, budget)]
    end = rules.check(system, state, reading, 0.0)
    first = FIRST_POINT * system.fastest_time(reading) if end is None else 1.0
    end = end or _beyond_float64(first)
    if end is not None:
        (arrays, layers), none, still = _unfolded(system, points), np.zeros(0), np.zeros(1)
        return Trajectory(still, *arrays, state, reading, end, 0.0, 0, 0, 0.0, none, none, layers)
    recorder = _recorder(system, budget, first)
    bound, wanted = _bound(system, budget), rules.goal.log_loss
    solver = system.integrator(min(FIRST_STEP * first, bound), bound)
    before = copy(solver)
    time, drift, growth = 0.0, 0.0, ErrorGrowth(system)
    passed, sizes = list[tuple[float, float]](), list[float]()
    for look in _looks(system, solver, recorder, budget, callback, every=wanted is not None):
        if look.taken:
            now, there = float(solver.t), solver.y
            after = system.read(there)
            end = rules.lost(system, state, reading, after)
            if end is not None:
                break
            if wanted is not None and after.log_loss <= wanted:
                now, there = landing(before, solver, _down_to(wanted, system))
                after = system.read(there)
            _save(solver, now, system, recorder, budget)
            state, reading, time = there, after, now
            system.accepted(state)
            passed.append((time, reading.log_loss))
            drift = max(drift, system.drift(state))
            growth.note(state, time)
            end = rules.check(system, state, reading, time, look.taken)
            sizes.append(stable_norm(state))
        if end is None and look.failure is not None:
            end = rules.gave_up(system, state, reading, look.failure)
        if end is None:
            end = _interruption(system, solver, reading, look, _moves(passed, sizes), budget)
        if end is not None:
            break
        if wanted is not None:
            before = copy(solver)
    times = np.array([0.0, *recorder.times, time])
    points += [*recorder.points, _snapshot(system, state, budget)]
    arrays, layers = _unfolded(system, points)
    growth.note(state, time, now=True)
    step_times, step_losses = np.array(passed).reshape(-1, 2).T
    return Trajectory(
        times,
        *arrays,
        state,
        reading,
        cast(End, end),
        drift,
        look.count,
        solver.nfev,
        growth.exponent,
        step_times,
        step_losses,
        layers,
    )


def _moves(passed: list[tuple[float, float]], sizes: list[float]) -> bool:
    """Whether the loss has fallen, or the state has grown, in the second half of the looks."""
    half = len(passed) // 2
    return passed[half][1] - passed[-1][1] > FALLING or sizes[-1] > GROWING * sizes[half]


@dataclass(frozen=True)
class _Look:
    """Where the loss is looked at: steps so far, since the last look; what stopped them."""

    count: int
    taken: int
    stopped: bool
    failure: str | None


def _looks(
    system: FlowSystem,
    solver: OdeSolver,
    recorder: Recorder,
    budget: Budget,
    callback: Callback | None,
    *,
    every: bool,
) -> Iterator[_Look]:
    """Step on for ever: a look at every step, or where a point is due and as often as needed."""
    count, most = 0, 1 if every else system.stride
    while True:
        due, taken, stopped, failure = recorder.next_due, 0, False, None
        if budget.max_steps is not None:
            most = min(most, budget.max_steps - count)
        while taken < most and solver.status == "running" and solver.t <= due and not stopped:
            some, failure = steps(solver, most - taken if callback is None else 1, due)
            taken += some
            if callback is not None and some:
                reading = system.read(solver.y)
                stopped = bool(callback(_flow_state(system, solver.t, reading, count + taken)))
        count += taken
        yield _Look(count + (failure is not None), taken, stopped, failure)


def _beyond_float64(first: float) -> End | None:
    if np.finfo(np.float64).tiny < FIRST_STEP * first < np.inf:
        return None
    return End(
        Outcome.PRECISION_REACHED,
        "the time scale of the start does not fit float64; predict_limit takes any scale.",
    )


def _recorder(system: FlowSystem, budget: Budget, first: float) -> Recorder:
    if budget.times is None:
        return Recorder(first, budget.num_points)
    with np.errstate(over="ignore"):
        return TimesRecorder(np.exp(np.log(budget.times) - system.log_time_unit))


def _bound(system: FlowSystem, budget: Budget) -> float:
    if budget.max_time is None:
        return np.inf
    with np.errstate(over="ignore"):
        return float(np.exp(np.log(budget.max_time) - system.log_time_unit))


def _snapshot(system: FlowSystem, state: FloatArray, budget: Budget) -> Any:
    """What is kept of a state."""
    layers = system.parameters(state) if budget.save_parameters else None
    return system.snapshot(state), layers


def _unfolded(
    system: FlowSystem, points: list[Any]
) -> tuple[tuple[FloatArray, FloatArray], Parameters]:
    """beta, (T, d), and logs of the losses, (T,), of what was kept, and Theta."""
    snapshots, layers = zip(*points, strict=True)
    return system.unfolded(list(snapshots)), stacked(list(layers))


def _save(
    solver: OdeSolver, now: float, system: FlowSystem, recorder: Recorder, budget: Budget
) -> None:
    dense = None
    for due in recorder.due(now):
        dense = dense or solver.dense_output()
        recorder.add(due, _snapshot(system, dense(due), budget))


def _down_to(log_loss: float, system: FlowSystem) -> Callable[[FloatArray], float]:
    """How far below this the loss of a state is."""
    return lambda state: log_loss - system.read(state).log_loss


def _interruption(
    system: FlowSystem,
    solver: OdeSolver,
    reading: Reading,
    look: _Look,
    moving: bool,
    budget: Budget,
) -> End | None:
    if look.stopped:
        return End(Outcome.STOPPED_BY_CALLBACK, f"stopped after {look.count} steps.")
    if solver.status == "finished":
        return End(
            Outcome.TIME_REACHED,
            f"max_time = {budget.max_time:.4g} with residual {reading.residual:.1e}.",
        )
    spent = budget.spent(look.count, solver.nfev, system.most_evaluations, moving)
    if spent is not None:
        return End(
            Outcome.STEP_LIMIT,
            f"{spent} with residual {reading.residual:.1e}: not the end. A larger max_steps goes "
            "on. Nearly equal rows, rows of different sizes and deep networks at small scales take "
            "long; "
            "predict_limit, where it applies, needs no time.",
        )
    return None


def _flow_state(system: FlowSystem, tau: float, reading: Reading, steps: int) -> FlowState:
    log_time = float(np.log(tau)) + system.log_time_unit
    with np.errstate(over="ignore"):
        time = float(np.exp(log_time)) if system.log_time_unit else tau
    return FlowState(time, log_time, reading.log_loss, reading.residual, steps)
