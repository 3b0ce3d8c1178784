"""Rank one and aligned: exact cases, and what a classification flow tends to."""

import numpy as np
import pytest

from helpers.draws import normal
from implicitbias._errors import InvalidInputError
from implicitbias.flow import gradient_flow
from implicitbias.initialization import Initialization
from implicitbias.networks import DiagonalNetwork, FullyConnectedNetwork, layer_alignment
from implicitbias.problems import Classification, Regression
from implicitbias.theorems import predict_limit

X, Y = normal(0, (4, 8), 4)


def test_exact_cases():
    network = FullyConnectedNetwork((2, 2, 2))
    tilted = np.array([np.cos(0.3), np.sin(0.3)])
    found = layer_alignment(network, [np.diag([4.0, 3.0]), np.outer([1, 0], tilted), tilted])
    np.testing.assert_allclose(found.rank_one, [0.6, 0.0, 0.0], atol=1e-15)
    np.testing.assert_allclose(found.neighbours, [0.0, 0.0], atol=1e-15)
    layers = [np.diag([4.0, 0.0]), np.outer(tilted, tilted), [0.0, 1e-300]]
    turned = layer_alignment(network, layers)
    np.testing.assert_allclose(turned.neighbours, [np.sin(0.3), np.cos(0.3)], atol=1e-15)
    assert turned.worst == pytest.approx(np.cos(0.3))
    assert "neighbours: 3.0e-01, 9.6e-01" in str(turned)


@pytest.mark.parametrize("widths", [(8, 5), (8, 6, 4), (8, 5, 5, 5, 5, 5)])
def test_classification_aligns_the_layers(widths):
    """||W_l||^2 - ||W_l||_2^2 stays bounded while ||W_l||^L grows like the margin."""
    network, depth = FullyConnectedNetwork(widths), len(widths)
    init = Initialization.random(network, 0.5, seed=1)
    problem = Classification(X, np.sign(Y))
    worst = [layer_alignment(network, init.parameters()).worst]
    for margin in (1e4, 1e6):
        flow = gradient_flow(network, problem, init, until_margin=margin)
        worst.append(layer_alignment(network, flow.final_parameters).worst)
    assert worst[0] > worst[1] > worst[2]
    if depth < 4:
        assert np.log10(worst[1] / worst[2]) / 2 == pytest.approx(1 / depth, rel=0.01)


def test_balanced_starts_are_aligned_and_stay_so():
    network = FullyConnectedNetwork((8, 6, 5))
    init = Initialization.balanced(network, 0.5, seed=3)
    flow = gradient_flow(network, Classification(X, np.sign(Y)), init, until_margin=1e3)
    assert layer_alignment(network, flow.final_parameters).worst < 1e-6


@pytest.mark.parametrize("widths", [(8, 1), (8, 1, 1), (8, 200), (8, 50, 50), (8, *(20,) * 5)])
@pytest.mark.parametrize("kind", ["random", "balanced", "last layer zero"])
def test_regression_keeps_its_distance_from_the_minimum_norm_solution(widths, kind):
    """P beta = alpha P Wbar_1 W_2 .. w_L, which training never changes but for the later layers."""
    network, problem = FullyConnectedNetwork(widths), Regression(X, Y)
    scale = 1.0 / np.sqrt(widths[-1])
    if kind == "last layer zero":
        first = Initialization.random(network, 1.0, seed=1).directions[:-1]
        init = Initialization.last_layer_zero(network, list(first), scale)
    else:
        init = getattr(Initialization, kind)(network, scale if kind == "random" else 1.5, seed=1)
    flow = gradient_flow(network, problem, init)
    assert flow.outcome.converged
    assert flow.drift < 1e-12
    limit = predict_limit(network, problem, init, theorem="fully connected, small scale")
    rest = limit.unreached
    for layer in flow.final_parameters[1:]:
        rest = rest @ layer
    size = np.abs(flow.final_coefficients).max()
    np.testing.assert_allclose(flow.final_coefficients - limit.coefficients, rest, atol=1e-9 * size)


def test_what_is_refused():
    network = FullyConnectedNetwork((2, 2))
    with pytest.raises(InvalidInputError, match="about fully connected"):
        layer_alignment(DiagonalNetwork(2, 2), [np.ones(2)] * 2)
    with pytest.raises(InvalidInputError, match="layer 1 is zero"):
        layer_alignment(network, [np.zeros((2, 2)), np.ones(2)])
