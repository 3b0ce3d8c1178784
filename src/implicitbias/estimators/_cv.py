"""FlowLimitRegressorCV: scale and depth of the start chosen by cross-validation."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.metrics import check_scoring

from implicitbias._arrays import FloatArray, IntArray, real_power
from implicitbias._errors import InvalidInputError
from implicitbias._model import directions_of, network_of
from implicitbias._names import DEPTH
from implicitbias._numbers import numeric_array
from implicitbias.estimators._data import fitted_data, relative_to_largest, weights_of
from implicitbias.estimators._folds import (
    best_of,
    in_units,
    over_folds,
    parts_of,
    size_of,
    squared_errors,
)
from implicitbias.estimators._path import scales_for
from implicitbias.estimators._regressor import FlowLimitRegressor
from implicitbias.problems import Equations, Regression, equations
from implicitbias.theorems import rough_limit_path


class FlowLimitRegressorCV(FlowLimitRegressor):
    """FlowLimitRegressor with the scale alpha and the depth L of least cross-validated error.

    For every depth and fold one path over all scales is followed, to about a percent of the largest
    coefficient: enough to compare scales. The final fit is certified as always.

    Parameters
    ----------
    network
        "diagonal", "two_sided", or "convolutional" where the data are even.
    depths
        The depths to choose from: one number or several.
    init_scales
        The scales to choose from; or how many to place for each depth, as flow_limit_path does.
    eps
        The smallest over the largest scale, if they are placed; LassoCV spans as much.
    init_direction, fit_intercept, tol, max_iter, verbose
        As for FlowLimitRegressor.
    cv
        Folds, as everywhere in scikit-learn; 5 by default.
    n_jobs
        Folds solved at a time, by joblib.
    scoring
        A scorer or its name, by which to choose; None for the mean squared error. Folds in which
        nothing has a score (r2 of one point) do not count, and what lacks one elsewhere is not
        chosen; without any score the mean squared error chooses. A warning says so.

    Attributes
    ----------
    init_scale_, depth_
        The best, with which the model is then fitted on all the data.
    init_scales_
        (n_depths, n_scales), or (n_scales,) where ``depths`` is one number.
    mse_path_
        (..., n_scales, n_folds): mean squared errors on the folds left out.
    score_path_
        The same of ``scoring``; only if that is given.
    coef_, intercept_, ...
        As for FlowLimitRegressor.
    """

    _several: ClassVar[bool] = False

    def __init__(
        self,
        network: str = "diagonal",
        depths: Any = DEPTH,
        init_scales: Any = 50,
        eps: float = 1e-3,
        init_direction: Any = None,
        cv: Any = None,
        n_jobs: int | None = None,
        scoring: Any = None,
        fit_intercept: bool = True,
        tol: float = 1e-10,
        max_iter: int = 10_000,
        verbose: int = 0,
    ) -> None:
        self.network = network
        self.depths = depths
        self.init_scales = init_scales
        self.eps = eps
        self.init_direction = init_direction
        self.cv = cv
        self.n_jobs = n_jobs
        self.scoring = scoring
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.verbose = verbose

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None
    ) -> FlowLimitRegressorCV:
        """Choose scale and depth, and fit on all the data.

        Parameters
        ----------
        X
            (n, d).
        y
            (n,).
        sample_weight
            As for FlowLimitRegressor, and of the errors on the points left out; of ``scoring``,
            too, if that is given.
        groups
            (n,): which points belong together, for folds that keep them so (``GroupKFold``).

        Raises
        ------
        InvalidInputError
            Data or parameters out of range.
        """
        X, y = fitted_data(self, X, y)
        depths = [_depth(depth) for depth in np.ravel(self.depths)]
        if not depths:
            raise InvalidInputError("depths is empty; expected at least one depth.")
        weights = relative_to_largest(weights_of(sample_weight, len(y)))
        whole = equations(X, y, self.fit_intercept, weights=weights).problem
        scales = [self._scales(depth, whole) for depth in depths]
        known = (weights, depths, scales)
        results = over_folds(self._fold, X, y, self.cv, self.n_jobs, *known, groups=groups)
        errors, scores = (np.stack(each, axis=-1) for each in zip(*results, strict=True))
        single = np.ndim(self.depths) == 0
        mse = in_units(errors, size_of(y))
        self.mse_path_ = mse[0] if single else mse
        if self.scoring is None:
            best = best_of(-errors)
        else:
            self.score_path_ = scores[0] if single else scores
            best = best_of(scores, errors)
        self.init_scales_ = scales[0] if single else np.array(scales)
        self.depth_, self.init_scale_ = depths[best[0]], float(scales[best[0]][best[1]])
        self._fit(X, y, self.depth_, self.init_scale_, weights)
        return self

    def _scales(self, depth: float, problem: Regression) -> FloatArray:
        network = network_of(self.network, depth, problem.num_features)
        directions = directions_of(network, self.init_direction)
        return scales_for(network, problem, directions, self.init_scales, self.eps)

    def _fold(
        self,
        X: Any,
        y: FloatArray,
        train: IntArray,
        test: IntArray,
        weights: FloatArray | None,
        depths: list[float],
        scales: list[FloatArray],
    ) -> tuple[FloatArray, FloatArray]:
        """Squared errors in units of max |y|, and scores, on a fold, (n_depths, n_scales) each."""
        within, beyond = parts_of(weights, train, test)
        data = equations(X[train], y[train], self.fit_intercept, weights=within)
        errors, scores = [], []
        for depth, along in zip(depths, scales, strict=True):
            network = network_of(self.network, depth, X.shape[1])
            directions = directions_of(network, self.init_direction)
            coefficients = rough_limit_path(network, data.problem, directions, along)
            left_out = X[test], y[test]
            errors.append(squared_errors(data, coefficients, *left_out, size_of(y), beyond))
            if self.scoring is not None:
                scores.append(self._scores(*left_out, coefficients, data, beyond))
        return np.array(errors), np.array(scores)

    def _scores(
        self,
        X: Any,
        y: FloatArray,
        coefficients: FloatArray,
        data: Equations,
        weights: FloatArray | None,
    ) -> FloatArray:
        """The scores of linear models, (n_scales,); NaN where no point has a weight."""
        if weights is not None and not weights.any():
            return np.full(len(coefficients), np.nan)
        given = {} if weights is None else {"sample_weight": weights}
        model = FlowLimitRegressor()
        scorer = check_scoring(model, self.scoring)
        scores = []
        for beta in coefficients:
            model._linear(data, beta)
            scores.append(scorer(model, X, y, **given))
        return numeric_array(scores, "scores")


def _depth(value: Any) -> float:
    """A depth to choose from: whole, or a power >= 2 of two-sided networks."""
    depth = real_power(value, "depths")
    return int(depth) if depth % 1.0 == 0.0 else depth
