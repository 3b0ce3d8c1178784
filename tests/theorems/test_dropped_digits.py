"""What is dropped of data, of a phase or of the last digits of y, counts in certificate.error."""

from __future__ import annotations

import numpy as np
import pytest

from implicitbias._errors import CertificateWarning, NoPredictionError
from implicitbias.networks import ConvolutionalNetwork, DiagonalNetwork
from implicitbias.problems import Regression
from implicitbias.theorems import limit_path


@pytest.mark.parametrize("odd", [0.3, 1e-3])
def test_small_points_of_convolutions_are_no_less_uneven(odd):
    """With one layer at 0 and the other e_0 the end at scale infinity is of least l2 norm."""
    even = np.array([[1.0, 2.0, 3.0, 2.0], [2.0, 1.0, 4.0, 1.0]])
    even[1] += odd * np.array([0.0, 1.0, 0.0, -1.0])
    network, start = ConvolutionalNetwork(4, [4, 4]), [np.eye(4)[0], np.zeros(4)]
    for unit in (1.0, 1e-11, 1e-30):
        X = even * np.array([[1.0], [unit]])
        with pytest.raises(NoPredictionError, match=r"share a phase|even"):
            limit_path(network, Regression(X, X @ [1.0, -1.0, 2.0, 0.5]), start, [np.inf])


def test_what_convolutions_drop_of_a_point_counts():
    even = np.array([[1.0, 2.0, 3.0, 2.0], [2.0, 1.0, 4.0, 1.0]])
    for odd in (1e-11, 1e-12, 1e-14):
        X = even + odd * np.array([[0.0], [1.0]]) * np.array([0.0, 1.0, 0.0, -1.0])
        y = X @ [1.0, -1.0, 2.0, 0.5]
        network, start = ConvolutionalNetwork(4, [4, 4]), [np.eye(4)[0], np.zeros(4)]
        (limit,) = limit_path(network, Regression(X, y), start, [np.inf]).limits
        exact = np.linalg.pinv(X) @ y
        error = np.abs(limit.coefficients - exact).max() / np.abs(exact).max()
        assert error <= 10.0 * limit.certificate.error


def test_nearly_equal_columns_that_rounding_of_targets_tells_apart():
    """Which small columns fit the last digits of y decides how the near ones share it."""
    X = np.array(
        [
            [-0.09999999999987597, 0.0, -0.009999999999987592, 0.0, -0.1, 0.30000000000000004],
            [-0.4999999999984286, 0.7999999999998769, -0.04999999999984292, 0.2, -0.5, 0.3],
            [0.0, 0.800000000000002, 0.0, -0.4, 0.0, 0.30000000000000004],
            [-0.7000000000023353, 0.6999999999999258, -0.07000000000023349, 0.8, -0.7, -0.2],
        ]
    )
    X[1, 5], X[3, 4] = 0.30000000000000004, -0.7000000000000001
    problem, start = Regression(X, X[:, 2]), [np.ones(6), np.zeros(6)]
    with pytest.warns(CertificateWarning):
        (limit,) = limit_path(DiagonalNetwork(6, 2), problem, start, [0.0]).limits
    assert limit.certificate.error > 1e-5  # it was off by 2.3e-5, and certified to 2e-13
