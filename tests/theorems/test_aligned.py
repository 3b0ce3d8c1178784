"""Fully connected networks from aligned layers: exact limits at every scale."""

from __future__ import annotations

from itertools import pairwise

import mpmath
import numpy as np
import pytest
import scipy.sparse

import implicitbias as ib
from helpers.draws import normal
from reference.whitened_flow import whitened_chain

NAME = "fully connected, aligned layers"
X = np.array([[1.0, 2.0, 0.0, 1.0], [0.0, 1.0, -1.0, 1.0]])
Y = np.array([1.0, -1.0])
DIGITS = ib.Regression(X, Y)
CHAIN = [np.array([0.6, 0.0, 0.8, 0.0]), np.array([1.0, 0.0, 0.0]), np.array([0.6, 0.8])]
UNSTABLE = 3  # v turns by so much that rounding decides where the flow goes
NEURON = ib.FullyConnectedNetwork((4, 1))


def chain(vectors, size=1.0):
    *outer, last = [
        np.outer(*pair) for pair in zip(vectors, [*vectors[1:], np.ones(1)], strict=True)
    ]
    return [*(size * each for each in outer), size * last[:, 0]]


def balanced(network, seed=0):
    return network.balanced(normal(seed, *network.parameter_shapes))


def aligned_start(rng, problem, widths):
    """A chain of any sizes, with a first layer that does what it likes where data do not see it."""
    units = [(lambda g: g / np.linalg.norm(g))(rng.standard_normal(k)) for k in widths[1:]]
    sizes = np.exp(0.7 * rng.standard_normal(len(widths))) * rng.choice([-1, 1], len(widths))
    inside = np.linalg.pinv(problem.X) @ problem.X
    seen, first = inside @ rng.standard_normal(widths[0]), rng.standard_normal(widths[:2])
    first = first - inside @ first + np.outer(sizes[0] * seen / np.linalg.norm(seen), units[0])
    middle = [s * np.outer(*pair) for s, pair in zip(sizes[1:-1], pairwise(units), strict=True)]
    return [first, *middle, sizes[-1] * units[-1]]


def held_against_flow(network, problem, init):
    limit = ib.predict_limit(network, problem, init)
    flow = ib.gradient_flow(network, problem, init, route="parameters", until_residual=1e-12)
    return limit, flow


def test_the_digits_of_the_balanced_start():
    network = ib.FullyConnectedNetwork((4, 3, 2))
    limit = ib.predict_limit(network, DIGITS, ib.Initialization(chain(CHAIN), scale=1.0))
    assert limit.theorem == NAME
    assert limit.kind == "point"
    expected = [0.8309044213, 0.0869767013, 1.0821188773, -0.004857824]
    np.testing.assert_allclose(limit.coefficients, expected, atol=5e-11)
    np.testing.assert_allclose(np.linalg.norm(limit.parameters[-1]), 1.1098572701, atol=5e-11)
    assert limit.certificate.worst < 1e-12


def test_the_digits_of_one_neuron():
    start = [np.array([[0.3], [-0.2], [0.4], [0.1]]), np.array([1.2])]
    limit = ib.predict_limit(NEURON, DIGITS, ib.Initialization(start, scale=1.0))
    expected = [0.8587830602, 0.045158743, 1.0960581968, 0.0508994538]
    np.testing.assert_allclose(limit.coefficients, expected, atol=5e-11)


def random_chain(seed):
    rng = np.random.default_rng(seed)
    d, n = int(rng.integers(4, 8)), int(rng.integers(2, 6))
    rows = rng.standard_normal((min(n, 3), d))
    data = rng.standard_normal((n, len(rows))) @ rows if n > 3 else rows  # dependent rows
    problem = ib.Regression.measured(data, data @ rng.standard_normal(d))
    network = ib.FullyConnectedNetwork((d, *rng.integers(1, 4, seed % 3 + 1).tolist()))
    start = aligned_start(rng, problem, network.widths)
    return network, problem, ib.Initialization(start, scale=float(np.exp(rng.uniform(-2.0, 0.7))))


@pytest.mark.parametrize("seed", [seed for seed in range(13) if seed != UNSTABLE])
def test_random_chains_end_where_the_flow_of_the_parameters_does(seed):
    limit, flow = held_against_flow(*random_chain(seed))
    assert limit.theorem == NAME
    assert ib.compare(flow, limit).error < 1e-10
    assert limit.certificate.worst < 1e-9
    for found, expected in zip(flow.final_parameters, limit.parameters, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-9)


def test_the_flow_of_the_parameters_is_lost_where_the_last_assumption_fails():
    network, problem, init = random_chain(UNSTABLE)
    (text,) = failed(network, problem, init)
    assert "off the chain by rounding" in text
    flow = ib.gradient_flow(network, problem, init, route="parameters")
    assert flow.outcome.name == "UNSTABLE"


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("scale", [1e-4, 0.3, 3.0])
def test_a_last_layer_turns_where_training_turns_it(sign, scale):
    """Smaller than |v|, it ends with the sign of v^T X^T y or its own: the flow decides."""
    first, data, y = normal(7, (6, 1), (3, 6), 3)
    problem, network = ib.Regression(data, y), ib.FullyConnectedNetwork((6, 1))
    init = ib.Initialization([first, np.array([0.1 * sign])], scale=scale)
    limit, flow = held_against_flow(network, problem, init)
    assert limit.theorem == NAME
    assert ib.compare(flow, limit).error < 1e-10
    assert np.sign(limit.parameters[1]) == np.sign(flow.final_parameters[1])


@pytest.mark.parametrize("zero", [0, 1, 2])
def test_one_layer_may_be_zero(zero):
    network = ib.FullyConnectedNetwork((4, 1, 1))
    start = [np.array([[0.3], [-0.2], [0.4], [0.1]]), np.array([[0.7]]), np.array([-0.9])]
    start[zero] = np.zeros_like(start[zero])
    limit, flow = held_against_flow(network, DIGITS, ib.Initialization(start, scale=1.0))
    assert limit.theorem == NAME
    assert ib.compare(flow, limit).error < 1e-10


def test_two_zero_layers_are_a_saddle_of_three():
    start = [np.ones((4, 1)), np.zeros((1, 1)), np.zeros(1)]
    with pytest.raises(ib.NoPredictionError, match="leaves the saddle at 0"):
        ib.predict_limit(ib.FullyConnectedNetwork((4, 1, 1)), DIGITS, ib.Initialization(start, 1.0))


def failed(network, problem, init):
    found = ib.explain(network, problem, init)
    assert found[NAME].standing == "does not apply"
    assert found[NAME].limit is None
    return [str(verdict) for verdict in found[NAME].assumptions if verdict.fails]


def test_starts_that_are_not_covered_name_what_fails():
    wide = ib.FullyConnectedNetwork((4, 3))
    (text,) = failed(wide, DIGITS, ib.Initialization.random(wide, 1.0, seed=1))
    assert "the layers are aligned" in text
    towards, u = ib.Regression(np.eye(3), [1.0, 0.0, 0.0]), np.array([0.6, 0.8])
    away = ib.Initialization([np.outer([-1.0, 0.0, 0.0], u), u], scale=0.5)
    (text,) = failed(ib.FullyConnectedNetwork((3, 2)), towards, away)
    assert "may end at the saddle" in text
    tied = [np.ones((4, 1)), np.full((1, 1), 0.2), np.full(1, -0.2)]
    (text,) = failed(ib.FullyConnectedNetwork((4, 1, 1)), DIGITS, ib.Initialization(tied, 1.0))
    assert "two layers tie" in text


def test_a_start_that_is_nearly_turned_away_is_followed():
    towards, u = ib.Regression(np.eye(3), [1.0, 0.0, 0.0]), np.array([0.6, 0.8])
    first = np.outer([-np.cos(1e-3), np.sin(1e-3), 0.0], u)
    network = ib.FullyConnectedNetwork((3, 2))
    limit, flow = held_against_flow(network, towards, ib.Initialization([first, u], scale=0.5))
    assert limit.theorem == NAME
    assert ib.compare(flow, limit).agrees


def test_rounding_that_grows_off_the_chain_is_an_assumption_that_fails():
    """v turns by more than a right angle while s_2 is small: deviations grow by its exponential.

    The first point, learned at once, keeps the sign of s_2; the second asks v to turn.
    """
    problem = ib.Regression(np.diag([1.0, 0.02, 1.0])[:2], [0.3, -0.006])
    u = np.array([0.6, 0.8])
    first = np.outer([3.0, 4.0, 0.0], u) + np.outer([0.0, 0.0, 1.0], [0.3, -1.0])
    network = ib.FullyConnectedNetwork((3, 2))
    (text,) = failed(network, problem, ib.Initialization([first, 0.1 * u], scale=1.0))
    assert "off the chain by rounding" in text
    first[2] = 0.0  # nothing unseen: beta is X^+ y, but the layers are not known
    limit = ib.predict_limit(network, problem, ib.Initialization([first, 0.1 * u], scale=1.0))
    assert limit.parameters is None
    assert "rounding off their chain" in limit.note


@pytest.mark.parametrize("target", [-3.0, 3.0])
def test_one_point_with_three_layers_has_the_sign_that_y_asks_for(target):
    """The smallest layer turns for one of the two targets."""
    network, problem = ib.FullyConnectedNetwork((4, 1, 1)), ib.Regression(X[:1], [target])
    start = [np.array([[0.9], [0.3], [-0.4], [0.2]]), np.array([[0.7]]), np.array([0.1])]
    limit, flow = held_against_flow(network, problem, ib.Initialization(start, scale=0.5))
    assert limit.theorem == NAME
    assert ib.compare(flow, limit).error < 1e-10
    assert np.sign(limit.parameters[-1]) == np.sign(target)


def test_ties_of_one_point_keep_their_signs():
    network = ib.FullyConnectedNetwork((1, 2, 3))
    start = ib.Initialization(network.balanced([np.ones(s) for s in network.parameter_shapes]), 1.0)
    same = ib.predict_limit(network, ib.Regression([[1.0]], [2.0]), start)
    assert same.theorem == NAME
    np.testing.assert_allclose(same.coefficients, [2.0], rtol=1e-14)
    (text,) = failed(network, ib.Regression([[1.0]], [-2.0]), start)
    assert "the smallest two layers tie" in text


@pytest.mark.parametrize("unit", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("depth", [2, 4])
def test_units_of_the_data(unit, depth):
    """X -> u X and y -> u y change nothing, nor do units of single rows."""
    network = ib.FullyConnectedNetwork((4, 3, 2, 5)[:depth])
    init = ib.Initialization(balanced(network), scale=0.7)
    expected = ib.predict_limit(network, DIGITS, init).coefficients
    for factors in (np.array([unit, unit]), np.array([unit, 1.0])):
        scaled = ib.Regression(X * factors[:, None], Y * factors)
        limit = ib.predict_limit(network, scaled, init)
        assert limit.theorem == NAME
        np.testing.assert_allclose(limit.coefficients, expected, rtol=1e-12)


@pytest.mark.parametrize("apart", [1e-3, 1e-6, 1e-9, 1e-11])
@pytest.mark.parametrize("last", [2.1, 0.1])
def test_nearly_dependent_rows_in_80_digits(apart, last):
    first, data, beta = normal(9, 8, (3, 8), 8)
    data[2] = data[1] + apart * data[2]
    problem = ib.Regression(data, data @ beta)
    init = ib.Initialization([first[:, None], np.array([last])], scale=1.0)
    limit = ib.predict_limit(ib.FullyConnectedNetwork((8, 1)), problem, init)
    with mpmath.workdps(80):
        rows, w = mpmath.matrix(data.tolist()), mpmath.matrix(first.tolist())
        gram, y = rows * rows.T, mpmath.matrix(problem.y.tolist())
        least = rows.T * mpmath.lu_solve(gram, y)
        seen = rows.T * mpmath.lu_solve(gram, rows * w)
        kappa = mpmath.mpf(last) ** 2 - (seen.T * seen)[0]
        a = mpmath.sqrt((kappa + mpmath.sqrt(kappa**2 + 4 * (least.T * least)[0])) / 2)
        exact = least + a * int(np.sign(limit.parameters[1][0])) * (w - seen)
        size = max(abs(entry) for entry in exact)
        pairs = zip(limit.coefficients, exact, strict=True)
        error = max(abs(mpmath.mpf(float(found)) - entry) for found, entry in pairs) / size
    assert error < 1e-15 + limit.certificate.error
    assert limit.certificate.error < 1e-9


def test_extreme_scales():
    network = ib.FullyConnectedNetwork((4, 3, 2))
    start, least = balanced(network), np.linalg.pinv(X) @ Y
    for log_scale in (-5000.0, -690.0):
        tiny = ib.predict_limit(network, DIGITS, ib.Initialization(start, log_scale=log_scale))
        np.testing.assert_allclose(tiny.coefficients, least, rtol=1e-13)
    large = ib.predict_limit(network, DIGITS, ib.Initialization(start, scale=1e40))
    unseen = np.eye(4) - np.linalg.pinv(X) @ X
    kept = unseen @ start[0] @ start[1] @ start[2] / np.linalg.norm(start[2]) ** 2
    size = np.linalg.norm(kept)  # sigma tends to |P w_0|
    np.testing.assert_allclose(large.coefficients, 1e120 * size**2 * kept, rtol=1e-12)
    with pytest.raises(ib.NoPredictionError, match="do not fit float64"):
        ib.predict_limit(network, DIGITS, ib.Initialization(start, scale=1e110))


def test_the_path_ends_at_the_minimum_norm():
    network = ib.FullyConnectedNetwork((4, 3, 2))
    path = ib.limit_path(network, DIGITS, balanced(network), [1.0, 1e-6, 0.0])
    assert path.theorem == NAME
    np.testing.assert_allclose(path.coefficients[-1], np.linalg.pinv(X) @ Y, rtol=1e-13)
    near, far = np.abs(path.coefficients[:-1] - path.coefficients[-1]).max(axis=1)[::-1]
    assert near < 1e-5 < far
    with pytest.raises(ib.NoPredictionError, match="infinity"):
        ib.limit_path(network, DIGITS, balanced(network), [np.inf])


def test_zero_targets_and_no_data():
    network = ib.FullyConnectedNetwork((4, 3, 2))
    init = ib.Initialization(balanced(network), scale=0.8)
    limit, flow = held_against_flow(network, ib.Regression(X, [0.0, 0.0]), init)
    assert limit.theorem == NAME
    assert ib.compare(flow, limit).error < 1e-10
    nothing = ib.predict_limit(network, ib.Regression(np.zeros((1, 4)), [0.0]), init)
    expected = network.coefficients(init.parameters())
    np.testing.assert_allclose(nothing.coefficients, expected, rtol=1e-13)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("last", [0.05, 0.0])
def test_zero_targets_that_turn_a_later_layer_off(last):
    """beta and what is kept of P W_1 are 0 both: no share of nothing."""
    data, first = normal(0, (2, 5), (5, 1))
    problem, network = ib.Regression(data, np.zeros(2)), ib.FullyConnectedNetwork((5, 1, 1))
    layers = [first, np.array([[1.7]]), np.array([last])]
    found = ib.predict_limit(network, problem, ib.Initialization(layers, scale=1.0))
    assert found.theorem == "fully connected, aligned layers"
    np.testing.assert_array_equal(found.coefficients, np.zeros(5))
    flow = ib.gradient_flow(network, problem, ib.Initialization(layers, scale=1.0))
    np.testing.assert_allclose(flow.final_coefficients, np.zeros(5), atol=1e-9)


def test_sparse_data_give_what_dense_data_do():
    rng = np.random.default_rng(0)
    data = rng.standard_normal((4, 60)) * (rng.random((4, 60)) < 0.2)
    y, network = rng.standard_normal(4), ib.FullyConnectedNetwork((60, 1))
    init = ib.Initialization([rng.standard_normal((60, 1)), np.array([0.1])], scale=1.0)
    dense = ib.predict_limit(network, ib.Regression(data, y), init)
    sparse = ib.predict_limit(network, ib.Regression(scipy.sparse.csr_array(data), y), init)
    assert sparse.theorem == dense.theorem == NAME
    np.testing.assert_allclose(sparse.coefficients, dense.coefficients, rtol=1e-11, atol=1e-12)


def test_whitened_data_in_closed_form():
    """The chain's trajectory for two layers: against the flow, and at its end the limit."""
    rng = np.random.default_rng(2)
    data = 1.5 * np.linalg.qr(rng.standard_normal((5, 3)))[0].T
    problem, network = ib.Regression(data, rng.standard_normal(3)), ib.FullyConnectedNetwork((5, 1))
    first = rng.standard_normal((5, 1))
    init = ib.Initialization([first, np.array([0.4])], scale=1.0)
    times = np.array([0.1, 0.5, 2.0, 40.0])
    flow = ib.gradient_flow(network, problem, init, route="parameters", times=times)
    inside = data.T @ data / 1.5**2
    least, unseen = data.T @ problem.y / 1.5**2, first[:, 0] - inside @ first[:, 0]
    v, a = whitened_chain(inside @ first[:, 0], 0.4, least, 1.5**2, times)
    np.testing.assert_allclose(flow.coefficients[1:], a[:, None] * (v + unseen), atol=1e-9)
    limit = ib.predict_limit(network, problem, init)
    np.testing.assert_allclose(a[-1] * (v[-1] + unseen), limit.coefficients, rtol=1e-11)


def test_coefficients_that_underflow_are_no_broken_law():
    """Zero targets from exp(-430): beta is exp(-1700), its layers are given."""
    network = ib.FullyConnectedNetwork((2, 1, 1, 1))
    directions = [np.array([[0.6], [0.8]]), np.array([[1.0]]), np.array([[1.0]]), np.array([1.0])]
    init = ib.Initialization(directions, scale=1e-187)
    found = ib.predict_limit(network, ib.Regression([[1.0, 0.0]], [0.0]), init)
    np.testing.assert_array_equal(found.coefficients, np.zeros(2))
    np.testing.assert_allclose(found.parameters[0], [[0.0], [0.8e-187]], rtol=1e-12, atol=1e-200)
    assert found.certificate.worst < 1e-12


def test_rows_that_depend_in_the_units_of_the_columns_are_right_or_refused():
    """Independent, as equilibrated columns tell, of which the factors of X do not fit float64."""
    network = ib.FullyConnectedNetwork((2, 2))
    init = ib.Initialization.random(network, 0.1, seed=1)
    problem = ib.Regression([[1e-17, 1.0], [0.0, 1.0]], [1.0, 2.0])
    limit = ib.predict_limit(network, problem, init)
    np.testing.assert_allclose(limit.coefficients, [-1e17, 2.0], rtol=1e-14)
    network = ib.FullyConnectedNetwork((3, 2))
    init = ib.Initialization.random(network, 0.1, seed=1)
    X = [[1e160, 1.0, 0.0], [1e160, 1.0, 1e-150], [1.0, 1.0, 0.0]]
    with pytest.raises((ib.NoPredictionError, ib.InvalidInputError)):
        ib.predict_limit(network, ib.Regression(X, [1.0, 2.0, 3.0]), init)
