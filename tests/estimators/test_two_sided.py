"""Estimators of two-sided networks."""

import numpy as np
import pytest
from sklearn.base import clone

from helpers.draws import normal
from implicitbias import (
    Initialization,
    InvalidInputError,
    Regression,
    TwoSidedDiagonalNetwork,
    predict_limit,
)
from implicitbias.estimators import (
    FlowLimitClassifier,
    FlowLimitRegressor,
    FlowLimitRegressorCV,
    flow_limit_path,
)

(X,) = normal(0, (10, 30))
Y = X[:, 0] - 2.0 * X[:, 1]
ONES = np.ones(30)


@pytest.mark.parametrize("name", ["two_sided", "two-sided"])
@pytest.mark.parametrize("power", [2, 2.5])
def test_the_regressor_starts_from_equal_ones(name, power):
    model = clone(
        FlowLimitRegressor(network=name, depth=power, init_scale=0.1, fit_intercept=False)
    ).fit(X, Y)
    network = TwoSidedDiagonalNetwork(30, power)
    expected = predict_limit(network, Regression(X, Y), Initialization([ONES, ONES], 0.1))
    assert np.allclose(model.coef_, expected.coefficients, rtol=0, atol=1e-13)
    assert model.converged_ and model.limit_.theorem == "two-sided, from u = v"


def test_both_ends_of_the_scale():
    kernel = FlowLimitRegressor(
        network="two_sided", depth=2.5, init_scale=np.inf, fit_intercept=False
    ).fit(X, Y)
    assert np.allclose(kernel.coef_, np.linalg.pinv(X) @ Y)
    sparse = FlowLimitRegressor(network="two_sided", depth=2.5, init_scale=0).fit(X, Y)
    assert np.flatnonzero(np.abs(sparse.coef_) > 1e-9).tolist() == [0, 1]


def test_directions_are_for_both_and_have_to_be_positive():
    eta = np.linspace(0.5, 1.5, 30)
    model = FlowLimitRegressor(network="two_sided", depth=3, init_direction=eta).fit(X, Y)
    assert model.converged_
    with pytest.raises(InvalidInputError, match="u = v = init_direction, all entries > 0"):
        FlowLimitRegressor(network="two_sided", init_direction=-eta).fit(X, Y)
    with pytest.raises(InvalidInputError, match=r"depth is 2\.5; expected a whole number"):
        FlowLimitRegressor(depth=2.5).fit(X, Y)


@pytest.mark.parametrize("power", [2, 2.5])
def test_the_classifier_separates(power):
    model = FlowLimitClassifier(network="two_sided", depth=power).fit(X, Y > 0)
    assert model.score(X, Y > 0) == 1.0 and model.converged_ and model.separable_


def test_paths_and_folds_take_real_powers():
    scales, coefs, gaps = flow_limit_path(X, Y, network="two_sided", depth=2.5, init_scales=4)
    assert coefs.shape == (30, 4) and np.all(np.diff(scales) < 0) and gaps.max() < 1e-10
    model = FlowLimitRegressorCV(network="two_sided", depths=[2, 2.5], init_scales=4).fit(X, Y)
    assert model.depth_ in (2, 2.5)
