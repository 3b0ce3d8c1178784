"""Units of rows and columns, powers of two, in which a linear program is easy to solve."""

from __future__ import annotations

import numpy as np

from implicitbias._arrays import IntArray
from implicitbias.features import Features

SWEEPS = 3


def equilibrating(matrix: Features) -> tuple[IntArray, IntArray]:
    """Exponents of rows and columns that bring the entries near 1, and the largest of each to 1.

    Means of the entries' exponents are taken out of rows and columns in turn, which tends to their
    least-squares fit (Curtis and Reid, 1972).
    """
    i, j, values = (np.concatenate(part) for part in zip(*matrix.entries(), strict=True))
    sizes = np.frexp(values)[1]
    count = (np.bincount(i, minlength=matrix.shape[0]), np.bincount(j, minlength=matrix.shape[1]))
    rows, columns = np.zeros(count[0].size, dtype=np.intp), np.zeros(count[1].size, dtype=np.intp)
    for _ in range(SWEEPS):
        rows = -_mean(i, sizes + columns[j], count[0])
        columns = -_mean(j, sizes + rows[i], count[1])
    rows = -_largest(i, sizes + columns[j], count[0])
    return rows, -_largest(j, sizes + rows[i], count[1])


def _mean(place: IntArray, sizes: IntArray, count: IntArray) -> IntArray:
    total = np.bincount(place, sizes, minlength=count.size)
    return np.asarray(np.rint(total / np.maximum(count, 1)), dtype=np.intp)


def _largest(place: IntArray, sizes: IntArray, count: IntArray) -> IntArray:
    largest = np.full(count.size, np.iinfo(np.intp).min)
    np.maximum.at(largest, place, sizes)
    return np.where(count > 0, largest, 0)
