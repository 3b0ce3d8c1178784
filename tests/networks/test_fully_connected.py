"""Fully connected networks: exact small numbers, activations, bad widths."""

import numpy as np
import pytest

from helpers.networks import assert_near, random_parameters, size_of
from implicitbias._errors import InvalidInputError
from implicitbias.networks import FullyConnectedNetwork
from reference import dense_networks as dense


def test_shapes_follow_the_widths():
    network = FullyConnectedNetwork((5, 3, 2))
    assert network.parameter_shapes == ((5, 3), (3, 2), (2,))
    assert (network.num_features, network.depth, network.num_parameters) == (5, 3, 23)
    assert network.layer_sizes == (15, 6, 2)


def test_coefficients_are_the_matrix_product():
    layers = ([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [10.0, 1.0])
    assert np.array_equal(FullyConnectedNetwork((3, 2)).coefficients(layers), [12.0, 34.0, 56.0])


def test_conserved_is_the_matrix_imbalance():
    network = FullyConnectedNetwork((2, 3, 2))
    W1, W2, w3 = layers = random_parameters(network, np.random.default_rng(0))
    expected = [(W1.T @ W1 - W2 @ W2.T).ravel(), (W2.T @ W2 - np.outer(w3, w3)).ravel()]
    size = size_of(1.0, *layers) + 1.0
    assert_near(network.conserved(layers), np.concatenate(expected), size)
    norms = [np.sum(layer**2) for layer in layers]
    scale = [norms[0] + norms[1]] * 9 + [norms[1] + norms[2]] * 4
    assert_near(network.conserved_scale(layers), scale, size)


@pytest.mark.parametrize(("widths", "agree"), [((3, 2), True), ((2, 2, 2), False)])
def test_activation_with_offset_skips_the_structural_zeros(widths, agree):
    network = FullyConnectedNetwork(widths)
    rng = np.random.default_rng(0)
    layers = random_parameters(network, rng)
    x = rng.standard_normal(widths[0])
    found = network.predict(layers, x[None], np.cosh)[0]
    hidden = x
    for layer in layers[:-1]:
        hidden = np.cosh(hidden @ layer)
    assert found == pytest.approx(hidden @ layers[-1], rel=1e-14)
    general = dense.forward(dense.fully_connected(widths), layers, x, np.cosh)
    assert (found == pytest.approx(general, rel=1e-12)) == agree


@pytest.mark.parametrize(
    ("widths", "text"),
    [
        ((3,), "at least two"),
        (3, "widths is 3; expected"),
        ((3, 0), "widths, entry 2, is 0"),
        ((3, 2.0), r"widths, entry 2, is 2\.0"),
    ],
)
def test_bad_widths(widths, text):
    with pytest.raises(InvalidInputError, match=text):
        FullyConnectedNetwork(widths)
