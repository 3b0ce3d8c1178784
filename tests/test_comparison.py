"""compare and verify: agreement where the theory promises it, disagreement where it is broken."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from helpers.draws import normal
from implicitbias._errors import InvalidInputError, NoPredictionError
from implicitbias.comparison import compare, verify
from implicitbias.flow import gradient_flow
from implicitbias.initialization import Initialization
from implicitbias.networks import (
    ConvolutionalNetwork,
    DiagonalNetwork,
    FullyConnectedNetwork,
    OrthogonalNetwork,
    TensorNetwork,
)
from implicitbias.problems import Regression
from implicitbias.theorems import predict_limit

X, Y, S, *FACTORS = normal(0, (3, 8), 3, (8, 8), (9, 8), (9, 8), (9, 8))
PROBLEM = Regression(X, Y)
ONE_POINT = Regression(X[:1], Y[:1])
EVEN = Regression(X + X[:, -np.arange(8)], Y)
ETA = np.random.default_rng(1).uniform(0.5, 1.5, 8)
EVEN_ETA = ETA + ETA[-np.arange(8)] + 8 * (np.arange(8) == 0)
ORTHOGONAL = OrthogonalNetwork(S, [np.linalg.qr(factor)[0] for factor in FACTORS])


def theorem5(network, direction=ETA, scale=0.5):
    return Initialization.last_layer_zero(network, direction, scale)


AGREEING = [
    (DiagonalNetwork(8, 2), PROBLEM, theorem5(DiagonalNetwork(8, 2), scale=0.05)),
    (DiagonalNetwork(8, 4), PROBLEM, theorem5(DiagonalNetwork(8, 4))),
    (DiagonalNetwork(8, 3), PROBLEM, Initialization.random(DiagonalNetwork(8, 3), 0.5, seed=1)),
    (ORTHOGONAL, PROBLEM, theorem5(ORTHOGONAL)),
    (
        ConvolutionalNetwork(8, (8, 8, 8)),
        EVEN,
        theorem5(ConvolutionalNetwork(8, (8, 8, 8)), EVEN_ETA),
    ),
    (
        ConvolutionalNetwork(8, (8, 8)),
        ONE_POINT,
        theorem5(ConvolutionalNetwork(8, (8, 8)), ETA),
    ),
    (
        ConvolutionalNetwork(8, (3, 8)),
        ONE_POINT,
        Initialization.random(ConvolutionalNetwork(8, (3, 8)), 0.5),
    ),
    (
        TensorNetwork(np.random.default_rng(3).normal(size=(4, 5, 8))),
        ONE_POINT,
        Initialization([np.ones(4), np.zeros(5)], 0.5),
    ),
    (
        FullyConnectedNetwork((8, 4)),
        ONE_POINT,
        Initialization.random(FullyConnectedNetwork((8, 4)), 0.5),
    ),
    (
        FullyConnectedNetwork((8, 5, 4)),
        PROBLEM,
        Initialization.random(FullyConnectedNetwork((8, 5, 4)), 0.5),
    ),
]


@pytest.mark.parametrize(("network", "problem", "init"), AGREEING)
def test_flows_and_limit_agree_in_every_pair(network, problem, init):
    comparison = verify(network, problem, init)
    assert comparison.agrees, str(comparison)
    assert comparison.error <= 1e-9
    assert comparison.limit.certificate.worst <= 1e-11
    if comparison.limit.parameters is not None:
        for reached, predicted in zip(
            comparison.flow.final_parameters, comparison.limit.parameters, strict=True
        ):
            np.testing.assert_allclose(reached, predicted, atol=1e-8)


def test_a_wrong_limit_and_an_unfinished_flow_are_called_out():
    network = DiagonalNetwork(8, 2)
    limit = predict_limit(network, PROBLEM, theorem5(network, scale=0.5))
    other = gradient_flow(network, PROBLEM, theorem5(network, scale=0.6))
    wrong = compare(other, limit)
    assert not wrong.agrees
    assert 1e-3 < wrong.error < 1
    assert "DISAGREES" in str(wrong)
    early = gradient_flow(network, PROBLEM, theorem5(network, scale=0.5), max_time=1e-3)
    assert not compare(replace(early, coefficients=limit.coefficients[None]), limit).agrees


def test_a_flow_that_was_stopped_decides_nothing():
    network, problem, init = AGREEING[0]
    limit = predict_limit(network, problem, init)
    for given in ({"max_steps": 5}, {"max_time": 1e-3}, {"callback": lambda state: True}):
        found = compare(gradient_flow(network, problem, init, **given), limit)
        assert found.verdict == "undecided"


def test_distance_to_the_small_scale_limit_shrinks_with_the_scale():
    network = FullyConnectedNetwork((8, 5, 4))
    distances = [
        verify(network, PROBLEM, Initialization.random(network, scale, seed=2)).distance
        for scale in (1.0, 0.1, 0.01)
    ]
    assert distances[0] > 3 * distances[1] > 9 * distances[2] > 0


def test_what_cannot_be_compared_is_refused():
    network = DiagonalNetwork(8, 2)
    flow = gradient_flow(network, PROBLEM, theorem5(network))
    small = DiagonalNetwork(5, 2)
    init = Initialization.random(small, 1.0)
    limit = predict_limit(small, Regression(X[:, :5], Y), init)
    with pytest.raises(InvalidInputError, match="different problems"):
        compare(flow, limit)
    with pytest.raises(InvalidInputError, match="routes"):
        verify(network, PROBLEM, theorem5(network), routes=("sideways",))
    short = ConvolutionalNetwork(8, (3, 8))
    with pytest.raises(NoPredictionError):
        verify(short, PROBLEM, Initialization.random(short, 1.0))


@pytest.mark.parametrize("widths", [(6, 2, 2), (6, 3, 2), (6, 2)])
@pytest.mark.parametrize("scale", [1e-3, 0.1])
def test_zero_targets_are_reached_from_wherever_the_start_is(widths, scale):
    network, problem = FullyConnectedNetwork(widths), Regression(X[:, :6], np.zeros(3))
    init = Initialization.random(network, scale, 5)
    found = verify(network, problem, init)
    assert found.agrees
    assert (found.distance or 0.0) < 10.0
