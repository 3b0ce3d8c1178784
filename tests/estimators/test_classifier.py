"""FlowLimitClassifier: margins, labels and classes that cannot be separated."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC

from implicitbias._errors import InvalidInputError
from implicitbias.estimators import FlowLimitClassifier


def separable(seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((15, 30))
    return X, np.where(X[:, 0] > 0, "yes", "no")


@pytest.mark.parametrize("network", ["diagonal", "convolutional", "fully_connected"])
def test_the_closest_points_have_margin_one(network):
    X, y = separable()
    model = FlowLimitClassifier(network).fit(X, y)
    margins = np.where(y == "yes", 1, -1) * model.decision_function(X)
    np.testing.assert_allclose(margins.min(), 1.0, rtol=1e-8)
    assert model.separable_ and model.converged_
    np.testing.assert_array_equal(model.predict(X), y)
    np.testing.assert_array_equal(model.classes_, ["no", "yes"])
    assert model.coef_.shape == (1, 30) and model.intercept_.shape == (1,)


def test_fully_connected_is_the_hard_margin_support_vector_machine():
    X, y = separable()
    model = FlowLimitClassifier("fully_connected", fit_intercept=False).fit(X, y)
    signs = np.where(y == "yes", 1, -1)
    mirrored = SVC(kernel="linear", C=1e8, tol=1e-10)  # by symmetry its intercept is 0
    mirrored.fit(np.vstack([X, -X]), np.concatenate([signs, -signs]))
    np.testing.assert_allclose(model.coef_, mirrored.coef_, rtol=0, atol=1e-7)


def test_depth_two_has_the_least_l1_norm():
    X, y = separable()
    sparse = FlowLimitClassifier(fit_intercept=False).fit(X, y)
    dense = FlowLimitClassifier("fully_connected", fit_intercept=False).fit(X, y)
    assert np.abs(sparse.coef_).sum() < np.abs(dense.coef_).sum()
    assert np.linalg.norm(sparse.coef_) > np.linalg.norm(dense.coef_)
    assert np.sum(np.abs(sparse.coef_) > 1e-9) < 15


def test_deeper_networks_end_at_a_stationary_point():
    X, y = separable()
    model = FlowLimitClassifier(depth=3).fit(X, y)
    assert model.limit_.kind == "stationary direction"
    assert model.converged_


def test_classes_that_cannot_be_separated_get_least_squares():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((50, 2)), rng.integers(0, 2, 50)
    with pytest.warns(ConvergenceWarning, match="separable_ is False"):
        model = FlowLimitClassifier().fit(X, y)
    ones = np.column_stack([X, np.ones(50)])
    expected = np.linalg.lstsq(ones, 2.0 * y - 1)[0]
    assert not model.separable_
    np.testing.assert_allclose([*model.coef_[0], *model.intercept_], expected, rtol=1e-9)


def test_directions_of_the_start_include_the_intercept():
    X, y = separable()
    model = FlowLimitClassifier(depth=3, init_direction=np.linspace(1, 2, 30)).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), y)

    with pytest.raises(InvalidInputError, match=r"init_direction has shape \(3,\)"):
        FlowLimitClassifier(init_direction=np.ones(3)).fit(X, y)


def test_one_label_alone_is_refused():
    X, _ = separable()
    with pytest.raises(InvalidInputError, match=r"y has 1 class; expected two or more: .* 0\.0"):
        FlowLimitClassifier().fit(X, np.zeros(15))


@pytest.mark.parametrize("free", [True, False])
@pytest.mark.parametrize("network", ["diagonal", "two_sided", "fully_connected"])
def test_classes_that_nothing_tells_apart_have_no_slopes(network, free):
    corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    balanced = np.repeat([1.0, -1.0], 5)[:, None]
    for X, y in (
        (np.vstack([corners, corners, [[0.5, 0.5]]]), [0, 1, 1, 0, 0, 1, 1, 0, 1]),
        (balanced, [1, -1, 1, 1, -1, 1, 1, -1, 1, -1]),
        (np.arange(9.0)[:, None], [1, 0, 0, 1, 0, 1, 0, 0, 1]),
    ):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = FlowLimitClassifier(network, free_intercept=free).fit(X, y)
        assert [str(each.message)[:20] for each in caught] == ["the classes are not "]
        assert not model.coef_.any() and model.converged_
        signs = np.where(np.asarray(y) > 0, 1.0, -1.0)
        np.testing.assert_allclose(model.intercept_, signs.mean(), rtol=1e-13)
