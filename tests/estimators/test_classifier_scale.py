"""FlowLimitClassifier(init_scale=...) and its cross-validation."""

import numpy as np
import pytest

import implicitbias as ib
from implicitbias.estimators import FlowLimitClassifier, FlowLimitClassifierCV

X = np.random.default_rng(0).standard_normal((30, 12))
Y = np.where(X @ np.r_[2.0, -2.0, 1.5, np.zeros(9)] > 0, "a", "b")


def fitted(scale, **parameters):
    return FlowLimitClassifier(init_scale=scale, **parameters).fit(X, Y)


def test_the_dial_goes_from_the_least_l2_to_the_least_l1_norm():
    models = {scale: fitted(scale, fit_intercept=False) for scale in (np.inf, 1.0, 0.1, 0.0, None)}
    l1 = [np.abs(models[scale].coef_).sum() for scale in (np.inf, 1.0, 0.1, 0.0)]
    l2 = [np.linalg.norm(models[scale].coef_) for scale in (np.inf, 1.0, 0.1, 0.0)]
    assert np.all(np.diff(l1) < 0)
    assert np.all(np.diff(l2) > 0)
    assert models[0.0].coef_ == pytest.approx(models[None].coef_, abs=1e-9)  # two layers
    assert all(model.converged_ for model in models.values())


def test_it_is_margin_path():
    model = fitted(0.5, fit_intercept=False, depth=3)
    problem = ib.Classification(X, np.where(Y == "b", 1, -1))
    start = [np.ones(12)] * 2 + [np.zeros(12)]
    path = ib.margin_path(ib.DiagonalNetwork(12, 3), problem, start, [0.5**3])
    assert model.coef_[0] == pytest.approx(path.coefficients[0], rel=1e-12)
    assert model.decision_function(X).min() < 0 < model.decision_function(X).max()
    assert np.abs(model.decision_function(X)).min() == pytest.approx(1.0)


def test_with_an_intercept_far_away():
    near = fitted(0.5).coef_
    far = FlowLimitClassifier(init_scale=0.5).fit(X + 1e6, Y)
    assert far.score(X + 1e6, Y) == 1.0
    assert near.shape == far.coef_.shape


def test_without_separation_the_scale_is_that_of_least_squares():
    noisy = np.where(np.arange(30) % 5 == 0, "a", Y)
    few = X[:, :2]
    with pytest.warns(Warning, match="separable"):
        model = FlowLimitClassifier(init_scale=0.1).fit(few, noisy)
    assert not model.separable_
    assert np.isfinite(model.coef_).all()


@pytest.mark.parametrize("scale", [-1.0, np.nan, "auto", True])
def test_wrong_scales_are_refused(scale):
    with pytest.raises(ib.InvalidInputError, match="init_scale"):
        fitted(scale)


def test_networks_that_forget_it_are_refused():
    with pytest.raises(ib.NoPredictionError, match="finite loss"):
        fitted(1.0, network="fully_connected")


def test_cross_validation_chooses_and_fits():
    model = FlowLimitClassifierCV(init_scales=[np.inf, 0.1], cv=3).fit(X, Y)
    assert model.score_path_.shape == (2, 3)
    chosen = model.score_path_.mean(axis=1).argmax()
    assert model.init_scale_ == model.init_scales_[chosen]
    assert model.coef_ == pytest.approx(fitted(model.init_scale_).coef_, rel=1e-9)


def test_placed_scales_begin_in_the_kernel_regime():
    model = FlowLimitClassifierCV(init_scales=3, eps=1e-2, cv=2).fit(X, Y)
    assert model.init_scales_[0] / model.init_scales_[-1] == pytest.approx(100.0)
    kernel, largest = (fitted(s).coef_ for s in (np.inf, float(model.init_scales_[0])))
    assert np.abs(kernel - largest).max() <= 0.02 * np.abs(kernel).max()


def test_wrong_folds_and_ratios_are_refused():
    with pytest.raises(ib.InvalidInputError, match="eps"):
        FlowLimitClassifierCV(eps=2.0).fit(X, Y)
    with pytest.raises(ib.InvalidInputError):
        FlowLimitClassifierCV(cv="five").fit(X, Y)


def test_a_refusal_says_why():
    """A common offset hides what differs between the points."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((12, 20))
    with pytest.raises(ib.NoPredictionError, match=r"not solved: .*Standardise the features"):
        FlowLimitClassifier(init_scale=0.3).fit(X + 1e12, X[:, 0] > X[:, 1])
