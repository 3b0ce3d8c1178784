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

VISIBLE = 20.0  # e-foldings that make one part of a rounding 1e-7
APART = 1e-3  # of the coefficients' size: a flow is reproducible to much less
FURTHER = 2.0  # times at which the rate is measured, one over the other
FEW, MOST = 150, 1500  # variables up to which all eigenvalues are computed, or one
FINER = 0.125


class ErrorGrowth:
    """The exponent int lambda dt along a flow, in the trapezoidal rule.

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
        self.exponent += 0.5 * (self.rate + rate) * (time - self.time)
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
    end: End,
    coefficients: FloatArray,
    again: tuple[End, FloatArray],
    exponent: float,
    remaining: float,
) -> End:
    """The end, unless the flow with smaller steps ends elsewhere."""
    other, there = again
    size = float(np.abs(coefficients).max(initial=0.0)) or 1.0
    apart = float(np.abs(coefficients - there).max(initial=0.0)) / size
    if other.outcome is end.outcome and apart <= max(APART, 10.0 * remaining):
        return end
    ends = f"ends {apart:.1e} of its size away" if other.outcome is end.outcome else other.message
    return End(
        Outcome.UNSTABLE,
        f"{end.message} But rounding, which can grow by exp({exponent:.3g}) on this way, decided "
        "on which side of an invariant manifold (a determinant, a rank or a coordinate that is zero) "
        f"the flow went on: integrated with smaller steps it {ends}",
    )
