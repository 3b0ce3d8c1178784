"""Offsets along gradient descent of decoupled coordinates, step by step with 40 digits.

p_l <- p_l - gamma g prod_{m != l} p_m multiplies p_l^2 - p_k^2 by 1 - (gamma g)^2 prod_{m != l, k}
p_m^2; here both sides are computed, the left from the layers themselves.
"""

from __future__ import annotations

import mpmath as mp
import numpy as np

DIGITS = 40


def exactly(array):
    """The same array of mpmath numbers."""
    return np.vectorize(lambda value: mp.mpf(float(value)), otypes=[object])(array)


def offset_factors(p, Z, y, step, batches=None, shifts=None, *, count):
    """What ``count`` steps multiply p_l^2 - q^2 by, (L - 1, m): by the law, and by the layers.

    q is the start's smallest layer of a coordinate, l the others in their order.
    """
    with mp.workdps(DIGITS):
        order = np.argsort(np.abs(p), axis=0, kind="stable")
        now = exactly(np.take_along_axis(np.asarray(p), order, axis=0))
        Z, y, before = exactly(Z), exactly(y), now
        law = exactly(np.ones((len(now) - 1, now.shape[1])))
        for k in range(count):
            points = range(len(y)) if batches is None else batches[k]
            moved = y[points] + (0 if shifts is None else exactly(shifts[k]))
            residuals = Z[points] @ now.prod(axis=0) - moved
            pull = mp.mpf(step) * len(y) / len(points) * (residuals @ Z[points])
            for at in range(1, len(now)):
                law[at - 1] *= 1 - (pull * np.delete(now, (0, at), axis=0).prod(axis=0)) ** 2
            now = now - pull * np.array(
                [np.delete(now, at, axis=0).prod(axis=0) for at in range(len(now))]
            )
        layers = (now[1:] ** 2 - now[0] ** 2) / (before[1:] ** 2 - before[0] ** 2)
        return law.astype(np.float64), layers.astype(np.float64)


def pair_factors(u, v, power, X, y, step, count):
    """What ``count`` steps multiply alpha^2 by, (d,); beta = u^D - v^D.

    alpha^{2-D} is the mean of u^{2-D} and v^{2-D}, alpha^2 = u v for D = 2.
    """
    with mp.workdps(DIGITS):
        u, v, X, y, D = (*map(exactly, (u, v, X, y)), mp.mpf(power))
        before = u, v
        for _ in range(count):
            pull = D * mp.mpf(step) * ((X @ (u**D - v**D) - y) @ X)
            u, v = u - pull * u ** (D - 1), v + pull * v ** (D - 1)
        if power == 2:
            return (u * v / (before[0] * before[1])).astype(np.float64)
        means = (u ** (2 - D) + v ** (2 - D)) / (before[0] ** (2 - D) + before[1] ** (2 - D))
        return (means ** (2 / (2 - D))).astype(np.float64)
