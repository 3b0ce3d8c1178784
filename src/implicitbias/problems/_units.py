"""Units in which products and quotients of data leave float64 are refused before any work."""

from __future__ import annotations

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias._errors import InvalidInputError
from implicitbias.problems._classification import Classification
from implicitbias.problems._regression import Regression

WIDEST = 1e-220  # the smallest point over the largest


def refuse_extreme_units(problem: Regression | Classification) -> None:
    """Refuse columns beyond 1e-100 to 1e100 and targets beyond 1e-305 to 1e305.

    Of classification only columns that are that far below the largest, for a common unit is taken
    out, and points so far below it that no float64 beta holds all margins.

    Raises
    ------
    InvalidInputError
        It names the size.
    """
    columns = problem.features.largest(0)
    if isinstance(problem, Classification) and columns.any():
        points = problem.features.largest(1) / columns.max()
        refuse_sizes_beyond(points, "a point, of the largest,", WIDEST, 1.0)
        columns = columns / columns.max()
    refuse_sizes_beyond(columns, "a column of X", 1e-100, 1e100)
    refuse_sizes_beyond(np.abs(problem.y).max(keepdims=True), "y", 1e-305, 1e305)


def refuse_sizes_beyond(sizes: FloatArray, name: str, lowest: float, highest: float) -> None:
    """Refuse sizes that are neither 0 nor between the two.

    Raises
    ------
    InvalidInputError
        With the first such size.
    """
    wrong = sizes[(sizes > highest) | ((sizes < lowest) & (sizes > 0.0))]
    if wrong.size:
        raise InvalidInputError(
            f"{name} is of size {wrong[0]:.2g}; expected {lowest:g} to {highest:g}, so that "
            "products and quotients fit float64. Choose another unit (or scale)."
        )
