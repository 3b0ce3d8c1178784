"""Flows of classification held against predicted directions: angle, and rate of closing."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.draws import normal
from implicitbias._closing import Closing
from implicitbias._errors import InvalidInputError, Outcome
from implicitbias.comparison import compare, verify
from implicitbias.flow import gradient_flow
from implicitbias.initialization import Initialization
from implicitbias.networks import (
    ConvolutionalNetwork,
    DiagonalNetwork,
    FullyConnectedNetwork,
    TensorNetwork,
)
from implicitbias.problems import Classification, Regression
from implicitbias.theorems import predict_limit

(X,), LABELS = normal(0, (5, 12)), np.array([1.0, -1.0, 1.0, -1.0, 1.0])
PROBLEM = Classification(X, LABELS)


def with_gap(network, seed=1):
    return Initialization.random(network, 0.1, seed=seed, gap=0.2)


def test_two_diagonal_layers_slide_to_the_l1_direction_at_the_predicted_rate():
    network = DiagonalNetwork(12, 2)
    found = verify(network, PROBLEM, with_gap(network))
    assert found.agrees, str(found)
    assert found.error < 1e-5
    flow = gradient_flow(network, PROBLEM, with_gap(network), until_log_margin=3000.0)
    slide = compare(flow, found.limit).closings[0]
    assert slide.angle < 1e-12
    assert str(slide) == f"angle {slide.angle:.1e}"  # at rounding an exponent says nothing
    np.testing.assert_allclose(slide.exponent, slide.rate, rtol=0.15)


@pytest.mark.parametrize(
    ("network", "problem", "rate"),
    [
        (FullyConnectedNetwork((12, 4)), PROBLEM, 1 / 2),
        (FullyConnectedNetwork((12, 4, 3)), PROBLEM, 1 / 3),
        (FullyConnectedNetwork((12, 4)), Classification(X[:1], [1.0]), 1 / 2),
        (TensorNetwork(*normal(1, (3, 4, 12))), Classification(X[:1], [-1.0]), None),
    ],
)
def test_parameter_flows_close_in_as_predicted(network, problem, rate):
    found = verify(network, problem, Initialization.random(network, 0.3, seed=2))
    assert found.agrees, str(found)
    if rate is not None:
        np.testing.assert_allclose(found.closings[0].exponent, rate, rtol=0.02)
        assert found.limit.rate == rate
        assert found.limit.theorem in ("Corollary 1", "Theorem 3", "beyond Theorem 3")
        assert found.error < 0.02


@pytest.mark.parametrize("depth", [3, 4])
def test_deeper_diagonal_flows_reach_their_stationary_point(depth):
    network = DiagonalNetwork(12, depth)
    found = verify(network, PROBLEM, with_gap(network))
    assert found.agrees, str(found)
    assert found.error < 1e-2


def test_convolution_closes_in():
    network = ConvolutionalNetwork(12, (12, 12))
    found = verify(network, PROBLEM, with_gap(network))
    assert found.agrees, str(found)


def test_the_start_is_forgotten_and_a_wrong_direction_is_called_out():
    network = DiagonalNetwork(12, 2)
    limits = [predict_limit(network, PROBLEM, with_gap(network, seed)) for seed in (1, 2)]
    np.testing.assert_allclose(limits[0].coefficients, limits[1].coefficients, atol=1e-12)
    flow = gradient_flow(network, PROBLEM, with_gap(network), until_log_margin=2000.0)
    other = predict_limit(network, Classification(X, -LABELS), with_gap(network))
    wrong = compare(flow, other)
    assert not wrong.agrees
    assert wrong.error > 0.1


def test_a_flow_that_ended_too_early_is_undecided():
    network = DiagonalNetwork(12, 2)
    limit = predict_limit(network, PROBLEM, with_gap(network))
    early = compare(gradient_flow(network, PROBLEM, with_gap(network), until_margin=1e2), limit)
    assert early.undecided
    assert not early.agrees
    text = str(early)
    assert text.startswith("undecided with Corollary 2: dual - limit: angle")
    further = float(text.split("until_log_margin=")[1].rstrip(")"))
    flow = gradient_flow(network, PROBLEM, with_gap(network), until_log_margin=further)
    later = compare(flow, limit)
    assert later.agrees, str(later)
    wrong = predict_limit(network, Classification(X, -LABELS), with_gap(network))
    assert str(compare(flow, wrong)).startswith("DISAGREES")
    assert not compare(flow, wrong).undecided


def test_flows_and_limits_of_different_kinds_are_not_compared():
    network = DiagonalNetwork(12, 2)
    init = with_gap(network)
    limit = predict_limit(network, PROBLEM, init)
    with pytest.raises(InvalidInputError, match="different problems"):
        compare(gradient_flow(network, Regression(X, LABELS), init), limit)


@pytest.mark.parametrize("scale", [1e-6, 1e-9])
def test_a_flow_on_the_plateau_of_a_small_start_is_undecided(scale):
    """It has not begun to close in, however far its margin is, and contradicts nothing."""
    for seed in range(3):
        random = np.random.default_rng(seed)
        X = random.standard_normal((3, 4))
        problem = Classification(X, np.sign(X @ random.standard_normal(4)))
        network = ConvolutionalNetwork(num_features=4, filter_sizes=(4, 4))
        start = Initialization.random(network, scale, seed=seed, gap=0.1)
        limit = predict_limit(network, problem, start)
        flow = gradient_flow(network, problem, start, until_margin=1e6)
        assert not str(compare(flow, limit)).startswith("DISAGREES")


@pytest.mark.parametrize("kind", [Classification, Regression])
def test_the_parameters_are_the_witness_whatever_the_order_of_the_routes(kind):
    """The dual flow held against itself would agree with anything."""
    network, problem = DiagonalNetwork(12, 3), kind(PROBLEM.X, PROBLEM.y)
    first, second = (
        verify(network, problem, with_gap(network), routes=routes)
        for routes in (("parameters", "dual"), ("dual", "parameters", "dual"))
    )
    assert second.flow.route == "parameters"
    assert second.pairs == first.pairs
    assert second.pairs["parameters - dual"] > 0.0


def test_a_flow_that_never_separates_is_no_error(monkeypatch):
    """Its margin has no logarithm at which the other could be read off."""
    network = DiagonalNetwork(12, 3)
    monkeypatch.setattr("implicitbias.comparison._verify._height", lambda flow: -np.inf)
    found = verify(network, PROBLEM, with_gap(network))
    assert found.pairs["parameters - dual"] == np.inf
    assert not found.agrees


def test_a_flow_that_was_stopped_on_its_way_is_undecided():
    network = FullyConnectedNetwork((12, 4))
    init = Initialization.random(network, 0.1, seed=1)
    limit = predict_limit(network, PROBLEM, init)
    flow = gradient_flow(network, PROBLEM, init, until_margin=1e8, max_steps=30)
    found = compare(flow, limit)
    assert flow.outcome is Outcome.STEP_LIMIT and found.error > found.tolerance
    assert found.verdict == "undecided" and flow.outcome.value in str(found)


def test_an_angle_that_still_grows_says_so():
    closing = Closing(0.5, -0.0022, False, 0.0997, 9.0)
    assert str(closing) == (
        "angle 5.0e-01, growing like margin^0.0022, not settled, predicted 0.0997 asymptotically"
    )
