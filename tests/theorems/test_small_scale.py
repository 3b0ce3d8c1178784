"""Fully connected networks: how far the end is from the small-scale limit, as the note says."""

import re
from itertools import pairwise

import numpy as np
import pytest

from implicitbias import (
    FullyConnectedNetwork,
    Initialization,
    NoPredictionError,
    Regression,
    predict_limit,
)
from implicitbias.flow import gradient_flow


def data():
    rng = np.random.default_rng(0)
    return Regression(rng.standard_normal((4, 7)), rng.standard_normal(4))


def small_scale(problem, network, init):
    """That limit where aligned layers have an exact one, too."""
    return predict_limit(network, problem, init, theorem="fully connected, small scale")


def share(limit):
    """The distance that the note names, of the end's size."""
    found = re.search(r"at most (\S+) of its size away, to leading order", limit.note)
    assert found, limit.note
    return float(found[1])


def trained_share(network, problem, init):
    end = gradient_flow(network, problem, init, route="parameters").final_coefficients
    least = np.linalg.pinv(problem.X) @ problem.y
    return float(np.linalg.norm(end - least) / np.linalg.norm(least))


@pytest.mark.parametrize("widths", [(7, 1), (7, 3), (7, 3, 3), (7, 1, 1)])
def test_distance_is_bounded_and_met_by_single_units(widths):
    problem, network = data(), FullyConnectedNetwork(widths)
    init = Initialization.random(network, 1e-2, seed=1)
    said = share(small_scale(problem, network, init))
    found = trained_share(network, problem, init)
    assert found < 1.05 * said  # two digits are printed
    if max(widths[1:]) == 1:  # nothing is lost by the spectral norm
        assert found > 0.95 * said


def test_a_start_of_zeros_in_the_first_layer_ends_there_at_every_scale():
    problem, network = data(), FullyConnectedNetwork((7, 2))
    init = Initialization([np.zeros((7, 2)), np.ones(2)], 3.0)
    assert "Reached at every scale" in small_scale(problem, network, init).note
    exact = predict_limit(network, problem, init)
    np.testing.assert_allclose(
        exact.coefficients, small_scale(problem, network, init).coefficients, rtol=1e-12
    )
    assert trained_share(network, problem, init) < 1e-8


@pytest.mark.parametrize(
    ("scale", "text"), [(1e-3, "size away, to leading order"), (1.0, "This scale is not small")]
)
def test_a_scale_that_is_not_small_is_called_so(scale, text):
    network = FullyConnectedNetwork((7, 3))
    limit = predict_limit(network, data(), Initialization.random(network, scale, seed=1))
    assert text in limit.note
    assert ("not small" in limit.note) is (scale == 1.0)


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_scales_at_the_ends_of_float64(scale):
    network = FullyConnectedNetwork((7, 3))
    limit = predict_limit(network, data(), Initialization.random(network, scale, seed=1))
    assert 0.1 < share(limit) / scale < 10


def test_targets_of_zero():
    problem = Regression(data().X, np.zeros(4))
    network = FullyConnectedNetwork((7, 3))
    limit = predict_limit(network, problem, Initialization.random(network, 0.1, seed=1))
    assert limit.note == "Reached as the scale tends to 0."


def away_from(problem, widths, off=0.0, seed=0):
    """Balanced rank-one layers with beta(0) = -c X^T y, but for ``off`` times normal numbers."""
    rng = np.random.default_rng(seed)
    along = -(problem.X.T @ problem.y)
    units = [rng.standard_normal(width) for width in widths[1:]]
    units = [unit / np.linalg.norm(unit) for unit in (along, *units)]
    layers = [*(np.outer(*pair) for pair in pairwise(units)), units[-1]]
    return [layer + off * rng.standard_normal(layer.shape) for layer in layers]


@pytest.mark.parametrize("widths", [(3, 2), (3, 2, 2), (3, 2, 3, 2)])
def test_starts_that_end_at_the_saddle_are_not_promised_the_limit(widths):
    """X = I from beta(0) = -c y: beta(t) stays a negative multiple of y, and tends to 0."""
    problem, network = Regression(np.eye(3), [1.0, 2.0, -1.0]), FullyConnectedNetwork(widths)
    init = Initialization(away_from(problem, widths), 0.1)
    with pytest.raises(NoPredictionError, match="leaves the saddle at 0"):
        predict_limit(network, problem, init)
    near = Initialization(away_from(problem, widths, off=1e-3), 0.1)
    limit = small_scale(problem, network, near)
    np.testing.assert_allclose(limit.coefficients, problem.y, rtol=1e-12)
    assert trained_share(network, problem, near) < 1e-6
