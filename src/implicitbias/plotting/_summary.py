"""Many small numbers at a glance: certificates of limits, drift of flows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias._verdicts import CERTIFIED
from implicitbias.flow import Flow
from implicitbias.limits import Limit
from implicitbias.plotting._style import (
    COLOURS,
    MARKERS,
    REST,
    SILENT,
    all_given,
    aside,
    axes_of,
    checked_names,
    despine,
    given,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SMALLEST = 1e-18  # where exact zeros are drawn


@dataclass(frozen=True, eq=False)
class SummaryTraces:
    """Numbers that should be small, one line a name.

    Attributes
    ----------
    names
        What the lines are called, from top to bottom.
    columns
        By kind of number, its value on each line, (k,); NaN where there is none.
    threshold
        What they should stay below.
    """

    names: tuple[str, ...]
    columns: Mapping[str, FloatArray]
    threshold: float


def certificate_traces(
    limits: Sequence[Limit], *, names: Sequence[str] | None = None
) -> SummaryTraces:
    """Collect feasibility, gap and KKT residual of each limit.

    Raises
    ------
    InvalidInputError
        No limit, or another number of names.
    """
    limits = all_given(limits, Limit, "limits", "result of predict_limit")
    certificates = [limit.certificate for limit in limits]
    columns: dict[str, list[float | None]] = {
        "feasibility": [one.feasibility for one in certificates],
        "gap": [one.gap for one in certificates],
        "KKT residual": [one.kkt_residual for one in certificates],
    }
    kept = {
        kind: np.array([np.nan if value is None else value for value in values], dtype=np.float64)
        for kind, values in columns.items()
        if any(value is not None for value in values)
    }
    return SummaryTraces(checked_names(names, len(limits), "limit"), kept, CERTIFIED)


def drift_traces(flows: Sequence[Flow], *, names: Sequence[str] | None = None) -> SummaryTraces:
    """Collect the worst relative drift of the conserved quantities of each flow.

    Raises
    ------
    InvalidInputError
        No flow, or another number of names.
    """
    flows = all_given(flows, Flow, "flows", "result of gradient_flow")
    drifts = np.array([flow.drift for flow in flows])
    return SummaryTraces(
        checked_names(names, len(flows), "flow"),
        {"drift of the conserved quantities": drifts},
        CERTIFIED,
    )


def summary(traces: SummaryTraces, *, ax: Axes | None = None) -> Axes:
    """Draw one line of dots a name, on a logarithmic axis; exact zeros stand at its left end.

    Parameters
    ----------
    traces
        From ``certificate_traces`` or ``drift_traces``, or one's own.
    ax
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
    """
    given(traces, SummaryTraces, "traces", "what certificate_traces or drift_traces returns")
    size = len(traces.names)
    ax = axes_of(ax, (7.5, 1.2 + 0.26 * size))
    heights = np.arange(size)
    ax.hlines(heights, SMALLEST, 1.0, color=REST, linewidth=0.4, zorder=0, label=SILENT)
    for rank, (kind, values) in enumerate(traces.columns.items()):
        ax.plot(
            np.maximum(values, SMALLEST),
            heights,
            linestyle="none",
            marker=MARKERS[rank % len(MARKERS)],
            color=COLOURS[rank % len(COLOURS)],
            markersize=6,
            label=kind,
        )
    ax.axvline(
        traces.threshold, color="black", linewidth=0.8, linestyle="--", label=aside("threshold")
    )
    ax.set_xscale("log")
    ax.set_yticks(heights, traces.names, fontsize="small")
    ax.set_ylim(size - 0.5, -0.5)
    ax.set_xlim(SMALLEST / 2, None)
    ax.set_xticks([SMALLEST, 1e-16, 1e-12, 1e-8, 1e-4, 1.0], ["0", *_decades(-16, -12, -8, -4, 0)])
    ax.tick_params(axis="y", length=0)
    ax.legend(
        frameon=False, fontsize="small", loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3
    )
    despine(ax)
    return ax


def certificate_summary(
    limits: Sequence[Limit], *, names: Sequence[str] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the certificates of many limits: all dots should stand left of the dashed line.

    Arguments and errors as for ``certificate_traces`` and ``summary``.
    """
    return summary(certificate_traces(limits, names=names), ax=ax)


def drift_summary(
    flows: Sequence[Flow], *, names: Sequence[str] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw what each integration lost of the conserved quantities.

    Arguments and errors as for ``drift_traces`` and ``summary``.
    """
    return summary(drift_traces(flows, names=names), ax=ax)


def _decades(*powers: int) -> list[str]:
    return [rf"$10^{{{power}}}$" for power in powers]
