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

from implicitbias._arrays import FloatArray, columns_times, is_sparse

BLOCK = 1 << 20  # entries of A split at a time
HUGE, SHIFT = 2.0**900, 300
ALIKE = 8  # binary digits by which columns may differ before their sizes count


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
    """A = A_1 + A_2, entries of A_1 multiples of 2^{r_i + c_j - bits}, at most 2^{r_i + c_j}."""

    leading: Any
    rest: Any
    rows: Any
    columns: Any
    bits: int

    def product(self, vector: FloatArray) -> tuple[FloatArray, FloatArray]:
        """A_1 x_1, exactly, and the rest of A x."""
        return self._times(self.leading, self.rest, vector, self.columns)

    def transposed_product(self, vector: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The same of A^T y."""
        return self._times(self.leading.T, self.rest.T, vector, self.rows)

    def _times(
        self, leading: Any, rest: Any, vector: FloatArray, exponents: Any
    ) -> tuple[FloatArray, FloatArray]:
        scaled = np.ldexp(vector, exponents)
        size = float(np.abs(scaled).max(initial=0.0))
        if size == 0.0:
            return leading @ vector, rest @ vector
        if size > HUGE:  # its anchor would overflow
            parts = self._times(leading, rest, np.ldexp(vector, -SHIFT), exponents)
            return np.ldexp(parts[0], SHIFT), np.ldexp(parts[1], SHIFT)
        first = np.ldexp(_leading(scaled, np.asarray(_anchor(size, self.bits))), -exponents)
        return leading @ first, leading @ (vector - first) + rest @ vector


def _split(matrix: Any) -> _Split:
    if is_sparse(matrix):
        matrix = matrix.tocsr()
    sizes = abs(matrix)
    columns = np.frexp(_largest(sizes, 0))[1]
    if np.ptp(columns) <= ALIKE:
        columns = np.zeros_like(columns)
    else:
        sizes = columns_times(sizes, np.ldexp(1.0, -columns))
    largest = _largest(sizes, 1)
    rows = np.frexp(largest)[1]
    bits = (51 - int(np.ceil(np.log2(max(*matrix.shape, 1))))) // 2
    unit = np.ldexp(1.5, np.where(largest > 0.0, rows, 0) + 52 - bits)
    if is_sparse(matrix):
        leading, rest = matrix.copy(), matrix.copy()
        lifted = np.repeat(unit, np.diff(matrix.indptr)) * np.ldexp(1.0, columns)[matrix.indices]
        leading.data = _leading(matrix.data, lifted)
        rest.data = matrix.data - leading.data
        return _Split(leading, rest, rows, columns, bits)
    anchor = unit[:, None] * np.ldexp(1.0, columns) if columns.any() else unit[:, None]
    leading = _leading(matrix, anchor)
    return _Split(leading, np.subtract(matrix, leading, out=sizes), rows, columns, bits)


def _anchor(size: float, bits: int) -> float:
    """1.5 2^(e + 52 - bits), 2^e >= size: adding it rounds to multiples of 2^(e - bits)."""
    return float(np.ldexp(1.5, int(np.frexp(size)[1]) + 52 - bits))


def _leading(values: FloatArray, anchor: FloatArray) -> FloatArray:
    """The values rounded to the last digit of the anchor."""
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
