"""Whether rounding decided on which side of an invariant manifold a flow went on.

Signs of determinants of square factors, ranks of symmetric starts and signs of coordinates with
equal layers are invariant: their zero sets are never crossed. A flow that follows such a set for
long while what leads away from it grows forgets in float64 on which side it was. Errors relative to
the state z grow by

    exp( int_0^T lambda dt ) |z(0)| / |z(T)|,      lambda the largest eigenvalue of P J P,

at most, J the velocity's derivative and P the projection across the velocity: errors along it only
shift the time. Where that makes a rounding visible the flow is integrated once more with smaller
steps: the roundings then are others, and where they decide, so is the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.linalg import eigvalsh, lapack
from scipy.sparse.linalg import ArpackError, eigsh

from implicitbias._arrays import EPS, FloatArray, stable_norm, worst_of
from implicitbias._errors import Outcome
from implicitbias.flow._budget import End

VISIBLE = 27.0  # e-foldings: nine tenths of what brings 1e-13, an error of order 13, to size 1
APART = 1e-3  # of the size of beta, of residuals, of times: a flow is reproducible to much less
PUNCTUAL = 1e-6  # relative error of a time, at least
LEVEL = 0.05  # of the residual at the start: what the residual is about
FURTHER = 1.5  # times, or sizes of the state, at which the rate is measured, one over the other
FUZZ = 1e-3
NEGLIGIBLE = 1e-3  # part of the exponent that is not worth an eigenvalue
FEW, MOST = 150, 1500  # variables up to which all eigenvalues are computed, or one
RESTARTS = 10  # of Lanczos' method, before one eigenvalue is computed densely
FINER = 0.125
INCOMPLETE = (Outcome.PRECISION_REACHED, Outcome.STEP_LIMIT, Outcome.FAILED)  # these tell nothing


class Unstable(Protocol):
    """What is asked of a flow's system."""

    start: FloatArray

    def instability(self, state: FloatArray, least: float) -> float:
        """lambda, or 0 where it is less than ``least``."""


class ErrorGrowth:
    """The exponent of the errors along a flow, by the trapezoidal rule on pieces of it.

    Attributes
    ----------
    exponent
        So far.
    """

    def __init__(self, system: Unstable) -> None:
        self.system, self.exponent = system, 0.0
        self.time, self.size = 0.0, stable_norm(system.start)
        self.rate = system.instability(system.start, 0.0)

    def note(self, state: FloatArray, time: float, *, now: bool = False) -> None:
        """Take note of a step: measured again where time, state or errors have grown enough."""
        size, gone = stable_norm(state), time - self.time
        moved = time >= FURTHER * self.time or size >= FURTHER * self.size or self.rate * gone > 1.0
        if self.exponent > VISIBLE or gone <= 0.0 or not (now or moved):
            return
        rate = self.system.instability(state, NEGLIGIBLE / gone)
        grown = 0.5 * (self.rate + rate) * gone
        if grown > 0.0:
            larger = np.log(size) - np.log(self.size) if size > self.size > 0.0 else 0.0
            self.exponent += max(0.0, grown - float(larger))
        self.time, self.rate, self.size = time, rate, size


def largest_eigenvalue(matrix: FloatArray, velocity: FloatArray, least: float = 0.0) -> float:
    """That of P J P, J symmetric, or 0 if it is below ``least`` or rounding; 0 for large matrices.

    Cholesky factors of least I - P J P tell the latter, for which Lanczos' method takes long.
    """
    if not matrix.size or len(matrix) > MOST or not np.isfinite(matrix).all():
        return 0.0
    speed = stable_norm(velocity)
    if 0.0 < speed < np.inf:
        along = velocity / speed
        pulled = matrix @ along
        pulled -= 0.5 * (along @ pulled) * along
        matrix = matrix - np.outer(along, pulled) - np.outer(pulled, along)
    if _is_below(matrix, least):
        return 0.0
    if len(matrix) <= FEW:
        return max(0.0, float(np.linalg.eigvalsh(matrix)[-1]))
    start = np.random.default_rng(0).standard_normal(len(matrix))
    options: dict[str, Any] = {"v0": start, "tol": 1e-2, "maxiter": RESTARTS}
    try:
        values = eigsh(matrix, k=1, which="LA", return_eigenvectors=False, **options)
    except ArpackError:
        last = len(matrix) - 1
        values = eigvalsh(matrix, subset_by_index=(last, last), check_finite=False)
    return max(0.0, float(values[0]))


def _is_below(matrix: FloatArray, bound: float) -> bool:
    """Whether all eigenvalues of a symmetric matrix are, its rounding allowed for."""
    rounding = EPS * len(matrix) * float(np.abs(matrix).max())
    shifted = -matrix
    shifted[np.diag_indices_from(shifted)] += max(bound, rounding)
    return bool(lapack.dpotrf(shifted, overwrite_a=1, clean=0)[1] == 0)


@dataclass(frozen=True, eq=False)
class Way:
    """A flow's end, and how it came there.

    Attributes
    ----------
    end
        Why it ended.
    coefficients
        beta there, or its direction, (d,).
    log_times, log_losses
        Logs of some times on the way, and of the loss there, (T,).
    """

    end: End
    coefficients: FloatArray
    log_times: FloatArray
    log_losses: FloatArray

    def residuals(self, log_unit: float) -> FloatArray:
        """Roots of the losses over exp(log_unit), never growing."""
        with np.errstate(under="ignore", over="ignore"):
            roots = np.exp(0.5 * (self.log_losses - log_unit))
        return np.asarray(np.minimum.accumulate(roots))

    def windows(self) -> FloatArray:
        """What log t may be off by: little beside how long the loss has been about what it is."""
        residuals = self.residuals(float(self.log_losses[0]))
        since = np.searchsorted(-residuals, -(residuals + LEVEL), side="right")
        before = np.concatenate([[-np.inf], self.log_times])[since]
        with np.errstate(under="ignore"):
            return np.asarray(PUNCTUAL - APART * np.expm1(before - self.log_times))


def reproduced(first: Way, again: Way, exponent: float) -> End:
    """The end of a flow, unless with smaller steps it takes another way.

    Parameters
    ----------
    first, again
        The flow, and the same one with smaller steps.
    exponent
        By which errors may have grown, or more.
    """
    if again.end.outcome in INCOMPLETE:
        return first.end
    late = _apart(first, again)
    size = float(np.abs(first.coefficients).max(initial=0.0)) or 1.0
    apart = float(np.abs(first.coefficients - again.coefficients).max(initial=0.0)) / size
    if again.end.outcome is first.end.outcome and max(apart, late) <= APART:
        return first.end
    return End(
        Outcome.UNSTABLE,
        f"{first.end.message} But rounding decided this. The flow followed an invariant manifold, "
        "on which a determinant, a rank or a coordinate is zero and which an exact flow never "
        f"crosses, while errors could grow by exp({exponent:.0f}) or more. Run again with "
        f"smaller steps, beta ends {apart:.1e} of its size away, and on the way the root of the "
        f"loss differs by up to {late:.1e} of its start; that run ended so: {again.end.message} "
        "Neither is known to be the end: try another start, or route='dual' where the network has "
        "real decoupled coordinates.",
    )


def _apart(first: Way, again: Way) -> float:
    """By how much the second loss leaves the first one's, their times within the windows."""
    unit, windows = float(first.log_losses[0]), first.windows()
    mine, other = first.residuals(unit), again.residuals(unit)
    after = np.searchsorted(again.log_times, first.log_times + (1.0 - FUZZ) * windows)
    above = other[np.minimum(after, other.size - 1)] - mine
    before = np.searchsorted(again.log_times, first.log_times - (1.0 - FUZZ) * windows, "right")
    below = mine - np.concatenate([[np.inf], other])[before]
    return worst_of(0.0, float(above.max()), float(below.max()))
