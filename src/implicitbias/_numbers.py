"""What is taken for numbers, and what float64 holds of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from numbers import Complex, Integral, Number, Real
from typing import Any

import numpy as np
import numpy.typing as npt

from implicitbias._errors import InvalidInputError

EXACT = 2.0**53  # whole numbers up to here are float64
SHOWN = 40  # characters of a number in an error
REMEDIES = {
    "U": "Encode text first.",
    "M": "Subtract a reference time and divide by a unit, np.timedelta64(1, 's').",
    "m": "Divide by a unit, np.timedelta64(1, 's').",
    "V": "Put its fields side by side as columns.",
}
MISSING = ("NoneType", "NAType", "NaTType")


def numeric_array(value: Any, name: str, expected: str = "numbers") -> npt.NDArray[Any]:
    """Return ``value`` as a float64 or complex128 array, NaN and infinities included.

    Raises
    ------
    InvalidInputError
        Masked, sparse, ragged, not numeric, or numbers that float64 does not hold.
    """
    if type(value) is np.ndarray and value.dtype == np.float64:
        return value
    refuse_containers(value, name)
    _refuse_rounded_columns(value, name)
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise InvalidInputError(
            f"{name} is not a rectangular array ({error}); expected {expected}."
        ) from None
    except RuntimeError as error:  # a tensor that requires grad, or is on another device
        raise InvalidInputError(
            f"{name} cannot be read as an array ({error}); expected {expected}."
        ) from None
    if array.dtype.kind not in "buifcO":
        raise InvalidInputError(
            f"{name} has dtype {array.dtype}, which is not numeric; expected {expected}. "
            f"{REMEDIES.get(array.dtype.kind, REMEDIES['U'])}"
        )
    if array.dtype.kind == "O":
        _refuse_other_objects(array, name, expected, _names_of(value))
    return as_float64(
        array, name, lambda place: tuple(map(int, np.unravel_index(place, array.shape)))
    )


def _refuse_other_objects(array: npt.NDArray[Any], name: str, expected: str, columns: Any) -> None:
    """Refuse an array of objects that are not all numbers: text, missing values, containers.

    ``columns``: the names of a table's columns, or None.
    """
    kinds = set(map(type, array.flat))
    foreign = tuple(kind for kind in kinds if not issubclass(kind, (Number, np.bool_)))
    if not foreign:
        return
    place, entry = next((i, each) for i, each in enumerate(array.flat) if isinstance(each, foreign))
    if not array.ndim:
        raise InvalidInputError(f"{name} is of type {type(entry).__name__}; expected {expected}.")
    known = is_missing(entry) or isinstance(entry, (str, bytes))
    shown = repr(entry) if known else f"a {type(entry).__name__}"
    given = f"{name} has dtype object and contains {shown}"
    index = np.unravel_index(place, array.shape)
    given += _at(index)
    if columns is not None and len(index) == 2 and isinstance(columns[index[1]], str):
        given += f", column {columns[index[1]]!r}"
    if is_missing(entry):
        raise InvalidInputError(
            f"{given}; every entry must be a number. Impute or drop missing values first."
        )
    if known:
        raise InvalidInputError(f"{given}, which is text; expected {expected}. {REMEDIES['U']}")
    try:
        float(entry)  # type: ignore[arg-type]  # whether it can is the question
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"{given}, which is not a number ({error}); expected {expected}."
        ) from error
    raise InvalidInputError(f"{given}; expected {expected}. Convert them to floats first.")


def is_number(value: Any) -> bool:
    """Whether it is a real number, and neither a boolean nor NaN."""
    return isinstance(value, Real) and not isinstance(value, bool) and value == value


def is_missing(entry: Any) -> bool:
    """None, NaN, pandas' NA and NaT."""
    if type(entry).__name__ in MISSING:  # NA refuses to say whether it is NA
        return True
    return isinstance(entry, (Number, np.generic)) and bool(entry != entry)


def as_float64(
    array: npt.NDArray[Any], name: str, index: Callable[[int], tuple[int, ...]]
) -> npt.NDArray[Any]:
    """The numbers in float64 or complex128; index gives the place of a flat position."""
    given = array.dtype
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        try:
            if given.kind == "c" or (given.kind == "O" and _any_complex(array)):
                return np.asarray(array, dtype=np.complex128)
            found = np.asarray(array, dtype=np.float64)
        except OverflowError:  # a Python number whose conversion refuses
            place = next(i for i, entry in enumerate(array.flat) if _overflows(entry))
            raise _out_of_range(name, array.flat[place], index(place)) from None
    if (given.kind in "iu" and given.itemsize < 8) or given.kind == "b" or given == np.float64:
        return found
    if given.kind in "iuO":
        for place in np.flatnonzero(np.abs(found) >= EXACT).tolist():
            entry = array.flat[place]
            if isinstance(entry, Integral) and int(found.flat[place]) != int(entry):
                raise _rounded(name, entry, index(place))
    if given.kind == "O" or given.itemsize > 8:
        lost = (np.isinf(found) & (array != found)) | ((found == 0) & (array != 0))
        for place in np.flatnonzero(lost).tolist():
            raise _out_of_range(name, array.flat[place], index(place))
    return found


def _any_complex(array: npt.NDArray[Any]) -> bool:
    kinds = set(map(type, array.flat))
    return any(issubclass(kind, Complex) and not issubclass(kind, Real) for kind in kinds)


def _overflows(entry: Any) -> bool:
    try:
        float(entry)
    except OverflowError:
        return True
    return False


def _refuse_rounded_columns(value: Any, name: str) -> None:
    """Refuse whole numbers beyond 2^53 that a table would round beside floats."""
    for j, column in enumerate(_columns(value)):
        if getattr(getattr(column, "dtype", None), "kind", "i") in "iu":
            given = np.asarray(column)
            if given.dtype.kind in "iu":
                as_float64(given, name, partial(_in_column, j))


def _names_of(value: Any) -> Any:
    """The names of a data frame's or an Arrow table's columns; None of anything else."""
    return getattr(value, "column_names", getattr(value, "columns", None))


def _columns(value: Any) -> Iterable[Any]:
    """The columns of a data frame of pandas or of an Arrow table; none of anything else."""
    if hasattr(value, "dtypes") and hasattr(value, "items") and np.ndim(value) == 2:
        return (column for _, column in value.items())
    return value.itercolumns() if hasattr(value, "itercolumns") else ()


def _in_column(column: int, place: int) -> tuple[int, int]:
    return place, column


def refuse_containers(value: Any, name: str) -> None:
    """Refuse what NumPy would silently turn into something else."""
    if hasattr(value, "toarray") and not isinstance(
        value, type
    ):  # SciPy's sparse ones, and our own features
        ravel, kind = ".ravel()" if 1 in value.shape else "", type(value)
        package = kind.__module__.split(".")[0]
        article = "an" if package[0] in "aeiou" else "a"
        raise InvalidInputError(
            f"{name} is {article} {package} {kind.__name__}; a dense array is expected here. "
            f" Pass {name}.toarray(){ravel}."
        )
    count = _masked_entries(value)
    if count:
        raise InvalidInputError(
            f"{name} is a masked array with {count} masked entries; expected every entry. "
            "Impute or drop them first."
        )


def _masked_entries(value: Any) -> int:
    """How many entries of an array, or of the arrays in a list, lie under a mask."""
    if isinstance(value, np.ma.MaskedArray):
        return int(np.ma.getmaskarray(value).sum())
    if isinstance(value, (list, tuple)):
        return sum(map(_masked_entries, value))
    return 0


def _at(index: Sequence[Any]) -> str:
    """Where an entry stands, as the end of a clause."""
    places = tuple(int(i) for i in index)
    return "" if not places else f" at index {places if len(places) > 1 else places[0]}"


def not_finite(name: str, entry: Any, index: tuple[int, ...]) -> InvalidInputError:
    return InvalidInputError(
        f"{name} contains {entry}{_at(index)}; every entry must be finite. Impute or drop "
        "missing values first."
    )


def _out_of_range(name: str, entry: Any, index: tuple[int, ...]) -> InvalidInputError:
    shown = str(entry)
    shown = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}.. ({len(shown)} characters)"
    return InvalidInputError(
        f"{name} contains {shown}{_at(index)}; float64 reaches from 4.9e-324 to 1.8e308 only. "
        "Choose another unit."
    )


def _rounded(name: str, entry: Any, index: tuple[int, ...]) -> InvalidInputError:
    return InvalidInputError(
        f"{name} contains the whole number {entry}{_at(index)}, which float64 would round: beyond "
        "2^53 it does not hold every one. Subtract an offset in whole numbers first, or convert "
        "to float yourself if the rounding does not matter."
    )
