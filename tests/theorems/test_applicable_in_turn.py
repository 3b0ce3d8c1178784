"""Where the first result that applies names no limit, or cannot be certified, the next is asked."""

import numpy as np
import pytest

from implicitbias._errors import NoPredictionError
from implicitbias.initialization import Initialization
from implicitbias.networks import ConvolutionalNetwork, DiagonalNetwork
from implicitbias.problems import Regression
from implicitbias.theorems import limit_path, predict_limit

EVEN = [np.array([1.5, -0.125, -0.125]), np.array([-0.75, 0.25, 0.25])]
POINT = Regression([[-0.5, 0.25, 0.25]], [-0.5])  # its spectrum has no constant part


def test_a_path_of_one_even_point_has_its_end():
    """Theorem 6 names no limit at scale 0; the potential of real spectra does."""
    path = limit_path(ConvolutionalNetwork(3, [3, 3]), POINT, EVEN, [1.0, 0.0])
    assert path.theorem == "beyond Theorem 5"
    assert not path.refused.any()
    np.testing.assert_allclose(path.coefficients[1], [2 / 3, -1 / 3, -1 / 3], rtol=1e-13)
    assert limit_path(ConvolutionalNetwork(3, [3, 3]), POINT, EVEN, [1.0]).theorem == "Theorem 6"


def test_a_start_far_from_the_target_falls_back_to_the_potential():
    """One coordinate moves and has to be y: Theorem 6's layers lose it to cancellation."""
    start = Initialization([np.array([0.0, 0.1875]), np.array([0.0, -0.15625])], scale=2.5e5)
    network, problem = DiagonalNetwork(2, 2), Regression([[-1.0, 1.0]], [3.0])
    found = predict_limit(network, problem, start)
    assert found.theorem == "beyond Theorem 5"
    np.testing.assert_allclose(found.coefficients, [0.0, 3.0], rtol=1e-13)
    with pytest.raises(NoPredictionError, match="certified only to"):
        predict_limit(network, problem, start, theorem="Theorem 6")


@pytest.mark.parametrize("scale", [1e5, 1e6, 1e8])
def test_what_rounding_keeps_from_interpolating_is_no_answer(scale):
    """beta is right to 1e-16 of its largest entry, and X beta misses y by scale^2 eps."""
    network, problem = DiagonalNetwork(4, 2), Regression([[1.0, 2.0, -1.0, -2.0]], [1.0])
    start = Initialization([np.ones(4)] * 2, scale=scale)
    with pytest.raises(NoPredictionError, match="the start predicts values"):
        predict_limit(network, problem, start)
    with pytest.raises(NoPredictionError, match="certified only to") as refused:
        predict_limit(network, problem, start, theorem="beyond Theorem 6")
    assert refused.value.certificate.feasibility > 1e-6


def test_layers_that_do_not_grow_are_0_however_long_the_clock():
    """Equal layers at a time stamp: beta_j = e^{2 x_j nu}, to 40 digits; e^{-x nu} of nothing."""
    network, problem = DiagonalNetwork(3, 2), Regression([[1.7e12, -1.625, 0.375]], [-1.0])
    start = Initialization([np.ones(3)] * 2, scale=1.0)
    found = predict_limit(network, problem, start)
    expected = [1.47058823557847826e-13, 1.00000000002824436, 0.999999999993482071]
    np.testing.assert_allclose(found.coefficients, expected, rtol=1e-12)
    assert found.certificate.error < 1e-13


def test_the_first_refusal_is_the_one_that_is_raised():
    """No other result names this end."""
    network = ConvolutionalNetwork(3, [2, 3])
    directions = Initialization.random(network, 1.0, seed=0).directions
    with pytest.raises(NoPredictionError, match="Theorem 6 is stated for scales between"):
        limit_path(network, Regression([[1.0, 2.0, 0.5]], [1.0]), directions, [np.inf])
