"""Nonnegative least squares where SciPy would end the process."""

from __future__ import annotations

import numpy as np
import pytest

from implicitbias import (
    DiagonalNetwork,
    Initialization,
    NoPredictionError,
    Regression,
    predict_limit,
)
from implicitbias._nonnegative import nnls


def test_no_column_leaves_the_right_side():
    found, left = nnls(np.zeros((2, 0)), np.array([3.0, 4.0]))
    assert found.size == 0 and left == 5.0
    found, left = nnls(np.ones((1, 1)), np.array([2.0]))
    assert found == [2.0] and left == 0.0


def test_coordinates_that_never_move_are_refused():
    layers = [np.array([3.0, 3.0]), np.zeros(2), np.zeros(2)]
    problem = Regression([[1.0, 2.0], [3.0, 1.0]], [1.0, 2.0])
    with pytest.raises(NoPredictionError, match="an interpolator with the start's signs exists"):
        predict_limit(DiagonalNetwork(2, 3), problem, Initialization(layers, 1.0))
