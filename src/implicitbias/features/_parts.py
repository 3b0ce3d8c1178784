"""Sums over blocks of columns: products, Gram matrices and sizes of features that come in parts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from operator import methodcaller
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

    def _loads(self) -> FloatArray:
        """How many numbers a column of each block is."""
        return np.full(self._edges().size - 1, float(self.shape[0]))

    @cached_property
    def parts(self) -> tuple[slice, ...]:
        """The blocks, cut to what the memory allows."""
        return self._cut(self._edges(), self._loads())

    def _cut(self, edges: IntArray, loads: FloatArray) -> tuple[slice, ...]:
        widths = np.maximum(LEAST, self.memory / (8 * COPIES * np.maximum(loads, 1.0)))
        return tuple(
            slice(start, min(start + width, int(end)))
            for (begin, end), width in zip(
                pairwise(edges), widths.astype(int).tolist(), strict=True
            )
            for start in range(int(begin), int(end), width)
        )

    def blocks(self, entries: int | None = None) -> Iterator[slice]:
        """Slices that cover the columns, none across two blocks."""
        return iter(self.parts)

    def _each(self, method: str, *arguments: Any) -> Iterator[tuple[slice, Any]]:
        """A method of every block, of the same arguments."""
        return self.results(lambda _: methodcaller(method, *arguments))

    def _sum(self, method: str, vector: FloatArray) -> FloatArray:
        """The sum of a method of every block over the vector's part, (n, ..)."""
        total = np.zeros((self.shape[0], *vector.shape[1:]))
        for _, found in self.results(lambda part: methodcaller(method, vector[part])):
            total += found
        return total

    @property
    def is_whole(self) -> bool:
        """Whether all of Z fits ``memory``."""
        return 8 * self.size <= self.memory

    def refuse_whole(self, verb: str) -> None:
        """Refuse what needs all of Z at once, if that does not fit."""
        if not self.is_whole:
            raise InvalidInputError(
                f"X is {self.named}; {verb} needs all of its {self.shape[0]} x {self.shape[1]} "
                f"entries at once, {8 * self.size / 2**30:.2f} GiB where memory= allows "
                f"{self.memory / 2**30:.2f}. Give the blocks more memory, or pass X.toarray()."
            )

    def gathered(self) -> Features:
        """In one array."""
        return self.dense()

    def row_blocks(self) -> Iterator[slice]:
        """All rows at once: every one of them needs all blocks."""
        return iter([slice(0, len(self))])

    # ---- products --------------------------------------------------------------------------------

    def __matmul__(self, vector: FloatArray) -> FloatArray:
        return self._sum("__matmul__", vector)

    def _of_columns(self, method: str, *arguments: Any, rest: Any = ()) -> FloatArray:
        """What belongs to the columns, (m, ..)."""
        found = np.zeros((self.shape[1], *rest))
        for part, values in self._each(method, *arguments):
            found[part] = values
        return found

    def transposed(self, vector: FloatArray) -> FloatArray:
        """Z^T nu."""
        return self._of_columns("transposed", vector, rest=vector.shape[1:])

    def absolute(self, vector: FloatArray) -> FloatArray:
        """|Z| |v|."""
        return self._sum("absolute", vector)

    def absolute_transposed(self, vector: FloatArray) -> FloatArray:
        """|Z|^T |nu|."""
        return self._of_columns("absolute_transposed", vector, rest=vector.shape[1:])

    def normal(self, weights: FloatArray, vector: FloatArray) -> FloatArray:
        """Z diag(weights) Z^T nu, every block read once."""
        total = np.zeros(vector.shape)
        for _, found in self.results(lambda part: methodcaller("normal", weights[part], vector)):
            total += found
        return total

    def row_squares(self, weights: FloatArray) -> FloatArray:
        """The diagonal of Z diag(weights) Z^T."""
        return self._sum("row_squares", weights)

    def add_gram(self, weights: FloatArray, total: FloatArray) -> FloatArray:
        """The upper triangle of Z diag(weights) Z^T, added up block by block."""
        if self.is_remote:
            for _, found in self.results(lambda part: methodcaller("gram", weights[part])):
                total += found
            return total
        for part in self.parts:
            total = self.block(part).add_gram(weights[part], total)
        return total

    def gram(self, weights: FloatArray) -> FloatArray:
        """The upper triangle of Z diag(weights) Z^T."""
        return self.add_gram(weights, np.zeros((self.shape[0],) * 2, order="F"))

    def rough_gram(
        self, weights: FloatArray, total: npt.NDArray[np.float32] | None = None
    ) -> npt.NDArray[np.float32] | None:
        """The same in single precision; None where a block has none."""
        added = self._rough_there if self.is_remote else self._rough_here
        total = added(weights, total) if self._has_rough else None
        self._has_rough = total is not None
        return total

    def _rough_here(
        self, weights: FloatArray, total: npt.NDArray[np.float32] | None
    ) -> npt.NDArray[np.float32] | None:
        for part in self.parts:
            total = self.block(part).rough_gram(weights[part], total)
            if total is None:
                return None
        return total

    def _rough_there(
        self, weights: FloatArray, total: npt.NDArray[np.float32] | None
    ) -> npt.NDArray[np.float32] | None:
        for _, found in self.results(lambda part: methodcaller("rough_gram", weights[part])):
            if found is None:
                return None
            total = found if total is None else np.add(total, found, out=total)
        return total

    _has_rough = True  # until a block says otherwise

    def inner(self, other: Features) -> FloatArray:
        """Z W^T."""
        total = np.zeros((self.shape[0], other.shape[0]))
        for part in self.parts:
            total += self.block(part).inner(other.taken(part))
        return total

    # ---- sizes -----------------------------------------------------------------------------------

    @cached_property
    def _sizes(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """max |Z_ij| of columns and of rows, norms of both, in one reading."""
        n, m = self.shape
        columns, rows, norms, squares = np.zeros(m), np.zeros(n), np.zeros(m), np.zeros(n)
        for part, found in self.results(lambda _: sizes_of):
            columns[part], largest, norms[part], more = found
            rows = np.maximum(rows, largest)
            with np.errstate(over="ignore"):
                squares += more
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
        for part, found in self._each("extremes"):
            low[part], high[part] = found
        return low, high

    def means(self) -> FloatArray:
        """The mean of every column."""
        return self._of_columns("means")

    def entries(self) -> Iterator[tuple[IntArray, IntArray, FloatArray]]:
        """The nonzero entries, block by block."""
        for part in self.parts:
            for i, j, values in self.block(part).entries():
                yield i, j + part.start, values


def sizes_of(block: Features) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """The largest entries of columns and of rows, norms of columns, squares of those of rows."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        norms, squares = block.column_norms(), np.square(block._plain_norms())
    return block.largest(0), block.largest(1), norms, squares
