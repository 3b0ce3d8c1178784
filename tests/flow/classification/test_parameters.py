"""Classification flows of the parameters, by Radau IIA, against LSODA."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.draws import normal
from helpers.flows import assert_same_direction
from implicitbias._errors import Outcome
from implicitbias.flow import gradient_flow
from implicitbias.flow.classification import _parameters as system
from implicitbias.flow.classification._loss import MarginLoss
from implicitbias.initialization import Initialization
from implicitbias.networks import (
    ConvolutionalNetwork,
    DiagonalNetwork,
    FullyConnectedNetwork,
    TensorNetwork,
    layer_alignment,
)
from implicitbias.problems import Classification
from implicitbias.theorems import predict_limit

X, Y = normal(0, (4, 8), 4)
Y = np.sign(Y)
PROBLEM = Classification(X, Y)


@pytest.mark.parametrize("loss", ["exponential", "logistic"])
@pytest.mark.parametrize(
    ("network", "route"),
    [
        (FullyConnectedNetwork((8, 5)), "parameters"),
        (FullyConnectedNetwork((8, 3, 3, 3)), "parameters"),
        (ConvolutionalNetwork(8, (8, 8, 8)), "parameters"),
    ],
)
def test_both_integrators_follow_one_flow(monkeypatch, network, route, loss):
    init = Initialization.random(network, 0.3, seed=1)
    for margin in (1.0, 1e4):
        options = {"route": route, "until_margin": margin, "loss": loss}
        found = gradient_flow(network, PROBLEM, init, **options)
        monkeypatch.setattr(system, "LOW_RANK", 0)
        expected = gradient_flow(network, PROBLEM, init, **options)
        monkeypatch.undo()
        assert (found.method, expected.method) == ("Radau IIA, order 13", "LSODA")
        assert found.drift < 1e-12
        assert_same_direction(found, expected)


def test_the_factor_is_the_pull_of_the_margins():
    """The Jacobian of the velocity less that at fixed weights."""
    network = FullyConnectedNetwork((8, 3, 2))
    start = Initialization.random(network, 0.5, seed=1).parameters()
    flow = system.ParameterMargins(network, PROBLEM, MarginLoss(), start, None, 1.0)
    state = flow.start
    size = np.linalg.norm(state)
    margins, weights = flow._weights(flow.layers(state / size), size)
    moved = flow.moved(flow.layers(state / size))
    change = weights[:, None] * flow.loss.change_of_log_weights(margins, moved)
    pull = size**network.depth * (moved.T @ change)
    log_weights = flow.log_weights(state[None])
    driven, slopes = (each[0] for each in flow.factors(state[None], log_weights))
    np.testing.assert_allclose(-driven.T @ slopes, pull, atol=1e-12 * np.abs(pull).max())
    mean = np.exp(log_weights[0])
    small = 1e-6 * (np.arange(mean.size) - mean @ np.arange(mean.size))
    ahead, behind = (flow.driven(state[None], log_weights + side * small)[0] for side in (1, -1))
    np.testing.assert_allclose(small @ driven, (ahead - behind) / 2, rtol=1e-8, atol=1e-14)


@pytest.mark.parametrize("loss", ["exponential", "logistic"])
@pytest.mark.parametrize(
    "network",
    [
        DiagonalNetwork(8, 3),
        FullyConnectedNetwork((8, 3, 2)),
        ConvolutionalNetwork(8, (2, 8)),
        TensorNetwork(normal(1, (3, 4, 8))[0]),
    ],
)
def test_stages_are_states_one_after_the_other(network, loss):
    start = Initialization.random(network, 0.5, seed=1).parameters()
    flow = system.ParameterMargins(network, PROBLEM, MarginLoss(loss), start, None, 1.0)
    states = np.array([0.1, 1.0, 30.0])[:, None] * normal(2, (3, flow.start.size))[0]
    for state, velocity, point in zip(
        states, flow.velocities(states), flow.looks(states), strict=True
    ):
        alone, seen = flow.velocity(state), flow.look(state)
        np.testing.assert_allclose(velocity, alone, atol=1e-11 * np.abs(alone).max())
        np.testing.assert_allclose(point.margins, seen.margins, rtol=0, atol=1e-14 * seen.terms)
        assert point.log_speed == pytest.approx(seen.log_speed, rel=1e-9, abs=1e-9)


def test_a_wide_network_aligns():
    network = FullyConnectedNetwork((8, 60, 60))
    init = Initialization.random(network, 0.1, seed=1)
    flow = gradient_flow(network, PROBLEM, init, until_margin=1e5)
    assert flow.outcome is Outcome.MARGIN_REACHED
    assert flow.drift < 1e-13
    before = layer_alignment(network, init.parameters())
    after = layer_alignment(network, flow.final_parameters)
    assert after.worst < 0.2 < 0.8 < before.worst


@pytest.mark.parametrize("margin", [1e5, 1e8])
def test_small_entries_do_not_stop_newtons_method(margin):
    """An entry that falls like 1 / ||Theta|| has lost the digits that the largest one rounds."""
    problem = Classification([[1.0, 2.0], [2.0, 2.5], [-1.0, 0.3]], [1, 1, -1])
    network = FullyConnectedNetwork((2, 1))
    init = Initialization([np.zeros((2, 1)), np.ones(1)], scale=0.06)
    flow = gradient_flow(network, problem, init, until_margin=margin)
    assert flow.outcome is Outcome.MARGIN_REACHED
    assert flow.num_steps < 150
    assert flow.drift < 1e-11
    limit = predict_limit(network, problem, init).coefficients
    end = flow.final_direction / np.linalg.norm(flow.final_direction)
    np.testing.assert_allclose(end, limit / np.linalg.norm(limit), atol=3.0 / margin)
