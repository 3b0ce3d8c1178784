"""Features that are an array."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import lu_factor, lu_solve, qr
from scipy.linalg.blas import dsyrk, ssyrk

from implicitbias._arrays import FloatArray, IntArray
from implicitbias.features._base import BLOCK, LARGEST_EXPONENT, Combined, Features, Index
from implicitbias.features._lost import lost_in_difference

GRAM_BLOCK = 1 << 21  # entries of Z weighted at a time: bounds the extra memory
PAYS_SINGLE = 1 << 14  # entries of Z from where on single precision saves time
SINGLE = (1e-9, 1e9)  # largest entries of rows whose Gram matrix fits float32
NORMAL = 1022  # up to here 2^e and 2^{-e} are normal numbers: products round as ldexp does
LEVEL = 27.0  # columns within e^{-27} of the heaviest are pivoted together
INDEPENDENT = 1e-13  # a relative distance to the span below this is rounding
NOISE = 1e-11  # entries of B^{-1} Z below this, where the weights say zero, are zero


class Dense(Features):
    """Z as a float64 array, kept by reference; also a memory map, which is read in blocks."""

    is_array = True

    def __init__(self, array: FloatArray) -> None:
        self._array, self.shape = array, array.shape
        self.is_complex = np.iscomplexobj(array)

    @property
    def given(self) -> FloatArray:
        """Z."""
        return self._array

    def columns(self, index: Index) -> FloatArray:
        """Z[:, index]."""
        return self._array[:, index]

    def taken(self, index: Index) -> Dense:
        """Z[:, index], contiguous unless it is a view."""
        part = self._array[:, index]
        return Dense(part if isinstance(index, slice) else np.ascontiguousarray(part))

    def rows(self, index: Index) -> Dense:
        """Z[index]."""
        return Dense(np.ascontiguousarray(self._array[index]))

    def scaled(self, rows: FloatArray | None, columns: FloatArray | None) -> Dense:
        """diag(r) Z diag(c)."""
        array = self._array if rows is None else self._array * rows[:, None]
        return Dense(array if columns is None else array * columns)

    def shifted(self, rows: IntArray, columns: IntArray | None = None) -> Dense:
        """2^{e_i + f_j} Z_ij."""
        if columns is None and np.abs(rows).max(initial=0) <= NORMAL:
            return self.scaled(np.ldexp(1.0, rows), None)
        shifts = rows[:, None] if columns is None else rows[:, None] + columns
        return Dense(np.ldexp(self._array, shifts))

    def toarray(self) -> FloatArray:
        """Z."""
        return self._array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> FloatArray:
        return np.array(self._array, dtype=dtype, copy=copy)

    def dense(self) -> Dense:
        """Itself."""
        return self

    def __matmul__(self, vector: FloatArray) -> FloatArray:
        return np.asarray(self._array @ vector)

    def transposed(self, vector: FloatArray) -> FloatArray:
        """Z^T nu."""
        return np.asarray(self._array.T @ vector)

    def __rmatmul__(self, vector: FloatArray) -> FloatArray:
        return np.asarray(vector @ self._array)

    def gram(self, weights: FloatArray) -> FloatArray:
        """The upper triangle of Z diag(weights) Z^T."""
        return self.add_gram(weights, np.zeros((len(self),) * 2, order="F"))

    def add_gram(self, weights: FloatArray, total: FloatArray) -> FloatArray:
        """The same added to ``total``, in place where that is in Fortran's order."""
        rows, columns = self.shape
        block = max(1, GRAM_BLOCK // max(rows, 1))
        for start in range(0, columns, block):
            part = self._array[:, start : start + block] * np.sqrt(weights[start : start + block])
            total = dsyrk(1.0, part.T, beta=1.0, c=total, trans=1, overwrite_c=1)
        return np.asarray(total)

    def rough_gram(self, weights: FloatArray) -> npt.NDArray[np.float32] | None:
        """The same in single precision for weights up to 1; None where rows do not fit it."""
        rows, columns = self.shape
        if self._array.size < PAYS_SINGLE or not self._fits_single:
            return None
        block, roots = max(1, GRAM_BLOCK // max(rows, 1)), np.sqrt(weights)
        gram = np.zeros((rows, rows), dtype=np.float32, order="F")
        for start in range(0, columns, block):
            part = self._array[:, start : start + block]
            half = np.empty(part.shape, dtype=np.float32)
            np.multiply(
                part, roots[start : start + block], out=half, dtype=half.dtype, casting="same_kind"
            )
            gram = ssyrk(1.0, half.T, beta=1.0, c=gram, trans=1, overwrite_c=1)
        return np.asarray(gram)

    @cached_property
    def _fits_single(self) -> bool:
        """Whether squares of entries, times weights of e^-40, are normal numbers of float32."""
        sizes = self.largest(1)
        low, high = SINGLE
        return bool(sizes.size and low < sizes.min() and sizes.max() < high)

    def entries(self) -> Iterator[tuple[IntArray, IntArray, FloatArray]]:
        """The nonzero entries, row by row."""
        step = max(1, BLOCK // max(self.shape[1], 1))
        for start in range(0, self.shape[0], step):
            block = self._array[start : start + step]
            i, j = np.nonzero(block)
            yield i + start, j, block[i, j]

    def largest(self, axis: int) -> FloatArray:
        """max |Z_ij| along an axis; no copy of Z is made."""
        if not self._array.size:
            return np.zeros(self.shape[1 - axis])
        return np.asarray(np.maximum(self._array.max(axis=axis), -self._array.min(axis=axis)))

    def column_norms(self) -> FloatArray:
        """||z_j||."""
        return self._norms(0)

    def _plain_norms(self) -> FloatArray:
        return self._norms(1)

    def _norms(self, axis: int) -> FloatArray:
        """By NumPy's sum of squares; of large arrays a few rows at a time, which are copied."""
        if self._array.size <= BLOCK:
            return np.asarray(np.linalg.norm(self._array, axis=axis))
        parts = [np.linalg.norm(self._array[part], axis=axis) for part in self.row_blocks()]
        return np.concatenate(parts) if axis == 1 else np.sqrt(np.square(parts).sum(axis=0))

    def extremes(self) -> tuple[FloatArray, FloatArray]:
        """The smallest and the largest entry of every column."""
        return self._array.min(axis=0), self._array.max(axis=0)

    def means(self) -> FloatArray:
        """The mean of every column."""
        return np.asarray(self._array.mean(axis=0))

    def less(self, columns: IntArray, values: FloatArray) -> Dense:
        """Z with a value subtracted from each of some columns."""
        moved = self._array.copy()
        moved[:, columns] -= values
        return Dense(moved)

    def differences(self, reference: int) -> Dense:
        """The other rows less one of them."""
        return Dense(np.delete(self._array, reference, axis=0) - self._array[reference])

    def lost_in_differences(self, reference: int) -> Dense:
        """What rounding takes from these."""
        others, own = np.delete(self._array, reference, axis=0), self._array[reference]
        return Dense(lost_in_difference(others, own, others - own))

    def shortest_row(self) -> int:
        """The row whose largest entry, relative to its column, is smallest."""
        sizes = np.abs(self._array).max(axis=0)
        relative = np.abs(self._array) / np.where(sizes > 0, sizes, 1.0)
        return int(relative.max(axis=1).argmin())

    def replaced(self, index: IntArray, columns: FloatArray) -> Dense:
        """Z with other columns at some places."""
        array = self._array.copy()
        array[:, index] = columns
        return Dense(array)

    def beside(self, column: FloatArray) -> Dense:
        """[Z, column]."""
        return Dense(np.column_stack([self._array, column]))

    def inner(self, other: Features) -> FloatArray:
        """Z W^T."""
        return np.asarray(self._array @ other.toarray().T)

    def conjugated(self, logs: FloatArray, basis: IntArray) -> Dense:
        """Z_ij exp(logs_j - logs_i), i counted along the basis."""
        top = float(logs.max())
        with np.errstate(over="ignore", under="ignore"):
            if top - float(logs.min()) < LARGEST_EXPONENT:  # few exponentials instead of n m
                scaled = self._array * np.exp(logs - top)
                return Dense(scaled * np.exp(top - logs[basis])[:, None])
            change = np.minimum(logs - logs[basis][:, None], LARGEST_EXPONENT)
            return Dense(self._array * np.exp(change))

    def dominance(self, heights: FloatArray, basis: IntArray) -> float:
        """The largest log |Z_ij| + heights_j - heights_i."""
        return float(np.max(self._log_sizes + heights - heights[basis][:, None]))

    @property
    def _log_sizes(self) -> FloatArray:
        if not hasattr(self, "_logs"):
            with np.errstate(divide="ignore"):
                self._logs = np.log(np.abs(self._array))
        return self._logs

    def heaviest_basis(self, log_weights: FloatArray) -> IntArray | None:
        """Columns by column-pivoted QR, level by level."""
        norms = self.column_norms()
        with np.errstate(divide="ignore"):
            heights = 0.5 * log_weights + np.log(norms)
        return heaviest_columns(self._array, norms, heights)

    def combined(self, basis: IntArray, log_weights: FloatArray) -> Combined:
        """B^{-1} Z, the identity on B, without what is only rounding."""
        square = self._array[:, basis]
        factor = lu_factor(square)
        combined = lu_solve(factor, self._array)
        light = log_weights[None, :] - log_weights[basis][:, None] > 0
        combined[light & (np.abs(combined) < NOISE * np.abs(combined).max(axis=0))] = 0.0
        combined[:, basis] = np.eye(basis.size)
        return Combined(Dense(combined), factor, np.abs(np.linalg.inv(square)))

    def leading(self, rows: IntArray, columns: IntArray, bits: int) -> tuple[Dense, Dense]:
        """Z rounded to multiples of 2^{r_i + c_j - bits}, and the rest."""
        anchor = np.ldexp(1.5, rows + (52 - bits))[:, None]
        rounded = rounded_to(
            self._array, anchor * np.ldexp(1.0, columns) if columns.any() else anchor
        )
        return Dense(rounded), Dense(self._array - rounded)


def rounded_to(values: FloatArray, anchor: FloatArray) -> FloatArray:
    """The values rounded to the last digit of the anchor, 1.5 2^(e + 52 - bits) with 2^e above."""
    rounded = values + anchor
    rounded -= anchor
    return np.asarray(rounded)


def heaviest_columns(array: FloatArray, norms: FloatArray, heights: FloatArray) -> IntArray | None:
    """n independent columns of (n, m), each the highest above the span of those before.

    A column's distance to a span is known only relative to its own norm, hence level by level.
    """
    rows = array.shape[0]
    chosen: list[int] = []
    span = np.zeros((rows, 0))
    left = np.flatnonzero(norms > 0)
    left = left[np.argsort(-heights[left], kind="stable")]
    while len(chosen) < rows:
        if left.size == 0 or not np.isfinite(heights[left[0]]):  # what is left weighs nothing
            return None
        near = left[heights[left] > heights[left[0]] - LEVEL]
        unit = array[:, near] / norms[near]
        unit -= span @ (span.T @ unit)
        unit -= span @ (span.T @ unit)
        away = np.linalg.norm(unit, axis=0) > INDEPENDENT
        dependent = near[~away]
        near, unit = near[away], unit[:, away]
        if near.size:
            weight = np.exp(heights[near] - heights[near[0]])
            _, triangle, order = qr(unit * weight, mode="economic", pivoting=True)
            distance = np.abs(np.diag(triangle)) / weight[order[: triangle.shape[0]]]
            good = np.flatnonzero(distance < INDEPENDENT)
            count = max(int(good[0]), 1) if good.size else distance.size  # the first is away
            count = min(count, rows - len(chosen))
            picked = near[order[:count]]
            chosen.extend(int(j) for j in picked)
            span = np.linalg.qr(array[:, chosen] / norms[chosen])[0]
            dependent = np.concatenate([dependent, picked])
        left = left[~np.isin(left, dependent)]
    return np.array(chosen)
