"""Fully connected starts that rest at a saddle, or tend to the one at 0."""

import numpy as np
import pytest

from implicitbias import (
    Classification,
    FullyConnectedNetwork,
    Initialization,
    NoPredictionError,
    predict_limit,
)


def _refused(network, X, y, layers, scale=1.0):
    init = Initialization([np.array(layer, float) for layer in layers], scale=scale)
    with pytest.raises(NoPredictionError, match="neither rests at a saddle nor"):
        predict_limit(network, Classification(X, y), init)


@pytest.mark.parametrize("scale", [1.0, 1e-3, 30.0])
def test_one_unit_of_balanced_layers_of_opposite_signs(scale):
    """W_1^T x = (1), w_2 = (-1): the flow tends to 0 at every scale, and never beyond."""
    layers = [[[1], [0]], [-1]]
    _refused(FullyConnectedNetwork((2, 1)), [[1.0, 0.0]], [1.0], layers, scale)


def test_three_layers_on_the_stable_manifold():
    layers = [[[1], [0]], [[1]], [-1]]
    _refused(FullyConnectedNetwork((2, 1, 1)), [[1.0, 0.0], [2.0, 0.0]], [1.0, 1.0], layers)


def test_a_start_that_never_moves():
    layers = [[[1, 2], [1, -1], [-2, -1]], [0, 0]]
    _refused(FullyConnectedNetwork((3, 2)), np.ones((1, 3)), [1.0], layers)


def test_a_start_that_never_moves_on_two_points():
    layers = [[[1, 2], [1, 2], [0, 3]], [0, 0]]
    X = [[1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]
    _refused(FullyConnectedNetwork((3, 2)), X, [1.0, 1.0], layers)


def test_other_starts_are_answered_as_before():
    network = FullyConnectedNetwork((2, 1))
    for last in (-0.5, -2.0, 1.0):
        init = Initialization([np.array([[1.0], [0.0]]), np.array([last])], scale=1.0)
        found = predict_limit(network, Classification([[1.0, 0.0]], [1.0]), init)
        np.testing.assert_allclose(found.coefficients, [1.0, 0.0], atol=1e-12)
