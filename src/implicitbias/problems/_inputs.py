"""Checks that every problem makes on X and on predictions."""

from __future__ import annotations

from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, NumericArray
from implicitbias._errors import InvalidInputError


def one_per_row(value: NumericArray, name: str, num_points: int) -> NumericArray:
    """Refuse an array whose shape is not (n,), with the likely cause."""
    shape = value.shape
    if shape == (num_points,):
        return value
    if len(shape) == 2 and 1 in shape and max(shape) == num_points:
        hint = f"Pass np.ravel({name})."
    elif len(shape) == 1:
        hint = f"X has {num_points} rows; take both from the same split of the data."
    else:
        hint = "One number a row of X is expected."
    raise InvalidInputError(f"{name} has shape {shape}; expected ({num_points},). {hint}")


def check_predictions(predictions: Any, num_points: int) -> FloatArray:
    """Return the predictions as floats; only the shape is checked (hot loops call this)."""
    array = np.asarray(predictions, dtype=np.float64)
    if array.shape != (num_points,):
        raise InvalidInputError(
            f"predictions have shape {array.shape}; expected ({num_points},), one a row of X."
        )
    return array
