"""The flow in Fourier coordinates against the flow in the parameters."""

from __future__ import annotations

import numpy as np
import pytest

from implicitbias._errors import InvalidInputError, Outcome
from implicitbias.flow import gradient_flow
from implicitbias.flow.regression._fourier import FASTER_FROM, FourierFlow
from implicitbias.flow.regression._loss import squared_loss
from implicitbias.flow.regression._parameters import ParameterFlow
from implicitbias.initialization import Initialization
from implicitbias.networks import ConvolutionalNetwork
from implicitbias.problems import Classification, Regression


def case(depth, d, scale, *, zero=False, n=2):
    rng = np.random.default_rng([depth, d])
    problem = Regression(rng.normal(size=(n, d)), rng.normal(size=n))
    directions = [rng.normal(size=d) for _ in range(depth)]
    directions[-1] *= 0.0 if zero else 1.0
    return ConvolutionalNetwork(d, (d,) * depth), problem, Initialization(directions, scale)


@pytest.mark.parametrize(
    ("depth", "d", "scale", "zero"),
    [
        (2, 5, 1e-2, False),
        (2, 8, 3.0, True),
        (3, 6, 0.3, False),
        (4, 7, 1e-2, True),
        (5, 3, 1.0, False),
        (3, 2, 0.5, False),
    ],
)
def test_both_flows_end_alike(depth, d, scale, zero):
    arguments = case(depth, d, scale, zero=zero, n=min(2, d - 1))
    found, expected = (
        gradient_flow(*arguments, route=route) for route in ("fourier", "parameters")
    )
    assert found.route == "fourier"
    assert found.outcome is expected.outcome is Outcome.RESIDUAL_REACHED
    assert found.drift < 1e-12
    size = np.abs(expected.final_coefficients).max()
    np.testing.assert_allclose(
        found.final_coefficients, expected.final_coefficients, rtol=0, atol=1e-9 * size
    )
    for left, right in zip(found.final_parameters, expected.final_parameters, strict=True):
        np.testing.assert_allclose(left, right, rtol=0, atol=1e-9 * np.abs(right).max())


def test_both_flows_are_alike_on_the_way():
    arguments = case(3, 6, 0.4)
    for time in (0.05, 0.6):
        found, expected = (
            gradient_flow(*arguments, route=route, max_time=time)
            for route in ("fourier", "parameters")
        )
        assert found.outcome is expected.outcome is Outcome.TIME_REACHED
        np.testing.assert_allclose(found.final_coefficients, expected.final_coefficients, atol=1e-9)


@pytest.mark.parametrize("d", [1, 2, 6, 7])
def test_the_coordinates_are_the_parameters_in_another_orthonormal_basis(d):
    network, problem, init = case(3, d, 0.7, n=1)
    start = init.parameters()
    loss = squared_loss(problem, network.coefficients(start))
    turned, given = (kind(network, loss, start, None) for kind in (FourierFlow, ParameterFlow))
    state = turned.start
    assert state.size == given.start.size
    np.testing.assert_allclose(turned.coefficients(state), given.coefficients(given.start))
    assert turned.read(state).residual == pytest.approx(given.read(given.start).residual)
    assert turned.size(state) == pytest.approx(given.size(given.start))
    reading = given.read(given.start)
    assert turned.speed(state, reading) == pytest.approx(given.speed(given.start, reading))
    factor, expected = turned.factor(state), given.factor(given.start)
    np.testing.assert_allclose(factor @ factor.T, expected @ expected.T)
    for left, right in zip(turned.parameters(state), start, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-14)
    step = 1e-6 * np.random.default_rng(0).normal(size=state.size)
    ahead, behind = (turned.read(state + s).residual_vector for s in (step, -step))
    np.testing.assert_allclose(factor @ step, (ahead - behind) / 2, rtol=1e-6, atol=1e-12)
    velocity = -(reading.residual_vector @ factor)
    np.testing.assert_allclose(turned.velocity(state), velocity, rtol=1e-12, atol=1e-14)


def test_a_saddle_is_a_stationary_point():
    network, problem, _ = case(3, 5, 1.0)
    directions = [np.ones(5), np.zeros(5), np.zeros(5)]
    for route in ("fourier", "parameters"):
        flow = gradient_flow(network, problem, Initialization(directions, 1.0), route=route)
        assert flow.outcome is Outcome.STATIONARY


def test_where_the_route_is_taken():
    large = case(2, FASTER_FROM, 0.1)
    assert gradient_flow(*large).route == "fourier"
    assert gradient_flow(*case(2, 5, 0.1)).route == "parameters"
    network, problem, init = case(2, 5, 0.1)
    short = ConvolutionalNetwork(5, (3, 5))
    with pytest.raises(InvalidInputError, match="full-length filters"):
        gradient_flow(short, problem, Initialization.random(short, 0.1), route="fourier")
    labels = Classification(problem.X, [1.0, -1.0])
    with pytest.raises(InvalidInputError, match="is for regression"):
        gradient_flow(network, labels, init, route="fourier")
    assert gradient_flow(network, labels, init).route == "parameters"


def test_the_old_name_of_the_route_still_works():
    with pytest.warns(DeprecationWarning, match="route='fourier'") as caught:
        flow = gradient_flow(*case(2, 5, 0.1), route="coordinates")
    assert flow.route == "fourier"
    assert caught[0].filename == __file__
