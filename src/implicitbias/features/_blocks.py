"""Features that a user gives in blocks of columns: out of core, or from several arrays."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, IntArray
from implicitbias._errors import InvalidInputError
from implicitbias._files import naming, path_named, replacing
from implicitbias._numbers import is_number, not_finite
from implicitbias.features._base import Features, Index
from implicitbias.features._build import features_of
from implicitbias.features._parts import COPIES, LEAST
from implicitbias.features._sources import source_of
from implicitbias.features._streamed import Streamed

MEMORY = 1 << 28
SAMPLED = 16  # columns of a block that are compared at each reading
SMALLEST_MEMORY = 1 << 16


class Blocks(Streamed):
    """X = [X_1, X_2, ...], (n, d), in blocks of columns (n, d_b) that are read when needed.

    Products, Gram matrices and norms are sums over blocks, so that X is never in memory beyond
    one block as given and ``memory`` bytes of work. It is read once at construction and at every
    product later, some tens to hundreds of times in a limit.

    Parameters
    ----------
    source
        A ``.npy`` file, a Parquet or Arrow file or an Arrow table (pyarrow, the
        extra ``data``; its columns are features), a two-dimensional array or memory map, a list of
        arrays, SciPy sparse arrays, data frames and ``.npy`` files side by side, or any iterable of
        these that starts anew each time it is iterated over.
    memory
        Bytes of work: large blocks are cut accordingly. Verbs that need all of X refuse what does
        not fit into this.
    transposed
        Whether a file, table or array holds X^T, (d, n): then row groups and record batches are
        blocks of features.

    Raises
    ------
    InvalidInputError
        Not blocks, an iterator, blocks with different numbers of rows, entries that are not finite
        numbers; later, if a block changes between two readings.
    """

    def __init__(self, source: Any, *, memory: int = MEMORY, transposed: bool = False) -> None:
        if not is_number(memory) or not SMALLEST_MEMORY <= memory < np.inf:
            raise InvalidInputError(
                f"memory is {memory!r}; expected a number of bytes >= {SMALLEST_MEMORY}."
            )
        self.memory = int(memory)
        self._source: Sequence[Any] = source_of(
            source, self.memory // (8 * COPIES), transposed=transposed
        )
        self._last: tuple[int, Features] | None = None
        self._samples: list[FloatArray] = []
        self._starts = np.zeros(1, dtype=np.intp)
        rows, widths, sparse, loads = -1, [], [], []
        for number in range(len(self._source)):
            block = self._block(number)
            if rows not in (-1, block.shape[0]):
                raise InvalidInputError(
                    f"block {number} has {block.shape[0]} rows and those before have {rows}; "
                    "blocks are columns of X, one row a point."
                )
            rows = block.shape[0]
            widths.append(block.shape[1])
            sparse.append(block.is_sparse)
            loads.append(block.entries_a_column)
            self._samples.append(block.sample(SAMPLED))
        if not widths:
            raise InvalidInputError("X has no blocks; expected one or more, (n, d_b) each.")
        self.shape = rows, int(sum(widths))
        self._starts = np.concatenate([[0], np.cumsum(widths)]).astype(np.intp)
        self.is_sparse, self._sizes_of_columns = all(sparse), np.array(loads)
        self._refuse_what_is_not_finite()

    def __repr__(self) -> str:
        n, d = self.shape
        return f"Blocks({n} x {d}, {len(self._starts) - 1} given, {len(self.parts)} read)"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write X to a ``.npy`` file whose columns follow each other: the one that is read fastest.

        Block by block, and whole or not at all.

        Parameters
        ----------
        path
            A new file's name that ends in ``.npy``.

        Raises
        ------
        InvalidInputError
            Another name, or that of a file which is there.
        OSError
            It cannot be written.
        """
        file = path_named(path, "path", "a file name that ends in .npy")
        if file.suffix != ".npy":
            raise InvalidInputError(f"path is {str(file)!r}; expected a name that ends in .npy.")
        if file.exists():
            raise InvalidInputError(f"{file} is there already. Name another file, or remove it.")
        header = {"descr": "<f8", "fortran_order": True, "shape": self.shape}
        with naming(file), replacing(file) as scratch, scratch.open("wb") as stream:
            np.lib.format.write_array_header_1_0(stream, header)
            for part in self.parts:
                stream.write(np.ascontiguousarray(self.block(part).toarray().T, dtype="<f8").data)

    def _edges(self) -> IntArray:
        return self._starts

    def _loads(self) -> FloatArray:
        return self._sizes_of_columns

    def _refuse_what_is_not_finite(self) -> None:
        """By the largest entry of each column, which has to be known anyway."""
        wrong = np.flatnonzero(~np.isfinite(self.largest(0)))
        if wrong.size:
            entries = self.columns(wrong[:1])[:, 0]
            row = int(np.flatnonzero(~np.isfinite(entries))[0])
            raise not_finite("X", entries[row], (row, int(wrong[0])))

    def block(self, part: slice) -> Features:
        """A block as it was given, or a part of it."""
        number = int(np.searchsorted(self._starts, part.start, side="right")) - 1
        start = int(self._starts[number])
        block = self._block(number)
        if part.stop - part.start == block.shape[1]:
            return block
        return block.taken(slice(part.start - start, part.stop - start))

    def _block(self, number: int) -> Features:
        """Block ``number``; the last one is kept."""
        if self._last is not None and self._last[0] == number:
            return self._last[1]
        try:
            value = self._source[number]
        except IndexError:
            raise self._changed_since(number, "is no longer there") from None
        block = features_of(value, f"block {number} of X", finite=False)
        if len(self._samples) > number:  # read before
            known = self._starts[number + 1] - self._starts[number]
            if block.shape != (self.shape[0], known):
                raise self._changed_since(number, f"has shape {block.shape} now")
            if not np.array_equal(block.sample(SAMPLED), self._samples[number], equal_nan=True):
                raise self._changed_since(number, "has other entries now")
        self._last = number, block
        return block

    @staticmethod
    def _changed_since(number: int, how: str) -> InvalidInputError:
        return InvalidInputError(
            f"block {number} of X {how}: blocks are read many times and have to stay the same. "
            "Seed what is random, and leave files alone while they are read."
        )

    def columns(self, index: Index) -> FloatArray:
        """X[:, index]."""
        if len(self._starts) == 2 and not isinstance(index, slice):  # no block has to be read
            places = np.arange(self.shape[1])[index]
            if 8 * places.size * self.shape[0] <= self.memory or places.size <= LEAST:
                return np.array(self._block(0).columns(places))
        return super().columns(index)
