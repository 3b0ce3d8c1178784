"""StoppedFlowRegressor: the trajectory itself, and the time at which it predicts best."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from sklearn.exceptions import ConvergenceWarning

from implicitbias._errors import InvalidInputError
from implicitbias.estimators import FlowLimitRegressor, StoppedFlowRegressor
from implicitbias.flow.regression._dual import DualFlow


def noisy(num_points=30, num_features=10, noise=1.0):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((num_points, num_features))
    return X, X[:, 0] + noise * rng.standard_normal(num_points) + 2.0


def trained(X, y, time, scale):
    """beta(time) of w_1 * w_2 trained on centred data, layer by layer."""
    X, y = X - X.mean(axis=0), y - y.mean()
    d = X.shape[1]

    def velocity(_, layers):
        first, second = layers[:d], layers[d:]
        driver = X.T @ (y - X @ (first * second))
        return np.concatenate([driver * second, driver * first])

    start = np.concatenate([np.full(d, scale), np.zeros(d)])
    end = solve_ivp(velocity, (0, time), start, rtol=1e-10, atol=1e-12).y[:, -1]
    return end[:d] * end[d:]


@pytest.mark.parametrize("shape", [(30, 10), (8, 20)])
def test_it_is_the_training_stopped_at_that_time(shape):
    X, y = noisy(*shape)
    model = StoppedFlowRegressor(init_scale=0.2, stop_time=0.05, tol=1e-8).fit(X, y)
    expected = trained(X, y, 0.05, 0.2)
    np.testing.assert_allclose(model.coef_, expected, rtol=0, atol=1e-7)
    assert model.stop_time_ == 0.05
    np.testing.assert_allclose(model.times_[-1], 0.05, rtol=1e-14)
    np.testing.assert_allclose(model.predict(X).mean(), y.mean(), rtol=1e-12)


def test_path_holds_the_same_training_at_all_times():
    X, y = noisy()
    model = StoppedFlowRegressor(init_scale=0.2, num_times=20, tol=1e-8).fit(X, y)
    assert model.coef_path_.shape == (10, len(model.times_))
    for index in (5, 10):
        expected = trained(X, y, model.times_[index], 0.2)
        np.testing.assert_allclose(model.coef_path_[:, index], expected, rtol=0, atol=1e-7)


def test_the_end_is_the_limit():
    X, y = noisy(8, 20)
    stopped = StoppedFlowRegressor(stop_time=np.inf, tol=1e-9).fit(X, y)
    limit = FlowLimitRegressor(init_scale=0.1).fit(X, y)
    np.testing.assert_allclose(stopped.coef_, limit.coef_, rtol=0, atol=1e-7)


def test_noise_asks_for_stopping_and_its_absence_does_not():
    early = StoppedFlowRegressor(init_scale=0.01).fit(*noisy(40, 30))
    assert early.stop_time_ < early.times_[-1] / 10
    late = StoppedFlowRegressor(init_scale=0.01).fit(*noisy(40, 30, noise=0.0))
    assert late.stop_time_ >= late.times_[-2] / 2
    assert late.mse_path_.shape == (len(late.times_), 5)


def test_folds_are_trained_for_the_same_time_per_point():
    X, y = noisy(20, 4)
    model = StoppedFlowRegressor(init_scale=0.2, num_times=10, cv=2, tol=1e-8).fit(X, y)
    half = slice(10, 20)
    beta = trained(X[half], y[half], 2 * model.times_[4], 0.2)
    predictions = (X[:10] - X[half].mean(axis=0)) @ beta + y[half].mean()
    np.testing.assert_allclose(
        model.mse_path_[4, 0], np.mean((predictions - y[:10]) ** 2), rtol=1e-6
    )


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"stop_time": 0.0}, "stop_time is 0"),
        ({"num_times": 1}, "num_times is 1"),
        ({"init_scale": 0}, "init_scale is 0"),
    ],
)
def test_bad_parameters_are_named(given, text):
    with pytest.raises(InvalidInputError, match=text):
        StoppedFlowRegressor(**given).fit(*noisy())


def test_a_flow_that_stops_on_the_way_warns_on_folds_too(monkeypatch):
    monkeypatch.setattr(DualFlow, "most_evaluations", 2)
    with pytest.warns(ConvergenceWarning) as caught:
        StoppedFlowRegressor(init_scale=0.1, cv=2).fit(*noisy())
    texts = [str(one.message) for one in caught]
    assert sum(text.startswith("The flow stopped on the way") for text in texts) == 1
    assert any(text.startswith("The flow without a fold") for text in texts)
