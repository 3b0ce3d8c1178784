"""What every result can do: one line, a table for notebooks, plain Python; and what it holds.

A result is a frozen dataclass that derives from ``Record``, or a named tuple. All that is shown,
turned into a dictionary or saved comes from ``contents``: its public fields, by their names.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import MISSING, Field, fields
from enum import Enum
from functools import cache
from typing import Any, ClassVar, Self, get_type_hints

import numpy as np

from implicitbias._html import Badge, Cell, page

LONGEST = 99  # characters of a repr
SHOWN = 20  # members of a tuple that a notebook shows


class Record:
    """The base of all results; what differs from one to the next are the hooks with one _."""

    _one_line: ClassVar[bool] = False  # whether str() says it all

    def _short(self) -> str:
        """What stands in the parentheses of repr."""
        return str(self) if self._one_line else ""

    def _badge(self) -> Badge | None:
        """The verdict, as a word and whether that is good."""
        return None

    @classmethod
    def _types(cls) -> dict[str, Any]:
        """The names of what it holds, with their types."""
        hints = get_type_hints(cls)
        return {each.name: hints[each.name] for each in _public_fields(cls)}

    def _held(self) -> dict[str, Any]:
        """What it holds, by the names of ``_types``."""
        return {name: getattr(self, name) for name in types_of(type(self))}

    def _rows(self) -> dict[str, Any]:
        """What its table shows, by name."""
        return self._held()

    @classmethod
    def _restored(cls, held: dict[str, Any]) -> Self:
        """The result that holds ``held``, as it was, whatever its constructor would say."""
        new = object.__new__(cls)
        new.__dict__.update(_defaults(cls) | held)
        return new

    def __repr__(self) -> str:
        return one_line(type(self).__name__, self._short())

    def _repr_html_(self) -> str:
        return as_html(self)

    def to_dict(self) -> dict[str, Any]:
        """What it holds as what ``json.dumps`` takes.

        Arrays are nested lists; infinities and NaN are "inf", "-inf" and "nan"; complex numbers and
        arrays are {"real": .., "imag": ..}; an outcome is its name.
        """
        return {name: plain(value) for name, value in contents(self).items()}


def _public_fields(cls: Any) -> list[Field[Any]]:
    return [each for each in fields(cls) if not each.name.startswith("_")]


def _defaults(cls: Any) -> dict[str, Any]:
    """The fields that need not be given."""
    found = {}
    for each in fields(cls):
        if each.default is not MISSING:
            found[each.name] = each.default
        elif each.default_factory is not MISSING:
            found[each.name] = each.default_factory()
    return found


def is_result(value: Any) -> bool:
    """Whether it is a Record or one of the named tuples that behave alike."""
    return isinstance(value, Record) or hasattr(value, "_asdict")


def types_of(cls: Any) -> dict[str, Any]:
    """Names and types of what a result of this class holds."""
    return _types_of(cls)


@cache
def _types_of(cls: Hashable) -> dict[str, Any]:
    found: Any = cls
    return found._types() if hasattr(found, "_types") else get_type_hints(found)


def contents(result: Any) -> dict[str, Any]:
    """What a result holds, by name, in order."""
    found: dict[str, Any] = result._held() if isinstance(result, Record) else result._asdict()
    return found


def restored(cls: Any, held: dict[str, Any]) -> Any:
    """The result of this class with these contents; TypeError where some are missing."""
    if not issubclass(cls, Record):
        return cls(**held)
    missing = [name for name in types_of(cls) if name not in held | _defaults(cls)]
    if missing:
        raise TypeError(f"it lacks {', '.join(missing)}")
    return cls._restored(held)


def one_line(name: str, text: str) -> str:
    """The repr: a name and what stands in its parentheses, cut to one line."""
    text = " ".join(text.split())
    room = LONGEST - len(name) - 2
    return f"{name}({text if len(text) <= room else text[: room - 3].rstrip() + '...'})"


def finite_or_text(value: float) -> float | str:
    """A number; "inf", "-inf" or "nan" where JSON has none."""
    return float(value) if math.isfinite(value) else str(float(value))


def plain(value: Any) -> Any:
    """A value as what ``json.dumps`` takes; see ``Record.to_dict``."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, Enum):
        return value.name
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return finite_or_text(value)
    if isinstance(value, complex) or (isinstance(value, np.ndarray) and value.dtype.kind == "c"):
        return {"real": plain(value.real), "imag": plain(value.imag)}
    if isinstance(value, np.ndarray):
        return value.tolist() if np.isfinite(value).all() else plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    return [plain(each) for each in value]


def as_html(result: Any) -> str:
    """A table with one row for each thing that the result holds."""
    return page(_table(result))


def _table(result: Any) -> Cell:
    title, badge = type(result).__name__, getattr(result, "_badge", lambda: None)()
    short = _beside(badge, repr(result)[len(title) + 1 : -1])
    rows = result._rows() if isinstance(result, Record) else contents(result)
    cells = [(name, _cell(value)) for name, value in rows.items() if not _is_empty(value)]
    return Cell(short, badge, title, tuple(cells))


def _beside(badge: Badge | None, text: str) -> str:
    """A text without the word that the badge in front of it says."""
    if badge is None or not text.lower().replace("_", " ").startswith(badge.word.lower()):
        return text
    return text[len(badge.word) :].lstrip(" :,")


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, (str, tuple, list, Mapping)) and not value)


def _cell(value: Any) -> Cell:
    if isinstance(value, Record) and value._one_line:
        badge = value._badge()
        return Cell(_beside(badge, str(value)), badge)
    if is_result(value):
        return _table(value)
    if isinstance(value, np.ndarray):
        return Cell(_array(value))
    if isinstance(value, Enum):
        return Cell(str(value.value))
    if isinstance(value, float):
        return Cell(f"{value:.6g}")
    if isinstance(value, Mapping):
        return Cell(", ".join(f"{key}: {_cell(each).text}" for key, each in value.items()))
    if isinstance(value, (tuple, list)):
        left = len(value) - SHOWN
        more = [Cell(f"... and {left} more")] if left > 0 else []
        return Cell(parts=(*map(_cell, value[:SHOWN]), *more))
    return Cell(str(value))


def _array(array: Any) -> str:
    if array.ndim != 1:
        return f"{array.dtype} array of shape {array.shape}"
    shown = np.array2string(array, precision=5, threshold=8, edgeitems=3, max_line_width=1000)
    return shown if array.size <= 8 else f"{shown}, {array.size} entries"
