"""The end of training: predicted, or simulated where nothing predicts it."""

import numpy as np
import pytest

from helpers.draws import normal
from implicitbias._model import directions_of, network_of
from implicitbias.estimators._end import End, end_of_training, of_limit
from implicitbias.flow import Flow
from implicitbias.limits import Certificate, Limit
from implicitbias.problems import Classification, Regression

(X,) = normal(0, (3, 6))


def test_numbers_that_are_missing_count_as_infinite():
    assert End(X[0], None, 1e-3, 1e-9, 1, None).worst == 1e-3
    assert End(X[0], None, 0.0, np.nan, 1, None).worst == np.inf


@pytest.mark.parametrize(
    ("error", "worst"), [(None, 1e-9), (1e-12, 1e-9), (0.5, 0.5), (np.nan, np.inf)]
)
def test_the_error_of_a_limit_counts(error, worst):
    problem = Regression(X, np.ones(3))
    limit = Limit(X[0], "point", "Corollary 5", Certificate(1e-12, gap=1e-9, error=error))
    end = of_limit(problem, limit)
    assert end.worst == worst
    assert end.error is error


def test_what_nothing_predicts_is_simulated():
    network = network_of("convolutional", 2, 6)
    directions = directions_of(network, None)
    end = end_of_training(network, Regression(X, np.ones(3)), directions, 1.0)
    assert isinstance(end.result, Flow)
    assert end.worst < 1e-8
    assert end.num_iterations > 1


def test_dual_points_are_given_for_every_row():
    rows = np.vstack([X, X[:1]])
    network = network_of("diagonal", 2, 6)
    directions = directions_of(network, None)
    end = end_of_training(network, Regression(rows, np.ones(4)), directions, 1.0)
    assert end.dual.shape == (4,)
    clocks = rows.T @ end.dual
    np.testing.assert_allclose(end.coefficients, np.sinh(2 * clocks) / 2, rtol=1e-10)


def test_directions_have_margin_one():
    y = np.array([1.0, -1.0, 1.0])
    network = network_of("fully_connected", 2, 6)
    problem = Classification(X, y)
    end = end_of_training(network, problem, directions_of(network, None), 1.0)
    np.testing.assert_allclose((y * (X @ end.coefficients)).min(), 1.0, rtol=1e-12)
