"""Both regression flows against the definition, and every way in which they can end."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.draws import normal
from implicitbias._errors import InvalidInputError, Outcome
from implicitbias.flow import gradient_flow, has_dual_flow
from implicitbias.initialization import Initialization
from implicitbias.networks import (
    ConvolutionalNetwork,
    DiagonalNetwork,
    FullyConnectedNetwork,
    OrthogonalNetwork,
    TensorNetwork,
)
from implicitbias.problems import Regression
from reference.brute_flow import regression_flow

X, Y, S, *FACTORS = normal(0, (3, 5), 3, (5, 5), (6, 5), (6, 5), (6, 5))
PROBLEM = Regression(X, Y)
EVEN = Regression(X + X[:, -np.arange(5)], Y)
ORTHOGONAL = OrthogonalNetwork(S, [np.linalg.qr(factor)[0] for factor in FACTORS])
EVEN_START = [np.array([2.0, 0.3, -0.2, -0.2, 0.3])] * 2 + [np.zeros(5)]
CASES = [
    (DiagonalNetwork(5, 2), PROBLEM, None),
    (DiagonalNetwork(5, 4), PROBLEM, None),
    (ORTHOGONAL, PROBLEM, None),
    (ConvolutionalNetwork(5, (5, 5, 5)), EVEN, EVEN_START),
    (ConvolutionalNetwork(5, (2, 5)), PROBLEM, None),
    (FullyConnectedNetwork((5, 3, 2)), PROBLEM, None),
    (TensorNetwork(normal(1, (3, 4, 5))[0] / 3), PROBLEM, None),
]


def dense_tensor(network):
    """T[j_1, .., j_L, i] = M(e_i)[j_1, .., j_L]."""
    return np.stack([network.data_tensor(e) for e in np.eye(network.num_features)], axis=-1)


@pytest.mark.parametrize(("network", "problem", "directions"), CASES)
def test_both_routes_follow_the_definition(network, problem, directions):
    init = (
        Initialization(directions, 0.5)
        if directions is not None
        else Initialization.random(network, 0.5, seed=1)
    )
    times = np.array([0.05, 0.2, 0.7])
    layers = [np.ravel(layer) for layer in init.parameters()]
    expected = regression_flow(dense_tensor(network), problem.X, problem.y, layers, times)
    decoupled = problem is EVEN or isinstance(network, (DiagonalNetwork, OrthogonalNetwork))
    assert has_dual_flow(network, problem, init) == decoupled
    for route in ["parameters"] + ["dual"] * decoupled:
        for time, beta in zip(times, expected, strict=True):
            flow = gradient_flow(network, problem, init, route=route, max_time=float(time))
            assert flow.outcome is Outcome.TIME_REACHED
            np.testing.assert_allclose(flow.times[-1], time, rtol=1e-12)
            size = np.abs(beta).max()
            np.testing.assert_allclose(flow.final_coefficients, beta, atol=1e-8 * size)
            np.testing.assert_allclose(
                network.coefficients(flow.final_parameters), beta, atol=1e-8 * size
            )


def test_saved_points_are_a_trajectory_of_falling_loss():
    network = DiagonalNetwork(5, 3)
    init = Initialization.last_layer_zero(network, np.ones(5), 0.1)
    flow = gradient_flow(network, PROBLEM, init, route="parameters")
    assert flow.outcome is Outcome.RESIDUAL_REACHED
    assert flow.residual <= 1e-10
    assert flow.drift < 1e-8
    assert flow.coefficients.shape == (flow.times.size, 5)
    assert np.all(np.diff(flow.times) > 0)
    assert np.all(np.diff(flow.log_losses) <= 1e-12)
    np.testing.assert_allclose(np.exp(flow.log_times[1:]), flow.times[1:], rtol=1e-12)
    assert "parameters" in str(flow)


def test_every_ending_is_named():
    network = DiagonalNetwork(2, 2)
    locked = Initialization([np.ones(2), np.ones(2)], 1.0)
    stuck = gradient_flow(network, Regression(np.eye(2), [1.0, -1.0]), locked, route="parameters")
    assert stuck.outcome is Outcome.STATIONARY
    np.testing.assert_allclose(stuck.final_coefficients, [1.0, 0.0], atol=1e-3)
    start = Initialization.last_layer_zero(network, np.ones(2), 0.5)
    stopped = gradient_flow(
        network, Regression([[1.0, 2.0]], [1.0]), start, callback=lambda state: True
    )
    assert stopped.outcome is Outcome.STOPPED_BY_CALLBACK
    solved = gradient_flow(network, Regression([[1.0, 2.0]], [0.0]), start)
    assert solved.outcome is Outcome.RESIDUAL_REACHED
    np.testing.assert_array_equal(solved.final_coefficients, np.zeros(2))


def test_callback_sees_a_falling_residual():
    network = DiagonalNetwork(5, 2)
    init = Initialization.last_layer_zero(network, np.ones(5), 0.1)
    seen = []
    gradient_flow(network, PROBLEM, init, route="dual", callback=lambda s: seen.append(s.residual))
    assert len(seen) > 10
    assert seen[-1] < 1e-9 < seen[0]


def test_bad_arguments_are_refused_before_any_work():
    network = DiagonalNetwork(5, 2)
    init = Initialization.random(network, 1.0)
    for arguments, text in (
        ({"route": "sideways"}, "route"),
        ({"until_residual": np.nan}, "until_residual"),
        ({"max_time": -1.0}, "max_time"),
    ):
        with pytest.raises(InvalidInputError, match=text):
            gradient_flow(network, PROBLEM, init, **arguments)
    short = ConvolutionalNetwork(5, (2, 5))
    with pytest.raises(InvalidInputError, match="dual"):
        gradient_flow(short, PROBLEM, Initialization.random(short, 1.0), route="dual")
    with pytest.raises(InvalidInputError, match="float64"):
        tiny = Initialization(init.directions, log_scale=-800.0)
        gradient_flow(network, PROBLEM, tiny, route="parameters")
