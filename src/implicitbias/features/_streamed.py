"""Features that are read block by block and never whole.

Every change of Z that others ask for (rows, units, combined rows, exponentials) acts on columns one
by one, so that it is kept as a function of blocks and done anew at each reading.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property, partial
from itertools import pairwise
from operator import methodcaller
from typing import Any, TypeAlias

import numpy as np
from scipy.linalg import lu_factor, lu_solve

from implicitbias._arrays import FloatArray, IntArray
from implicitbias._errors import InvalidInputError
from implicitbias.features._base import LARGEST_EXPONENT, Combined, Features, Index, Question
from implicitbias.features._dense import NOISE, Dense
from implicitbias.features._parts import LEAST, InParts
from implicitbias.features._sparse import heaviest_columns_by_chunks

MATRICES = 8  # n x n ones that columns may always be asked for

Change: TypeAlias = Callable[[slice], Callable[[Features], Features]]  # of a part: of its block


class Streamed(InParts):
    """Features in parts, and what others ask to be made of them."""

    # ---- some of it ------------------------------------------------------------------------------

    def columns(self, index: Index) -> FloatArray:
        """Z[:, index]."""
        places = np.arange(self.shape[1])[index]
        few = max(LEAST, MATRICES * self.shape[0])
        if places.size > few and 8 * places.size * self.shape[0] > self.memory:
            self._refuse(places.size)
        return self._gathered(places)

    def _refuse(self, count: int) -> None:
        raise InvalidInputError(
            f"X is {self.named} and {count} of its columns are asked for at once, "
            f"{8 * count * self.shape[0] / 2**30:.2f} GiB where memory= allows "
            f"{self.memory / 2**30:.2f}. Give the blocks more memory."
        )

    def _gathered(self, places: IntArray) -> FloatArray:
        found = np.empty((self.shape[0], places.size))
        starts = np.array([part.start for part in self.parts])
        owners = np.searchsorted(starts, places, side="right") - 1
        for owner in np.unique(owners):
            wanted = np.flatnonzero(owners == owner)
            part = self.parts[owner]
            chosen = methodcaller("columns", places[wanted] - part.start)
            found[:, wanted] = self.ask(part, chosen)
        return found

    def toarray(self) -> FloatArray:
        """All of Z, whatever its size."""
        found = np.zeros(self.shape)
        for part, values in self._each("toarray"):
            found[:, part] = values  # a copy: views would keep the blocks
        return found

    def taken(self, index: Index) -> Features:
        """Z[:, index], still in blocks."""
        return Taken(self, np.arange(self.shape[1])[index])

    def _changed(self, change: Change, rows: int | None = None, *, dense: bool = False) -> Changed:
        return Changed(self, change, self.shape[0] if rows is None else rows, dense=dense)

    def rows(self, index: Index) -> Features:
        """Z[index]."""
        count = np.arange(self.shape[0])[index].size
        return self._changed(lambda _: methodcaller("rows", index), count)

    def scaled(self, rows: FloatArray | None, columns: FloatArray | None) -> Features:
        """diag(r) Z diag(c)."""
        return self._changed(lambda at: methodcaller("scaled", rows, _of(columns, at)))

    def shifted(self, rows: IntArray, columns: IntArray | None = None) -> Features:
        """2^{e_i + f_j} Z_ij."""
        return self._changed(lambda at: methodcaller("shifted", rows, _of(columns, at)))

    # ---- matrices made of it ---------------------------------------------------------------------

    def less(self, columns: IntArray, values: FloatArray) -> Features:
        """Z with a value subtracted from each of some columns."""
        taken = np.zeros(self.shape[1])
        taken[columns] = values

        def change(at: slice) -> Callable[[Features], Features]:
            few = np.flatnonzero(taken[at])
            return methodcaller("less", few, taken[at][few]) if few.size else _itself

        return self._changed(change)

    def differences(self, reference: int) -> Features:
        """The other rows less one of them."""
        return self._changed(lambda _: methodcaller("differences", reference), self.shape[0] - 1)

    def lost_in_differences(self, reference: int) -> Features:
        """What rounding takes from these."""
        rows = self.shape[0] - 1
        return self._changed(lambda _: methodcaller("lost_in_differences", reference), rows)

    def shortest_row(self) -> int:
        """The row whose largest entry, relative to its column, is smallest."""
        sizes = self.largest(0)
        units = self.scaled(None, 1.0 / np.where(sizes > 0, sizes, 1.0))
        return int(units.largest(1).argmin())

    def replaced(self, index: IntArray, columns: FloatArray) -> Features:
        """Z with other columns at some places."""
        owner = np.full(self.shape[1], -1)
        owner[index] = np.arange(index.size)

        def change(at: slice) -> Callable[[Features], Features]:
            places = np.flatnonzero(owner[at] >= 0)
            if not places.size:
                return _itself
            return methodcaller("replaced", places, columns[:, owner[at][places]])

        return self._changed(change)

    def beside(self, column: FloatArray) -> Features:
        """[Z, column]."""
        return Beside(self, Dense(column[:, None]))

    def leading(self, rows: IntArray, columns: IntArray, bits: int) -> tuple[Features, Features]:
        """Z rounded to multiples of 2^{r_i + c_j - bits}, and the rest."""

        def change(which: int, at: slice) -> Callable[[Features], Features]:
            return partial(_leading, which, rows, columns[at], bits)

        return self._changed(partial(change, 0)), self._changed(partial(change, 1))

    # ---- combined rows ---------------------------------------------------------------------------

    def conjugated(self, logs: FloatArray, basis: IntArray) -> Features:
        """Z_ij exp(logs_j - logs_i), i counted along the basis."""
        return self._changed(lambda at: partial(_conjugated, logs[at], logs[basis]), dense=True)

    def dominance(self, heights: FloatArray, basis: IntArray) -> float:
        """The largest log |Z_ij| + heights_j - heights_i."""
        top = -np.inf
        for _, found in self.results(lambda at: partial(_dominance, heights[at], heights[basis])):
            top = max(top, found)
        return top

    def heaviest_basis(self, log_weights: FloatArray) -> IntArray | None:
        """Columns by column-pivoted QR of the heaviest few."""
        norms = self.column_norms()
        with np.errstate(divide="ignore"):
            heights = 0.5 * log_weights + np.log(norms)
        return heaviest_columns_by_chunks(self._gathered, self.shape[0], norms, heights)

    def combined(self, basis: IntArray, log_weights: FloatArray) -> Combined | None:
        """B^{-1} Z, solved for anew at each reading."""
        square = self._gathered(basis)
        factor = lu_factor(square)
        place = np.full(self.shape[1], -1)
        place[basis] = np.arange(basis.size)

        def change(at: slice) -> Callable[[Features], Features]:
            return partial(_combined, factor, log_weights[at], log_weights[basis], place[at])

        found = self._changed(change, dense=True)
        return Combined(found, factor, np.abs(np.linalg.inv(square)))


def _of(values: Any, at: slice) -> Any:
    return None if values is None else values[at]


def _itself(block: Features) -> Features:
    return block


def _leading(which: int, rows: IntArray, columns: IntArray, bits: int, block: Features) -> Features:
    return block.leading(rows, columns, bits)[which]


def _conjugated(logs: FloatArray, of_basis: FloatArray, block: Features) -> Features:
    """Z_ij exp(logs_j - logs_i)."""
    steps = np.minimum(logs - of_basis[:, None], LARGEST_EXPONENT)
    with np.errstate(over="ignore", under="ignore"):
        return Dense(block.toarray() * np.exp(steps))


def _dominance(heights: FloatArray, of_basis: FloatArray, block: Features) -> float:
    """The largest log |Z_ij| + heights_j - heights_i."""
    found = (np.log(np.abs(z)) + heights[j] - of_basis[i] for i, j, z in block.entries())
    return float(max((part.max(initial=-np.inf) for part in found), default=-np.inf))


def _combined(
    factor: tuple[FloatArray, IntArray],
    logs: FloatArray,
    of_basis: FloatArray,
    place: IntArray,
    block: Features,
) -> Features:
    """B^{-1} Z; ``place`` tells which columns are those of B, -1 elsewhere."""
    found = lu_solve(factor, block.toarray())
    light = logs - of_basis[:, None] > 0
    found[light & (np.abs(found) < NOISE * np.abs(found).max(axis=0))] = 0.0
    own = np.flatnonzero(place >= 0)
    found[:, own] = np.eye(len(found))[:, place[own]]
    return Dense(found)


def _then(first: Callable[[Features], Features], question: Question) -> Question:
    """The question after a change of the block."""
    return partial(_composed, first, question)


def _composed(first: Callable[[Features], Features], question: Question, block: Features) -> Any:
    return question(first(block))


class Changed(Streamed):
    """Features whose blocks are those of others after a change of each.

    ``dense``: whether the change leaves no zeros. Blocks of sparse ones are then cut further.
    """

    def __init__(self, parent: Streamed, change: Change, rows: int, *, dense: bool) -> None:
        self._parent, self._change = parent, change
        self.shape, self.memory = (rows, parent.shape[1]), parent.memory
        self.named, self.is_sparse = parent.named, parent.is_sparse and not dense
        self.is_remote = parent.is_remote
        self._is_finer = dense and not parent.is_remote

    def _edges(self) -> IntArray:
        return self._parent._edges()

    @cached_property
    def parts(self) -> tuple[slice, ...]:
        """The parent's, or cut from them."""
        before = self._parent.parts
        if not self._is_finer:
            return before
        edges = np.array([0] + [part.stop for part in before])
        return self._cut(edges, np.full(len(before), float(self.shape[0])))

    def block(self, part: slice) -> Features:
        """One of the parent's blocks, changed."""
        return self._change(part)(self._parent.block(part))

    def ask(self, part: slice, question: Question) -> Any:
        """Asked where the parent's block is."""
        return self._parent.ask(part, _then(self._change(part), question))

    def results(self, question_of: Callable[[slice], Question]) -> Iterator[tuple[slice, Any]]:
        """Asked where the parent's blocks are."""
        if self._is_finer:
            return super().results(question_of)
        return self._parent.results(lambda part: _then(self._change(part), question_of(part)))


class Taken(Streamed):
    """Some columns of others, in the order of an index."""

    def __init__(self, parent: Streamed, index: IntArray) -> None:
        self._parent, self._index = parent, index
        self.shape, self.memory = (parent.shape[0], index.size), parent.memory
        self.named, self.is_sparse = parent.named, parent.is_sparse
        starts = np.array([part.start for part in parent.parts])
        self._owners = np.searchsorted(starts, index, side="right") - 1

    def _edges(self) -> IntArray:
        """As long as the parent's block stays the same, if that is for more than a few columns."""
        size, ascends = self._index.size, bool(np.all(np.diff(self._owners) >= 0))
        if not ascends:
            return np.array([0, size])
        inner = np.flatnonzero(np.diff(self._owners)) + 1
        return np.unique(np.concatenate([[0], inner, [size]])).astype(np.intp)

    def _loads(self) -> FloatArray:
        """Parts of one of the parent's are as small as those; of several, they are gathered."""
        edges = self._edges()
        one = [np.ptp(self._owners[i:j]) == 0 if i < j else True for i, j in pairwise(edges)]
        return np.where(one, 1.0, float(self.shape[0]))

    def block(self, part: slice) -> Features:
        """The columns of a part, of one block if the parent's are in order."""
        owners = self._owners[part]
        if owners.size and owners[0] == owners[-1] and np.all(owners == owners[0]):
            own = self._parent.parts[owners[0]]
            index, block = self._index[part] - own.start, self._parent.block(own)
            if index.size == own.stop - own.start and np.array_equal(index, np.arange(index.size)):
                return block
            return block.taken(index)
        return Dense(self._parent._gathered(self._index[part]))


class Beside(Streamed):
    """Features and one more block of columns."""

    def __init__(self, parent: Streamed, last: Features) -> None:
        self._parent, self._last = parent, last
        self.shape = parent.shape[0], parent.shape[1] + last.shape[1]
        self.memory, self.named, self.is_sparse = parent.memory, parent.named, parent.is_sparse

    def _edges(self) -> IntArray:
        return np.append(self._parent._edges(), self.shape[1])

    @cached_property
    def parts(self) -> tuple[slice, ...]:
        """The parent's, and the last."""
        return *self._parent.parts, slice(self._parent.shape[1], self.shape[1])

    def block(self, part: slice) -> Features:
        """The parent's, or the last."""
        return self._last if part == self.parts[-1] else self._parent.block(part)
