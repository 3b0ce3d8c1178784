"""One decoupled coordinate up to units: its layers as functions of a parameter x.

Let q be the layer of smallest magnitude, Q = q times the sign of the others, and c_l = p_l^2 - q^2.
Two of the L layers shape the parameter: q itself and the next smallest. With n = L - 2 others,

    crossing (all c_l > 0):  Q = C sinh x, next = C cosh x,  f_i^2 = (sinh^2 x + r_i) / r_i
    locked   (a c_l = 0):    Q = C e^x,    next = C e^x,     f_i^2 = (e^{2x} + r_i) / (1 + r_i)

with r_i = c_i / C^2 and f_i the i-th other layer over a fixed value of it (sqrt(c_i); its start).
Then dQ = next dx, so that in units both rho and the clock s have simple derivatives:

    r(x) = Q next prod f_i / C^2,      du/dx = 1 / prod f_i.

Everything is kept as logarithms: with b = log |sinh x| or x, f_i^2 = exp(2 b + log_g) + exp(log_h).
Complex layers share all this, with one f in place of prod f_i (``_complex_shape``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from implicitbias._arrays import BoolArray, FloatArray, IntArray
from implicitbias.coordinates._complex_shape import Turning
from implicitbias.coordinates._equal_clock import log_q_of
from implicitbias.coordinates._scalars import (
    LOG2,
    MAX_NEWTON,
    QUADRATIC,
    SQUARED,
    arcsinh_exp,
    log_cosh,
    log_sinh,
)

LOG_ZERO = -1e300  # stands for log 0 where differences must stay defined


@dataclass(frozen=True, eq=False)
class Shape:
    """m coordinates up to units and sign; arrays broadcast over leading axes of x.

    Attributes
    ----------
    depth
        L.
    locked
        Boolean (m,).
    log_g, log_h
        Coefficients of the n = L - 2 other layers, (n, m) each, both in [LOG_ZERO, 0].
    equal
        Whether every coordinate crosses with all r_i = 1.
    turning
        The coordinates of complex layers, whose log_g and log_h mean nothing; None without any.
    """

    depth: int
    locked: BoolArray
    log_g: FloatArray
    log_h: FloatArray
    equal: bool
    turning: Turning | None = None

    @property
    def size(self) -> int:
        """m."""
        return self.locked.size

    @property
    def is_turning(self) -> BoolArray:
        """Which coordinates turn, (m,)."""
        return np.zeros(self.size, dtype=bool) if self.turning is None else self.turning.columns

    def take(self, keep: BoolArray | IntArray) -> Shape:
        """Return the coordinates ``keep`` alone."""
        locked = self.locked[keep]
        turning = None if self.turning is None else self.turning.take(keep)
        log_g, log_h = self.log_g[:, keep], self.log_h[:, keep]
        return Shape(self.depth, locked, log_g, log_h, self.equal, turning)

    def or_turning(
        self, real: FloatArray, method: Callable[..., FloatArray], *arguments: FloatArray
    ) -> FloatArray:
        """The ``real`` values, those of turning coordinates replaced by ``method``'s."""
        if self.turning is not None:
            columns = self.turning.columns
            real[..., columns] = method(self.turning, *(each[..., columns] for each in arguments))
        return real

    def base(self, x: FloatArray) -> FloatArray:
        """b, the logarithm of |Q| / C."""
        return self._by_kind(log_sinh(x), x)

    def log_next(self, x: FloatArray) -> FloatArray:
        """Logarithm of the next smallest layer over C."""
        return self._by_kind(log_cosh(x), x)

    def log_factor(self, x: FloatArray, index: int) -> FloatArray:
        """log f_i of one of the n other layers."""
        grown, fixed = 2.0 * self.base(x) + self.log_g[index], self.log_h[index]
        smaller = np.log1p(np.exp(-np.abs(grown - fixed)))
        return np.asarray(0.5 * (np.maximum(grown, fixed) + smaller))

    def log_factors(self, x: FloatArray) -> FloatArray:
        """sum_i log f_i = -log du/dx; its relative accuracy survives where it is tiny."""
        if self.depth == 2:
            return np.zeros_like(x)
        if self.equal:
            return (self.depth - 2) * log_cosh(x)
        return self.log_factors_at(self.base(x))

    def log_factors_slope(self, x: FloatArray) -> FloatArray:
        """d/dx of log_factors."""
        if self.equal:
            return np.asarray((self.depth - 2) * np.tanh(x))
        return self.or_turning(self.rates(x)[2].sum(axis=0), Turning.log_factors_slope, x)

    def log_factors_at(self, base: FloatArray) -> FloatArray:
        """sum_i log f_i as a function of b."""
        if self.depth == 2:
            return np.zeros_like(base)
        if self.equal:
            return 0.5 * (self.depth - 2) * np.logaddexp(0.0, 2.0 * base)
        top, rest = self._parts(base)
        return self.or_turning(0.5 * (top + rest), Turning.log_factors_at, base)

    def log_growth(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """sum_i log [f_i(x + y) / f_i(x)]: relatively accurate also where no layer grows yet."""
        if self.equal:
            return (self.depth - 2) * (log_cosh(x + y) - log_cosh(x))
        before, after = self._parts(self.base(x)), self._parts(self.base(x + y))
        growth = 0.5 * ((after[0] - before[0]) + (after[1] - before[1]))
        return self.or_turning(growth, Turning.log_growth, x, y)

    def _parts(self, base: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Sums over i of the larger exponent in f_i^2 and of what the smaller one adds."""
        top, rest = np.zeros(base.shape), np.zeros(base.shape)
        for log_g, log_h in zip(self.log_g, self.log_h, strict=True):
            grown = 2.0 * base + log_g
            top += np.maximum(grown, log_h)
            small = np.exp(-np.abs(grown - log_h))
            rest += small + small * rest  # prod (1 + small) - 1
        return top, np.log1p(rest)

    def log_following(self, x: FloatArray) -> FloatArray:
        """Log of next^2 over the square of each other layer, (n, m)."""
        factors = [self.log_factor(x, index) for index in range(self.depth - 2)]
        return 2.0 * (self.log_next(x) - np.stack(factors)) + self.log_g

    def rates(self, x: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """|Q|^2 and next^2 over the square of each other layer, (n, m), and d log f_i / dx."""
        axes = (self.depth - 2,) + (1,) * (x.ndim - 1) + (self.size,)
        log_g, log_h = self.log_g.reshape(axes), self.log_h.reshape(axes)
        gap = 2.0 * self.base(x) + log_g - log_h
        smallest = expit(gap)
        following = np.where(self.locked, smallest, smallest + np.exp(log_g) * expit(-gap))
        slope = np.where(self.locked, smallest, np.tanh(x) * following)
        return smallest, following, slope

    def log_r(self, x: FloatArray) -> FloatArray:
        """log |r(x)|."""
        if self.equal:
            return log_sinh(x) + (self.depth - 1) * log_cosh(x)
        return self.base(x) + self.log_next(x) + self.log_factors(x)

    def log_r_slope(self, x: FloatArray) -> FloatArray:
        """log dr/dx: a sum of positive terms."""
        if self.equal and np.abs(x).max(initial=0.0) < SQUARED:  # cosh^{L-2} (1 + L sinh^2)
            squared = np.sinh(x) ** 2
            steepness = (0.5 * self.depth - 1.0) * np.log1p(squared)
            return np.asarray(np.log1p(self.depth * squared) + steepness)
        total = self.log_factors_slope(x)
        turning = np.where(self.locked, 0.0, total) * np.tanh(2.0 * x)
        crossing = log_cosh(2.0 * x) + np.log1p(0.5 * turning)
        own = self._by_kind(crossing, 2.0 * x + np.log(2.0 + np.abs(total)))
        return own + self.log_factors(x)

    def _by_kind(self, crossing: FloatArray, locked: FloatArray) -> FloatArray:
        if not self.locked.any():
            return crossing
        return np.asarray(np.where(self.locked, locked, crossing))

    def x_from_log_r(self, log_r: FloatArray) -> FloatArray:
        """x (>= 0 where crossing) with log |r(x)| = log_r: Newton's method on b.

        log r is convex in b with slopes between 1 and L, so that Newton's method started above the
        root falls to it monotonically; the start is the least of the bounds by its asymptotes.
        """
        if self.turning is not None:
            x, real = np.empty_like(log_r), ~self.is_turning
            x[real] = self.take(real).x_from_log_r(log_r[real])
            return self.or_turning(x, Turning.x_from_log_r, log_r)
        if self.depth == 2:  # sinh(2 x) / 2 or e^{2 x}
            return self._by_kind(0.5 * arcsinh_exp(log_r + LOG2), 0.5 * log_r)
        if self.equal:
            return arcsinh_exp(log_q_of(log_r, self.depth))
        lock = self.locked
        weights = np.concatenate([np.zeros_like(log_r[None]), np.cumsum(-0.5 * self.log_g, axis=0)])
        count = np.arange(2, self.depth + 1)[:, None]
        bound = np.where(np.isfinite(weights), (log_r + weights) / count, np.inf).min(axis=0)
        base = np.where(lock, bound, np.minimum(bound, log_r))
        with np.errstate(invalid="ignore"):  # infinite and NaN targets stay what they are
            for _ in range(MAX_NEWTON):
                own = np.where(lock, 2.0 * base, base + 0.5 * np.logaddexp(0.0, 2.0 * base))
                slope = np.where(lock, 2.0, 1.0 + expit(2.0 * base))
                for log_g, log_h in zip(self.log_g, self.log_h, strict=True):
                    slope = slope + expit(2.0 * base + log_g - log_h)
                step = (log_r - own - self.log_factors_at(base)) / slope
                step = np.where(np.isnan(step), 0.0, step)
                base = base + step
                if np.all(np.abs(step) <= QUADRATIC):
                    break
        return self._by_kind(arcsinh_exp(base), base)
