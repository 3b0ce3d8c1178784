"""The loop around classification's integrators: step, tell the time, save, stop where it should."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from implicitbias._arrays import EPS, FloatArray
from implicitbias._errors import Outcome
from implicitbias.flow._budget import STUCK_LOSS, STUCK_STEPS, STUCK_TIME, Budget, Callback, End
from implicitbias.flow._result import FlowState
from implicitbias.flow._stability import ErrorGrowth
from implicitbias.flow.classification._record import MarginRecord, SavedPoint
from implicitbias.flow.classification._step import Step, Waypoint
from implicitbias.flow.classification._stepper import Stepper
from implicitbias.flow.classification._system import MarginPoint, MarginSystem
from implicitbias.flow.classification._target import Target
from implicitbias.flow.integrators._landing import first_part

REST_FALL = 1e-10  # of log loss over a doubling of the time: then ask whether the flow is at rest
RESOLVED = 0.05  # noise of a margin above which the integrator loses the softmax
ROUNDINGS = 16.0  # of the terms of a margin


@dataclass(eq=False)
class Run:
    """One integration, as it stands.

    Attributes
    ----------
    state, point, log_time
        Where it is.
    end
        Why it ended, or None while it runs.
    """

    state: FloatArray
    point: MarginPoint
    log_time: float = -np.inf
    drift: float = 0.0
    num_steps: int = 0
    num_evaluations: int = 0
    end: End | None = None
    rest_time: float = field(default=-np.inf, repr=False)
    rest_loss: float = field(default=np.inf, repr=False)
    growth: float = field(default=0.0, repr=False)  # exponent of the errors
    passed: list[tuple[float, float]] = field(default_factory=list, repr=False)  # log t, log loss
    mark: tuple[float, ...] = field(default=(0, -np.inf, -np.inf, np.inf), repr=False)


@dataclass
class Stop:
    """A margin on a flow's way, and the run that ends there, if the flow comes by.

    Only of systems whose errors do not grow: that is not measured at the stop.
    """

    log_margin: float
    run: Run | None = None
    record: MarginRecord | None = None

    def passed(
        self, system: MarginSystem, step: Step, run: Run, budget: Budget, record: MarginRecord
    ) -> None:
        """Take the part of a step that leads there, if it is the first, and leave the run alone."""
        if self.run is None and step.end[1].log_margin >= self.log_margin:
            self.run, self.record = replace(run, passed=list(run.passed)), record.copy()
            _advance(system, step, self.run, Target(self.log_margin), budget, self.record)


@np.errstate(under="ignore")
def follow(
    system: MarginSystem,
    target: Target,
    budget: Budget,
    record: MarginRecord,
    callback: Callback | None,
    stops: Sequence[Stop] = (),
) -> Run:
    """Integrate until the margin, a rule, the budget or the callback ends it.

    Parameters
    ----------
    system
        The flow in its variables.
    target
        Where to stop, exactly there.
    budget
        Largest time and number of steps.
    record
        Receives every accepted step; its end is left to the caller.
    callback
        Called with a ``FlowState`` after every step.
    stops
        Margins above the start's; filled on the way.
    """
    point = system.look(system.start)
    run = Run(system.start, point)
    record.add(saved(system, run.state, point, -np.inf, record.layered))
    if target.passed(point) >= 0.0:
        run.end = target.end(point, ", at the start")
    elif not system.velocity(system.start).any():
        run.end = _rest(system, run)
    stepper, growth, sigma = Stepper(system), ErrorGrowth(system), 0.0
    while run.end is None:
        failure = stepper.step(run.state)
        run.num_steps, run.num_evaluations = run.num_steps + 1, stepper.num_evaluations
        if failure is not None:
            run.end = End(
                Outcome.FAILED,
                f"{system.method} gave up at margin {run.point.margin:.3g}: {failure}",
            )
            break
        taken = Step(system, stepper.solver, run.point, run.log_time)
        for stop in stops:
            stop.passed(system, taken, run, budget, record)
        _advance(system, taken, run, target, budget, record)
        stepper.num_evaluations += taken.clock.spent  # a rough clock costs more than its step
        sigma += float(stepper.solver.t - stepper.solver.t_old)
        growth.note(run.state, sigma, now=run.end is not None)
        run.growth = growth.exponent
        run.end = run.end or _rules(system, run, budget, callback)
    return run


def saved(
    system: MarginSystem,
    state: FloatArray,
    point: MarginPoint,
    log_time: float,
    layered: bool,
) -> SavedPoint:
    """What the record keeps of a state."""
    shape, smallest = system.shape_of(state), float(point.margins.min())
    layers = system.parameters(state) if layered else None
    return SavedPoint(shape, point.log_size, smallest, log_time, point.log_loss, layers)


def flow_state(point: MarginPoint, log_time: float, steps: int) -> FlowState:
    """What a callback sees."""
    with np.errstate(over="ignore"):
        time = float(np.exp(log_time))
    return FlowState(time, log_time, point.log_loss, np.nan, steps, point.margin, point.log_margin)


def _advance(
    system: MarginSystem,
    step: Step,
    run: Run,
    target: Target,
    budget: Budget,
    record: MarginRecord,
) -> None:
    """Take the step, or the part of it that leads to the end, and save its way."""
    way = _accept(system, step, run, target, budget)
    for log_time in record.before(run.log_time):
        state, point = step.at(step.part_at(log_time))
        record.add(saved(system, state, point, log_time, record.layered))
    for state, point, log_time in way:
        run.passed.append((log_time, point.log_loss))
        if record.due():
            record.add(saved(system, state, point, log_time, record.layered))


def _accept(
    system: MarginSystem, step: Step, run: Run, target: Target, budget: Budget
) -> list[Waypoint]:
    """Take the step, or the part of it up to the margin or the time to stop at; return its way."""
    part, log_limit = 1.0, np.inf if budget.max_time is None else float(np.log(budget.max_time))
    if target.passed(step.end[1]) >= 0.0:
        part = first_part(lambda x: target.passed(step.at(x)[1]))
        run.end = target.end(step.at(part)[1])
    way = step.way(part)
    if way[-1][2] >= log_limit:
        part = min(part, step.part_at(log_limit))
        way, margin = step.way(part), step.at(part)[1].margin
        way[-1] = (*way[-1][:2], log_limit)
        run.end = End(Outcome.TIME_REACHED, f"t = {budget.max_time:g} at margin {margin:.4g}.")
    run.state, run.point, run.log_time = way[-1]
    run.drift = max(run.drift, system.drift(run.state))
    return way


def _rules(system: MarginSystem, run: Run, budget: Budget, callback: Callback | None) -> End | None:
    """Why the flow ends at this step, if it does."""
    if callback is not None and callback(flow_state(run.point, run.log_time, run.num_steps)):
        return End(Outcome.STOPPED_BY_CALLBACK, f"stopped after {run.num_steps} steps.")
    if _noise(system, run.point) > RESOLVED:
        return End(
            Outcome.PRECISION_REACHED,
            f"at margin {run.point.margin:.3g} float64, or the tolerance {system.margin_tol:.1e}, "
            "no longer resolves the differences of margins that weigh the points.",
        )
    if run.log_time >= run.rest_time + np.log(2.0):
        if run.rest_loss - run.point.log_loss < REST_FALL:
            end = _rest(system, run)
            if end is not None:
                return end
        run.rest_time, run.rest_loss = run.log_time, run.point.log_loss
    if _stuck(run):
        return End(
            Outcome.PRECISION_REACHED,
            f"neither time, beta nor the loss has moved in {STUCK_STEPS} steps at margin "
            f"{run.point.margin:.3g}: the integrator lost the flow to rounding.",
        )
    spent = budget.spent(run.num_steps, run.num_evaluations, system.most_evaluations)
    if spent is not None:
        return End(
            Outcome.STEP_LIMIT,
            f"{spent} at margin {run.point.margin:.3g}: not the end. A larger max_steps goes on, a "
            "smaller until_margin asks for less; nearly equal points of opposite label take long. "
            "predict_limit, where it applies, needs no time.",
        )
    return None


def _stuck(run: Run) -> bool:
    """Whether rounding has kept the integrator to steps that lead nowhere."""
    steps, *before = run.mark
    if run.num_steps - steps <= STUCK_STEPS:
        return False
    now = run.log_time, run.point.log_size, run.point.log_loss
    run.mark = (run.num_steps, *now)
    later, grown, risen = (float(one - old) for one, old in zip(now, before, strict=True))
    fell = -risen > STUCK_LOSS * max(1.0, abs(now[-1]))
    return not (later > STUCK_TIME or abs(grown) > STUCK_TIME or fell)


def _noise(system: MarginSystem, point: MarginPoint) -> float:
    """What the tolerance and rounding leave uncertain of the smallest margin."""
    with np.errstate(over="ignore", invalid="ignore"):
        size = float(np.exp(point.log_size))
        return system.margin_tol * max(point.margin, 0.0) + ROUNDINGS * EPS * size * point.terms


def _rest(system: MarginSystem, run: Run) -> End | None:
    rest = system.rest(run.state, run.point, run.log_time)
    if rest is None:
        return None
    return End(rest.outcome, f"{rest.how}; loss exp({run.point.log_loss:.4g}).")
