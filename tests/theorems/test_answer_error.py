"""certificate.error is never more than ten times too small: one test for each kind it once was."""

from __future__ import annotations

import numpy as np
import pytest

from implicitbias.initialization import Initialization
from implicitbias.networks import DiagonalNetwork
from implicitbias.problems import Regression
from implicitbias.theorems import limit_path, predict_limit, sensitivity
from reference.precise_potential import limit as exact_limit

ROUNDING = 1e-15


def true_error(found, expected):
    return np.abs(found.coefficients - expected).max() / np.abs(expected).max()


def check(found, expected, at_most):
    """The answer is right to ``at_most``, and its certificate says how right."""
    error = true_error(found, expected)
    assert error <= max(10 * found.certificate.error, ROUNDING)
    assert error <= at_most
    assert found.certificate.error <= 100 * at_most


@pytest.mark.parametrize("depth", [3, 4, 6])
@pytest.mark.parametrize("scale", [1e-12, 1e-4, 0.05, 20.0])
def test_targets_of_zero(depth, scale):
    """t does not depend on the scale then, rho does: the Newton system has to follow."""
    rng = np.random.default_rng(depth)
    X, layers = rng.standard_normal((2, 6)), rng.standard_normal((depth, 6))
    network, problem = DiagonalNetwork(6, depth), Regression(X, np.zeros(2))
    expected = exact_limit(X, problem.y, layers, scale)
    check(predict_limit(network, problem, Initialization(layers, scale=scale)), expected, 1e-13)
    check(limit_path(network, problem, layers, [scale, 0.3]).limits[0], expected, 1e-13)


def test_how_targets_of_zero_move_with_the_scale():
    rng = np.random.default_rng(1)
    X, layers = rng.standard_normal((2, 6)), rng.standard_normal((3, 6))
    found = sensitivity(
        DiagonalNetwork(6, 3), Regression(X, [0.0, 0.0]), Initialization(layers, scale=0.02)
    )
    np.testing.assert_allclose(found.by_log_scale, 3 * found.limit.coefficients, rtol=1e-12)
