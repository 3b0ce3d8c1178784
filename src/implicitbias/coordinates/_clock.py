"""The clock u(x) of a shape: its slope, its slack to the end of its range, and increments.

Crossing coordinates: u is odd, u(0) = 0, and its range (-c, c) is finite for L >= 3. Locked ones
have u -> -inf as x -> -inf and u(inf) = 0 for L >= 3, so that the slack is -u. L = 2: u = x.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from implicitbias._arrays import BoolArray, FloatArray, IntArray
from implicitbias.coordinates._complex_shape import SATURATED, Turning
from implicitbias.coordinates._equal_clock import unit_clock
from implicitbias.coordinates._integrals import SAFE_EXPONENT, blocks, carlson_reach, reach
from implicitbias.coordinates._scalars import SQUARED
from implicitbias.coordinates._shape import LOG_ZERO, Shape
from implicitbias.coordinates._short_steps import (
    CLOSED,
    NODES,
    WEIGHTS,
    panel_of,
    relative_increment,
    relative_remainder,
)

MAX_PANELS = 64
BLOCKS = (4096, 256, 4096)  # coordinates treated together: bounds the memory of the nodes
FLAT = 40.0  # e^{-FLAT} is below rounding


@dataclass(frozen=True, eq=False)
class Clock:
    """u(x) of m coordinates.

    Attributes
    ----------
    shape
        Their shape.
    half_range
        u(inf), (m,): half the length of the range where crossing and L >= 3; else inf.
    """

    shape: Shape
    half_range: FloatArray

    @classmethod
    def of(cls, shape: Shape) -> Clock:
        """Measure the ranges."""
        infinite = cls(shape, np.full(shape.size, np.inf))
        if shape.depth == 2:
            return infinite
        if shape.equal:
            return cls(shape, np.full(shape.size, unit_clock(shape.depth).total))
        whole = np.exp(infinite.log_slack(np.zeros(shape.size)))
        return cls(shape, np.where(shape.locked, np.inf, whole))

    def take(self, keep: BoolArray | IntArray) -> Clock:
        """Return the coordinates ``keep`` alone."""
        return Clock(self.shape.take(keep), self.half_range[keep])

    def log_reach(self, x: FloatArray) -> FloatArray:
        """Log of the slack over du/dx; x >= 0 where crossing, L >= 3."""
        shape = self.shape
        if shape.equal:
            return unit_clock(shape.depth).log_reach(x)
        if shape.turning is not None:
            return self._log_reach_with_turning(x)
        at, flat = self._into_reach(x)
        if shape.depth <= 4 and float(shape.log_g.min(initial=0.0)) > -SAFE_EXPONENT:
            smallest, following, _ = shape.rates(at)
            rest = carlson_reach(smallest, following)
        else:
            ratio = np.where(shape.locked, 1.0, np.tanh(at) ** 2)
            rest = reach(ratio, shape.log_following(at))
        return np.where(np.isnan(x), np.nan, np.log(rest + flat))

    def _log_reach_with_turning(self, x: FloatArray) -> FloatArray:
        reaches, real = np.empty_like(x), ~self.shape.is_turning
        reaches[real] = np.exp(self.take(real).log_reach(x[real]))
        at = np.clip(np.where(np.isnan(x), 0.0, x), 0.0, SATURATED)
        reaches = self.shape.or_turning(reaches, Turning.reach, at)
        return np.where(np.isnan(x), np.nan, np.log(reaches))

    def _into_reach(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """A bounded x and what the reach from there to x lacks.

        Far below the point where the first of the fixed layers begins to grow, a locked du/dx is a
        constant (the reach grows by the distance) or a pure exponential (the reach is constant).
        """
        shape = self.shape
        fixed = shape.log_h > LOG_ZERO
        turns = np.where(fixed, 0.5 * (shape.log_h - shape.log_g), np.inf).min(axis=0)
        lowest = np.where(shape.locked & np.isfinite(turns), turns - FLAT, 0.0)
        at = np.clip(np.where(np.isnan(x), 0.0, x), lowest, SATURATED)
        constant = shape.locked & fixed.all(axis=0)
        return at, np.where(constant, np.maximum(lowest - x, 0.0), 0.0)

    def log_slack(self, x: FloatArray) -> FloatArray:
        """Log of the distance from u(x) to the upper end, L >= 3; x >= 0 where crossing."""
        return self.log_reach(x) - self.shape.log_factors(x)

    def u(self, x: FloatArray) -> FloatArray:
        """u(x)."""
        shape = self.shape
        if shape.depth == 2:
            return x
        if shape.equal:
            return unit_clock(shape.depth).u(x)
        near = ~shape.locked & (np.abs(x) <= panel_of(shape))
        result = np.empty_like(x)
        zero = np.zeros(int(near.sum()))
        result[near] = self.take(near).increment(zero, x[near], relative=True)
        rest, y = self.take(~near), x[~near]
        locked = rest.shape.locked
        with np.errstate(over="ignore"):
            slack = np.exp(rest.log_slack(np.where(locked, y, np.abs(y))))
        positive = np.where(locked, 0.0, rest.half_range) - slack
        result[~near] = np.where(locked, 1.0, np.sign(y)) * positive
        return result

    def log_increment(self, x: FloatArray, dx: FloatArray) -> FloatArray:
        """log |u(x + dx) - u(x)|, -inf for dx = 0."""
        with np.errstate(divide="ignore"):
            if self.shape.depth == 2:
                return np.log(np.abs(dx))
            if self._in_closed_form(x, dx):
                closed = CLOSED[self.shape.depth](x, dx)
                return np.asarray(np.log(np.abs(closed)) - self.shape.log_factors(x))
            return self._by_length(x, dx, (_short_increment, _panels_increment, _far_increment))

    def increment(self, x: FloatArray, dx: FloatArray, *, relative: bool) -> FloatArray:
        """u(x + dx) - u(x), or that over (du/dx)(x)."""
        if self.shape.depth == 2:
            return dx
        if self._in_closed_form(x, dx):
            closed = CLOSED[self.shape.depth](x, dx)
            return closed if relative else closed * np.exp(-self.shape.log_factors(x))
        pieces = (_short_relative, _panels_relative, _far_relative)
        return self._scaled(x, dx, pieces, relative=relative, linear=0.0)

    def _in_closed_form(self, x: FloatArray, dx: FloatArray) -> bool:
        if not (self.shape.equal and self.shape.depth in CLOSED):
            return False
        largest = max(np.abs(x).max(initial=0.0), np.abs(x + dx).max(initial=0.0))
        return bool(largest < SQUARED)

    def remainder(self, x: FloatArray, dx: FloatArray, *, relative: bool) -> FloatArray:
        """u(x + dx) - u(x) - (du/dx)(x) dx, or that over (du/dx)(x)."""
        if self.shape.depth == 2:
            return np.zeros_like(x)
        pieces = (_short_remainder, _panels_remainder, _far_remainder)
        return self._scaled(x, dx, pieces, relative=relative, linear=1.0)

    def _scaled(
        self,
        x: FloatArray,
        dx: FloatArray,
        pieces: tuple[_Piece, _Piece, _Piece],
        *,
        relative: bool,
        linear: float,
    ) -> FloatArray:
        """A relative quantity, or the same times du/dx even where one of the two overflows."""
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            quotient = self._by_length(x, dx, pieces)
            if relative:
                return quotient
            slope = np.exp(-self.shape.log_factors(x))
            lost = ~np.isfinite(quotient)
            result = slope * np.where(lost, 0.0, quotient)
            if lost.any():
                size = np.exp(self.take(lost).log_increment(x[lost], dx[lost]))
                result[lost] = np.sign(dx[lost]) * size - linear * slope[lost] * dx[lost]
        return result

    def _by_length(
        self, x: FloatArray, dx: FloatArray, pieces: tuple[_Piece, _Piece, _Piece]
    ) -> FloatArray:
        """Treat each coordinate by the piece its step calls for."""
        size, panel = np.abs(dx), panel_of(self.shape)
        several = (size <= MAX_PANELS * panel) & (size * (self.shape.depth - 2) <= SAFE_EXPONENT)
        length = np.where(size <= panel, 0, np.where(several, 1, 2))
        if not length.any() and x.size <= BLOCKS[0]:
            return pieces[0](self, x, dx)
        result = np.empty_like(x)
        for kind, (piece, block) in enumerate(zip(pieces, BLOCKS, strict=True)):
            for part in blocks(np.flatnonzero(length == kind), block):
                result[part] = piece(self.take(part), x[part], dx[part])
        return result


_Piece = Callable[[Clock, FloatArray, FloatArray], FloatArray]


def _short_increment(clock: Clock, x: FloatArray, dx: FloatArray) -> FloatArray:
    return np.log(np.abs(relative_increment(clock.shape, x, dx))) - clock.shape.log_factors(x)


def _short_relative(clock: Clock, x: FloatArray, dx: FloatArray) -> FloatArray:
    return relative_increment(clock.shape, x, dx)


def _panels_relative(clock: Clock, x: FloatArray, dx: FloatArray) -> FloatArray:
    return _from_log(clock, x, dx, _panels_increment(clock, x, dx))


def _far_relative(clock: Clock, x: FloatArray, dx: FloatArray) -> FloatArray:
    return _from_log(clock, x, dx, _far_increment(clock, x, dx))


def _from_log(clock: Clock, x: FloatArray, dx: FloatArray, log_size: FloatArray) -> FloatArray:
    return np.sign(dx) * np.exp(log_size + clock.shape.log_factors(x))


def _short_remainder(clock: Clock, x: FloatArray, dx: FloatArray) -> FloatArray:
    return relative_remainder(clock.shape, x, dx)


def _composite(panel: float, dx: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Nodes on the way to dx, (N, m), and weights that sum to 1."""
    panels = int(np.ceil(np.abs(dx).max() / panel))
    nodes = (np.arange(panels)[:, None] + NODES) / panels
    return nodes.reshape(-1, 1) * dx, np.tile(WEIGHTS / panels, panels)


def _panels_increment(clock: Clock, x: FloatArray, dx: FloatArray) -> FloatArray:
    y, weights = _composite(panel_of(clock.shape), dx)
    log_slopes = -clock.shape.log_factors(x + y)
    top = log_slopes.max(axis=0)
    mean = np.tensordot(weights, np.exp(log_slopes - top), axes=1)
    return np.asarray(top + np.log(mean) + np.log(np.abs(dx)))


def _panels_remainder(clock: Clock, x: FloatArray, dx: FloatArray) -> FloatArray:
    y, weights = _composite(panel_of(clock.shape), dx)
    change = np.expm1(-clock.shape.log_growth(x, y))
    return dx * np.tensordot(weights, change, axes=1)


def _far_increment(clock: Clock, x: FloatArray, dx: FloatArray) -> FloatArray:
    """Differences of slacks on one side of 0, sums of clocks across it."""
    lower, upper = np.minimum(x, x + dx), np.maximum(x, x + dx)
    crossing = ~clock.shape.locked
    across = crossing & (lower < 0.0) & (upper > 0.0)
    result = np.empty_like(x)
    if across.any():
        part = clock.take(across)
        result[across] = np.log(part.u(upper[across]) - part.u(lower[across]))
    if not across.all():
        mirrored = (crossing & (upper <= 0.0))[~across]
        part, low, high = clock.take(~across), lower[~across], upper[~across]
        near = part.log_slack(np.where(mirrored, -high, low))
        end = part.log_slack(np.where(mirrored, -low, high))
        result[~across] = near + np.log1p(-np.exp(end - near))
    return result


def _far_remainder(clock: Clock, x: FloatArray, dx: FloatArray) -> FloatArray:
    return _far_relative(clock, x, dx) - dx
