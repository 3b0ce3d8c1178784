"""Whether a value is of a type, as the fields of results state them."""

from __future__ import annotations

from collections.abc import Mapping
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np


def fits(value: Any, hint: Any) -> bool:
    """Whether ``value`` may stand where ``hint`` is annotated; whole numbers may for floats."""
    if hint is Any:
        return True
    origin, parts = get_origin(hint), get_args(hint)
    if hasattr(origin, "__value__"):  # an alias by a type statement, as NumPy's from 2.5 on
        return fits(value, origin.__value__[parts])
    if origin in (Union, UnionType):
        return any(fits(value, part) for part in parts)
    if origin is Literal:
        return isinstance(value, str) and value in parts
    if origin is np.ndarray:
        return isinstance(value, np.ndarray) and _holds(value.dtype, get_args(parts[1])[0])
    if origin is tuple:
        return isinstance(value, tuple) and _each_fits(value, parts)
    if origin is not None and issubclass(origin, Mapping):
        return isinstance(value, Mapping) and all(fits(each, parts[1]) for each in value.values())
    if hint in (int, float):
        kinds = (int, np.integer) if hint is int else (int, np.integer, float, np.float64)
        return isinstance(value, kinds) and not isinstance(value, bool)
    return isinstance(value, (bool, np.bool_) if hint is bool else hint or type(None))


def misfits(held: Mapping[str, Any], types: Mapping[str, Any]) -> list[str]:
    """The names of the values that are not of their types."""
    return [name for name, value in held.items() if not fits(value, types[name])]


def _each_fits(value: tuple[Any, ...], parts: tuple[Any, ...]) -> bool:
    if len(parts) == 2 and parts[1] is Ellipsis:
        parts = parts[:1] * len(value)
    return len(parts) == len(value) and all(map(fits, value, parts))


def _holds(dtype: Any, scalar: Any) -> bool:
    return scalar is Any or dtype == np.dtype(scalar)
