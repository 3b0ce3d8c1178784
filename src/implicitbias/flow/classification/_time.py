"""Time along a flow that is integrated in another clock: t = int exp(b(sigma)) dsigma.

b = log(dt/dsigma) grows by millions while the margin grows by a per mille, so that a sum of
endpoint values is off by whole powers of e. Over a step b is taken for the parabola through its
ends and its middle. With x -> q, q running evenly in the integral of the chord's exponential, what
is left is smooth and a few Gauss points do:

    int_0^h exp(b) = h (e^{b_1} - e^{b_0}) / (b_1 - b_0) * int_0^1 exp(b(x(q)) - chord(x(q))) dq.
"""

from __future__ import annotations

from math import expm1, log

import numpy as np

from implicitbias._arrays import FloatArray

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)
NODES, WEIGHTS = 0.5 * (1.0 + _NODES), 0.5 * _WEIGHTS
LOG_WEIGHTS = np.log(WEIGHTS)
STEEPEST = 0.5  # of the chord: how far the parabola may change its slope at the ends
FLAT = 1e-6


def log_elapsed(length: float, first: float, middle: float, last: float) -> float:
    """Log of the time over a step of this length, from b at its ends and its middle."""
    rise = last - first
    most = STEEPEST * abs(rise)
    bend = min(max(2.0 * (first + last) - 4.0 * middle, -most), most)
    return first + log(length) + _log_integral(rise, bend)


def _log_integral(rise: float, bend: float) -> float:
    """log int_0^1 exp(rise x - bend x (1 - x)) dx."""
    if bend == 0.0:
        return _log_mean_exp(rise)
    x = _quantiles(rise)
    logs = LOG_WEIGHTS - bend * x * (1.0 - x)
    return _log_mean_exp(rise) + float(np.logaddexp.reduce(logs))


def _quantiles(rise: float) -> FloatArray:
    """x with int_0^x exp(rise y) dy = q int_0^1 exp(rise y) dy at the nodes q."""
    size = abs(rise)
    if size < FLAT:
        return NODES
    x = 1.0 + np.log(NODES + (1.0 - NODES) * np.exp(-size)) / size
    return np.asarray(x if rise > 0 else 1.0 - x)


def _log_mean_exp(rise: float) -> float:
    """log((e^rise - 1) / rise)."""
    size = abs(rise)
    if size < FLAT:
        return 0.5 * rise
    return max(rise, 0.0) + float(np.log(-expm1(-size) / size))
