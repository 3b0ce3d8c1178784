"""The rest of the clock over its slope: reach(x) = int_x^inf (du/dx)(y) dy / (du/dx)(x).

With tau = (Q(y)^2 - Q(x)^2) / next(x)^2 every kind of coordinate has the same integral,

    reach = 1/2 int_0^inf [(tau + a) (tau + 1) prod_i (1 + B_i tau)]^{-1/2} d tau,

a = (Q / next)^2 and B_i = (next / layer i)^2, all in [0, 1]: nothing cancels, nothing overflows.
One or two other layers make it Carlson's R_F; more are left to the trapezoidal rule in log tau,
which converges geometrically on an integrand analytic in a strip of width 2 pi.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import elliprf

from implicitbias._arrays import FloatArray, IntArray

BLOCK = 128  # coordinates treated together: the work array stays in the cache
TAIL = 42.0  # e^{-42}: below rounding
SAFE_EXPONENT = 600.0  # e^{600} leaves room for the tail


def blocks(indices: IntArray, size: int) -> Iterator[IntArray]:
    """Cut an array of indices into pieces of at most ``size``."""
    return (indices[start : start + size] for start in range(0, indices.size, size))


def carlson_reach(smallest: FloatArray, following: FloatArray) -> FloatArray:
    """Reach for one or two other layers, from |Q|^2 and next^2 over their squares, (n, m)."""
    if len(smallest) == 1:
        return np.asarray(elliprf(smallest[0], following[0], 1.0))
    (q_2, q_3), (next_2, next_3) = np.sqrt(smallest), np.sqrt(following)
    return np.asarray(elliprf((1.0 + q_2 * next_3) ** 2, (q_3 + next_2) ** 2, (q_2 + next_3) ** 2))


def reach(ratio: FloatArray, log_following: FloatArray) -> FloatArray:
    """Reach for any number of other layers.

    Parameters
    ----------
    ratio
        a = (Q / next)^2, shape (m,).
    log_following
        log B_i, shape (n, m).
    """
    n = len(log_following)
    ends = np.sort(-log_following, axis=0)
    count = np.arange(1, n + 1)[:, None]
    upper = ((2.0 * TAIL + np.cumsum(ends, axis=0)) / count).min(axis=0)
    with np.errstate(divide="ignore"):
        lower = np.maximum(0.5 * np.log(ratio), -TAIL) - TAIL - np.log(n)
    order = np.argsort(upper)
    result = np.empty(ratio.size)
    for block in blocks(order, BLOCK):
        span = float(lower[block].min()), float(upper[block].max())
        result[block] = _trapezoid(ratio[block], log_following[:, block], span)
    return result


def _trapezoid(
    ratio: FloatArray, log_following: FloatArray, span: tuple[float, float]
) -> FloatArray:
    """Trapezoidal rule over log tau in ``span``; dyadic steps keep the nodes exact."""
    step = 0.375 if len(log_following) <= 12 else 0.25
    y = step * np.arange(np.floor(span[0] / step), np.ceil(span[1] / step) + 1.0)[:, None]
    with np.errstate(over="ignore"):
        product = (1.0 + ratio * np.exp(-y)) * (1.0 + np.exp(-y))
        if log_following.min() > -SAFE_EXPONENT:
            tau = np.exp(y)
            for row in np.exp(log_following):
                product *= 1.0 + tau * row
        else:
            for row in log_following:
                product *= 1.0 + np.exp(y + row)
        return np.asarray(0.5 * step * (1.0 / np.sqrt(product)).sum(axis=0))
