"""The plane of two coefficients: what stays, and what moves with the slider."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias.explorer._plan import Frames, Plan, drawn, numbers
from implicitbias.plotting import TrajectoryTraces, level_traces

POINTS = 40  # of a drawn path
ROOM = 1.05  # beyond the largest level set
QUARTER, EVERY = 181, 10  # of the points of a level set, which is symmetric: multiples of 5 degrees


def task(
    plan: Plan,
    texts: tuple[str, str],
    frames: Frames,
    controls: Sequence[dict[str, Any]],
    figures: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    """A task of a page.

    Parameters
    ----------
    texts
        Its name, and what it is about.
    controls
        The last moves along each frame, the others choose one.
    figures
        The first is the plane, for data in one.
    """
    same_window(frames.store)
    (name, about), flat = texts, plan.problem.num_features == 2
    *chosen, cursor = (each["id"] for each in controls)
    return {
        "name": name,
        "about": about,
        "controls": list(controls),
        "by": chosen,
        "cursor": cursor,
        "figures": list(figures if flat else figures[1:]),
        "frames": frames.keys,
        "store": frames.store,
    }


def ground(traces: TrajectoryTraces) -> dict[str, Any]:
    """The line of global minima, or the cone of separators, and the window."""
    return {
        "window": drawn(traces.window),
        "minima": None if traces.minima is None else numbers(traces.minima),
        "cone": numbers(traces.cone),
    }


def thinned(points: FloatArray) -> Any:
    """A path of few points, its first and last among them."""
    return drawn(points[np.unique(np.linspace(0, len(points) - 1, POINTS).round().astype(int))])


def level(depth: int, scale: float, eta: FloatArray, through: FloatArray) -> Any:
    """A quarter of the level set of a diagonal network's potential; None through the origin."""
    if not np.isfinite(through).all() or not np.any(through):
        return None
    (trace,) = level_traces(depth, [scale], eta, through=through)
    return drawn(trace.points[:QUARTER:EVERY])


def same_window(frames: Sequence[dict[str, Any]]) -> None:
    """One window for all frames, so that nothing jumps from one to the next.

    It has room for the level sets, which are symmetric.
    """
    planes = [frame["plane"] for frame in frames if "plane" in frame]
    if not planes:
        return
    corners = [corner for plane in planes for corner in plane["window"]]
    quarters = [level for plane in planes for level in plane.get("levels", []) if level is not None]
    reach = [ROOM * np.abs(np.array(quarter)).max(axis=0) for quarter in quarters]
    every = np.array([*corners, *reach, *(-far for far in reach)])
    for plane in planes:
        plane["window"] = drawn(np.array([every.min(axis=0), every.max(axis=0)]))
