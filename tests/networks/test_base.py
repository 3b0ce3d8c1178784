"""The laws of ``Network``, for every family, against explicit loops over the index formulas."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.networks import assert_near, cases, laws, size_of
from implicitbias import networks
from implicitbias._errors import InvalidInputError
from reference import dense_networks as dense

NETWORK = networks.FullyConnectedNetwork((3, 2))
PARAMETERS = (np.arange(6.0).reshape(3, 2), np.ones(2))


@laws
@given(cases())
def test_data_tensor_is_the_index_formula(case):
    for x in case.X:
        found = case.network.data_tensor(x)
        assert_near(found, case.tensor @ x, size_of(case.tensor, x))


@laws
@given(cases())
def test_coefficients_are_the_dense_ones(case):
    found = case.network.coefficients(case.parameters)
    expected = dense.coefficients(case.tensor, case.parameters)
    assert_near(found, expected, size_of(case.tensor, *case.flat))


@laws
@given(cases())
def test_forward_pass_gives_x_beta_and_the_contracted_data_tensor(case):
    found = case.network.predict(case.parameters, case.X)
    beta = case.network.coefficients(case.parameters)
    size = size_of(case.tensor, case.X, *case.flat)
    assert_near(found, case.X @ beta, size)
    for x, f in zip(case.X, found, strict=True):
        tensor = case.network.data_tensor(x)
        assert_near(networks.multilinear_multiply(tensor, case.flat), f, size)


@laws
@given(cases())
def test_layer_gradients_are_the_dense_ones(case):
    found = case.network.layer_gradients(case.parameters, case.direction)
    expected = dense.gradients(case.tensor, case.parameters, case.direction)
    size = size_of(case.tensor, case.direction)
    for index, (gradient, reference) in enumerate(zip(found, expected, strict=True)):
        others = case.flat[:index] + case.flat[index + 1 :]
        assert gradient.shape == case.network.parameter_shapes[index]
        assert_near(gradient.ravel(), reference, size * size_of(1.0, *others))


@laws
@given(cases())
def test_layer_gradients_are_finite_differences(case):
    # c^T beta is a polynomial of degree L <= 6 along a line, for which the six-point central
    # difference has no truncation error.
    network = case.network
    line = [np.cos(np.arange(layer.size)).reshape(layer.shape) for layer in case.parameters]
    gradients = network.layer_gradients(case.parameters, case.direction)
    slope = sum(np.vdot(g, z) for g, z in zip(gradients, line, strict=True))

    def value(t):
        moved = [v + t * z for v, z in zip(case.parameters, line, strict=True)]
        return case.direction @ network.coefficients(moved)

    steps = {1: 45.0, 2: -9.0, 3: 1.0}
    difference = sum(w * (value(h) - value(-h)) for h, w in steps.items()) / 60.0
    reach = [np.abs(v) + 3.0 * np.abs(z) for v, z in zip(case.parameters, line, strict=True)]
    assert_near(slope, difference, size_of(case.tensor, case.direction, *reach))


@laws
@given(cases())
def test_second_derivative_is_the_change_of_the_gradients(case):
    # The gradient is affine in each layer: a unit change of one entry gives its exact slope.
    network, c = case.network, case.direction
    hessian = network.second_derivative(case.parameters, c)
    start = network.flatten(network.layer_gradients(case.parameters, c))
    theta = network.flatten(case.parameters)
    bound = [np.abs(v) + 1.0 for v in case.parameters]
    for column, unit in zip(hessian.T, np.eye(len(theta)), strict=True):
        moved = network.unflatten(theta + unit)
        change = network.flatten(network.layer_gradients(moved, c)) - start
        assert_near(column, change, size_of(case.tensor, c, *bound))
    assert np.array_equal(hessian, hessian.T)


@laws
@given(cases())
def test_coefficient_jacobian_is_made_of_the_gradients(case):
    network = case.network
    jacobian = network.coefficient_jacobian(case.parameters)
    bound = [np.abs(v) + 1.0 for v in case.parameters]
    for row, unit in zip(jacobian, np.eye(network.num_features), strict=True):
        gradients = network.flatten(network.layer_gradients(case.parameters, unit))
        assert_near(row, gradients, size_of(case.tensor, *bound))


@laws
@given(cases())
def test_gradient_flow_conserves(case):
    # d/dt of a quadratic along a direction g is (Q(v + g) - Q(v - g)) / 2, without truncation.
    network = case.network
    g = network.layer_gradients(case.parameters, case.direction)
    ahead = [v + u for v, u in zip(case.parameters, g, strict=True)]
    behind = [v - u for v, u in zip(case.parameters, g, strict=True)]
    slope = (network.conserved(ahead) - network.conserved(behind)) / 2
    bound = sum(np.vdot(v, v) + np.vdot(u, u) for v, u in zip(case.parameters, g, strict=True))
    assert_near(slope, np.zeros_like(slope), bound)
    assert np.all(network.conserved_scale(case.parameters) >= 0)
    assert network.conserved_scale(case.parameters).shape == slope.shape


@laws
@given(cases())
def test_conserved_scale_bounds_what_it_scales(case):
    network = case.network
    found = np.abs(network.conserved(case.parameters))
    assert np.all(found <= network.conserved_scale(case.parameters) * (1 + 1e-14))


@laws
@given(cases(depths=(2, 3, 4)))
def test_activation_without_offset_is_the_general_definition(case):
    found = case.network.predict(case.parameters, case.X, np.tanh)
    size = size_of(1.0, *case.flat[1:]) * np.sqrt(case.tensor.size)
    for x, f in zip(case.X, found, strict=True):
        assert_near(f, dense.forward(case.tensor, case.parameters, x, np.tanh), size)


@laws
@given(cases(depths=(2, 3, 4)), st.sampled_from(("tanh", "relu", "leaky_relu")))
def test_reverse_mode_is_the_derivative_of_the_forward_pass(case, name):
    network, X, activation = case.network, case.X, networks.as_activation(name)
    values, jacobian = network.prediction_jacobian(case.parameters, X, activation)
    np.testing.assert_allclose(values, network.predict(case.parameters, X, name), atol=1e-13)
    theta, step = network.flatten(case.parameters), 1e-6
    shifted = [
        network.predict(network.unflatten(theta + sign * step * unit), X, name)
        for unit in np.eye(theta.size)
        for sign in (1, -1)
    ]
    expected = (np.array(shifted[::2]) - np.array(shifted[1::2])).T / (2 * step)
    np.testing.assert_allclose(jacobian, expected, atol=1e-6 * (1 + np.abs(expected).max()))


@laws
@given(cases())
def test_without_an_activation_reverse_mode_gives_the_coefficients_jacobian(case):
    identity = networks.Activation(lambda z: z, np.ones_like, "identity")
    values, jacobian = case.network.prediction_jacobian(case.parameters, case.X, identity)
    beta, moved = (
        case.network.coefficients(case.parameters),
        case.network.coefficient_jacobian(case.parameters),
    )
    size = size_of(case.tensor, *(1 + np.abs(vector) for vector in case.flat)) * 10
    assert_near(values, case.X @ beta, size)
    assert_near(jacobian, case.X @ moved, size)


@laws
@given(cases())
def test_hidden_layers_end_in_the_prediction(case):
    hidden = case.network.hidden_layers(case.parameters, case.X, np.tanh)
    assert len(hidden) == case.network.depth - 1
    assert all(len(layer) == len(case.X) for layer in hidden)
    found = hidden[-1] @ case.parameters[-1]
    size = np.linalg.norm(hidden[-1]) * np.linalg.norm(case.parameters[-1])
    assert_near(found, case.network.predict(case.parameters, case.X, np.tanh), size)


@laws
@given(cases())
def test_flatten_and_unflatten_are_inverse(case):
    vector = case.network.flatten(case.parameters)
    assert vector.shape == (case.network.num_parameters,)
    for layer, given_layer in zip(case.network.unflatten(vector), case.parameters, strict=True):
        assert np.array_equal(layer, given_layer)
        assert not np.shares_memory(layer, vector)


@laws
@given(cases())
def test_networks_survive_pickling_and_say_what_they_are(case):
    again = pickle.loads(pickle.dumps(case.network))
    assert repr(again) == repr(case.network)
    assert np.array_equal(
        again.coefficients(case.parameters), case.network.coefficients(case.parameters)
    )


def test_long_inputs_are_predicted_in_blocks(monkeypatch):
    monkeypatch.setattr("implicitbias.networks._base._ROW_BLOCK_ENTRIES", 7)
    X = np.arange(30.0).reshape(10, 3)
    expected = X @ NETWORK.coefficients(PARAMETERS)
    assert np.array_equal(NETWORK.predict(PARAMETERS, X), expected)


def test_networks_are_immutable():
    with pytest.raises(AttributeError, match="immutable"):
        NETWORK.num_features = 5
    with pytest.raises(AttributeError, match="immutable"):
        del NETWORK.num_features


def test_numbers_beyond_float64_come_back_without_a_warning():
    huge = tuple(1e200 * layer for layer in PARAMETERS)
    assert np.isinf(NETWORK.coefficients(huge)).all()
    assert np.isinf(NETWORK.layer_gradients(huge, np.full(3, 1e200))[0]).any()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: NETWORK.coefficients(PARAMETERS[:1]), r"shapes \(3, 2\); .* expects \(3, 2\), "),
        (lambda: NETWORK.coefficients((np.ones((2, 3)), np.ones(2))), r"shapes \(2, 3\), \(2,\)"),
        (lambda: NETWORK.coefficients(3.0), "sequence of 2 arrays"),
        (lambda: NETWORK.coefficients((1j * np.ones((3, 2)), np.ones(2))), "real numbers"),
        (lambda: NETWORK.layer_gradients(PARAMETERS, np.ones(2)), r"direction .* expected \(3,\)"),
        (lambda: NETWORK.unflatten(np.ones(7)), r"expected \(8,\)"),
        (lambda: NETWORK.check_parameters((np.full((3, 2), np.nan), np.ones(2))), "nan at index"),
        (lambda: NETWORK.predict(PARAMETERS, np.ones(3)), r"X has shape \(3,\)"),
        (lambda: NETWORK.predict(PARAMETERS, np.ones((1, 2))), r"X has shape \(1, 2\)"),
        (lambda: NETWORK.predict(PARAMETERS, np.ones((1, 3)), "tan"), "activation is 'tan'"),
        (lambda: NETWORK.predict(PARAMETERS, np.ones((1, 3)), np.sum), "elementwise"),
        (lambda: NETWORK.data_tensor(np.ones(2)), r"x has shape \(2,\)"),
        (lambda: networks.DiagonalNetwork(10, 8).data_tensor(np.ones(10)), "1e\\+08 entries"),
    ],
)
def test_bad_calls_are_refused_with_what_was_given_and_expected(call, text):
    with pytest.raises(InvalidInputError, match=text):
        call()
