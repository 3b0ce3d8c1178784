"""Networks given by their data tensor: ownership, activations, bad tensors."""

import numpy as np
import pytest

from helpers.networks import random_parameters
from implicitbias._errors import InvalidInputError
from implicitbias.networks import TensorNetwork
from reference import dense_networks as dense


def test_shapes_come_from_the_tensor():
    network = TensorNetwork(np.ones((2, 3, 4, 5)))
    assert network.parameter_shapes == ((2,), (3,), (4,))
    assert (network.num_features, network.depth) == (5, 3)


def test_the_tensor_is_copied_and_kept_from_change():
    given = np.ones((2, 2, 2))
    network = TensorNetwork(given)
    given[:] = 0.0
    assert np.array_equal(network.data_tensor([1.0, 1.0]), [[2.0, 2.0], [2.0, 2.0]])
    with pytest.raises(ValueError, match="read-only"):
        network.tensor[0, 0, 0] = 3.0


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_any_activation_is_the_general_definition(depth):
    rng = np.random.default_rng(depth)
    network = TensorNetwork(rng.standard_normal((*(2, 3, 2, 3)[:depth], 2)))
    layers = random_parameters(network, rng)
    x = rng.standard_normal(2)
    expected = dense.forward(network.tensor, layers, x, np.cos)
    assert network.predict(layers, x[None], np.cos)[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("tensor", "text"),
    [
        (np.ones((2, 2)), "tensor has 2 modes; expected at least 3"),
        (np.ones((2, 0, 2)), r"tensor has shape \(2, 0, 2\)"),
        (1j * np.ones((2, 2, 2)), "tensor is complex"),
        (np.full((2, 2, 2), np.nan), "tensor contains nan"),
        (np.full((2, 2, 2), "a"), "not numeric"),
    ],
)
def test_bad_tensors(tensor, text):
    with pytest.raises(InvalidInputError, match=text):
        TensorNetwork(tensor)
