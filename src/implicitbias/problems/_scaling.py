"""Powers of two that bring the rows and columns of X to a common size, exactly.

Neither the length of a row nor the unit of a feature changes which rows depend on which, so both
are divided out before anything is compared with rounding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from implicitbias._arrays import BoolArray, FloatArray, IntArray
from implicitbias.features import Features

BLOCK_ENTRIES = 1 << 20  # workspace of one block, in numbers
BALANCED = 10  # rows and columns whose largest entries differ by fewer binary digits stay as given
SWEEPS = 6
LOWEST = -(1 << 15)  # below every sum of exponents


def row_blocks(num_rows: int, width: int) -> Iterator[slice]:
    """Slices of rows that hold about ``BLOCK_ENTRIES`` numbers each."""
    step = max(1, BLOCK_ENTRIES // width)
    return (slice(start, min(start + step, num_rows)) for start in range(0, num_rows, step))


def row_exponents(X: Features) -> IntArray:
    """e_i with max_j |x_ij| 2^{-e_i} in [1/2, 1); 0 for a zero row. No copy of X is made."""
    return np.asarray(np.frexp(X.largest(1))[1], dtype=np.intp)


def equilibration(X: Features) -> tuple[IntArray, IntArray | None]:
    """Exponents e (n,) and f (d,) for which 2^{-e_i - f_j} x_ij is balanced; None for f = 0.

    e_i + f_j is fitted to the binary exponents of the nonzero entries by least squares, which finds
    units whatever the pattern of zeros (Curtis and Reid, 1972); then the largest entry of every
    row, and of every column, is brought into [1/2, 1).
    """
    rows, largest = row_exponents(X), X.largest(0)
    units = np.frexp(largest[largest > 0])[1]
    if np.ptp(rows) <= BALANCED and (units.size == 0 or np.ptp(units) <= BALANCED):
        return rows, None
    exponents = _Blocks(X) if X.is_array else _Entries(X)
    columns = _fitted_columns(exponents)
    rows = exponents.largest(0, np.zeros(X.shape[0], dtype=np.intp), columns)
    rest = exponents.largest(1, rows, columns)
    return np.where(rows > LOWEST, rows, 0), np.where(rest > LOWEST, columns + rest, 0)


def _fitted_columns(exponents: _Blocks | _Entries) -> IntArray:
    """f of the fit, by alternating between the mean of each row and of each column."""
    counts = [np.maximum(exponents.counts(axis), 1) for axis in (0, 1)]
    fitted = [np.zeros(count.size) for count in counts]
    for _ in range(SWEEPS):
        before = fitted[1]
        for axis in (0, 1):
            fitted[axis] = exponents.sums(axis, fitted[1 - axis]) / counts[axis]
        if np.abs(fitted[1] - before).max() < 1:
            break
    return np.rint(fitted[1]).astype(np.intp)


class _Entries:
    """Binary exponents E_ij of the nonzero entries, one by one."""

    def __init__(self, X: Features) -> None:
        self._X, self._shape = X, X.shape

    def counts(self, axis: int) -> IntArray:
        """How many there are in every row (axis 0) or column (axis 1)."""
        total = np.zeros(self._shape[axis], dtype=np.intp)
        for *places, _ in self._X.entries():
            total += np.bincount(places[axis], minlength=total.size)
        return total

    def sums(self, axis: int, other: FloatArray) -> FloatArray:
        """sum_j E_ij - f_j for every row i (axis 0), sum_i E_ij - e_i for every column j."""
        total = np.zeros(self._shape[axis])
        for *places, values in self._X.entries():
            left = np.frexp(values)[1] - other[places[1 - axis]]
            total += np.bincount(places[axis], left, minlength=total.size)
        return total

    def largest(self, axis: int, rows: IntArray, columns: IntArray) -> IntArray:
        """max_j or max_i of E_ij - e_i - f_j; ``LOWEST`` without entries."""
        top = np.full(self._shape[axis], LOWEST)
        for i, j, values in self._X.entries():
            left = np.frexp(values)[1] - rows[i] - columns[j]
            np.maximum.at(top, (i, j)[axis], left)
        return top


class _Blocks:
    """The same of an array, by blocks of rows, one after another in the same order."""

    def __init__(self, X: Features) -> None:
        self._X, self._shape = X, X.shape
        self._kept = list(self._made()) if X.size <= BLOCK_ENTRIES else None

    def _made(self) -> Iterator[tuple[slice, IntArray, BoolArray | None]]:
        """Rows, E and where X is 0, if it is anywhere."""
        for part in self._X.row_blocks():
            block = self._X.rows(part).toarray()
            zero = block == 0.0
            yield part, np.frexp(block)[1], zero if zero.any() else None

    def _blocks(self) -> Iterable[tuple[slice, IntArray, BoolArray | None]]:
        return self._made() if self._kept is None else self._kept

    def counts(self, axis: int) -> IntArray:
        """How many there are in every row (axis 0) or column (axis 1)."""
        total = np.full(self._shape[axis], self._shape[1 - axis])
        for part, _, zero in self._blocks():
            if zero is not None:
                total[part if axis == 0 else slice(None)] -= zero.sum(axis=1 - axis)
        return total

    def sums(self, axis: int, other: FloatArray) -> FloatArray:
        """sum_j E_ij - f_j for every row i (axis 0), sum_i E_ij - e_i for every column j."""
        total = np.zeros(self._shape[axis])
        for part, exponents, zero in self._blocks():
            left = exponents - (other if axis == 0 else other[part, None])
            if zero is not None:
                left[zero] = 0.0
            if axis == 0:  # running sums add in order: as for entries, whatever the shape
                total[part] = np.add.accumulate(left, axis=1, out=left)[:, -1]
            else:
                total += np.add.accumulate(left, axis=0, out=left)[-1]
        return total

    def largest(self, axis: int, rows: IntArray, columns: IntArray) -> IntArray:
        """max_j or max_i of E_ij - e_i - f_j; ``LOWEST`` without entries."""
        top = np.full(self._shape[axis], LOWEST)
        for part, exponents, zero in self._blocks():
            left = exponents - rows[part, None] - columns
            if zero is not None:
                left[zero] = LOWEST
            place = part if axis == 0 else slice(None)
            top[place] = np.maximum(top[place], left.max(axis=1 - axis))
        return top
