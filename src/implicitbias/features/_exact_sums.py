"""b - A x and c - A^T y rounded once: products split into two floats, sums by ``math.fsum``.

Entries enter as mantissas and exponents, so that nothing over- or underflows. A few hundred times
slower than ``_precise``, for where the 75 bits of that are too few.

Source: Dekker's product, Numerische Mathematik 18 (1971); Shewchuk's sums, in Python's ``fsum``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum

import numpy as np

from implicitbias._arrays import FloatArray, IntArray
from implicitbias.features._base import Features

SPLITTER = float((1 << 27) + 1)
LOWEST = -(1 << 14)  # below every sum of exponents


@dataclass(frozen=True, eq=False)
class ExactSums:
    """Features A, (n, d), few enough for an array; the interface is that of ``Precise``."""

    matrix: Features

    def residual(self, vector: FloatArray, target: FloatArray) -> FloatArray:
        """b - A x, (n,), for x (d,) and b (n,), all finite."""
        return _residual(self.matrix.toarray(), vector, target)

    def transposed_residual(self, vector: FloatArray, target: FloatArray) -> FloatArray:
        """c - A^T y, (d,), for y (n,) and c (d,), all finite."""
        return _residual(self.matrix.toarray().T, vector, target)


def exact_sum(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """a + b as a rounded sum and what it misses (Knuth)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _residual(matrix: FloatArray, vector: FloatArray, target: FloatArray) -> FloatArray:
    x, exponents = np.frexp(vector)
    rows = zip(target.tolist(), matrix, strict=True)
    return np.array([_missing(goal, row, x, exponents) for goal, row in rows])


def _missing(goal: float, row: FloatArray, x: FloatArray, exponents: IntArray) -> float:
    """The goal minus the sum of row_j x_j 2^exponents_j."""
    a, own = np.frexp(row)
    first = a * x
    rest = product_error(a, x, first)
    total = np.where(first != 0.0, own + exponents, LOWEST)
    mantissa, exponent = np.frexp(goal)
    top = max(int(total.max(initial=LOWEST)), int(exponent) if goal else LOWEST)
    terms = np.ldexp(np.concatenate([first, rest]), np.concatenate([total, total]) - top)
    missing = fsum([float(np.ldexp(mantissa, int(exponent) - top)), *(-terms).tolist()])
    return float(np.ldexp(missing, top))


def product_error(a: FloatArray, b: FloatArray, product: FloatArray) -> FloatArray:
    """a b - product, exactly, for |a|, |b| <= 1."""
    (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
    cross = (product - a_high * b_high) - a_low * b_high - a_high * b_low
    return np.asarray(a_low * b_low - cross)


def _halves(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    lifted = SPLITTER * values
    high = lifted - (lifted - values)
    return high, values - high
