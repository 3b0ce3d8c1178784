"""Offsets of features, subtracted exactly: time stamps, temperatures in Kelvin, years.

x_ij - c_j is exact in floats where c_j / 2 <= x_ij <= 2 c_j (Sterbenz). Only features that lie in
such a range for one of their values c_j lose digits when they are centred; the others are as large
as they vary, and stay.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, IntArray, is_sparse


@dataclass(frozen=True)
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
    def of(cls, X: Any) -> Offsets:
        """First values of features within a factor of 2 of all others, for X (n, d).

        Features of sparse X that have a zero never are.
        """
        low, high = X.min(axis=0), X.max(axis=0)
        if is_sparse(X):
            low, high = low.toarray().ravel(), high.toarray().ravel()
        narrow = (low > 0) & (high / 2 <= low) | (high < 0) & (low / 2 >= high)
        columns = np.flatnonzero(narrow)
        first = X[[0]][:, columns]
        return cls(columns, (first.toarray() if is_sparse(X) else first).ravel())

    def subtracted(self, X: Any) -> Any:
        """X - 1 c^T without rounding, X itself where c = 0; sparse where X is."""
        if self.columns.size == 0:
            return X
        moved = X.copy()
        if not is_sparse(X):
            moved[:, self.columns] -= self.values
            return moved
        dense = np.zeros(X.shape[1])
        dense[self.columns] = self.values
        moved.data -= dense[X.indices]
        moved.eliminate_zeros()
        return moved

    def products(self, X: Any, coefficients: FloatArray) -> FloatArray:
        """(X - 1 c^T) beta, (n,) or (n, k), for any X and beta (d,) or (d, k)."""
        if self.columns.size == 0:
            return np.asarray(X @ coefficients)
        rest = coefficients.copy()
        rest[self.columns] = 0.0
        part = X[:, self.columns]
        part = (part.toarray() if is_sparse(X) else part) - self.values
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
