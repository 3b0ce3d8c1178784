"""Checks that every problem makes on X and on predictions."""

from __future__ import annotations

from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, finite_array, finite_csr, is_sparse
from implicitbias._errors import InvalidInputError


def feature_matrix(X: Any) -> FloatArray:
    """Return X as a finite (n, d) float64 array, by reference if it is one already.

    A sparse X stays sparse, as a ``csr_array``.

    Raises
    ------
    InvalidInputError
        Masked, not numeric, not two-dimensional, empty, or not finite.
    """
    if is_sparse(X):
        csr: FloatArray = finite_csr(X, "X")
        return csr
    refuse_containers(X, "X")
    shape = given_shape(X, "X")
    if len(shape) < 2:
        hint = (
            " Write X.reshape(1, -1) for a single point, X.reshape(-1, 1) for a single feature."
            if shape
            else ""
        )
        raise InvalidInputError(f"X has shape {shape}; expected (n, d), one row a point.{hint}")
    if 0 in shape:
        raise InvalidInputError(
            f"X has shape {shape}; expected (n, d) with at least one point and one feature."
        )
    return finite_array(X, "X", shape=(None, None))


def given_shape(value: Any, name: str) -> tuple[int, ...]:
    """Return the shape NumPy gives a value, refusing what has none."""
    try:
        return np.shape(value)
    except ValueError as error:
        raise InvalidInputError(f"{name} is not a rectangular array ({error}).") from None


def refuse_containers(value: Any, name: str) -> None:
    """Refuse what NumPy would silently turn into something else."""
    if is_sparse(value):
        raise InvalidInputError(
            f"{name} is a scipy sparse {type(value).__name__}; a dense array is expected here. "
            f"Pass {name}.toarray()."
        )
    if isinstance(value, np.ma.MaskedArray) and np.ma.getmaskarray(value).any():
        count = int(np.ma.getmaskarray(value).sum())
        raise InvalidInputError(
            f"{name} is a masked array with {count} masked entries; expected every entry. "
            "Impute or drop them first."
        )


def one_per_row(value: Any, name: str, num_points: int) -> Any:
    """Refuse a ``value`` whose shape is not (n,), with the likely cause."""
    shape = given_shape(value, name)
    if shape == (num_points,):
        return value
    if len(shape) == 2 and 1 in shape and max(shape) == num_points:
        hint = f"Pass {name}.ravel()."
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
