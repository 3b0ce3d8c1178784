"""The parameter flow with an activation: against the linear flow, and against the definition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from helpers.draws import normal
from implicitbias._errors import InvalidInputError, NoPredictionError, Outcome
from implicitbias.flow import gradient_flow
from implicitbias.initialization import Initialization
from implicitbias.networks import (
    Activation,
    ConvolutionalNetwork,
    DiagonalNetwork,
    FullyConnectedNetwork,
    TensorNetwork,
)
from implicitbias.problems import Classification, Regression
from implicitbias.theorems import predict_limit
from reference import dense_networks as dense

X, Y, TENSOR = normal(0, (3, 5), 3, (3, 2, 3, 5))
REGRESSION, CLASSIFICATION = Regression(X, Y), Classification(X, np.sign(Y))
NETWORKS = [
    DiagonalNetwork(5, 3),
    ConvolutionalNetwork(5, (3, 5)),
    FullyConnectedNetwork((5, 4, 3)),
    TensorNetwork(TENSOR),
]
IDENTITY = (lambda z: z, np.ones_like)


def start(network, seed=1):
    return Initialization.random(network, 0.5, seed=seed)


@pytest.mark.parametrize("network", NETWORKS, ids=repr)
@pytest.mark.parametrize("problem", [REGRESSION, CLASSIFICATION], ids=["points", "classes"])
def test_the_identity_gives_the_linear_flow(network, problem):
    options = {"until_margin": 20.0}
    found = gradient_flow(network, problem, start(network), activation=IDENTITY, **options)
    linear = gradient_flow(network, problem, start(network), route="parameters", **options)
    assert found.outcome is linear.outcome
    assert found.drift < 1e-7
    tolerance = 1e-11 if problem is REGRESSION else 1e-7
    for left, right in zip(found.final_parameters, linear.final_parameters, strict=True):
        np.testing.assert_allclose(left, right, rtol=0, atol=tolerance * np.abs(right).max())
    np.testing.assert_allclose(found.final_predictions, X @ linear.final_coefficients, rtol=1e-7)


def test_it_is_the_flow_of_the_general_definition():
    network = TensorNetwork(TENSOR)

    def loss(theta):
        layers = network.unflatten(theta)
        values = [dense.forward(TENSOR, layers, x, np.tanh) for x in X]
        return 0.5 * np.sum((np.array(values) - Y) ** 2)

    def velocity(_, theta):
        steps = 1e-5 * np.eye(theta.size)
        return [-(loss(theta + step) - loss(theta - step)) / 2e-5 for step in steps]

    theta = network.flatten(start(network).parameters())
    expected = solve_ivp(velocity, (0, 0.5), theta, rtol=1e-7, atol=1e-9).y[:, -1]
    found = gradient_flow(network, REGRESSION, start(network), activation="tanh", max_time=0.5)
    assert found.outcome is Outcome.TIME_REACHED
    assert np.isnan(found.drift)
    np.testing.assert_allclose(network.flatten(found.final_parameters), expected, atol=1e-6)


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "tanh"])
@pytest.mark.parametrize("problem", [REGRESSION, CLASSIFICATION], ids=["points", "classes"])
def test_wide_networks_are_trained_to_the_end(name, problem):
    network = FullyConnectedNetwork((5, 12))
    flow = gradient_flow(
        network, problem, start(network), activation=name, until_margin=10.0, until_residual=1e-8
    )
    assert flow.outcome.converged
    found = network.predict(flow.final_parameters, X, flow.activation)
    np.testing.assert_allclose(found, flow.final_predictions, rtol=1e-12)
    # Conserved where phi(z) = z phi'(z) only.
    assert np.isnan(flow.drift) if name == "tanh" else flow.drift < 1e-4
    exact = network.predict(flow.final_parameters, X, name)
    np.testing.assert_allclose(exact, found, atol=1e-3 * np.abs(found).max())
    assert name in str(flow)


def test_classes_that_no_linear_network_separates():
    points = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
    problem, network = Classification(points, [-1, 1, 1, -1]), FullyConnectedNetwork((3, 8))
    init = Initialization.random(network, 0.7, seed=2)
    flow = gradient_flow(network, problem, init, activation="tanh", until_margin=5.0)
    found = network.predict(flow.final_parameters, points, "tanh")
    assert (problem.y * found).min() == pytest.approx(5.0)
    assert flow.margins[-1] == pytest.approx(5.0)


def test_a_flow_slides_along_a_kink():
    """One unit, two points: the first wants it off, the second pushes the first on."""
    network = FullyConnectedNetwork((2, 1))
    problem = Regression([[1.0, 0.0], [0.5, 0.5]], [-1.0, 1.0])
    init = Initialization([np.array([[0.2], [1.0]]), np.array([1.0])], 1.0)
    flow = gradient_flow(network, problem, init, activation="relu", max_time=0.5)
    assert flow.outcome is Outcome.TIME_REACHED
    preactivation = problem.X @ flow.final_parameters[0]
    assert abs(preactivation[0, 0]) < 1e-3
    assert preactivation[1, 0] > 0.5


def test_dead_units_are_a_stationary_point():
    network = FullyConnectedNetwork((1, 2))
    init = Initialization([-np.ones((1, 2)), np.ones(2)], 1.0)
    for problem in (Regression([[1.0]], [1.0]), Classification([[1.0]], [1])):
        flow = gradient_flow(
            network,
            problem,
            init,
            activation=(lambda z: np.maximum(z, 0.0), lambda z: 1.0 * (z > 0)),
        )
        assert flow.outcome is Outcome.STATIONARY
        assert flow.final_predictions[0] == 0.0


@pytest.mark.parametrize("route", ["dual", "fourier"])
def test_routes_of_the_theory_are_refused(route):
    network = NETWORKS[0]
    with pytest.raises(InvalidInputError, match="for linear networks"):
        gradient_flow(network, REGRESSION, start(network), activation="relu", route=route)


def test_predictions_are_refused_naming_linearity():
    network = NETWORKS[0]
    with pytest.raises(NoPredictionError, match="not linear: fails: linearity") as caught:
        predict_limit(network, REGRESSION, start(network), activation="relu")
    assert caught.value.assumptions[0].value == pytest.approx(1.0)
    allowed = predict_limit(network, REGRESSION, start(network), activation=IDENTITY)
    expected = predict_limit(network, REGRESSION, start(network))
    np.testing.assert_array_equal(allowed.coefficients, expected.coefficients)


@pytest.mark.parametrize(
    ("activation", "text"),
    [
        ("sigmoid", "expected one of 'relu', 'leaky_relu', 'tanh', a pair"),
        (np.tanh, "a pair of elementwise functions"),
        ((np.sin, np.sin), "differences of the function give"),
        ((np.sum, np.sin), "expected an elementwise real function"),
    ],
)
def test_bad_activations_are_refused(activation, text):
    with pytest.raises(InvalidInputError, match=text):
        gradient_flow(NETWORKS[0], REGRESSION, start(NETWORKS[0]), activation=activation)


def test_an_activation_is_checked_when_it_is_made():
    with pytest.raises(InvalidInputError, match="'cube' is"):
        Activation(lambda z: z**3, lambda z: 2 * z**2, "cube")
