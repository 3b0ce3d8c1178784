"""The dual flow: its end, its layers, its trajectory, and where float64 stops it."""

import numpy as np
import pytest

from helpers.flows import FAMILIES, diagonal, distance
from implicitbias import Initialization
from implicitbias._errors import InvalidInputError, Outcome
from implicitbias.flow import gradient_flow, has_dual_flow
from implicitbias.networks import ConvolutionalNetwork, DiagonalNetwork
from implicitbias.problems import Regression


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


def test_where_float64_loses_the_slack_the_parameters_take_over():
    case = diagonal(5, 1e-3, n=2, d=4)
    dual = gradient_flow(case.network, case.problem, case.init, route="dual")
    assert dual.outcome is Outcome.PRECISION_REACHED
    above_the_floor = np.maximum(dual.log_losses, dual.log_losses[-1])
    assert np.all(np.diff(above_the_floor) <= 1e-6)
    auto = gradient_flow(case.network, case.problem, case.init)
    assert auto.route == "parameters"
    assert auto.outcome is Outcome.RESIDUAL_REACHED


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
