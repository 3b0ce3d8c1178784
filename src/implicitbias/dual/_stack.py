"""Newton systems of many small problems at once, as in ``_newton`` while weights are mild.

The Gram matrices Z D Z^T come from one product, their Cholesky factors one by one, and what is kept
is the inverses of these: a solve is then a product too. Corrections by it contract, residuals being
those of float64 or better, as long as the condition leaves digits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import lapack

from implicitbias._arrays import BoolArray, FloatArray, IntArray
from implicitbias.dual._newton import (
    MODERATE,
    SAFE_LOG_RANGE,
    SAFE_RCOND,
    SATURATED,
)
from implicitbias.features import Stack

BLOCK = 1 << 18  # entries of Gram matrices, or of weighted Z, that are made at a time


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
        W with W^T W = (Z D Z^T)^{-1}, weights over the largest, (B, n, n).
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
        cls,
        features: Stack,
        members: IntArray,
        log_rho: FloatArray,
        log_u: FloatArray,
        log_a: FloatArray,
    ) -> StackSystem:
        """Those of k ``members``, factored at log rho', log u' and log a, (k, m) each."""
        log_weights = log_rho + (log_a - log_u)
        log_top = log_weights.max(axis=1)
        weights = np.exp(log_weights - log_top[:, None])
        rate = np.exp(log_a - log_u)
        inverse, sound = _inverse_factors(features, members, weights)
        sound &= log_top - log_weights.min(axis=1) <= SAFE_LOG_RANGE
        sound &= (log_u.min(axis=1) >= SATURATED) & (np.abs(log_top) < MODERATE)
        return cls(log_weights, log_u, log_top, weights / rate, rate, inverse, sound)

    def at_scales(self, log_changes: FloatArray) -> StackSystem:
        """The systems of the same points with rho exp(log_change) times as large, (B,)."""
        log_weights, log_top = self.log_weights + log_changes[:, None], self.log_top + log_changes
        return replace(self, log_weights=log_weights, log_top=log_top)

    def solve(
        self, features: Stack, target: FloatArray, mismatch: FloatArray | None
    ) -> tuple[FloatArray, FloatArray]:
        """(dt, dnu) for r_1 = ``target``, (.., B, n), and w = ``mismatch``, (.., B, m) or 0."""
        right = target * np.exp(-self.log_top)[:, None]
        if mismatch is not None:
            right = right - features.times(self.growth * mismatch)
        lowered = self.inverse @ right[..., None]
        dnu = (self.inverse.transpose(0, 2, 1) @ lowered)[..., 0]
        dt = self.rate * features.transposed(dnu)
        return (dt if mismatch is None else dt + mismatch), dnu

    def take(self, index: IntArray) -> StackSystem:
        """Some of the members."""
        return StackSystem(*(value[index] for value in vars(self).values()))

    def put(self, index: IntArray, other: StackSystem) -> None:
        """Overwrite some of the members."""
        for name, value in vars(self).items():
            value[index] = getattr(other, name)


def _inverse_factors(
    features: Stack, members: IntArray, weights: FloatArray
) -> tuple[FloatArray, BoolArray]:
    """W with W^T W = (Z D Z^T)^{-1}, (B, n, n), and where that is mild."""
    count, n = len(weights), features.shape[0]
    factors, sound = np.empty((count, n, n)), np.empty(count, dtype=bool)
    step = max(1, BLOCK // (n * max(n, features.shape[1])))
    for start in range(0, count, step):
        part = slice(start, min(start + step, count))
        sound[part] = _factored(features.gram(weights[part], members[part]), factors[part])
    return factors, sound


def _factored(grams: FloatArray, factors: FloatArray) -> BoolArray:
    """Write W; where the Gram matrices are positive definite and well conditioned.

    With a unit diagonal |L^{-1}|_F^2 bounds the norm of the inverse.
    """
    diagonal = np.diagonal(grams, axis1=1, axis2=2)
    definite = (diagonal > 0.0).all(axis=1) & np.isfinite(grams.sum(axis=(1, 2)))
    scale = 1.0 / np.sqrt(np.where(definite[:, None], diagonal, 1.0))
    np.multiply(grams, scale[:, None, :], out=grams)
    np.multiply(grams, scale[:, :, None], out=factors)
    norms = np.abs(factors, out=grams).sum(axis=2).max(axis=1)
    for member in np.flatnonzero(definite):  # in C order, symmetric: the transpose is Fortran's
        factor, failed = lapack.dpotrf(factors[member].T, lower=0, clean=1, overwrite_a=1)
        if not failed:
            _, failed = lapack.dtrtri(factor, lower=0, overwrite_c=1)
        definite[member] = not failed
    condition = norms * np.square(factors, out=grams).sum(axis=(1, 2))
    factors *= scale[:, None, :]
    return np.asarray(definite & (condition * SAFE_RCOND <= 1.0))
