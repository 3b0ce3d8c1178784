"""Time along a flow that is integrated in another clock: t = int exp(b(sigma)) dsigma.

b = log(dt/dsigma) grows by millions while the margin grows by a per mille, so that a sum of
endpoint values is off by whole powers of e. Within a step b is interpolated by the parabola
through this step's ends and the step before; with x -> q, q running evenly in the integral of the
chord's exponential, what is left is smooth and a few Gauss points do:

    int_0^h exp(b) = h (e^{b_1} - e^{b_0}) / (b_1 - b_0) * int_0^1 exp(b(x(q)) - chord(x(q))) dq.
"""

from __future__ import annotations

import numpy as np

from implicitbias._arrays import FloatArray

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)
NODES, WEIGHTS = 0.5 * (1.0 + _NODES), 0.5 * _WEIGHTS
BISECTIONS = 60


class LogTime:
    """log t, advanced step by step.

    Attributes
    ----------
    value
        log t; -inf at the start.
    """

    def __init__(self, log_speed: float) -> None:
        self.value = -np.inf
        self.last = log_speed
        self.curvature = 0.0  # half the second derivative of b, from the last two steps
        self.slope: float | None = None
        self.length = 0.0

    def after(self, step: float, log_speed: float, part: float = 1.0) -> float:
        """log t after ``part`` of a step at whose end b is ``log_speed``."""
        curvature = self._curvature(step, log_speed)
        rise = log_speed - self.last + curvature * step**2 * (part - 1.0)
        bend = curvature * (part * step) ** 2
        gained = _log_integral(rise * part, bend) + self.last + np.log(part * step)
        return float(np.logaddexp(self.value, gained))

    def advance(self, step: float, log_speed: float) -> None:
        """Take the step."""
        self.value = self.after(step, log_speed)
        self.slope, self.length = (log_speed - self.last) / step, step
        self.last = log_speed

    def part_until(self, log_time: float, step: float, log_speed: float) -> float:
        """The part of the step after which log t is ``log_time``."""
        low, high = 0.0, 1.0
        for _ in range(BISECTIONS):
            middle = 0.5 * (low + high)
            if self.after(step, log_speed, middle) < log_time:
                low = middle
            else:
                high = middle
        return high

    def _curvature(self, step: float, log_speed: float) -> float:
        if self.slope is None:
            return 0.0
        slope = (log_speed - self.last) / step
        return (slope - self.slope) / (step + self.length)


def _log_integral(rise: float, bend: float) -> float:
    """log int_0^1 exp(rise x - bend x (1 - x)) dx."""
    x = _quantiles(rise)
    with np.errstate(over="ignore", under="ignore"):
        rest = float(WEIGHTS @ np.exp(-bend * x * (1.0 - x)))
    return _log_mean_exp(rise) + (float(np.log(rest)) if np.isfinite(rest) else 0.0)


def _quantiles(rise: float) -> FloatArray:
    """x with int_0^x exp(rise y) dy = q int_0^1 exp(rise y) dy at the nodes q."""
    if abs(rise) < 1e-6:
        return NODES
    size = abs(rise)
    x = 1.0 + np.log(NODES + (1.0 - NODES) * np.exp(-size)) / size
    return x if rise > 0 else 1.0 - x


def _log_mean_exp(rise: float) -> float:
    """log((e^rise - 1) / rise)."""
    size = abs(rise)
    if size < 1e-6:
        return 0.5 * rise
    return max(rise, 0.0) + float(np.log(-np.expm1(-size) / size))
