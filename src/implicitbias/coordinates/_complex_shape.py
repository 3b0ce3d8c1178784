"""Turning coordinates: complex layers whose product keeps an imaginary part I, up to units.

The layers obey dq_l/ds = conj(prod_{k != l} q_k). Their squared differences and I = Im prod q_l are
conserved, and R = Re prod q_l rises. With x the smallest |q_l|^2 and c_l the offsets to it,
R^2 = prod_l (x + c_l) - I^2 and dx/ds = 2 R. Let e > 0 be the root, D_l = e + c_l and
Q^2 = x - e, sign Q = sign R. Then

    R = Q sqrt(g(Q^2)),    ds = dQ / sqrt(g(Q^2)),    g(z) = [prod_l (z + D_l) - prod_l D_l] / z,

as for a crossing coordinate, but with the L - 1 offsets tied into one polynomial. Its coefficients
are the elementary symmetric sums of the D_l, all positive; its roots may be complex, within
pi / 2 - pi / L of the negative axis. In the unit C^2 = g(0) / g'(0) of Q^2, Q = C sinh x and

    g / g(0) = 1 + z + sum_{k >= 2} e^{w_k} z^k,  w_k <= 0,      f^2 = g / (g(0) cosh^2 x),

r(x) = sinh x cosh x f and du/dx = 1 / f: f takes the place of the product of the f_i, and every sum
below is one of positive terms.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import comb

import numpy as np
from scipy.special import expit

from implicitbias._arrays import BoolArray, FloatArray, IntArray
from implicitbias.coordinates._integrals import BLOCK, SAFE_EXPONENT, TAIL, blocks
from implicitbias.coordinates._scalars import (
    MAX_NEWTON,
    QUADRATIC,
    arcsinh_exp,
    log_cosh,
    log_sinh,
)

STEP = 0.25  # in log tau: the integrand is analytic in a strip of half-width pi / 2 + pi / L
SATURATED = 2000.0  # beyond it f is an exponential


@dataclass(frozen=True, eq=False)
class Turning:
    """Which of m coordinates turn, and the coefficients of their polynomials.

    Methods take and return arrays over the turning coordinates alone, (k,) or (nodes, k).

    Attributes
    ----------
    columns
        Boolean (m,).
    log_weights
        w_k for k = 2, .., L - 1, shape (L - 2, k).
    """

    columns: BoolArray
    log_weights: FloatArray

    def take(self, keep: BoolArray | IntArray) -> Turning | None:
        """Return those among the coordinates ``keep``; None where there are none."""
        kept = self.columns[keep]
        if not kept.any():
            return None
        position = np.cumsum(self.columns) - 1
        return Turning(kept, self.log_weights[:, position[keep][kept]])

    @property
    def depth(self) -> int:
        """L."""
        return len(self.log_weights) + 2

    def log_factors_at(self, base: FloatArray) -> FloatArray:
        """log f as a function of b = log |sinh x|."""
        if 2.0 * (self.depth - 2) * float(base.max(initial=0.0)) < SAFE_EXPONENT:
            total, square = np.zeros(base.shape), np.exp(2.0 * base)
            for weight in np.exp(self.log_weights[::-1]):
                total = (total + weight) * square
            return np.asarray(0.5 * np.log1p(total * (square / (1.0 + square))))
        total = np.full(base.shape, -np.inf)
        with np.errstate(invalid="ignore"):  # NaN stays what it is
            for power, log_weight in enumerate(self.log_weights, start=2):
                total = np.logaddexp(total, log_weight + 2.0 * (power - 1) * base)
            return np.asarray(0.5 * np.logaddexp(0.0, total - np.logaddexp(0.0, -2.0 * base)))

    def log_factors(self, x: FloatArray) -> FloatArray:
        """log f."""
        return self.log_factors_at(log_sinh(x))

    def log_factors_slope(self, x: FloatArray) -> FloatArray:
        """d log f / dx."""
        rate, rest = np.tanh(x), np.exp(-2.0 * log_cosh(x))
        total = np.zeros_like(x)
        for power, share in enumerate(self._shares(x), start=2):
            total += share * rate ** (2 * power - 2) * (power * rest + (power - 1) * rate**2)
        return rate * total

    def log_growth(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Log of f(x + y) / f(x)."""
        return self.log_factors(x + y) - self.log_factors(x)

    def growth(self, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """P - 1 and sqrt(P), P = [f(x + y) / f(x)]^2, each relatively accurate for short y."""
        rate, rest = np.tanh(x), np.exp(-2.0 * log_cosh(x))
        sinh, cosh = np.sinh(y), np.cosh(y)
        before, after = rate**2, (rate * cosh + sinh) ** 2  # Q^2 / next(x)^2
        change = sinh * (2.0 * rate * cosh + (1.0 + before) * sinh)
        lower, upper = np.ones_like(y), before + after  # sum of before^i after^j, i + j = k - 2
        total = np.zeros_like(y)  # and k - 1
        for power, share in enumerate(self._shares(x), start=2):
            total += share * (upper * rest + before * after * lower)
            lower, upper = upper, after**power + before * upper
        excess = change / (1.0 + change) * total
        return excess, np.sqrt(1.0 + excess)

    def _shares(self, x: FloatArray) -> Iterator[FloatArray]:
        """e^{w_k} cosh^{2k} x over g / g(0), for k = 2, .., L - 1."""
        at = np.clip(x, -SATURATED, SATURATED)
        log_next, log_factors = log_cosh(at), self.log_factors(at)
        for power, log_weight in enumerate(self.log_weights, start=2):
            yield np.exp(log_weight + 2.0 * ((power - 1) * log_next - log_factors))

    def x_from_log_r(self, log_r: FloatArray) -> FloatArray:
        """x >= 0 with log |r(x)| = log_r: Newton's method on b, from above."""
        weights = np.vstack([np.zeros((2, log_r.size)), self.log_weights])
        powers = np.arange(len(weights))[:, None]
        base = ((log_r - 0.5 * weights) / (powers + 1)).min(axis=0)
        with np.errstate(invalid="ignore"):  # infinite and NaN targets stay what they are
            for _ in range(MAX_NEWTON):
                value = base + 0.5 * np.logaddexp(0.0, 2.0 * base) + self.log_factors_at(base)
                step = (log_r - value) / (1.0 + self._degree(base))
                step = np.where(np.isnan(step), 0.0, step)
                base = base + step
                if np.all(np.abs(step) <= QUADRATIC):
                    break
        return arcsinh_exp(base)

    def _degree(self, base: FloatArray) -> FloatArray:
        """d log g / d log z, between 0 and L - 1."""
        log_factors = self.log_factors_at(base)
        total = expit(2.0 * base) * np.exp(-2.0 * log_factors)
        lost = np.logaddexp(0.0, -2.0 * base) + 2.0 * log_factors
        for power, log_weight in enumerate(self.log_weights, start=2):
            total = total + power * np.exp(log_weight + 2.0 * (power - 1) * base - lost)
        return np.asarray(total)

    def tail_bound(self, log_slack: FloatArray) -> FloatArray:
        """x beyond which the slack is smaller: g / g(0) >= e^{w_k} sinh^{2k} x for each k."""
        fall = np.arange(1, self.depth - 1)[:, None]
        bounds = -(log_slack + np.log(fall) + 0.5 * self.log_weights) / fall
        return arcsinh_exp(bounds.min(axis=0))

    def reach(self, x: FloatArray) -> FloatArray:
        """The slack over du/dx at x >= 0.

        With tau = (Q(y)^2 - Q(x)^2) / next(x)^2 and a = tanh^2 x it is
        1/2 int_0^inf [(tau + a) sum_j T_j tau^j]^{-1/2} d tau, T_j the Taylor coefficients of
        g(Q^2) / g(Q(x)^2), all positive.
        """
        log_taylor = self._log_taylor(x)
        fall = np.arange(1, self.depth - 1)[:, None]
        upper = ((2.0 * TAIL - log_taylor[2:]) / fall).min(axis=0)
        with np.errstate(divide="ignore"):
            lower = np.maximum(np.log(np.tanh(x)), -TAIL) - TAIL - np.log(self.depth)
        result = np.empty_like(x)
        for part in blocks(np.argsort(upper), BLOCK):
            span = float(lower[part].min()), float(upper[part].max())
            result[part] = _trapezoid(np.tanh(x[part]) ** 2, log_taylor[:, part], span)
        return result

    def _log_taylor(self, x: FloatArray) -> FloatArray:
        """log T_j, (L, k), in units of next(x)^2."""
        log_next, base = log_cosh(x), log_sinh(x)
        log_g = 2.0 * (self.log_factors_at(base) + log_next)
        weights = np.vstack([np.zeros((2, x.size)), self.log_weights])
        rows = [np.zeros_like(x)]
        for order in range(1, len(weights)):
            total = weights[order]
            for power in range(order + 1, len(weights)):
                term = weights[power] + 2.0 * (power - order) * base
                total = np.logaddexp(total, term + np.log(comb(power, order)))
            rows.append(total + 2.0 * order * log_next - log_g)
        return np.stack(rows)


def _trapezoid(start: FloatArray, log_taylor: FloatArray, span: tuple[float, float]) -> FloatArray:
    """Trapezoidal rule over log tau in ``span``; dyadic steps keep the nodes exact."""
    y = STEP * np.arange(np.floor(span[0] / STEP), np.ceil(span[1] / STEP) + 1.0)[:, None]
    total = np.zeros((len(y), start.size))
    with np.errstate(over="ignore"):
        if log_taylor.min() > -SAFE_EXPONENT:
            tau = np.exp(y)
            for row in np.exp(log_taylor[:0:-1]):
                total = total * tau + row
        else:
            for power, row in enumerate(log_taylor[1:]):
                total += np.exp(row + power * y)
        product = (1.0 + start * np.exp(-y)) * (np.exp(-y) + total)
        return np.asarray(0.5 * STEP * (1.0 / np.sqrt(product)).sum(axis=0))
