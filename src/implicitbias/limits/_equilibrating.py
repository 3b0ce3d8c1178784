"""Units of rows and columns, powers of two, in which a linear program is easy to solve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np

from implicitbias._arrays import IntArray, NumericArray
from implicitbias.features import Features

SWEEPS = 3
LOWEST = np.iinfo(np.intp).min


@dataclass(frozen=True, eq=False)
class Exponents:
    """Places i, j and exponents of 2 of the nonzero entries of an (n, m) matrix."""

    shape: tuple[int, int]
    i: IntArray
    j: IntArray
    sizes: IntArray

    @classmethod
    def of(cls, matrix: Features) -> Exponents:
        """Those of a matrix that is in memory."""
        i, j, values = (np.concatenate(part) for part in zip(*matrix.entries(), strict=True))
        return cls(matrix.shape, i, j, np.frexp(values)[1])

    def per_row(self, columns: IntArray) -> Sizes:
        """Sums, numbers and largest of the exponents of each row, ``columns`` added; (n,) each."""
        sizes, n = self.sizes + columns[self.j], self.shape[0]
        return _sums(self.i, sizes, n), np.bincount(self.i, minlength=n), _tops(self.i, sizes, n)

    def means(self, rows: IntArray) -> IntArray:
        """The mean exponent of each column, ``rows`` added, rounded; (m,)."""
        m = self.shape[1]
        total = _sums(self.j, self.sizes + rows[self.i], m)
        return _mean(total, np.bincount(self.j, minlength=m))

    def largest(self, rows: IntArray) -> IntArray:
        """The largest exponent of each column, ``rows`` added; 0 without entries; (m,)."""
        found = _tops(self.j, self.sizes + rows[self.i], self.shape[1])
        return np.where(found > LOWEST, found, 0)


Units: TypeAlias = Callable[[Exponents], IntArray]  # of the columns of a part
Sizes: TypeAlias = tuple[NumericArray, IntArray, IntArray]  # sums, numbers and largest of rows


def equilibrating(matrix: Features) -> tuple[IntArray, IntArray]:
    """Exponents of rows and columns that bring the entries near 1, and the largest of each to 1.

    Means of the entries' exponents are taken out of rows and columns in turn, which tends to their
    least-squares fit (Curtis and Reid, 1972). Units of columns follow from their own entries: of
    blocks each is read once a sweep.
    """
    whole = Exponents.of(matrix) if matrix.is_whole else None
    (total, count, _), _ = _read(matrix, whole, _none)
    for _ in range(SWEEPS):
        rows = -_mean(total, count)
        (total, count, top), _ = _read(matrix, whole, partial(_less_means, rows))
    rows = -np.where(count > 0, top, 0)
    return rows, _read(matrix, whole, partial(_less_largest, rows))[1]


def _read(matrix: Features, whole: Exponents | None, units: Units) -> tuple[Sizes, IntArray]:
    """What the rows are with these units of the columns, and the units."""
    if whole is not None:
        return _asked(units, whole)
    n, m = matrix.shape
    total, count, top = np.zeros(n), np.zeros(n, dtype=np.intp), np.full(n, LOWEST)
    columns = np.zeros(m, dtype=np.intp)
    for part, (found, own) in matrix.results(lambda _: partial(_asked_of_block, units)):
        total, count, top = total + found[0], count + found[1], np.maximum(top, found[2])
        columns[part] = own
    return (total, count, top), columns


def _asked_of_block(units: Units, block: Features) -> tuple[Sizes, IntArray]:
    return _asked(units, Exponents.of(block))


def _asked(units: Units, entries: Exponents) -> tuple[Sizes, IntArray]:
    columns = units(entries)
    return entries.per_row(columns), columns


def _none(entries: Exponents) -> IntArray:
    return np.zeros(entries.shape[1], dtype=np.intp)


def _less_means(rows: IntArray, entries: Exponents) -> IntArray:
    return -entries.means(rows)


def _less_largest(rows: IntArray, entries: Exponents) -> IntArray:
    return -entries.largest(rows)


def _sums(place: IntArray, sizes: IntArray, number: int) -> NumericArray:
    """Whole numbers, exact in float64."""
    return np.asarray(np.bincount(place, sizes, minlength=number))


def _mean(total: NumericArray, count: IntArray) -> IntArray:
    return np.asarray(np.rint(total / np.maximum(count, 1)), dtype=np.intp)


def _tops(place: IntArray, sizes: IntArray, number: int) -> IntArray:
    largest = np.full(number, LOWEST)
    np.maximum.at(largest, place, sizes)
    return largest
