"""How a classifier's direction closes in on the predicted one as its margin grows."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from implicitbias._arrays import IntArray
from implicitbias._errors import NoPredictionError
from implicitbias.explorer import _plane
from implicitbias.explorer._plan import Frames, Plan, control, curves, largest, numbers, plane, row
from implicitbias.flow import Flow, gradient_flow
from implicitbias.initialization import Initialization
from implicitbias.limits import Limit
from implicitbias.networks import Network
from implicitbias.plotting import MarginRun, margin_path_traces, trajectory_traces
from implicitbias.problems import Classification
from implicitbias.theorems import predict_limit

UNTIL_MARGIN = 1e6
MOST_STEPS = 20_000  # of one flow
POSITIONS = 24  # of the slider
ABOUT = (
    "Gradient flow on the exponential loss never ends: coefficients grow for ever, and their "
    "direction closes in on a max-margin solution that the network decides. Directions are scaled "
    "to margin 1, as y xᵀβ ≥ 1. The last position of the slider is the direction predicted without "
    "training."
)


def margins_task(plan: Plan, problem: Classification) -> dict[str, Any]:
    """The task: flows by network, depth, direction and scale, along their margins."""
    frames = Frames(plan.report)
    for key, start in plan.starts():
        for i, scale in enumerate(plan.start_scales):
            make = partial(_frame, plan, problem, start, scale)
            frames.add(f"{key}.{i}", (start, scale), make)
    positions = [str(i) for i in range(POSITIONS + 1)]
    margin = control("margin", "log₁₀ of the margin", positions, start=POSITIONS // 2)
    controls = [*plan.controls(), plan.start_scale(), margin]
    return _plane.task(plan, ("Classification: margins", ABOUT), frames, controls, FIGURES)


def _frame(
    plan: Plan, problem: Classification, start: tuple[str, int, float], scale: float
) -> dict[str, Any]:
    network, directions = plan.start(*start)
    init = Initialization(directions, scale=scale)
    flow = gradient_flow(network, problem, init, until_margin=UNTIL_MARGIN, max_steps=MOST_STEPS)
    try:
        limit: Limit | None = predict_limit(network, problem, init)
        unpredicted = ""
    except NoPredictionError as error:
        limit, unpredicted = None, f"No direction is predicted: {error}"
    kept = _kept(flow)
    if not kept.size:
        return {"refused": f"The flow never reached a margin of 1: {flow.message}"}
    frame = _numbers(plan, flow, limit, kept)
    if limit is not None:
        frame["rows"] += _against(start[0], network, flow, limit, kept)
    said = unpredicted
    if limit is not None:
        said = f"{limit.kind} by {limit.theorem}, certified to {limit.certificate.worst:.1e}."
        said = f"Predicted: {said} {limit.note}".strip()
    frame["said"] = [f"Flow: {flow.message} {said}"] * len(frame["x"])
    if problem.num_features == 2:
        frame["plane"] = _seen(problem, flow, limit, kept)
    return frame


def _kept(flow: Flow) -> IntArray:
    """A few of the saved points with a margin of at least 1, evenly in its logarithm."""
    if flow.log_margins is None:
        return np.zeros(0, dtype=np.intp)
    seen = np.flatnonzero(flow.log_margins >= 0.0)
    if not seen.size:
        return seen
    heights = flow.log_margins[seen]
    wanted = np.linspace(heights[0], heights[-1], POSITIONS)
    nearest = np.abs(heights[:, None] - wanted).argmin(axis=0)
    return np.asarray(seen[np.unique(nearest)])


def _numbers(plan: Plan, flow: Flow, limit: Limit | None, kept: IntArray) -> dict[str, Any]:
    if flow.directions is None or flow.margins is None or flow.log_margins is None:
        return {}
    directions, margins = flow.directions[kept], flow.margins[kept]
    heights, losses = flow.log_margins[kept] / np.log(10), flow.log_losses[kept] / np.log(10)
    if limit is not None:
        directions = np.vstack([directions, limit.coefficients])
        heights, losses = np.append(heights, np.inf), np.append(losses, -np.inf)
        margins = np.append(margins, np.inf)
    order = largest(directions[-1:])
    columns = [{"name": "direction", "values": numbers(directions[:, order])}]
    if limit is not None:
        fixed = {"name": "predicted", "values": [numbers(limit.coefficients[order])]}
        columns.append(fixed | {"fixed": True})
    return {
        "x": numbers(heights),
        "names": [plan.names[j] for j in order],
        "columns": columns,
        "rows": [row("margin of the coefficients", margins), row("log₁₀ of the loss", losses)],
    }


def _against(
    name: str, network: Network, flow: Flow, limit: Limit, kept: IntArray
) -> list[dict[str, Any]]:
    """The angle to the prediction and the normalised margin, where the slider stops."""
    run = MarginRun(
        "flow",
        np.asarray(flow.directions)[kept],
        np.asarray(flow.log_margins)[kept],
        limit.coefficients,
        norm_power=2.0 if name == "fully_connected" else 2.0 / network.depth,
        fourier=name == "convolutional",
    )
    (trace,) = margin_path_traces([run])
    return [
        row("angle to the prediction, radians", np.append(trace.angles, np.nan)),
        row("normalised margin / predicted", np.append(trace.normalised_margins, 1.0)),
    ]


def _seen(
    problem: Classification, flow: Flow, limit: Limit | None, kept: IntArray
) -> dict[str, Any]:
    """The plane of both coefficients: the whole path, and where the slider is on it."""
    traces = trajectory_traces(problem, [flow], limits=[limit])
    (path,) = traces.paths
    here = numbers(path.points[kept])
    marks = [{"kind": "start", "name": "start", "at": numbers(path.points[0])}]
    if path.limit is not None:
        name = "predicted direction" if path.exact else "direction predicted for α → 0"
        marks.append({"kind": "limit", "name": name, "at": numbers(path.limit)})
        here.append(None)  # at the last position only the prediction is left
    return _plane.ground(traces) | {
        "lines": [{"name": "gradient flow", "points": _plane.thinned(path.points)}],
        "marks": marks,
        "moving": [{"kind": "here", "name": "at this margin", "points": here}],
    }


LOG_MARGIN = {"label": "log₁₀ of the margin", "infinity": "limit"}
FIGURES = (
    plane(
        "Shaded: all separators. Points are drawn at distance asinh‖β‖ from the origin, which "
        "keeps directions. The diamond at the rim is the predicted direction.",
        " (asinh radius)",
    ),
    curves(
        "path",
        "The direction as the margin grows",
        "Coefficients divided by the margin. At the right, apart: the predicted direction. Click "
        "or drag to move the slider.",
        LOG_MARGIN,
        {"label": "coefficient / margin"},
    ),
    curves(
        "angle",
        "Angle to the predicted direction",
        "In radians, on a logarithmic axis.",
        LOG_MARGIN,
        {"label": "angle", "log": True},
        rows=[2],
    ),
    curves(
        "normalised",
        "Normalised margin",
        "The margin over the norm in which the predicted direction is a stationary point, relative "
        "to its own.",
        LOG_MARGIN,
        {"label": "normalised margin / predicted"},
        rows=[3],
    ),
)
