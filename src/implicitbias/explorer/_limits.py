"""Where training ends, from the l1 end of the scale to the l2 end."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, Parameters, stable_norms
from implicitbias._errors import CertificateWarning, NoPredictionError
from implicitbias.explorer import _plane
from implicitbias.explorer._plan import Frames, Plan, control, curves, largest, numbers, plane, row
from implicitbias.flow import gradient_flow
from implicitbias.initialization import Initialization
from implicitbias.limits import Limit
from implicitbias.networks import Network
from implicitbias.plotting import trajectory_traces
from implicitbias.problems import Regression
from implicitbias.theorems import LimitPath, limit_path

DRAWN = 1e-6  # accuracy of paths that are drawn and not read
ABOUT = (
    "Gradient flow is trained to zero loss from layers of size α. It ends at one of the many "
    "solutions of X β = y: at small scales near the one of least ℓ1 norm, at large scales near "
    "the one of least ℓ2 norm. Every number is a limit predicted and certified by the library, "
    "without training."
)


def limits_task(plan: Plan, problem: Regression) -> dict[str, Any]:
    """The task: all limits, by network, depth, direction and scale."""
    frames = Frames(plan.report)
    for key, start in plan.starts():
        frames.add(key, start, partial(_frame, plan, problem, *start))
    labels = [_scale(scale) for scale in plan.scales]
    controls = [*plan.controls(), control("scale", "Scale α", labels, start=len(labels) // 2)]
    return _plane.task(plan, ("Regression: limits", ABOUT), frames, controls, FIGURES)


def _frame(plan: Plan, problem: Regression, name: str, depth: int, tilt: float) -> dict[str, Any]:
    network, directions = plan.start(name, depth, tilt)
    try:
        path = _path(network, problem, directions, plan.scales)
    except NoPredictionError as error:
        return {"refused": str(error)}
    frame = _numbers(plan, path)
    if problem.num_features == 2 and problem.features.is_array:
        eta = plan.weights(tilt) if name == "diagonal" else None
        frame["plane"] = _seen(problem, network, directions, path, eta)
    return frame


def _path(
    network: Network, problem: Regression, directions: Parameters, scales: tuple[float, ...]
) -> LimitPath:
    """All limits; where no result covers all scales, those of a part, and NaN with the reason.

    Raises
    ------
    NoPredictionError
        No result covers any of them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CertificateWarning)  # the page says so where it is
        try:
            return limit_path(network, problem, directions, scales)
        except NoPredictionError as error:
            refused = error
        inside = tuple(scale for scale in scales if 0 < scale < np.inf)
        ends = [(scale,) for scale in scales if scale not in inside]
        known: dict[float, Limit] = {}
        theorems: list[str] = []
        for part in (inside, *ends):
            try:
                path = limit_path(network, problem, directions, part)
            except NoPredictionError:
                continue
            known |= dict(zip(part, path.limits, strict=True))
            theorems.append(path.theorem)
    if not known:
        raise refused
    first = next(iter(known.values()))
    unknown = np.full_like(first.coefficients, np.nan)
    nothing = replace(first, coefficients=unknown, note=str(refused))
    limits = tuple(known.get(scale, nothing) for scale in scales)
    return LimitPath(np.array(scales), limits, theorems[0])


def _numbers(plan: Plan, path: LimitPath) -> dict[str, Any]:
    beta = path.coefficients
    order = largest(beta)
    l1, l2 = np.abs(beta).sum(axis=1), stable_norms(beta)
    rows = [
        row("ℓ1 norm of all coefficients", l1),
        row("ℓ2 norm of all coefficients", l2),
        row("ℓ1 norm / its smallest here", _relative(l1), listed=False),
        row("ℓ2 norm / its smallest here", _relative(l2), listed=False),
        row("estimated relative error", path.errors),
    ]
    if plan.intercept is not None:
        rows.append(row("(intercept)", np.array([plan.intercept(each) for each in beta])))
    return {
        "x": numbers(path.scales),
        "names": [plan.names[j] for j in order],
        "columns": [{"name": "limit", "values": numbers(beta[:, order])}],
        "rows": rows,
        "said": [_said(limit) for limit in path.limits],
    }


def _relative(norms: FloatArray) -> FloatArray:
    known = norms[np.isfinite(norms)]
    smallest = known.min() if known.size else 0.0
    return norms / smallest if smallest > 0 else np.full_like(norms, np.nan)


def _said(limit: Limit) -> str:
    if np.isnan(limit.coefficients).any():
        return f"No certified limit here. {limit.note}"
    text = f"{limit.kind} by {limit.theorem}, certified to {limit.certificate.worst:.1e}."
    return f"{text} {limit.note}".strip()


def _seen(
    problem: Regression,
    network: Network,
    directions: Parameters,
    path: LimitPath,
    eta: FloatArray | None,
) -> dict[str, Any]:
    """The plane of both coefficients: a flow, its limit and the level set there, scale by scale."""
    inside = [scale for scale in path.scales.tolist() if 0 < scale < np.inf]
    flows = [
        gradient_flow(
            network,
            problem,
            Initialization(directions, scale=scale),
            until_residual=DRAWN,
            until_change=DRAWN,
            rtol=DRAWN,
        )
        for scale in inside
    ]
    traces = trajectory_traces(problem, flows)
    drawn = dict(zip(inside, traces.paths, strict=True))
    paths = [
        _plane.thinned(drawn[scale].points) if scale in drawn else None
        for scale in path.scales.tolist()
    ]
    found = {
        "paths": {"name": "gradient flow", "points": paths},
        "lines": [{"name": "limits of all scales", "column": 0}],
        "marks": [{"kind": "start", "name": "start", "at": numbers(traces.paths[0].points[0])}],
        "moving": [{"kind": "limit", "name": "predicted limit", "column": 0}],
    }
    if eta is not None:
        pairs = zip(path.scales.tolist(), path.coefficients, strict=True)
        found["levels"] = [_plane.level(network.depth, scale, eta, beta) for scale, beta in pairs]
    return _plane.ground(traces) | found


def _scale(scale: float) -> str:
    return "∞" if np.isinf(scale) else f"{scale:g}"


SCALE = {"label": "scale α", "log": True, "zero": "0", "infinity": "∞"}
FIGURES = (
    plane(
        "Grey: all solutions of X β = y. Gradient flow moves from the start (ring) to the "
        "predicted limit (diamond). Diagonal networks: the thin closed curve is the level set of "
        "the potential that the limit minimises; it touches the line there."
    ),
    curves(
        "path",
        "Coefficients by the scale of the start",
        "The limits at 0 and ∞ stand apart, at either side. Click or drag to move the slider.",
        SCALE,
        {"label": "coefficient β"},
    ),
    curves(
        "norms",
        "Norms of the solutions",
        "How much longer the solution is than the shortest on this path, in either norm.",
        SCALE,
        {"label": "norm / smallest"},
        rows=[2, 3],
    ),
)
