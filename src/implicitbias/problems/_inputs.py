"""Checks that every problem makes on X and on predictions."""

from __future__ import annotations

from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, NumericArray, finite_array, finite_csr
from implicitbias._errors import InvalidInputError
from implicitbias._numbers import is_sparse, numeric_array


def feature_matrix(X: Any) -> FloatArray:
    """Return X as a finite (n, d) float64 array, by reference if it is one already.

    A sparse X stays sparse, as a ``csr_array``.

    Raises
    ------
    InvalidInputError
        Masked, not numeric, not two-dimensional, empty, not finite, or numbers that float64 does
        not hold.
    """
    if is_sparse(X):
        csr: FloatArray = finite_csr(X, "X")
        return csr
    array = numeric_array(X, "X", "(n, d) numbers, one row a point")
    shape = array.shape
    if len(shape) < 2:
        hint = (
            " Write np.reshape(X, (1, -1)) for a single point, np.reshape(X, (-1, 1)) for a "
            "single feature."
            if any(shape)
            else ""
        )
        raise InvalidInputError(f"X has shape {shape}; expected (n, d), one row a point.{hint}")
    if 0 in shape:
        raise InvalidInputError(
            f"X has shape {shape}; expected (n, d) with at least one point and one feature."
        )
    return finite_array(array, "X", shape=(None, None))


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
