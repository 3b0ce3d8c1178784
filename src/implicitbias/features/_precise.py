"""b - A x and c - A^T y to about 75 bits, by products without rounding errors.

A and x are split into leading parts of (51 - log2 d) / 2 bits and the rest: A = A_1 + A_2 and
x = x_1 + x_2. Every partial sum of A_1 x_1 then fits a float64, in whatever order it is summed, and

    b - A x = ((b - A_1 x_1) - A_1 x_2) - A_2 x

loses only the rounding of terms that are smaller by the bits of a leading part. What leads is
counted from the size of each row and column, powers of two, so that none is cut off.

Source: the error-free splitting of Ozaki, Ogita, Oishi and Rump, Numerical Algorithms 59 (2012).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, IntArray
from implicitbias.features._base import Features, Question, Transposed
from implicitbias.features._build import as_features
from implicitbias.features._dense import rounded_to

ALIKE = 8  # binary digits by which columns may differ before their sizes count
MODERATE = 400  # binary exponents up to which entries need no units of their own
Product = Features | Transposed
LOWEST = -(1 << 14)  # below every sum of exponents


@dataclass(frozen=True, eq=False)
class Precise:
    """Features A, (n, d), whose products are needed beyond float64.

    Small ones are split once, larger ones block by block at each product.
    """

    matrix: Features

    def residual(self, vector: FloatArray, target: FloatArray) -> FloatArray:
        """b - A x, (n,), for x (d,) and b (n,), all finite; or (n, k) for (d, k) and (n, k)."""
        missing, low = target, np.zeros_like(target)
        for _, (exact, rest) in self._results(lambda part: partial(_product, vector[part])):
            missing, more = difference(missing, exact)
            low = low + more - rest
        return np.asarray(missing + low)

    def transposed_residual(self, vector: FloatArray, target: FloatArray) -> FloatArray:
        """c - A^T y, (d,), for y (n,) and c (d,), all finite."""
        result = np.empty_like(target)
        for part, (exact, rest) in self._results(lambda _: partial(_transposed_product, vector)):
            missing, low = difference(target[part], exact)
            result[part] = missing + (low - rest)
        return result

    def _results(self, question_of: Callable[[slice], Question]) -> Iterator[tuple[slice, Any]]:
        """What is asked of every block; a single one is split once."""
        parts = list(self.matrix.blocks())
        if len(parts) == 1 and not self.matrix.is_remote:
            return iter([(parts[0], question_of(parts[0])(self._whole))])
        return self.matrix.results(question_of)

    @cached_property
    def _whole(self) -> Any:
        return _split(self.matrix.block(next(self.matrix.blocks())))


def _product(vector: FloatArray, block: Any) -> tuple[FloatArray, FloatArray]:
    return _as_split(block).product(vector)


def _transposed_product(vector: FloatArray, block: Any) -> tuple[FloatArray, FloatArray]:
    return _as_split(block).transposed_product(vector)


def _as_split(block: Any) -> _Split:
    return block if isinstance(block, _Split) else _split(block)


def precise_residual(matrix: FloatArray, vector: FloatArray, target: FloatArray) -> FloatArray:
    """b - A x, (n,), for one product with a dense or CSR array."""
    return as_features(matrix).precise.residual(vector, target)


@dataclass(frozen=True, eq=False)
class _Split:
    """2^{-u_i} A_ij 2^{-v_j} = A_1 + A_2, entries of A_1 multiples of 2^{r_i + c_j - bits}.

    ``units`` are u and v, 0 unless entries are extreme; ``sizes`` r and c, those of the rows and
    columns of what is split.
    """

    leading: Features
    rest: Features
    units: tuple[IntArray | int, IntArray | int]
    sizes: tuple[IntArray, IntArray]
    bits: int

    def product(self, vector: FloatArray) -> tuple[FloatArray, FloatArray]:
        """A_1 x_1, exactly, and the rest of A x."""
        return self._times(self.leading, self.rest, vector, 1)

    def transposed_product(self, vector: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The same of A^T y."""
        return self._times(self.leading.T, self.rest.T, vector, 0)

    def _times(
        self, leading: Product, rest: Product, vector: FloatArray, axis: int
    ) -> tuple[FloatArray, FloatArray]:
        """A v by parts of v, at unit size in between so that no number overflows."""
        if axis == 1 and self._in_one_unit:
            return self._times_plain(leading, rest, vector)
        sizes, units = (_like(values[axis], vector) for values in (self.sizes, self.units))
        x, exponents = np.frexp(vector)
        exponents = np.where(x != 0.0, exponents + units + sizes, LOWEST)
        common = exponents.max(axis=0, initial=LOWEST)
        x = np.ldexp(x, exponents - common)
        first = rounded_to(x, np.asarray(np.ldexp(1.5, 52 - self.bits)))  # entries are below 1
        first, last = (np.ldexp(part, -sizes) for part in (first, x - first))
        exact, low = leading @ first, leading @ last + rest @ (first + last)
        unit = _like(self.units[1 - axis], vector) + common
        return np.ldexp(exact, unit), np.ldexp(low, unit)

    @cached_property
    def _in_one_unit(self) -> bool:
        """Whether columns need no units of their own."""
        return isinstance(self.units[1], int) and not self.sizes[1].any()

    def _times_plain(
        self, leading: Product, rest: Product, vector: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """The same by one power of two for all of v."""
        common = np.frexp(np.abs(vector).max(axis=0, initial=0.0))[1]
        x = vector * 2.0**-common if np.abs(common).max() < MODERATE else np.ldexp(vector, -common)
        first = rounded_to(x, np.asarray(1.5 * 2.0 ** (52 - self.bits)))
        exact, low = leading @ first, leading @ (x - first) + rest @ x
        unit = _like(self.units[0], vector) + common
        return np.ldexp(exact, unit), np.ldexp(low, unit)


def _like(values: IntArray | int, other: FloatArray) -> IntArray | int:
    """``values`` as a column where ``other`` has columns."""
    return values if isinstance(values, int) or other.ndim == 1 else values[:, None]


def _split(matrix: Features) -> _Split:
    units: tuple[IntArray | int, IntArray | int] = (0, 0)
    columns = np.frexp(matrix.largest(0))[1]
    none = np.zeros(matrix.shape[0], dtype=np.intp)
    if np.abs(columns).max(initial=0) > MODERATE:
        matrix = matrix.shifted(none, -columns)
        rows = np.frexp(matrix.largest(1))[1]
        matrix, units = matrix.shifted(-rows), (rows, columns)
        columns = np.zeros_like(columns)
    elif np.ptp(columns) <= ALIKE:
        columns = np.zeros_like(columns)
    scaled = matrix.shifted(none, -columns) if columns.any() else matrix
    rows = np.frexp(scaled.largest(1))[1]
    bits = (51 - int(np.ceil(np.log2(max(*matrix.shape, 1))))) // 2
    return _Split(*matrix.leading(rows, columns, bits), units, (rows, columns), bits)


def difference(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """a - b as a rounded difference and what it misses (Knuth)."""
    total = a - b
    back = total - a
    return total, (a - (total - back)) - (b + back)
