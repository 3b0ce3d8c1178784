"""The potential H_L and the level sets of Q: between the square and the absolute value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from implicitbias._arrays import FloatArray, finite_array, positive_float, positive_int
from implicitbias._errors import InvalidInputError
from implicitbias.coordinates import lemma4
from implicitbias.plotting._style import REST, WIDTH, aside, axes_of, cross, framed, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TAU = np.geomspace(1e-3, 1e4, 141)
ANGLES = np.linspace(0.0, 2.0 * np.pi, 721)
HALVINGS = 60  # of the bracket of a radius: to rounding


@dataclass(frozen=True, eq=False)
class PotentialTrace:
    """H_L and what it tends to.

    Attributes
    ----------
    depth
        L.
    tau, value
        tau > 0 and H_L(tau), (k,).
    quadratic
        tau^2 / 2, which H_L tends to at 0.
    linear
        c_L tau, which H_L / tau tends to at infinity; for L = 2, where c_2 is infinite,
        tau (log(4 tau) - 1) / 2.
    """

    depth: int
    tau: FloatArray
    value: FloatArray
    quadratic: FloatArray
    linear: FloatArray


@dataclass(frozen=True, eq=False)
class LevelTrace:
    """A level set of Q(rho) = alpha^2 sum_j eta_j^2 H_L(rho_j / (alpha |eta_j|)^L).

    Attributes
    ----------
    depth, scale
        L and alpha; 0 and infinity stand for what the level sets tend to there.
    points
        (k, 2), closed.
    """

    depth: int
    scale: float
    points: FloatArray


def potential_traces(depths: Sequence[int] = (2, 3, 4, 5)) -> tuple[PotentialTrace, ...]:
    """Collect H_L(tau) = int_0^tau h_L^{-1} and its two regimes.

    Raises
    ------
    InvalidInputError
        No depth, or one that is not a whole number >= 2.
    """
    if not len(depths):
        raise InvalidInputError("depths is empty; expected at least one, such as (2, 3).")
    return tuple(_potential_trace(depth) for depth in depths)


def potential(depths: Sequence[int] = (2, 3, 4, 5), *, ax: Axes | None = None) -> Axes:
    """Draw H_L(tau) / tau, which rises from tau / 2 to the slope c_L of an absolute value.

    Parameters
    ----------
    depths
        Which L.
    ax
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    InvalidInputError
        As ``potential_traces``.
    """
    traces = potential_traces(depths)
    ax = axes_of(ax)
    for rank, trace in enumerate(traces):
        style = look(rank)
        name = f"L = {trace.depth}"
        ax.loglog(trace.tau, trace.value / trace.tau, linewidth=WIDTH, label=name, **style)
        far = trace.tau > 30.0
        ax.plot(
            trace.tau[far],
            (trace.linear / trace.tau)[far],
            color=style["color"],
            linewidth=1.0,
            linestyle=":",
            label=aside(name),
        )
    near = traces[0].tau < 3.0
    quadratic = (traces[0].quadratic / traces[0].tau)[near]
    dotted: dict[str, Any] = {"color": "black", "linewidth": 0.9, "linestyle": ":"}
    ax.plot(traces[0].tau[near], quadratic, label=aside(r"$\tau / 2$"), **dotted)
    ax.text(0.02, 0.02, r"$\tau / 2$ ", ha="right", va="bottom", fontsize="small")
    ax.plot([], [], color=REST, linestyle=":", label=r"$c_L$; $(\log 4\tau - 1)/2$ for $L = 2$")
    return framed(ax, r"$\tau = \rho_j\, /\, (\alpha |\eta_j|)^L$", r"$H_L(\tau)\, /\, \tau$")


def level_traces(
    depth: int,
    scales: Sequence[float],
    eta: Any = (1.0, 1.0),
    *,
    through: Any = (1.0, 0.0),
) -> tuple[LevelTrace, ...]:
    """Collect {rho : Q(rho) = Q(through)} in the plane for each scale.

    Level sets tend to those of sum_j |eta_j|^{2-L} |rho_j| as alpha falls to 0, and of
    sum_j |eta_j|^{2-2L} rho_j^2 as it grows.

    Parameters
    ----------
    depth
        L >= 2.
    scales
        alpha >= 0, infinity included.
    eta
        The two directions of the start.
    through
        A point of the level sets other than 0, (2,).

    Raises
    ------
    InvalidInputError
        A depth, scale, direction or point out of range.
    """
    depth = positive_int(depth, "depth", at_least=2)
    eta = np.abs(finite_array(eta, "eta", shape=(2,)))
    if not np.all(eta > 0):
        raise InvalidInputError(f"eta is {eta.tolist()}; expected two numbers other than 0.")
    point = finite_array(through, "through", shape=(2,))
    if not np.any(point):
        raise InvalidInputError("through is the origin; expected another point of the plane.")
    if not len(scales):
        raise InvalidInputError("scales is empty; expected at least one, such as [0.1, 10].")
    return tuple(
        LevelTrace(depth, alpha, _level(depth, alpha, eta, point))
        for alpha in (_scale(scale) for scale in scales)
    )


def levels(
    depth: int, scales: Sequence[float], eta: Any = (1.0, 1.0), *, ax: Axes | None = None
) -> Axes:
    """Draw the level sets of Q through (1, 0): ellipses at large scales, diamonds at small ones.

    Parameters
    ----------
    depth, scales, eta
        As in ``level_traces``.
    ax
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    InvalidInputError
        As ``level_traces``.
    """
    traces = level_traces(depth, scales, eta)
    ax = axes_of(ax, (5.6, 4.6))
    for rank, trace in enumerate(traces):
        ax.plot(
            *trace.points.T, linewidth=WIDTH, label=rf"$\alpha$ = {trace.scale:g}", **look(rank)
        )
    ax.set_aspect("equal")
    cross(ax)
    ax.set_title(f"L = {depth}", fontsize="medium")
    return framed(ax, r"$\rho_1$", r"$\rho_2$")


def _potential_trace(depth: int) -> PotentialTrace:
    limit = lemma4.existence_time(depth)
    linear = TAU * (np.log(4 * TAU) - 1) / 2 if np.isinf(limit) else limit * TAU
    value = np.asarray(lemma4.H(TAU, depth))
    return PotentialTrace(depth, TAU, value, TAU**2 / 2, linear)


def _scale(given: Any) -> float:
    return np.inf if given == np.inf else positive_float(given, "a scale", allow_zero=True)


def _level(depth: int, alpha: float, eta: FloatArray, point: FloatArray) -> FloatArray:
    """The radius in each direction, by bisection: Q increases along every ray."""
    size = _size(depth, alpha, eta)
    level = size(point)
    rays = np.column_stack([np.cos(ANGLES), np.sin(ANGLES)])
    low, high = np.zeros(len(rays)), np.full(len(rays), np.linalg.norm(point))
    while np.any(size(high[:, None] * rays) < level):
        high = high * 2.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        inside = size(middle[:, None] * rays) < level
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return np.asarray(high[:, None] * rays)


def _size(depth: int, alpha: float, eta: FloatArray) -> Callable[[FloatArray], FloatArray]:
    """Q up to a factor, and the weighted norms that it tends to at either end."""
    if alpha == 0.0:
        return lambda rho: np.asarray(np.abs(rho) @ eta ** (2 - depth))
    if np.isinf(alpha):
        return lambda rho: np.asarray(rho**2 @ eta ** (2 - 2 * depth))
    units = (alpha * eta) ** depth
    return lambda rho: np.asarray(lemma4.H(rho / units, depth)) @ eta**2
