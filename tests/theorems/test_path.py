"""limit_path: one solution carried along the scale, both ends included."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.draws import normal
from implicitbias._errors import InvalidInputError, NoPredictionError
from implicitbias.initialization import Initialization
from implicitbias.networks import DiagonalNetwork, FullyConnectedNetwork, TensorNetwork
from implicitbias.problems import Classification, Regression
from implicitbias.theorems import limit_path, predict_limit, rough_limit_path

X, Y = normal(0, (5, 15), 5)
PROBLEM = Regression(X, Y)
ETA = np.random.default_rng(1).uniform(0.5, 1.5, 15)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_any_order_of_scales_equals_single_predictions(depth):
    network = DiagonalNetwork(15, depth)
    init = Initialization.last_layer_zero(network, ETA, 1.0)
    scales = [1e-3, 1e8, 1.0, 1e-6, 0.0, np.inf, 30.0]
    path = limit_path(network, PROBLEM, init, scales)
    assert path.coefficients.shape == (7, 15)
    assert max(path.gaps.max(), path.feasibilities.max()) < 1e-11
    for scale, limit in zip(path.scales, path.limits, strict=True):
        if 0 < scale < np.inf:
            start = Initialization(init.directions, scale)
            single = predict_limit(network, PROBLEM, start)
            np.testing.assert_allclose(limit.coefficients, single.coefficients, atol=1e-10)
            for one, other in zip(limit.parameters, single.parameters, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-10)
    large, infinite = path.coefficients[1], path.coefficients[5]
    np.testing.assert_allclose(large, infinite, rtol=1e-10)


def test_weighted_l1_norm_falls_towards_its_minimum():
    network = DiagonalNetwork(15, 3)
    scales = np.append(np.logspace(2, -12, 30), 0.0)
    path = limit_path(network, PROBLEM, [ETA, ETA, np.zeros(15)], scales)
    norms = np.abs(path.coefficients) @ (1 / ETA)
    assert np.all(np.diff(norms) <= 1e-12 * norms[0])
    assert norms[-2] - norms[-1] < 1e-9


def test_one_point_and_fully_connected_paths():
    one = Regression(X[:1], Y[:1])
    network = TensorNetwork(np.random.default_rng(1).normal(size=(3, 4, 15)))
    path = limit_path(network, one, [np.ones(3), np.zeros(4)], [0.1, 10.0])
    assert path.theorem == "Theorem 6"
    wide = FullyConnectedNetwork((15, 4, 3))
    start = Initialization.random(wide, 1.0)
    minimum = limit_path(wide, PROBLEM, start, [0.0]).coefficients[0]
    np.testing.assert_allclose(minimum, np.linalg.pinv(X) @ Y, rtol=1e-11)
    with pytest.raises(NoPredictionError, match="scale 0 only"):
        limit_path(wide, PROBLEM, start, [0.1])


def test_bad_scales_are_refused():
    network = DiagonalNetwork(15, 2)
    start = Initialization.last_layer_zero(network, ETA, 1.0)
    for scales in ([], [[1.0]], [-1.0], [np.nan], "abc", [None, "x"]):
        with pytest.raises(InvalidInputError, match="scale"):
            limit_path(network, PROBLEM, start, scales)
    with pytest.raises(InvalidInputError, match="Regression"):
        limit_path(network, Classification(X, np.sign(Y)), start, [1.0])


def test_infinite_scale_needs_a_start_without_coefficients():
    network = DiagonalNetwork(15, 2)
    with pytest.raises(NoPredictionError, match="diverges"):
        limit_path(network, PROBLEM, Initialization.random(network, 1.0), [np.inf])


@pytest.mark.parametrize("network", [DiagonalNetwork(15, 2), FullyConnectedNetwork((15, 2))])
def test_callback_counts_the_scales(network):
    done = []
    init = Initialization.random(network, 1.0)
    scales = [0.0, 0.0] if isinstance(network, FullyConnectedNetwork) else [1.0, 0.0]
    limit_path(network, PROBLEM, init, scales, callback=done.append)
    assert done == [1, 2]


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("first", [np.ones(15), ETA])
def test_rough_paths_are_right_to_a_few_percent(depth, first):
    network = DiagonalNetwork(15, depth)
    init = Initialization.last_layer_zero(network, first, 1.0)
    scales = np.random.default_rng(1).permutation(np.geomspace(1e9, 1e-5, 60))
    rough = rough_limit_path(network, PROBLEM, init, scales)
    exact = limit_path(network, PROBLEM, init, scales).coefficients
    np.testing.assert_allclose(rough, exact, rtol=0, atol=0.03 * np.abs(exact).max())


def test_rough_paths_elsewhere_are_exact():
    network = DiagonalNetwork(15, 2)
    init = Initialization.last_layer_zero(network, ETA, 1.0)
    for problem, scales in ((PROBLEM, [0.0, 1.0]), (Regression(X, 0 * Y), [1.0, 2.0])):
        rough = rough_limit_path(network, problem, init, scales)
        exact = limit_path(network, problem, init, scales).coefficients
        np.testing.assert_array_equal(rough, exact)


def test_newton_steps_may_be_limited():
    network = DiagonalNetwork(15, 3)
    init = Initialization.last_layer_zero(network, ETA, 1e-8)
    with pytest.raises(NoPredictionError, match="more than 3 Newton steps were needed") as caught:
        predict_limit(network, PROBLEM, init, max_iterations=3)
    partial = caught.value.partial
    assert partial.certificate.feasibility < 0.05 < partial.certificate.worst
    assert partial.note.startswith("Not the limit: more than 3")
