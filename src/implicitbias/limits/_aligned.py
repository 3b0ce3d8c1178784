"""Where the sizes of aligned layers end: prod_l (c_l + tau) = |b|^2, c_l their squares.

All squares grow by the same tau, so that their differences are conserved. With g_l = c_l - min c
and r = min c + tau the unknown is r >= 0, and sum_l log(g_l + r) is convex and increasing in log r.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from implicitbias._arrays import FloatArray

MAX_STEPS = 200


@dataclass(frozen=True, eq=False)
class GrownSizes:
    """Sizes of L layers, >= 0, whose product is |b|.

    Attributes
    ----------
    sizes
        At the end, in units of exp(log_unit), (L,).
    log_unit
        Of the unit: the largest of the sizes at the start and of |b|^{1/L}.
    residual
        |prod_l sizes_l^2 / |b|^2 - 1| as far as the equation was solved.
    """

    sizes: FloatArray
    log_unit: float
    residual: float

    @property
    def log_later(self) -> float:
        """log prod_{l >= 2} sizes_l, in no unit; -inf where one is 0."""
        with np.errstate(divide="ignore"):
            return float(np.log(self.sizes[1:]).sum()) + (self.sizes.size - 1) * self.log_unit


def grown_sizes(start: FloatArray, log_scale: float, log_target: float) -> GrownSizes:
    """The sizes at the end.

    Parameters
    ----------
    start
        Sizes at scale 1, (L,), >= 0, not all 0.
    log_scale
        log alpha.
    log_target
        log |b|, -inf for b = 0.
    """
    depth = start.size
    log_unit = max(log_scale + float(np.log(start.max())), log_target / depth)
    with np.errstate(under="ignore"):
        sizes = start * np.exp(log_scale - log_unit)
        least = float(sizes.min())
        gaps = (sizes - least) * (sizes + least)
    if log_target == -np.inf:
        return GrownSizes(np.sqrt(gaps), log_unit, 0.0)
    with np.errstate(divide="ignore"):
        logs = np.log(gaps)
    target = 2.0 * (log_target - depth * log_unit)
    log_r = target / depth  # the root is at most that
    for _ in range(MAX_STEPS):  # Newton's method from the right of a convex function
        values = np.logaddexp(logs, log_r)
        step = (values.sum() - target) / np.exp(log_r - values).sum()
        log_r -= step
        if abs(step) <= 4.0 * np.finfo(float).eps * max(1.0, abs(log_r)):
            break
    values = np.logaddexp(logs, log_r)
    residual = float(np.abs(np.expm1(values.sum() - target)))
    return GrownSizes(np.exp(0.5 * values), log_unit, residual)
