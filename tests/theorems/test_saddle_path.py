"""Saddles against flows of tiny scale, their end against the path's, and what is refused."""

from fractions import Fraction

import numpy as np
import pytest

import implicitbias as ib
from reference import brute_flow, exact_saddles, small_scale_flow

X = np.array([[1.0, 0.5, 0.7, 0.0], [0.5, 1.0, 0.1, 0.7]])
Y = np.array([1.0, 0.0])


def ones(network):
    return ib.Initialization.last_layer_zero(network, np.ones(network.num_features), scale=1.0)


def between(path):
    last = path.until if np.isfinite(path.until) else 2.0 * path.times[-1]
    return 0.5 * (path.times + np.append(path.times[1:], last))


def gaussian(seed, n, d):
    rng = np.random.default_rng(seed)
    return ib.Regression(rng.standard_normal((n, d)), rng.standard_normal(n))


def relative(found, expected):
    return float(np.abs(found - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize(
    ("network", "unit"),
    [
        (ib.DiagonalNetwork(4, 2), 1.0),
        (ib.DiagonalNetwork(4, 3), np.pi / 2),
        (ib.DiagonalNetwork(4, 4), 1.0),
        (ib.TwoSidedDiagonalNetwork(4, 2), 0.5),
        (ib.TwoSidedDiagonalNetwork(4, 3), 1.0 / 3.0),
        (ib.TwoSidedDiagonalNetwork(4, 2.5), 0.8),
    ],
    ids=str,
)
def test_the_example_at_every_depth(network, unit):
    start = ones(network) if network.is_multilinear else [np.ones(4), np.ones(4)]
    path = ib.saddle_path(network, ib.Regression(X, Y), start)
    np.testing.assert_allclose(path.times, unit * np.array([1.0, 4.0, 4.0 + 80.0 / 49.0]))
    expected = [[0.8, 0, 0, 0], [0, 0, 1.4, 0], [0, 0, 10.0 / 7.0, -10.0 / 49.0]]
    np.testing.assert_allclose(path.coefficients, expected, atol=1e-15)
    assert [each.tolist() for each in path.active] == [[0], [2], [2, 3]]
    assert (path.end, path.until) == ("interpolation", np.inf)
    np.testing.assert_allclose(np.abs(path.duals @ X).max(axis=1), unit)
    assert path.worst < 1e-14


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("seed", range(4))
def test_the_end_is_that_of_the_limit_path(depth, seed):
    problem, network = gaussian(seed, 6, 25), ib.DiagonalNetwork(25, depth)
    start = ib.Initialization.random(network, 0.1, seed=seed)
    path = ib.saddle_path(network, problem, start)
    end = ib.limit_path(network, problem, start, [0.0]).coefficients[0]
    assert path.times.size >= 6
    assert relative(path.final_coefficients, end) < 1e-13


def test_a_plain_flow_is_at_the_saddles_between_jumps_and_jumps_late_by_one_over_log():
    problem, network = ib.Regression(X, Y), ib.DiagonalNetwork(4, 2)
    path = ib.saddle_path(network, problem, ones(network))
    late = []
    for size in (50.0, 200.0, 1000.0):
        found = small_scale_flow.two_layers(X, Y, -size, between(path) * size)
        near = path.times[1] + np.linspace(-0.5, 0.5, 2001)
        beta = small_scale_flow.two_layers(X, Y, -size, near * size)
        late.append(near[np.argmax(beta[:, 2] > 0.7)] - path.times[1])
    assert relative(found, path.coefficients) < 1e-6
    assert 3.0 < late[0] / late[1] < 5.0
    assert 3.5 < late[1] / late[2] < 6.5


def test_the_parameters_flow_is_at_the_saddles_between_jumps():
    data = np.array([[1.0, 0.3, 0.0], [0.2, 0.5, 1.0]])
    y = np.array([1.0, 0.4])
    network = ib.DiagonalNetwork(3, 3)
    path = ib.saddle_path(network, ib.Regression(data, y), ones(network))
    scale = 1e-2
    times = between(path) * np.exp(path.log_time_unit(np.log(scale)))
    layers = [scale * np.ones(3), scale * np.ones(3), np.zeros(3)]
    found = brute_flow.diagonal_flow(data, y, layers, times)
    assert path.times.size == 2
    assert relative(found, path.coefficients) < 1e-2


@pytest.mark.parametrize(
    ("network", "log_scale"),
    [
        (ib.DiagonalNetwork(12, 2), -1000.0),
        (ib.DiagonalNetwork(12, 3), -14.0),
        (ib.TwoSidedDiagonalNetwork(12, 3), -14.0),
        (ib.TwoSidedDiagonalNetwork(12, 2), -1000.0),
    ],
    ids=str,
)
def test_dual_flows_from_unequal_starts_are_at_the_saddles(network, log_scale):
    problem, start = gaussian(2, 4, 12), ib.Initialization.random(network, 1.0, seed=1)
    path = ib.saddle_path(network, problem, start)
    there = ib.Initialization(start.directions, log_scale=log_scale)
    times = between(path) * np.exp(path.log_time_unit(log_scale))
    flow = ib.gradient_flow(network, problem, there, route="dual", times=times)
    assert path.times.size >= 3
    assert relative(flow.coefficients[1:], path.coefficients) < 1e-6


def test_full_length_filters_on_even_data():
    rng = np.random.default_rng(3)
    half = rng.standard_normal((2, 8))
    problem = ib.Regression(half + half[:, -np.arange(8)], rng.standard_normal(2))
    network = ib.ConvolutionalNetwork(8, (8, 8))
    first = rng.standard_normal(8)
    start = ib.Initialization.last_layer_zero(network, first + first[-np.arange(8)], scale=1.0)
    path = ib.saddle_path(network, problem, start)
    there = ib.Initialization(start.directions, log_scale=-1000.0)
    times = between(path) * np.exp(path.log_time_unit(-1000.0))
    flow = ib.gradient_flow(network, problem, there, route="dual", times=times)
    assert path.times.size >= 2
    assert relative(flow.coefficients[1:], path.coefficients) < 1e-8
    end = ib.limit_path(network, problem, start, [0.0]).coefficients[0]
    assert relative(path.final_coefficients, end) < 1e-13


@pytest.mark.parametrize(("depth", "log_scale"), [(2, -1000.0), (3, -14.0)])
def test_equal_columns_share_as_the_flow_does(depth, log_scale):
    twice = np.hstack([X, X[:, :1], X[:, :1] + X[:, 2:3]])
    network, problem = ib.DiagonalNetwork(6, depth), ib.Regression(twice, Y)
    eta = np.array([1.0, 1.0, 1.0, 1.0, 2.0 if depth == 2 else 1.0, 1.0])
    start = ib.Initialization.last_layer_zero(network, eta, scale=1.0)
    path = ib.saddle_path(network, problem, start)
    there = ib.Initialization(start.directions, log_scale=log_scale)
    times = between(path) * np.exp(path.log_time_unit(log_scale))
    flow = ib.gradient_flow(network, problem, there, route="dual", times=times)
    shared = ib.saddle_path(
        network, ib.Regression(twice[:, [0, 1, 2, 3, 4, 3]], Y), start
    ).coefficients[0]
    assert shared[4] == pytest.approx((eta[4] / eta[0]) ** 2 * shared[0])
    assert relative(flow.coefficients[1:], path.coefficients) < 1e-6


@pytest.mark.parametrize("seed", [6, 24, 41, 46])
def test_the_first_stage_of_a_classifier(seed):
    data = np.random.default_rng(seed).standard_normal((7, 5))
    y = np.array([1.0, -1.0, -1.0, 1.0, 1.0, -1.0, 1.0])
    network = ib.DiagonalNetwork(5, 2)
    path = ib.saddle_path(network, ib.Classification(data, y), ones(network))
    times = between(path) * 1000.0
    found = small_scale_flow.two_layers(data, y, -1000.0, times, exponential=True)
    assert path.times.size >= 3
    assert relative(found, path.coefficients) < 1e-8
    assert path.end == "growth"
    late = path.coefficients_at([0.99 * path.until, path.until, 2.0 * path.until])
    np.testing.assert_array_equal(late[0], path.final_coefficients)
    assert np.isnan(late[1:]).all()
    pull = y * np.exp(-y * (data @ path.final_coefficients))
    clocks = data.T @ (path.duals[-1] + (path.until - path.times[-1]) * pull)
    assert np.abs(clocks).max() == pytest.approx(1.0)
    np.testing.assert_array_equal(np.flatnonzero(np.abs(clocks) > 1.0 - 1e-9), path.growing)


def test_a_classifier_that_separates_at_once_has_no_saddle():
    network = ib.DiagonalNetwork(2, 2)
    path = ib.saddle_path(
        network, ib.Classification([[1.0, 0.5], [2.0, -1.0]], [1, 1]), ones(network)
    )
    assert path.coefficients.shape == (0, 2)
    assert path.until == pytest.approx(1.0 / 3.0)
    assert path.growing.tolist() == [0]
    np.testing.assert_array_equal(path.final_coefficients, np.zeros(2))
    assert "grow without bound" in str(path)


def test_classes_that_are_not_separable_end_at_the_least_loss():
    network = ib.DiagonalNetwork(1, 2)
    problem = ib.Classification([[1.0], [1.0], [1.0]], [1, 1, -1])
    path = ib.saddle_path(network, problem, ones(network))
    assert path.end == "least loss"
    np.testing.assert_allclose(path.coefficients, [[0.5 * np.log(2.0)]])


def test_signs_that_reach_no_interpolator_end_at_the_least_squares():
    network = ib.DiagonalNetwork(2, 2)
    problem = ib.Regression([[1.0, 0.5], [0.0, 1.0]], [1.0, -1.0])
    path = ib.saddle_path(network, problem, [np.ones(2), np.ones(2)])
    np.testing.assert_allclose(path.final_coefficients, [1.0, 0.0], atol=1e-15)
    assert path.end == "least loss"


def test_nothing_to_learn_has_no_saddle():
    network = ib.DiagonalNetwork(3, 3)
    path = ib.saddle_path(network, ib.Regression(np.eye(2, 3), np.zeros(2)), ones(network))
    assert (path.times.size, path.end, path.worst) == (0, "interpolation", 0.0)
    assert path.coefficients_at([0.0, 5.0]).tolist() == [[0.0] * 3] * 2
    assert "nothing moves" in str(path)


@pytest.mark.parametrize(("units", "size"), [(1e-8, 1.0), (1e8, 1e-8), (1e60, 1e-200)])
def test_units_are_taken_out(units, size):
    problem, network = gaussian(4, 5, 14), ib.DiagonalNetwork(14, 3)
    path = ib.saddle_path(network, problem, ones(network))
    columns = units ** np.linspace(-1.0, 1.0, 14)
    there = ib.Regression(problem.X * units, problem.y * size)
    scaled = ib.saddle_path(network, there, ones(network))
    np.testing.assert_allclose(scaled.times * units * size, path.times, rtol=1e-12)
    np.testing.assert_allclose(scaled.coefficients / (size / units), path.coefficients, atol=1e-11)
    apart = ib.saddle_path(network, ib.Regression(problem.X * columns, problem.y), ones(network))
    end = ib.limit_path(
        network, ib.Regression(problem.X * columns, problem.y), ones(network), [0.0]
    )
    assert relative(apart.final_coefficients, end.coefficients[0]) < 1e-10


def test_scales_do_not_count_and_points_may_depend():
    problem, network = gaussian(5, 3, 8), ib.DiagonalNetwork(8, 2)
    start = ib.Initialization.random(network, 1.0, seed=2)
    path = ib.saddle_path(network, problem, start)
    tiny = ib.saddle_path(network, problem, ib.Initialization(start.directions, log_scale=-1e5))
    np.testing.assert_array_equal(path.coefficients, tiny.coefficients)
    again = ib.Regression(np.vstack([problem.X] * 2), np.tile(problem.y, 2))
    twice = ib.saddle_path(network, again, start)
    np.testing.assert_allclose(twice.times, path.times / 2.0)  # twice the loss
    np.testing.assert_allclose(twice.coefficients, path.coefficients, atol=1e-12)


def test_sparse_data():
    from scipy import sparse

    problem, network = gaussian(6, 4, 15), ib.DiagonalNetwork(15, 2)
    dense = np.where(np.abs(problem.X) > 0.7, problem.X, 0.0)
    one = ib.saddle_path(network, ib.Regression(dense, problem.y), ones(network))
    other = ib.saddle_path(
        network, ib.Regression(sparse.csr_array(dense), problem.y), ones(network)
    )
    np.testing.assert_allclose(other.coefficients, one.coefficients, atol=1e-13)
    np.testing.assert_allclose(other.times, one.times)


def test_the_rounding_of_data_is_part_of_the_error():
    problem = gaussian(7, 5, 9)
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((9, 9)))[0]
    near = np.eye(9) * np.logspace(0, -6, 9) @ turn  # S of condition 1e6
    network = ib.OrthogonalNetwork(near, [np.eye(9)] * 2)
    exact = ib.saddle_path(ib.DiagonalNetwork(9, 2), problem, ones(ib.DiagonalNetwork(9, 2)))
    rounded = ib.saddle_path(network, problem, [np.ones(9), np.zeros(9)])
    assert max(each.error for each in exact.certificates) < 1e-15
    assert 1e-15 < max(each.error for each in rounded.certificates) < 1e-8
    end = ib.limit_path(network, problem, [np.ones(9), np.zeros(9)], [0.0]).coefficients[0]
    assert relative(rounded.final_coefficients, end) <= rounded.certificates[-1].error + 1e-12


def test_values_between_jumps_and_units_of_time():
    path = ib.saddle_path(ib.DiagonalNetwork(4, 2), ib.Regression(X, Y), [np.ones(4), np.zeros(4)])
    found = path.coefficients_at([0.0, 0.999, path.times[0], 4.5, 100.0])
    expected = np.vstack([np.zeros((2, 4)), path.coefficients])
    np.testing.assert_array_equal(found, expected[[0, 1, 2, 3, 4]])
    assert path.log_time_unit(-50.0) == pytest.approx(np.log(50.0))
    deep = ib.saddle_path(
        ib.DiagonalNetwork(4, 4), ib.Regression(X, Y), [*[np.ones(4)] * 3, np.zeros(4)]
    )
    assert deep.log_time_unit(-50.0) == pytest.approx(100.0)
    for wrong in (0.0, 1.0, np.nan, -np.inf, "a"):
        with pytest.raises(ib.InvalidInputError, match="log_scale"):
            path.log_time_unit(wrong)
    for times in ([-1.0], [np.nan], 1.0, []):
        with pytest.raises(ib.InvalidInputError, match="times"):
            path.coefficients_at(times)


@pytest.mark.parametrize(
    ("network", "named"),
    [
        (ib.FullyConnectedNetwork((4, 3)), "Assumption 1"),
        (ib.ConvolutionalNetwork(4, (4, 4)), "phase"),
        (ib.TensorNetwork(np.random.default_rng(0).standard_normal((3, 3, 4))), "Assumption 1"),
    ],
    ids=str,
)
def test_networks_that_do_not_decouple_are_refused(network, named):
    start = ib.Initialization.random(network, 1.0, seed=0)
    with pytest.raises(ib.NoPredictionError, match=named) as caught:
        ib.saddle_path(network, ib.Regression(X, Y), start)
    assert any(verdict.fails for verdict in caught.value.assumptions)


def test_dead_starts_long_walks_and_vain_wishes_are_refused():
    network, problem = ib.DiagonalNetwork(4, 2), ib.Regression(X, Y)
    with pytest.raises(ib.NoPredictionError, match="some of them move"):
        ib.saddle_path(network, problem, [np.zeros(4), np.zeros(4)])
    with pytest.raises(ib.NoPredictionError, match="after 2 jumps"):
        ib.saddle_path(network, problem, ones(network), max_jumps=2)
    assert ib.saddle_path(network, problem, ones(network), max_jumps=3).times.size == 3
    with pytest.raises(ib.NoPredictionError, match="certified only to"):
        ib.saddle_path(network, problem, ones(network), certified_to=1e-20)
    with pytest.raises(ib.InvalidInputError, match="max_jumps"):
        ib.saddle_path(network, problem, ones(network), max_jumps=0)
    with pytest.raises(ib.InvalidInputError):
        ib.saddle_path(network, problem, [np.ones(3), np.ones(3)])
    with pytest.raises(ib.NoPredictionError, match="do not fit float64"):
        ib.saddle_path(ib.DiagonalNetwork(4, 5), problem, [1e-200 * np.ones(4)] * 4 + [np.zeros(4)])


@pytest.mark.parametrize("sizes", [[1e-120, 1e90], [1e-150, 1.0]])
def test_clocks_further_apart_than_float64_holds_are_refused(sizes):
    """They would be infinite, and beta = 0 certified as the end, where nothing moves."""
    network = ib.DiagonalNetwork(2, 5)
    problem = ib.Regression(np.array([[1.0, 2.0], [3.0, -1.0]]), np.array([1.0, 2.0]))
    start = ib.Initialization.last_layer_zero(network, np.array(sizes), scale=1.0)
    with pytest.raises(ib.NoPredictionError, match="apart, further than float64"):
        ib.saddle_path(network, problem, start)
    near = ib.Initialization.last_layer_zero(network, np.array([1e-40, 1e30]), scale=1.0)
    path = ib.saddle_path(network, problem, near)
    np.testing.assert_allclose(path.final_coefficients, [5.0 / 7.0, 1.0 / 7.0])


def test_explain_points_to_it():
    network = ib.DiagonalNetwork(4, 2)
    for problem in (ib.Regression(X, Y), ib.Classification(X, [1, -1])):
        said = ib.explain(network, problem, ones(network))
        finding = next(each for each in said.findings if each.result.startswith("Saddles"))
        assert finding.standing == "applies"
        assert "saddle_path(network, problem, init)" in str(said)


@pytest.mark.parametrize(
    ("X", "y"),
    [
        ([[3.0, 7.0], [0.3, 0.7 + 1e-12]], [1.0, 2.0]),
        ([[3.0, 7.0], [0.3, 0.7 + 1e-14]], [1.0, 2.0]),
        ([[26184251.0, 5409164.0], [2618425.100000175, 540916.4000001308]], None),
        ([[1 + 2.0**-52, 1.0, -1.0, 1 - 7e-16], [-1.0, -1.0, 1.0, -1 - 7e-16]], [2.15, 1.63]),
        ([[-0.0015, 30.0, 0.2, 0.25, 0.0], [-0.0015, 30.0, 0.2, 0.25, -8e-21]], [0.39, 0.08]),
    ],
)
def test_ends_that_float64_does_not_tell_are_refused(X, y):
    """The loss is not least there, or a residual that counts as 0 moves beta by order 1."""
    network = ib.DiagonalNetwork(len(X[0]), 2)
    problem = ib.Regression(X, np.array(X)[:, 1] if y is None else y)
    with pytest.raises(ib.NoPredictionError):
        ib.saddle_path(network, problem, ones(network))


def test_walks_that_stand_still_are_given_up():
    """A clock that runs out by rounding alone does so again and again."""
    first = [2.0, -1.0, -7.0, 0.0, 2.0, -9.0, 2.0]
    tenth = [0.2, -0.1, -0.7, 0.0, 0.2, -0.9, 0.2] + 1e-13 * np.arange(-3.0, 4.0)
    near = -np.array(first) + 1e-6 * np.array([-2.7, 0.07, 6.8, 0.0, 0.08, -2.3, 1.8])
    others = [[-2.0, -9.0, 5.0, -2.0, 4.0, 6.0, 5.0], [5.0, -5.0, 5.0, 8.0, 5.0, 0.0, -5.0]]
    problem = ib.Regression(np.column_stack([first, *others, near, tenth]), tenth)
    network = ib.DiagonalNetwork(5, 2)
    with pytest.raises(ib.NoPredictionError):
        ib.saddle_path(network, problem, ones(network), max_jumps=50)


def test_times_beside_time_stamps_are_told_to_their_digits():
    """X beta of 1e12 leaves a residual of 2, which decides when the next clock ends."""
    X = np.array(
        [
            [-2.9928122845455335e-03, 1.6999999999999883e12, -1.5474801709416268, -1.85],
            [1.1911160609631142, 1.6999999999985271e12, 1.4888299906465197, -2.06],
        ]
    )
    y = np.array([-1.8081118121067725e12, -1.8081118121094839e12])
    network, budgets = ib.DiagonalNetwork(4, 2), [Fraction(1)] * 4
    path = ib.saddle_path(network, ib.Regression(X, y), ones(network))
    exact = exact_saddles.saddles(X, y, budgets, budgets)
    assert path.times.size == len(exact) == 2
    off = np.abs(path.times / [float(each[0]) for each in exact] - 1.0)
    assert np.all(off <= np.maximum(path.time_errors, 1e-15)) and off.max() < 1e-11
