"""What X and Z = X S^T are made of, behind one type.

Everything with d in it goes through here. A kind of features has to give its shape, some columns
as an array, a choice of rows, of columns and a scaling of both; products, Gram matrices and norms
then follow from blocks of columns, whose contributions add up. Kinds that know better (dense, CSR,
Fourier) override them. No other file asks what a matrix is made of.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from implicitbias._arrays import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from implicitbias.features._precise import Precise

BLOCK = 1 << 20  # entries of an array that is made for a moment
COPIED = 1 << 17  # the same where signs are taken off
SQUARES = (1e-140, 1e140)  # norms whose entries' squares neither under- nor overflow
SLIGHTLY = 1.0 + 1e-8  # more than what rounds in a norm
LARGEST_EXPONENT = 600.0
MODERATE = 200  # of exponents of 2
Index = Any  # whatever chooses rows or columns of a NumPy array along one axis


Question: TypeAlias = Callable[["Features"], Any]  # of a block


class Features(ABC):
    """A real matrix Z, (n, m), by its products.

    ``Z @ v``, ``Z.T @ nu`` and ``nu @ Z`` are arrays, as for NumPy's.

    Attributes
    ----------
    shape
        (n, m).
    is_array
        Whether all columns at once are an array already; else work is to be done on a few columns.
    named
        What it is, in errors.
    is_complex
        Whether entries are complex: only arrays are, and only max-margin problems take them.
    is_sparse
        Whether most entries are 0 and are not stored.
    is_remote
        Whether blocks are somewhere else, and what is asked of them goes there.
    """

    __array_ufunc__ = None  # NumPy leaves products with it to __rmatmul__
    shape: tuple[int, int]
    is_array: bool = False
    named: str = "given by its products"
    is_complex: bool = False
    is_sparse: bool = False
    is_remote: bool = False

    @abstractmethod
    def columns(self, index: Index) -> FloatArray:
        """Some columns as an array, (n, k)."""

    @abstractmethod
    def taken(self, index: Index) -> Features:
        """Some columns, as features."""

    @abstractmethod
    def rows(self, index: Index) -> Features:
        """Some rows, as features."""

    @abstractmethod
    def scaled(self, rows: FloatArray | None, columns: FloatArray | None) -> Features:
        """diag(r) Z diag(c), None for ones."""

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def size(self) -> int:
        """Number of entries n m, zeros counted."""
        return self.shape[0] * self.shape[1]

    @property
    def given(self) -> Any:
        """As a user knows it: a NumPy or SciPy array, or these features."""
        return self

    @property
    def T(self) -> Transposed:
        """Z^T, for products."""
        return Transposed(self)

    def blocks(self, entries: int | None = None) -> Iterator[slice]:
        """Slices of so many entries that cover the columns."""
        width = max(1, (entries or BLOCK) // max(self.shape[0], 1))
        return (slice(at, min(at + width, self.shape[1])) for at in range(0, self.shape[1], width))

    def row_blocks(self) -> Iterator[slice]:
        """Slices that cover the rows."""
        step = max(1, BLOCK // max(self.shape[1], 1))
        return (slice(at, min(at + step, len(self))) for at in range(0, len(self), step))

    def block(self, part: slice) -> Features:
        """The columns of one of the blocks, ready for many uses."""
        from implicitbias.features._dense import Dense

        return Dense(self.columns(part))

    @property
    def is_whole(self) -> bool:
        """Whether all of Z may be in memory at once."""
        return True

    def refuse_whole(self, verb: str) -> None:  # noqa: B027  (most kinds refuse nothing)
        """Refuse what needs all of Z at once, where that does not fit."""

    def gathered(self) -> Features:
        """Itself, or in one array."""
        return self

    def ask(self, part: slice, question: Question) -> Any:
        """What is asked of one of the blocks, where that is."""
        return question(self.block(part))

    def results(self, question_of: Callable[[slice], Question]) -> Iterator[tuple[slice, Any]]:
        """What is asked of every block, in their order; ``question_of`` is told its columns."""
        return ((part, self.ask(part, question_of(part))) for part in self.blocks())

    def sample(self, count: int) -> FloatArray:
        """Some of the entries, a copy: what tells whether they have changed."""
        few = np.unique(np.linspace(0, self.shape[1] - 1, count).astype(np.intp))
        return np.array(self.columns(few))

    @property
    def entries_a_column(self) -> float:
        """How many numbers are kept for a column, on average."""
        return float(self.shape[0])

    def toarray(self) -> FloatArray:
        """All of Z."""
        return self.columns(slice(None))

    def __matmul__(self, vector: FloatArray) -> FloatArray:
        """Z v, (n,) or (n, k) for v (m,) or (m, k)."""
        total = np.zeros((self.shape[0], *vector.shape[1:]))
        for part in self.blocks():
            total += self.columns(part) @ vector[part]
        return total

    def transposed(self, vector: FloatArray) -> FloatArray:
        """Z^T nu, (m,) or (m, k) for nu (n,) or (n, k)."""
        parts = [self.columns(part).T @ vector for part in self.blocks()]
        return np.concatenate(parts) if parts else np.zeros((0, *vector.shape[1:]))

    def __rmatmul__(self, vector: FloatArray) -> FloatArray:
        """nu Z, (m,) or (k, m) for nu (n,) or (k, n)."""
        return np.asarray(self.transposed(vector.T).T)

    def absolute(self, vector: FloatArray) -> FloatArray:
        """|Z| |v|, (n,)."""
        total = np.zeros(self.shape[0])
        for part in self.blocks(COPIED):
            total += np.abs(self.columns(part)) @ np.abs(vector[part])
        return total

    def absolute_transposed(self, vector: FloatArray) -> FloatArray:
        """|Z|^T |nu|, (m,) or (m, k)."""
        parts = [np.abs(self.columns(part)).T @ np.abs(vector) for part in self.blocks(COPIED)]
        return np.concatenate(parts) if parts else np.zeros((0, *vector.shape[1:]))

    @cached_property
    def lengths(self) -> tuple[FloatArray, FloatArray]:
        """Norms of rows and columns, rounded up: ``|Z v| <= row norms |v|``, and so for Z^T."""
        return SLIGHTLY * self.row_norms(), SLIGHTLY * self.column_norms()

    @cached_property
    def is_moderate(self) -> bool:
        """Whether the largest entry of every column is within 2^-MODERATE and 2^MODERATE, or 0."""
        exponents = np.frexp(self.largest(0))[1]
        return int(np.abs(exponents).max(initial=0)) < MODERATE

    def gram(self, weights: FloatArray) -> FloatArray:
        """Z diag(weights) Z^T for weights >= 0: its upper triangle, (n, n) in Fortran's order."""
        total = np.zeros((self.shape[0],) * 2, order="F")
        for part in self.blocks():
            half = self.columns(part) * np.sqrt(weights[part])
            total += half @ half.T
        return np.asfortranarray(np.triu(total))

    def normal(self, weights: FloatArray, vector: FloatArray) -> FloatArray:
        """Z diag(weights) Z^T nu, (n,) or (n, k) for nu (n,) or (n, k)."""
        clocks = self.transposed(vector)
        clocks *= weights if vector.ndim == 1 else weights[:, None]
        return np.asarray(self @ clocks)

    def row_squares(self, weights: FloatArray) -> FloatArray:
        """The diagonal of Z diag(weights) Z^T, (n,)."""
        total = np.zeros(self.shape[0])
        for part in self.blocks():
            total += np.square(self.columns(part)) @ weights[part]
        return total

    def add_gram(self, weights: FloatArray, total: FloatArray) -> FloatArray:
        """The same added to ``total``, which may be overwritten."""
        total += self.gram(weights)
        return total

    def rough_gram(
        self, weights: FloatArray, total: npt.NDArray[np.float32] | None = None
    ) -> npt.NDArray[np.float32] | None:
        """The same in single precision for weights up to 1; None where it does not fit or pay.

        Added to ``total``, which may be overwritten, where that is given.
        """
        return None

    def entries(self) -> Iterator[tuple[IntArray, IntArray, FloatArray]]:
        """Rows, columns and values of the nonzero entries, some at a time."""
        for part in self.blocks():
            block = self.columns(part)
            i, j = np.nonzero(block)
            yield i, j + part.start, block[i, j]

    def largest(self, axis: int) -> FloatArray:
        """max |Z_ij| of every column (axis 0) or row (axis 1)."""
        parts = [np.abs(self.columns(part)) for part in self.blocks()]
        if axis == 0:
            return np.concatenate([part.max(axis=0, initial=0.0) for part in parts])
        return np.asarray(np.max([part.max(axis=1, initial=0.0) for part in parts], axis=0))

    def column_norms(self) -> FloatArray:
        """||z_j||, (m,)."""
        return np.concatenate(
            [np.linalg.norm(self.columns(part), axis=0) for part in self.blocks()]
        )

    def row_norms(self) -> FloatArray:
        """||Z_i||, (n,), also where squares do not fit float64."""
        with np.errstate(over="ignore", under="ignore"):
            norms = self._plain_norms()
        extreme = np.flatnonzero(~((norms > SQUARES[0]) & (norms < SQUARES[1])))
        if extreme.size and self.shape[1]:
            part = self.rows(extreme)
            exponents = np.frexp(part.largest(1))[1]
            with np.errstate(over="ignore", under="ignore"):
                plain = part.shifted(-exponents)._plain_norms()
                norms[extreme] = np.ldexp(plain, exponents)
        return norms

    def _plain_norms(self) -> FloatArray:
        parts = [np.square(self.columns(part)).sum(axis=1) for part in self.blocks()]
        return np.asarray(np.sqrt(np.sum(parts, axis=0)))

    def shifted(self, rows: IntArray, columns: IntArray | None = None) -> Features:
        """2^{e_i + f_j} Z_ij: exact where nothing under- or overflows, whatever the exponents."""
        half = rows // 2, None if columns is None else columns // 2  # within float64's range
        rest = rows - half[0], None if columns is None or half[1] is None else columns - half[1]
        return self.scaled(*map(_powers, half)).scaled(*map(_powers, rest))

    def extremes(self) -> tuple[FloatArray, FloatArray]:
        """The smallest and the largest entry of every column."""
        parts = [self.columns(part) for part in self.blocks()]
        low, high = ([f(part, axis=0) for part in parts] for f in (np.min, np.max))
        return np.concatenate(low), np.concatenate(high)

    def means(self) -> FloatArray:
        """The mean of every column."""
        return np.concatenate([self.columns(part).mean(axis=0) for part in self.blocks()])

    def less(self, columns: IntArray, values: FloatArray) -> Features:
        """Z with a value subtracted from each of some columns."""
        return self.dense().less(columns, values)

    def differences(self, reference: int) -> Features:
        """The other rows less one of them, (n - 1, m)."""
        return self.dense().differences(reference)

    def lost_in_differences(self, reference: int) -> Features:
        """What rounding takes from these, (n - 1, m)."""
        return self.dense().lost_in_differences(reference)

    def shortest_row(self) -> int:
        """A row of few or small entries."""
        return self.dense().shortest_row()

    def replaced(self, index: IntArray, columns: FloatArray) -> Features:
        """Z with other columns at some places; of sparse features, at the entries they have."""
        return self.dense().replaced(index, columns)

    def beside(self, column: FloatArray) -> Features:
        """[Z, column], (n, m + 1)."""
        return self.dense().beside(column)

    def equal_columns(self, first: IntArray, second: IntArray, signs: FloatArray) -> BoolArray:
        """Whether signs z_first = z_second, bit by bit, for pairs of columns, (k,)."""
        step = max(1, BLOCK // max(1, len(self)))
        parts = [slice(start, start + step) for start in range(0, first.size, step)]
        return np.concatenate(
            [
                np.all(self.columns(first[p]) * signs[p] == self.columns(second[p]), axis=0)
                for p in parts
            ]
        )

    def inner(self, other: Features) -> FloatArray:
        """Z W^T, (n, n)."""
        total = np.zeros((self.shape[0], other.shape[0]))
        for part in self.blocks():
            total += self.columns(part) @ other.columns(part).T
        return total

    def signed_columns(self, up: IntArray, down: IntArray) -> Any:
        """[Z_up, -Z_down] as SciPy's solvers take it: an array, or CSC."""
        return np.hstack([self.columns(up), -self.columns(down)])

    def conjugated(self, logs: FloatArray, basis: IntArray) -> Features:
        """Z_ij exp(logs_j - logs_i) with i counted along the basis, (n, m)."""
        return self.dense().conjugated(logs, basis)

    def dominance(self, heights: FloatArray, basis: IntArray) -> float:
        """The largest log |Z_ij| + heights_j - heights_i, i counted along the basis."""
        return self.dense().dominance(heights, basis)

    def heaviest_basis(self, log_weights: FloatArray) -> IntArray | None:
        """n independent columns, the heaviest first; None where the rows are dependent."""
        return self.dense().heaviest_basis(log_weights)

    def combined(self, basis: IntArray, log_weights: FloatArray) -> Combined | None:
        """B^{-1} Z for the columns B; None where it would be too large."""
        return self.dense().combined(basis, log_weights)

    def leading(self, rows: IntArray, columns: IntArray, bits: int) -> tuple[Features, Features]:
        """Z rounded to multiples of 2^{r_i + c_j - bits}, and the rest."""
        return self.dense().leading(rows, columns, bits)

    def dense(self) -> Features:
        """Z as an array behind the same type."""
        from implicitbias.features._dense import Dense

        return Dense(self.toarray())

    @cached_property
    def precise(self) -> Precise:
        """Z for products beyond float64."""
        from implicitbias.features._precise import Precise

        return Precise(self)


class Transposed:
    """Z^T, for products with arrays."""

    __array_ufunc__ = None

    def __init__(self, features: Features) -> None:
        self.features = features

    def __matmul__(self, vector: FloatArray) -> FloatArray:
        return self.features.transposed(vector)


class Combined:
    """B^{-1} Z with the LU factors of B and |B^{-1}|."""

    def __init__(
        self, features: Features, factor: tuple[FloatArray, IntArray], size: FloatArray
    ) -> None:
        self.features, self.factor, self.size = features, factor, size


def _powers(exponents: IntArray | None) -> FloatArray | None:
    return None if exponents is None else np.asarray(np.ldexp(1.0, exponents))
