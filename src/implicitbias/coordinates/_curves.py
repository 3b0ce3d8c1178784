"""Decoupled real coordinates as scalar curves: rho, the clock s, and the potentials."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from implicitbias._arrays import BoolArray, FloatArray, IntArray, NumericArray, finite_array
from implicitbias._errors import InvalidInputError
from implicitbias.coordinates._clock import Clock
from implicitbias.coordinates._direct import Direct
from implicitbias.coordinates._divergence import (
    are_moderate,
    log_divergence,
    log_divergence_from_rest,
    log_growth,
)
from implicitbias.coordinates._inverse import advance, x_from_log_slack, x_from_u
from implicitbias.coordinates._points import LARGEST, EqualPoint, Point
from implicitbias.coordinates._scalar_curves import ScalarCurves, exp
from implicitbias.coordinates._start import Start, equal_layers, start_from, start_from_complex

LARGEST_EXPONENT = 600.0
SMALLEST_UNIT = -300.0  # log: r, which may be as large as its inverse, is squared by slopes
FAR = 40.0  # a clock this long makes the other exponential vanish


@dataclass(frozen=True, eq=False)
class Curves(ScalarCurves):
    """dp_l/ds = prod_{k != l} p_k for m coordinates of depth L, solved in closed form.

    With q the layer of smallest magnitude, Q = q times the signs of the others and offsets
    c_l = p_l(0)^2 - q(0)^2 >= 0,

        rho = Q prod_l sqrt(Q^2 + c_l),      ds = dQ / prod_l sqrt(Q^2 + c_l),

    both increasing in Q. A real parameter t, increasing in s, stands for Q:

    - crossing (all c_l > 0):             Q = C sinh t, C^2 the smallest offset; s in a range
      (-c, c) around the point t = 0, finite for L >= 3;
    - locked (a c_l = 0, Q(0) != 0):      Q = +-C e^{+-t}, C = |Q(0)|, t = 0 at the start: Q keeps
      its sign and reaches 0 only as t -> -+inf;
    - dead (a c_l = 0 and Q(0) = 0):      rho = 0 for ever; t = s;
    - turning (complex layers with conjugates on the right, I = Im prod_l p_l != 0): rho stands for
      Re prod_l p_l, which crosses like the first kind; I stays (``_complex_shape``).

    Scales enter as logarithms only: with u the clock in units,
    s = exp(-(L - 2) log_unit) (u(t) - u(t0)). Only t itself is bound to float64: for rho / C^L
    below 1e-308, where rho is linear in t to rounding, the t of a crossing coordinate is 0.

    Attributes
    ----------
    log_unit
        (m,): (L - 2) log_unit is the logarithm of the product of the L - 2 largest layers at t = 0
        (for L = 2, log_unit = log C).

    Every method takes and returns arrays of shape (m,).

    Source: Section 5.2 of Yun, Krishnan and Mobahi (ICLR 2021), extended to every real start.
    """

    growth_rate: ClassVar[float] = 2.0  # e^{2 |s|}
    log_unit: FloatArray
    _start: Start
    _clock: Clock
    _log_size: FloatArray

    @classmethod
    def from_start(cls, coordinates: Any, log_scale: float) -> Curves:
        """Curves through p_l(0) = exp(log_scale) * coordinates[l].

        Parameters
        ----------
        coordinates
            Real, shape (L, m), L >= 2.
        log_scale
            The logarithm of the scale; exp(log_scale) itself may be beyond float64.

        Raises
        ------
        InvalidInputError
            ``coordinates`` is not a finite real (L, m) array with L >= 2, or ``log_scale`` is not
            a finite number.
        """
        array = finite_array(coordinates, "coordinates", shape=(None, None))
        if len(array) < 2:
            raise InvalidInputError(
                f"coordinates has shape {array.shape}, one layer; expected (L, m) with L >= 2."
            )
        scale = float(finite_array([log_scale], "log_scale", shape=(1,))[0])
        return cls._of(start_from(array, scale))

    @classmethod
    def from_complex_start(cls, coordinates: Any, log_scale: float) -> Curves:
        """Curves of dp_l/ds = conj(prod_{k != l} p_k) through exp(log_scale) * coordinates[l].

        Parameters
        ----------
        coordinates
            Shape (L, m), L >= 2. Coordinates whose product of layers is real must have real layers.
        log_scale
            The logarithm of the scale.

        Raises
        ------
        InvalidInputError
            As ``from_start``, or complex layers with a real product.
        """
        array = finite_array(coordinates, "coordinates", shape=(None, None), allow_complex=True)
        if len(array) < 2 or not np.iscomplexobj(array) or not array.imag.any():
            return cls.from_start(array.real, log_scale)
        scale = float(finite_array([log_scale], "log_scale", shape=(1,))[0])
        return cls._of(start_from_complex(array, scale))

    @classmethod
    def _of(cls, start: Start) -> Curves:
        return cls(start.log_unit, start, Clock.of(start.shape), start.log_size)

    def shifted(self, log_scale_change: float | FloatArray) -> Curves:
        """Return the same directions at scales exp(log_scale_change) times as large; one or m."""
        there = replace(
            self,
            log_unit=self.log_unit + log_scale_change,
            _log_size=self._log_size + log_scale_change,
        )
        there.__dict__["_some_dead"] = self._some_dead
        return there

    def begun_at(self, t: FloatArray) -> Curves:
        """Return the same curves with s = 0 at t."""
        return replace(self, _start=replace(self._start, t0=t))

    def take(self, keep: BoolArray | IntArray) -> Curves:
        """Return the coordinates ``keep`` (indices or a mask) alone."""
        start, clock = self._start.take(keep), self._clock.take(keep)
        return Curves(self.log_unit[keep], start, clock, self._log_size[keep])

    @property
    def depth(self) -> int:
        """L."""
        return self._start.shape.depth

    @property
    def t0(self) -> FloatArray:
        """The parameter at s = 0."""
        return self._start.t0

    @property
    def locked(self) -> BoolArray:
        """Where rho keeps its sign."""
        return self._start.shape.locked

    @property
    def orientation(self) -> FloatArray:
        """-1 where rho is locked below 0, else 1: its sign, however small."""
        return self._start.orientation

    @property
    def dead(self) -> BoolArray:
        """Where rho = 0 for ever."""
        return self._start.dead

    @property
    def turning(self) -> BoolArray:
        """Where Im prod_l p_l != 0."""
        turning = self._start.turning
        return np.zeros(self.size, dtype=bool) if turning is None else turning.columns

    @property
    def imaginary(self) -> FloatArray:
        """Im prod_l p_l, constant; 0 where the layers are real."""
        result, turning = np.zeros(self.size), self._start.turning
        if turning is not None:
            log_size = turning.log_imaginary + self.depth * self._log_size[turning.columns]
            result[turning.columns] = turning.side * exp(log_size)
        return result

    @property
    def equal(self) -> bool:
        """Whether all coordinates cross with equal offsets (Theorem 5 has this, and t0 = 0)."""
        return self._start.shape.equal and not self._some_dead

    @cached_property
    def _some_dead(self) -> bool:
        return bool(self.dead.any())

    # rho

    def log_abs_rho(self, t: FloatArray) -> FloatArray:
        """log |rho|, in actual units."""
        return self._unless_dead(self._clock.shape.log_r(self._x(t)) + self._log_rho_unit, -np.inf)

    def scaled_rho(self, t: FloatArray) -> tuple[FloatArray, FloatArray]:
        """rho over exp(log_size), and log_size, that of the largest; 0 and -inf if all vanish.

        Here t may be a stack (..., m); log_size is then (...).
        """
        if self.equal and self.depth * np.abs(t).max(initial=0.0) < LARGEST_EXPONENT:
            unit = self._log_rho_unit.max()
            r = np.sinh(t) * np.cosh(t) ** (self.depth - 1) * np.exp(self._log_rho_unit - unit)
            largest = np.abs(r).max(axis=-1, initial=0.0)
            if np.all(largest > 0.0):
                return r / largest[..., None], np.log(largest) + unit
        return super().scaled_rho(t)

    def rho_from_u(self, u: FloatArray) -> FloatArray:
        """rho at the clock u, without the parameter in between where all offsets are equal.

        NaN outside the range.
        """
        direct = self.direct()
        if direct is None or self.depth == 2:
            return self.rho(self.t_from_u(u))
        inside, rho = np.abs(u) < self._clock.half_range, np.full_like(u, np.nan)
        with np.errstate(over="ignore"):
            rho[inside] = np.broadcast_to(direct[1], u.shape)[inside] * direct[0].r(u[inside])
        return rho

    def direct(self) -> tuple[Direct, FloatArray] | None:
        """For equal offsets, where the units of rho and what they multiply are within float64."""
        if not self.equal or not np.all(
            (self._log_rho_unit > SMALLEST_UNIT) & (self._log_rho_unit < LARGEST_EXPONENT)
        ):
            return None
        return Direct(self.depth), exp(self._log_rho_unit)

    def log_rho_slope(self, t: FloatArray) -> FloatArray:
        """Log of d rho / dt, in actual units."""
        slope = self._clock.shape.log_r_slope(self._x(t))
        return self._unless_dead(slope + self._log_rho_unit, -np.inf)

    def t_from_rho(self, sign: FloatArray, log_abs_rho: FloatArray) -> FloatArray:
        """t with rho(t) = sign exp(log_abs_rho); NaN where the coordinate cannot reach it.

        rho = 0 (sign 0, or log_abs_rho -inf) is t = 0 where crossing or dead and t = -+inf, the
        limit, where locked.
        """
        zero = (sign == 0) | (log_abs_rho == -np.inf)
        x = self._clock.shape.x_from_log_r(np.where(zero, 0.0, log_abs_rho - self._log_rho_unit))
        orientation = self._start.orientation
        locked = np.where(zero, -np.inf, np.where(sign == orientation, x, np.nan)) * orientation
        t = np.where(self.locked, locked, np.where(zero, 0.0, x * np.sign(sign)))
        return np.where(self.dead & ~zero, np.nan, t)

    def point(self, t: FloatArray) -> Point:
        """What a step from t asks for, evaluated once; t must stay as it is."""
        unit = self._rho_unit if self.equal else None
        if unit is not None and self.depth * np.abs(t).max(initial=0.0) < LARGEST:
            return EqualPoint(self, t, unit, self._log_rho_unit)
        return Point(self, t)

    # the clock

    def u(self, t: FloatArray) -> FloatArray:
        """The clock in units: odd where crossing, L >= 3: 0 at the finite end where locked."""
        return self._unless_dead(self._start.orientation * self._clock.u(self._x(t)), t)

    def log_u_slope(self, t: FloatArray) -> FloatArray:
        """Log of du/dt."""
        return self._unless_dead(-self._clock.shape.log_factors(self._x(t)), 0.0)

    def slope_rates(self, t: FloatArray) -> tuple[FloatArray, FloatArray]:
        """d log rho' / dt and d log u' / dt to some digits; 0 where dead."""
        if not (self.equal or (self.depth == 2 and self._start.turning is None)):
            return super().slope_rates(t)
        depth, tanh = self.depth, np.tanh(t)
        rho = tanh * (2.0 * depth / (1.0 + (depth - 1.0) * tanh * tanh) + (depth - 2.0))
        if self.depth == 2:
            rho = np.where(self.locked, 2.0 * self.orientation, rho)
        return self._unless_dead(rho, 0.0), -(depth - 2.0) * tanh

    def u_limits(self) -> tuple[FloatArray, FloatArray]:
        """Lower and upper end of u's range."""
        half = self._unless_dead(self._clock.half_range, np.inf)
        if self.depth == 2:
            return -half, half
        orientation = self._start.orientation
        upper = np.where(self.locked & (orientation > 0), 0.0, half)
        lower = np.where(self.locked & (orientation < 0), 0.0, -half)
        return lower, upper

    def log_slack(self, t: FloatArray) -> FloatArray:
        """Log of the slack; never underflows."""
        if self.depth == 2:
            return np.full(self.size, np.inf)
        x = self._x(t)
        return self._unless_dead(self._clock.log_slack(np.where(self.locked, x, np.abs(x))), np.inf)

    def u_increment(self, t: FloatArray, dt: FloatArray, *, relative: bool = False) -> FloatArray:
        """u(t + dt) - u(t), or that over u'(t), without cancellation."""
        return self._oriented(self._clock.increment, t, dt, relative, dt)

    def u_remainder(self, t: FloatArray, dt: FloatArray, *, relative: bool = False) -> FloatArray:
        """u(t + dt) - u(t) - u'(t) dt, or that over u'(t), without cancellation."""
        return self._oriented(self._clock.remainder, t, dt, relative, 0.0)

    def t_from_u(self, u: FloatArray) -> FloatArray:
        """t with u(t) = u; NaN outside the range."""
        return self._unless_dead(self._start.orientation * x_from_u(self._clock, self._x(u)), u)

    def t_increment(self, t: FloatArray, du: FloatArray) -> FloatArray:
        """dt with u(t + dt) = u(t) + du, without cancellation; NaN outside the range."""
        dx = advance(self._clock, self._x(t), self._x(du))
        return self._unless_dead(self._start.orientation * dx, du)

    def t_from_log_slack(self, sides: FloatArray, log_slack: FloatArray) -> FloatArray:
        """t on the side +-1 by the log of its slack, L >= 3; NaN beyond half of the range."""
        return self._unless_dead(sides * x_from_log_slack(self._clock, log_slack), np.nan)

    # what ties depend on

    def kind(self, layers: FloatArray, side: float) -> tuple[Hashable, Fraction]:
        """A start times r has clocks times r^{2 - L}: those in exact proportion are similar."""
        sizes = sorted(Fraction(float(value)) for value in np.abs(layers))
        own = int(np.prod(np.sign(layers))) * (1 if side > 0 else -1)
        ratios = tuple(size / sizes[-1] for size in sizes)
        return (own, ratios), sizes[-1] ** (2 - len(sizes))

    def log_ahead(self, sides: FloatArray) -> FloatArray:
        """2 log |p_1 + side p_2| at the start, L = 2: |rho| ~ (p_1 + side p_2)^2 e^{2 |s|} / 4."""
        logs = self.log_abs_rho(self.t0 + sides * FAR) + np.log(4.0) - 2.0 * FAR
        if self._start.turning is not None:
            return np.asarray(logs)
        ahead = 2.0 * (self._log_size + sides * self.t0) + np.where(self.locked, np.log(4.0), 0.0)
        return np.where(self.locked & (sides != self.orientation), logs, ahead)

    # layers and potentials

    def layers(self, t: FloatArray) -> NumericArray:
        """The layers p_l, (L, m), in their original order; complex if some coordinates turn."""
        layers, turning = self._real_layers(t), self._start.turning
        if turning is None:
            return layers
        columns, layers = turning.columns, layers.astype(np.complex128)
        layers[:, columns] = turning.layers(t[columns], self._log_size[columns])
        return layers

    def _real_layers(self, t: FloatArray) -> NumericArray:
        start, shape, x = self._start, self._clock.shape, self._x(t)
        if self.equal and are_moderate(self._log_size, x):
            return equal_layers(start, self._log_size, x)
        moved = [shape.base(x) + self._log_size, shape.log_next(x) + self._log_size]
        others = start.log_others + (self._log_size - start.log_size)
        moved += [shape.log_factor(x, i) + other for i, other in enumerate(others)]
        logs = np.stack(moved)
        if self.dead.any():
            logs[:, self.dead] = -np.inf
            logs[2:, self.dead] = others[:, self.dead]
        signs = start.signs.astype(float)
        side = np.where(self.locked, signs[0], np.sign(t))
        signs[0] = side * signs[1:].prod(axis=0)
        result = np.empty_like(logs)
        np.put_along_axis(result, start.order, signs * exp(logs), axis=0)
        return result

    def potential(self, t: FloatArray) -> FloatArray:
        """Psi(s(t)) = (Q(t)^2 - Q(t0)^2) / 2."""
        return self._potential(t - self.t0)

    def log_divergence(self, t: FloatArray, t_other: FloatArray) -> FloatArray:
        """Log of the divergence, -inf where t = t_other; never under- or overflows."""
        if self.equal and t_other is self.t0 and not t_other.any() and are_moderate(t):
            return log_divergence_from_rest(self._clock, t) + 2.0 * self._log_size
        dx = self._x(t - t_other)
        gap = log_divergence(self._clock, self._x(t_other), dx)
        return self._unless_dead(gap + 2.0 * self._log_size, -np.inf)

    def _potential(self, step: FloatArray) -> FloatArray:
        sign, log_size = log_growth(self._clock.shape, self._x(self.t0), self._x(step))
        return self._unless_dead(sign * exp(log_size + 2.0 * self._log_size), 0.0)

    @cached_property
    def _log_rho_unit(self) -> FloatArray:
        return 2.0 * self._log_size + (self.depth - 2) * self.log_unit

    @cached_property
    def _rho_unit(self) -> FloatArray | None:
        """The unit of rho; None where it, or rho of moderate t, may not fit float64."""
        largest = float(np.abs(self._log_rho_unit).max(initial=0.0))
        return np.exp(self._log_rho_unit) if largest < LARGEST else None

    def _x(self, t: FloatArray) -> FloatArray:
        """The shape's parameter, or a step in it: mirrored where locked negative."""
        return self._unless_dead(self._start.orientation * t, 0.0)

    def _oriented(
        self, method: Any, t: FloatArray, dt: FloatArray, relative: bool, dead: Any
    ) -> FloatArray:
        value = method(self._x(t), self._x(dt), relative=relative)
        return self._unless_dead(self._start.orientation * value, dead)

    def _unless_dead(self, value: FloatArray, dead: Any) -> FloatArray:
        if not self._some_dead:
            return value
        return np.asarray(np.where(self.dead, dead, value))
