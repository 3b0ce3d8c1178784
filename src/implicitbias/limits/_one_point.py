"""Theorem 6: two layers, one data point, in closed form at every scale.

With M(x) = U_1 diag(s) U_2^T, a = U_1^T vbar_1, b = U_2^T vbar_2, the flow of the squared loss
moves every singular coordinate along the same clock nu:

    a -> a cosh(nu s) + b sinh(nu s),    b -> b cosh(nu s) + a sinh(nu s),
    g(nu) = sum_j s_j ((a_j + b_j)^2 e^{2 s_j nu} - (a_j - b_j)^2 e^{-2 s_j nu}) / 4 = y / alpha^2.

The equation is solved between logarithms, so that any scale is as easy as another.
Source: Theorem 6 of Yun, Krishnan and Mobahi (ICLR 2021), the second bracket mended.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import logsumexp

from implicitbias._arrays import FloatArray

POLISHING = 4


@dataclass(frozen=True, eq=False)
class OnePoint:
    """The two-layer problem in its singular coordinates.

    Attributes
    ----------
    values
        s > 0, shape (m,).
    first, second
        a = U_1^T vbar_1 and b = U_2^T vbar_2, shape (m,), in units of the scale.
    target
        y.
    log_scale
        log alpha.
    """

    values: FloatArray
    first: FloatArray
    second: FloatArray
    target: float
    log_scale: float

    def log_growth(self, nu: float) -> tuple[float, float]:
        """The logarithms of the rising and of the falling part of g(nu)."""
        with np.errstate(divide="ignore"):
            base = np.log(self.values / 4)
            rising = base + 2 * np.log(np.abs(self.first + self.second)) + 2 * self.values * nu
            falling = base + 2 * np.log(np.abs(self.first - self.second)) - 2 * self.values * nu
        return _log_sum(rising), _log_sum(falling)

    def layers(self, nu: float) -> tuple[FloatArray, FloatArray]:
        """The singular coordinates of v_1 and v_2 at the clock nu, scale included."""
        clock, scale = self.values * nu, self.log_scale
        near = np.abs(clock) < 1.0  # e^x - e^-x would cancel
        with np.errstate(under="ignore", over="ignore", invalid="ignore"):
            up = _grown(self.first + self.second, scale + clock)
            down = _grown(self.first - self.second, scale - clock)
            cosh, sinh = np.exp(scale) * np.cosh(clock), np.exp(scale) * np.sinh(clock)
            first = np.where(near, self.first * cosh + self.second * sinh, up + down)
            second = np.where(near, self.second * cosh + self.first * sinh, up - down)
        return self._single(first, second) if self.values.size == 1 else (first, second)

    def _single(self, first: FloatArray, second: FloatArray) -> tuple[FloatArray, FloatArray]:
        """One coordinate: its product is y / s, however far below the start's; the larger stays."""
        with np.errstate(all="ignore"):
            if np.abs(first) >= np.abs(second):
                other = self.target / self.values / first
                return (first, other) if np.isfinite(other).all() else (first, second)
            other = self.target / self.values / second
            return (other, second) if np.isfinite(other).all() else (first, second)

    def polished(self, nu: float) -> float:
        """Newton's method on g(nu) - g(0) = y / alpha^2 - g(0), which cancels nothing near 0."""
        a, b, s = self.first, self.second, self.values
        if not float(np.abs(s * nu).max()) < 1.0:
            return nu  # the logarithms are as accurate there
        with np.errstate(over="ignore", under="ignore"):
            wanted = self.target * np.exp(-2.0 * self.log_scale) if self.target else 0.0
            goal = float(wanted - s @ (a * b))
        for _ in range(POLISHING if np.isfinite(goal) else 0):
            sinh, twice = np.sinh(s * nu), 2.0 * s * nu
            value = s @ ((a * a + b * b) * np.sinh(twice) / 2 + 2.0 * a * b * sinh * sinh)
            slope = s @ (s * ((a * a + b * b) * np.cosh(twice) + 2.0 * a * b * np.sinh(twice)))
            if not slope > 0.0:
                break
            nu = nu + float((goal - value) / slope)
        return nu


def _grown(start: FloatArray, log_factor: FloatArray) -> FloatArray:
    """start e^{..} / 2; 0 where nothing starts, however large the factor."""
    return np.where(start == 0.0, 0.0, np.exp(log_factor) * start / 2)


def _log_sum(terms: FloatArray) -> float:
    return -np.inf if np.all(np.isneginf(terms)) else float(logsumexp(terms))


def solve_one_point(problem: OnePoint) -> float | None:
    """nu with alpha^2 g(nu) = y, or None where g never takes that value.

    g rises strictly from its infimum to its supremum; either is infinite unless a = -b or a = b
    in every coordinate.
    """
    with np.errstate(divide="ignore"):
        goal = float(np.log(np.abs(problem.target))) - 2 * problem.log_scale
    positive, negative = (goal, -np.inf) if problem.target > 0 else (-np.inf, goal)
    rising, falling = problem.log_growth(0.0)
    if np.isneginf(np.logaddexp(rising, negative)) or np.isneginf(np.logaddexp(falling, positive)):
        return None if not (np.isneginf(rising) and np.isneginf(falling)) else _at_rest(problem)

    def mismatch(nu: float) -> float:
        up, down = problem.log_growth(nu)
        return float(np.logaddexp(up, negative) - np.logaddexp(down, positive))

    width = max(1.0, abs(mismatch(0.0))) / float(problem.values.max())
    low, high = -width, width
    while mismatch(low) > 0 and np.isfinite(low):
        low *= 2
    while mismatch(high) < 0 and np.isfinite(high):
        high *= 2
    if not (np.isfinite(low) and np.isfinite(high)):
        return None
    root = brentq(mismatch, low, high, xtol=1e-300, rtol=4 * np.finfo(float).eps)
    return problem.polished(float(root))


def _at_rest(problem: OnePoint) -> float | None:
    """Every coordinate starts at zero and stays there: only y = 0 is reached."""
    return 0.0 if problem.target == 0 else None
