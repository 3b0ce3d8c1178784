"""StoppedFlowRegressor: early stopping as regularisation."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from implicitbias._arrays import FloatArray, IntArray, positive_float, positive_int
from implicitbias._errors import Outcome
from implicitbias._model import directions_of, network_of
from implicitbias._names import DEPTH
from implicitbias.estimators._data import fitted_data, new_data
from implicitbias.estimators._folds import best_of, in_units, over_folds, size_of, squared_errors
from implicitbias.flow import Flow, check_tolerance, gradient_flow
from implicitbias.initialization import Initialization
from implicitbias.problems import Equations, equations

UNFINISHED = (Outcome.STEP_LIMIT, Outcome.FAILED, Outcome.UNSTABLE)


class StoppedFlowRegressor(RegressorMixin, BaseEstimator):
    """beta(t) of gradient flow on 1/2 ||X beta + b - y||^2, stopped at a time t.

    One simulation gives beta at all times: for diagonal networks the dual flow, in as many unknowns
    as X has rank. Stopping is what regularises noisy data, with more points than features too:
    y and its projection on the range of X have the same flow.

    Parameters
    ----------
    network, depth, init_direction, fit_intercept
        As for FlowLimitRegressor.
    init_scale
        alpha > 0, finite.
    stop_time
        t > 0, or inf for the end; None to choose it by cross-validation.
    num_times
        How many times to keep, evenly in log t from the start to the end of training.
    cv
        Folds to choose by; 5 by default. The loss is a sum, so n_k of n points train n / n_k times
        as long for the same t per point.
    tol
        Relative tolerance of the integrator, 1e-12 to 1e-3. Training counts as ended once residual
        and remaining change are within ten times of it; FlowLimitRegressor has the end itself.
    n_jobs
        Folds simulated at a time, by joblib.

    Attributes
    ----------
    coef_, intercept_
        beta(stop_time_), (d,), and b.
    stop_time_
        As given, or chosen.
    times_, coef_path_
        (n_times,) from 0 to the end, and beta at each, (d, n_times).
    mse_path_
        (n_times, n_folds): mean squared errors on the folds left out; only if ``stop_time`` is
        None.
    flow_
        The Flow on all the data, with its outcome.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Notes
    -----
    Source: the flow of Yun, Krishnan and Mobahi, ICLR 2021, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from implicitbias.estimators import StoppedFlowRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((60, 40))
    >>> y = X[:, 0] + rng.standard_normal(60)
    >>> model = StoppedFlowRegressor(init_scale=0.01).fit(X, y)
    >>> bool(model.stop_time_ < model.times_[-1])
    True
    """

    def __init__(
        self,
        network: str = "diagonal",
        depth: float = DEPTH,
        init_scale: float = 0.1,
        init_direction: Any = None,
        stop_time: float | None = None,
        num_times: int = 100,
        cv: Any = None,
        tol: float = 1e-5,
        n_jobs: int | None = None,
        fit_intercept: bool = True,
    ) -> None:
        self.network = network
        self.depth = depth
        self.init_scale = init_scale
        self.init_direction = init_direction
        self.stop_time = stop_time
        self.num_times = num_times
        self.cv = cv
        self.tol = tol
        self.n_jobs = n_jobs
        self.fit_intercept = fit_intercept

    def fit(self, X: Any, y: Any) -> StoppedFlowRegressor:
        """Simulate the flow and stop it.

        Parameters
        ----------
        X
            (n, d).
        y
            (n,).

        Raises
        ------
        InvalidInputError
            Data or parameters out of range.

        Warns
        -----
        ConvergenceWarning
            The flow stopped before its end: ``flow_.message`` says why.
        """
        X, y = fitted_data(self, X, y, sparse=False)
        positive_int(self.num_times, "num_times", at_least=2)
        if self.stop_time not in (None, np.inf):
            positive_float(self.stop_time, "stop_time")
        data = equations(X, y, self.fit_intercept)
        if self.stop_time in (None, np.inf):
            self.flow_ = self._simulate(data)
        else:
            self.flow_ = self._simulate(data, max_time=self.stop_time)
        _warn_of(self.flow_, "The flow")
        self.times_, path = self.flow_.times, self.flow_.coefficients
        self.coef_path_ = path.T
        chosen = len(path) - 1
        if self.stop_time is None:
            errors = np.array(over_folds(self._errors, X, y, self.cv, self.n_jobs, self.times_)).T
            self.mse_path_ = in_units(errors, size_of(y))
            (chosen,) = best_of(-errors)
        self.stop_time_ = float(self.times_[chosen])
        if self.stop_time is not None:
            self.stop_time_ = float(self.stop_time)
        self.coef_ = path[chosen]
        self.intercept_ = data.intercept(self.coef_)
        self._offsets, self._level = data.offsets, float(data.level(self.coef_))
        return self

    def _simulate(
        self, data: Equations, times: FloatArray | None = None, max_time: float | None = None
    ) -> Flow:
        network = network_of(self.network, self.depth, data.problem.num_features)
        directions = directions_of(network, self.init_direction)
        tol = positive_float(self.tol, "tol")
        check_tolerance(tol, "tol")
        return gradient_flow(
            network,
            data.problem,
            Initialization(directions, scale=positive_float(self.init_scale, "init_scale")),
            times=times,
            max_time=max_time,
            num_points=self.num_times,
            rtol=tol,
            until_residual=10 * tol,
            until_change=10 * tol,
        )

    def _errors(
        self, X: Any, y: FloatArray, train: IntArray, test: IntArray, times: FloatArray
    ) -> FloatArray:
        """Mean squared errors on a fold at all times in units of max |y|, (n_times,)."""
        data = equations(X[train], y[train], self.fit_intercept)
        moving = times > 0
        path = np.zeros((len(times), X.shape[1]))
        if moving.any():
            flow = self._simulate(data, times=times[moving] * (len(y) / len(train)))
            _warn_of(flow, "The flow without a fold")
            reached = flow.coefficients[: len(times)]
            path[: len(reached)] = reached
            path[len(reached) :] = reached[-1]  # at rest from there on
        return squared_errors(data, path, X[test], y[test], size_of(y))

    def predict(self, X: Any) -> FloatArray:
        """X beta + b, (n,)."""
        check_is_fitted(self)
        X = new_data(self, X, sparse=False)
        return np.asarray(self._offsets.products(X, self.coef_) + self._level)


def _warn_of(flow: Flow, which: str) -> None:
    """Warn of a flow whose last coefficients are not where it would have come."""
    if flow.outcome in UNFINISHED:
        text = f"{which} stopped on the way: {flow.message}"
        warnings.warn(text, ConvergenceWarning, stacklevel=3)
