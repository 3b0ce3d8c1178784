"""FlowLimitClassifierCV: how much of the start is remembered, chosen by cross-validation."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import check_scoring

from implicitbias._arrays import FloatArray, IntArray, NumericArray
from implicitbias._names import DEPTH
from implicitbias._numbers import numeric_array
from implicitbias.estimators._classifier import FlowLimitClassifier, Trained
from implicitbias.estimators._data import fitted_data
from implicitbias.estimators._folds import best_of, over_folds
from implicitbias.estimators._path import placed_or_given
from implicitbias.features import as_features


class FlowLimitClassifierCV(FlowLimitClassifier):
    """FlowLimitClassifier with the ``init_scale`` of best cross-validated score.

    For every fold one path over all scales is followed. Folds whose points are not separable are
    fitted by the squared loss, scale by scale.

    Parameters
    ----------
    network, depth, init_direction, fit_intercept, tol, verbose
        As for FlowLimitClassifier.
    init_scales
        The scales to choose from, 0 and inf included; or how many to place evenly in their
        logarithm, from where the limit is the least l2 norm within about a percent down to ``eps``
        times that.
    eps
        The smallest over the largest scale, if they are placed.
    cv
        Folds, as everywhere in scikit-learn; 5 stratified ones by default.
    n_jobs
        Folds solved at a time, by joblib.
    scoring
        A scorer or its name; None for the accuracy. Of scales that are equally good the largest is
        chosen.

    Attributes
    ----------
    init_scale_
        The best, with which the model is then fitted on all the data.
    init_scales_
        (n_scales,), descending if they were placed.
    score_path_
        (n_scales, n_folds).
    classes_, coef_, intercept_, ...
        As for FlowLimitClassifier.
    """

    def __init__(
        self,
        network: str = "diagonal",
        depth: float = DEPTH,
        init_scales: Any = 12,
        eps: float = 1e-3,
        init_direction: Any = None,
        cv: Any = None,
        n_jobs: int | None = None,
        scoring: Any = None,
        fit_intercept: bool = True,
        tol: float = 1e-8,
        verbose: int = 0,
    ) -> None:
        self.network = network
        self.depth = depth
        self.init_scales = init_scales
        self.eps = eps
        self.init_direction = init_direction
        self.cv = cv
        self.n_jobs = n_jobs
        self.scoring = scoring
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.verbose = verbose

    def fit(self, X: Any, y: Any) -> FlowLimitClassifierCV:
        """Choose the scale, and fit on all the data.

        Parameters
        ----------
        X, y
            As for FlowLimitClassifier.

        Raises
        ------
        InvalidInputError
            Data or parameters out of range.
        """
        X, y = fitted_data(self, X, y, labels=True)
        data = self._trained_on(as_features(X), y)
        scales = self._scales(data)
        found = over_folds(self._fold, X, y, self.cv, self.n_jobs, scales, labels=True)
        scores = np.stack(found, axis=-1)
        order = np.argsort(-scales, kind="stable")  # of equals the largest
        best = int(order[best_of(scores[order])[0]])
        self.init_scales_, self.score_path_ = scales, scores
        self.init_scale_ = float(scales[best])
        self._finish(data, data.end(self.init_scale_))
        return self

    def _scales(self, data: Trained) -> FloatArray:
        """The scales to choose from."""

        def size(_: float) -> float:
            return float(np.abs(data.end(np.inf).coefficients).max())

        return placed_or_given(data.network, data.directions, self.init_scales, self.eps, size)

    def _fold(
        self, X: Any, y: NumericArray, train: IntArray, test: IntArray, scales: FloatArray
    ) -> FloatArray:
        """The scores of one fold, (n_scales,); NaN where the path was not solved."""
        model = FlowLimitClassifier(
            self.network, self.depth, self.init_direction, self.fit_intercept, self.tol
        )
        data = model._trained_on(as_features(X[train]), y[train])
        scorer = check_scoring(model, self.scoring)
        ends = data.ends(scales) if model.separable_ else map(data.end, scales)
        scores = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the final fit is what counts
            for end in ends:
                if np.isfinite(end.coefficients).all():
                    model._finish(data, end)
                    scores.append(scorer(model, X[test], y[test]))
                else:
                    scores.append(np.nan)
        return numeric_array(scores, "scores")
