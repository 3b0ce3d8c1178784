"""Nonnegative least squares where SciPy would end the process."""

from __future__ import annotations

import numpy as np

from implicitbias import (
    DiagonalNetwork,
    Initialization,
    Regression,
    predict_limit,
)
from implicitbias._nonnegative import nnls


def test_no_column_leaves_the_right_side():
    found, left = nnls(np.zeros((2, 0)), np.array([3.0, 4.0]))
    assert found.size == 0 and left == 5.0
    found, left = nnls(np.ones((1, 1)), np.array([2.0]))
    assert found == [2.0] and left == 0.0


def test_coordinates_that_never_move_fit_nothing():
    layers = [np.array([3.0, 3.0]), np.zeros(2), np.zeros(2)]
    problem = Regression([[1.0, 2.0], [3.0, 1.0]], [1.0, 2.0])
    limit = predict_limit(DiagonalNetwork(2, 3), problem, Initialization(layers, 1.0))
    np.testing.assert_array_equal(limit.coefficients, np.zeros(2))
    np.testing.assert_array_equal(limit.fitted, np.zeros(2))
