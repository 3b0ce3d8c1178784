"""gradient_flow for regression: which route is taken, and what its flow reports."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from implicitbias._errors import InvalidInputError, Outcome
from implicitbias._setting import Setting
from implicitbias.flow._arguments import Request, refuse_loss_above
from implicitbias.flow._budget import Budget, with_drift
from implicitbias.flow._result import Flow
from implicitbias.flow._stability import VISIBLE, Way, reproduced
from implicitbias.flow.regression._carried_dual import dual_flow
from implicitbias.flow.regression._fourier import (
    FASTER_FROM,
    FourierFlow,
    has_fourier_coordinates,
    require_fourier_coordinates,
)
from implicitbias.flow.regression._loop import Trajectory, integrate
from implicitbias.flow.regression._loss import squared_loss
from implicitbias.flow.regression._parameters import ParameterFlow
from implicitbias.flow.regression._rules import RegressionRules
from implicitbias.flow.regression._system import FlowSystem
from implicitbias.initialization import Initialization
from implicitbias.problems import Regression

FOLLOWED = (Outcome.RESIDUAL_REACHED, Outcome.LOSS_REACHED, Outcome.TIME_REACHED)
SETTLED = (Outcome.RESIDUAL_REACHED, Outcome.STATIONARY, Outcome.PRECISION_REACHED)


def regression_flow(setting: Setting, problem: Regression, request: Request) -> Flow:
    """Run the route asked for; "auto" runs the parameters where the dual does not reach the end."""
    network, init = setting.network, setting.init
    start, route, tol = init.rounded(), request.route, request.rtol
    coefficients = network.coefficients(start)
    if not np.isfinite(coefficients).all():
        raise InvalidInputError(
            f"the initialization's coefficients do not fit float64 at log_scale "
            f"{init.log_scale:g}. Predictions accept such scales, simulations do not."
        )
    loss = squared_loss(problem, coefficients)
    if route == "fourier":
        require_fourier_coordinates(network)
        return run(FourierFlow(network, loss, init.parameters(), tol), request)
    if route != "parameters":
        coordinates = setting.decoupled(loss.X)
        if coordinates.reduces:
            along = request.asks_for_the_way
            finest = min(request.goal.until_residual, request.goal.until_change)
            system = dual_flow(loss, init, coordinates, start, tol, along, finest)
            flow = run(system, request)
            stopped_short = flow.outcome in (Outcome.PRECISION_REACHED, Outcome.FAILED)
            settled = not stopped_short or flow.remaining_change <= request.goal.until_change
            if route == "dual" or settled or not _held(init):
                return flow
        elif route == "dual":
            raise InvalidInputError(
                f"route='dual' needs a network with real decoupled coordinates: "
                f"{coordinates.why_not}. Use route='parameters', which takes every network."
            )
        elif has_fourier_coordinates(network) and network.num_features >= FASTER_FROM:
            return run(FourierFlow(network, loss, init.parameters(), tol), request)
    return run(ParameterFlow(network, loss, init.parameters(), tol), request)


def _held(init: Initialization) -> bool:
    """Whether float64 holds the layers of the start."""
    try:
        init.parameters()
    except InvalidInputError:
        return False
    return True


def run(system: FlowSystem, request: Request) -> Flow:
    """Follow one system until it is done: see ``gradient_flow``."""
    began, budget = time.perf_counter(), request.budget
    refuse_loss_above(request.goal.log_loss, system.read(system.start).log_loss)
    rules = RegressionRules(request.goal, system.coefficients(system.start))
    trajectory = integrate(system, rules, budget, request.callback)
    if trajectory.end.outcome not in SETTLED:
        rules.measure(system, trajectory.state, trajectory.reading)
    if trajectory.growth > VISIBLE and trajectory.end.outcome in FOLLOWED:
        trajectory = _reproduced(system, rules, budget, trajectory)
    flow = _flow(system, trajectory, rules.remaining, time.perf_counter() - began)
    if budget.times is not None:  # as they were given, not as their logarithms round
        passed = budget.times[: max(flow.times.size - 2, 0)]  # at rest from the start: none
        flow.times[1:-1], flow.log_times[1:-1] = passed, np.log(passed)
    if flow.outcome is Outcome.TIME_REACHED and budget.max_time is not None:
        flow.times[-1], flow.log_times[-1] = budget.max_time, np.log(budget.max_time)
    return flow


def _reproduced(
    system: FlowSystem, rules: RegressionRules, budget: Budget, trajectory: Trajectory
) -> Trajectory:
    """The trajectory, its end doubted where smaller steps lead elsewhere."""
    rules, unit = RegressionRules(rules.goal, rules.start), system.log_time_unit
    log_times = np.log(trajectory.step_times) + unit
    first = Way(trajectory.end, trajectory.coefficients[-1], log_times, trajectory.step_losses)
    with np.errstate(over="ignore"):
        times = np.exp(np.hstack([log_times - first.windows(), log_times + first.windows()]))
    times = np.unique(times[np.isfinite(times) & (times > 0.0)])
    other = integrate(system.finer(), rules, replace(budget, times=times), None)
    log_times, log_losses = np.log(other.times[1:]) + unit, other.log_losses[1:]
    again = Way(other.end, other.coefficients[-1], log_times, log_losses)
    return replace(trajectory, end=reproduced(first, again, trajectory.growth))


def _flow(system: FlowSystem, trajectory: Trajectory, remaining: float, seconds: float) -> Flow:
    with np.errstate(divide="ignore", over="ignore"):
        log_times = np.log(trajectory.times) + system.log_time_unit
        times = np.exp(log_times) if system.log_time_unit else trajectory.times
    end = with_drift(trajectory.end, trajectory.drift)
    return Flow(
        coefficients=trajectory.coefficients,
        final_parameters=system.parameters(trajectory.state),
        times=times,
        log_times=log_times,
        log_losses=trajectory.log_losses,
        residual=trajectory.reading.residual,
        remaining_change=remaining,
        drift=trajectory.drift,
        outcome=end.outcome,
        message=end.message,
        route=system.route,
        method=system.method,
        num_steps=trajectory.num_steps,
        num_evaluations=trajectory.num_evaluations,
        seconds=seconds,
        rtol=system.rtol,
        parameters=trajectory.parameters,
    )
