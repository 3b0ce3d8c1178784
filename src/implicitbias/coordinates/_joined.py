"""The coordinates of several curves as those of one: elementwise work is then done once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from implicitbias.coordinates._scalar_curves import ScalarCurves


def joined(parts: Sequence[ScalarCurves]) -> ScalarCurves:
    """The coordinates of curves of one kind and depth, one after the other; none may turn."""
    return parts[0] if len(parts) == 1 else _joined(parts)


def _joined(parts: Sequence[Any]) -> Any:
    """Dataclasses with their arrays of coordinates put together; what is no array is common."""
    first = parts[0]
    values = {
        each.name: _together([getattr(part, each.name) for part in parts]) for each in fields(first)
    }
    return replace(first, **values)


def _together(values: list[Any]) -> Any:
    first = values[0]
    if is_dataclass(first):
        return _joined(values)
    if isinstance(first, np.ndarray):
        return np.concatenate(values, axis=-1)
    return all(values) if isinstance(first, bool) else first
