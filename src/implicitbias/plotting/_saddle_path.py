"""Coefficients over time at vanishing scale: from saddle to saddle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias._errors import InvalidInputError
from implicitbias.flow import Flow
from implicitbias.plotting._coefficients import (
    FLOWS,
    coefficient_names,
    curve_style,
    framed_coefficients,
    largest_first,
)
from implicitbias.plotting._style import REST, aside, axes_of, given
from implicitbias.theorems import SaddlePath

if TYPE_CHECKING:
    from matplotlib.axes import Axes


BEYOND = 0.25  # the last saddle is drawn for this part of the time before it


@dataclass(frozen=True, eq=False)
class SaddleTrace:
    """One coefficient over time.

    Attributes
    ----------
    index, name
        j, and what it is called.
    values
        beta_j before the first jump, between jumps and after the last, (k + 1,).
    flow_values
        beta_j of the flow at ``SaddlePathTraces.flow_times``; empty without one.
    """

    index: int
    name: str
    values: FloatArray
    flow_values: FloatArray


@dataclass(frozen=True, eq=False)
class SaddlePathTraces:
    """What ``saddle_path`` draws.

    Attributes
    ----------
    jumps
        0, the times of the jumps in units of the path, and the end of the axis, (k + 2,).
    shown
        The coefficients drawn in colour, in the order of the legend.
    others
        The rest, drawn in grey.
    flow_times
        The flow's times in the same units, up to the end of the axis; empty without a flow.
    unit
        What a time of 1 is.
    """

    jumps: FloatArray
    shown: tuple[SaddleTrace, ...]
    others: tuple[SaddleTrace, ...]
    flow_times: FloatArray
    unit: str


def saddle_path_traces(
    path: SaddlePath,
    *,
    flow: Flow | None = None,
    log_scale: float | None = None,
    shown: int | Sequence[int] = 6,
    names: Sequence[str] | None = None,
) -> SaddlePathTraces:
    """Collect beta_j(T) for each j, ordered by max_T |beta_j(T)|.

    Parameters
    ----------
    path
        From ``saddle_path``; at least one saddle.
    flow, log_scale
        A flow from the same directions, and the logarithm of its scale.
    shown
        Which coefficients stand out: how many of the largest, or their indices j.
    names
        d names; by default "beta_1", ..., "beta_d".

    Raises
    ------
    InvalidInputError
        No saddle, a flow without its scale, or names or indices that do not fit the path.
    """
    given(path, SaddlePath, "path", "what saddle_path returns")
    if not path.times.size:
        raise InvalidInputError(
            f"the path has no saddle: {path}. There is nothing to draw before T = {path.until:g}."
        )
    if (flow is None) != (log_scale is None):
        raise InvalidInputError("flow and log_scale belong together; pass both or neither.")
    beta = np.vstack([np.zeros((1, path.coefficients.shape[1])), path.coefficients])
    names = coefficient_names(names, beta.shape[1])
    order, count = largest_first(beta, shown)
    last = path.until if np.isfinite(path.until) else (1.0 + BEYOND) * float(path.times[-1])
    times, values = np.zeros(0), np.zeros((0, beta.shape[1]))
    if flow is not None and log_scale is not None:
        given(flow, Flow, "flow", "a result of gradient_flow")
        if flow.coefficients.shape[1] != beta.shape[1]:
            raise InvalidInputError(
                f"the flow has {flow.coefficients.shape[1]} coefficients; expected "
                f"{beta.shape[1]}, as the path."
            )
        times = np.exp(flow.log_times - path.log_time_unit(log_scale))
        seen = times <= last
        times, values = times[seen], flow.coefficients[seen]
    traces = [SaddleTrace(int(j), names[j], beta[:, j], values[:, j]) for j in order]
    return SaddlePathTraces(
        np.concatenate([[0.0], path.times, [last]]),
        tuple(traces[:count]),
        tuple(traces[count:]),
        times,
        r"\log(1 / \alpha)" if path.depth == 2 else rf"\alpha^{{-{path.depth - 2:g}}}",
    )


def saddle_path(
    path: SaddlePath,
    *,
    flow: Flow | None = None,
    log_scale: float | None = None,
    ax: Axes | None = None,
    shown: int | Sequence[int] = 6,
    names: Sequence[str] | None = None,
    legend: bool = True,
) -> Axes:
    """Draw the coefficients over time as the scale tends to 0, and a flow of small scale.

    Steps in colour are predicted; thin black curves are the flow.

    Parameters
    ----------
    path, flow, log_scale, shown, names
        As in ``saddle_path_traces``.
    ax
        Where to draw; a new figure by default.
    legend
        Whether to name the coloured curves.

    Returns
    -------
    matplotlib.axes.Axes
    """
    traces = saddle_path_traces(path, flow=flow, log_scale=log_scale, shown=shown, names=names)
    ax = axes_of(ax)
    for trace in (each for each in traces.others if each.values.any()):
        grey: dict[str, Any] = {"color": REST, "linewidth": 0.6, "zorder": 1}
        ax.stairs(trace.values, traces.jumps, baseline=None, label=aside(trace.name), **grey)
    thin: dict[str, Any] = {"color": "black", "linewidth": 0.8, "zorder": FLOWS}
    for rank, trace in enumerate(traces.shown):
        style = curve_style(rank, len(traces.shown), trace.name)
        ax.stairs(trace.values, traces.jumps, baseline=None, **style)
        if traces.flow_times.size:
            label = "flow" if trace is traces.shown[-1] else aside("flow")
            ax.plot(traces.flow_times, trace.flow_values, label=label, **thin)
    ax.set_xlim(0.0, traces.jumps[-1])
    return framed_coefficients(ax, rf"time in units of ${traces.unit}$", legend=legend)
