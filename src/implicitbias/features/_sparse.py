"""Features that are a CSR array, and stay one.

Independent columns are chosen from the heaviest a chunk at a time, so that no more than ``CHUNK`` n
columns are ever dense. B^{-1} inherits the sparsity of B as far as its columns are connected, and
B^{-1} Z is formed as a sparse product; where that fills up it is given up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
from scipy.linalg import lu_factor, qr
from scipy.sparse import coo_array, csc_array, csr_array, hstack

from implicitbias._arrays import BoolArray, FloatArray, IntArray, NumericArray
from implicitbias.features._base import LARGEST_EXPONENT, Combined, Features, Index
from implicitbias.features._dense import INDEPENDENT, LEVEL, NOISE, Dense, rounded_to

CHUNK = 4  # times n columns compete at a time
YIELDED = 3.0  # log: a column may be chosen before one that is heavier by up to this
MOST_ENTRIES = 1 << 23  # of B^{-1} Z: above, combined rows are refused


class Sparse(Features):
    """Z as a CSR array in canonical form, kept by reference."""

    named = "sparse"
    is_sparse = True

    def __init__(self, csr: Any) -> None:
        self._csr, self.shape = csr, csr.shape

    @property
    def given(self) -> Any:
        """Z by rows."""
        return self._csr

    @cached_property
    def csc(self) -> Any:
        """Z by columns, indices sorted."""
        columns = self._csr.tocsc()
        columns.sort_indices()
        return columns

    def _with(self, data: FloatArray) -> Sparse:
        """Other entries in the same places."""
        return Sparse(csr_array((data, self._csr.indices, self._csr.indptr), shape=self.shape))

    def _per_row(self, values: NumericArray) -> NumericArray:
        return np.repeat(values, np.diff(self._csr.indptr))

    def columns(self, index: Index) -> FloatArray:
        """Z[:, index], dense."""
        return np.asarray(self._csr[:, index].toarray())

    def taken(self, index: Index) -> Sparse:
        """Z[:, index]; one of many slices costs no more than its entries."""
        given = self.csc if isinstance(index, slice) else self._csr
        return Sparse(csr_array(given[:, index]))

    def sample(self, count: int) -> FloatArray:
        """Some of the entries, with their places."""
        few = np.linspace(0, self._csr.nnz - 1, 4 * count).astype(np.intp)[: self._csr.nnz]
        rows = self._csr.indptr[np.linspace(0, len(self), count).astype(np.intp)]
        return np.concatenate([self._csr.data[few], self._csr.indices[few], rows])

    @property
    def entries_a_column(self) -> float:
        """Those that are not 0, with their places; n-vectors of their sums count as one."""
        return 2.0 * float(self._csr.nnz) / max(self.shape[1], 1) + 1.0

    def rows(self, index: Index) -> Sparse:
        """Z[index]."""
        return Sparse(self._csr[index])

    def scaled(self, rows: FloatArray | None, columns: FloatArray | None) -> Sparse:
        """diag(r) Z diag(c)."""
        data = self._csr.data
        data = data if rows is None else data * self._per_row(rows)
        return self._with(data if columns is None else data * columns[self._csr.indices])

    def shifted(self, rows: IntArray, columns: IntArray | None = None) -> Sparse:
        """2^{e_i + f_j} Z_ij."""
        shifts = self._per_row(rows)
        shifts = shifts if columns is None else shifts + columns[self._csr.indices]
        return self._with(np.ldexp(self._csr.data, shifts))

    def blocks(self, entries: int | None = None) -> Iterator[slice]:
        """All columns at once."""
        return iter([slice(0, self.shape[1])])

    def row_blocks(self) -> Iterator[slice]:
        """All rows at once."""
        return iter([slice(0, self.shape[0])])

    def block(self, part: slice) -> Sparse:
        """Itself."""
        return self

    def toarray(self) -> FloatArray:
        """Z, dense."""
        return np.asarray(self._csr.toarray())

    def __matmul__(self, vector: FloatArray) -> FloatArray:
        return np.asarray(self._csr @ vector)

    def transposed(self, vector: FloatArray) -> FloatArray:
        """Z^T nu."""
        return np.asarray(self._csr.T @ vector)

    def __rmatmul__(self, vector: FloatArray) -> FloatArray:
        return np.asarray(vector @ self._csr)

    def absolute(self, vector: FloatArray) -> FloatArray:
        """|Z| |v|."""
        return np.asarray(abs(self._csr) @ np.abs(vector))

    def absolute_transposed(self, vector: FloatArray) -> FloatArray:
        """|Z|^T |nu|."""
        return np.asarray(abs(self._csr).T @ np.abs(vector))

    def gram(self, weights: FloatArray) -> FloatArray:
        """The upper triangle of Z diag(weights) Z^T."""
        half = self.scaled(None, np.sqrt(weights)).given
        return np.asfortranarray(np.triu((half @ half.T).toarray()))

    def row_squares(self, weights: FloatArray) -> FloatArray:
        """The diagonal of Z diag(weights) Z^T."""
        return np.asarray(self._with(np.square(self._csr.data)) @ weights)

    def entries(self) -> Iterator[tuple[IntArray, IntArray, FloatArray]]:
        """The nonzero entries, all at once."""
        kept = self._csr.data != 0.0
        i, j = self._places
        yield i[kept], j[kept], self._csr.data[kept]

    def largest(self, axis: int) -> FloatArray:
        """max |Z_ij| along an axis."""
        if 0 in self.shape:
            return np.zeros(self.shape[1 - axis])
        return np.asarray(abs(self._csr).max(axis=axis).toarray().ravel())

    def column_norms(self) -> FloatArray:
        """||z_j||."""
        columns = self.csc
        return np.asarray(np.sqrt(columns.multiply(columns).sum(axis=0))).ravel()

    def _plain_norms(self) -> FloatArray:
        return np.asarray(np.sqrt((self._csr * self._csr).sum(axis=1)))

    def extremes(self) -> tuple[FloatArray, FloatArray]:
        """The smallest and the largest entry of every column."""
        low, high = self._csr.min(axis=0), self._csr.max(axis=0)
        return np.asarray(low.toarray().ravel()), np.asarray(high.toarray().ravel())

    def means(self) -> FloatArray:
        """The mean of every column."""
        return np.asarray(self._csr.mean(axis=0)).ravel()

    def less(self, columns: IntArray, values: FloatArray) -> Sparse:
        """Z with a value subtracted from the entries of each of some columns, which are full."""
        dense = np.zeros(self.shape[1])
        dense[columns] = values
        moved = self._csr.copy()
        moved.data -= dense[moved.indices]
        moved.eliminate_zeros()
        return Sparse(moved)

    def differences(self, reference: int) -> Sparse:
        """The other rows less one of them."""
        n = self.shape[0]
        others = np.delete(np.arange(n), reference)
        values = np.concatenate([np.ones(n - 1), -np.ones(n - 1)])
        places = np.concatenate([others, np.full(n - 1, reference)])
        left = csr_array((values, (np.tile(np.arange(n - 1), 2), places)), shape=(n - 1, n))
        return Sparse(csr_array(left @ self._csr))

    def lost_in_differences(self, reference: int) -> Sparse:
        """What rounding takes from these: only columns with an entry in that row."""
        columns = self._csr[[reference]].indices
        lost = Dense(self.columns(columns)).lost_in_differences(reference).toarray()
        i, j = np.nonzero(lost)
        shape = (self.shape[0] - 1, self.shape[1])
        return Sparse(csr_array(coo_array((lost[i, j], (i, columns[j])), shape=shape)))

    def shortest_row(self) -> int:
        """The row of fewest entries."""
        return int(np.argmin(np.diff(self._csr.indptr)))

    def replaced(self, index: IntArray, columns: FloatArray) -> Sparse:
        """Z with other columns at some places, at the entries that it has."""
        csc = self.csc.copy()
        for j, column in zip(index, columns.T, strict=True):
            part = slice(csc.indptr[j], csc.indptr[j + 1])
            csc.data[part] = column[csc.indices[part]]
        return Sparse(csc.tocsr())

    def beside(self, column: FloatArray) -> Sparse:
        """[Z, column]."""
        return Sparse(csr_array(hstack([self._csr, column[:, None]], format="csr")))

    def equal_columns(self, first: IntArray, second: IntArray, signs: FloatArray) -> BoolArray:
        """As many entries, in the same places, of the same values up to the signs."""
        columns = self.csc
        count, pairs = np.diff(columns.indptr), np.arange(first.size)
        same = np.asarray(count[first] == count[second])
        first, second, pairs, signs = first[same], second[same], pairs[same], signs[same]
        sizes = count[first]
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        one, other = (np.repeat(columns.indptr[each], sizes) + within for each in (first, second))
        apart = columns.indices[one] != columns.indices[other]
        apart |= columns.data[one] * np.repeat(signs, sizes) != columns.data[other]
        same[np.repeat(pairs, sizes)[apart]] = False
        return same

    def inner(self, other: Features) -> FloatArray:
        """Z W^T."""
        if not isinstance(other, Sparse):
            return np.asarray(self._csr @ other.toarray().T)
        return np.asarray((self._csr @ other.given.T).toarray())

    def signed_columns(self, up: IntArray, down: IntArray) -> Any:
        """[Z_up, -Z_down] in CSC."""
        return csc_array(hstack([self.csc[:, up], -self.csc[:, down]]))

    @cached_property
    def _places(self) -> tuple[IntArray, IntArray]:
        rows, columns = coo_array(self._csr).coords
        return rows, columns

    @cached_property
    def _log_sizes(self) -> FloatArray:
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(np.abs(self._csr.data)))

    def conjugated(self, logs: FloatArray, basis: IntArray) -> Sparse:
        """Z_ij exp(logs_j - logs_i), i counted along the basis."""
        i, j = self._places
        change = np.minimum(logs[j] - logs[basis][i], LARGEST_EXPONENT)
        return self._with(self._csr.data * np.exp(change))

    def dominance(self, heights: FloatArray, basis: IntArray) -> float:
        """The largest log |Z_ij| + heights_j - heights_i."""
        i, j = self._places
        return float(np.max(self._log_sizes + heights[j] - heights[basis][i]))

    def heaviest_basis(self, log_weights: FloatArray) -> IntArray | None:
        """Columns by column-pivoted QR of the heaviest few."""
        norms = self.column_norms()
        with np.errstate(divide="ignore"):
            heights = 0.5 * log_weights + np.log(norms)
        return heaviest_columns_by_chunks(self._dense_columns, self.shape[0], norms, heights)

    def _dense_columns(self, index: IntArray) -> FloatArray:
        return np.asarray(self.csc[:, index].toarray())

    def combined(self, basis: IntArray, log_weights: FloatArray) -> Combined | None:
        """B^{-1} Z; None where it would hold more than ``MOST_ENTRIES``."""
        square = self.csc[:, basis].toarray()
        inverse = np.linalg.inv(square)
        inverse[np.abs(inverse) < np.finfo(np.float64).eps * np.abs(inverse).max(axis=0)] = 0.0
        left = csr_array(inverse)
        if int(np.diff(self._csr.indptr)[left.indices].sum()) > MOST_ENTRIES:
            return None
        combined = _cleaned(left @ self._csr, basis, log_weights)
        return Combined(Sparse(combined), lu_factor(square), np.abs(inverse))

    def leading(self, rows: IntArray, columns: IntArray, bits: int) -> tuple[Sparse, Sparse]:
        """Z rounded to multiples of 2^{r_i + c_j - bits}, and the rest."""
        anchor = self._per_row(np.ldexp(1.5, rows + (52 - bits)))
        data = self._csr.data
        rounded = rounded_to(data, anchor * np.ldexp(1.0, columns)[self._csr.indices])
        return self._with(rounded), self._with(data - rounded)


def _cleaned(combined: Any, basis: IntArray, log_weights: FloatArray) -> Any:
    """The identity on B, and no entries that are only rounding."""
    entries = combined.tocoo()
    i, j = entries.coords
    size = np.abs(entries.data)
    largest = np.zeros(combined.shape[1])
    np.maximum.at(largest, j, size)
    light = log_weights[j] > log_weights[basis][i]
    in_basis = np.zeros(combined.shape[1], dtype=bool)
    in_basis[basis] = True
    kept = ~in_basis[j] & ~(light & (size < NOISE * largest[j]))
    n = basis.size
    return coo_array(
        (
            np.concatenate([entries.data[kept], np.ones(n)]),
            (np.concatenate([i[kept], np.arange(n)]), np.concatenate([j[kept], basis])),
        ),
        shape=combined.shape,
    ).tocsr()


def heaviest_columns_by_chunks(
    columns: Callable[[IntArray], FloatArray], rows: int, norms: FloatArray, heights: FloatArray
) -> IntArray | None:
    """n = ``rows`` independent columns, the heaviest first, of which few are read at a time."""
    chosen: list[int] = []
    span = np.zeros((rows, 0))
    left = np.flatnonzero(norms > 0)
    left = left[np.argsort(-heights[left], kind="stable")]
    while len(chosen) < rows:
        if left.size == 0 or not np.isfinite(heights[left[0]]):  # what is left weighs nothing
            return None
        near = left[: CHUNK * rows]
        near = near[heights[near] > heights[near[0]] - LEVEL]
        next_height = heights[left[near.size]] if near.size < left.size else -np.inf
        unit = columns(near) / norms[near]
        unit -= span @ (span.T @ unit)
        unit -= span @ (span.T @ unit)
        away = np.linalg.norm(unit, axis=0) > INDEPENDENT
        dependent = near[~away]
        near, unit = near[away], unit[:, away]
        if near.size:
            weight = np.exp(heights[near] - heights[near[0]])
            _, triangle, order = qr(unit * weight, mode="economic", pivoting=True)
            reach = np.abs(np.diag(triangle))
            order = order[: reach.size]
            light = reach < np.exp(next_height - heights[near[0]] - YIELDED)
            enough = ~light & (reach >= INDEPENDENT * weight[order])
            enough[0] = True
            count = int(np.argmin(enough)) if not enough.all() else enough.size
            picked = near[order[: min(count, rows - len(chosen))]]
            chosen.extend(int(j) for j in picked)
            span = np.linalg.qr(columns(np.array(chosen)) / norms[chosen])[0]
            dependent = np.concatenate([dependent, picked])
        left = left[~np.isin(left, dependent)]
    return np.array(chosen)
