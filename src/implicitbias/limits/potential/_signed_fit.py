"""Where training ends if no interpolator has the signs that locked coordinates keep.

With residuals r(t), the dual flow d nu/dt = -r(t) descends a convex function, so that r tends to
the shortest residual under the signs,

    rho_fit = argmin ||Z rho - y||^2 s.t. locked coordinates keep their sign, dead ones are 0,

whose Z rho_fit is unique. For every rho^ with these signs and Z rho^ = Z rho_fit the Bregman
divergence of the potential changes by -r^T (r - r_fit) a time, the same for all, so that the
limit is the least point of the potential over these rho^. What remains is to tell which coordinates
are 0 in all of them: those with a multiplier z_j^T r_fit that is not 0.

Source: Alvarez, Bolte and Brahic, SIAM J. Control Optim. 43 (2004), for Bregman's divergence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from implicitbias._arrays import EPS, BoolArray, FloatArray, stable_norm
from implicitbias._nonnegative import nnls
from implicitbias.coordinates import ScalarCurves
from implicitbias.features import Dense, Features
from implicitbias.problems import exact_rank

STRICT = 1e-7  # multipliers, parts of the fit and angles above this are not rounding
MAX_EXACT_ENTRIES = 1 << 20
REFINED = 4  # corrections of the residual, evaluated beyond float64


@dataclass(frozen=True, eq=False)
class SignedFit:
    """The least-squares fit of y under the signs.

    Attributes
    ----------
    fitted
        Z rho_fit, (n,).
    forced
        Boolean (m,): zero in every rho with that fit (dead coordinates included).
    strictness
        How far the fit is from another set of forced coordinates: the least of the residual and the
        parts that locked coordinates have in the fit, relative to |y|, the multipliers z_j^T r
        relative to |z_j| |r|, and the singular values of what spans the fit. 0 where it is not
        known whether columns depend on each other.
    stationarity
        The largest z_j^T r relative to |z_j| |y| over the columns that span the fit.
    rounding
        What each entry of ``fitted`` may be off by, (n,).
    """

    fitted: FloatArray
    forced: BoolArray
    strictness: float
    stationarity: float
    rounding: FloatArray


def signed_fit(
    features: Features,
    target: FloatArray,
    curves: ScalarCurves,
    rounding: tuple[FloatArray, FloatArray] | None,
) -> SignedFit:
    """The fit over all points.

    Parameters
    ----------
    features, target, curves
        Z (n, m), y (n,), and what tells which coordinates are locked or dead.
    rounding
        What entries of Z are off by, |dZ_ij| <= first_i second_j; None where Z is exact, and
        columns that depend on each other do so without rounding.

    Raises
    ------
    RuntimeError
        The nonnegative least squares ran out of iterations.
    """
    moves = np.flatnonzero(~curves.dead)
    columns, locked = features.columns(moves), curves.locked[moves]
    exponents = np.frexp(np.linalg.norm(columns, axis=0))[1]
    units = np.ldexp(columns, -exponents)  # not rounded: what depends on others still does
    signed = units[:, locked] * curves.orientation[moves][locked]
    size = stable_norm(target) or 1.0
    free = units[:, ~locked]
    shares = nnls(np.hstack([free, -free, signed]), target / size)[0][2 * free.shape[1] :]
    used = ~locked
    used[locked] = shares > 0.0
    span = _Span.of(units[:, used])
    residual, correction = span.residual(target)
    length = stable_norm(residual)
    across = np.linalg.norm(units - span.projected(units), axis=0)
    stays = used | (across <= span.noise)
    multipliers = -(signed.T @ residual)[~stays[locked]] / (length or 1.0)  # > 0 drives to 0
    margins = [length / size, *shares[shares > 0.0], *multipliers, *span.values[-1:]]
    if stays.sum() > span.values.size:
        proved = rounding is None and columns[:, stays].size <= MAX_EXACT_ENTRIES
        if not proved or exact_rank(columns[:, stays]) != span.values.size:
            margins.append(0.0)
    if rounding is not None:
        lengths = np.ldexp(rounding[1][moves], -exponents)[used]
        correction = correction + span.swayed(float(np.abs(residual) @ rounding[0]) * lengths)
    forced = curves.dead.copy()
    forced[moves[~stays]] = True
    return SignedFit(
        target - residual,
        forced,
        float(np.min(margins)) + 0.0,  # not -0
        float(np.abs(units[:, used].T @ residual).max(initial=0.0)) / size,
        correction + EPS * (np.abs(target) + np.abs(residual)),
    )


@dataclass(frozen=True, eq=False)
class _Span:
    """What columns (n, k) near unit length span: their SVD without values that are rounding."""

    columns: FloatArray
    left: FloatArray
    values: FloatArray
    right: FloatArray

    @classmethod
    def of(cls, columns: FloatArray) -> _Span:
        left, values, right = np.linalg.svd(columns, full_matrices=False)
        rank = int(np.sum(values > 64 * EPS * max(columns.shape)))
        return cls(columns, left[:, :rank], values[:rank], right[:rank])

    @property
    def noise(self) -> float:
        """Distances to the span up to here may be rounding."""
        smallest = float(self.values.min(initial=1.0))
        return float(64 * EPS * max(self.columns.shape) / smallest)

    def projected(self, vectors: FloatArray) -> FloatArray:
        """The part of vectors (n, ..) in the span."""
        return np.asarray(self.left @ (self.left.T @ vectors))

    def residual(self, target: FloatArray) -> tuple[FloatArray, FloatArray]:
        """y less its projection, and the size of the last correction of it.

        r + G c = y and G^T r = 0 for the columns G, both corrected (Bjorck, 1967): the computed
        basis misses the span by the condition of G.
        """
        residual, c = target - self.projected(target), np.zeros(self.columns.shape[1])
        correction, precise = np.zeros_like(target), Dense(self.columns).precise
        for _ in range(REFINED if self.values.size else 0):
            missing = precise.residual(c, target - residual)
            slopes = self.right @ precise.transposed_residual(residual, np.zeros_like(c))
            step = self.right.T @ ((self.left.T @ missing - slopes / self.values) / self.values)
            correction = missing - self.columns @ step
            residual, c = residual + correction, c + step
        return residual, np.abs(correction)

    def swayed(self, slopes: FloatArray) -> FloatArray:
        """How far the projection moves, (n,), if columns^T r moves by up to ``slopes``."""
        return np.asarray(np.abs((self.left / self.values) @ self.right) @ slopes)
