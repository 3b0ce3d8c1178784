"""gradient_flow for classification: the softmax flow up to a hand-over margin, then the slide."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from implicitbias._arrays import Parameters, unit
from implicitbias._errors import InvalidInputError, Outcome
from implicitbias._setting import Setting
from implicitbias.flow._arguments import Request, refuse_loss_above
from implicitbias.flow._budget import End, with_drift
from implicitbias.flow._result import Flow, SlideReport
from implicitbias.flow._stability import Way, reproduced
from implicitbias.flow.classification._dual import DualMargins, MultiplierFlow
from implicitbias.flow.classification._dual_in_t import SlackFlow
from implicitbias.flow.classification._log_curves import Coordinates
from implicitbias.flow.classification._loop import Run, Stop, follow, saved
from implicitbias.flow.classification._loss import MarginLoss
from implicitbias.flow.classification._parameters import SAFE_NOISE, ParameterMargins
from implicitbias.flow.classification._record import MarginRecord, record_of
from implicitbias.flow.classification._system import MarginSystem
from implicitbias.flow.classification._target import target_of
from implicitbias.flow.classification.slide._run import slide_on
from implicitbias.flow.classification.slide._turn import doubted, turn_of
from implicitbias.problems import Classification

HANDOVER = 1e8  # margin beyond which the dual route slides; the slide is off by its inverse
EARLIEST = 1e3
MANY = 64  # points beyond which two layers are integrated in one multiplier a point
LARGEST_LOG = 709.0
VISIBLE = 20.0  # e-foldings: nine tenths of what brings the error 1e-10 of LSODA to size 1
FOLLOWED = (Outcome.MARGIN_REACHED, Outcome.LOSS_REACHED, Outcome.TIME_REACHED)


def classification_flow(
    setting: Setting, problem: Classification, request: Request, handover: float = HANDOVER
) -> Flow:
    """Follow the direction of beta to the margin or the loss asked for.

    Parameters
    ----------
    setting, problem, request
        As for ``gradient_flow``.
    handover
        Margin at which the dual route passes from the softmax flow to the slide.

    Raises
    ------
    InfeasibleProblemError
        The classes are proved not to be separable.
    InvalidInputError
        ``route="dual"`` without real decoupled coordinates.
    """
    problem.require_separable()
    return margin_flow(_system(setting, problem, request), request, handover)


def flows_on_the_way(
    setting: Setting, problem: Classification, request: Request, log_margins: Sequence[float]
) -> dict[float, Flow]:
    """The flow to exp(log_target), with those that end on its way, from one integration.

    Each is the flow to its margin alone. The dual flow only, up to the hand-over: the tolerance of
    the parameters' depends on where they are to end.

    Returns
    -------
    One ``Flow`` for ``request.log_target``, and for each of the log margins that it passed.
    """
    problem.require_separable()
    system = _system(setting, problem, request)
    start = system.look(system.start).log_margin
    stops = [Stop(log_margin) for log_margin in log_margins if log_margin > start]
    if not isinstance(system, DualMargins):
        stops = []
    flow = margin_flow(system, request, stops=stops)
    flows = {request.log_target: flow}
    for stop in stops:
        if stop.run is not None and stop.record is not None:
            flows[stop.log_margin] = _closed(system, stop.run, stop.record, flow.seconds)
        elif flow.slide is None and flow.outcome is not Outcome.MARGIN_REACHED:
            flows[stop.log_margin] = flow  # a flow to there would have stopped here
    return flows


def margin_flow(
    system: MarginSystem,
    request: Request,
    handover: float = HANDOVER,
    stops: Sequence[Stop] = (),
) -> Flow:
    """Follow one system to the margin or the loss asked for: see ``classification_flow``."""
    target, budget, callback = target_of(request), request.budget, request.callback
    refuse_loss_above(target.log_loss, system.look(system.start).log_loss)
    began = time.perf_counter()
    record = record_of(budget)
    slides = isinstance(system, DualMargins)
    until = _handover(system, handover) if slides else np.inf
    run = follow(system, target.within(until), budget, record, callback, stops)
    arrived = run.end is not None and run.end.outcome is Outcome.MARGIN_REACHED
    if isinstance(system, DualMargins) and arrived and target.passed(run.point) < 0.0:
        t, slide = slide_on(system, run, target, budget, record, callback)
        turned = turn_of(system, run, t)
        if turned is not None and run.end is not None and run.end.outcome in FOLLOWED:
            other = system.finer()
            again = follow(
                other, target.within(_handover(other, handover)), budget, MarginRecord(2), None
            )
            run.end = doubted((system, run), (other, again), target, budget, turned)
        parameters = system.coordinates.parameters(t)
        flow = _flow(system, run, record, parameters, slide, time.perf_counter() - began)
    else:
        if run.growth > VISIBLE and run.end is not None and run.end.outcome in FOLLOWED:
            again = follow(system.finer(), target, budget, MarginRecord(2), None)
            run.end = reproduced(_way(system, run), _way(system, again), run.growth)
        flow = _closed(system, run, record, time.perf_counter() - began)
    if budget.times is not None:  # exp(log t) may round
        flow.times[1:-1] = budget.times[: flow.times.size - 2]
    if flow.outcome is Outcome.TIME_REACHED and budget.max_time is not None:
        flow.times[-1] = budget.max_time
    return flow


def _closed(system: MarginSystem, run: Run, record: MarginRecord, seconds: float) -> Flow:
    """The flow that ends where the run does."""
    record.close(saved(system, run.state, run.point, run.log_time, record.layered))
    return _flow(system, run, record, system.parameters(run.state), None, seconds)


def _way(system: MarginSystem, run: Run) -> Way:
    shape, (log_times, log_losses) = system.shape_of(run.state), np.array(run.passed).T
    end = run.end or End(Outcome.FAILED, "the flow stopped without an end.")
    return Way(end, unit(shape), log_times, log_losses)


def _handover(system: MarginSystem, handover: float) -> float:
    """Log margin up to which the integrator's tolerance resolves the softmax."""
    return float(np.log(min(handover, max(SAFE_NOISE / system.margin_tol, EARLIEST))))


def _system(setting: Setting, problem: Classification, request: Request) -> MarginSystem:
    network, init = setting.network, setting.init
    route, loss, tol = request.route, MarginLoss(request.loss), request.rtol
    if route in ("auto", "dual"):
        decoupled = setting.decoupled(problem.X)
        if decoupled.exact:
            coordinates = Coordinates(network, problem, init, decoupled)
            points, size = problem.num_points, coordinates.curves.size
            linear = coordinates.curves.depth == 2 and MANY < points <= size
            return (MultiplierFlow if linear else SlackFlow)(coordinates, loss, tol)
        if route == "dual":
            raise InvalidInputError(
                f"route='dual' needs a network with real decoupled coordinates: "
                f"{decoupled.why_not}. Use route='parameters', which takes every network."
            )
    largest = target_of(request).highest(problem.num_points)
    margin = float(np.exp(min(largest, LARGEST_LOG)))
    return ParameterMargins(network, problem, loss, init.parameters(), tol, margin)


def _flow(
    system: MarginSystem,
    run: Run,
    record: MarginRecord,
    parameters: Parameters | None,
    slide: SlideReport | None,
    seconds: float,
) -> Flow:
    path = record.path()
    end = with_drift(run.end or End(Outcome.FAILED, "the flow stopped without an end."), run.drift)
    return Flow(
        coefficients=path.coefficients,
        final_parameters=parameters,
        times=path.times,
        log_times=path.log_times,
        log_losses=path.log_losses,
        residual=float("nan"),
        remaining_change=float("nan"),
        drift=run.drift,
        outcome=end.outcome,
        message=end.message,
        route=system.route,
        method=system.method if slide is None else f"{system.method}, then the slide",
        num_steps=run.num_steps,
        num_evaluations=run.num_evaluations,
        seconds=seconds,
        directions=path.directions,
        margins=path.margins,
        log_margins=path.log_margins,
        slide=slide,
        rtol=system.rtol,
        parameters=path.parameters,
    )
