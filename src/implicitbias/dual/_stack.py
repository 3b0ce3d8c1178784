"""Newton systems of many small problems at once, as in ``_newton`` while weights are mild.

The Gram matrices Z D Z^T come from one product, their Cholesky factors one by one, and what is kept
is their inverses: a solve is then a product too. Corrections by it contract, residuals being those
of float64 or better, as long as the condition leaves digits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack

from implicitbias._arrays import BoolArray, FloatArray, IntArray
from implicitbias.dual._newton import MODERATE, SAFE_LOG_RANGE, SAFE_RCOND, SATURATED
from implicitbias.features import Stack


@dataclass(frozen=True, eq=False)
class StackSystem:
    """The linear systems of B members, (n, n) each.

    Attributes
    ----------
    log_weights
        log D, (B, m), where they were factored.
    log_u
        log u' there, (B, m).
    log_top
        The largest log D of each member, (B,).
    growth, rate
        rho' over the largest weight, and a / u', (B, m).
    inverse
        Of Z D Z^T over the largest weight, (B, n, n).
    sound
        Whether weights and Gram matrix are mild, (B,).
    """

    log_weights: FloatArray
    log_u: FloatArray
    log_top: FloatArray
    growth: FloatArray
    rate: FloatArray
    inverse: FloatArray
    sound: BoolArray

    @classmethod
    def at(
        cls, features: Stack, log_rho: FloatArray, log_u: FloatArray, log_a: FloatArray
    ) -> StackSystem:
        """Factored at log rho', log u' and log a, (B, m) each."""
        log_weights = log_rho + (log_a - log_u)
        log_top = log_weights.max(axis=1)
        weights = np.exp(log_weights - log_top[:, None])
        rate = np.exp(log_a - log_u)
        inverse, sound = _inverses(features.gram(weights))
        sound &= log_top - log_weights.min(axis=1) <= SAFE_LOG_RANGE
        sound &= (log_u.min(axis=1) >= SATURATED) & (np.abs(log_top) < MODERATE)
        return cls(log_weights, log_u, log_top, weights / rate, rate, inverse, sound)

    def solve(
        self, features: Stack, target: FloatArray, mismatch: FloatArray | None
    ) -> tuple[FloatArray, FloatArray]:
        """(dt, dnu) for r_1 = ``target``, (.., B, n), and w = ``mismatch``, (.., B, m) or 0."""
        right = target * np.exp(-self.log_top)[:, None]
        if mismatch is not None:
            right = right - features.times(self.growth * mismatch)
        dnu = (self.inverse @ right[..., None])[..., 0]
        dt = self.rate * features.transposed(dnu)
        return (dt if mismatch is None else dt + mismatch), dnu

    def take(self, index: IntArray) -> StackSystem:
        """Some of the members."""
        return StackSystem(*(value[index] for value in vars(self).values()))

    def put(self, index: IntArray, other: StackSystem) -> None:
        """Overwrite some of the members."""
        for name, value in vars(self).items():
            value[index] = getattr(other, name)


def _inverses(grams: FloatArray) -> tuple[FloatArray, BoolArray]:
    """The inverses of positive definite (B, n, n), and where they are that and well conditioned."""
    diagonal = np.diagonal(grams, axis1=1, axis2=2)
    positive = (diagonal > 0.0).all(axis=1) & np.isfinite(grams).all(axis=(1, 2))
    grams[~positive] = np.eye(grams.shape[1])
    scale = 1.0 / np.sqrt(np.diagonal(grams, axis1=1, axis2=2))
    grams = np.ascontiguousarray(grams * scale[:, None, :] * scale[:, :, None])
    sizes, definite = np.abs(grams).sum(axis=1).max(axis=1), positive
    for member, gram in enumerate(grams):  # C order, symmetric: its transpose is Fortran's
        factor, failed = lapack.dpotrf(gram.T, lower=0, clean=0, overwrite_a=1)
        if not failed:
            _, failed = lapack.dpotri(factor, lower=0, overwrite_c=1)
        definite[member] &= not failed
    lower = np.tril(grams)  # of the array in C order: LAPACK wrote the other triangle of it
    inverse = lower + np.tril(grams, -1).transpose(0, 2, 1)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        condition = sizes * np.abs(inverse).sum(axis=1).max(axis=1)
        sound = definite & (condition * SAFE_RCOND <= 1.0)
    return inverse * scale[:, None, :] * scale[:, :, None], sound
