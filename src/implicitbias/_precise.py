"""b - A x and c - A^T y to about 75 bits, by products without rounding errors.

A and x are split into leading parts of (51 - log2 d) / 2 bits and the rest: A = A_1 + A_2 and
x = x_1 + x_2. Every partial sum of A_1 x_1 then fits a float64, in whatever order it is summed, and

    b - A x = ((b - A_1 x_1) - A_1 x_2) - A_2 x

loses only the rounding of terms that are smaller by the bits of a leading part. Rows and columns
are brought to one size by powers of two first, so that no part of them is cut off.

Source: the error-free splitting of Ozaki, Ogita, Oishi and Rump, Numerical Algorithms 59 (2012).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, columns_times, is_sparse, rows_times

BLOCK = 1 << 20  # entries of A split at a time
LOWEST = -(1 << 14)  # below every sum of exponents


@dataclass(frozen=True, eq=False)
class Precise:
    """A matrix A, (n, d), dense or CSR, whose products are needed beyond float64.

    Small ones are split once, larger ones block by block at each product.
    """

    matrix: FloatArray

    def residual(self, vector: FloatArray, target: FloatArray) -> FloatArray:
        """b - A x, (n,), for x (d,) and b (n,), all finite."""
        missing, low = target, np.zeros_like(target)
        for part, block in self._blocks():
            exact, rest = block.product(vector[part])
            missing, more = _difference(missing, exact)
            low = low + more - rest
        return np.asarray(missing + low)

    def transposed_residual(self, vector: FloatArray, target: FloatArray) -> FloatArray:
        """c - A^T y, (d,), for y (n,) and c (d,), all finite."""
        result = np.empty_like(target)
        for part, block in self._blocks():
            exact, rest = block.transposed_product(vector)
            missing, low = _difference(target[part], exact)
            result[part] = missing + (low - rest)
        return result

    def _blocks(self) -> Any:
        if is_sparse(self.matrix) or self.matrix.size <= BLOCK:
            return [(slice(None), self._whole)]
        width = max(1, BLOCK // self.matrix.shape[0])
        starts = range(0, self.matrix.shape[1], width)
        parts = (slice(start, start + width) for start in starts)
        return ((part, _split(self.matrix[:, part])) for part in parts)

    @cached_property
    def _whole(self) -> _Split:
        return _split(self.matrix)


def precise_residual(matrix: FloatArray, vector: FloatArray, target: FloatArray) -> FloatArray:
    """b - A x, (n,), for one product alone."""
    return Precise(matrix).residual(vector, target)


@dataclass(frozen=True, eq=False)
class _Split:
    """2^{-r_i} A_ij 2^{-c_j} as leading parts and the rest, exponents r and c."""

    leading: Any
    rest: Any
    rows: Any
    columns: Any
    bits: int

    def product(self, vector: FloatArray) -> tuple[FloatArray, FloatArray]:
        """A_1 x_1, exactly, and the rest of A x."""
        return self._times(self.leading, self.rest, vector, self.columns, self.rows)

    def transposed_product(self, vector: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The same of A^T y."""
        return self._times(self.leading.T, self.rest.T, vector, self.rows, self.columns)

    def _times(
        self, leading: Any, rest: Any, vector: FloatArray, into: Any, out: Any
    ) -> tuple[FloatArray, FloatArray]:
        """2^out (A_1 + A_2) 2^into v, v at unit size in between so that no number overflows."""
        x, exponents = np.frexp(vector)
        exponents = np.where(x != 0.0, exponents + into, LOWEST)
        common = int(exponents.max(initial=LOWEST))
        x = np.ldexp(x, exponents - common)
        first = _leading(x, self.bits, 0.5)  # entries below 1
        exact, low = leading @ first, leading @ (x - first) + rest @ x
        return np.ldexp(exact, out + common), np.ldexp(low, out + common)


def _split(matrix: Any) -> _Split:
    if is_sparse(matrix):
        matrix = matrix.tocsr()
    columns = np.frexp(_largest(matrix, 0))[1]
    scaled = columns_times(matrix, np.ldexp(1.0, -columns))
    rows = np.frexp(_largest(scaled, 1))[1]
    scaled = rows_times(scaled, np.ldexp(1.0, -rows))
    bits = (51 - int(np.ceil(np.log2(max(*matrix.shape, 1))))) // 2
    if not is_sparse(scaled):
        leading = _leading(scaled, bits, 1.0)
        return _Split(leading, np.subtract(scaled, leading, out=scaled), rows, columns, bits)
    leading, rest = scaled.copy(), scaled.copy()
    leading.data = _leading(scaled.data, bits, 1.0)
    rest.data = scaled.data - leading.data
    return _Split(leading, rest, rows, columns, bits)


def _leading(values: FloatArray, bits: int, size: float) -> FloatArray:
    """The values rounded to multiples of 2^(e - bits), 2^e >= size."""
    anchor = 1.5 * np.ldexp(1.0, int(np.frexp(size)[1]) + 52 - bits)
    rounded = values + anchor
    rounded -= anchor
    return np.asarray(rounded)


def _difference(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """a - b as a rounded difference and what it misses (Knuth)."""
    total = a - b
    back = total - a
    return total, (a - (total - back)) - (b + back)


def _largest(matrix: Any, axis: int) -> FloatArray:
    if not is_sparse(matrix):
        return np.asarray(np.maximum(matrix.max(axis=axis), -matrix.min(axis=axis)))
    return np.asarray(abs(matrix).max(axis=axis).toarray()).ravel()
