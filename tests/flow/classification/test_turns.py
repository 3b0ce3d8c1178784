"""Slides of three and more layers that leave a stationary direction: for a reason, or by rounding.

And points that agree in every coordinate that grows: they keep their softmax, and none gets stuck.
"""

import numpy as np
import pytest

from implicitbias import Classification, DiagonalNetwork, Initialization, Outcome, gradient_flow

FAR = 150.0  # log margin


def end(X, y, depth, eta, log_margin=FAR):
    network = DiagonalNetwork(len(X[0]), depth)
    init = Initialization.last_layer_zero(network, np.asarray(eta), 1.0)
    return gradient_flow(network, Classification(X, y), init, until_log_margin=log_margin)


@pytest.mark.parametrize("ahead", [1e-5, 1e-9, 1e-13])
def test_the_larger_start_wins_however_little_it_is_ahead(ahead):
    """One point: s_1 = s_2, and the clock of the larger start saturates first."""
    flow = end([[1.0, 1.0]], [1], 3, [1.0, 1.0 + ahead])
    assert flow.outcome is Outcome.MARGIN_REACHED
    np.testing.assert_allclose(flow.final_direction, [0.0, 1.0], atol=1e-20)


def test_an_exact_tie_stays():
    flow = end([[1.0, 1.0]], [1], 3, [1.0, 1.0])
    assert flow.outcome is Outcome.MARGIN_REACHED
    np.testing.assert_allclose(flow.final_direction, [0.5, 0.5], rtol=1e-12)


def test_a_turn_by_rounding_is_called_so():
    """Two points that differ by 2 in each coordinate, as standardised pairs do."""
    first = np.array([0.3, -1.4, 1.9, 0.2, -0.6, 2.2])
    sides = np.array([1.0, 1.0, -1.0, -1.0, 1.0, 1.0])
    X, y = np.array([first, first - 2.0 * sides]), [1, -1]
    before = end(X, y, 3, np.ones(6), log_margin=25.0)
    assert before.outcome is Outcome.MARGIN_REACHED
    after = end(X, y, 3, np.ones(6))
    assert after.outcome is Outcome.UNSTABLE
    assert "rounding decided this" in after.message


@pytest.mark.parametrize("depth", [3, 4])
@pytest.mark.parametrize(
    ("X", "direction"),
    [
        ([[1, 1], [1, -1]], [1, 0]),
        ([[1, 1], [1, -1], [1, 1]], [1, 0]),
        ([[1, 1, 1], [1, -1, 1], [1, 1, -1], [1, -1, -1]], [1, 0, 0]),
        ([[1, 1, 0], [1, -1, 0], [1, 0, 1]], [1, 0, 0]),
    ],
)
def test_points_that_agree_in_all_that_grows(X, direction, depth):
    """min |z|_{2/L} s.t. z_1 +- z_2 >= 1: (1, 0), and the flow is there by symmetry or decay."""
    X = np.array(X, dtype=float)
    flow = end(X, np.ones(len(X)), depth, np.ones(X.shape[1]))
    assert flow.outcome is Outcome.MARGIN_REACHED, flow.message
    np.testing.assert_allclose(flow.final_direction, direction, atol=1e-12)
