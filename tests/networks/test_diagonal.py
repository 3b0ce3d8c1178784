"""Diagonal networks: exact small numbers, activations, bad sizes."""

import numpy as np
import pytest

from helpers.networks import random_parameters
from implicitbias._errors import InvalidInputError
from implicitbias.networks import DiagonalNetwork
from reference import dense_networks as dense


def test_coefficients_are_the_elementwise_product():
    layers = ([2.0, 3.0], [5.0, -1.0], [1.0, 0.5])
    assert np.array_equal(DiagonalNetwork(2, 3).coefficients(layers), [10.0, -1.5])


def test_gradients_are_exact_where_other_layers_vanish():
    # Products without the own layer, not quotients by it.
    layers = ([0.0, 2.0], [3.0, 0.0], [5.0, 7.0])
    gradients = DiagonalNetwork(2, 3).layer_gradients(layers, np.array([1.0, 10.0]))
    assert np.array_equal(gradients, [[15.0, 0.0], [0.0, 140.0], [0.0, 0.0]])


def test_conserved_is_elementwise():
    network = DiagonalNetwork(2, 3)
    layers = ([3.0, 1.0], [2.0, 1.0], [1.0, 0.0])
    assert np.array_equal(network.conserved(layers), [5.0, 0.0, 3.0, 1.0])
    assert np.array_equal(network.conserved_scale(layers), [13.0, 2.0, 5.0, 1.0])


@pytest.mark.parametrize(("depth", "agree"), [(2, True), (3, False)])
def test_activation_with_offset_skips_the_structural_zeros(depth, agree):
    network = DiagonalNetwork(3, depth)
    rng = np.random.default_rng(0)
    layers = random_parameters(network, rng)
    x = rng.standard_normal(3)
    found = network.predict(layers, x[None], np.cosh)[0]
    hidden = x
    for layer in layers[:-1]:
        hidden = np.cosh(hidden * layer)
    assert found == pytest.approx(hidden @ layers[-1], rel=1e-14)
    general = dense.forward(dense.diagonal(3, depth), layers, x, np.cosh)
    assert (found == pytest.approx(general, rel=1e-12)) == agree


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((0, 2), "num_features is 0; .* >= 1"),
        ((3, 1), "depth is 1; .* >= 2"),
        ((3.0, 2), r"num_features is 3\.0; expected a whole number"),
        ((3, True), "depth is True"),
    ],
)
def test_bad_sizes(arguments, text):
    with pytest.raises(InvalidInputError, match=text):
        DiagonalNetwork(*arguments)
