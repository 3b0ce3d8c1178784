"""From the hand-over on: slide, save, tell the callback, and stop."""

from __future__ import annotations

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias._errors import Outcome
from implicitbias.flow._budget import Budget, Callback, End
from implicitbias.flow._result import FlowState, SlideReport
from implicitbias.flow.classification._dual import DualMargins
from implicitbias.flow.classification._log_curves import Coordinates
from implicitbias.flow.classification._loop import Run, saved
from implicitbias.flow.classification._record import MarginRecord, SavedPoint
from implicitbias.flow.classification._target import Target
from implicitbias.flow.classification.slide._face import Face
from implicitbias.flow.classification.slide._slide import Slide, SlideError, SlidePoint, beyond

TOL = 100.0  # the slide's tolerance over the stiff flow's
ARRIVED = 1e-13
MOST_EVALUATIONS = 50_000  # where max_steps is not given


def slide_on(
    system: DualMargins,
    run: Run,
    target: Target,
    budget: Budget,
    record: MarginRecord,
    callback: Callback | None,
) -> tuple[FloatArray, SlideReport]:
    """Continue a flow that has reached the hand-over to the margin or the loss asked for.

    ``run`` gets the new end and the counts of steps; the record gets every step and the end.

    Returns
    -------
    (t, report)
        The curves' parameter at the end, and how the slide went.
    """
    slide = Slide(system.coordinates, TOL * system.margin_tol)
    t, begun = system.points(run.state), run.point.log_margin
    log_margin, support, weights = begun, np.zeros(0, dtype=np.intp), np.zeros(0)
    last = saved(system, run.state, run.point, run.log_time, record.layered)
    run.end = None
    try:
        point = slide.begin(t)
        while run.end is None:
            point = slide.advance(point, target)
            run.num_steps += 1
            t, log_margin = point.t, point.log_margin
            support, weights = slide.support(point)
            last = _saved(system.coordinates, slide, point, record.layered)
            if record.due():
                record.add(last)
            run.end = _rules(run, slide.num_evaluations, point, last, target, budget, callback)
    except SlideError as error:
        run.end = End(
            Outcome.PRECISION_REACHED,
            f"at margin {power_of_ten(log_margin)} the sliding flow cannot go on: {error}.",
        )
    record.close(last)
    run.num_evaluations += slide.num_evaluations
    report = SlideReport(
        begun,
        slide.num_steps,
        slide.num_events,
        slide.violation,
        slide.num_evaluations,
        support,
        weights,
    )
    return t, report


def power_of_ten(log_margin: float) -> str:
    """A margin by its logarithm, also where it overflows."""
    tens, rest = divmod(round(log_margin / np.log(10.0), 9), 1.0)
    return f"{10.0**rest:.4g}e{int(tens)}"


def _saved(coordinates: Coordinates, slide: Slide, point: SlidePoint, layered: bool) -> SavedPoint:
    """What the record keeps. With margins growing at the rate k in tau, t = 1 / (k loss).

    Beyond float64 log t and log loss are infinite.
    """
    spectrum, log_size = coordinates.spectrum(point.t)
    smallest = float((coordinates.features @ spectrum).min())
    features = slide.features[point.active]
    face = Face(features, coordinates.log_slopes(point.t)[1])
    growth = face.rates(point.weights, features)[1]
    with np.errstate(over="ignore", divide="ignore"):
        level = float(np.exp(point.log_level))
        log_growth = face.log_top + float(np.log(growth))
    shape = coordinates.coefficients(spectrum)
    layers = coordinates.parameters(point.t) if layered else None
    return SavedPoint(shape, float(log_size), smallest, level - log_growth, -level, layers)


def _rules(
    run: Run,
    evaluations: int,
    point: SlidePoint,
    step: SavedPoint,
    target: Target,
    budget: Budget,
    callback: Callback | None,
) -> End | None:
    with np.errstate(over="ignore"):
        time, margin = float(np.exp(step.log_time)), float(np.exp(point.log_margin))
    state = FlowState(
        time, step.log_time, step.log_loss, np.nan, run.num_steps, margin, point.log_margin
    )
    if callback is not None and callback(state):
        return End(Outcome.STOPPED_BY_CALLBACK, f"stopped after {run.num_steps} steps.")
    if beyond(point, target) >= -ARRIVED * max(1.0, point.log_margin):
        at = f"margin {power_of_ten(point.log_margin)}."
        if target.log_loss is None:
            return End(Outcome.MARGIN_REACHED, at)
        return End(Outcome.LOSS_REACHED, f"loss exp({step.log_loss:.10g}) at {at}")
    spent = budget.spent(run.num_steps, evaluations, MOST_EVALUATIONS)
    if spent is not None:
        return End(Outcome.STEP_LIMIT, f"{spent} at margin {power_of_ten(point.log_margin)}.")
    return None
