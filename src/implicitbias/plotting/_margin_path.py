"""How a classifier's direction approaches the predicted one as the margin grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from implicitbias._arrays import FloatArray, finite_array, positive_float
from implicitbias._closing import angle_between
from implicitbias._errors import InvalidInputError
from implicitbias.plotting._style import (
    COLOURS,
    STYLES,
    all_given,
    aside,
    axes_of,
    despine,
    legend_beside,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Quantity = Literal["angle", "normalised margin"]
SMALLEST_ANGLE = 1e-12  # radians; below, rounding draws
UNRESOLVED = 1e-11  # an angle below is the solvers' rounding and has no slope


@dataclass(frozen=True, eq=False)
class MarginRun:
    """One flow and the direction predicted for it.

    Attributes
    ----------
    name
        What the legend says.
    directions
        beta along the flow, (T, d), of any length: ``Flow.directions``.
    log_margins
        Natural logarithm of min_i y_i x_i^T beta, (T,): ``Flow.log_margins``.
    limit
        The predicted direction, (d,).
    rate
        The exponent of the margin with which the angle is predicted to fall, or None.
    norm_power
        p of the norm ||.||_p in which margins are normalised: 2 / L for networks of depth L with
        decoupled coordinates, 2 for fully connected ones.
    fourier
        Whether that is the norm of the discrete Fourier transform: full-length convolutions.
    """

    name: str
    directions: FloatArray
    log_margins: FloatArray
    limit: FloatArray
    rate: float | None = None
    norm_power: float = 2.0
    fourier: bool = False


@dataclass(frozen=True, eq=False)
class MarginPathTraces:
    """What ``margin_path`` draws of one flow.

    Attributes
    ----------
    name
        What the legend says.
    log10_margins
        log10 of the margin where it is at least 1, ascending, (T,).
    angles
        Between beta and the predicted direction, in radians, (T,).
    normalised_margins
        min_i y_i x_i^T beta / ||beta||_p relative to the predicted direction's, (T,).
    rate
        Predicted exponent of the angle, or None.
    """

    name: str
    log10_margins: FloatArray
    angles: FloatArray
    normalised_margins: FloatArray
    rate: float | None


def margin_path_traces(runs: Sequence[MarginRun]) -> tuple[MarginPathTraces, ...]:
    """Collect angle and normalised margin along each flow.

    Where the loss is small, log10 of the margin is log10(log(1 / loss)).

    Raises
    ------
    InvalidInputError
        No run; arrays that do not fit together; no point with a margin of at least 1.
    """
    return tuple(_trace(run) for run in all_given(runs, MarginRun, "runs", "MarginRun"))


def margin_path(
    runs: Sequence[MarginRun],
    *,
    quantity: Quantity = "angle",
    ax: Axes | None = None,
    until: float | None = None,
    beyond: float = 0.0,
    legend: bool = True,
) -> Axes:
    """Draw the angle to the predicted direction, or the normalised margin, against the margin.

    Dotted lines through the flows' ends have the predicted slope.

    Parameters
    ----------
    runs
        What to draw, at most eighteen flows.
    quantity
        "angle" or "normalised margin".
    ax
        Where to draw; a new figure by default.
    until
        The largest log10 margin to show; by default all.
    beyond
        Flows that end before this log10 margin are left out; the others keep their colours.
    legend
        Whether to name the flows.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    InvalidInputError
        As ``margin_path_traces``; another quantity; until <= 0; no flow goes beyond ``beyond``.
    """
    if quantity not in ("angle", "normalised margin"):
        raise InvalidInputError(
            f"quantity is {quantity!r}; expected 'angle' or 'normalised margin'."
        )
    traces = margin_path_traces(runs)
    last = max(float(trace.log10_margins[-1]) for trace in traces)
    last = last if until is None else min(last, positive_float(until, "until"))
    ax = axes_of(ax)
    if last <= beyond:
        raise InvalidInputError(
            f"beyond is {beyond:g}; no flow is shown further than log10 margin {last:.3g}."
        )
    for rank, trace in enumerate(traces):
        if trace.log10_margins[-1] < beyond:
            continue
        style: dict[str, Any] = {
            "color": COLOURS[rank % len(COLOURS)],
            "linestyle": STYLES[rank // len(COLOURS) % len(STYLES)],
        }
        values = trace.angles if quantity == "angle" else trace.normalised_margins
        ax.plot(trace.log10_margins, values, linewidth=1.8, label=trace.name, **style)
        if quantity == "angle":
            _draw_slope(ax, trace, last, style["color"])
    _label(ax, quantity, last)
    if legend:
        legend_beside(ax)
    return ax


def _trace(run: MarginRun) -> MarginPathTraces:
    directions = finite_array(run.directions, f"{run.name}, directions", shape=(None, None))
    limit = finite_array(run.limit, f"{run.name}, limit", shape=(directions.shape[1],))
    heights = np.asarray(run.log_margins, dtype=np.float64) / np.log(10)
    if heights.shape != (len(directions),):
        raise InvalidInputError(
            f"{run.name}, log_margins has shape {heights.shape}; expected ({len(directions)},), "
            "one a direction."
        )
    kept = heights >= 0.0
    if not kept.any():
        raise InvalidInputError(
            f"{run.name} never reaches a margin of 1; follow the flow further (until_margin)."
        )
    directions = directions[kept]
    angles = np.array([angle_between(beta, limit) for beta in directions])
    # Directions have the smallest margin 1 there, so that the norms are inverse margins.
    normalised = _norm(limit, run) / np.array([_norm(beta, run) for beta in directions])
    return MarginPathTraces(run.name, heights[kept], angles, normalised, run.rate)


def _norm(beta: FloatArray, run: MarginRun) -> float:
    sizes = np.abs(np.fft.fft(beta) if run.fourier else beta)
    largest = float(sizes.max())
    return largest * float(((sizes / largest) ** run.norm_power).sum() ** (1 / run.norm_power))


def _draw_slope(ax: Axes, trace: MarginPathTraces, last: float, colour: Any) -> None:
    """A line of the predicted slope through the last resolved point, as long as half the flow."""
    resolved = np.flatnonzero((trace.angles > UNRESOLVED) & (trace.log10_margins <= last))
    if trace.rate is None or resolved.size == 0:
        return
    end = resolved[-1]
    x = trace.log10_margins[end] * np.array([0.6, 1.1])
    with np.errstate(over="ignore"):
        y = trace.angles[end] * 10.0 ** (-trace.rate * (x - trace.log10_margins[end]))
    ax.plot(x, y, linewidth=1.0, linestyle=":", color=colour, zorder=1, label=aside(trace.name))


def _label(ax: Axes, quantity: Quantity, last: float) -> None:
    ax.set_xlim(0.0, last)
    ax.set_xlabel(r"$\log_{10}$ margin $\approx \log_{10} \log\, (1 / \mathrm{loss})$")
    if quantity == "angle":
        ax.set_yscale("log")
        low, high = ax.get_ylim()
        ax.set_ylim(max(low, SMALLEST_ANGLE), min(high, 3.0))
        ax.set_ylabel("angle to the predicted direction")
    else:
        low, _ = ax.get_ylim()
        ax.set_ylim(max(low, 0.0), None)
        ax.axhline(1.0, color="black", linewidth=0.6, zorder=0)
        ax.set_ylabel("normalised margin / predicted")
    despine(ax)
