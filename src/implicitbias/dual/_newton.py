"""One Newton step of Z rho(t) = y, u(t) = u(t_0) + a Z^T nu, for weights of any range.

Linearised, with w the mismatch of the second equation in units of t:

    u' dt = a Z^T dnu + u' w,    Z rho' dt = r_1,
    so  (Z D Z^T) dnu = r_1 - Z rho' w,  D = rho' a / u'.

While D and Z are mild, Cholesky on the Gram matrix of the rows as given. Otherwise the rows are
combined (``dual._rows``), and with x = (a / u')_B dnu the system becomes

    V G^T x = r_1 / rho'_B - V w,   V_ij = Z_ij rho'_j / rho'_i,   G_ij = Z_ij (u'/a)_i / (u'/a)_j:

both hold the identity on B and stay bounded where neither rho' nor u' nor a would fit a float64.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np
from scipy.linalg import LinAlgError, lapack, lu_factor

from implicitbias._arrays import FloatArray, IntArray
from implicitbias._symmetric import factor_upper
from implicitbias.dual._iterative import Iteration, iteration_of
from implicitbias.dual._rows import (
    Products,
    Rows,
    as_given,
    heaviest_rows,
    sharpened,
    solve_factored,
)
from implicitbias.features import Features, is_iterated, may_combine

SAFE_RCOND = 1e-9  # below it the Gram matrix has lost more than half of the digits
ROUGH_RCOND = 3e-6  # the same of single precision, where a digit is left
SAFE_LOG_RANGE = 40.0  # of log weights: wider ones go to combined rows at once
SATURATED = -14.0  # log u' below this: dt = w + a Z^T dnu / u' would lose six digits
MODERATE = 300.0  # log: numbers of this size are multiplied, larger ones by their logarithms
DOMINANT = 7.0  # log: an entry this far above the identity calls for a new basis
NORMED = 1 << 22  # entries of a Gram matrix whose magnitudes are copied
MOST_KEPT = 2000  # rows up to which the factor of Z Z^T is remembered

Factored = tuple[tuple[FloatArray, FloatArray], float]
_PLAIN: WeakKeyDictionary[Features, Factored | None] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Slopes:
    """log rho', log u' and log a at one t, each (m,)."""

    log_rho: FloatArray
    log_u: FloatArray
    log_a: FloatArray

    @property
    def log_weights(self) -> FloatArray:
        """log D = log (rho' a / u')."""
        return self.log_rho + self.log_a - self.log_u


@dataclass(frozen=True, eq=False)
class NewtonSystem:
    """The factored linear system at one point; ``solve`` may be called many times.

    ``rcond`` is the reciprocal condition number of a Gram matrix with unit diagonal.
    """

    rows: Rows
    slopes: Slopes
    log_top: float = 0.0
    cholesky: tuple[FloatArray, FloatArray] = field(default=(np.ones(0), np.ones(0)), repr=False)
    combined: tuple[Features, Features, tuple[FloatArray, IntArray]] | None = None  # V, G, LU
    rcond: float = 0.0
    iteration: Iteration | None = field(default=None, repr=False)  # in place of the Cholesky factor

    def at_scale(self, log_change: float) -> NewtonSystem:
        """The system of the same point with rho exp(log_change) times as large."""
        slopes = replace(self.slopes, log_rho=self.slopes.log_rho + log_change)
        return replace(self, slopes=slopes, log_top=self.log_top + log_change)

    def solve(self, target: FloatArray, mismatch: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return (dt, dnu) for r_1 = ``target`` (in these rows) and w = ``mismatch``.

        (n,) and (m,), or (n, k) and (m, k) for k right-hand sides at once.
        """
        if self.combined is not None:
            return self._solve_combined(target, mismatch, *self.combined)
        features, (growth, rate) = self.rows.features, self._factors
        right = self._lifted(target)
        if mismatch.any():
            right = right - features @ (_like(growth, mismatch) * mismatch)
        if self.iteration is not None:
            dnu = self.iteration.solve(right)
        else:
            scale, factor = _like(self.cholesky[0], target), self.cholesky[1]
            dnu = scale * lapack.dpotrs(factor, scale * right, lower=0)[0]
        return mismatch + _like(rate, mismatch) * (features.T @ dnu), dnu

    @cached_property
    def _factors(self) -> tuple[FloatArray, FloatArray]:
        """rho' over the largest weight, and a / u'."""
        slopes = self.slopes
        return np.exp(slopes.log_rho - self.log_top), np.exp(slopes.log_a - slopes.log_u)

    def _lifted(self, target: FloatArray) -> FloatArray:
        """The target over the largest weight."""
        with np.errstate(over="ignore", divide="ignore"):
            if abs(self.log_top) < MODERATE:
                return np.asarray(target * np.exp(-self.log_top))
            return np.asarray(np.sign(target) * np.exp(np.log(np.abs(target)) - self.log_top))

    def _solve_combined(
        self,
        target: FloatArray,
        mismatch: FloatArray,
        growth: Features,
        decay: Features,
        factor: tuple[FloatArray, IntArray],
    ) -> tuple[FloatArray, FloatArray]:
        basis, slopes = self.rows.basis, self.slopes
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            height = np.log(np.abs(target)) - _like(slopes.log_rho[basis], target)
            lifted = np.sign(target) * np.exp(height)
            x = solve_factored(factor, lifted - growth @ mismatch)
            dnu = x * _like(np.exp(slopes.log_u[basis] - slopes.log_a[basis]), x)
            return mismatch + decay.T @ x, dnu


def _like(vector: FloatArray, other: FloatArray) -> FloatArray:
    """``vector`` as a column where ``other`` has columns."""
    return vector if other.ndim == 1 else vector[:, None]


def weighted_gram(features: Features, weights: FloatArray) -> FloatArray:
    """Z diag(weights) Z^T for weights >= 0; (n, n)."""
    upper = features.gram(weights)
    return upper + np.triu(upper, 1).T


def newton_system(
    given: Features, rows: Rows, slopes: Slopes, *, combine: bool = False, rough: bool = False
) -> NewtonSystem | None:
    """Factor the system, changing the rows where the weights ask for it.

    Parameters
    ----------
    given
        Z in the rows as given, shape (n, m).
    rows
        The choice of rows last used.
    slopes
        log rho', log u', log a.
    combine
        Combine rows even where the weights do not ask for it.
    rough
        As for ``mild_system``.

    Returns
    -------
    NewtonSystem or None
        None where Z has numerically dependent rows.
    """
    mild = None if combine else mild_system(given, slopes, rough=rough)
    if mild is not None:
        return mild
    log_weights = slopes.log_weights
    if rows.basis is None or _dominance(rows, rows.basis, log_weights) > DOMINANT:
        fresh = heaviest_rows(given, log_weights) if may_combine(given) else None
        if fresh is None:
            return None
        rows = fresh
    return _combined(rows, slopes)


def mild_system(given: Features, slopes: Slopes, *, rough: bool = False) -> NewtonSystem | None:
    """The system in the rows as given; None where weights or Z are not mild.

    ``rough``: by a Gram matrix of single precision where that is well conditioned. Corrections by
    it contract, the residuals being those of float64.
    """
    log_weights = slopes.log_weights
    log_top = float(log_weights.max())
    if log_top - float(log_weights.min()) > SAFE_LOG_RANGE or slopes.log_u.min() < SATURATED:
        return None
    if not np.isfinite(log_top):
        return None  # every coordinate at its end, or beyond float64
    weights = np.exp(log_weights - log_top)
    if is_iterated(given):
        iteration = iteration_of(given, weights, rough=rough)
        if iteration is not None:
            return NewtonSystem(as_given(given), slopes, log_top, rcond=1.0, iteration=iteration)
        if is_iterated(given):  # nothing else fits
            return None
    found = None
    if len(given) <= MOST_KEPT and not (log_weights - log_top).any():
        found = _plain(given)
    elif rough:
        found = _roughly(given, weights)
    if found is None:
        found = _factored(given.gram(weights), SAFE_RCOND)
    if found is None:
        return None
    return NewtonSystem(as_given(given), slopes, log_top, found[0], rcond=found[1])


def _roughly(given: Features, weights: FloatArray) -> Factored | None:
    """``_factored`` by single precision; None where there is none, or it leaves too little."""
    gram = given.rough_gram(weights)
    if gram is None:
        return None
    wide, gram = gram.astype(np.float64), None  # not both while that is factored
    return _factored(wide, ROUGH_RCOND)


def _plain(given: Features) -> Factored | None:
    """``_factored`` of Z Z^T, where many starts begin: remembered."""
    if given not in _PLAIN:
        _PLAIN[given] = _factored(given.gram(np.ones(given.shape[1])), SAFE_RCOND)
    return _PLAIN[given]


def _factored(gram: FloatArray, safe_rcond: float) -> Factored | None:
    """1 / sqrt(diagonal), the Cholesky factor between these, and rcond; None below a safe one."""
    diagonal = np.diag(gram)
    if not np.all(diagonal > 0):
        return None
    scale = 1.0 / np.sqrt(diagonal)
    gram *= scale
    gram *= scale[:, None]
    norm = _norm_of_upper(gram)
    rcond = lapack.dpocon(gram, norm, uplo="U")[0] if factor_upper(gram) else 0.0
    return ((scale, gram), float(rcond)) if rcond >= safe_rcond else None


def _norm_of_upper(upper: FloatArray) -> float:
    """The largest sum of magnitudes in a row of a symmetric matrix, unit diagonal, by columns."""
    n = len(upper)
    across, step = np.zeros(n), max(1, NORMED // max(n, 1))
    down = np.zeros(n)
    for start in range(0, n, step):
        sizes = np.abs(upper[:, start : start + step])
        down[start : start + step] = sizes.sum(axis=0)
        across += sizes.sum(axis=1)
    return float((down + across).max(initial=0.0)) - 1.0


def sharpened_system(
    system: NewtonSystem, given: Features, products: Products
) -> NewtonSystem | None:
    """The same system with all digits of the combined rows; None where it is singular."""
    if system.rows.basis is None or system.rows.sharp:
        return system
    rows = sharpened(system.rows, given, products)
    if rows.features is system.rows.features:
        return replace(system, rows=rows)
    return _combined(rows, system.slopes)


def _dominance(rows: Rows, basis: IntArray, log_weights: FloatArray) -> float:
    with np.errstate(invalid="ignore"):
        return rows.features.dominance(0.5 * log_weights, basis)


def _combined(rows: Rows, slopes: Slopes) -> NewtonSystem | None:
    basis = rows.basis
    if basis is None:
        return None
    growth = rows.features.conjugated(slopes.log_rho, basis)
    decay = rows.features.conjugated(slopes.log_a - slopes.log_u, basis)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        matrix = growth.inner(decay)
    if not np.isfinite(matrix).all():
        return None
    try:
        factor = lu_factor(matrix, check_finite=False)
    except LinAlgError:
        return None
    return NewtonSystem(rows, slopes, combined=(growth, decay, factor))
