"""Modules from networks: the same function, trainable, and back to the same network."""

import copy
import pickle

import numpy as np
import pytest

import implicitbias as ib
from helpers.families import WeightedNetwork
from helpers.torch_modules import nn, numbers, output, relative, torch

ROUND_TRIPS = [
    ib.FullyConnectedNetwork((4, 3)),
    ib.FullyConnectedNetwork((5, 5, 5, 5)),
    ib.FullyConnectedNetwork((1, 1)),
    *(ib.ConvolutionalNetwork(7, (k, 7)) for k in range(1, 8)),
    ib.ConvolutionalNetwork(6, (2, 4, 6, 6)),
    ib.ConvolutionalNetwork(1, (1, 1)),
    ib.DiagonalNetwork(5, 2),
    ib.DiagonalNetwork(5, 4),
    ib.DiagonalNetwork(1, 2),
]


def complex_network():
    """The DFT of three entries, given outright: complex bases of a real network."""
    dft = np.exp(-2j * np.pi * np.outer(range(3), range(3)) / 3) / np.sqrt(3)
    return ib.OrthogonalNetwork(np.sqrt(3) * dft, [dft.conj()] * 2)


def real_network():
    rng = np.random.default_rng(5)
    bases = [np.linalg.qr(rng.standard_normal((k, 3)))[0] for k in (3, 4)]
    return ib.OrthogonalNetwork(rng.standard_normal((3, 3)), bases)


OTHERS = {
    "tensor": lambda: ib.TensorNetwork(np.arange(24.0).reshape(2, 3, 4)),
    "orthogonal": real_network,
    "complex": complex_network,
    "own": lambda: WeightedNetwork(np.arange(1.0, 5.0), [2, 0, 3, 1], (2, 2), 3),
}


def parameters_of(network, seed=0):
    rng = np.random.default_rng(seed)
    return tuple(rng.standard_normal(shape) for shape in network.parameter_shapes)


@pytest.mark.parametrize("network", ROUND_TRIPS, ids=repr)
def test_round_trips_are_exact(network):
    parameters = parameters_of(network)
    module = ib.to_torch(network, parameters)
    found, back = ib.from_torch(module)
    assert repr(found) == repr(network)
    for one, other in zip(back, parameters, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("make", OTHERS.values(), ids=OTHERS)
def test_other_networks_come_back_as_tensors(make):
    network = make()
    parameters = parameters_of(network)
    found, back = ib.from_torch(ib.to_torch(network, parameters))
    for x in np.eye(network.num_features):
        size = np.abs(network.data_tensor(x)).max()
        assert relative(found.data_tensor(x), network.data_tensor(x), size) <= 1e-14
    np.testing.assert_array_equal(found.flatten(back), network.flatten(parameters))


@pytest.mark.parametrize("network", [*ROUND_TRIPS, *(make() for make in OTHERS.values())], ids=repr)
def test_modules_compute_what_networks_predict(network):
    parameters = parameters_of(network, seed=1)
    X = np.random.default_rng(2).standard_normal((6, network.num_features))
    module = ib.to_torch(network, parameters)
    found = module(torch.from_numpy(X))
    assert found.shape == (6,)
    assert found.dtype == torch.float64
    np.testing.assert_allclose(output(module, X), network.predict(parameters, X), atol=1e-12)


@pytest.mark.parametrize("make", OTHERS.values(), ids=OTHERS)
def test_gradients_of_the_other_modules(make):
    network = make()
    parameters, c = parameters_of(network), np.arange(1.0, network.num_features + 1)
    module = ib.to_torch(network, parameters)
    module(torch.from_numpy(c[None])).sum().backward()
    found = numbers(parameter.grad for parameter in module.parameters())
    for one, other in zip(found, network.layer_gradients(parameters, c), strict=True):
        assert relative(one, other, np.abs(other).max()) <= 1e-14


def test_second_derivatives_of_an_own_network_are_refused():
    network = OTHERS["own"]()
    module = ib.to_torch(network, parameters_of(network))
    loss = module(torch.ones(1, 4, dtype=torch.float64)).sum()
    with pytest.raises(ib.InvalidInputError, match="computed in NumPy, once; create_graph"):
        torch.autograd.grad(loss, list(module.parameters()), create_graph=True)


def test_parameters_are_copied_and_the_generator_is_left_alone():
    network = ib.ConvolutionalNetwork(5, (3, 5))
    parameters = parameters_of(network)
    state = torch.random.get_rng_state()
    module = ib.to_torch(network, parameters)
    assert torch.equal(state, torch.random.get_rng_state())
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
    assert all(layer.any() for layer in parameters)


@pytest.mark.parametrize("make", OTHERS.values(), ids=OTHERS)
def test_modules_are_copied_pickled_and_loaded(make):
    network = make()
    module = ib.to_torch(network, parameters_of(network))
    X = np.random.default_rng(2).standard_normal((3, network.num_features))
    other = ib.to_torch(network, parameters_of(network, seed=9))
    other.load_state_dict(module.state_dict())
    for one in (copy.deepcopy(module), pickle.loads(pickle.dumps(module)), other):
        np.testing.assert_array_equal(output(one, X), output(module, X))


def test_layers_are_torchs_own():
    connected = ib.to_torch(ib.FullyConnectedNetwork((4, 3)), [np.ones((4, 3)), np.ones(3)])
    assert [type(layer) for layer in connected] == [nn.Linear, nn.Linear, nn.Flatten]
    filters = ib.to_torch(ib.ConvolutionalNetwork(4, (3, 4)), [np.ones(3), np.ones(4)])
    assert [type(layer) for layer in filters] == [nn.Unflatten, nn.Conv1d, nn.Linear, nn.Flatten]


@pytest.mark.parametrize(
    ("network", "parameters", "text"),
    [
        ("diagonal", [np.ones(2)] * 2, "network is a str; expected a Network"),
        (ib.DiagonalNetwork(2, 2), [np.ones(2)], "parameters has 1 layers; expected 2"),
        (ib.DiagonalNetwork(2, 2), [np.ones(2), [1, np.nan]], "contains nan"),
        (ib.DiagonalNetwork(2, 2), 3, "parameters must be a sequence of 2 arrays"),
        (ib.FullyConnectedNetwork((2, 3)), [np.ones((3, 2)), np.ones(3)], "shape (3, 2)"),
    ],
)
def test_what_is_refused(network, parameters, text):
    with pytest.raises(ib.InvalidInputError) as error:
        ib.to_torch(network, parameters)
    assert text in str(error.value)
