"""Evidence for and against separability, verified whoever proposed it.

A separator is accepted when every margin exceeds a bound on the rounding error of its own dot
product. A Gordan vector a >= 0 with sum_i a_i z_i = 0 is accepted when an exact one is proved to
exist beside it: by a verified linear solve where the points surround the origin, else in integers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from implicitbias._arrays import EPS, FloatArray, NumericArray
from implicitbias.features import Features, as_features
from implicitbias.problems._exact import MAX_ENTRIES, exact_gordan_vector
from implicitbias.problems._scaling import row_exponents

UNIT_ROUNDOFF = EPS / 2
EXTENDED_ROUNDOFF = float(np.finfo(np.longdouble).eps) / 2
SAFETY = 1.01  # covers the rounding of the bounds themselves


def accumulated(length: int, roundoff: float) -> float:
    """Bound gamma on the relative error of a dot product: length u / (1 - length u)."""
    return (length + 2) * roundoff / (1 - (length + 2) * roundoff)


@dataclass(frozen=True, eq=False)
class Separator:
    """A unit vector z and what it separates.

    Attributes
    ----------
    vector
        z, (d,), ||z|| = 1.
    margin
        min_i y_i x_i^T z.
    cosine
        min_i y_i x_i^T z / ||x_i||.
    proved
        Whether all margins are positive beyond the rounding error of x_i^T z.
    """

    vector: FloatArray
    margin: float
    cosine: float
    proved: bool


@dataclass(frozen=True, eq=False)
class GordanVector:
    """Weights a >= 0, sum a = 1, and how nearly sum_i a_i y_i x_i vanishes.

    Attributes
    ----------
    weights
        a, (n,).
    residual
        ||sum_i c_i y_i x_i / ||x_i|| ||, c >= 0 proportional to a_i ||x_i||, sum c = 1: no unit z
        has min_i y_i x_i^T z / ||x_i|| above it.
    proved
        Whether an exact Gordan vector with the same support is proved to exist.
    """

    weights: FloatArray
    residual: float
    proved: bool


class SignedRows:
    """z_i = y_i x_i, served in blocks, scaled by powers of two (exactly)."""

    def __init__(self, X: FloatArray | Features, y: FloatArray) -> None:
        self.X, self.y = as_features(X), y
        self.exponents = row_exponents(self.X)
        norms = [self.take(block).row_norms() for block in self.X.row_blocks()]
        self.norms = np.concatenate(norms)

    def take(self, rows: slice | NumericArray) -> Features:
        """2^{-e_i} z_i for some rows: largest entry in [1/2, 1)."""
        return self.X.rows(rows).shifted(-self.exponents[rows]).scaled(self.y[rows], None)

    def dense(self, rows: slice | NumericArray) -> FloatArray:
        """The same as an array."""
        return self.take(rows).toarray()

    def products(self, vector: FloatArray) -> FloatArray:
        """2^{-e_i} z_i^T vector, (n,)."""
        return np.concatenate([self.take(block) @ vector for block in self.X.row_blocks()])

    def separator(self, vector: FloatArray | None) -> Separator | None:
        """Measure a proposed separating vector; None if it is not one to be measured."""
        if vector is None or not np.isfinite(vector).all() or not vector.any():
            return None
        vector = np.ldexp(vector, -int(np.frexp(np.abs(vector).max())[1]))
        vector = vector / np.linalg.norm(vector)
        values, bounds = self._margins(vector)
        with np.errstate(over="ignore", under="ignore"):
            margin = float(np.ldexp(values, self.exponents).min())
        cosine = float((values / self.norms).min())
        return Separator(vector, margin, cosine, bool((values > bounds).all()))

    def _margins(self, vector: FloatArray) -> tuple[FloatArray, FloatArray]:
        """2^{-e_i} z_i^T vector and bounds on the rounding error, extended where it matters."""
        values, bounds = np.empty_like(self.y), np.empty_like(self.y)
        relative = SAFETY * accumulated(vector.size, UNIT_ROUNDOFF)
        lost = vector.size * 2.0**-1060  # entries that vanished when scaled
        for block in self.X.row_blocks():
            rows = self.take(block)
            values[block] = rows @ vector
            bounds[block] = relative * rows.absolute(vector) + lost
        doubtful = np.flatnonzero(np.abs(values) <= bounds)
        relative = SAFETY * accumulated(vector.size, EXTENDED_ROUNDOFF)
        extended = vector.astype(np.longdouble)
        for index in doubtful:
            row = self.dense(slice(index, index + 1))[0]
            values[index] = float(row.astype(np.longdouble) @ extended)
            bounds[index] = relative * (np.abs(row) @ np.abs(vector)) + lost
            bounds[index] += UNIT_ROUNDOFF * abs(values[index])
        return values, bounds

    def _scaled_exactly(self, support: NumericArray, rows: Features) -> bool:
        """Whether scaling lost no entry to underflow."""
        given = self.X.rows(support).scaled(self.y[support], None)
        return all(
            np.array_equal(left, right)
            for one, other in zip(
                rows.shifted(self.exponents[support]).entries(), given.entries(), strict=True
            )
            for left, right in zip(one, other, strict=True)
        )

    def gordan_vector(self, weights: FloatArray) -> GordanVector:
        """Measure proposed weights b of the scaled rows, and try to prove them."""
        support = np.flatnonzero(weights > 0)
        rows = self.take(support)
        proved, entries = None, _used_columns(rows)
        if entries is not None and self._scaled_exactly(support, rows):
            proved = surrounding_weights(entries, weights[support])
            proved = exact_gordan_vector(entries) if proved is None else proved
        chosen = weights[support] / weights[support].sum() if proved is None else proved
        residual = float(np.linalg.norm(chosen @ rows) / (chosen @ self.norms[support]))
        result = np.zeros(len(self.y))
        mantissas, exponents = np.frexp(chosen)
        exponents = exponents - self.exponents[support]
        with np.errstate(under="ignore"):
            result[support] = np.ldexp(mantissas, exponents - exponents.max())
        return GordanVector(result / result.sum(), residual, proved is not None)


def _used_columns(rows: Features) -> FloatArray | None:
    """Rows as an array, without empty columns if sparse; None if too large to prove with."""
    if rows.is_array:
        return rows.toarray()
    used = np.flatnonzero(rows.largest(0))
    if rows.shape[0] <= used.size and rows.shape[0] * used.size > MAX_ENTRIES:
        return None
    return rows.columns(used)


def surrounding_weights(rows: FloatArray, weights: FloatArray) -> FloatArray | None:
    """Return refined weights a > 0 if the origin provably is inside the hull of the rows.

    k + 1 of the points, chosen by pivoted QR, take up what sum_i a_i rows_i = 0, sum a = 1 still
    misses: with A their matrix, C ~ A^{-1}, ||I - C A|| <= q < 1 and r the residual, the exact
    correction is within |C r| + q/(1 - q) ||C r||_inf of 0 in every entry, so a > 0 stays true of
    the exact solution if a exceeds that (Krawczyk, Rump).
    """
    rows = rows[:, np.any(rows != 0, axis=0)]
    size = rows.shape[1] + 1
    if len(rows) < size:
        return None
    features = np.frexp(np.abs(rows).max(axis=0))[1]
    matrix = np.vstack([np.ldexp(rows, -features).T, np.ones(len(rows))])
    chosen = scipy.linalg.qr(matrix * weights, mode="r", pivoting=True)[1][:size]
    inverse, contraction = _approximate_inverse(matrix[:, chosen])
    if inverse is None:
        return None
    weights = weights / weights.sum()
    for _ in range(3):
        weights[chosen] += inverse @ _missing(matrix, weights)
    rounding = accumulated(len(rows), EXTENDED_ROUNDOFF) * (np.abs(matrix) @ np.abs(weights))
    error = np.abs(inverse) @ (np.abs(_missing(matrix, weights)) + rounding)
    error = SAFETY * (error + contraction / (1 - contraction) * error.max())
    return weights if (weights[chosen] > error).all() else None


def _approximate_inverse(matrix: FloatArray) -> tuple[FloatArray | None, float]:
    """C ~ A^{-1} and a bound below 1/2 on ||I - C A||_inf, or None where there is none."""
    try:
        inverse = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
    except np.linalg.LinAlgError:
        return None, np.inf
    size = len(matrix)
    defect = np.abs(np.eye(size) - inverse @ matrix)
    defect += accumulated(size, UNIT_ROUNDOFF) * (np.abs(inverse) @ np.abs(matrix))
    contraction = SAFETY * float(defect.sum(axis=1).max())
    return (inverse, contraction) if contraction < 0.5 else (None, contraction)


def _missing(matrix: FloatArray, weights: FloatArray) -> FloatArray:
    """e_{k+1} - A a in extended precision."""
    product = matrix.astype(np.longdouble) @ weights.astype(np.longdouble)
    product[-1] -= 1
    return np.asarray(-product, dtype=np.float64)
