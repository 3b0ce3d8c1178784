"""What docs/howto/choose_estimator.rst says of one tool beside another, on fresh draws."""

import warnings

import numpy as np
import pytest
from scipy.optimize import linprog
from sklearn.linear_model import LassoCV, Ridge, RidgeCV
from sklearn.svm import SVC, LinearSVC

from implicitbias.estimators import (
    FlowLimitClassifier,
    FlowLimitRegressor,
    FlowLimitRegressorCV,
    StoppedFlowRegressor,
)

N, D = 60, 300


def draw(seed, noise=0.0, sparse=True):
    rng = np.random.default_rng(seed)
    beta = (np.arange(D) < 5) * 1.0 if sparse else rng.standard_normal(D) / np.sqrt(D)
    X = rng.standard_normal((N, D))
    return X, X @ beta + noise * rng.standard_normal(N), beta


def distance(model, X, y, beta):
    return np.sum((model.fit(X, y).coef_ - beta) ** 2)


def rich():
    return FlowLimitRegressor(depth=3, init_scale=1e-3)


def ridge():
    return RidgeCV(np.geomspace(1e-2, 1e4, 40))


@pytest.mark.parametrize("seed", range(1, 4))
def test_few_features_and_no_noise(seed):
    data = draw(seed)
    limit, lasso = distance(rich(), *data), distance(LassoCV(), *data)
    assert limit < 1e-12 < lasso < 1e-2 < 1 < distance(ridge(), *data)
    assert max(rich().fit(*data[:2]).feasibility_, rich().fit(*data[:2]).dual_gap_) < 1e-13


def test_noise_that_a_perfect_fit_would_learn():
    models = (rich(), LassoCV(), StoppedFlowRegressor(init_scale=1e-3, num_times=30, cv=3))
    errors = [[distance(model, *draw(seed, noise=1.0)) for model in models] for seed in (1, 2, 3)]
    limit, lasso, stopped = np.median(errors, axis=0)
    assert limit > 1.2 * lasso
    assert limit > 1.2 * stopped


def test_coefficients_all_small_and_alike():
    for seed in (1, 2, 3):
        data = draw(seed, noise=0.1, sparse=False)
        best = distance(ridge(), *data)
        assert best < min(distance(rich(), *data), distance(LassoCV(), *data))


def test_the_ridgeless_end_is_the_fully_connected_limit():
    X, y, _ = draw(1, noise=1.0)
    limit = FlowLimitRegressor("fully_connected").fit(X, y)
    nearly = Ridge(alpha=1e-9, solver="svd").fit(X, y)
    np.testing.assert_allclose(limit.coef_, nearly.coef_, rtol=0, atol=1e-10)
    np.testing.assert_allclose(limit.intercept_, nearly.intercept_, rtol=1e-9)


def test_scale_zero_and_highs_are_both_basis_pursuit():
    X, y, _ = draw(1, noise=1.0)
    limit = FlowLimitRegressor(init_scale=0).fit(X, y)
    free = [(0, None)] * (2 * D) + [(None, None)]
    program = linprog(
        np.r_[np.ones(2 * D), 0.0], A_eq=np.c_[X, -X, np.ones(N)], b_eq=y, bounds=free
    )
    np.testing.assert_allclose(np.abs(limit.coef_).sum(), program.fun, rtol=1e-9)
    np.testing.assert_allclose(limit.predict(X), y, rtol=0, atol=1e-10)


def test_larger_scales_are_less_sparse():
    X, y, _ = draw(1, noise=1.0)
    norms = [
        np.abs(FlowLimitRegressor(init_scale=scale).fit(X, y).coef_).sum()
        for scale in (0.0, 1e-3, 1e-1, 1.0, 10.0)
    ]
    assert np.all(np.diff(norms) > 0)


def test_cross_validation_picks_the_smallest_scale_for_basis_pursuit():
    X, y, _ = draw(2)
    model = FlowLimitRegressorCV(depths=3, init_scales=6).fit(X, y)
    assert model.init_scale_ == model.init_scales_[-1]


def classes(seed):
    """The two clouds of the page, whose intercept is not 0."""
    rng = np.random.default_rng(seed)
    X = 0.3 * rng.standard_normal((16, 2)) + np.repeat([[3.0, 3.0], [-1.0, -1.0]], 8, axis=0)
    return X, np.repeat([1, -1], 8)


def plane(model, data):
    model.fit(*data)
    return np.append(model.coef_[0], model.intercept_)


@pytest.mark.parametrize("seed", range(3))
def test_linear_svc_counts_the_intercept_as_training_does(seed):
    data = classes(seed)
    limit = plane(FlowLimitClassifier("fully_connected", free_intercept=False), data)
    hinge = LinearSVC(loss="hinge", C=1e8, tol=1e-10, max_iter=10**6, random_state=0)
    np.testing.assert_allclose(plane(hinge, data), limit, rtol=0, atol=1e-7)


@pytest.mark.parametrize("seed", range(3))
def test_svc_leaves_the_intercept_free_and_has_the_wider_gap(seed):
    data = classes(seed)
    limit = plane(FlowLimitClassifier("fully_connected", free_intercept=False), data)
    free = plane(SVC(kernel="linear", C=1e8, tol=1e-8), data)
    np.testing.assert_allclose(plane(FlowLimitClassifier("fully_connected"), data), free, rtol=1e-5)
    assert np.linalg.norm(free[:2]) < (1 - 1e-3) * np.linalg.norm(limit[:2])
    assert np.linalg.norm(free) > (1 + 1e-5) * np.linalg.norm(limit)


def test_depth_two_has_the_least_l1_norm_with_the_intercept():
    X, y = classes(0)
    found = plane(FlowLimitClassifier(), (X, y))
    rows = y[:, None] * np.c_[X, np.ones(len(X))]
    program = linprog(np.ones(6), A_ub=-np.c_[rows, -rows], b_ub=-np.ones(len(X)))
    np.testing.assert_allclose(np.abs(found).sum(), program.fun, rtol=1e-9)


def test_stopping_early_needs_no_perfect_fit():
    errors = []
    for seed in (1, 2):
        rng = np.random.default_rng(seed)
        X, truth = rng.standard_normal((200, 50)), (np.arange(50) < 5) * 1.0
        y = X @ truth + 2.0 * rng.standard_normal(200)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            end = FlowLimitRegressor(init_scale=1e-3).fit(X, y)
        assert not end.interpolates_
        squares = np.linalg.lstsq(np.c_[X, np.ones(200)], y)[0][:-1]
        np.testing.assert_allclose(end.coef_, squares, rtol=1e-8)
        early = StoppedFlowRegressor(init_scale=1e-3, num_times=20, cv=2)
        stopped = distance(early, X, y, truth)
        errors.append([np.sum((squares - truth) ** 2), stopped])
    assert np.all(np.diff(errors, axis=1) < 0)
