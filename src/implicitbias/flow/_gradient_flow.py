"""gradient_flow: train for ever, in continuous time."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, overload

import numpy as np

from implicitbias._arrays import positive_float, positive_int
from implicitbias._errors import InvalidInputError, Outcome
from implicitbias._threads import threads_for
from implicitbias.flow._activation_flow import ActivationMargins, ActivationRegression
from implicitbias.flow._activation_result import ActivationFlow, activation_flow
from implicitbias.flow._arguments import (
    LossName,
    Route,
    check_activation,
    check_callback,
    check_fit,
    check_log_margin,
    check_loss,
    check_route,
    check_times,
    check_tolerance,
)
from implicitbias.flow._classification import classification_flow, margin_flow
from implicitbias.flow._classification_loss import MarginLoss
from implicitbias.flow._coordinates import (
    FASTER_FROM,
    CoordinateFlow,
    has_fourier_coordinates,
    require_fourier_coordinates,
)
from implicitbias.flow._dual import DualFlow
from implicitbias.flow._integrate import Budget, Callback, Trajectory, integrate
from implicitbias.flow._parameters import ParameterFlow
from implicitbias.flow._reduction import dual_coordinates
from implicitbias.flow._result import Flow
from implicitbias.flow._rules import Goal, RegressionRules, with_drift
from implicitbias.flow._squared_loss import squared_loss
from implicitbias.flow._stability import VISIBLE, Way, reproduced
from implicitbias.flow._system import FlowSystem
from implicitbias.initialization import Initialization
from implicitbias.networks import Activation, AnyActivation, Network
from implicitbias.problems import Classification, Regression

FOLLOWED = (Outcome.RESIDUAL_REACHED, Outcome.TIME_REACHED)
SETTLED = (Outcome.RESIDUAL_REACHED, Outcome.STATIONARY, Outcome.PRECISION_REACHED)


@overload
def gradient_flow(
    network: Network,
    problem: Regression | Classification,
    init: Initialization,
    *,
    route: Route = ...,
    until_residual: float = ...,
    until_change: float = ...,
    until_margin: float = ...,
    until_log_margin: float | None = ...,
    loss: LossName = ...,
    activation: None = ...,
    max_time: float | None = ...,
    max_steps: int | None = ...,
    tol: float | None = ...,
    num_points: int = ...,
    times: Any = ...,
    callback: Callback | None = ...,
) -> Flow: ...


@overload
def gradient_flow(
    network: Network,
    problem: Regression | Classification,
    init: Initialization,
    *,
    route: Route = ...,
    until_residual: float = ...,
    until_change: float = ...,
    until_margin: float = ...,
    until_log_margin: float | None = ...,
    loss: LossName = ...,
    activation: AnyActivation,
    max_time: float | None = ...,
    max_steps: int | None = ...,
    tol: float | None = ...,
    num_points: int = ...,
    times: Any = ...,
    callback: Callback | None = ...,
) -> ActivationFlow: ...


def gradient_flow(
    network: Network,
    problem: Regression | Classification,
    init: Initialization,
    *,
    route: Route = "auto",
    until_residual: float = 1e-10,
    until_change: float = 1e-11,
    until_margin: float = 1e6,
    until_log_margin: float | None = None,
    loss: LossName = "exponential",
    activation: AnyActivation | None = None,
    max_time: float | None = None,
    max_steps: int | None = None,
    tol: float | None = None,
    num_points: int = 200,
    times: Any = None,
    callback: Callback | None = None,
) -> Flow | ActivationFlow:
    """Simulate dTheta/dt = -grad L(Theta) from Theta(0) until the data are fitted.

    Regression is followed to its end point, classification, where beta grows for ever, to a margin.

    Parameters
    ----------
    network, problem, init
        What is trained, on what, and from where.
    route
        "parameters" integrates the layers, for any network, knowing nothing of the theory. "dual"
        integrates the n-dimensional flow d nu/dt = y - X S^T psi(S X^T nu), the same trajectory at
        a cost that does not depend on the depth, where the network has decoupled coordinates in
        real clocks. "coordinates" integrates the spectra of full-length filters, whatever the
        data. "auto" takes the dual where it exists, then the coordinates where they
        are faster, then the parameters; the last also where the dual ends at the floor of float64
        (deep networks at small scales).
    until_residual
        Stop at ||X beta - y|| <= until_residual ||y|| (0/0 = 0; where y = 0 relative to the start)
    until_change
        ... and once beta has at most this part of |beta|_inf left to go, by a Newton step on the
        linearised flow: on ill-conditioned data a small residual alone promises little.
    until_margin, until_log_margin
        Classification: stop where min_i y_i x_i^T beta reaches this, exactly there; the natural
        logarithm, for margins beyond float64, decides if given. Both routes work in the loss
        clock and underflow at no loss. Past margins near 1e10 float64 no longer resolves the
        differences that weigh the points: "parameters" stops there, while from 1e8 on "dual"
        keeps the smallest margins equal and slides, which is off by a relative 1e-8 at most.
    loss
        Classification: sum_i exp(-y_i f_i), for which the theory is stated, or "logistic",
        sum_i log(1 + exp(-y_i f_i)), whose tail is the same.
    activation
        Train with phi in the hidden layers, for which no theory speaks: "relu", "leaky_relu" or
        "tanh", a pair (phi, its derivative), or an ``Activation``. By the parameters only, and the
        result is an ``ActivationFlow``, with predictions in the place of coefficients. Flows slide
        along kinks: those of the named ones are rounded over 1e-4 of the largest preactivation.
    max_time
        Stop at t = max_time.
    max_steps
        Stop after so many integration steps; by default after as many evaluations of the velocity
        as take seconds up to a hundred points, and up to four times as many while a regression's
        loss falls or its state grows.
    tol
        Relative tolerance of the integrator; by default what the route needs for 1e-9 in beta.
    num_points
        Save at most so many points, t = 0 and the end included, log-spaced in time.
    times
        Regression: save these increasing times instead, and stop at the last. A flow that comes to
        its end before saves its end after the times it passed.
    callback
        Called with a ``FlowState`` after every step; anything true stops the flow.

    Returns
    -------
    Flow or ActivationFlow
        ``outcome`` and ``message`` say why it ended: RESIDUAL_REACHED or MARGIN_REACHED;
        STATIONARY at a point with positive loss (dead or sign-locked coordinates); TIME_REACHED;
        STOPPED_BY_CALLBACK; STEP_LIMIT; PRECISION_REACHED where float64 resolves no more;
        UNSTABLE where the flow seems to end well, but conserved quantities were lost to rounding or
        the same flow with smaller steps goes elsewhere; FAILED.

    Raises
    ------
    InvalidInputError
        Arguments that do not fit together or are out of range; ``route="dual"`` for a network
        without real decoupled coordinates (the message names the assumption that fails).
    InfeasibleProblemError
        Classes that are proved not to be linearly separable; ``evidence`` is the proof.

    Notes
    -----
    Source: Yun, Krishnan and Mobahi, ICLR 2021, section 3, for the flow; the dual flow is derived
    from their Assumption 1.
    """
    check_fit(network, problem, init)
    check_route(route)
    check_callback(callback)
    check_loss(loss)
    log_target = check_log_margin(until_margin, until_log_margin)
    goal = Goal(
        positive_float(until_residual, "until_residual"),
        positive_float(until_change, "until_change"),
    )
    given_times = check_times(times, problem)
    if max_time is None and given_times is not None:
        max_time = float(given_times[-1])
    budget = Budget(
        None if max_time is None else positive_float(max_time, "max_time"),
        None if max_steps is None else positive_int(max_steps, "max_steps"),
        positive_int(num_points, "num_points", at_least=2),
        given_times,
    )
    tol = check_tolerance(tol)
    if activation is not None:
        phi = check_activation(activation, route)
        with threads_for(problem.X.size):
            return _with_activation(
                network, problem, init, phi, loss, goal, log_target, budget, tol, callback
            )
    with threads_for(problem.X.size):
        if isinstance(problem, Classification):
            return classification_flow(
                network,
                problem,
                init,
                route=route,
                log_target=log_target,
                budget=budget,
                loss=loss,
                tol=tol,
                callback=callback,
            )
        return _regression_flow(network, problem, init, route, goal, budget, tol, callback)


def _with_activation(
    network: Network,
    problem: Regression | Classification,
    init: Initialization,
    phi: Activation,
    loss: LossName,
    goal: Goal,
    log_target: float,
    budget: Budget,
    tol: float | None,
    callback: Callback | None,
) -> ActivationFlow:
    """Run the parameters of a network with an activation."""
    start = init.parameters()
    system: ActivationRegression | ActivationMargins
    if isinstance(problem, Regression):
        system = ActivationRegression(network, problem, phi, start, tol)
        flow = _run(system, goal, budget, callback)
    else:
        system = ActivationMargins(network, problem, phi, MarginLoss(loss), start, tol)
        flow = margin_flow(system, log_target, budget, callback)
    model = system.model
    return activation_flow(flow, model.activation, conserves=model.conserves)


def _regression_flow(
    network: Network,
    problem: Regression,
    init: Initialization,
    route: Route,
    goal: Goal,
    budget: Budget,
    tol: float | None,
    callback: Callback | None,
) -> Flow:
    """Run the route asked for; "auto" runs the parameters where the dual does not reach the end."""
    start = init.rounded()
    coefficients = network.coefficients(start)
    if not np.isfinite(coefficients).all():
        raise InvalidInputError(
            f"the initialization's coefficients do not fit float64 at log_scale "
            f"{init.log_scale:g}. Predictions accept such scales, simulations do not."
        )
    loss = squared_loss(problem, coefficients)
    if route == "coordinates":
        require_fourier_coordinates(network)
        return _run(CoordinateFlow(network, loss, init.parameters(), tol), goal, budget, callback)
    if route != "parameters":
        coordinates = dual_coordinates(network, loss.X, init)
        if coordinates.reduces:
            flow = _run(DualFlow(loss, init, coordinates, start, tol), goal, budget, callback)
            stopped_short = flow.outcome in (Outcome.PRECISION_REACHED, Outcome.FAILED)
            settled = not stopped_short or flow.remaining_change <= goal.until_change
            if route == "dual" or settled or not _held(init):
                return flow
        elif route == "dual":
            raise InvalidInputError(
                f"route='dual' needs a network with real decoupled coordinates: "
                f"{coordinates.why_not}. Use route='parameters', which takes every network."
            )
        elif has_fourier_coordinates(network) and network.num_features >= FASTER_FROM:
            system = CoordinateFlow(network, loss, init.parameters(), tol)
            return _run(system, goal, budget, callback)
    return _run(ParameterFlow(network, loss, init.parameters(), tol), goal, budget, callback)


def _held(init: Initialization) -> bool:
    """Whether float64 holds the layers of the start."""
    try:
        init.parameters()
    except InvalidInputError:
        return False
    return True


def _run(system: FlowSystem, goal: Goal, budget: Budget, callback: Callback | None) -> Flow:
    began = time.perf_counter()
    rules = RegressionRules(goal, system.coefficients(system.start))
    trajectory = integrate(system, rules, budget, callback)
    if trajectory.end.outcome not in SETTLED:
        rules.measure(system, trajectory.state, trajectory.reading)
    if trajectory.growth > VISIBLE and trajectory.end.outcome in FOLLOWED:
        trajectory = _reproduced(system, rules, budget, trajectory)
    flow = _flow(system, trajectory, rules.remaining, time.perf_counter() - began)
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
    )
