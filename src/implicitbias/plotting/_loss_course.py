"""How a classifier's loss falls in time, over what the limit direction says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias._errors import InvalidInputError
from implicitbias.comparison import compare
from implicitbias.flow import Flow
from implicitbias.limits import Limit
from implicitbias.plotting._style import COLOURS, REST, WIDTH, axes_of, checked_names, framed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SEEN = 1e7  # log(1 / loss) from which on float64 hardly holds log t - log(1 / loss)


@dataclass(frozen=True, eq=False)
class LossCourseTraces:
    """What ``loss_course`` draws of one flow.

    Attributes
    ----------
    heights
        log(1 / loss) at the saved times, ascending, (k,).
    leading
        loss t (log t)^power / C there, 1 in the limit, (k,).
    whole
        t over the time that ``LossRate.log_times`` gives, 1 in the limit, (k,).
    name
        Of the flow.
    """

    heights: FloatArray
    leading: FloatArray
    whole: FloatArray
    name: str


def loss_course_traces(
    flows: Sequence[Flow], limits: Sequence[Limit], names: Sequence[str] | None = None
) -> tuple[LossCourseTraces, ...]:
    """Measure the loss of classification flows against their limits' ``loss_rate``.

    Parameters
    ----------
    flows, limits
        One limit a flow.
    names
        Of the flows; by default the results that name their limits.

    Raises
    ------
    InvalidInputError
        Not one limit a flow, a flow and a limit of different problems, a limit without
        ``loss_rate``, another number of names, or a flow whose loss never fell below exp(-5).
    """
    try:
        flows, limits = list(flows), list(limits)
    except TypeError:
        raise InvalidInputError(
            f"got a {type(flows).__name__} and a {type(limits).__name__}; expected a sequence of "
            "flows and one of their limits, such as [flow], [limit]."
        ) from None
    if len(flows) != len(limits) or not flows:
        raise InvalidInputError(
            f"got {len(flows)} flows and {len(limits)} limits; expected one limit a flow."
        )
    for flow, limit in zip(flows, limits, strict=True):
        if not (isinstance(flow, Flow) and isinstance(limit, Limit)):
            raise InvalidInputError(
                f"got a {type(flow).__name__} with a {type(limit).__name__}; expected results of "
                "gradient_flow and predict_limit. The order of the arguments is flows, limits."
            )
    if names is None:
        names = [limit.theorem for limit in limits]
    return tuple(map(_traces, flows, limits, checked_names(names, len(flows), "flow")))


def loss_course(
    flows: Sequence[Flow],
    limits: Sequence[Limit],
    names: Sequence[str] | None = None,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw times over the predicted ones against log(1 / loss): 1 in the limit.

    Solid: by ``LossRate.log_times``; dotted: by its leading order, loss ~ C / (t (log t)^power).

    Parameters
    ----------
    flows, limits, names
        As in ``loss_course_traces``.
    ax
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    InvalidInputError
        As ``loss_course_traces``.
    """
    traces = loss_course_traces(flows, limits, names)
    ax = axes_of(ax)
    ax.axhline(1.0, color=REST, linewidth=1.0, zorder=0)
    for rank, one in enumerate(traces):
        colour = COLOURS[rank % len(COLOURS)]
        ax.semilogx(one.heights, one.whole, color=colour, linewidth=WIDTH, label=one.name)
        ax.semilogx(
            one.heights,
            one.leading,
            color=colour,
            linewidth=WIDTH,
            linestyle=":",
            label=f"{one.name}, leading order",
        )
    return framed(ax, r"$\log(1 / \mathrm{loss})$", "time over the predicted one")


def _traces(flow: Flow, limit: Limit, name: str) -> LossCourseTraces:
    rate = limit.loss_rate
    if rate is None:
        raise InvalidInputError(
            f"the limit by {limit.theorem} has no loss_rate; only limits of directions have one."
        )
    compare(flow, limit)  # refuses what is no limit of this flow
    heights, log_times = -flow.log_losses, flow.log_times
    expected = rate.log_times(-heights)
    known = np.isfinite(expected) & np.isfinite(log_times) & (log_times > 1.0) & (heights <= SEEN)
    if not known.any():
        raise InvalidInputError(
            "a flow's loss never fell below exp(-5); follow it further: gradient_flow(..., "
            "until_margin=...)."
        )
    heights, log_times, expected = heights[known], log_times[known], expected[known]
    leading = log_times - heights + rate.power * np.log(log_times) - rate.log_constant
    return LossCourseTraces(heights, np.exp(leading), np.exp(log_times - expected), name)
