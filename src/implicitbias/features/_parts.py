"""Sums over blocks of columns: products, Gram matrices and sizes of features that come in parts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from implicitbias._arrays import FloatArray, IntArray
from implicitbias._errors import InvalidInputError
from implicitbias.features._base import Features

COPIES = 6  # of a block that exist at a time, in the most demanding product
LEAST = 16  # columns of a block, whatever the memory


class InParts(Features):
    """Z = [Z_1, Z_2, ...], blocks of columns that are features of their own.

    Attributes
    ----------
    memory
        Bytes that columns may take at a time, their copies included.
    """

    named = "in blocks"
    memory: int

    @abstractmethod
    def _edges(self) -> IntArray:
        """Where the blocks begin, 0 first, and where the last one ends."""

    @abstractmethod
    def block(self, part: slice) -> Features:
        """The columns of one of the blocks, or of a part of one."""

    @cached_property
    def parts(self) -> tuple[slice, ...]:
        """The blocks, cut to what the memory allows."""
        width = max(LEAST, self.memory // (8 * COPIES * max(self.shape[0], 1)))
        edges = self._edges()
        return tuple(
            slice(start, min(start + width, int(end)))
            for begin, end in pairwise(edges)
            for start in range(int(begin), int(end), width)
        )

    def blocks(self, entries: int | None = None) -> Iterator[slice]:
        """Slices that cover the columns, none across two blocks."""
        return iter(self.parts)

    def _each(self) -> Iterator[tuple[slice, Features]]:
        return ((part, self.block(part)) for part in self.parts)

    def refuse_whole(self, verb: str) -> None:
        """Refuse what needs all of Z at once, if that does not fit."""
        if 8 * self.size > self.memory:
            raise InvalidInputError(
                f"X is {self.named}; {verb} needs all of its {self.shape[0]} x {self.shape[1]} "
                f"entries at once, {8 * self.size / 2**30:.2f} GiB where memory= allows "
                f"{self.memory / 2**30:.2f}. Give the blocks more memory, or pass X.toarray()."
            )

    def gathered(self, verb: str) -> Features:
        """In one array, where that fits."""
        self.refuse_whole(verb)
        return self.dense()

    # ---- products --------------------------------------------------------------------------------

    def __matmul__(self, vector: FloatArray) -> FloatArray:
        total = np.zeros((self.shape[0], *vector.shape[1:]))
        for part, block in self._each():
            total += block @ vector[part]
        return total

    def _of_columns(self, of_block: Callable[[Features], FloatArray], rest: Any = ()) -> FloatArray:
        """What belongs to the columns, block by block, one after the other along the last axis."""
        found = np.zeros((self.shape[1], *rest))
        for part, block in self._each():
            found[part] = of_block(block)
        return found

    def transposed(self, vector: FloatArray) -> FloatArray:
        """Z^T nu."""
        return self._of_columns(lambda block: block.T @ vector, vector.shape[1:])

    def absolute(self, vector: FloatArray) -> FloatArray:
        """|Z| |v|."""
        total = np.zeros(self.shape[0])
        for part, block in self._each():
            total += block.absolute(vector[part])
        return total

    def absolute_transposed(self, vector: FloatArray) -> FloatArray:
        """|Z|^T |nu|."""
        return self._of_columns(lambda block: block.absolute_transposed(vector), vector.shape[1:])

    def row_squares(self, weights: FloatArray) -> FloatArray:
        """The diagonal of Z diag(weights) Z^T."""
        total = np.zeros(self.shape[0])
        for part, block in self._each():
            total += block.row_squares(weights[part])
        return total

    def add_gram(self, weights: FloatArray, total: FloatArray) -> FloatArray:
        """The upper triangle of Z diag(weights) Z^T, added up block by block."""
        for part, block in self._each():
            total = block.add_gram(weights[part], total)
        return total

    def gram(self, weights: FloatArray) -> FloatArray:
        """The upper triangle of Z diag(weights) Z^T."""
        return self.add_gram(weights, np.zeros((self.shape[0],) * 2, order="F"))

    def rough_gram(self, weights: FloatArray) -> npt.NDArray[np.float32] | None:
        """The same in single precision; None where a block has none."""
        total: npt.NDArray[np.float32] | None = None
        for part, block in self._each() if self._has_rough else ():
            found = block.rough_gram(weights[part])
            if found is None:
                self._has_rough = False
                return None
            total = found if total is None else np.add(total, found, out=total)
        return total

    _has_rough = True  # until a block says otherwise

    def inner(self, other: Features) -> FloatArray:
        """Z W^T."""
        total = np.zeros((self.shape[0], other.shape[0]))
        for part, block in self._each():
            total += block.inner(other.taken(part))
        return total

    # ---- sizes -----------------------------------------------------------------------------------

    @cached_property
    def _sizes(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """max |Z_ij| of columns and of rows, norms of both, in one reading."""
        n, m = self.shape
        columns, rows, norms, squares = np.zeros(m), np.zeros(n), np.zeros(m), np.zeros(n)
        for part, block in self._each():
            columns[part] = block.largest(0)
            rows = np.maximum(rows, block.largest(1))
            with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                norms[part] = block.column_norms()
                squares += np.square(block._plain_norms())
        return columns, rows, norms, np.sqrt(squares)

    def largest(self, axis: int) -> FloatArray:
        """max |Z_ij| along an axis."""
        return self._sizes[axis]

    def column_norms(self) -> FloatArray:
        """||z_j||."""
        return self._sizes[2]

    def _plain_norms(self) -> FloatArray:
        return self._sizes[3].copy()

    def extremes(self) -> tuple[FloatArray, FloatArray]:
        """The smallest and the largest entry of every column."""
        low, high = np.zeros((2, self.shape[1]))
        for part, block in self._each():
            low[part], high[part] = block.extremes()
        return low, high

    def means(self) -> FloatArray:
        """The mean of every column."""
        return self._of_columns(lambda block: block.means())

    def entries(self) -> Iterator[tuple[IntArray, IntArray, FloatArray]]:
        """The nonzero entries, block by block."""
        for part, block in self._each():
            for i, j, values in block.entries():
                yield i, j + part.start, values
