"""Features that are an array of another library, maybe on an accelerator: products happen there.

Vectors travel, Z does not. What is not asked for often (combined rows, differences) is made of a
block of columns at a time, as for any features in blocks.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, IntArray
from implicitbias._errors import InvalidInputError
from implicitbias.features._base import Features, Index
from implicitbias.features._dense import Dense
from implicitbias.features._streamed import Streamed

MEMORY = 1 << 28  # bytes of work at a time
EXTRA = "pip install 'implicitbias[arrays]'"
NATIVE = "an array of the Python array API standard (CuPy, JAX, PyTorch, ..)"


class OnDevice(Streamed):
    """X, (n, d), an array of CuPy, JAX, PyTorch or another library of the array API standard.

    X stays where it is, by reference; ``memory`` bytes of work at a time are made beside it. The
    extra ``arrays`` knows the libraries apart.

    Parameters
    ----------
    array
        (n, d), float64, finite, no gradient asked for.
    memory
        Bytes of work at a time, on the device.

    Raises
    ------
    InvalidInputError
        No such array, another dtype, another number of dimensions, entries that are not finite, or
        the extra is not installed.
    """

    named = "an array of another library"

    def __init__(self, array: Any, *, memory: int = MEMORY) -> None:
        space = _namespace(array)
        shape = tuple(int(size) for size in array.shape)
        if len(shape) != 2 or 0 in shape:
            raise InvalidInputError(
                f"X has shape {shape}; expected (n, d) with at least one point and one feature."
            )
        if array.dtype != space.float64:
            raise InvalidInputError(
                f"X is an array of {array.dtype} and limits need float64: single precision leaves "
                "no digits to certify. Convert it (of JAX with jax_enable_x64 set)."
            )
        if getattr(array, "requires_grad", False):
            raise InvalidInputError("X asks for gradients. Pass X.detach().")
        self.array, self.memory = array, int(memory)
        self._piece = Piece(array, space)
        self.shape = shape
        if not np.isfinite(self.largest(0)).all():
            raise InvalidInputError("X has entries that are not finite; every one must be.")

    def _edges(self) -> IntArray:
        return np.array([0, self.shape[1]])

    def block(self, part: slice) -> Features:
        """Some columns, where they are."""
        return self._piece.taken(part)

    def columns(self, index: Index) -> FloatArray:
        """X[:, index], in the memory of NumPy."""
        return self._piece.columns(index)


def is_elsewhere(value: Any) -> bool:
    """Whether it is an array of another library that is not in the memory of NumPy."""
    known = hasattr(value, "__array_namespace__") or type(value).__module__ == "torch"
    return known and "cpu" not in str(getattr(value, "device", "cpu")).lower()


def _namespace(array: Any) -> Any:
    try:
        compat = import_module("array_api_compat")
    except ImportError:
        raise InvalidInputError(f"X is {NATIVE}, which needs an extra: {EXTRA}.") from None
    try:
        return compat.array_namespace(array)
    except TypeError:
        raise InvalidInputError(
            f"X is of type {type(array).__name__}; expected {NATIVE}."
        ) from None


class Piece(Features):
    """Some columns of an array of another library."""

    named = OnDevice.named

    def __init__(self, array: Any, space: Any) -> None:
        self._array, self._space = array, space
        self.shape = int(array.shape[0]), int(array.shape[1])

    def _there(self, values: Any) -> Any:
        device = import_module("array_api_compat").device(self._array)
        owned = np.require(values, requirements=["C", "W"])  # PyTorch warns of what is read-only
        return self._space.asarray(owned, device=device)

    @staticmethod
    def _here(values: Any) -> FloatArray:
        found = np.asarray(import_module("array_api_compat").to_device(values, "cpu"))
        return found if found.flags.writeable else found.copy()  # JAX's are not

    def _with(self, array: Any) -> Piece:
        return Piece(array, self._space)

    def _chosen(self, index: Index, axis: int) -> Any:
        if isinstance(index, slice):
            return self._array[:, index] if axis else self._array[index, :]
        places = np.arange(self.shape[axis])[index]
        return self._space.take(self._array, self._there(places), axis=axis)

    def columns(self, index: Index) -> FloatArray:
        """Z[:, index]."""
        return self._here(self._chosen(index, 1))

    def taken(self, index: Index) -> Piece:
        """Some columns."""
        return self._with(self._chosen(index, 1))

    def rows(self, index: Index) -> Piece:
        """Some rows."""
        return self._with(self._chosen(index, 0))

    def scaled(self, rows: FloatArray | None, columns: FloatArray | None) -> Piece:
        """diag(r) Z diag(c)."""
        array = self._array if rows is None else self._array * self._there(rows)[:, None]
        return self._with(array if columns is None else array * self._there(columns))

    def __matmul__(self, vector: FloatArray) -> FloatArray:
        return self._here(self._array @ self._there(vector))

    def transposed(self, vector: FloatArray) -> FloatArray:
        """Z^T nu."""
        return self._here(self._array.T @ self._there(vector))

    def absolute(self, vector: FloatArray) -> FloatArray:
        """|Z| |v|."""
        return self._here(self._space.abs(self._array) @ self._there(np.abs(vector)))

    def absolute_transposed(self, vector: FloatArray) -> FloatArray:
        """|Z|^T |nu|."""
        return self._here(self._space.abs(self._array).T @ self._there(np.abs(vector)))

    def gram(self, weights: FloatArray) -> FloatArray:
        """The upper triangle of Z diag(weights) Z^T."""
        half = self._array * self._there(np.sqrt(weights))
        return np.asfortranarray(np.triu(self._here(half @ half.T)))

    def row_squares(self, weights: FloatArray) -> FloatArray:
        """The diagonal of Z diag(weights) Z^T."""
        return self._here((self._array * self._array) @ self._there(weights))

    def largest(self, axis: int) -> FloatArray:
        """max |Z_ij| along an axis."""
        if 0 in self.shape:
            return np.zeros(self.shape[1 - axis])
        return self._here(self._space.max(self._space.abs(self._array), axis=axis))

    def column_norms(self) -> FloatArray:
        """||z_j||."""
        return self._norms(0)

    def _plain_norms(self) -> FloatArray:
        return self._norms(1)

    def _norms(self, axis: int) -> FloatArray:
        squares = self._space.sum(self._array * self._array, axis=axis)
        return self._here(self._space.sqrt(squares))

    def leading(self, rows: IntArray, columns: IntArray, bits: int) -> tuple[Features, Features]:
        """Z rounded to multiples of 2^{r_i + c_j - bits}, and the rest."""
        anchor = self._there(np.ldexp(1.5, rows + (52 - bits)))[:, None]
        anchor = anchor * self._there(np.ldexp(1.0, columns))
        rounded = (self._array + anchor) - anchor
        return self._with(rounded), self._with(self._array - rounded)

    def dense(self) -> Dense:
        """In the memory of NumPy."""
        return Dense(self._here(self._array))
