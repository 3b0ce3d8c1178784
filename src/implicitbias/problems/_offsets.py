"""Offsets of features, subtracted exactly: time stamps, temperatures in Kelvin, years.

x_ij - c_j is exact in floats where c_j / 2 <= x_ij <= 2 c_j (Sterbenz). Only features that lie in
such a range for one of their values c_j lose digits when they are centred; the others are as large
as they vary, and stay.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from implicitbias._arrays import FloatArray, IntArray
from implicitbias.features import Features, as_features


@dataclass(frozen=True, eq=False)
class Offsets:
    """c, (d,), zero but for a few features.

    Attributes
    ----------
    columns, values
        Where c is not 0, and what it is there.
    """

    columns: IntArray
    values: FloatArray

    @classmethod
    def none(cls) -> Offsets:
        """c = 0: nothing is taken off."""
        return cls(np.zeros(0, dtype=np.intp), np.zeros(0))

    @classmethod
    def of(cls, X: FloatArray | Features) -> Offsets:
        """First values of features within a factor of 2 of all others, for X (n, d).

        Features of sparse X that have a zero never are.
        """
        X = as_features(X)
        low, high = X.extremes()
        narrow = (low > 0) & (high / 2 <= low) | (high < 0) & (low / 2 >= high)
        columns = np.flatnonzero(narrow)
        return cls(columns, X.rows([0]).columns(columns)[0])

    def subtracted(self, X: Features) -> Features:
        """X - 1 c^T without rounding, X itself where c = 0; sparse where X is."""
        return X if self.columns.size == 0 else X.less(self.columns, self.values)

    def products(self, X: FloatArray | Features, coefficients: FloatArray) -> FloatArray:
        """(X - 1 c^T) beta, (n,) or (n, k), for any X and beta (d,) or (d, k)."""
        if self.columns.size == 0:
            return np.asarray(X @ coefficients)
        rest, X = coefficients.copy(), as_features(X)
        rest[self.columns] = 0.0
        part = X.columns(self.columns) - self.values
        return np.asarray(X @ rest + part @ coefficients[self.columns])

    def constant(self, coefficients: FloatArray, *levels: float) -> float:
        """Sum of the levels minus c^T beta, rounded once: b where they are the value at c."""
        pairs = [_halves(self.values), _halves(coefficients[self.columns])]
        terms = [-first * second for first in pairs[0] for second in pairs[1]]
        return math.fsum([*levels, *np.concatenate(terms)])


def _halves(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Two numbers of at most 27 binary digits each that sum to each value: products are exact."""
    high = (values.view(np.int64) & ~((1 << 27) - 1)).view(np.float64)
    return high, values - high
