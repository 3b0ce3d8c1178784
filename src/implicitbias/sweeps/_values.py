"""The values of a plan: what a key may be, and the lists and grids that make it an axis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np

from implicitbias._arrays import largest_allowed, positive_float, positive_int, real_power
from implicitbias._errors import InvalidInputError
from implicitbias._names import MAX_DEPTH

Check = Callable[[Any, str], Any]

MOST = 1_000_000  # values of one axis
LARGEST = 2**63 - 1
GRIDS = ("geomspace", "linspace", "range")


def whole(at_least: int = 0) -> Check:
    """Whole numbers from ``at_least`` on, which a table holds."""
    return lambda value, name: positive_int(value, name, at_least=at_least, at_most=LARGEST)


def number(value: Any, name: str) -> float:
    """A finite number > 0."""
    return positive_float(value, name)


def number_or_zero(value: Any, name: str) -> float:
    """A finite number >= 0."""
    return positive_float(value, name, allow_zero=True)


def number_or_end(value: Any, name: str) -> float:
    """A number >= 0, or infinity."""
    return largest_allowed(value, name)


def depth(value: Any, name: str) -> float:
    """A number of layers, or a real power, >= 2."""
    power = real_power(value, name)
    if power > MAX_DEPTH:
        raise InvalidInputError(f"{name} is {power:g}; at most {MAX_DEPTH} layers are taken.")
    return int(power) if power == int(power) else power


def below_one(value: Any, name: str) -> float:
    """A number in [0, 1)."""
    found = number_or_zero(value, name)
    if found >= 1.0:
        raise InvalidInputError(f"{name} is {found:g}; expected a number in [0, 1).")
    return found


def flag(value: Any, name: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise InvalidInputError(f"{name} is {value!r}; expected true or false.")
    return value


def text(value: Any, name: str) -> str:
    """Any text but an empty one, or one with a character that no name has."""
    if not isinstance(value, str) or not value or "\0" in value:
        raise InvalidInputError(f"{name} is {value!r}; expected a text.")
    return value


def text_or_place(value: Any, name: str) -> str | int:
    """A text, or a whole number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return text(value, name)


def word(*known: str) -> Check:
    """One of these words; hyphens count as underscores."""

    def check(value: Any, name: str) -> str:
        given = value.replace("-", "_") if isinstance(value, str) else value
        if given not in known:
            raise InvalidInputError(
                f"{name} is {value!r}; expected one of {', '.join(known)}.{near(given, known)}"
            )
        return str(given)

    return check


def near(given: Any, known: Iterable[str]) -> str:
    """The known word that was probably meant, as a question; "" where none is alike."""
    close = get_close_matches(given, list(known), 1, 0.6) if isinstance(given, str) else []
    return f" Did you mean {close[0]!r}?" if close else ""


def plain(value: Any) -> Any:
    """A value as TOML has it: NumPy's numbers and arrays, tuples and ranges taken apart."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, range)):
        return [plain(each) for each in value]
    return value


def axis(value: Any, name: str, check: Check) -> list[Any]:
    """The checked values of a key: one, those of a list, or those of a grid.

    Raises
    ------
    InvalidInputError
        A value that the check refuses, one that is there twice, none at all, or no such grid.
    """
    given = _grid(value, name) if isinstance(value, dict) else value
    if not isinstance(given, list):
        return [check(given, name)]
    if not given:
        raise InvalidInputError(f"{name} is an empty list; expected at least one value.")
    found = [check(each, f"{name}, value {place},") for place, each in enumerate(given, start=1)]
    seen = set()
    for each in found:
        if each in seen:
            raise InvalidInputError(
                f"{name} has the value {each!r} twice: its tasks would be the same. Leave one out."
            )
        seen.add(each)
    return found


def _grid(value: dict[str, Any], name: str) -> list[Any]:
    (kind, inside), *more = value.items() or [("", None)]
    if more or kind not in GRIDS:
        raise InvalidInputError(
            f"{name} is a table with {', '.join(map(repr, value)) or 'nothing'}; expected one "
            "value, a list, or one of { geomspace = [first, last, number] }, { linspace = [first, "
            f"last, number] }} and {{ range = [first, beyond] }}.{near(kind, GRIDS)}"
        )
    if kind == "range":
        return _range(inside, f"{name}, range,")
    form = f"{name}, {kind},"
    if not isinstance(inside, list) or len(inside) != 3:
        raise InvalidInputError(f"{form} is {inside!r}; expected [first, last, number].")
    first, last = (positive_float(each, form, allow_zero=kind == "linspace") for each in inside[:2])
    count = positive_int(inside[2], f"{form} the number,", at_least=2, at_most=MOST)
    space = np.geomspace if kind == "geomspace" else np.linspace
    found: list[Any] = space(first, last, count).tolist()
    return found


def _range(inside: Any, name: str) -> list[Any]:
    bounds: Sequence[Any] = inside if isinstance(inside, list) else [inside]
    if not 1 <= len(bounds) <= 3:
        raise InvalidInputError(f"{name} is {inside!r}; expected [first, beyond, by] or a number.")
    numbers = [positive_int(each, name, at_least=0) for each in bounds]
    if numbers[2:] == [0]:
        raise InvalidInputError(f"{name} goes by 0; expected at least 1.")
    found = range(*numbers)
    if len(found) > MOST:
        raise InvalidInputError(f"{name} has {len(found)} values; at most {MOST} are taken.")
    return list(found)
