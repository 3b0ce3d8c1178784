"""While it trains: gradient descent with steps of finite size against the flow it follows."""

from __future__ import annotations

from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias._errors import NoPredictionError, Outcome
from implicitbias.comparison import compare
from implicitbias.descent import Run, gradient_descent
from implicitbias.explorer import _plane
from implicitbias.explorer._plan import Frames, Plan, control, curves, largest, numbers, plane, row
from implicitbias.flow import Flow, gradient_flow
from implicitbias.initialization import Initialization
from implicitbias.limits import Limit
from implicitbias.networks import Network
from implicitbias.plotting import trajectory_traces
from implicitbias.problems import Regression
from implicitbias.theorems import predict_limit

TRAINED = ("diagonal", "two_sided", "fully_connected")
STEPS = (0.1, 0.9, 1.2)  # of the largest step that is stable where the flow ends
MOST_STEPS = 5_000
POSITIONS = 30  # of the slider
ROUNDING = 1e-9  # of saved times
RESIDUAL = 1e-8  # where training is followed to
DRAWN = 5  # coefficients: each is two curves
ABOUT = (
    "Gradient descent with steps of finite size against the gradient flow from the same start, at "
    "equal times: after k steps of size γ, at t = γ k. Steps are given as parts of the largest "
    "that is stable where the flow ends; beyond 1 training must settle elsewhere, or nowhere. "
)


def training_task(plan: Plan, problem: Regression, networks: list[str]) -> dict[str, Any] | None:
    """The task: runs and flows by network, depth, scale and step; None where nothing trains."""
    frames = Frames()
    for i, name in enumerate(networks):
        for j, depth in enumerate(plan.depths):
            for k, scale in enumerate(plan.start_scales):
                network, directions = plan.start(name, depth, 0.0)
                init = Initialization(directions, scale=scale)
                for step, frame in enumerate(_frames(plan, problem, network, init)):
                    key = f"{i}.{j}.{k}.{step}"
                    frames.add(key, key, frame.copy)
                plan.report()
    if all("refused" in frame for frame in frames.store):
        return None
    steps, positions = [f"{part:g}" for part in STEPS], [str(i) for i in range(POSITIONS)]
    controls = [
        *plan.architectures(networks),
        plan.start_scale(),
        control("step", "Step γ / largest stable", steps, start=1),
        control("time", "Time t", positions, start=POSITIONS - 1),
    ]
    return _plane.task(plan, ("Regression: training", ABOUT), frames, controls, FIGURES)


def _frames(
    plan: Plan, problem: Regression, network: Network, init: Initialization
) -> list[dict[str, Any]]:
    """One frame a step size."""
    start = Initialization(init.directions, scale=init.scale)
    end = gradient_flow(network, problem, start, until_residual=RESIDUAL, num_points=2)
    if end.final_parameters is None or not np.isfinite(end.final_coefficients).all():
        return [{"refused": f"The flow has no end here: {end.message}"}] * len(STEPS)
    stable = Run.from_weights(network, problem, [init, end.final_parameters]).largest_stable_step
    if not 0 < stable < np.inf:
        why = "At the flow's end the loss is flat: every step is stable."
        return [{"refused": why}] * len(STEPS)
    try:
        limit: Limit | None = predict_limit(network, problem, init)
    except NoPredictionError:
        limit = None
    return [_frame(plan, problem, network, init, (part * stable, limit)) for part in STEPS]


def _frame(
    plan: Plan,
    problem: Regression,
    network: Network,
    init: Initialization,
    with_limit: tuple[float, Limit | None],
) -> dict[str, Any]:
    step, limit = with_limit
    run = gradient_descent(
        network,
        problem,
        init,
        step=step,
        until_residual=RESIDUAL,
        max_steps=MOST_STEPS,
        num_points=POSITIONS,
    )
    if len(run.times) < 2:
        return {"refused": f"The first step of size {step:.3g} leaves float64: {run.message}"}
    flow = gradient_flow(network, problem, init, times=run.times[1:], until_residual=RESIDUAL)
    beta, losses = _beside(flow, run)
    order = largest(np.vstack([beta, run.coefficients[-1:]]))
    frame: dict[str, Any] = {
        "x": numbers(run.times),
        "names": [plan.names[j] for j in order],
        "columns": [
            {"name": "flow", "values": numbers(beta[:, order])},
            {"name": "descent", "values": numbers(run.coefficients[:, order])},
        ],
        "rows": [
            row("step k", run.steps),
            row("log₁₀ of the flow's loss", losses),
            row("log₁₀ of descent's loss", run.log_losses / np.log(10)),
        ],
        "said": [_said(run, step, limit)] * len(run.times),
    }
    if problem.num_features == 2:
        frame["plane"] = _seen(problem, flow, run, limit)
    return frame


def _beside(flow: Flow, run: Run) -> tuple[FloatArray, FloatArray]:
    """Coefficients and log10 losses of the flow at the run's times, t = 0 included.

    A flow that came to its end before stays there.
    """
    reached = flow.outcome is Outcome.TIME_REACHED
    before = run.times < flow.times[-1] * (1.0 - ROUNDING)
    passed = len(run.times) if reached else int(before.sum())
    beta, losses = flow.coefficients[:passed], flow.log_losses[:passed] / np.log(10)
    left = len(run.times) - passed
    ended = flow.outcome in (Outcome.RESIDUAL_REACHED, Outcome.STATIONARY)
    last = flow.final_coefficients if ended else np.full(beta.shape[1], np.nan)
    loss = flow.log_losses[-1] / np.log(10) if ended else np.nan
    return np.vstack([beta, np.tile(last, (left, 1))]), np.append(losses, np.full(left, loss))


def _said(run: Run, step: float, limit: Limit | None) -> str:
    text = f"Step γ = {step:.3g}, {run.num_steps} steps: {run.message}"
    if limit is None or not run.outcome.converged:
        return text
    try:
        held = compare(run, limit)
    except NoPredictionError:
        return text
    distance = (
        "" if held.distance is None else f" Distance to the flow's limit {held.distance:.2e}."
    )
    return (
        f"{text} Held against the limit of its effective start: error {held.error:.1e}.{distance}"
    )


def _seen(problem: Regression, flow: Flow, run: Run, limit: Limit | None) -> dict[str, Any]:
    """The plane of both coefficients: both paths, and where they are at the slider's time."""
    traces = trajectory_traces(problem, [flow, run] if run.outcome.converged else [flow])
    marks = [{"kind": "start", "name": "start", "at": numbers(run.coefficients[0])}]
    if limit is not None:
        at = numbers(limit.coefficients)
        marks.append({"kind": "limit", "name": "limit of the flow", "at": at})
    return _plane.ground(traces) | {
        "lines": [
            {"name": "gradient flow", "column": 0},
            {"name": "gradient descent", "column": 1},
        ],
        "marks": marks,
        "moving": [
            {"kind": "here", "name": "flow", "column": 0},
            {"kind": "there", "name": "descent", "column": 1},
        ],
    }


TIME = {"label": "time t = γ k", "log": True, "zero": "0"}
FIGURES = (
    plane(
        "Grey: all solutions. The flow is the solid path, gradient descent the dashed one; the "
        "diamond is the flow's predicted limit."
    ),
    curves(
        "path",
        "Coefficients while it trains",
        "Solid: the flow. Dashed: gradient descent. Click or drag to move the slider.",
        TIME,
        {"label": "coefficient β"},
        most=DRAWN,
    ),
    curves("loss", "Loss", "", TIME, {"label": "log₁₀ of the loss"}, rows=[1, 2]),
)
