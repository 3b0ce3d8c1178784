"""Many real matrices of one shape by their products, a member at a time or all at once.

One matrix that all members share, (n, m), or one each, (B, n, m). Vectors are rows: v (.., B, m)
and nu (.., B, n). Products of a shared matrix are products of matrices; the rest is NumPy's matmul
over stacks.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, IntArray
from implicitbias.features._base import SLIGHTLY, Features
from implicitbias.features._dense import rounded_to
from implicitbias.features._precise import difference

MOST_PRODUCTS = 1 << 18  # entries of the products of all pairs of rows that are kept
WORTH = 16  # members from where on they pay
LOWEST = -(1 << 14)  # below every sum of exponents


class Stack:
    """Z_b, (n, m), for b < B; take what ``stackable`` accepts."""

    def __init__(self, matrices: FloatArray, count: int) -> None:
        self._z, self._count = matrices, count
        self.shape: tuple[int, int] = matrices.shape[-2:]

    @classmethod
    def of(cls, features: Sequence[Features]) -> Stack:
        """Of the members' features, (n, m) each; shared if all are one."""
        first = features[0]
        if all(each is first for each in features):
            return cls(first.toarray(), len(features))
        return cls(np.stack([each.toarray() for each in features]), len(features))

    def __len__(self) -> int:
        return self._count

    @property
    def _shared(self) -> bool:
        return self._z.ndim == 2

    def take(self, index: IntArray) -> Stack:
        """Some of the members."""
        if not self._shared:
            return Stack(self._z[index], len(index))
        part = Stack(self._z, len(index))
        for name in ("_absolute", "_pairs", "_split", "lengths"):
            if name in self.__dict__:
                part.__dict__[name] = self.__dict__[name]
        return part

    def times(self, v: FloatArray) -> FloatArray:
        """Z v, (.., B, n)."""
        return _times(self._z, v)

    def transposed(self, nu: FloatArray) -> FloatArray:
        """Z^T nu, (.., B, m)."""
        return _transposed(self._z, nu)

    def absolute(self, v: FloatArray) -> FloatArray:
        """|Z| |v|, (B, n)."""
        return _times(self._absolute, np.abs(v))

    def absolute_transposed(self, nu: FloatArray) -> FloatArray:
        """|Z|^T |nu|, (B, m)."""
        return _transposed(self._absolute, np.abs(nu))

    def gram(self, weights: FloatArray, members: IntArray) -> FloatArray:
        """Z diag(weights) Z^T of k members for weights (k, m) in [0, 1]; (k, n, n)."""
        rows, columns = self.shape
        if self._shared and self._count >= WORTH and rows * rows * columns <= 2 * MOST_PRODUCTS:
            products, place = self._pairs
            return (weights @ products).take(place, axis=1)
        grams, roots = np.empty((len(members), rows, rows)), np.sqrt(weights)
        for gram, root, member in zip(grams, roots, members, strict=True):
            half = (self._z if self._shared else self._z[member]) * root
            np.matmul(half, half.T, out=gram)
        return grams

    @cached_property
    def lengths(self) -> tuple[FloatArray, FloatArray]:
        """Norms of rows, (.., n), and of columns, (.., m), rounded up."""
        squares = self._z * self._z
        return (
            SLIGHTLY * np.sqrt(squares.sum(axis=-1)),
            SLIGHTLY * np.sqrt(squares.sum(axis=-2)),
        )

    @cached_property
    def _absolute(self) -> FloatArray:
        return np.abs(self._z)

    @cached_property
    def _pairs(self) -> tuple[FloatArray, IntArray]:
        """z_i z_k for i <= k as columns, (m, n (n + 1) / 2), and where those of (i, k) stand."""
        first, second = np.triu_indices(self.shape[0])
        place = np.empty((self.shape[0],) * 2, dtype=np.intp)
        place[first, second] = place[second, first] = np.arange(first.size)
        return np.ascontiguousarray((self._z[first] * self._z[second]).T), place

    # beyond float64, as in ``_precise``

    def residual(self, v: FloatArray, target: FloatArray) -> FloatArray:
        """y - Z v to about 75 bits, (B, n)."""
        return self._residual(_times, v, target, 1)

    def transposed_residual(self, nu: FloatArray, target: FloatArray) -> FloatArray:
        """c - Z^T nu to about 75 bits, (B, m)."""
        return self._residual(_transposed, nu, target, 0)

    def _residual(
        self, product: Any, vectors: FloatArray, target: FloatArray, axis: int
    ) -> FloatArray:
        leading, rest, bits, sizes = self._split
        x, exponents = np.frexp(vectors)
        exponents = np.where(x != 0.0, exponents + sizes[axis], LOWEST)
        common = exponents.max(axis=-1, keepdims=True)
        x = np.ldexp(x, exponents - common)
        first = rounded_to(x, np.asarray(np.ldexp(1.5, 52 - bits)))
        first, last = (np.ldexp(part, -sizes[axis]) for part in (first, x - first))
        exact = np.ldexp(product(leading, first), common)
        low = np.ldexp(product(leading, last) + product(rest, first + last), common)
        missing, more = difference(target, exact)
        return np.asarray(missing + (more - low))

    @cached_property
    def _split(self) -> tuple[FloatArray, FloatArray, int, tuple[IntArray, IntArray]]:
        """Z = Z_1 + Z_2 with few bits in Z_1, how many, and the sizes of rows and columns."""
        columns = np.frexp(self._absolute.max(axis=-2))[1]
        scaled = np.ldexp(self._absolute, -columns[..., None, :])
        rows = np.frexp(scaled.max(axis=-1))[1]
        bits = (51 - int(np.ceil(np.log2(max(self.shape))))) // 2
        anchor = np.ldexp(1.5, rows[..., :, None] + columns[..., None, :] + (52 - bits))
        leading = rounded_to(self._z, anchor)
        return leading, self._z - leading, bits, (rows, columns)


def stackable(features: Features) -> bool:
    """Whether it is a real array whose squares and leading parts fit float64."""
    if not features.is_array or features.is_complex or 0 in features.shape:
        return False
    return features.is_moderate


def _times(z: FloatArray, v: FloatArray) -> FloatArray:
    return np.asarray(v @ z.T if z.ndim == 2 else (z @ v[..., None])[..., 0])


def _transposed(z: FloatArray, nu: FloatArray) -> FloatArray:
    return np.asarray(nu @ z if z.ndim == 2 else (nu[..., None, :] @ z)[..., 0, :])
