"""b - A x and c - A^T y to about 75 bits, by products without rounding errors.

A and x are split into leading parts of (51 - log2 d) / 2 bits and the rest: A = A_1 + A_2 and
x = x_1 + x_2. Every partial sum of A_1 x_1 then fits a float64, in whatever order it is summed, and

    b - A x = ((b - A_1 x_1) - A_1 x_2) - A_2 x

loses only the rounding of terms that are smaller by the bits of a leading part. What leads is
counted from the size of each row and column, powers of two, so that none is cut off.

Source: the error-free splitting of Ozaki, Ogita, Oishi and Rump, Numerical Algorithms 59 (2012).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, columns_times, is_sparse, rows_times

BLOCK = 1 << 20  # entries of A split at a time
ALIKE = 8  # binary digits by which columns may differ before their sizes count
MODERATE = 400  # binary exponents up to which entries need no units of their own
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
    """2^{-u_i} A_ij 2^{-v_j} = A_1 + A_2, entries of A_1 multiples of 2^{r_i + c_j - bits}.

    ``units`` are u and v, 0 unless entries are extreme; ``sizes`` r and c, those of the rows and
    columns of what is split.
    """

    leading: Any
    rest: Any
    units: tuple[Any, Any]
    sizes: tuple[Any, Any]
    bits: int

    def product(self, vector: FloatArray) -> tuple[FloatArray, FloatArray]:
        """A_1 x_1, exactly, and the rest of A x."""
        return self._times(self.leading, self.rest, vector, 1)

    def transposed_product(self, vector: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The same of A^T y."""
        return self._times(self.leading.T, self.rest.T, vector, 0)

    def _times(
        self, leading: Any, rest: Any, vector: FloatArray, axis: int
    ) -> tuple[FloatArray, FloatArray]:
        """A v by parts of v, at unit size in between so that no number overflows."""
        x, exponents = np.frexp(vector)
        exponents = np.where(x != 0.0, exponents + self.units[axis] + self.sizes[axis], LOWEST)
        common = int(exponents.max(initial=LOWEST))
        x = np.ldexp(x, exponents - common)
        first = _leading(x, np.asarray(np.ldexp(1.5, 52 - self.bits)))  # entries are below 1
        first, last = (np.ldexp(part, -self.sizes[axis]) for part in (first, x - first))
        exact, low = leading @ first, leading @ last + rest @ (first + last)
        unit = self.units[1 - axis] + common
        return np.ldexp(exact, unit), np.ldexp(low, unit)


def _split(matrix: Any) -> _Split:
    if is_sparse(matrix):
        matrix = matrix.tocsr()
    magnitudes: Any = abs(matrix)
    units: tuple[Any, Any] = (0, 0)
    columns = np.frexp(_largest(magnitudes, 0))[1]
    if np.abs(columns).max(initial=0) > MODERATE:
        scaled = columns_times(matrix, np.ldexp(1.0, -columns))
        rows = np.frexp(_largest(abs(scaled), 1))[1]
        matrix, units = rows_times(scaled, np.ldexp(1.0, -rows)), (rows, columns)
        magnitudes, columns = abs(matrix), np.zeros_like(columns)
    elif np.ptp(columns) <= ALIKE:
        columns = np.zeros_like(columns)
    else:
        magnitudes = columns_times(magnitudes, np.ldexp(1.0, -columns))
    rows = np.frexp(_largest(magnitudes, 1))[1]
    bits = (51 - int(np.ceil(np.log2(max(*matrix.shape, 1))))) // 2
    anchor = np.ldexp(1.5, rows + (52 - bits))
    if is_sparse(matrix):
        leading, rest = matrix.copy(), matrix.copy()
        lifted = np.repeat(anchor, np.diff(matrix.indptr)) * np.ldexp(1.0, columns)[matrix.indices]
        leading.data = _leading(matrix.data, lifted)
        rest.data = matrix.data - leading.data
        return _Split(leading, rest, units, (rows, columns), bits)
    lifted = anchor[:, None] * np.ldexp(1.0, columns) if columns.any() else anchor[:, None]
    leading = _leading(matrix, lifted)
    rest = np.subtract(matrix, leading, out=magnitudes)
    return _Split(leading, rest, units, (rows, columns), bits)


def _leading(values: FloatArray, anchor: FloatArray) -> FloatArray:
    """The values rounded to the last digit of the anchor, 1.5 2^(e + 52 - bits) with 2^e above."""
    rounded = values + anchor
    rounded -= anchor
    return np.asarray(rounded)


def _difference(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """a - b as a rounded difference and what it misses (Knuth)."""
    total = a - b
    back = total - a
    return total, (a - (total - back)) - (b + back)


def _largest(sizes: Any, axis: int) -> FloatArray:
    largest = sizes.max(axis=axis)
    return np.asarray(largest.toarray() if is_sparse(largest) else largest).ravel()
