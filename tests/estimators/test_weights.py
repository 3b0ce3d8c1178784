"""sample_weight: copies of points, weighted least squares, and the weighted flow itself."""

import mpmath as mp
import numpy as np
import pytest
import scipy.sparse
from scipy.integrate import solve_ivp
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut

from implicitbias._errors import InvalidInputError
from implicitbias.estimators import FlowLimitRegressor, FlowLimitRegressorCV, StoppedFlowRegressor
from implicitbias.problems import equations

COPIES = np.array([2, 0, 1, 3, 1, 0, 4, 1, 2, 1])
QUIET = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def contradicting(num_points=10, num_features=4, seed=0, offset=0.0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((num_points, num_features))
    return X + offset, X @ rng.standard_normal(num_features) + rng.standard_normal(num_points) + 2.0


def copied(*arrays):
    return [np.repeat(array, COPIES, axis=0) for array in arrays]


# ---- the flow ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("features", [4, 14])
@pytest.mark.parametrize("network", ["diagonal", "fully_connected"])
def test_weights_are_copies_along_the_whole_flow(network, features, fit_intercept):
    X, y = contradicting(num_features=features)
    settings = {"network": network, "stop_time": 0.3, "fit_intercept": fit_intercept}
    model = StoppedFlowRegressor(**settings).fit(X, y, sample_weight=COPIES)
    expected = StoppedFlowRegressor(**settings).fit(*copied(X, y))
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(model.intercept_, expected.intercept_, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(model.times_, expected.times_, rtol=1e-9)
    other = StoppedFlowRegressor(**settings).fit(X, y)
    assert np.abs(model.coef_ - other.coef_).max() > 1e-3


def trained(X, y, weights, time, scale, fit_intercept):
    """beta(time) of w_1 * w_2 on 1/2 sum w_i r_i^2, layer by layer, b at its best throughout."""
    d = X.shape[1]

    def velocity(_, layers):
        first, second = layers[:d], layers[d:]
        residual = y - X @ (first * second)
        if fit_intercept:
            residual = residual - np.average(residual, weights=weights)
        driver = X.T @ (weights * residual)
        return np.concatenate([driver * second, driver * first])

    start = np.concatenate([np.full(d, scale), np.zeros(d)])
    end = solve_ivp(velocity, (0, time), start, rtol=1e-11, atol=1e-13).y[:, -1]
    return end[:d] * end[d:]


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("features", [4, 14])
def test_it_is_the_weighted_training_stopped_at_that_time(features, fit_intercept):
    X, y = contradicting(num_features=features, offset=1.0)
    weights = np.random.default_rng(1).uniform(0.0, 3.0, 10)
    model = StoppedFlowRegressor(
        init_scale=0.2, stop_time=0.2, tol=1e-9, fit_intercept=fit_intercept
    ).fit(X, y, weights)
    expected = trained(X, y, weights, 0.2, 0.2, fit_intercept)
    np.testing.assert_allclose(model.coef_, expected, rtol=0, atol=1e-7)


def test_twice_the_weights_train_twice_as_fast():
    X, y = contradicting()
    slow = StoppedFlowRegressor(stop_time=0.4, tol=1e-9).fit(X, y, np.ones(10))
    fast = StoppedFlowRegressor(stop_time=0.2, tol=1e-9).fit(X, y, 2.0)
    np.testing.assert_allclose(fast.coef_, slow.coef_, rtol=1e-6)


def test_equal_rows_are_one():
    X, y = contradicting()
    X[3] = X[7]
    model = StoppedFlowRegressor(stop_time=0.2, tol=1e-9).fit(X, y)
    expected = trained(X, y, np.ones(10), 0.2, 0.1, True)
    np.testing.assert_allclose(model.coef_, expected, rtol=0, atol=1e-7)


def test_folds_of_copies_are_folds_of_weights():
    X, y = contradicting(30)
    copies, groups = np.tile(COPIES, 3), np.repeat([0, 1, 2], 10)
    found = StoppedFlowRegressor(num_times=12, cv=LeaveOneGroupOut())
    weighted = found.fit(X, y, copies, groups=groups)
    path = weighted.mse_path_
    repeated = [np.repeat(each, copies, axis=0) for each in (X, y)]
    expected = StoppedFlowRegressor(num_times=12, cv=LeaveOneGroupOut())
    expected.fit(*repeated, groups=np.repeat(groups, copies))
    np.testing.assert_allclose(path, expected.mse_path_, rtol=1e-9)
    assert weighted.stop_time_ == pytest.approx(expected.stop_time_, rel=1e-9)


# ---- targets that are projected ------------------------------------------------------------------


@QUIET
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("network", ["diagonal", "fully_connected", "convolutional", "two_sided"])
def test_more_points_than_features_end_at_weighted_least_squares(network, fit_intercept, sparse):
    if sparse and network == "convolutional":
        return
    X, y = contradicting(offset=2.0)
    weights = np.random.default_rng(1).uniform(0.1, 3.0, 10)
    weights[4] = 0.0
    given = scipy.sparse.csr_array(np.vstack([X] * 80)) if sparse else X
    times = 80 if sparse else 1
    model = FlowLimitRegressor(network, fit_intercept=fit_intercept)
    model.fit(given, np.tile(y, times), np.tile(weights, times))
    columns = np.c_[X, np.ones(10)] if fit_intercept else X
    roots = np.sqrt(weights)
    squares = np.linalg.lstsq(roots[:, None] * columns, roots * y)[0]
    np.testing.assert_allclose(model.coef_, squares[:4], rtol=1e-9)
    np.testing.assert_allclose(model.intercept_, squares[4] if fit_intercept else 0.0, rtol=1e-9)
    assert not model.interpolates_
    assert model.converged_


@QUIET
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("network", ["diagonal", "fully_connected", "convolutional"])
def test_weights_are_copies_where_rows_contradict(network, fit_intercept):
    """More features than points, of which two see the same features and another target."""
    X, y = contradicting(num_features=14)
    X[2], X[5] = X[0], X[6]
    model = FlowLimitRegressor(network, fit_intercept=fit_intercept).fit(X, y, COPIES)
    expected = FlowLimitRegressor(network, fit_intercept=fit_intercept).fit(*copied(X, y))
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=0, atol=1e-8)
    np.testing.assert_allclose(model.intercept_, expected.intercept_, rtol=0, atol=1e-8)
    if model.dual_coef_ is not None:
        assert model.dual_coef_.shape == (10,)
        assert not model.dual_coef_[COPIES == 0].any()
        clocks = X.T @ model.dual_coef_
        np.testing.assert_allclose(clocks, copied(X)[0].T @ expected.dual_coef_, atol=1e-7)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_where_all_can_be_fitted_weights_change_nothing(fit_intercept):
    X, y = contradicting(num_features=20)
    weights = 10.0 ** np.random.default_rng(1).uniform(-8, 8, 10)
    plain = FlowLimitRegressor(fit_intercept=fit_intercept).fit(X, y)
    model = FlowLimitRegressor(fit_intercept=fit_intercept).fit(X, y, weights)
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    assert model.interpolates_


@QUIET
def test_points_without_weight_are_not_there():
    X, y = contradicting()
    kept = COPIES > 0
    model = FlowLimitRegressor().fit(X, y, np.where(kept, 1.0, 0.0))
    np.testing.assert_allclose(model.coef_, FlowLimitRegressor().fit(X[kept], y[kept]).coef_)
    only = FlowLimitRegressor().fit(X, y, np.eye(10)[3])  # one point: the intercept fits it
    assert not only.coef_.any()
    assert only.intercept_ == pytest.approx(y[3])
    assert only.dual_coef_.tolist() == [0.0] * 10
    assert FlowLimitRegressor().fit(X[:1], y[:1]).dual_coef_.tolist() == [0.0]


@QUIET
@pytest.mark.parametrize("spread", [1e-12, 1e12])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_weights_far_apart(spread, fit_intercept):
    """The first five points alone decide in the limit; the rest of lstsq is in its own digits."""
    X, y = contradicting()
    weights = np.r_[np.ones(5), np.full(5, spread)]
    model = FlowLimitRegressor(fit_intercept=fit_intercept, tol=1e-6).fit(X, y, weights)
    heavy = np.arange(10) < 5 if spread < 1 else np.arange(10) >= 5
    columns = np.c_[X, np.ones(10)] if fit_intercept else X
    squares = np.linalg.lstsq(columns[heavy], y[heavy])[0]
    np.testing.assert_allclose(model.coef_, squares[:4], rtol=1e-6)


@QUIET
@pytest.mark.parametrize("unit", [1e-300, 1e300])
@pytest.mark.parametrize("network", ["diagonal", "convolutional"])
def test_the_unit_of_weights_is_without_effect_on_limits(network, unit):
    X, y = contradicting()
    weights = COPIES / 4.0
    model = FlowLimitRegressor(network).fit(X, y, weights * unit)
    np.testing.assert_allclose(model.coef_, FlowLimitRegressor(network).fit(X, y, weights).coef_)
    chosen = FlowLimitRegressorCV(init_scales=[1.0, 0.1], cv=2).fit(X, y, (1 + weights) * unit)
    plain = FlowLimitRegressorCV(init_scales=[1.0, 0.1], cv=2).fit(X, y, 1 + weights)
    np.testing.assert_allclose(chosen.mse_path_, plain.mse_path_, rtol=1e-9)


@QUIET
@pytest.mark.parametrize("spread", [8, 16, 30])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_errors_are_known_however_far_apart_weights_are(spread, fit_intercept):
    """Against normal equations in 200 digits."""
    X, y = contradicting(12, seed=spread)
    weights = 10.0 ** np.random.default_rng(spread).uniform(-spread / 2, spread / 2, 12)
    columns = np.c_[X, np.ones(12)] if fit_intercept else X
    with mp.workdps(200):
        A, b = mp.matrix(columns.tolist()), mp.matrix(y.tolist())
        W = mp.diag([mp.mpf(float(w)) for w in weights])
        exact = np.array([float(z) for z in mp.lu_solve(A.T * W * A, A.T * W * b)])[:4]
    model = FlowLimitRegressor(fit_intercept=fit_intercept).fit(X, y, weights)
    away = np.abs(model.coef_ - exact).max() / np.abs(exact).max()
    assert away < 1e-12
    assert away <= 30 * model.error_


@QUIET
@pytest.mark.parametrize("copies", [1, 4])
def test_many_outputs_share_the_weights(copies):
    X, y = contradicting(copies * 3, 4)
    Y = np.c_[y, y**2, -y]
    weights = np.arange(len(y)) % 3 * 1.0
    model = FlowLimitRegressor().fit(X, Y, weights)
    for output in range(3):
        alone = FlowLimitRegressor().fit(X, Y[:, output], weights)
        np.testing.assert_allclose(model.coef_[output], alone.coef_, rtol=1e-9)
        np.testing.assert_allclose(model.intercept_[output], alone.intercept_, rtol=1e-9)


@pytest.mark.parametrize("isometric", [True, False])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_equations_with_other_targets(fit_intercept, isometric):
    X, y = contradicting(num_features=20)
    weights = COPIES * 1.5
    some = equations(X, -y, fit_intercept, isometric=isometric, weights=weights)
    expected = equations(X, y, fit_intercept, isometric=isometric, weights=weights)
    found = some.with_targets(y)
    np.testing.assert_allclose(found.problem.y, expected.problem.y, rtol=1e-14)
    np.testing.assert_allclose([found.y_mean, found.y_offset], [expected.y_mean, expected.y_offset])
    nu = np.arange(1.0, found.problem.num_points + 1)
    left = found.dual_as_given(nu) @ (X - np.average(X, axis=0, weights=weights) * fit_intercept)
    np.testing.assert_allclose(left, nu @ found.problem.X, rtol=1e-10, atol=1e-10)


# ---- cross-validation ----------------------------------------------------------------------------


def test_errors_on_folds_are_weighted():
    X, y = contradicting(12, 30)
    weights, groups = np.arange(12.0), np.arange(12) % 3
    model = FlowLimitRegressorCV(init_scales=[1.0, 0.1], cv=GroupKFold(3))
    model.fit(X, y, weights, groups=groups)
    for fold, (train, test) in enumerate(GroupKFold(3).split(X, y, groups)):
        alone = FlowLimitRegressor(init_scale=0.1).fit(X[train], y[train], weights[train])
        missing = (alone.predict(X[test]) - y[test]) ** 2
        expected = np.average(missing, weights=weights[test])
        assert model.mse_path_[1, fold] == pytest.approx(expected, rel=0.05)
    scored = FlowLimitRegressorCV(
        init_scales=[1.0, 0.1], cv=GroupKFold(3), scoring="neg_mean_squared_error"
    ).fit(X, y, weights, groups=groups)
    np.testing.assert_allclose(-scored.score_path_, model.mse_path_, rtol=1e-9)


def test_a_fold_without_weight_is_left_out_or_refused():
    X, y = contradicting(12, 30)
    folds = [(np.arange(6), np.arange(6, 12)), (np.arange(6, 12), np.arange(6))]
    model = FlowLimitRegressorCV(init_scales=[1.0, 0.1], cv=folds)
    with pytest.raises(InvalidInputError, match="is 0 for all 6 points that a fold"):
        model.fit(X, y, np.r_[np.zeros(6), np.ones(6)])
    thirds = [(np.arange(8), np.arange(8, 12)), (np.arange(4, 12), np.arange(4))]
    model = FlowLimitRegressorCV(init_scales=[1.0, 0.1], cv=thirds)
    with pytest.warns(UserWarning, match="1 of 2 folds"):
        model.fit(X, y, np.r_[np.zeros(4), np.ones(8)])


WRONG = {
    "negative": (-np.eye(10)[2], "contains -1 at point 2"),
    "zero": (np.zeros(10), "zero for all points"),
    "short": (np.ones(4), r"shape \(4,\)"),
    "square": (np.ones((10, 2)), r"shape \(10, 2\)"),
    "NaN": (np.where(np.arange(10) == 3, np.nan, 1.0), "NaN|nan"),
    "infinite": (np.full(10, np.inf), "inf"),
    "apart": (np.r_[1e-30, np.full(9, 1e30)], r"goes from 1\.0e-30 to 1\.0e\+30"),
    "text": (["a"] * 10, "not numeric"),
    "complex": (np.full(10, 1j), "complex|real"),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("model", [FlowLimitRegressor, FlowLimitRegressorCV, StoppedFlowRegressor])
def test_what_are_no_weights_is_refused(model, name):
    weights, text = WRONG[name]
    with pytest.raises(InvalidInputError, match=text):
        model().fit(*contradicting(), weights)


def test_the_warning_is_the_only_one():
    X, y = contradicting()
    with pytest.warns(ConvergenceWarning, match="projected on the range") as heard:
        FlowLimitRegressor().fit(X, y, COPIES)
    assert len(heard) == 1
