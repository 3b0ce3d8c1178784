"""Layers as arrays: their norms, and their type where it has to be looked at in every step."""

from __future__ import annotations

from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, Parameters
from implicitbias._errors import InvalidInputError


def squared_norms(layers: Parameters) -> FloatArray:
    """||v_l||^2 for each l."""
    return np.array([np.vdot(layer, layer) for layer in layers])


def real(value: Any, name: str) -> FloatArray:
    """The value as a float64 array, without a look at its entries.

    Raises
    ------
    InvalidInputError
        It has no real numbers.
    """
    if type(value) is np.ndarray and value.dtype.char == "d":
        return value
    array = np.asarray(value)
    if array.dtype.kind not in "buif":
        raise InvalidInputError(f"{name} has dtype {array.dtype}; expected real numbers.")
    return array.astype(np.float64)
