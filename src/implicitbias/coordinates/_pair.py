"""One coordinate beta = u^D - v^D up to units, as functions of a parameter x; D >= 2 real.

Gradient flow is du/ds = D u^{D-1}, dv/ds = -D v^{D-1} in the coordinate's clock s. After a shift of
the clock it is symmetric: with kappa = D / (D - 2), infinite for D = 2, k = 1 / kappa, and a unit C
with C^{2-D} = (u^{2-D} + v^{2-D}) / 2 for ever (D = 2: C^2 = u v),

    crossing (u, v > 0):  r = 2 sinh x cosh^kappa(k x),   u = tanh(k x) / (D (D - 2)),
    locked   (v = 0):     r = e^x,                        u = -e^{-k x} / (D (D - 2)),

r being beta / C^D and u the clock C^{D-2} s; u = x / 4 for D = 2. The slack of a crossing clock is
2 / (1 + e^{2 k |x|}) over D (D - 2): nothing cancels. The powers are C^D e^{+-x} cosh^kappa(k x).

Source: Woodworth et al. (COLT 2020) for u = v at the start; Azulay et al. (ICML 2021) for others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from implicitbias._arrays import BoolArray, FloatArray, IntArray
from implicitbias.coordinates._divergence import near_divergence
from implicitbias.coordinates._scalars import (
    LOG2,
    MAX_NEWTON,
    QUADRATIC,
    arcsinh_exp,
    log_cosh,
    log_expm1,
    log_sinh,
)

PANEL = 1.0  # the longest step over which the divergence is integrated
SERIES = 12  # terms of sinh y - y cosh y for |y| <= 1


@dataclass(frozen=True, eq=False)
class Pair:
    """m coordinates up to units and sign; arrays broadcast over leading axes of x.

    Attributes
    ----------
    power
        D.
    locked
        Where one of u and v is 0 for ever, (m,): r keeps its sign.
    """

    power: float
    locked: BoolArray

    @property
    def k(self) -> float:
        """1 / kappa = (D - 2) / D."""
        return (self.power - 2.0) / self.power

    @property
    def log_range(self) -> float:
        """log (D (D - 2)); the clock of a crossing coordinate ends at +-1 over it."""
        return float(np.log(self.power * (self.power - 2.0)))

    @property
    def log_rate(self) -> float:
        """log D^2: minus the log of du/dx at 0."""
        return 2.0 * float(np.log(self.power))

    def take(self, keep: BoolArray | IntArray) -> Pair:
        """Return the coordinates ``keep`` alone."""
        return Pair(self.power, self.locked[keep])

    def log_mass(self, x: FloatArray) -> FloatArray:
        """kappa log cosh(k x), of a crossing coordinate."""
        return log_cosh(self.k * x) / self.k if self.k > 0.0 else np.zeros_like(x)

    def log_r(self, x: FloatArray) -> FloatArray:
        """log |r(x)|."""
        return self._by_kind(LOG2 + log_sinh(x) + self.log_mass(x), x)

    def log_r_slope(self, x: FloatArray) -> FloatArray:
        """log dr/dx: a sum of positive terms."""
        steepness = np.log1p(np.tanh(x) * np.tanh(self.k * x))
        return self._by_kind(LOG2 + log_cosh(x) + self.log_mass(x) + steepness, x)

    def log_factors(self, x: FloatArray) -> FloatArray:
        """-log du/dx."""
        return self.log_rate + self._by_kind(2.0 * log_cosh(self.k * x), self.k * x)

    def x_from_log_r(self, log_r: FloatArray) -> FloatArray:
        """x (>= 0 where crossing) with log |r(x)| = log_r: Newton's method on b = log sinh x.

        log r is convex in b with slopes between 1 and 2, so that Newton's method started above the
        root falls to it monotonically.
        """
        with np.errstate(invalid="ignore"):  # infinite and NaN targets stay what they are
            base = log_r - LOG2
            if self.k > 0.0:
                base = np.minimum(base, 0.5 * (log_r - 2.0 * LOG2 + LOG2 / self.k))
            for _ in range(MAX_NEWTON):
                x = arcsinh_exp(base)
                slope = 1.0 + np.tanh(self.k * x) * np.tanh(x)
                step = (log_r - LOG2 - base - self.log_mass(x)) / slope
                step = np.where(np.isnan(step), 0.0, step)
                base = base + step
                if np.all(np.abs(step) <= QUADRATIC):
                    break
        return self._by_kind(arcsinh_exp(base), log_r)

    # the clock

    def u(self, x: FloatArray) -> FloatArray:
        """u(x)."""
        if self.k == 0.0:
            return x / self.power**2
        size = self.power * (self.power - 2.0)
        with np.errstate(over="ignore"):
            return self._by_kind(np.tanh(self.k * x), -np.exp(-self.k * x)) / size

    def log_slack(self, x: FloatArray) -> FloatArray:
        """Log of the distance from u(x) to the upper end, D > 2."""
        crossing = LOG2 - np.logaddexp(0.0, 2.0 * self.k * x)
        return self._by_kind(crossing, -self.k * x) - self.log_range

    def x_from_u(self, u: FloatArray) -> FloatArray:
        """x with u(x) = u; NaN outside the range."""
        if self.k == 0.0:
            return u * self.power**2
        part = u * (self.power * (self.power - 2.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            inside = np.where(np.abs(part) < 1.0, part, np.nan)
            return self._by_kind(np.arctanh(inside), -np.log(-part)) / self.k

    def x_from_log_slack(self, log_slack: FloatArray) -> FloatArray:
        """x (> 0 where crossing) by the logarithm of its slack; NaN beyond half of the range."""
        part = log_slack + self.log_range  # of the half range
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            tail = np.where(part < -LOG2, LOG2 - part, np.nan)
            crossing = 0.5 * (tail + np.log1p(-np.exp(-tail)))
            return self._by_kind(crossing, np.where(part < np.inf, -part, np.nan)) / self.k

    def increment(self, x: FloatArray, dx: FloatArray) -> FloatArray:
        """[u(x + dx) - u(x)] / (du/dx)(x), without cancellation."""
        if self.k == 0.0:
            return dx
        y = self.k * dx
        ahead, behind = self._weights(x)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            shrunk = np.exp(-2.0 * np.abs(y))
            up = np.where(y >= 0.0, ahead + behind * shrunk, behind + ahead * shrunk)
            crossing = np.sign(y) * -np.expm1(-2.0 * np.abs(y)) / up
            return self._by_kind(crossing, -np.expm1(-y)) / self.k

    def _weights(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """1 + tanh(k x) and 1 - tanh(k x)."""
        with np.errstate(over="ignore"):
            return 2.0 / (1.0 + np.exp(-2.0 * self.k * x)), 2.0 / (1.0 + np.exp(2.0 * self.k * x))

    def remainder(self, x: FloatArray, dx: FloatArray) -> FloatArray:
        """[u(x + dx) - u(x)] / (du/dx)(x) - dx, without cancellation."""
        if self.k == 0.0:
            return np.zeros_like(x)
        y, rate = self.k * dx, np.tanh(self.k * x)
        near = np.where(np.abs(y) <= 1.0, y, 0.0)
        odd, sinh, cosh = _sinh_less(near), np.sinh(near), np.cosh(near)
        crossing = (odd - rate * near * sinh) / (cosh + rate * sinh)
        close = self._by_kind(crossing, _locked_remainder(near)) / self.k
        return np.where(np.abs(y) <= 1.0, close, self.increment(x, dx) - dx)

    def log_increment(self, x: FloatArray, dx: FloatArray) -> FloatArray:
        """log |u(x + dx) - u(x)|, -inf for dx = 0."""
        with np.errstate(divide="ignore"):
            if self.k == 0.0:
                return np.log(np.abs(dx)) - self.log_rate
            y = self.k * dx
            crossing = log_sinh(y) - log_cosh(self.k * x) - log_cosh(self.k * (x + dx))
            return self._by_kind(crossing, log_expm1(-y) - self.k * x) - self.log_range

    def advance(self, x: FloatArray, du: FloatArray) -> FloatArray:
        """dx with u(x + dx) = u(x) + du, relatively accurate for tiny du; NaN outside the range."""
        if self.k == 0.0:
            return du * self.power**2
        ahead, behind = self._weights(x)
        part = du * (self.power * (self.power - 2.0))
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            crossing = 0.5 * (np.log1p(part / ahead) - np.log1p(-part / behind))
            dx = self._by_kind(crossing, -np.log1p(-part * np.exp(self.k * x))) / self.k
            return np.where(np.isfinite(dx), dx, np.nan)

    # growth and divergence

    def log_growth(self, a: FloatArray, dx: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Sign and log of the growth of (u^2 + v^2) / (2 D) from a to a + dx, in units of C^2."""
        half = 2.0 / self.power
        change = _log_cosh_change(half * a, half * dx)
        size = LOG2 + log_cosh(half * a)
        if self.k > 0.0:
            share = 2.0 / (self.power - 2.0)
            change = change + share * _log_cosh_change(self.k * a, self.k * dx)
            size = size + share * log_cosh(self.k * a)
        change, size = self._by_kind(change, half * dx), self._by_kind(size, half * a)
        return np.sign(change), size + log_expm1(change) - float(np.log(2.0 * self.power))

    def log_divergence(self, a: FloatArray, dx: FloatArray) -> FloatArray:
        """log int_a^{a + dx} (u(y) - u(a)) r'(y) dy, -inf for dx = 0."""
        near = np.abs(dx) <= PANEL
        result = np.empty_like(a)
        result[near] = near_divergence(self.take(near), a[near], dx[near])
        if not near.all():
            result[~near] = self.take(~near)._far_divergence(a[~near], dx[~near])
        return result

    def _far_divergence(self, a: FloatArray, dx: FloatArray) -> FloatArray:
        """r(a + dx) [u(a + dx) - u(a)] - growth; where r -> 0 in the limit, minus the growth."""
        limit = np.isinf(dx)
        step = np.where(limit, 1.0, dx)
        end = a + step
        sign, log_square = self.log_growth(a, step)
        log_product = self.log_r(end) + self.log_increment(a, step)
        product_sign = np.where(self.locked, 1.0, np.sign(end)) * np.sign(step)
        top = np.maximum(log_square, log_product)
        gap = product_sign * np.exp(log_product - top) - sign * np.exp(log_square - top)
        vanished = self.log_growth(a, np.where(limit, dx, 0.0))[1] if limit.any() else top
        at_limit = np.where(self.locked & (dx < 0.0), vanished, np.inf)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(limit, at_limit, top + np.log(gap))

    def _by_kind(self, crossing: FloatArray, locked: FloatArray) -> FloatArray:
        if not self.locked.any():
            return np.asarray(crossing)
        return np.asarray(np.where(self.locked, locked, crossing))


def _log_cosh_change(p: FloatArray, dp: FloatArray) -> FloatArray:
    """log [cosh(p + dp) / cosh p]; relatively accurate where it is small."""
    near = np.abs(dp) <= 1.0
    half = np.where(near, 0.5 * dp, 0.0)
    sinh = np.sinh(half)
    small = np.log1p(2.0 * sinh * (sinh + np.tanh(p) * np.cosh(half)))
    with np.errstate(invalid="ignore"):  # infinite steps of locked coordinates
        return np.where(near, small, log_cosh(p + dp) - log_cosh(p))


def _sinh_less(y: FloatArray) -> FloatArray:
    """sinh y - y cosh y = -sum_{m >= 1} 2 m y^{2m + 1} / (2m + 1)!, for |y| <= 1."""
    square, term, total = y * y, y, np.zeros_like(y)
    for m in range(1, SERIES):
        term = term * square / ((2 * m) * (2 * m + 1))
        total = total - 2 * m * term
    return total


def _locked_remainder(y: FloatArray) -> FloatArray:
    """1 - e^{-y} - y = -sum_{m >= 2} (-y)^m / m!, for |y| <= 1."""
    term, total = -y, np.zeros_like(y)
    for m in range(2, 2 * SERIES):
        term = term * -y / m
        total = total - term
    return total
