"""Folds, and errors of many linear models at once."""

import numpy as np
import pytest
from sklearn.model_selection import KFold

from implicitbias._errors import InvalidInputError
from implicitbias.estimators._folds import best_of, in_units, over_folds, size_of, squared_errors
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


SIZES = [1.0, 1e200, 1e-200, 1e300, 1e-300]


@pytest.mark.parametrize("size", SIZES)
def test_errors_and_choice_do_not_depend_on_the_unit_of_targets(size):
    rng = np.random.default_rng(0)
    X, y, models = rng.standard_normal((7, 3)), rng.standard_normal(7), rng.standard_normal((5, 3))
    expected = squared_errors(equations(X, y, True), models, X, y, size_of(y))
    data = equations(X, y * size, True)
    found = squared_errors(data, models * size, X, y * size, size_of(y * size))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert best_of(-found[:, None]) == (np.argmin(expected),)
    whole = in_units(found, size_of(y * size))
    assert np.all(whole == np.inf) if size > 1e150 else np.all(whole >= 0)


@pytest.mark.filterwarnings("error")
def test_the_highest_mean_is_chosen():
    scores = np.array([[[1.0, 2.0], [5.0, 0.0]], [[3.0, 3.0], [-np.inf, 9.0]]])
    assert best_of(scores) == (1, 0)
    assert best_of(np.array([[-np.inf, 1.0], [-1e9, 1.0]])) == (1,)


CHOICES = {
    "a candidate without one score": ([[9.0, np.nan], [1.0, 2.0], [2.0, 2.0]], 2),
    "first": ([[np.nan, np.nan], [-np.inf, -np.inf]], 1),
    "a fold without any": ([[1.0, np.nan], [2.0, np.nan], [0.0, np.nan]], 1),
    "opposite infinities": ([[np.inf, -np.inf], [1.0, np.nan], [0.0, 0.0]], 2),
}


@pytest.mark.parametrize("case", CHOICES)
def test_nan_never_wins(case):
    scores, best = CHOICES[case]
    with pytest.warns(UserWarning, match=r"scores are NaN: . of . folds"):
        assert best_of(np.array(scores)) == (best,)


def test_without_any_score_the_error_decides():
    scores, errors = np.full((3, 2), np.nan), np.array([[2.0, 2.0], [1.0, 1.0], [3.0, 3.0]])
    with pytest.warns(UserWarning, match="the mean squared error chooses"):
        assert best_of(scores, errors) == (1,)
    with pytest.raises(InvalidInputError, match="no candidate has a finite error"):
        best_of(scores)


def test_folds_that_the_data_do_not_have_are_refused():
    with pytest.raises(InvalidInputError, match="n_splits=5"):
        over_folds(print, np.ones((3, 2)), np.ones(3), 5, None)
