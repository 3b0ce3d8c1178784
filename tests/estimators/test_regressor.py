"""FlowLimitRegressor against the definition of its limits, and as scikit-learn uses it."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers.draws import normal
from implicitbias import Regression, datasets
from implicitbias._errors import InvalidInputError
from implicitbias.estimators import FlowLimitRegressor
from implicitbias.flow import Flow, gradient_flow
from implicitbias.initialization import Initialization
from implicitbias.networks import DiagonalNetwork


def design(num_points=8, num_features=20, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((num_points, num_features)), rng.standard_normal(num_points) + 3.0


@pytest.mark.parametrize("depth", [2, 3])
def test_it_is_where_training_on_centred_data_ends(depth):
    X, y = design()
    model = FlowLimitRegressor(depth=depth, init_scale=0.3).fit(X, y)
    network = DiagonalNetwork(20, depth)
    init = Initialization.last_layer_zero(network, np.ones(20), scale=0.3)
    centred = Regression(X - X.mean(axis=0), y - y.mean())
    flow = gradient_flow(network, centred, init, route="parameters")
    np.testing.assert_allclose(model.coef_, flow.final_coefficients, rtol=0, atol=1e-8)
    np.testing.assert_allclose(model.predict(X), y, rtol=1e-12)
    assert model.rank_ == 7
    assert model.converged_ and model.interpolates_
    assert max(model.dual_gap_, model.feasibility_) < 1e-14


def test_dual_coefficients_drive_the_clocks():
    """For L = 2, ones and scale alpha: beta = alpha^2 sinh(2 s) / 2 with s = X^T nu."""
    X, y = design()
    model = FlowLimitRegressor(init_scale=0.5).fit(X, y)
    assert model.dual_coef_.shape == (8,)
    assert abs(model.dual_coef_.sum()) < 1e-13
    clocks = X.T @ model.dual_coef_
    np.testing.assert_allclose(model.coef_, 0.25 * np.sinh(2 * clocks) / 2, rtol=1e-11)


@pytest.mark.parametrize("network", ["diagonal", "fully_connected"])
def test_least_norm(network):
    X, y = design()
    model = FlowLimitRegressor(network, init_scale=np.inf if network == "diagonal" else 1.0)
    expected = np.linalg.pinv(X - X.mean(axis=0)) @ (y - y.mean())
    np.testing.assert_allclose(model.fit(X, y).coef_, expected, atol=1e-13)


def test_the_small_end_is_basis_pursuit():
    X, y = design()
    end = FlowLimitRegressor(init_scale=0).fit(X, y)
    near = FlowLimitRegressor(depth=4, init_scale=1e-6).fit(X, y)
    assert np.sum(end.coef_ != 0) == 7
    np.testing.assert_allclose(near.coef_, end.coef_, rtol=0, atol=1e-8)


def test_offsets_of_features_do_not_count_as_data():
    X, y = design()
    shifted = FlowLimitRegressor(init_scale=0.1).fit(X + 1e6, y)
    np.testing.assert_allclose(
        shifted.coef_, FlowLimitRegressor(init_scale=0.1).fit(X, y).coef_, atol=1e-8
    )


def test_out_of_reach_targets_are_projected_with_a_warning():
    X, y = design(30, 4)
    with pytest.warns(ConvergenceWarning, match="least-squares solution"):
        model = FlowLimitRegressor().fit(X, y)
    expected = LinearRegression().fit(X, y)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-10)
    np.testing.assert_allclose(model.intercept_, expected.intercept_, rtol=1e-10)
    assert not model.interpolates_
    assert model.converged_
    assert model.rank_ == 4


def test_contradicting_duplicates_are_averaged():
    X, y = design()
    with pytest.warns(ConvergenceWarning, match="least-squares solution"):
        model = FlowLimitRegressor(depth=3).fit(np.vstack([X, X[:1]]), np.append(y, y[0] + 1))
    np.testing.assert_allclose(model.predict(X), y + 0.5 * (np.arange(8) == 0), rtol=1e-12)


def test_one_point_and_constant_targets():
    X, _ = design()
    for rows in (slice(0, 1), slice(None)):
        model = FlowLimitRegressor().fit(X[rows], np.full(len(X[rows]), 2.0))
        np.testing.assert_array_equal(model.coef_, 0)
        assert model.intercept_ == 2.0


def test_convolutional_networks_on_even_signals_and_others():
    problem = datasets.digits_even(10)
    model = FlowLimitRegressor("convolutional").fit(problem.X, problem.y)
    assert model.limit_.theorem == "Corollary 6"
    X, y = design(3, 8)
    simulated = FlowLimitRegressor("convolutional").fit(X, y)
    assert isinstance(simulated.limit_, Flow)
    np.testing.assert_allclose(simulated.predict(X), y, rtol=1e-8)


def test_in_pipelines_grids_clones_and_pickles():
    X, y = design(12)
    pipeline = make_pipeline(StandardScaler(), FlowLimitRegressor())
    grid = {"flowlimitregressor__init_scale": [0.01, 1.0], "flowlimitregressor__depth": [2, 3]}
    search = GridSearchCV(pipeline, grid, cv=3).fit(X, y)
    np.testing.assert_allclose(search.predict(X), y, rtol=1e-10)
    model = search.best_estimator_[-1]
    assert clone(model).get_params() == model.get_params()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).coef_, model.coef_)


def test_names_of_pandas_columns_and_set_output():
    X, y = design()
    frame = pd.DataFrame(X, columns=[f"gene {j}" for j in range(20)])
    scaled = make_pipeline(StandardScaler(), FlowLimitRegressor()).set_output(transform="pandas")
    scaled.fit(frame, pd.Series(y))
    assert list(scaled[-1].feature_names_in_) == list(frame.columns)
    with pytest.raises(ValueError, match="feature names should match"):
        scaled.predict(frame.rename(columns={"gene 3": "other"}))


def test_verbose_prints_the_certificate(capsys):
    FlowLimitRegressor(verbose=1).fit(*design())
    assert "[FlowLimitRegressor] point by Corollary 5" in capsys.readouterr().out


def test_a_missed_tolerance_warns():
    with pytest.warns(ConvergenceWarning, match="certified to"):
        model = FlowLimitRegressor(tol=1e-300).fit(*design())
    assert not model.converged_


@pytest.mark.parametrize("depth", [2, 3])
def test_too_few_newton_steps_give_how_far_they_led(depth):
    X, y = design()
    limit = FlowLimitRegressor(depth=depth, init_scale=1e-6).fit(X, y)
    distances = []
    for steps in (2, 6):
        model = FlowLimitRegressor(depth=depth, init_scale=1e-6, max_iter=steps)
        with pytest.warns(ConvergenceWarning, match=f"max_iter={steps} Newton steps led"):
            model.fit(X, y)
        assert not model.converged_
        assert model.feasibility_ < 1e-3 < model.dual_gap_
        assert "Newton steps were needed" in str(model.limit_)
        distances.append(np.abs(model.coef_ - limit.coef_).max())
    assert 0 < distances[1] < 0.5 * distances[0]


REFUSED = {
    "network": ({"network": "deep"}, "network is 'deep'; expected one of diagonal"),
    "depth": ({"depth": 1}, "depth is 1; expected a whole number >= 2"),
    "scale": ({"init_scale": -1.0}, "init_scale is -1.0; expected a number > 0"),
    "end": (
        {"network": "fully_connected", "init_scale": 0},
        "which only diagonal and two-sided networks take; expected a finite number > 0",
    ),
    "direction": ({"init_direction": [1.0, 2.0]}, r"init_direction has shape \(2,\)"),
    "start": (
        {"network": "fully_connected", "init_direction": np.ones(20)},
        "init_direction is for diagonal, two-sided and convolutional networks",
    ),
    "tol": ({"tol": 0.0}, "tol is 0; expected a finite number > 0"),
    "max_iter": ({"max_iter": 0}, "max_iter is 0; expected a whole number >= 1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_parameters_are_named(case):
    given, text = REFUSED[case]
    with pytest.raises(InvalidInputError, match=text):
        FlowLimitRegressor(**given).fit(*design())


@pytest.mark.parametrize("depth", [2, 3])
def test_ties_between_features_survive_an_intercept(depth):
    """One-hot features: halves of a constant are shared alike; centring would round them apart."""
    rng = np.random.default_rng(0)
    X = np.eye(4)[rng.integers(0, 4, 9)]
    both = np.hstack([X, X[:, ::-1]])
    coef = FlowLimitRegressor(init_scale=0, depth=depth).fit(both, X @ [1.0, 2.0, 3.0, 5.0]).coef_
    np.testing.assert_array_equal(coef[:4], coef[:3:-1])
    differences = X[1:] - X[0]
    alone = FlowLimitRegressor(init_scale=0, depth=depth, fit_intercept=False)
    alone.fit(differences, differences @ [1.0, 2.0, 3.0, 5.0])
    np.testing.assert_allclose(2 * coef[:4], alone.coef_, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("depth", [2, 3])
def test_features_that_never_start_leave_least_squares_of_the_others(depth, intercept):
    """init_direction (1, 0, 1, 0): ordinary least squares of two features on five points."""
    X, y = normal(3, (5, 6), 5)
    direction = np.array([1.0, 0.0, 0.0, 0.0, 1.0, 0.0])
    model = FlowLimitRegressor(depth=depth, init_direction=direction, fit_intercept=intercept)
    with pytest.warns(ConvergenceWarning, match="with the signs that init_direction keeps"):
        model.fit(X, y)
    expected = LinearRegression(fit_intercept=intercept).fit(X[:, [0, 4]], y)
    np.testing.assert_allclose(model.coef_[[0, 4]], expected.coef_, rtol=1e-12)
    np.testing.assert_array_equal(model.coef_[[1, 2, 3, 5]], 0.0)
    np.testing.assert_allclose(model.intercept_, expected.intercept_, rtol=0, atol=1e-13)
    assert not model.interpolates_ and model.converged_
