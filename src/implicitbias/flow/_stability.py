"""Whether rounding decided on which side of an invariant manifold a flow went on.

Signs of determinants of square factors, ranks of symmetric starts and signs of coordinates with
equal layers are invariant: their zero sets are never crossed. A flow that follows such a set for
long while what leads away from it grows forgets in float64 on which side it was. Errors grow by

    exp( int_0^T lambda dt ),      lambda the largest eigenvalue of the velocity's derivative,

at most. Where that makes a rounding visible the flow is integrated once more with smaller steps:
the roundings then are others, and where they decide, so is the end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse.linalg import ArpackError, eigsh

from implicitbias._arrays import FloatArray
from implicitbias._errors import Outcome
from implicitbias.flow._rules import End
from implicitbias.flow._system import FlowSystem

VISIBLE = 15.0  # e-foldings that bring the error of a step near visibility
APART = 1e-3  # of the size of beta, or of residuals: a flow is reproducible to much less
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


@dataclass(frozen=True)
class Way:
    """A flow's end, and how it came there.

    Attributes
    ----------
    end
        Why it ended.
    coefficients
        beta there, (d,).
    log_losses
        Log of the loss at common times, (T,); up to its end only if that came before.
    """

    end: End
    coefficients: FloatArray
    log_losses: FloatArray


def reproduced(first: Way, again: Way, exponent: float) -> End:
    """The end of a flow, unless with smaller steps it takes another way.

    Parameters
    ----------
    first, again
        The flow, and the same one with smaller steps.
    exponent
        By which errors may have grown.
    """
    later = np.minimum(np.arange(len(first.log_losses)), len(again.log_losses) - 1)
    top = max(float(first.log_losses[0]), float(again.log_losses[0]))
    with np.errstate(under="ignore"):
        residuals = [np.exp(0.5 * (way.log_losses - top)) for way in (first, again)]
    late = float(np.abs(residuals[0] - residuals[1][later]).max(initial=0.0))
    size = float(np.abs(first.coefficients).max(initial=0.0)) or 1.0
    apart = float(np.abs(first.coefficients - again.coefficients).max(initial=0.0)) / size
    if again.end.outcome is first.end.outcome and max(apart, late) <= APART:
        return first.end
    return End(
        Outcome.UNSTABLE,
        f"{first.end.message} But rounding, which can grow by exp({exponent:.3g}) on this way, "
        "decided when and where it left an invariant manifold, on which a determinant, a rank or a "
        f"coordinate is zero: integrated with smaller steps, beta at the end is {apart:.1e} and "
        f"the residual on the way up to {late:.1e} of its size away, and {again.end.message}",
    )
