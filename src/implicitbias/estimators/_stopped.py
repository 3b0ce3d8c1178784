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
from implicitbias.estimators._data import fitted_data, new_data, weights_of
from implicitbias.estimators._folds import (
    best_of,
    in_units,
    over_folds,
    parts_of,
    size_of,
    squared_errors,
)
from implicitbias.estimators._saved import Saved
from implicitbias.flow import Flow, check_tolerance, gradient_flow
from implicitbias.initialization import Initialization
from implicitbias.problems import Equations, equations

UNFINISHED = (Outcome.STEP_LIMIT, Outcome.FAILED, Outcome.UNSTABLE)


class StoppedFlowRegressor(RegressorMixin, Saved, BaseEstimator):
    """beta(t) of gradient flow on 1/2 ||X beta + b - y||^2, stopped at a time t.

    One simulation gives beta at all times: for diagonal networks the dual flow, in as many unknowns
    as X has rank; equal rows count as one of their summed weight. Stopping is what regularises
    noisy data, with more points than features too: y and its projection on the range of X have the
    same flow.

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
        Folds to choose by; 5 by default. The loss is a sum, so n_k of n points (or of their weight)
        train n / n_k times as long for the same t per point.
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

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None
    ) -> StoppedFlowRegressor:
        """Simulate the flow and stop it.

        Parameters
        ----------
        X
            (n, d).
        y
            (n,).
        sample_weight
            w >= 0, (n,): the flow is on 1/2 sum_i w_i (x_i^T beta + b - y_i)^2, as if point i were
            there w_i times, and the errors on the points left out count alike.
        groups
            (n,): which points belong together, for folds that keep them so (``GroupKFold``).

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
        weights = weights_of(sample_weight, len(y))
        data = self._equations(X, y, weights)
        if self.stop_time in (None, np.inf):
            self.flow_ = self._simulate(data)
        else:
            self.flow_ = self._simulate(data, max_time=self.stop_time)
        _warn_of(self.flow_, "The flow")
        self.times_, path = self.flow_.times, self.flow_.coefficients
        self.coef_path_ = path.T
        chosen = len(path) - 1
        if self.stop_time is None:
            known = (self._errors, X, y, self.cv, self.n_jobs, weights, self.times_)
            errors = np.array(over_folds(*known, groups=groups)).T
            self.mse_path_ = in_units(errors, size_of(y))
            (chosen,) = best_of(-errors)
        self.stop_time_ = float(self.times_[chosen])
        if self.stop_time is not None:
            self.stop_time_ = float(self.stop_time)
        self.coef_ = path[chosen]
        self.intercept_ = data.intercept(self.coef_)
        self._offsets, self._level = data.offsets, float(data.level(self.coef_))
        return self

    def _equations(self, X: FloatArray, y: FloatArray, weights: FloatArray | None) -> Equations:
        X, y, weights = merged(X, y, weights)
        return equations(X, y, self.fit_intercept, weights=weights)

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
        self,
        X: Any,
        y: FloatArray,
        train: IntArray,
        test: IntArray,
        weights: FloatArray | None,
        times: FloatArray,
    ) -> FloatArray:
        """Mean squared errors on a fold at all times in units of max |y|, (n_times,)."""
        within, beyond = parts_of(weights, train, test)
        data = self._equations(X[train], y[train], within)
        longer = len(y) / len(train)
        if weights is not None and within is not None:
            longer = float(weights.sum() / within.sum())
        moving = times > 0
        path = np.zeros((len(times), X.shape[1]))
        if moving.any():
            flow = self._simulate(data, times=times[moving] * longer)
            _warn_of(flow, "The flow without a fold")
            reached = flow.coefficients[: len(times)]
            path[: len(reached)] = reached
            path[len(reached) :] = reached[-1]  # at rest from there on
        return squared_errors(data, path, X[test], y[test], size_of(y), beyond)

    def predict(self, X: Any) -> FloatArray:
        """X beta + b, (n,)."""
        check_is_fitted(self)
        X = new_data(self, X, sparse=False)
        return np.asarray(self._offsets.products(X, self.coef_) + self._level)


def merged(
    X: FloatArray, y: FloatArray, weights: FloatArray | None
) -> tuple[FloatArray, FloatArray, FloatArray | None]:
    """Points of positive weight, equal rows of X as one of their summed weight and mean target.

    The same loss up to a constant, with rows in one order, so that copies and weights give one flow
    step by step. As given where there are neither.
    """
    if weights is not None:
        kept = weights > 0
        X, y, weights = X[kept], y[kept], weights[kept]
    rows, index = np.unique(X, axis=0, return_inverse=True)
    if weights is None and len(rows) == len(X):
        return X, y, None
    index = index.ravel()
    w = np.ones(len(y)) if weights is None else weights
    each = np.bincount(index, w).astype(np.float64)
    return rows, np.bincount(index, w * y) / each, each


def _warn_of(flow: Flow, which: str) -> None:
    """Warn of a flow whose last coefficients are not where it would have come."""
    if flow.outcome in UNFINISHED:
        text = f"{which} stopped on the way: {flow.message}"
        warnings.warn(text, ConvergenceWarning, stacklevel=3)
