"""flow_limit_path and FlowLimitRegressorCV."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, LeaveOneOut, cross_val_score

from implicitbias._errors import InvalidInputError
from implicitbias.estimators import FlowLimitRegressor, FlowLimitRegressorCV, flow_limit_path


def design(num_points=12, num_features=30):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((num_points, num_features))
    return X, X[:, 0] - X[:, 1] + 0.1 * rng.standard_normal(num_points)


@pytest.mark.parametrize("depth", [2, 3])
def test_path_is_the_estimator_at_every_scale(depth):
    X, y = design()
    scales, coefs, gaps = flow_limit_path(X, y, depth=depth, init_scales=4, eps=1e-3)
    assert coefs.shape == (30, 4)
    assert gaps.max() < 1e-12
    assert np.all(np.diff(scales) < 0)
    np.testing.assert_allclose(scales[-1], 1e-3 * scales[0], rtol=1e-14)
    for scale, beta in zip(scales, coefs.T, strict=True):
        model = FlowLimitRegressor(depth=depth, init_scale=scale, fit_intercept=False)
        np.testing.assert_allclose(model.fit(X, y).coef_, beta, rtol=0, atol=1e-12)


def test_placed_scales_begin_at_the_least_norm():
    X, y = design()
    _, coefs, _ = flow_limit_path(X, y, init_scales=1)
    least = np.linalg.pinv(X) @ y
    assert np.linalg.norm(coefs[:, 0] - least) < 5e-3 * np.linalg.norm(least)


def test_given_scales_keep_their_order_and_ends():
    X, y = design()
    scales, coefs, _ = flow_limit_path(X, y, init_scales=[0, np.inf, 1.0])
    np.testing.assert_array_equal(scales, [0, np.inf, 1.0])
    assert np.sum(coefs[:, 0] != 0) == 12


def test_path_projects_with_a_warning():
    X, y = design(40, 3)
    with pytest.warns(ConvergenceWarning, match="projected on the range"):
        _, coefs, _ = flow_limit_path(X, y, init_scales=2)
    np.testing.assert_allclose(coefs[:, 0], np.linalg.lstsq(X, y)[0], rtol=1e-10)


@pytest.mark.parametrize("scales", [[], [1.0, -1.0], [np.nan]])
def test_bad_scales_are_refused(scales):
    with pytest.raises(InvalidInputError, match="init_scales"):
        flow_limit_path(*design(), init_scales=scales)


def test_cross_validation_measures_what_refitting_would():
    X, y = design()
    folds, scales = KFold(3), [1.0, 0.03]
    model = FlowLimitRegressorCV(depths=(2, 3), init_scales=scales, cv=folds).fit(X, y)
    assert model.mse_path_.shape == (2, 2, 3)
    for depth, errors in zip((2, 3), model.mse_path_, strict=True):
        for scale, error in zip(scales, errors, strict=True):
            single = FlowLimitRegressor(depth=depth, init_scale=scale)
            found = cross_val_score(single, X, y, cv=folds, scoring="neg_mean_squared_error")
            np.testing.assert_allclose(error, -found, rtol=1e-2)
    means = model.mse_path_.mean(axis=-1)
    best = np.unravel_index(means.argmin(), means.shape)
    assert (model.depth_, model.init_scale_) == ((2, 3)[best[0]], scales[best[1]])
    single = FlowLimitRegressor(depth=model.depth_, init_scale=model.init_scale_).fit(X, y)
    np.testing.assert_allclose(model.coef_, single.coef_, rtol=0, atol=1e-12)


def test_one_depth_and_a_scorer():
    X, y = design()
    model = FlowLimitRegressorCV(
        init_scales=3, cv=KFold(3), scoring="neg_mean_squared_error", n_jobs=2
    ).fit(X, y)
    assert model.mse_path_.shape == model.score_path_.shape == (3, 3)
    assert model.init_scales_.shape == (3,)
    np.testing.assert_allclose(model.score_path_, -model.mse_path_, rtol=1e-12)


def test_sparse_signals_choose_small_scales():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 100))
    model = FlowLimitRegressorCV(depths=3, init_scales=8, eps=1e-4).fit(X, X[:, 0] - X[:, 1])
    assert model.init_scale_ == model.init_scales_[-1]
    assert abs(model.coef_[:2] - [1, -1]).max() < 1e-6


def without_every(number, first):
    """A scorer whose calls ``first``, ``first + number``, .. give NaN."""
    calls = iter(range(10**6))

    def score(model, X, y):
        error = np.mean((model.predict(X) - y) ** 2)
        return np.nan if next(calls) % number == first else -error

    return score


def test_a_scale_without_a_score_is_never_chosen():
    X, y = design(20, 40)
    scales = np.geomspace(1, 1e-3, 4)
    by_error = FlowLimitRegressorCV(init_scales=scales, cv=4).fit(X, y)
    best = int(np.argmin(by_error.mse_path_.mean(axis=1)))
    model = FlowLimitRegressorCV(init_scales=scales, cv=4, scoring=without_every(4, best))
    with pytest.warns(UserWarning, match="1 of 4 candidates"):
        model.fit(X, y)
    assert np.isnan(model.score_path_[best]).all()
    others = np.delete(by_error.mse_path_.mean(axis=1), best)
    assert model.init_scale_ == np.delete(scales, best)[np.argmin(others)]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_scores_that_are_never_numbers_leave_the_choice_to_the_error():
    X, y = design()
    by_error = FlowLimitRegressorCV(init_scales=[1.0, 1e-3], cv=LeaveOneOut()).fit(X, y)
    model = FlowLimitRegressorCV(init_scales=[1.0, 1e-3], cv=LeaveOneOut(), scoring="r2")
    with pytest.warns(UserWarning, match="no candidate has a score that is a number"):
        model.fit(X, y)
    assert model.init_scale_ == by_error.init_scale_


@pytest.mark.parametrize("unit", [1e200, 1e-200])
def test_the_unit_of_targets_does_not_choose(unit):
    X, y = design()
    scales = np.geomspace(1, 1e-3, 4)
    expected = FlowLimitRegressorCV(init_scales=scales).fit(X, y)
    found = FlowLimitRegressorCV(init_scales=scales * np.sqrt(unit)).fit(X, y * unit)
    np.testing.assert_allclose(found.init_scale_, expected.init_scale_ * np.sqrt(unit), rtol=1e-12)


def test_the_chosen_model_states_its_error():
    model = FlowLimitRegressorCV(init_scales=3).fit(*design())
    assert 0 < model.error_ < 1e-12
    assert model.error_ == model.limit_.certificate.error
