"""Loss, margin, residual angle: how far a flow is, against the logarithm of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias._closing import angle_between
from implicitbias._errors import InvalidInputError
from implicitbias.flow import Flow
from implicitbias.limits import Limit
from implicitbias.plotting._style import (
    WIDTH,
    all_given,
    axes_of,
    checked_names,
    decades,
    framed,
    look,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Quantity = Literal["loss", "margin", "angle"]
LABELS = {
    "loss": r"$\log_{10}$ loss",
    "margin": r"$\log_{10}$ margin",
    "angle": "angle to the predicted limit",
}


@dataclass(frozen=True, eq=False)
class TrainingTrace:
    """One quantity along one flow.

    Attributes
    ----------
    name
        What the legend says.
    log10_times
        log10 t after t = 0 and while it fits float64 itself, (T,).
    values
        log10 of the loss or of the margin, or the angle in radians, (T,); NaN where the margin is
        not positive.
    """

    name: str
    log10_times: FloatArray
    values: FloatArray


def training_traces(
    flows: Sequence[Flow],
    quantity: Quantity = "loss",
    *,
    limits: Sequence[Limit] | None = None,
    names: Sequence[str] | None = None,
) -> tuple[TrainingTrace, ...]:
    """Collect the loss, the margin or the angle to the limit along each flow.

    Parameters
    ----------
    flows
        From ``gradient_flow``.
    quantity
        "loss"; "margin" (classification); "angle" (needs ``limits``).
    limits
        The prediction for each flow.
    names
        One a flow.

    Raises
    ------
    InvalidInputError
        No flow, another quantity, a margin of a regression, or an angle without limits.
    """
    flows = all_given(flows, Flow, "flows", "result of gradient_flow")
    if quantity not in LABELS:
        raise InvalidInputError(f"quantity is {quantity!r}; expected one of {', '.join(LABELS)}.")
    if quantity == "angle" and (limits is None or len(limits) != len(flows)):
        raise InvalidInputError("the angle needs limits, one a flow, from predict_limit.")
    names = checked_names(names, len(flows), "flow")
    ends = [None] * len(flows) if limits is None else list(limits)
    return tuple(
        _trace(name, flow, quantity, end)
        for name, flow, end in zip(names, flows, ends, strict=True)
    )


def training(
    flows: Sequence[Flow],
    quantity: Quantity = "loss",
    *,
    limits: Sequence[Limit] | None = None,
    names: Sequence[str] | None = None,
    ax: Axes | None = None,
    legend: bool = True,
) -> Axes:
    """Draw loss, margin or angle against log10 t.

    Parameters
    ----------
    flows, quantity, limits, names
        As in ``training_traces``.
    ax
        Where to draw; a new figure by default.
    legend
        Whether to name the flows.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    InvalidInputError
        As ``training_traces``.
    """
    traces = training_traces(flows, quantity, limits=limits, names=names)
    ax = axes_of(ax)
    for rank, trace in enumerate(traces):
        ax.plot(trace.log10_times, trace.values, linewidth=WIDTH, label=trace.name, **look(rank))
    decades(ax, "x", [trace.log10_times for trace in traces])
    if quantity == "angle":
        ax.set_yscale("log")
    else:
        decades(ax, "y", [trace.values[np.isfinite(trace.values)] for trace in traces])
    return framed(ax, r"$\log_{10}$ time", LABELS[quantity], legend=legend)


def _trace(name: str, flow: Flow, quantity: Quantity, limit: Limit | None) -> TrainingTrace:
    log10_times = flow.log_times / np.log(10.0)
    kept = np.isfinite(log10_times)
    return TrainingTrace(name, log10_times[kept], _values(flow, quantity, limit)[kept])


def _values(flow: Flow, quantity: Quantity, limit: Limit | None) -> FloatArray:
    if quantity == "loss":
        return _finite(flow.log_losses / np.log(10.0))
    if quantity == "angle" and limit is not None:
        directions = flow.coefficients if flow.directions is None else flow.directions
        return np.array([_angle(beta, limit.coefficients) for beta in directions])
    if flow.log_margins is None:
        raise InvalidInputError("a flow of a regression has no margins; ask for the loss.")
    return _finite(flow.log_margins / np.log(10.0))


def _angle(beta: FloatArray, limit: FloatArray) -> float:
    return angle_between(beta, limit) if np.any(beta) else float("nan")


def _finite(values: FloatArray) -> FloatArray:
    return np.asarray(np.where(np.isfinite(values), values, np.nan))
