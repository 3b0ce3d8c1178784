"""KKT residuals of norm minimisation under margin constraints, measured at a given point.

The problem is min N(rho) = (sum_j w_j |rho_j|^p)^{1/p} s.t. Re(A rho) >= 1. With D = A^T a and
G the gradient of N, G_j = N^{1-p} w_j |rho_j|^{p-2} rho_j, a point is stationary when some a >= 0
has conj(D) = G (p < 1: on the support, for the slope at zero is infinite; p = 1: |D_j| <= w_j
off the support) and a_i = 0 wherever the margin exceeds 1. Then sum_i a_i = N(rho).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from implicitbias._arrays import EPS, FloatArray, NumericArray, worst_of
from implicitbias._errors import InvalidInputError
from implicitbias._nonnegative import nnls
from implicitbias.features import Features, as_features


@dataclass(frozen=True)
class KKT:
    """How far a point and its multipliers are from satisfying the optimality conditions.

    Attributes
    ----------
    primal
        max_i (1 - Re(A rho)_i)_+ : the largest violation of a margin of 1.
    dual
        max_i (-a_i)_+ / max a: the most negative multiplier.
    complementarity
        max_i a_i |Re(A rho)_i - 1| / sum a.
    stationarity
        The largest relative mismatch of conj(A^T a) and the norm's gradient over nonzero entries;
        for p = 1 also (|A^T a|_j / w_j - 1)_+ over all; for p = 2 relative to the largest entry.
    alignment
        sum_j |rho_j| |conj(A^T a)_j - G_j| / N: the same, weighed by the entries, so that it is
        continuous at zero entries. Judge a flow's unfinished direction by this one.
    gap
        Rigorous relative duality gap of rho / min margin and a / dual norm (p = 1 and p = 2).
    rounding
        What float64 resolves at this point: eps times the largest sum of absolute terms in
        A rho and in A^T a / w. A residual below it is noise.
    """

    primal: float
    dual: float
    complementarity: float
    stationarity: float
    alignment: float
    gap: float | None
    rounding: float

    @property
    def worst(self) -> float:
        """The largest residual; NaN counts as infinite."""
        numbers = [self.primal, self.dual, self.complementarity, self.stationarity, self.alignment]
        if self.gap is not None:
            numbers.append(self.gap)
        return worst_of(*numbers)

    def __str__(self) -> str:
        text = (
            f"primal {self.primal:.1e}, dual {self.dual:.1e}, complementarity "
            f"{self.complementarity:.1e}, stationarity {self.stationarity:.1e}, alignment "
            f"{self.alignment:.1e}"
        )
        if self.gap is not None:
            text += f", gap {self.gap:.1e}"
        return f"{text} (rounding {self.rounding:.1e})"


def norm_value(rho: NumericArray, exponent: float, weights: FloatArray | None = None) -> float:
    """N(rho) = (sum_j w_j |rho_j|^p)^{1/p}, without overflow."""
    size = np.abs(rho)
    top = float(size.max(initial=0.0))
    if top == 0.0:
        return 0.0
    powers = (size / top) ** exponent
    total = float(np.sum(powers if weights is None else weights * powers))
    return float(top * total ** (1 / exponent))


def norm_gradient(
    rho: NumericArray, exponent: float, weights: FloatArray | None = None
) -> NumericArray:
    """G_j = w_j (|rho_j| / N)^{p-1} rho_j / |rho_j|, and 0 where rho_j = 0."""
    size = np.abs(rho)
    value = norm_value(rho, exponent, weights)
    gradient = np.zeros_like(rho)
    nonzero = size > 0
    phase = rho[nonzero] / size[nonzero]
    gradient[nonzero] = phase * (size[nonzero] / value) ** (exponent - 1)
    return gradient if weights is None else gradient * weights


def _duality_gap(
    margin: float, value: float, multipliers: FloatArray, ratio: FloatArray, exponent: float
) -> float:
    """1 - (sum a / dual norm) / (N / min margin); 1 where either side proves nothing."""
    dual_norm = float(ratio.max()) if exponent == 1 else float(np.linalg.norm(ratio))
    total = float(multipliers.clip(min=0.0).sum())
    if margin <= 0 or dual_norm == 0 or value == 0:
        return 1.0
    return worst_of(0.0, 1.0 - total * margin / (dual_norm * value))


def _dual_unit(gradient: NumericArray, exponent: float, w: FloatArray) -> FloatArray:
    """What a mismatch of A^T a is measured against; infinite where nothing is asked (p < 1)."""
    size = np.abs(gradient)
    if exponent == 1:
        return w
    if exponent == 2:
        return np.full(size.size, float(size.max()))
    return np.where(size > 0, size, np.inf)


def kkt_residuals(
    A: NumericArray | Features,
    rho: NumericArray,
    multipliers: FloatArray,
    exponent: float,
    *,
    weights: FloatArray | None = None,
    twist: NumericArray | None = None,
    signs: FloatArray | None = None,
) -> KKT:
    """Residuals of conj(A^T a + twist) = grad N(rho), a >= 0, Re(A rho) >= 1, a_i (..) = 0.

    Parameters
    ----------
    A
        Constraint rows y_i x_i^T S^T, shape (n, m), real or complex.
    rho, multipliers
        The point, shape (m,), and a, shape (n,), scaled so that sum a = N(rho).
    exponent
        p: 2, 1, or 2/L.
    weights
        w, shape (m,); ones if None.
    twist
        -i S b where S^T rho real needs multipliers b of its own, shape (m,); zero if None.
    signs
        p = 1, real: +-1 where a coordinate keeps that sign, else 0, shape (m,): |A^T a|_j is then
        bounded on that side only.

    Raises
    ------
    InvalidInputError
        ``rho`` is zero: the norm has no gradient there.
    """
    value = norm_value(rho, exponent, weights)
    if value == 0.0:
        raise InvalidInputError("rho is zero; KKT residuals need a point with a nonzero entry.")
    w = np.ones(rho.size) if weights is None else weights
    Z = as_features(A)
    margins = (Z @ rho).real
    driver = Z.T @ multipliers if twist is None else Z.T @ multipliers + twist
    gradient = norm_gradient(rho, exponent, weights)
    mismatch = np.abs(driver.conj() - gradient)
    ratio = np.abs(driver) / (np.sqrt(w) if exponent == 2 else w)
    if signs is not None:
        ratio = np.where(signs == 0, ratio, np.maximum(signs * driver.real, 0.0) / w)
    nonzero = np.abs(rho) > 0
    unit = _dual_unit(gradient, exponent, w)
    stationarity = float((mismatch / unit)[nonzero].max())
    if exponent == 1:
        stationarity = worst_of(stationarity, float(ratio.max()) - 1.0)
    total = float(np.abs(multipliers).sum())
    top = float(np.abs(multipliers).max())
    terms = Z.absolute_transposed(multipliers) / unit
    rounding = worst_of(float(Z.absolute(rho).max()), float(terms.max()))
    convex = exponent in (1, 2)
    return KKT(
        primal=worst_of(0.0, 1.0 - float(margins.min())),
        dual=worst_of(0.0, -float(multipliers.min())) / top if top > 0 else 0.0,
        complementarity=float(np.abs(multipliers * (margins - 1)).max()) / total if total else 0.0,
        stationarity=stationarity,
        alignment=float(np.sum(np.abs(rho) * mismatch)) / value,
        gap=_duality_gap(float(margins.min()), value, multipliers, ratio, exponent)
        if convex
        else None,
        rounding=EPS * rounding,
    )


def best_multipliers(
    A: NumericArray, rho: NumericArray, exponent: float, weights: FloatArray | None = None
) -> FloatArray:
    """The a >= 0 minimising sum |rho_j (conj(A^T a) - G)_j|^2 + sum (a_i (Re(A rho)_i - 1))^2.

    Nonnegative least squares for the multipliers of a point that has none, such as a flow's
    direction scaled to a smallest margin of 1; points with margins above 2 get zero. Shape (n,).

    Raises
    ------
    InvalidInputError
        The smallest margin is above 2: ``rho`` is not scaled.
    """
    size = np.abs(rho)
    margins = (A @ rho).real
    near = margins <= 2.0
    if not near.any():
        raise InvalidInputError(
            f"rho has the smallest margin {float(margins.min()):.3g}; expected about 1. Divide rho "
            "by its smallest margin."
        )
    columns = (A[near] * rho).T  # rho_j A_ij: the phase of rho_j turns the gradient real
    target = size * np.abs(norm_gradient(rho, exponent, weights))
    matrix = np.vstack([columns.real, columns.imag, np.diag(margins[near] - 1.0)])
    right = np.concatenate([target, np.zeros(matrix.shape[0] - target.size)])
    multipliers = np.zeros(margins.size)
    multipliers[near], _ = nnls(matrix, right, maxiter=100 * margins.size)
    return multipliers
