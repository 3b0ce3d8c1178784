"""Two-sided networks: their own laws, what they refuse, and the doubled network they stand for."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.networks import laws
from implicitbias import (
    Classification,
    DiagonalNetwork,
    Initialization,
    InvalidInputError,
    Regression,
    TwoSidedDiagonalNetwork,
    gradient_flow,
    theorem_1,
)

POWERS = st.one_of(st.integers(2, 7), st.floats(2.0, 9.0))
ONE = Regression([[1.0, 2.0]], [1.0])
TWO = TwoSidedDiagonalNetwork(num_features=2, depth=3)
START = Initialization([[1.0, 2.0], [0.5, 1.0]], scale=0.3)


def drawn(seed, power, size=4):
    rng = np.random.default_rng(seed)
    network = TwoSidedDiagonalNetwork(size, power)
    u, v = rng.uniform(0.1, 2.0, (2, size))
    return network, (u, v), rng.standard_normal(size), rng


@laws
@given(st.integers(0, 99), POWERS)
def test_coefficients_and_predictions_are_the_formula(seed, power):
    network, (u, v), _, rng = drawn(seed, power)
    beta, X = network.coefficients((u, v)), rng.standard_normal((3, 4))
    assert np.allclose(beta, u**power - v**power, rtol=1e-14)
    assert np.allclose(network.predict((u, v), X), X @ beta, rtol=1e-13)


@laws
@given(st.integers(0, 99), POWERS)
def test_gradients_are_differences_and_obey_eulers_identity(seed, power):
    network, theta, c, _ = drawn(seed, power)
    gradients = network.layer_gradients(theta, c)
    total = sum(np.vdot(g, v) for g, v in zip(gradients, theta, strict=True))
    terms = sum(np.abs(g * v).sum() for g, v in zip(gradients, theta, strict=True))
    assert abs(total - network.degree * (c @ network.coefficients(theta))) <= 1e-13 * terms
    jacobian, hessian = network.coefficient_jacobian(theta), network.second_derivative(theta, c)
    assert np.allclose(c @ jacobian, network.flatten(gradients), rtol=1e-13)
    vector, h = network.flatten(theta), 1e-6
    for column, unit in zip(hessian, np.eye(vector.size), strict=True):
        ahead, behind = (network.unflatten(vector + s * h * unit) for s in (1, -1))
        slope = c @ (network.coefficients(ahead) - network.coefficients(behind)) / (2 * h)
        assert np.isclose(slope, unit @ network.flatten(gradients), rtol=1e-6, atol=1e-8)
        change = network.flatten(network.layer_gradients(ahead, c)) - network.flatten(
            network.layer_gradients(behind, c)
        )
        assert np.allclose(change / (2 * h), column, rtol=1e-6, atol=1e-6 * np.abs(hessian).max())


@laws
@given(st.integers(0, 99), POWERS)
def test_gradient_flow_conserves(seed, power):
    network, theta, c, _ = drawn(seed, power)
    gradients, h = network.layer_gradients(theta, c), 1e-7
    ahead, behind = (
        tuple(v + s * h * g for v, g in zip(theta, gradients, strict=True)) for s in (1, -1)
    )
    slope = (network.conserved(ahead) - network.conserved(behind)) / (2 * h)
    rate = max(np.abs(g / v).max() for v, g in zip(theta, gradients, strict=True))
    assert np.all(np.abs(slope) <= 1e-7 * (1 + rate**3) * network.conserved_scale(theta) * power**3)
    assert np.array_equal(network.conserved(([0.0] * 4, theta[1])), np.zeros(4))


@pytest.mark.parametrize("power", [2, 3, 4])
def test_it_moves_like_the_diagonal_network_on_features_and_their_negatives(power):
    rng = np.random.default_rng(power)
    X, eta = rng.standard_normal((3, 6)), rng.uniform(0.5, 1.5, 6)
    y, times = rng.standard_normal(3), [0.01, 0.1, 1.0]
    doubled = gradient_flow(
        DiagonalNetwork(12, power),
        Regression(np.hstack([X, -X]), y),
        Initialization([np.tile(eta, 2)] * power, scale=0.7),
        route="parameters",
        times=times,
    ).coefficients
    two_sided = TwoSidedDiagonalNetwork(6, power), Regression(X, y)
    # u'= D u^{D-1} c, while each of the D equal layers of the double moves at u^{D-1} c
    for route in ("parameters", "dual"):
        found = gradient_flow(
            *two_sided,
            Initialization([eta, eta], scale=0.7),
            route=route,
            times=np.array(times) / power,
        ).coefficients
        assert np.allclose(found, doubled[:, :6] - doubled[:, 6:], atol=1e-8)


def test_depth_is_whole_where_the_power_is():
    assert TWO.depth == 3 and isinstance(TWO.depth, int) and TWO.degree == 3.0
    assert TwoSidedDiagonalNetwork(2, 2.5).depth == 2.5
    assert repr(TwoSidedDiagonalNetwork(2, 3.0)) == repr(TWO)
    assert TWO.parameter_shapes == ((2,), (2,)) and TWO.num_parameters == 4


def test_pickles_and_is_immutable():
    other = pickle.loads(pickle.dumps(TwoSidedDiagonalNetwork(3, 2.5)))
    assert repr(other) == "TwoSidedDiagonalNetwork(num_features=3, depth=2.5)"
    with pytest.raises(AttributeError, match="immutable"):
        other.num_features = 4


@pytest.mark.parametrize(
    "depth", [1.5, 1, 0, -3, np.nan, np.inf, "3", None], ids=lambda depth: repr(depth)
)
def test_bad_depths_are_refused(depth):
    with pytest.raises(InvalidInputError, match=r"depth is .*; expected a finite number"):
        TwoSidedDiagonalNetwork(2, depth)


def test_bad_sizes_are_refused():
    with pytest.raises(InvalidInputError, match="num_features is 0"):
        TwoSidedDiagonalNetwork(0, 3)
    with pytest.raises(InvalidInputError, match=r"3 layers.*has 2"):
        Initialization([np.ones(2)] * 3, 1.0).check(TWO)


def test_real_powers_refuse_negative_entries_by_name():
    network = TwoSidedDiagonalNetwork(2, 2.5)
    with pytest.raises(InvalidInputError, match=r"v\[1\] is -1; u\^D and v\^D need u, v >= 0"):
        gradient_flow(network, ONE, Initialization([[1, 1], [1, -1]], 1.0))
    with pytest.raises(InvalidInputError, match=r"parameters: u\[0\] is -2"):
        network.predict(([-2.0, 1.0], [1.0, 1.0]), [[1.0, 2.0]])


def test_whole_powers_take_negative_entries():
    assert np.array_equal(TWO.coefficients(([-2.0, 1.0], [1.0, -1.0])), [-9.0, 2.0])
    flow = gradient_flow(TWO, ONE, Initialization([[1, -1], [1, 1]], 0.5))
    assert flow.route == "parameters" and flow.outcome.converged and flow.drift < 1e-10
    assert np.isclose(flow.final_coefficients @ [1, 2], 1.0)
    assert flow.final_parameters[0][1] < 0.0
    with pytest.raises(InvalidInputError, match=r"below 0: u\[1\]"):
        gradient_flow(TWO, ONE, Initialization([[1, -1], [1, 1]], 0.5), route="dual")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: TWO.data_tensor([1.0, 2.0]), "no data tensor"),
        (lambda: TWO.orthogonal_decomposition(), "no orthogonal decomposition"),
        (lambda: TWO.hidden_layers(START.directions, [[1.0, 2.0]]), "no hidden layers"),
        (lambda: TWO.predict(START.directions, [[1.0, 2.0]], "relu"), "no hidden layers"),
        (lambda: TWO.point_svd(np.ones(2)), "no data tensor"),
        (lambda: gradient_flow(TWO, ONE, START, activation="relu"), "no hidden layers"),
        (lambda: gradient_flow(TWO, ONE, START, route="fourier"), "full-length filters"),
        (lambda: Initialization.balanced(TWO, 1.0), "no balanced start"),
        (lambda: Initialization.random(TWO, 1.0, gap=0.1), "Leave gap out"),
    ],
)
def test_what_needs_a_data_tensor_is_refused(call, words):
    with pytest.raises(InvalidInputError, match=words):
        call()


def test_theorem_1_is_about_data_tensors():
    problem = Classification([[1.0, 2.0]], [1])
    flow = gradient_flow(TWO, problem, START)
    with pytest.raises(InvalidInputError, match="has none, for its coefficients are not linear"):
        theorem_1(TWO, problem, flow)


def test_random_starts_are_positive():
    assert all((layer > 0.0).all() for layer in Initialization.random(TWO, 1.0, seed=3).directions)
