"""Offsets and units of data: exact shifts, predictions without cancellation, dense as sparse."""

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse

from implicitbias._errors import InfeasibleProblemError
from implicitbias.estimators import FlowLimitClassifier, FlowLimitRegressor
from implicitbias.features import as_features
from implicitbias.problems import Classification, Offsets, Regression, equations
from reference.exact_rank import exact_rank

FORMS = pytest.mark.parametrize("form", [np.asarray, scipy.sparse.csr_array])


def exact(row, beta, *more):
    terms = [Fraction(float(a)) * Fraction(float(b)) for a, b in zip(row, beta, strict=True)]
    return float(sum(terms) + sum(map(Fraction, more)))


@FORMS
def test_only_narrow_features_are_moved_and_nothing_is_rounded(form):
    X = np.array([[1e15 + 1, -3.0, 273.15, 0.5], [1e15 + 4, -5.0, 300.2, -0.5]])
    offsets = Offsets.of(form(X))
    np.testing.assert_array_equal(offsets.columns, [0, 1, 2])
    moved = offsets.subtracted(as_features(form(X))).toarray()
    for i, j in np.ndindex(X.shape):
        c = dict(zip(offsets.columns.tolist(), offsets.values.tolist(), strict=True)).get(j, 0.0)
        assert Fraction(moved[i, j]) == Fraction(X[i, j]) - Fraction(c)
    beta = np.array([0.1, 1e5, -3.0, 2.0])
    np.testing.assert_array_equal(offsets.products(form(X), beta), moved @ beta)
    shift = [X[0, 0], X[0, 1], X[0, 2], 0.0]
    assert offsets.constant(beta, 2.5) == exact(shift, -beta, 2.5)


@FORMS
@pytest.mark.parametrize("network", ["diagonal", "fully_connected"])
@pytest.mark.parametrize("offset", [1e5, 1.7e12, 2.0**52])
def test_points_on_a_line_are_fitted_to_rounding(offset, network, form):
    t = offset + 4.0 * np.arange(10)
    y = 2.0 * np.arange(10) + 5
    model = FlowLimitRegressor(network).fit(form(t[:, None]), y)
    assert model.interpolates_ and model.converged_
    assert model.coef_[0] == pytest.approx(0.5, rel=1e-14)
    np.testing.assert_allclose(model.predict(form(t[:, None])), y, rtol=1e-14)
    assert model.intercept_ == pytest.approx(exact([-offset], [model.coef_[0]], 5.0), rel=1e-15)


@FORMS
def test_one_column_of_much_larger_numbers(form):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((8, 20)), rng.standard_normal(8)
    X[:, 0] = 1.7e18 + 2.6e15 * np.sort(rng.random(8))
    X[:, 1:3] *= [1e-8, 1e8]
    for network in ("diagonal", "fully_connected"):
        model = FlowLimitRegressor(network, tol=1.0).fit(form(X), y)
        assert (model.rank_, model.interpolates_) == (7, True)
        np.testing.assert_allclose(model.predict(form(X)), y, rtol=0, atol=1e-9)


@pytest.mark.parametrize("seed", range(40))
def test_ranks_of_integers_with_offsets_and_units(seed):
    rng = np.random.default_rng(seed)
    n, d, r = rng.integers(2, 9, 3)
    X = (rng.integers(-3, 4, (n, r)) @ rng.integers(-3, 4, (r, d))).astype(float)
    X[:, rng.random(d) < 0.4] += 10.0 ** rng.integers(3, 15)
    X *= 2.0 ** rng.integers(-60, 61, d)
    X *= 2.0 ** rng.integers(-30, 31, (n, 1))
    X[rng.integers(n)] = X[rng.integers(n)]
    z = rng.integers(-3, 4, d) / np.where(X.any(axis=0), np.abs(X).max(axis=0), 1.0)
    expected = exact_rank(X)
    for given in (X, scipy.sparse.csr_array(X)):
        problem = Regression(given, np.zeros(n))
        assert problem.rank == len(problem.rows) == expected
        assert Classification(given, np.ones(n)).rank == expected
    y = np.array([exact(row, z) for row in X])
    assert Regression(X, y).rank == expected


def test_integers_that_float64_cannot_tell_apart_are_told_apart():
    X = 1e14 + np.arange(4.0)[:, None] * [1, 0] + [[0.0, 1.0]]
    X[:, 1] = 1.0
    for y in (np.array([3.0, 5.0, 7.0, 9.0]), X @ [1.0, 5.0]):
        assert Regression(X, y).rank == 2
    with pytest.raises(InfeasibleProblemError, match="no solution"):
        Regression(X, [3.0, 5.0, 7.0, 10.0])


def test_differences_keep_integers_and_their_ties():
    X = np.array([[1.0, 1, 0], [0, 1, 1], [1, 0, 1], [0, 0, 1]])
    data = equations(X + 1e6, np.arange(4.0), True, isometric=False)
    np.testing.assert_array_equal(data.problem.X, np.round(data.problem.X))
    nu = np.array([1.0, -2.0, 3.0])
    np.testing.assert_array_equal(X.T @ data.dual_as_given(nu), data.problem.X.T @ nu)


@FORMS
@pytest.mark.parametrize("network", ["diagonal", "fully_connected"])
@pytest.mark.parametrize("offset", [2e3, 1e6, 1e9, 1.7e12])
def test_separable_points_far_from_zero_are_classified(offset, network, form):
    t = offset + np.arange(10.0)
    y = t > offset + 4.5
    with np.errstate(all="raise"):
        model = FlowLimitClassifier(network, tol=np.finfo(float).max).fit(form(t[:, None]), y)
    assert model.separable_ and model.score(form(t[:, None]), y) == 1
    np.testing.assert_allclose(model.coef_[0], 2.0, rtol=1e-8)
    margins = (2 * y - 1) * model.decision_function(form(t[:, None]))
    assert margins.min() == pytest.approx(1.0, abs=1e-9)
    assert model.intercept_[0] == pytest.approx(-1.0 - 2.0 * (offset + 4), rel=1e-9)
