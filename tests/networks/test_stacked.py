"""Stacks of parameters are networks one after the other, in every family."""

import numpy as np
from hypothesis import given

from helpers.draws import normal
from helpers.families import WeightedNetwork
from helpers.networks import assert_near, cases, laws
from implicitbias.networks import TensorNetwork, _tensor, flattened_each, layers_of_each

RUNS = np.array([0.5, -1.0, 2.0])[:, None]


def assert_as_alone(network, vectors, X):
    """Coefficients, gradients and X J of a stack against each network's own."""
    layers = layers_of_each(network, vectors)
    np.testing.assert_array_equal(flattened_each(layers), vectors)
    beta = network.stacked_coefficients(layers)
    gradients = flattened_each(network.stacked_gradients(layers, np.tile(X[0], (len(vectors), 1))))
    pulled = network.stacked_point_gradients(layers, X)
    for run, vector in enumerate(vectors):
        alone = network.unflatten(vector)
        jacobian = network.coefficient_jacobian(alone)
        size = np.abs(jacobian).max() * max(1.0, np.abs(vectors).max())
        assert_near(beta[run], network.coefficients(alone), size)
        expected = X @ jacobian
        size = np.abs(X).sum(axis=1).max() * np.abs(jacobian).max()
        assert_near(pulled[run], expected, size)
        assert_near(gradients[run], expected[0], size)


@laws
@given(cases())
def test_a_stack_is_networks_one_after_the_other(case):
    assert_as_alone(case.network, RUNS * case.network.flatten(case.parameters), case.X)


def test_a_family_of_ones_own_needs_nothing_more():
    network = WeightedNetwork([1.0, -2.0, 0.5, 1.5], [1, 0, 3, 2], (2, 2), 3)
    vectors, X = normal(0, (3, network.num_parameters), (2, 4))
    assert_as_alone(network, vectors, X)


def test_tensors_that_do_not_fit_memory_are_contracted_alone(monkeypatch):
    network = TensorNetwork(normal(1, (3, 4, 2, 5))[0])
    vectors, X = normal(2, (3, 9), (2, 5))
    monkeypatch.setattr(_tensor, "_STACKED_ENTRIES", 10)
    assert_as_alone(network, vectors, X)
