"""The limit's coefficients along the scale of the initialization."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from implicitbias._arrays import FloatArray, finite_array
from implicitbias._errors import InvalidInputError
from implicitbias.plotting._coefficients import (
    FLOWS,
    coefficient_names,
    curve_style,
    framed_coefficients,
    largest_first,
)
from implicitbias.plotting._style import REST, aside, axes_of, given, legend_beside
from implicitbias.theorems import LimitPath, MarginPath

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D


END_GAP = 0.12  # the ends stand this part of the axis beyond the finite scales


@dataclass(frozen=True, eq=False)
class CoefficientTrace:
    """One coefficient along the scale.

    Attributes
    ----------
    index, name
        j, and what it is called.
    scales, values
        beta_j at the finite positive scales, ascending.
    at_zero, at_infinity
        The two ends of the path, or None where they were not asked for.
    """

    index: int
    name: str
    scales: FloatArray
    values: FloatArray
    at_zero: float | None
    at_infinity: float | None


@dataclass(frozen=True, eq=False)
class ScalePathTraces:
    """What ``scale_path`` draws.

    Attributes
    ----------
    shown
        The coefficients drawn in colour, in the order of the legend.
    others
        The rest, drawn in grey.
    flow_scales, flow_values
        Where flows ended: (k,), and (k, len(shown)) their values of the shown coefficients.
    power
        Values are drawn in units of 10^power.
    """

    shown: tuple[CoefficientTrace, ...]
    others: tuple[CoefficientTrace, ...]
    flow_scales: FloatArray
    flow_values: FloatArray
    power: int


def scale_path_traces(
    path: LimitPath | MarginPath,
    *,
    flows: Sequence[tuple[float, Any]] = (),
    shown: int | Sequence[int] = 6,
    names: Sequence[str] | None = None,
) -> ScalePathTraces:
    """Collect beta_j(alpha) for each j, ordered by max_alpha |beta_j(alpha)|.

    Parameters
    ----------
    path
        From ``limit_path``, at least one scale other than 0 and infinity; or from ``margin_path``,
        the ratios standing for scales.
    flows
        Pairs (scale, beta at the end of a flow from that scale).
    shown
        Which coefficients stand out: how many of the largest, or their indices j.
    names
        d names; by default "beta_1", ..., "beta_d".

    Raises
    ------
    InvalidInputError
        No finite positive scale, or coefficients, names or flows that do not fit the path.
    """
    if not (hasattr(path, "values") and hasattr(path, "coefficients")):
        given(path, (LimitPath, MarginPath), "path", "what limit_path or margin_path returns")
    beta, scales = path.coefficients, np.asarray(path.values)
    names = coefficient_names(names, beta.shape[1])
    inside = np.flatnonzero((scales > 0) & np.isfinite(scales))
    inside = inside[np.argsort(scales[inside])]
    if inside.size == 0:
        raise InvalidInputError(
            "path has no scale other than 0 and infinity; a curve needs finite positive scales."
        )
    order, num_shown = largest_first(beta, shown)
    zero, infinity = (_end(beta, scales, end) for end in (0.0, np.inf))
    traces = [
        CoefficientTrace(
            int(j),
            names[j],
            scales[inside],
            beta[inside, j],
            None if zero is None else float(zero[j]),
            None if infinity is None else float(infinity[j]),
        )
        for j in order
    ]
    ends = [
        finite_array(end, f"flows, entry {i},", shape=(beta.shape[1],))
        for i, (_, end) in enumerate(flows)
    ]
    largest = float(np.abs(beta).max())
    return ScalePathTraces(
        tuple(traces[:num_shown]),
        tuple(traces[num_shown:]),
        np.array([scale for scale, _ in flows], dtype=np.float64),
        np.array([end[order[:num_shown]] for end in ends]).reshape(len(ends), num_shown),
        _power(largest),
    )


def scale_path(
    path: LimitPath | MarginPath,
    *,
    flows: Sequence[tuple[float, Any]] = (),
    ax: Axes | None = None,
    shown: int | Sequence[int] = 6,
    names: Sequence[str] | None = None,
    legend: bool = True,
) -> Axes:
    """Draw the limit's coefficients against the scale of the initialization, from l1 to l2.

    Curves are predictions; black rings are where simulated flows ended. The ends of the path,
    where the path has them, stand to either side as dots, at "0" and "infinity".

    Parameters
    ----------
    path, flows, shown, names
        As in ``scale_path_traces``.
    ax
        Where to draw; a new figure by default.
    legend
        Whether to name the coloured curves.

    Returns
    -------
    matplotlib.axes.Axes
    """
    traces = scale_path_traces(path, flows=flows, shown=shown, names=names)
    ax = axes_of(ax)
    unit = 10.0**traces.power
    ends = _end_positions(traces.shown[0].scales)
    _draw_others(ax, traces.others, unit, ends)
    handles: list[Line2D] = []
    for rank, trace in enumerate(traces.shown):
        style = curve_style(rank, len(traces.shown), trace.name)
        handles.append(_draw(ax, trace, unit, ends, **style))
    if traces.flow_scales.size:
        handles.append(_draw_flows(ax, traces, unit))
    _label(ax, traces, ends, path.axis)
    if legend:
        legend_beside(ax, handles)
    return ax


def _end(beta: FloatArray, scales: FloatArray, end: float) -> FloatArray | None:
    where = np.flatnonzero(scales == end)
    return beta[where[0]] if where.size else None


def _power(largest: float) -> int:
    """Units in which the largest value has one digit before the point, unless it is handy."""
    if largest == 0.0 or 0.1 <= largest < 1e3:
        return 0
    return int(np.floor(np.log10(largest)))


def _end_positions(scales: FloatArray) -> tuple[float, float]:
    """Where 0 and infinity stand on the logarithmic axis."""
    low, high = np.log10(scales[[0, -1]])
    gap = END_GAP * max(high - low, 1.0)
    return float(10 ** (low - gap)), float(10 ** (high + gap))


def _end_points(
    trace: CoefficientTrace, ends: tuple[float, float]
) -> list[tuple[float, float, int]]:
    """(position, value, index of the nearest scale) of each end that the path has."""
    sides = ((ends[0], trace.at_zero, 0), (ends[1], trace.at_infinity, -1))
    return [(position, value, near) for position, value, near in sides if value is not None]


def _draw(
    ax: Axes, trace: CoefficientTrace, unit: float, ends: tuple[float, float], **style: Any
) -> Line2D:
    (curve,) = ax.plot(trace.scales, trace.values / unit, **style)
    shared = {"color": style["color"], "zorder": style["zorder"], "label": aside(trace.name)}
    for position, value, near in _end_points(trace, ends):
        gap = (trace.scales[near], position), (trace.values[near] / unit, value / unit)
        ax.plot(*gap, linewidth=0.8, linestyle=":", **shared)
        ax.plot(position, value / unit, marker="o", markersize=5, markeredgewidth=0, **shared)
    return curve


def _draw_others(
    ax: Axes, others: Sequence[CoefficientTrace], unit: float, ends: tuple[float, float]
) -> None:
    """All of them at once: hundreds of separate lines would take seconds."""
    from matplotlib.collections import LineCollection

    if not others:
        return
    curves = [np.column_stack([trace.scales, trace.values / unit]) for trace in others]
    points = [(trace, *end) for trace in others for end in _end_points(trace, ends)]
    gaps = [
        ((trace.scales[near], trace.values[near] / unit), (position, value / unit))
        for trace, position, value, near in points
    ]
    grey: dict[str, Any] = {"zorder": 1, "label": aside("the others")}
    ax.add_collection(LineCollection(curves, colors=REST, linewidths=0.5, **grey))
    ax.add_collection(LineCollection(gaps, colors=REST, linewidths=0.5, linestyles=":", **grey))
    positions, values = [point[1] for point in points], [point[2] / unit for point in points]
    ax.scatter(positions, values, s=6, color=REST, linewidths=0, **grey)


def _draw_flows(ax: Axes, traces: ScalePathTraces, unit: float) -> Line2D:
    (rings,) = ax.plot(
        np.repeat(traces.flow_scales, traces.flow_values.shape[1]),
        traces.flow_values.ravel() / unit,
        linestyle="none",
        marker="o",
        markersize=6.5,
        markerfacecolor="none",
        markeredgecolor="black",
        markeredgewidth=1.1,
        zorder=FLOWS,
        label="end of simulated flow",
    )
    return rings


def _label(ax: Axes, traces: ScalePathTraces, ends: tuple[float, float], axis: str) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    first = traces.shown[0]
    ax.set_xscale("log")
    low, high = np.log10(first.scales[[0, -1]])
    step = max(1, int(np.ceil((high - low) / 5)))
    decades = [10.0**k for k in range(int(np.ceil(low)), int(np.floor(high)) + 1, step)]
    special = {}
    if first.at_zero is not None:
        special[ends[0]] = "0\n" + r"($\ell_1$)"
    if first.at_infinity is not None:
        special[ends[1]] = r"$\infty$" + "\n" + r"($\ell_2$)"
    ticks = sorted([*decades, *special])

    def text(value: float, _: int) -> str:
        for position, name in special.items():
            if np.isclose(value, position, rtol=1e-9):
                return name
        return rf"$10^{{{round(np.log10(value))}}}$"

    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(text))
    unit = rf" $/\ 10^{{{traces.power}}}$" if traces.power else ""
    framed_coefficients(ax, axis, unit=unit, legend=False)
