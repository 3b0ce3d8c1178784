"""Powers of two that bring the rows and columns of X to a common size, exactly.

Neither the length of a row nor the unit of a feature changes which rows depend on which, so both
are divided out before anything is compared with rounding.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from implicitbias._arrays import IntArray
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
    columns = _fitted_columns(X)
    rows = np.full(X.shape[0], LOWEST)
    for i, j, values in X.entries():
        np.maximum.at(rows, i, np.frexp(values)[1] - columns[j])
    rest = np.full(X.shape[1], LOWEST)
    for i, j, values in X.entries():
        np.maximum.at(rest, j, np.frexp(values)[1] - rows[i] - columns[j])
    return np.where(rows > LOWEST, rows, 0), np.where(rest > LOWEST, columns + rest, 0)


def _fitted_columns(X: Features) -> IntArray:
    """f of the fit, by alternating between the mean of each row and of each column."""
    shape, axes = X.shape, (0, 1)
    fitted = [np.zeros(size) for size in shape]
    for _ in range(SWEEPS):
        before = fitted[1]
        for axis in axes:
            other = 1 - axis
            total, count = np.zeros(shape[axis]), np.zeros(shape[axis])
            for *places, values in X.entries():
                left = np.frexp(values)[1] - fitted[other][places[other]]
                total += np.bincount(places[axis], left, minlength=shape[axis])
                count += np.bincount(places[axis], minlength=shape[axis])
            fitted[axis] = total / np.maximum(count, 1)
        if np.abs(fitted[1] - before).max() < 1:
            break
    return np.rint(fitted[1]).astype(np.intp)
