"""One step of the slide: explicit, order 8, with an error estimate.

Between events the slide is smooth and not stiff, so that an explicit step does; its tables are
those of scipy's DOP853 (Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.integrate import DOP853

from implicitbias._arrays import FloatArray

SAFETY, SLOWEST, FASTEST = 0.9, 0.2, 5.0
ORDER = 8


def explicit_step(
    velocity: Callable[[FloatArray], FloatArray],
    start: FloatArray,
    slope: FloatArray,
    length: float,
    tol: float,
) -> tuple[FloatArray, float]:
    """z(length) and its estimated error over ``tol``; infinite where it left the finite numbers.

    Parameters
    ----------
    velocity
        dz/dsigma.
    start, slope
        z(0), (m,), and dz/dsigma there.
    length, tol
        Length of the step; absolute tolerance of the root mean square error of z.
    """
    slopes = np.empty((DOP853.n_stages + 1, start.size))
    slopes[0] = slope
    with np.errstate(over="ignore", invalid="ignore"):
        for stage in range(1, DOP853.n_stages):
            moved = start + length * (DOP853.A[stage, :stage] @ slopes[:stage])
            slopes[stage] = velocity(moved)
        end = start + length * (DOP853.B @ slopes[:-1])
        slopes[-1] = velocity(end)
        fifth, third = DOP853.E5 @ slopes, DOP853.E3 @ slopes
        high, low = float(fifth @ fifth), float(third @ third)
    if not np.isfinite(high + low):
        return end, float("inf")
    spread = np.sqrt((high + 0.01 * low) * start.size)
    return end, (length * high / spread / tol if spread > 0 else 0.0)


def next_length(length: float, error: float) -> float:
    """The length that should bring the error to the tolerance."""
    if error == 0.0:
        return FASTEST * length
    factor = SAFETY * error ** (-1.0 / ORDER) if np.isfinite(error) else SLOWEST
    return length * float(np.clip(factor, SLOWEST, FASTEST))
