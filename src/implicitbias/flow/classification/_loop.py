"""The loop around classification's integrators: step, tell the time, save, stop where it should."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import exp

import numpy as np
from scipy.integrate import DenseOutput, OdeSolver
from scipy.optimize import brentq

from implicitbias._arrays import EPS, FloatArray
from implicitbias._errors import Outcome
from implicitbias.flow._budget import STUCK_LOSS, STUCK_STEPS, STUCK_TIME, Budget, Callback, End
from implicitbias.flow._result import FlowState
from implicitbias.flow._stability import ErrorGrowth
from implicitbias.flow.classification._record import MarginRecord, SavedPoint
from implicitbias.flow.classification._stepper import Stepper
from implicitbias.flow.classification._system import MarginPoint, MarginSystem
from implicitbias.flow.classification._time import log_elapsed
from implicitbias.flow.integrators._radau import LowRankRadau

REST_FALL = 1e-10  # of log loss over a doubling of the time: then ask whether the flow is at rest
RESOLVED = 0.05  # noise of a margin above which the integrator loses the softmax
ROUNDINGS = 16.0  # of the terms of a margin
LOWEST = -1e4  # stands for the logarithm of a number that is not positive
SMALLEST_PART = -600.0  # log of the least part of a step
ROUND_UP = (0.0, *(10.0**-k for k in range(15, 0, -1)))  # tried in turn, to be there and not before
EVEN = 0.02  # change of log(dt/dsigma) over a step below which it is taken to be linear
PIECE = 0.03  # of the log of a margin above 1, over which log(dt/dsigma) is a parabola
LONG = 8  # such pieces, at least, in a step of a method of high order

Waypoint = tuple[FloatArray, MarginPoint, float]  # state, point and log t


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
        self, system: MarginSystem, step: _Step, run: Run, budget: Budget, record: MarginRecord
    ) -> None:
        """Take the part of a step that leads there, if it is the first, and leave the run alone."""
        if self.run is None and step.end[1].log_margin >= self.log_margin:
            self.run, self.record = replace(run, passed=list(run.passed)), record.copy()
            _advance(system, step, self.run, self.log_margin, budget, self.record)


@np.errstate(under="ignore")
def follow(
    system: MarginSystem,
    log_target: float,
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
    log_target
        Log of the margin to stop at, exactly there.
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
    record.add(saved(system, run.state, point, -np.inf))
    if point.log_margin >= log_target:
        run.end = End(Outcome.MARGIN_REACHED, "the margin was there at the start.")
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
        taken = _Step(system, stepper.solver, run)
        for stop in stops:
            stop.passed(system, taken, run, budget, record)
        _advance(system, taken, run, log_target, budget, record)
        sigma += float(stepper.solver.t - stepper.solver.t_old)
        growth.note(run.state, sigma, now=run.end is not None)
        run.growth = growth.exponent
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


def _advance(
    system: MarginSystem,
    step: _Step,
    run: Run,
    log_target: float,
    budget: Budget,
    record: MarginRecord,
) -> None:
    """Take the step, or the part of it that leads to the end, and save its way."""
    for state, point, log_time in _accept(system, step, run, log_target, budget):
        run.passed.append((log_time, point.log_loss))
        if record.due():
            record.add(saved(system, state, point, log_time))


def _accept(
    system: MarginSystem, step: _Step, run: Run, log_target: float, budget: Budget
) -> list[Waypoint]:
    """Take the step, or the part of it up to the margin or the time to stop at; return its way."""
    part, log_limit = 1.0, np.inf if budget.max_time is None else float(np.log(budget.max_time))
    if step.end[1].log_margin >= log_target:
        part = _zero(lambda x: step.at(x)[1].log_margin - log_target)
        run.end = End(Outcome.MARGIN_REACHED, f"margin {step.at(part)[1].margin:.4g}.")
    way = step.way(part)
    if way[-1][2] >= log_limit:
        part = part * min(1.0, _zero(lambda x: step.way(part * x)[-1][2] - log_limit))
        way, margin = step.way(part), step.at(part)[1].margin
        way[-1] = (*way[-1][:2], log_limit)
        run.end = End(Outcome.TIME_REACHED, f"t = {budget.max_time:g} at margin {margin:.4g}.")
    run.state, run.point, run.log_time = way[-1]
    run.drift = max(run.drift, system.drift(run.state))
    return way


class _Step:
    """The solver's last step, seen at any part of it."""

    def __init__(self, system: MarginSystem, solver: OdeSolver, run: Run) -> None:
        self.system, self.solver = system, solver
        self.before, self.log_time_before = run.point, run.log_time
        self.length = float(solver.t - solver.t_old)
        self.end = solver.y, system.look(solver.y)
        self.least = LONG if isinstance(solver, LowRankRadau) else 1

    def at(self, part: float) -> tuple[FloatArray, MarginPoint]:
        """State and point."""
        if part >= 1.0:
            return self.end
        state = self.dense(self.solver.t_old + part * self.length)
        return state, self.system.look(state)

    @cached_property
    def dense(self) -> DenseOutput:
        """The solver's polynomial."""
        return self.solver.dense_output()

    def way(self, part: float) -> list[Waypoint]:
        """Points on the way there, and the end: pieces in which the margin grows only so much."""
        last = self.at(part)
        growth = last[1].log_margin - max(self.before.log_margin, 0.0)
        pieces = max(int(np.ceil(growth / PIECE)) if 0.0 < growth < np.inf else 1, self.least)
        if pieces == 1:
            return [(*last, self._log_time(part, last[1]))]
        parts = part * np.arange(1, 2 * pieces) / (2 * pieces)
        states = self.dense(self.solver.t_old + parts * self.length).T
        points, way = self.system.looks(states), []
        ends = [*zip(states[1::2], points[1::2], strict=True), last]
        before, log_time, length = self.before, self.log_time_before, part / pieces * self.length
        for middle, (state, point) in zip(points[::2], ends, strict=True):
            speeds = before.log_speed, middle.log_speed, point.log_speed
            log_time = float(np.logaddexp(log_time, log_elapsed(length, *speeds)))
            way.append((state, point, log_time))
            before = point
        return way

    def _log_time(self, part: float, end: MarginPoint) -> float:
        """log t at the end of a short step."""
        first, last = self.before.log_speed, end.log_speed
        middle = 0.5 * (first + last)
        if abs(last - first) > EVEN:
            middle = self.at(0.5 * part)[1].log_speed
        gained = log_elapsed(part * self.length, first, middle, last)
        return float(np.logaddexp(self.log_time_before, gained))


def _zero(left: Callable[[float], float]) -> float:
    """The part of a step from which on an increasing function is >= 0; infinity where beyond."""

    def held(log_part: float) -> float:
        return max(left(exp(log_part)), LOWEST)

    if held(0.0) < 0.0:
        return float("inf")
    if held(SMALLEST_PART) >= 0.0:
        return exp(SMALLEST_PART)
    zero = float(brentq(held, SMALLEST_PART, 0.0, xtol=1e-14))
    parts = (min(zero + more, 0.0) for more in ROUND_UP)
    return exp(next((part for part in parts if held(part) >= 0.0), 0.0))


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
