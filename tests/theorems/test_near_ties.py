"""Ties of the l1 max margin that rounded coordinates make, and those that they cannot undo."""

import numpy as np
import pytest

from implicitbias import (
    Classification,
    ConvolutionalNetwork,
    GroupConvolutionalNetwork,
    Initialization,
    NoPredictionError,
    OrthogonalNetwork,
    predict_limit,
)

TURN = np.array([[0.8, -0.6], [0.6, 0.8]]) @ [
    [np.cos(0.7), -np.sin(0.7)],
    [np.sin(0.7), np.cos(0.7)],
]


def test_columns_of_a_rounded_basis_that_tie_to_rounding_are_refused():
    """Which of the two columns is the larger is in digits that float64 does not have."""
    x = np.linalg.solve(TURN, [1.0, 1.0 - 4e-15])
    network = OrthogonalNetwork(TURN, [np.eye(2)] * 2)
    problem = Classification([x, 2 * x], [1.0, 1.0])
    init = Initialization([[0.5, 1.0], [0.3, -0.2]], scale=1.0)
    with pytest.raises(NoPredictionError):
        predict_limit(network, problem, init)


@pytest.mark.parametrize("gap", [1e-9, 1e-6])
def test_gaps_above_rounding_are_gaps(gap):
    x = np.linalg.solve(TURN, [1.0, 1.0 - gap])
    network = OrthogonalNetwork(TURN, [np.eye(2)] * 2)
    init = Initialization([[0.5, 1.0], [0.3, -0.2]], scale=1.0)
    found = predict_limit(network, Classification([x, 2 * x], [1.0, 1.0]), init)
    direction = found.coefficients / np.linalg.norm(found.coefficients)
    np.testing.assert_allclose(direction, TURN[0], atol=1e-12)


def test_a_full_length_convolution_whose_frequencies_nearly_tie():
    """The constant's singular value is the largest, by 1.7e-15: the answer was a face of three."""
    x = [1.0000000000000104, 9.058959212568054e-15, 4.701595470373732e-15, -8.232323541378197e-15]
    layers = [[-1.0, 2.0, 1.0, -2.0], [-2.0, 1.0, -2.0, 1.0]]
    problem, init = Classification([x], [1.0]), Initialization(layers, scale=1e-8)
    with pytest.raises(NoPredictionError):
        predict_limit(ConvolutionalNetwork(4, (4, 4)), problem, init)


def test_conjugate_characters_are_one_column_whatever_is_rounded():
    """Even data of a cyclic group: the two coordinates of a pair tie by structure."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((3, 5))
    X = (X + X[:, -np.arange(5) % 5]) / 2
    table = np.add.outer(np.arange(5), np.arange(5)) % 5
    init = Initialization.random(ConvolutionalNetwork(5, (5, 5)), 0.1, seed=1)
    problem = Classification(X, [1.0, -1.0, 1.0])
    by_group = predict_limit(GroupConvolutionalNetwork(table, 2), problem, init)
    by_shifts = predict_limit(ConvolutionalNetwork(5, (5, 5)), problem, init)
    np.testing.assert_allclose(by_group.coefficients, by_shifts.coefficients, rtol=1e-9)
