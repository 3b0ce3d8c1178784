"""The dual flow: its end, its layers, its trajectory, and where float64 stops it."""

import numpy as np
import pytest

from helpers.flows import FAMILIES, diagonal, distance
from implicitbias import Initialization
from implicitbias._errors import InvalidInputError, Outcome
from implicitbias.flow import gradient_flow, has_dual_flow
from implicitbias.networks import ConvolutionalNetwork, DiagonalNetwork
from implicitbias.problems import Regression
from reference import brute_flow, precise_potential


@pytest.mark.parametrize("scale", [1e-2, 1e2])
@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("family", list(FAMILIES))
def test_ends_where_high_precision_says(family, depth, scale):
    case = FAMILIES[family](depth, scale)
    flow = gradient_flow(case.network, case.problem, case.init)
    assert (flow.route, flow.drift) == ("dual", 0.0)
    assert flow.outcome is Outcome.RESIDUAL_REACHED
    assert distance(flow.final_coefficients, case.limit(scale)) <= 1e-9
    np.testing.assert_allclose(
        case.network.coefficients(flow.final_parameters), flow.final_coefficients, rtol=1e-9
    )


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_same_layers_at_the_same_times_from_any_start(depth):
    rng = np.random.default_rng(depth)
    network = DiagonalNetwork(7, depth)
    problem = Regression(rng.standard_normal((3, 7)), rng.standard_normal(3))
    init = Initialization(list(rng.standard_normal((depth, 7))), 0.6)
    for time in (0.1, 5.0):
        flows = [
            gradient_flow(network, problem, init, route=route, max_time=time, until_residual=1e-15)
            for route in ("parameters", "dual")
        ]
        for found, expected in zip(*(flow.final_parameters for flow in flows), strict=True):
            assert distance(found, expected) <= 1e-6
        assert distance(flows[1].final_coefficients, flows[0].final_coefficients) <= 1e-6


def test_tighter_tolerance_brings_the_trajectories_together():
    case = diagonal(3, 0.1)
    exact, *duals = [
        gradient_flow(case.network, case.problem, case.init, route=route, rtol=tol, max_time=30.0)
        for route, tol in (("parameters", 1e-9), ("dual", 1e-5), ("dual", 1e-11))
    ]
    rough, fine = (distance(d.final_coefficients, exact.final_coefficients) for d in duals)
    assert fine <= 1e-9 < rough


def test_rows_that_depend_on_each_other():
    case = diagonal(3, 0.1)
    X, y = case.problem.X, case.problem.y
    mixing = np.vstack([np.eye(3), [[1.0, -2.0, 0.5], [0.0, 0.0, 0.0]]])
    flow = gradient_flow(case.network, Regression(mixing @ X, mixing @ y), case.init)
    assert flow.route == "dual"
    assert distance(flow.final_coefficients, case.limit(0.1)) <= 1e-9


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
def test_right_to_1e_9_at_given_times(depth):
    case = diagonal(depth, 0.1)
    init, whole = case.init, gradient_flow(case.network, case.problem, case.init, route="dual")
    times = np.geomspace(1e-3, 0.5, 60) * whole.times[-1]
    exact = brute_flow.diagonal_flow(case.problem.X, case.problem.y, init.parameters(), times)
    flow = gradient_flow(case.network, case.problem, init, route="dual", times=times)
    assert np.abs(np.diff(exact, axis=0)).max() > 0.05 * np.abs(exact).max()
    apart = np.abs(flow.coefficients[1:] - exact).max() / np.abs(exact).max()
    assert apart <= 1e-9
    for saved, beta in zip(whole.times[1:-1:20], whole.coefficients[1:-1:20], strict=True):
        near = [
            gradient_flow(case.network, case.problem, init, route="dual", max_time=time)
            for time in (saved * (1 - 1e-8), saved, saved * (1 + 1e-8))
        ]
        before, there, after = (flow.final_coefficients for flow in near)
        moved = np.abs(after - before) + 1e-8 * np.abs(there).max()
        assert np.all(np.abs(beta - there) <= moved)


@pytest.mark.parametrize("depth", [3, 4])
def test_a_single_point_at_given_times(depth):
    """Newton's matrix of one point was laid out in columns, and its diagonal lost."""
    X, y = np.array([[1.0, 2.0, 3.0]]), np.array([1.0])
    layers = [np.ones(3)] * (depth - 1) + [np.zeros(3)]
    init = Initialization(layers, scale=0.1)
    times = [1.0, 5.0, 10.0]
    flow = gradient_flow(
        DiagonalNetwork(3, depth), Regression(X, y), init, route="dual", times=times
    )
    brute = brute_flow.diagonal_flow(X, y, [0.1 * layer for layer in layers], times)
    np.testing.assert_allclose(flow.coefficients[1:], brute, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize(("depth", "scale"), [(4, 1e-6), (5, 1e-4), (6, 1e-3), (8, 1e-2)])
@pytest.mark.parametrize("start", ["Theorem 5", "random"])
def test_ends_closer_than_the_clock_resolves(depth, scale, start):
    case = diagonal(depth, 1.0, n=2, d=4)
    layers = case.init.directions
    if start == "random":
        layers = list(np.random.default_rng(depth).uniform(0.3, 1.2, (depth, 4)))
        layers[-1] *= -1.0
    init = Initialization(layers, scale)
    limit = np.array(precise_potential.limit(case.problem.X, case.problem.y, layers, scale))
    flow = gradient_flow(case.network, case.problem, init, route="dual")
    assert (flow.outcome, flow.method) == (Outcome.RESIDUAL_REACHED, "Radau IIA, order 13")
    assert distance(flow.final_coefficients, limit) <= 1e-9
    beta = case.network.coefficients(flow.final_parameters)
    assert distance(beta, flow.final_coefficients) <= 1e-11


def test_ends_asked_for_to_fewer_digits_need_no_carried_curves():
    """A rounding of nu moves rho by less than a millionth there."""
    network, rng = DiagonalNetwork(30, 4), np.random.default_rng(0)
    problem = Regression(rng.standard_normal((6, 30)), rng.standard_normal(6))
    init = Initialization.last_layer_zero(network, np.ones(30), 1e-3)
    rough = gradient_flow(network, problem, init, until_residual=1e-6, until_change=1e-6)
    assert (rough.outcome, rough.method) == (Outcome.RESIDUAL_REACHED, "LSODA")
    exact = gradient_flow(network, problem, init)
    assert exact.method == "Radau IIA, order 13"
    assert distance(rough.final_coefficients, exact.final_coefficients) < 1e-5


def test_where_float64_loses_the_slack_the_parameters_take_over():
    case = diagonal(5, 1e-6, n=2, d=4)
    dual = gradient_flow(case.network, case.problem, case.init, route="dual")
    assert dual.outcome is Outcome.PRECISION_REACHED
    above_the_floor = np.maximum(dual.log_losses, dual.log_losses[-1])
    assert np.all(np.diff(above_the_floor) <= 1e-6)
    auto = gradient_flow(case.network, case.problem, case.init)
    assert auto.route == "parameters"


def test_a_callback_changes_nothing():
    case = diagonal(3, 0.1)
    alone, watched = (
        gradient_flow(case.network, case.problem, case.init, route="dual", callback=callback)
        for callback in (None, lambda state: False)
    )
    assert alone.num_steps == watched.num_steps
    np.testing.assert_array_equal(alone.coefficients, watched.coefficients)


def test_scales_whose_time_is_beyond_float64():
    case = diagonal(6, 1e50)
    flow = gradient_flow(case.network, case.problem, case.init)
    assert flow.outcome is Outcome.RESIDUAL_REACHED
    assert flow.times[-1] == 0.0
    assert np.all(np.diff(flow.log_times[1:]) > 0)
    assert flow.log_times[-1] < -1100
    scale = 1e10  # at infinity already, and in the reach of the reference for L = 4
    finite = diagonal(4, scale)
    weighted = finite.eta**6
    X = finite.problem.X
    limit = weighted * (X.T @ np.linalg.solve((X * weighted) @ X.T, finite.problem.y))
    flow = gradient_flow(finite.network, finite.problem, finite.init)
    assert distance(flow.final_coefficients, limit) <= 1e-10


def test_needs_real_decoupled_coordinates():
    rng = np.random.default_rng(0)
    network = ConvolutionalNetwork(5, (5, 5))
    problem = Regression(rng.standard_normal((2, 5)), rng.standard_normal(2))
    init = Initialization(list(rng.standard_normal((2, 5))), 1.0)
    assert not has_dual_flow(network, problem, init)
    with pytest.raises(InvalidInputError, match="share a phase"):
        gradient_flow(network, problem, init, route="dual")
    assert gradient_flow(network, problem, init).route == "parameters"
