"""Least squares on a cone against SciPy's, from warm starts, with residuals of all digits."""

import numpy as np
import pytest
from scipy.optimize import nnls

from implicitbias.features import Dense
from implicitbias.limits import SquaredLoss


def fit(Z, y, signs, last=None):
    loss = SquaredLoss(Dense(Z), y)
    return loss.rest(np.arange(Z.shape[1]), signs, loss.start() if last is None else last)


@pytest.mark.parametrize("seed", range(8))
def test_the_fit_is_that_of_nonnegative_least_squares(seed):
    rng = np.random.default_rng(seed)
    Z, y = rng.standard_normal((6, 9)), rng.standard_normal(6)
    signs = rng.choice([-1.0, 1.0], 9)
    expected = signs * nnls(Z * signs, y)[0]
    found = fit(Z, y, signs)
    np.testing.assert_array_equal(found.chosen, np.flatnonzero(expected))
    np.testing.assert_allclose(found.values, expected[found.chosen], rtol=1e-10)
    np.testing.assert_allclose(found.pull, y - Z @ expected, atol=1e-13)


def test_a_warm_start_changes_nothing():
    rng = np.random.default_rng(3)
    Z, y, signs = rng.standard_normal((8, 12)), rng.standard_normal(8), np.ones(12)
    loss = SquaredLoss(Dense(Z), y)
    few = loss.rest(np.arange(5), signs[:5], loss.start())
    warm, cold = fit(Z, y, signs, few), fit(Z, y, signs)
    assert few.chosen.size
    np.testing.assert_array_equal(warm.chosen, cold.chosen)
    np.testing.assert_allclose(warm.values, cold.values, rtol=1e-12)


def test_small_pulls_have_all_digits():
    columns = np.array([[1.0, 1.0], [1.0, 1.0], [0.0, 1e-3]])
    tiny = 2.0**-40
    y = np.array([1.0 + tiny, 1.0 - tiny, 0.0])
    found = fit(columns[:, :1], y, np.ones(1))
    np.testing.assert_allclose(found.pull, [tiny, -tiny, 0.0], rtol=1e-14)


def test_dependent_columns_do_not_enter():
    Z = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    found = fit(Z, np.array([1.0, 1.0]), np.ones(3))
    assert found.chosen.size == 2
    assert not found.pull.any()
