"""Derivatives of the limit against central differences, leave-one-out against refits."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.draws import normal
from implicitbias._errors import NoPredictionError
from implicitbias.initialization import Initialization
from implicitbias.networks import ConvolutionalNetwork, DiagonalNetwork, FullyConnectedNetwork
from implicitbias.problems import Regression
from implicitbias.theorems import predict_limit, sensitivity

X, Y = normal(0, (4, 12), 4)
ETA = np.random.default_rng(1).uniform(0.5, 1.5, 12)
STEP = 1e-5


def diagonal_limit(depth, y=Y, eta=ETA, log_scale=0.0):
    network = DiagonalNetwork(12, depth)
    directions = [eta] * (depth - 1) + [np.zeros(12)]
    init = Initialization(directions, log_scale=log_scale)
    return predict_limit(network, Regression(X, y), init).coefficients


def central(function, size):
    columns = [(function(STEP * e) - function(-STEP * e)) / (2 * STEP) for e in np.eye(size)]
    return np.array(columns).T


@pytest.mark.parametrize("depth", [2, 3, 5])
@pytest.mark.parametrize("log_scale", [2.0, 0.0, -3.0])
def test_derivatives_equal_central_differences(depth, log_scale):
    network = DiagonalNetwork(12, depth)
    init = Initialization([ETA] * (depth - 1) + [np.zeros(12)], log_scale=log_scale)
    found = sensitivity(network, Regression(X, Y), init)
    size = np.abs(found.limit.coefficients).max()
    by_target = central(lambda h: diagonal_limit(depth, Y + h, log_scale=log_scale), 4)
    np.testing.assert_allclose(found.by_target, by_target, rtol=1e-6, atol=1e-8 * size)
    by_eta = central(lambda h: diagonal_limit(depth, eta=ETA + h, log_scale=log_scale), 12)
    np.testing.assert_allclose(found.by_direction, by_eta, rtol=1e-6, atol=1e-8 * size)
    by_scale = central(lambda h: diagonal_limit(depth, log_scale=log_scale + h[0]), 1)[:, 0]
    np.testing.assert_allclose(found.by_log_scale, by_scale, rtol=1e-6, atol=1e-8 * size)


def test_saturated_coordinates_keep_their_digits():
    """As alpha -> 0 the support carries all of d beta / dy: the inverse of its columns."""
    network = DiagonalNetwork(12, 4)
    init = Initialization([ETA] * 3 + [np.zeros(12)], scale=1e-60)
    found = sensitivity(network, Regression(X, Y), init)
    support = np.abs(found.limit.coefficients) > 1e-9
    assert support.sum() == 4
    expected = np.zeros((12, 4))
    expected[support] = np.linalg.inv(X[:, support])
    np.testing.assert_allclose(found.by_target, expected, atol=1e-10)


def test_leave_one_out_refits_and_first_order():
    network = DiagonalNetwork(12, 3)
    for log_scale, first_order_holds in ((6.0, True), (-2.0, False)):
        init = Initialization([ETA, ETA, np.zeros(12)], log_scale=log_scale)
        found = sensitivity(network, Regression(X, Y), init)
        rest = np.arange(4) != 2
        alone = predict_limit(network, Regression(X[rest], Y[rest]), init).coefficients
        np.testing.assert_allclose(found.leave_one_out()[2], X[2] @ alone, rtol=1e-9)
        error = np.abs(found.leave_one_out(refit=False) - found.leave_one_out()).max()
        assert (error < 1e-6) == first_order_holds


def test_convolution_in_real_coordinates_and_dependent_points():
    rows = X + X[:, -np.arange(12)]
    network = ConvolutionalNetwork(12, (12, 12))
    even = ETA + ETA[-np.arange(12)] + 12 * (np.arange(12) == 0)
    init = Initialization.last_layer_zero(network, even, 0.5)
    twice = Regression(np.vstack([rows, rows[:1]]), np.append(Y, Y[0]))
    found = sensitivity(network, twice, init)
    np.testing.assert_allclose(rows @ found.by_target[:, :4], np.eye(4), atol=1e-10)
    assert not found.by_target[:, 4].any()
    with pytest.raises(NoPredictionError, match="independent"):
        found.leave_one_out()


def test_what_has_no_potential_is_refused():
    wide = FullyConnectedNetwork((12, 3, 2))
    with pytest.raises(NoPredictionError, match="potential"):
        sensitivity(wide, Regression(X, Y), Initialization.random(wide, 1.0))
    network = DiagonalNetwork(12, 2)
    found = sensitivity(network, Regression(X, Y), Initialization.random(network, 1.0))
    with pytest.raises(NoPredictionError, match="eta"):
        _ = found.by_direction
