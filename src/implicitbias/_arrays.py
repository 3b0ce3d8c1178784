"""Array types, and the one place where input arrays are checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from math import sqrt
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from implicitbias._errors import InvalidInputError
from implicitbias._numbers import not_finite, numeric_array

FloatArray: TypeAlias = npt.NDArray[np.float64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
IntArray: TypeAlias = npt.NDArray[np.intp]
ComplexArray: TypeAlias = npt.NDArray[np.complex128]
NumericArray: TypeAlias = npt.NDArray[Any]  # float64, or complex128 where the theory is complex
Parameters: TypeAlias = tuple[FloatArray, ...]
ArrayLike: TypeAlias = npt.ArrayLike  # what NumPy turns into an array: lists, tables, series


class SparseLike(Protocol):
    """A SciPy sparse array or matrix, of any format."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, d)."""

    def tocsr(self) -> Any:
        """Return the same matrix by rows."""


EPS = float(np.finfo(np.float64).eps)
DIGITS = 53  # of a float64
SMALLEST_BIT = -1074  # exponent of the smallest float64
FAR_UP = 4096  # an exponent beyond all
AT_ONCE = 1 << 22  # entries looked at together
TINY = float(np.finfo(np.float64).tiny)  # smaller numbers have lost digits


def finite_array(
    value: Any,
    name: str,
    *,
    shape: tuple[int | None, ...],
    allow_complex: bool = False,
    finite: bool = True,
) -> NumericArray:
    """Return ``value`` as a finite float64 (or complex128) array of the given shape.

    Parameters
    ----------
    value
        Anything NumPy turns into an array of numbers.
    name
        How the error text calls it.
    shape
        The expected shape; ``None`` stands for any length of at least one.
    allow_complex
        Keep complex numbers instead of refusing them.
    finite
        Refuse NaN and infinities.

    Raises
    ------
    InvalidInputError
        Masked, sparse, not numeric, wrong shape, empty, complex where real is needed, not finite,
        or not held by float64 (a whole number beyond 2^53, a long double beyond its range).
    """
    expected = _shape_text(shape)
    array = numeric_array(value, name, f"numbers of shape {expected}")
    if array.dtype.kind == "c" and not allow_complex:
        raise InvalidInputError(f"{name} is complex; expected real numbers of shape {expected}.")
    wrong = array.ndim != len(shape) or any(
        size == 0 if want is None else size != want
        for size, want in zip(array.shape, shape, strict=True)
    )
    if wrong:
        raise InvalidInputError(f"{name} has shape {array.shape}; expected shape {expected}.")
    if finite and not _all_finite(array):
        bad = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise not_finite(name, array[bad], bad)
    return array


def _all_finite(array: NumericArray) -> bool:
    """Whether all entries are finite; large arrays, maybe of a file, some rows at a time."""
    if array.size <= AT_ONCE:
        return bool(np.isfinite(array).all())
    step = max(1, AT_ONCE * len(array) // array.size)
    parts = range(0, len(array), step)
    return all(np.isfinite(array[start : start + step]).all() for start in parts)


def _shape_text(shape: tuple[int | None, ...]) -> str:
    """A shape as a person reads it; None stands for any length of at least one."""
    if not shape:
        return "() (a single number)"
    sizes = ["any" if size is None else str(size) for size in shape]
    text = f"({sizes[0]},)" if len(sizes) == 1 else f"({', '.join(sizes)})"
    return f"{text}, not empty" if None in shape else text


def finite_arrays(
    values: Iterable[Any], name: str, shapes: Sequence[tuple[int, ...]]
) -> Parameters:
    """Return one checked real array per shape; the error names the layer (from 1)."""
    try:
        values = tuple(values)
    except TypeError:
        raise InvalidInputError(
            f"{name} must be a sequence of {len(shapes)} arrays, one a layer; "
            f"got {type(values).__name__}."
        ) from None
    if len(values) != len(shapes):
        raise InvalidInputError(
            f"{name} has {len(values)} layers; expected {len(shapes)}, of shapes "
            + ", ".join(map(str, shapes))
            + "."
        )
    return tuple(
        finite_array(value, f"{name}, layer {index},", shape=shape)
        for index, (value, shape) in enumerate(zip(values, shapes, strict=True), start=1)
    )


def positive_int(value: Any, name: str, *, at_least: int = 1, at_most: int | None = None) -> int:
    """Return ``value`` as an int from ``at_least`` to ``at_most``.

    Raises
    ------
    InvalidInputError
        Not a whole number, a boolean, too small or too large.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise InvalidInputError(f"{name} is {value!r}; expected a whole number >= {at_least}.")
    if value < at_least:
        raise InvalidInputError(f"{name} is {value}; expected a whole number >= {at_least}.")
    if at_most is not None and value > at_most:
        raise InvalidInputError(f"{name} is {value}; expected at most {at_most}.")
    return int(value)


def real_argument(value: Any, name: str) -> FloatArray:
    """The argument of a closed form, a scalar or an array; NaN and infinities are legitimate.

    Raises
    ------
    InvalidInputError
        It is not real numbers.
    """
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise InvalidInputError(
            f"{name} is not a rectangular array ({error}); expected real numbers of any shape."
        ) from None
    if array.dtype.kind not in "buif":
        raise InvalidInputError(
            f"{name} has dtype {array.dtype}; expected real numbers, a scalar or an array."
        )
    return array.astype(np.float64)


def finite_number(value: Any, name: str, wanted: str = "a finite number") -> float:
    """Return ``value`` as a finite float of either sign.

    Raises
    ------
    InvalidInputError
        Not a real number, a boolean, or not finite.
    """
    number = float("nan")
    if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
        with suppress(OverflowError):
            number = float(value)
    if not np.isfinite(number):
        raise InvalidInputError(f"{name} is {value!r}; expected {wanted}.")
    return number


def positive_float(value: Any, name: str, *, allow_zero: bool = False) -> float:
    """Return ``value`` as a finite float that is positive (or zero where that is allowed).

    Raises
    ------
    InvalidInputError
        Not a real number, not finite, or not positive.
    """
    wanted = "a finite number >= 0" if allow_zero else "a finite number > 0"
    number = finite_number(value, name, wanted)
    if number < 0 or (number == 0 and not allow_zero):
        raise InvalidInputError(f"{name} is {number:g}; expected {wanted}.")
    return number


def real_power(value: Any, name: str) -> float:
    """Return ``value`` as a finite float >= 2.

    Raises
    ------
    InvalidInputError
        Not a real number, not finite, or below 2.
    """
    number = finite_number(value, name, wanted := "a finite number >= 2, whole or not")
    if number < 2.0:
        raise InvalidInputError(f"{name} is {number:g}; expected {wanted}.")
    return number


def largest_allowed(value: Any, name: str) -> float:
    """Return ``value`` as the number >= 0 that something may be at most; infinity allows all.

    Raises
    ------
    InvalidInputError
        Not a real number, NaN, or negative.
    """
    if isinstance(value, (float, np.floating)) and value == np.inf:
        return float(value)
    number = finite_number(value, name, wanted := "a number >= 0")
    if number < 0:
        raise InvalidInputError(f"{name} is {number:g}; expected {wanted}.")
    return number


def check_callback(callback: Any, of: str) -> None:
    """Refuse a callback that cannot be called.

    Raises
    ------
    InvalidInputError
        Neither None nor callable.
    """
    if callback is not None and not callable(callback):
        raise InvalidInputError(f"callback is {callback!r}; expected None or a function of {of}.")


def compensated(
    total: FloatArray, lost: FloatArray, change: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """total + change, and what rounding has lost of it so far (Kahan): total - lost is meant."""
    change = change - lost
    moved = total + change
    return moved, (moved - total) - change


SMALL_SQUARE = 1e-200  # between this and its inverse a square has lost nothing that counts


def stable_norm(vector: FloatArray) -> float:
    """||v|| without over- or underflow of the squares."""
    if vector.ndim == 1 and vector.dtype == np.float64:
        with np.errstate(over="ignore", invalid="ignore"):
            square = float(np.dot(vector, vector))
        if SMALL_SQUARE < square < 1.0 / SMALL_SQUARE:
            return sqrt(square)
    top = float(np.abs(vector).max(initial=0.0))
    if top == 0.0 or not np.isfinite(top):
        return top
    return top * float(np.linalg.norm(vector / top))


def stable_norms(rows: FloatArray) -> FloatArray:
    """||v|| of each row, (s, N), as ``stable_norm``."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        squares = np.einsum("ij,ij->i", rows, rows)
    if np.all((squares > SMALL_SQUARE) & (squares < 1.0 / SMALL_SQUARE)):
        return np.asarray(np.sqrt(squares))
    return np.array([stable_norm(row) for row in rows])


def exact_product(left: NumericArray, right: NumericArray) -> bool:
    """Whether left @ right cannot round, in whatever order it is summed; left may be a vector.

    Every sum is a multiple of the last bits of its terms, and exact within 2^53 of them.
    """
    if np.iscomplexobj(left) or np.iscomplexobj(right):
        return False
    if np.isin(right, (-1.0, 0.0, 1.0)).all() and (np.count_nonzero(right, axis=0) <= 1).all():
        return True
    rows, columns = np.abs(np.atleast_2d(left)), np.abs(right)
    with np.errstate(over="ignore", under="ignore"):
        sizes = rows @ columns
    units = _last_bits(rows).min(axis=1)[:, None] + _last_bits(columns).min(axis=0)
    there = rows.any(axis=1)[:, None] & columns.any(axis=0)
    fits = np.isfinite(sizes) & (np.frexp(sizes)[1] < units + DIGITS) & (units >= SMALLEST_BIT)
    return bool(fits[there].all())


def _last_bits(sizes: FloatArray) -> IntArray:
    """The exponents of the last bits that are not 0; far up where there is none."""
    mantissas, exponents = np.frexp(sizes)
    whole = np.ldexp(mantissas, DIGITS).astype(np.int64)
    last = np.frexp((whole & -whole).astype(np.float64))[1] - 1
    return np.where(whole == 0, FAR_UP, exponents - DIGITS + last).astype(np.intp)


def worst_of(*numbers: float) -> float:
    """The largest; a NaN, of which nothing is known, counts as infinite (max would skip it)."""
    return max(np.inf if np.isnan(number) else float(number) for number in numbers)


def unit(array: FloatArray) -> FloatArray:
    """The array over its largest magnitude; zero stays zero."""
    top = float(np.abs(array).max(initial=0.0))
    return array / top if top > 0 else array
