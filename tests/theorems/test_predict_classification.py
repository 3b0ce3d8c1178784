"""Predicted directions: which result speaks, closed forms, and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.draws import normal
from implicitbias._closing import angle_between
from implicitbias._errors import InfeasibleProblemError, NoPredictionError
from implicitbias.comparison import compare
from implicitbias.flow import gradient_flow
from implicitbias.initialization import Initialization
from implicitbias.networks import (
    ConvolutionalNetwork,
    DiagonalNetwork,
    FullyConnectedNetwork,
    OrthogonalNetwork,
    TensorNetwork,
    TwoSidedDiagonalNetwork,
)
from implicitbias.problems import Classification
from implicitbias.theorems import predict_limit

X, S, *FACTORS = normal(0, (4, 8), (8, 8), (9, 8), (9, 8))
LABELS = np.array([1.0, -1.0, 1.0, -1.0])
PROBLEM = Classification(X, LABELS)
ONE_POINT = Classification(X[:1], [-1.0])
ORTHOGONAL = OrthogonalNetwork(S, [np.linalg.qr(factor)[0] for factor in FACTORS])


def with_gap(network):
    return Initialization.random(network, 0.1, seed=1, gap=0.2)


CASES = [
    ("Corollary 1", "direction", FullyConnectedNetwork((8, 5, 4)), PROBLEM, None),
    ("Corollary 2", "direction", DiagonalNetwork(8, 2), PROBLEM, with_gap),
    ("Corollary 2", "stationary direction", DiagonalNetwork(8, 3), PROBLEM, with_gap),
    ("Corollary 3", "direction", ConvolutionalNetwork(8, (8, 8)), PROBLEM, with_gap),
    ("Theorem 2", "direction", ORTHOGONAL, PROBLEM, with_gap),
    ("beyond Theorem 2", "direction", DiagonalNetwork(8, 2), PROBLEM, None),
    (
        "Theorem 3",
        "direction",
        TensorNetwork(*normal(1, (3, 4, 8))),
        ONE_POINT,
        lambda network: Initialization([np.array([1.0, 2.0, -1.0]), np.zeros(4)], 0.3),
    ),
    (
        "Corollary 4",
        "direction",
        ConvolutionalNetwork(8, (3, 8)),
        ONE_POINT,
        lambda network: Initialization([np.array([1.0, 0.5, -0.3]), np.zeros(8)], 0.3),
    ),
]


@pytest.mark.parametrize(("theorem", "kind", "network", "problem", "start"), CASES)
def test_the_most_specific_result_speaks_and_is_certified(theorem, kind, network, problem, start):
    init = Initialization.random(network, 0.1, seed=1) if start is None else start(network)
    limit = predict_limit(network, problem, init)
    assert (limit.theorem, limit.kind) == (theorem, kind)
    assert limit.certificate.worst < 1e-12
    margins = problem.y * (problem.X @ limit.coefficients)
    np.testing.assert_allclose(margins.min(), 1.0, rtol=1e-12)
    assert limit.rate > 0
    assert "closes in" in str(limit)


def test_corollary_1_is_the_least_norm_separator():
    network = FullyConnectedNetwork((8, 3))
    limit = predict_limit(network, PROBLEM, Initialization.random(network, 0.1))
    signed = LABELS[:, None] * X
    multipliers = np.linalg.lstsq(signed.T, limit.coefficients, rcond=None)[0]
    np.testing.assert_allclose(signed.T @ multipliers, limit.coefficients, atol=1e-12)
    slack = signed @ limit.coefficients - 1
    assert np.all(multipliers > -1e-12)
    np.testing.assert_allclose(multipliers * slack, 0, atol=1e-10)


@pytest.mark.parametrize("label", [1.0, -1.0])
@pytest.mark.parametrize("seed", range(4))
def test_corollary_4_closed_forms_for_filters_of_one_and_two(label, seed):
    x = np.random.default_rng(seed).normal(size=7)
    problem = Classification(x[None], [label])
    one = ConvolutionalNetwork(7, (1, 7))
    start = Initialization([np.ones(1), np.zeros(7)], 0.1)
    assert angle_between(predict_limit(one, problem, start).coefficients, label * x) < 1e-7
    two = ConvolutionalNetwork(7, (2, 7))
    start = Initialization([np.array([1.0, 0.3]), np.zeros(7)], 0.1)
    left, right = np.roll(x, -1), np.roll(x, 1)
    expected = label * (2 * x + np.sign(x @ left) * (left + right))
    assert angle_between(predict_limit(two, problem, start).coefficients, expected) < 1e-7


@pytest.mark.parametrize("depth", [2, 3])
def test_points_that_span_all_features_hold_the_direction(depth):
    """Differences of margins stay, so beta closes in like 1 / margin; else like margin^-1/L."""
    network = FullyConnectedNetwork((3,) * depth)
    points = np.array([[3.0, 0.2, 0.5], [0.3, 2.0, 0.1], [0.4, 0.6, 2.5]])
    for count, rate in ((3, 1.0), (2, 1.0 / depth)):
        problem = Classification(points[:count], np.ones(count))
        start = Initialization.random(network, 0.5, seed=1)
        limit = predict_limit(network, problem, start)
        assert limit.rate == rate
        flow = gradient_flow(network, problem, start, until_margin=1e6)
        (closing,) = compare(flow, limit).closings
        assert closing.exponent == pytest.approx(rate, abs=0.01)


@pytest.mark.parametrize("network", [DiagonalNetwork(2, 2), TwoSidedDiagonalNetwork(2, 2)])
def test_the_rate_is_of_the_multipliers_that_the_flow_has(network):
    """Four equal margins: any one alone pulls the second coordinate, together they do not."""
    X = np.array([[1.0, 0.6], [1.0, -0.3], [1.0, 0.1], [1.0, -0.2]])
    problem = Classification(X, np.ones(4))
    gap = 0.1 if network.family == "diagonal" else None
    start = Initialization.random(network, 0.5, seed=1, gap=gap)
    limit = predict_limit(network, problem, start)
    assert limit.rate == pytest.approx(1.0, abs=1e-9)
    flow = gradient_flow(network, problem, start, until_margin=1e8)
    assert compare(flow, limit).closings[0].exponent == pytest.approx(1.0, abs=0.1)


def test_tied_singular_values_leave_the_choice_to_the_start():
    network = FullyConnectedNetwork((8, 3))
    (first,) = normal(2, (8, 3))
    limit = predict_limit(network, ONE_POINT, Initialization([first, np.zeros(3)], 0.1))
    assert limit.theorem == "Theorem 3"
    assert "3-fold" in limit.note
    assert angle_between(limit.coefficients, -X[0]) < 1e-7
    hidden = X[0] @ first
    assert angle_between(limit.parameters[1], -hidden) < 1e-7


@pytest.mark.parametrize(
    "network", [ConvolutionalNetwork(8, (3, 8)), TensorNetwork(*normal(1, (3, 4, 8)))]
)
def test_a_start_off_the_top_space_fails_an_assumption(network):
    """In float64 it has a part there of the size of rounding, which says nothing."""
    first, second, _ = np.linalg.svd(network.data_tensor(X[0]))[0].T
    last = np.zeros(network.parameter_shapes[1])
    near = Initialization([second + 1e-6 * first, last], 0.3)
    assert predict_limit(network, ONE_POINT, near).certificate.error < 1e-8
    with pytest.raises(NoPredictionError, match="has a part in the top singular space") as told:
        predict_limit(network, ONE_POINT, Initialization([second, last], 0.3))
    parts = [one for one in told.value.assumptions if "top singular" in one.assumption]
    assert all(part.fails and part.value < 1e-14 for part in parts)


def test_two_basins():
    problem = Classification([[1.0, 3.0, 0.0], [1.0, 0.0, 3.0]], [1, 1])
    network = DiagonalNetwork(3, 3)
    for start, expected in (
        ([0.3, 1.0, 1.1], [0.0, 1 / 3, 1 / 3]),
        ([3.0, 0.3, 0.35], [1.0, 0.0, 0.0]),
    ):
        init = Initialization([start, start, np.zeros(3)], 0.5)
        limit = predict_limit(network, problem, init)
        np.testing.assert_allclose(limit.coefficients, expected, atol=1e-12)
        assert limit.kind == "stationary direction"
        assert "local minimum" in limit.note


def test_refusals():
    twice = Classification(np.vstack([X, X[:1]]), np.append(LABELS, -LABELS[0]))
    network = DiagonalNetwork(8, 2)
    with pytest.raises(InfeasibleProblemError) as caught:
        predict_limit(network, twice, with_gap(network))
    weights = caught.value.evidence
    np.testing.assert_allclose((weights * twice.y) @ twice.X, 0, atol=1e-12)
    short = ConvolutionalNetwork(8, (3, 8))
    with pytest.raises(NoPredictionError, match="single data point"):
        predict_limit(short, PROBLEM, Initialization.random(short, 0.1))
    equal = Initialization([np.ones(8), np.ones(8)], 0.1)
    wrong_way = Classification(np.abs(X), -np.ones(4))
    with pytest.raises(NoPredictionError, match="smaller than all others") as refused:
        predict_limit(network, wrong_way, equal)
    assert "keep their sign" in str(refused.value)


def test_time_stamps_whose_pulls_cancel_are_refused_in_words():
    """Terms of X^T a of 1e12 cancel to 0 in float64: no ratio of pulls is formed of that."""
    halves = np.array([[1, 1, 1, 1], [1, -1, -1, 1], [1, -1, 1, -1], [1, 1, -1, -1]]) / 2.0
    first = np.array([[1, -1, -1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, 1, 1, 1]]) / 2.0
    network = OrthogonalNetwork(
        [[0.0, -2.0], [-1.0, 2.0], [0.0, -1.0], [1.0, -1.0]], [first, halves]
    )
    stamps = [1700000052000.0, 1700000028000.0, 1700000033000.0]
    problem = Classification(np.column_stack([np.ones(3), stamps]), [-1.0, 1.0, 1.0])
    init = Initialization([np.array([0.0, 0.0, 0.0, 2.0]), np.zeros(4)], scale=0.1)
    with pytest.raises(NoPredictionError, match="no float64 vector near it separates"):
        predict_limit(network, problem, init)
