"""Folds, and errors of many linear models at once."""

import numpy as np
from sklearn.model_selection import KFold

from implicitbias.estimators._folds import over_folds, squared_errors
from implicitbias.problems import equations


def test_each_fold_is_measured_once():
    X, y = np.arange(12.0).reshape(6, 2), np.arange(6.0)
    found = over_folds(lambda X, y, train, test, scale: scale * y[test].sum(), X, y, KFold(3), 1, 2)
    assert found == [2.0, 10.0, 18.0]


def test_errors_are_those_of_each_model():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((7, 3)), rng.standard_normal(7)
    data, models = equations(X[:4], y[:4], True), rng.standard_normal((5, 3))
    expected = [np.mean((X[4:] @ b + data.intercept(b) - y[4:]) ** 2) for b in models]
    found = squared_errors(data, models, X[4:], y[4:], 4.0)
    np.testing.assert_allclose(16.0 * found, expected, rtol=1e-13)
