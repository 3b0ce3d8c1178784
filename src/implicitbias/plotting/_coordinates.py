"""One decoupled coordinate: its value rho as a function of its clock s."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from implicitbias._arrays import FloatArray, finite_array, positive_float
from implicitbias._errors import InvalidInputError
from implicitbias.coordinates import Curves
from implicitbias.plotting._style import WIDTH, aside, axes_of, cross, framed, given, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS = 801
FAR = 4.0  # times the span, in the curves' parameter, along a coordinate that keeps its sign


@dataclass(frozen=True, eq=False)
class CoordinateTrace:
    """rho(s) = prod_l p_l(s) along dp_l/ds = prod_{k != l} p_k.

    Attributes
    ----------
    name
        What the legend says.
    s, rho
        The clock and the coordinate, (k,), where |rho| is at most the reach asked for, and |s| at
        most the span.
    ends
        Where the clock's range ends, (2,); infinite for L = 2.
    """

    name: str
    s: FloatArray
    rho: FloatArray
    ends: FloatArray


def coordinate_traces(
    starts: Mapping[str, Any], *, reach: float = 5.0, span: float = 3.0
) -> tuple[CoordinateTrace, ...]:
    """Collect rho(s) for each start.

    Parameters
    ----------
    starts
        By name, the layers' values p_l(0) of one coordinate, (L,).
    reach, span
        The largest |rho| and |s| to show.

    Raises
    ------
    InvalidInputError
        No start, one that is not at least two finite numbers, or a reach or span that is not
        positive.
    """
    given(starts, Mapping, "starts", "layers by name, such as {'a': [1, 0]}")
    if not starts:
        raise InvalidInputError("starts is empty; expected layers by name, such as {'a': [1, 0]}.")
    reach, span = positive_float(reach, "reach"), positive_float(span, "span")
    return tuple(_trace(name, start, reach, span) for name, start in starts.items())


def coordinate_curves(
    starts: Mapping[str, Any], *, reach: float = 5.0, span: float = 3.0, ax: Axes | None = None
) -> Axes:
    """Draw rho against s. Dotted: the finite clocks at which deeper coordinates are infinite.

    Parameters
    ----------
    starts, reach, span
        As in ``coordinate_traces``.
    ax
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    InvalidInputError
        As ``coordinate_traces``.
    """
    traces = coordinate_traces(starts, reach=reach, span=span)
    ax = axes_of(ax)
    for rank, trace in enumerate(traces):
        style = look(rank)
        ax.plot(trace.s, trace.rho, linewidth=WIDTH, label=trace.name, **style)
        for end in trace.ends[np.isfinite(trace.ends)]:
            ax.axvline(
                end, color=style["color"], linewidth=0.9, linestyle=":", label=aside(trace.name)
            )
    cross(ax)
    ax.set_ylim(-reach, reach)
    return framed(ax, r"clock $s$", r"coordinate $\rho(s)$")


def _trace(name: str, start: Any, reach: float, span: float) -> CoordinateTrace:
    layers = finite_array(start, f"starts, {name!r},", shape=(None,))
    curves = Curves.from_start(layers[:, None], 0.0)
    low, high = (float(end[0]) for end in _clocks(curves))
    reached = [float(t[0]) for t in (_t(curves, -reach), _t(curves, reach))]
    # A locked coordinate never comes to the other sign: follow it for a while.
    far = curves.t0[0] + np.array([-span, span]) * (1.0 if curves.dead[0] else FAR)
    first, last = np.where(np.isfinite(reached), reached, far)
    t = np.linspace(first, last, POINTS)
    many = curves.take(np.zeros(POINTS, dtype=np.intp))
    u0 = curves.u(curves.t0)[0]
    s = (many.u(t) - u0) * np.exp(-(curves.depth - 2) * curves.log_unit[0])
    shown = np.abs(s) <= span
    return CoordinateTrace(name, s[shown], many.rho(t)[shown], np.array([low, high]))


def _t(curves: Curves, rho: float) -> FloatArray:
    return curves.t_from_rho(np.array([np.sign(rho)]), np.log(np.abs(np.array([rho]))))


def _clocks(curves: Curves) -> tuple[FloatArray, FloatArray]:
    """The range of s: that of u, measured from the start, in actual units."""
    low, high = curves.u_limits()
    unit = np.exp(-(curves.depth - 2) * curves.log_unit)
    u0 = curves.u(curves.t0)
    return (low - u0) * unit, (high - u0) * unit
