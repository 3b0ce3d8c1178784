"""The coordinates of a two-sided network: rho_j = u_j^D - v_j^D as scalar curves, D real."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from implicitbias._arrays import BoolArray, FloatArray, IntArray, NumericArray, finite_array
from implicitbias._errors import InvalidInputError
from implicitbias.coordinates._pair import Pair
from implicitbias.coordinates._scalar_curves import ScalarCurves, exp
from implicitbias.coordinates._scalars import log_cosh


@dataclass(frozen=True, eq=False)
class TwoSidedCurves(ScalarCurves):
    """rho = u^D - v^D under du/ds = D u^{D-1}, dv/ds = -D v^{D-1}, in closed form (``_pair``).

    - crossing (u, v != 0 at the start), t = x: rho takes every value, around t = 0 where |u| = |v|;
    - locked (one of them 0): that one stays 0, and rho keeps the sign of the other's part, t = 0
      at the start;
    - dead (both 0).

    Attributes
    ----------
    log_unit
        log C, (m,): C^{2-D} = (|u|^{2-D} + |v|^{2-D}) / 2 where crossing; else log of the one that
        moves.

    Source: Woodworth et al. (COLT 2020) for u = v at the start; Azulay et al. (ICML 2021) for
    other starts and D = 2.
    """

    growth_rate: ClassVar[float] = 4.0  # e^{4 |s|}
    log_unit: FloatArray
    _pair: Pair
    _t0: FloatArray
    _signs_of_layers: FloatArray
    _orientation: FloatArray
    _dead: BoolArray

    @classmethod
    def from_start(cls, coordinates: Any, power: float, log_scale: float) -> TwoSidedCurves:
        """Curves through (u, v)(0) = exp(log_scale) * coordinates.

        Parameters
        ----------
        coordinates
            Real, shape (2, m). Negative entries are for D an even number only, where u^D does not
            tell them from positive ones.
        power
            D >= 2.
        log_scale
            The logarithm of the scale; exp(log_scale) itself may be beyond float64.

        Raises
        ------
        InvalidInputError
            ``coordinates`` is not a finite real (2, m) array, D < 2, or entries are negative for D
            not even.
        """
        array = finite_array(coordinates, "coordinates", shape=(2, None))
        if not 2.0 <= power < np.inf:
            raise InvalidInputError(f"power is {power}; expected a finite number >= 2.")
        if power % 2.0 != 0.0 and (array < 0.0).any():
            raise InvalidInputError(
                f"coordinates contains {array.min():g}; for D = {power:g}, not an even number, "
                "u and v have to be >= 0."
            )
        scale = float(finite_array([log_scale], "log_scale", shape=(1,))[0])
        u, v = np.abs(array)
        dead, locked = (u == 0.0) & (v == 0.0), (u == 0.0) != (v == 0.0)
        crossing = ~(dead | locked)
        half_ratio = np.where(crossing, 0.5 * _log_ratio(u, v, crossing), 0.0)
        with np.errstate(divide="ignore"):
            larger = np.where(dead, 0.0, np.log(np.maximum(u, v)))
        log_unit = larger - np.abs(half_ratio)  # the geometric mean
        if power > 2.0:
            log_unit = log_unit - log_cosh((power - 2.0) * half_ratio) / (power - 2.0)
        return cls(
            log_unit + np.where(dead, 0.0, scale),
            Pair(power, locked),
            power * half_ratio,
            np.where(np.signbit(array), -1.0, 1.0),
            np.where(locked & (u == 0.0), -1.0, 1.0),
            dead,
        )

    def shifted(self, log_scale_change: float | FloatArray) -> TwoSidedCurves:
        """Return the same directions at scales exp(log_scale_change) times as large; one or m."""
        return replace(self, log_unit=self.log_unit + log_scale_change)

    def begun_at(self, t: FloatArray) -> TwoSidedCurves:
        """Return the same curves with s = 0 at t."""
        return replace(self, _t0=t)

    def take(self, keep: BoolArray | IntArray) -> TwoSidedCurves:
        """Return the coordinates ``keep`` (indices or a mask) alone."""
        return TwoSidedCurves(
            self.log_unit[keep],
            self._pair.take(keep),
            self._t0[keep],
            self._signs_of_layers[:, keep],
            self._orientation[keep],
            self._dead[keep],
        )

    @property
    def depth(self) -> float:
        """D."""
        return self._pair.power

    @property
    def t0(self) -> FloatArray:
        """The parameter at s = 0."""
        return self._t0

    @property
    def locked(self) -> BoolArray:
        """Where rho keeps its sign: one of u and v is 0, and stays it."""
        return self._pair.locked

    @property
    def orientation(self) -> FloatArray:
        """-1 where u = 0 != v, else 1."""
        return self._orientation

    @property
    def dead(self) -> BoolArray:
        """Where u = v = 0 for ever."""
        return self._dead

    # rho

    def log_abs_rho(self, t: FloatArray) -> FloatArray:
        """log |rho|, in actual units."""
        logs = self._pair.log_r(self._x(t)) + self.depth * self.log_unit
        return self._unless_dead(logs, -np.inf)

    def log_rho_slope(self, t: FloatArray) -> FloatArray:
        """Log of d rho / dt, in actual units."""
        logs = self._pair.log_r_slope(self._x(t)) + self.depth * self.log_unit
        return self._unless_dead(logs, -np.inf)

    def t_from_rho(self, sign: FloatArray, log_abs_rho: FloatArray) -> FloatArray:
        """t with rho(t) = sign exp(log_abs_rho); NaN where the coordinate cannot reach it."""
        zero = (sign == 0) | (log_abs_rho == -np.inf)
        log_r = np.where(zero, 0.0, log_abs_rho - self.depth * self.log_unit)
        x = self._pair.x_from_log_r(log_r)
        orientation = self._orientation
        locked = np.where(zero, -np.inf, np.where(sign == orientation, x, np.nan)) * orientation
        t = np.where(self.locked, locked, np.where(zero, 0.0, x * np.sign(sign)))
        return np.where(self._dead & ~zero, np.nan, t)

    # the clock

    def u(self, t: FloatArray) -> FloatArray:
        """The clock in units: odd where crossing; 0 at the finite end where locked, D > 2."""
        return self._unless_dead(self._orientation * self._pair.u(self._x(t)), t)

    def log_u_slope(self, t: FloatArray) -> FloatArray:
        """Log of du/dt."""
        return self._unless_dead(-self._pair.log_factors(self._x(t)), 0.0)

    def u_limits(self) -> tuple[FloatArray, FloatArray]:
        """Lower and upper end of u's range."""
        if self.depth == 2.0:
            infinite = np.full(self.size, np.inf)
            return -infinite, infinite
        unbounded = self._dead | self.locked
        half = np.where(unbounded, np.inf, np.exp(-self._pair.log_range))
        upper = np.where(self.locked & (self._orientation > 0), 0.0, half)
        lower = np.where(self.locked & (self._orientation < 0), 0.0, -half)
        return lower, upper

    def clock_lengths(self) -> tuple[FloatArray, FloatArray]:
        """v^{2-D} and u^{2-D} over D (D - 2), in units: from the slacks, without cancellation."""
        infinite = np.full(self.size, np.inf)
        if self.depth == 2.0:
            return infinite, infinite
        below, above = exp(self._pair.log_slack(-self._t0)), exp(self._pair.log_slack(self._t0))
        below = np.where(self._dead | (self.locked & (self._orientation > 0)), np.inf, below)
        above = np.where(self._dead | (self.locked & (self._orientation < 0)), np.inf, above)
        return below, above

    def log_slack(self, t: FloatArray) -> FloatArray:
        """Log of the slack; never underflows."""
        if self.depth == 2.0:
            return np.full(self.size, np.inf)
        x = self._x(t)
        slack = self._pair.log_slack(np.where(self.locked, x, np.abs(x)))
        return self._unless_dead(slack, np.inf)

    def u_increment(self, t: FloatArray, dt: FloatArray, *, relative: bool = False) -> FloatArray:
        """u(t + dt) - u(t), or that over u'(t), without cancellation."""
        x, dx = self._x(t), self._x(dt)
        if relative:
            value = self._pair.increment(x, dx)
        else:
            value = np.sign(dx) * exp(self._pair.log_increment(x, dx))
            with np.errstate(over="ignore", invalid="ignore"):  # more digits, where they fit
                product = self._pair.increment(x, dx) * exp(-self._pair.log_factors(x))
            value = np.where(np.isfinite(product), product, value)
        return self._unless_dead(self._orientation * value, dt)

    def u_remainder(self, t: FloatArray, dt: FloatArray, *, relative: bool = False) -> FloatArray:
        """u(t + dt) - u(t) - u'(t) dt, or that over u'(t), without cancellation."""
        x = self._x(t)
        value = self._pair.remainder(x, self._x(dt))
        if not relative:
            with np.errstate(over="ignore", invalid="ignore"):
                value = value * exp(-self._pair.log_factors(x))
        return self._unless_dead(self._orientation * value, 0.0)

    def t_from_u(self, u: FloatArray) -> FloatArray:
        """t with u(t) = u; NaN outside the range."""
        x = self._pair.x_from_u(self._x(u))
        return self._unless_dead(self._orientation * x, u)

    def t_increment(self, t: FloatArray, du: FloatArray) -> FloatArray:
        """dt with u(t + dt) = u(t) + du, without cancellation; NaN outside the range."""
        dx = self._pair.advance(self._x(t), self._x(du))
        return self._unless_dead(self._orientation * dx, du)

    def t_from_log_slack(self, sides: FloatArray, log_slack: FloatArray) -> FloatArray:
        """t on the side +-1 by the log of its slack, D > 2; NaN beyond half of the range."""
        return self._unless_dead(sides * self._pair.x_from_log_slack(log_slack), np.nan)

    # what ties depend on

    def kind(self, layers: FloatArray, side: float) -> tuple[Hashable, Fraction]:
        """u^{2-D} and v^{2-D}: rational for whole D; else those of equal layers are equal."""
        own = Fraction(abs(float(layers[0] if side > 0 else layers[1])))
        if self.depth % 1.0 == 0.0:
            return "", own ** (2 - int(self.depth))
        return own, Fraction(1)

    def log_ahead(self, sides: FloatArray) -> FloatArray:
        """log u^2 or log v^2 at the start, D = 2: rho = u^2 e^{4 s} - v^2 e^{-4 s}."""
        return np.asarray(2.0 * self.log_unit + np.where(self.locked, 0.0, sides * self._t0))

    # layers and potentials

    def layers(self, t: FloatArray) -> NumericArray:
        """u and v, (2, m)."""
        x, pair = self._x(t), self._pair
        mass = np.where(self.locked, 0.0, pair.log_mass(np.where(self.locked, 0.0, x)))
        logs = self.log_unit + (np.stack([x, np.where(self.locked, x, -x)]) + mass) / self.depth
        positive = self._orientation > 0
        none = np.stack([self.locked & ~positive, self.locked & positive])
        return self._signs_of_layers * np.where(none | self._dead, 0.0, exp(logs))

    def potential(self, t: FloatArray) -> FloatArray:
        """Psi(s(t)) = (u^2 + v^2 - u(0)^2 - v(0)^2) / (2 D)."""
        return self._potential(t - self._t0)

    def _potential(self, step: FloatArray) -> FloatArray:
        sign, log_size = self._pair.log_growth(self._x(self._t0), self._x(step))
        return self._unless_dead(sign * exp(log_size + 2.0 * self.log_unit), 0.0)

    def log_divergence(self, t: FloatArray, t_other: FloatArray) -> FloatArray:
        """Log of the divergence, -inf where t = t_other; never under- or overflows."""
        gap = self._pair.log_divergence(self._x(t_other), self._x(t - t_other))
        return self._unless_dead(gap + 2.0 * self.log_unit, -np.inf)

    def _x(self, t: FloatArray) -> FloatArray:
        """The pair's parameter, or a step in it: mirrored where locked negative."""
        return self._unless_dead(self._orientation * t, 0.0)

    def _unless_dead(self, value: FloatArray, dead: Any) -> FloatArray:
        if not self._dead.any():
            return np.asarray(value)
        return np.asarray(np.where(self._dead, dead, value))


def _log_ratio(u: FloatArray, v: FloatArray, crossing: BoolArray) -> FloatArray:
    """log (u / v) where both are positive, with all digits where they are close."""
    u, v = np.where(crossing, u, 1.0), np.where(crossing, v, 1.0)
    near = (0.5 * u < v) & (0.5 * v < u)
    apart = np.where(near, u - v, 0.0) / v
    return np.where(near, np.log1p(apart), np.log(u) - np.log(v))
