"""Whether rounding decided on which side of an invariant manifold a flow went on.

Signs of determinants of square factors, ranks of symmetric starts and signs of coordinates with
equal layers are invariant: their zero sets are never crossed. A flow that follows such a set for
long while what leads away from it grows forgets in float64 on which side it was. Errors grow by

    exp( int_0^T lambda dt ),      lambda the largest eigenvalue of the velocity's derivative,

at most. Where that makes a rounding visible the flow is integrated once more with smaller steps:
the roundings then are others, and where they decide, so is the end.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse.linalg import ArpackError, eigsh

from implicitbias._arrays import FloatArray
from implicitbias._errors import Outcome
from implicitbias.flow._rules import End
from implicitbias.flow._system import FlowSystem

VISIBLE = 15.0  # e-foldings that bring the error of a step near visibility
APART = 1e-3  # of the coefficients' size: a flow is reproducible to much less
FURTHER = 2.0  # times at which the rate is measured, one over the other
FEW, MOST = 150, 1500  # variables up to which all eigenvalues are computed, or one
FINER = 0.125


class ErrorGrowth:
    """The exponent int lambda dt along a flow, by the larger lambda at the ends of each piece.

    Attributes
    ----------
    exponent
        So far.
    """

    def __init__(self, system: FlowSystem) -> None:
        self.system, self.exponent = system, 0.0
        self.time, self.rate = 0.0, system.instability(system.start)

    def note(self, state: FloatArray, time: float, *, now: bool = False) -> None:
        """Take note of a step: measured again where the time has doubled."""
        if self.exponent > VISIBLE or not (now or time >= FURTHER * self.time):
            return
        rate = self.system.instability(state)
        self.exponent += max(self.rate, rate) * (time - self.time)
        self.time, self.rate = time, rate


def largest_eigenvalue(matrix: FloatArray) -> float:
    """That of a symmetric matrix, or 0 if it is negative; 0 where the matrix is too large."""
    if not matrix.size or len(matrix) > MOST or not np.isfinite(matrix).all():
        return 0.0
    if len(matrix) <= FEW:
        return max(0.0, float(np.linalg.eigvalsh(matrix)[-1]))
    try:
        start = np.random.default_rng(0).standard_normal(len(matrix))
        values = eigsh(matrix, k=1, which="LA", tol=1e-2, v0=start, return_eigenvectors=False)
    except ArpackError:
        return 0.0
    return max(0.0, float(values[0]))


def reproduced(
    end: End, way: FloatArray, other: End, way_again: FloatArray, exponent: float
) -> End:
    """The end, unless the flow with smaller steps takes another way.

    Parameters
    ----------
    end, other
        Of the flow, and of the one with smaller steps.
    way, way_again
        beta at the start, at common times and at the end, (T, d), and for the other up to its end.
    exponent
        By which errors may have grown.
    """
    later = np.minimum(np.arange(len(way)), len(way_again) - 1)  # where it ended, it stays
    later[-1] = -1
    size = float(np.abs(way).max(initial=0.0)) or 1.0
    apart = float(np.abs(way - way_again[later]).max(initial=0.0)) / size
    if other.outcome is end.outcome and apart <= APART:
        return end
    return End(
        Outcome.UNSTABLE,
        f"{end.message} But rounding, which can grow by exp({exponent:.3g}) on this way, decided "
        "where it left an invariant manifold, on which a determinant, a rank or a coordinate is "
        f"zero: with smaller steps beta comes to be {apart:.1e} of its size away, and "
        f"{other.message}",
    )
