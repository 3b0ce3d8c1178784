"""groups: points that stay together in folds, given directly or routed."""

import numpy as np
import pytest
import sklearn
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from implicitbias._errors import InvalidInputError
from implicitbias.estimators import (
    FlowLimitClassifierCV,
    FlowLimitRegressorCV,
    StoppedFlowRegressor,
)

X = np.random.default_rng(0).standard_normal((18, 30))
Y = X[:, 0] - X[:, 1]
GROUPS = np.repeat(list("abcdef"), 3)[np.random.default_rng(1).permutation(18)]
MODELS = {
    "regressor": (lambda cv: FlowLimitRegressorCV(init_scales=[1.0, 0.1], cv=cv), Y, "mse_path_"),
    "stopped": (lambda cv: StoppedFlowRegressor(num_times=6, cv=cv, tol=1e-3), Y, "mse_path_"),
    "classifier": (
        lambda cv: FlowLimitClassifierCV(init_scales=[1.0, 0.1], cv=cv),
        Y > 0,
        "score_path_",
    ),
}
ALL = pytest.mark.parametrize("name", MODELS)


@ALL
def test_folds_keep_groups_together(name):
    model, y, path = MODELS[name]
    found = getattr(model(GroupKFold(3)).fit(X, y, groups=GROUPS), path)
    folds = list(GroupKFold(3).split(X, y, GROUPS))
    assert not any(set(GROUPS[train]) & set(GROUPS[test]) for train, test in folds)
    np.testing.assert_array_equal(found, getattr(model(folds).fit(X, y), path))
    assert np.abs(found - getattr(model(3).fit(X, y), path)).max() > 1e-3


@ALL
def test_groups_that_are_missing_or_too_few_are_refused(name):
    model, y, _ = MODELS[name]
    with pytest.raises(InvalidInputError, match="groups"):
        model(GroupKFold(3)).fit(X, y)
    with pytest.raises(InvalidInputError, match="inconsistent"):
        model(GroupKFold(3)).fit(X, y, groups=GROUPS[:5])


@ALL
def test_groups_are_routed_through_a_pipeline(name):
    model, y, path = MODELS[name]
    with sklearn.config_context(enable_metadata_routing=True):
        asked = model(GroupKFold(3)).set_fit_request(groups=True)
        pipeline = make_pipeline(StandardScaler(), asked).fit(X, y, groups=GROUPS)
        moved = pipeline[:-1].transform(X)
    expected = model(GroupKFold(3)).fit(moved, y, groups=GROUPS)
    np.testing.assert_array_equal(getattr(pipeline[-1], path), getattr(expected, path))


def test_groups_and_weights_are_routed_through_folds_and_grids():
    weights = np.arange(1.0, 19.0)
    with sklearn.config_context(enable_metadata_routing=True):
        model = FlowLimitRegressorCV(init_scales=[1.0], cv=GroupKFold(2))
        model.set_fit_request(groups=True, sample_weight=True).set_score_request(sample_weight=True)
        given = {"groups": GROUPS, "sample_weight": weights}
        found = cross_validate(
            model, X, Y, cv=GroupKFold(3), params=given, return_estimator=True, error_score="raise"
        )
        grid = GridSearchCV(model, {"depths": [2, 3]}, cv=GroupKFold(3), error_score="raise")
        grid.fit(X, Y, **given)
    train, _ = next(iter(GroupKFold(3).split(X, Y, GROUPS)))
    expected = FlowLimitRegressorCV(init_scales=[1.0], cv=GroupKFold(2))
    expected.fit(X[train], Y[train], weights[train], groups=GROUPS[train])
    np.testing.assert_array_equal(found["estimator"][0].coef_, expected.coef_)
    assert grid.best_params_["depths"] in (2, 3)
