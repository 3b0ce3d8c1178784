"""Three classes and more: each against the rest."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold
from sklearn.multiclass import OneVsRestClassifier

from implicitbias._errors import InfeasibleProblemError
from implicitbias.estimators import FlowLimitClassifier, FlowLimitClassifierCV

LABELS = np.array(["sea", "land", "air"])


def clouds(seed=0, num_points=18, num_features=6):
    """Three classes in corners, each separable from the others."""
    rng = np.random.default_rng(seed)
    which = np.arange(num_points) % 3
    X = 0.3 * rng.standard_normal((num_points, num_features))
    X[np.arange(num_points), which] += 3.0
    return X, LABELS[which]


SETTINGS = {
    "two layers": {},
    "deep": {"depth": 3},
    "fully connected": {"network": "fully_connected"},
    "convolutional": {"network": "convolutional"},
    "without intercept": {"fit_intercept": False},
    "free intercept": {"network": "fully_connected", "free_intercept": True},
    "finite loss": {"init_scale": 0.5},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_it_is_scikit_learns_one_against_the_rest(name):
    X, y = clouds()
    model = FlowLimitClassifier(**SETTINGS[name]).fit(X, y)
    wrapped = OneVsRestClassifier(FlowLimitClassifier(**SETTINGS[name])).fit(X, y)
    np.testing.assert_array_equal(model.classes_, ["air", "land", "sea"])
    for index, part in enumerate(wrapped.estimators_):
        np.testing.assert_allclose(model.coef_[index], part.coef_[0], rtol=0, atol=1e-12)
        np.testing.assert_allclose(model.intercept_[index], part.intercept_[0], atol=1e-12)
        assert model.error_[index] == part.error_
        assert model.feasibility_[index] == part.feasibility_
    np.testing.assert_allclose(model.decision_function(X), wrapped.decision_function(X), atol=1e-12)
    np.testing.assert_array_equal(model.predict(X), y)


def test_shapes():
    X, y = clouds()
    model = FlowLimitClassifier().fit(X, y)
    assert model.coef_.shape == (3, 6)
    assert model.intercept_.shape == (3,)
    assert model.decision_function(X[:4]).shape == (4, 3)
    assert model.dual_coef_.shape == (3, 18)
    assert model.dual_gap_.shape == model.error_.shape == model.n_iter_.shape == (3,)
    assert model.separable_.tolist() == [True] * 3
    assert model.converged_ is True
    assert [limit.kind for limit in model.limit_] == ["direction"] * 3
    margins = np.where(y[:, None] == model.classes_, 1, -1) * model.decision_function(X)
    np.testing.assert_allclose(margins.min(axis=0), 1.0, rtol=1e-12)


def test_the_separability_of_each_is_told_and_the_others_named():
    X, y = load_iris(return_X_y=True)
    names = load_iris().target_names
    with pytest.warns(ConvergenceWarning) as heard:
        model = FlowLimitClassifier("fully_connected").fit(X, names[y])
    text = str(heard[0].message)
    assert "class 'versicolor' and class 'virginica' against the rest are not proved" in text
    assert dict(zip(model.classes_.tolist(), model.separable_.tolist(), strict=True)) == {
        "setosa": True,
        "versicolor": False,
        "virginica": False,
    }
    ones = np.column_stack([X, np.ones(len(X))])
    signs = np.where(y == 1, 1.0, -1.0)
    squares = np.linalg.lstsq(ones, signs)[0]
    np.testing.assert_allclose(model.coef_[1], squares[:-1], rtol=1e-9)


def test_a_class_that_is_not_separable_is_named_with_its_evidence():
    X, y = load_iris(return_X_y=True)
    names = load_iris().target_names
    model = FlowLimitClassifier(require_separable=True)
    with pytest.raises(
        InfeasibleProblemError, match="class 'versicolor' against the rest is not"
    ) as e:
        model.fit(X, names[y])
    weights, signs = e.value.evidence, np.where(y == 1, 1.0, -1.0)
    rest = (weights * signs) @ np.column_stack([X, np.ones(len(X))])
    assert weights.min() >= 0
    assert np.abs(rest).max() < 1e-12 * weights.max()
    with pytest.raises(InfeasibleProblemError, match="the classes 0 and 1 are not linearly"):
        model.fit([[0.0], [1.0], [2.0]], [0, 1, 0])
    assert model.fit(*clouds()).separable_.all()


def test_one_scale_for_all_is_cross_validated():
    X, y = clouds()
    model = FlowLimitClassifierCV(init_scales=[np.inf, 0.1], cv=3).fit(X, y)
    assert model.score_path_.shape == (2, 3)
    assert model.coef_.shape == (3, 6)
    alone = FlowLimitClassifier(init_scale=model.init_scale_).fit(X, y)
    np.testing.assert_allclose(model.coef_, alone.coef_, rtol=1e-12)
    by_hand = [
        FlowLimitClassifier(init_scale=0.1).fit(X[train], y[train]).score(X[test], y[test])
        for train, test in StratifiedKFold(3).split(X, y)
    ]
    np.testing.assert_allclose(model.score_path_[1], by_hand)
