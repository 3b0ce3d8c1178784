"""What layers of an einsum conserve together."""

import numpy as np
import pytest

from helpers.networks import random_parameters
from implicitbias.flow import gradient_flow
from implicitbias.initialization import Initialization
from implicitbias.networks import FullyConnectedNetwork, TensorNetwork
from implicitbias.problems import Classification, Regression

SENSING = np.random.default_rng(0).standard_normal((3, 4, 5))
CASES = {  # the specification, its operands, and the sizes of what is conserved
    "matrix sensing": ("ab,bc,acx->", ((3, 2), (2, 4), SENSING), (4,)),
    "diagonal": ("x,x,x->", ((5,), (5,), (5,)), (5, 5, 5)),
    "two shared": ("abc,bcd,adx->", ((2, 3, 2), (3, 2, 2), SENSING[:2, :2]), (36,)),
    "a vector": ("ab,abc,cx->", ((2, 3), (2, 3, 2), (2, 3)), (36, 4)),
    "none": ("a,b,abx->", ((3,), (4,), SENSING), ()),
    "a trace": ("aax,ab,b->", ((2, 2, 3), (2, 3), (3,)), (9,)),
}


@pytest.mark.parametrize("name", CASES)
def test_flows_conserve_them(name):
    specification, operands, sizes = CASES[name]
    network = TensorNetwork.from_einsum(specification, *operands)
    start = Initialization.random(network, 0.7, seed=1)
    before = network.conserved(start.parameters())
    assert before.size == network.depth - 1 + sum(sizes)
    rng = np.random.default_rng(2)
    problem = Regression(rng.standard_normal((2, network.num_features)), rng.standard_normal(2))
    flow = gradient_flow(network, problem, start, route="parameters")
    after = network.conserved(flow.final_parameters)
    scale = network.conserved_scale(flow.final_parameters)
    assert scale.shape == before.shape
    assert (np.abs(after - before) <= 1e-11 * scale).all()
    pairs = zip(flow.final_parameters, start.parameters(), strict=True)
    assert max(np.abs(layer - first).max() for layer, first in pairs) > 1e-3
    assert flow.drift <= 1e-11


def test_they_are_a_fully_connected_network_s():
    network = TensorNetwork.from_einsum("xa, ab, b ->", (4, 3), (3, 2), (2,))
    known = FullyConnectedNetwork((4, 3, 2))
    layers = random_parameters(known, np.random.default_rng(0))
    flat = [layer.ravel() for layer in layers]
    np.testing.assert_allclose(network.conserved(flat)[2:], known.conserved(layers), atol=1e-13)
    scale = network.conserved_scale(flat)[2:]
    np.testing.assert_allclose(scale, known.conserved_scale(layers), rtol=1e-13)


def test_a_layer_that_is_moved_is_seen():
    network = TensorNetwork.from_einsum("ab,bc,acx->", (2, 2), (2, 2), np.eye(4).reshape(2, 2, 4))
    first, second = np.array([1.0, 0.0, 0.0, 2.0]), np.array([2.0, 0.0, 0.0, 1.0])
    turned = np.array([0.0, 1.0, 2.0, 0.0])  # of the same norm
    moved = network.conserved((turned, second)) - network.conserved((first, second))
    assert np.abs(moved).max() > 1


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_completion_keeps_the_sign_of_the_determinant(sign):
    """w_12 = w_21 = 1 and w_22 = 0 ask for det W = -1: reached from a negative one alone."""
    shape = (2, 2)
    network = TensorNetwork.from_einsum("ab,bc,acx->", shape, shape, np.eye(4).reshape(2, 2, 4))
    seen = Regression(np.eye(4)[1:], [1.0, 1.0, 0.0])
    start = Initialization([[1.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, sign]], scale=0.1**0.5)
    flow = gradient_flow(network, seen, start)
    assert flow.outcome.converged == (sign < 0)
    if sign < 0:
        assert np.linalg.det(flow.final_coefficients.reshape(2, 2)) == pytest.approx(-1.0, abs=1e-9)
        assert np.linalg.det(flow.final_parameters[0].reshape(2, 2)) > 0


def test_sensing_of_classes_too():
    network = TensorNetwork.from_einsum("ab,bc,acx->", (3, 2), (2, 4), SENSING)
    X = np.random.default_rng(3).standard_normal((3, 5))
    start = Initialization.random(network, 0.5, seed=1)
    flow = gradient_flow(network, Classification(X, [1, -1, 1]), start, until_margin=1e4)
    assert flow.outcome.converged
    assert flow.drift <= 1e-10
