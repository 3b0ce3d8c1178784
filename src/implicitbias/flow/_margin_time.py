"""Time along a flow that is integrated in another clock: t = int exp(b(sigma)) dsigma.

b = log(dt/dsigma) grows by millions while the margin grows by a per mille, so that a sum of
endpoint values is off by whole powers of e. Within a step b is interpolated by the parabola
through this step's ends and the step before, bent no further than keeps the slope at the end
within half of the chord's; with x -> q, q running evenly in the integral of the chord's
exponential, what is left is smooth and a few Gauss points do:

    int_0^h exp(b) = h (e^{b_1} - e^{b_0}) / (b_1 - b_0) * int_0^1 exp(b(x(q)) - chord(x(q))) dq.
"""

from __future__ import annotations

import numpy as np

from implicitbias._arrays import FloatArray

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)
NODES, WEIGHTS = 0.5 * (1.0 + _NODES), 0.5 * _WEIGHTS


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
        self.slope: float | None = None
        self.length = 0.0

    def after(self, step: float, log_speed: float) -> float:
        """log t after a step, or a part of one, at whose end b is ``log_speed``."""
        rise = log_speed - self.last
        gained = _log_integral(rise, self._bend(step, rise)) + self.last + np.log(step)
        return float(np.logaddexp(self.value, gained))

    def advance(self, step: float, log_speed: float) -> None:
        """Take the step."""
        self.value = self.after(step, log_speed)
        self.slope, self.length = (log_speed - self.last) / step, step
        self.last = log_speed

    def _bend(self, step: float, rise: float) -> float:
        """Half the second derivative of b times step^2."""
        if self.slope is None:
            return 0.0
        bend = (rise - self.slope * step) * (step / (step + self.length))
        return float(np.clip(bend, -0.5 * abs(rise), 0.5 * abs(rise)))


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
    return np.asarray(x if rise > 0 else 1.0 - x)


def _log_mean_exp(rise: float) -> float:
    """log((e^rise - 1) / rise)."""
    size = abs(rise)
    if size < 1e-6:
        return 0.5 * rise
    return max(rise, 0.0) + float(np.log(-np.expm1(-size) / size))
