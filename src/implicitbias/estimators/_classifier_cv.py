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
from implicitbias.estimators._binary import Trained
from implicitbias.estimators._classifier import FlowLimitClassifier
from implicitbias.estimators._data import fitted_data
from implicitbias.estimators._folds import best_of, over_folds
from implicitbias.estimators._path import placed_or_given
from implicitbias.features import as_features


class FlowLimitClassifierCV(FlowLimitClassifier):
    """FlowLimitClassifier with the ``init_scale`` of best cross-validated score.

    For every fold one path over all scales is followed. Folds whose points are not separable are
    fitted by the squared loss, scale by scale. Of several classes each against the rest is trained
    from the same scale.

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

    free_intercept = False  # the scale is for an intercept that is trained
    require_separable = False  # folds of separable classes are, too; others are fitted by squares

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

    def fit(self, X: Any, y: Any, *, groups: Any = None) -> FlowLimitClassifierCV:
        """Choose the scale, and fit on all the data.

        Parameters
        ----------
        X, y
            As for FlowLimitClassifier.
        groups
            (n,): which points belong together, for folds that keep them so (``GroupKFold``).

        Raises
        ------
        InvalidInputError
            Data or parameters out of range.
        """
        X, y = fitted_data(self, X, y, labels=True)
        parts = self._trained(as_features(X), y)
        scales = self._scales(parts)
        classes = self.classes_
        known = (self._fold, X, y, self.cv, self.n_jobs, scales)
        found = over_folds(*known, labels=True, groups=groups)
        scores = np.stack(found, axis=-1)
        order = np.argsort(-scales, kind="stable")  # of equals the largest
        best = int(order[best_of(scores[order])[0]])
        self.classes_, self.init_scales_, self.score_path_ = classes, scales, scores
        self.init_scale_ = float(scales[best])
        self._keep([one.plane(one.end(self.init_scale_)) for one in parts])
        return self

    def _scales(self, parts: list[Trained]) -> FloatArray:
        """The scales to choose from, the same for all classes."""

        def size(_: float) -> float:
            return max(float(np.abs(one.end(np.inf).coefficients).max()) for one in parts)

        first = parts[0]
        return placed_or_given(first.network, first.directions, self.init_scales, self.eps, size)

    def _fold(
        self, X: Any, y: NumericArray, train: IntArray, test: IntArray, scales: FloatArray
    ) -> FloatArray:
        """The scores of one fold, (n_scales,); NaN where the path was not solved."""
        model = FlowLimitClassifier(
            self.network, self.depth, self.init_direction, self.fit_intercept, self.tol
        )
        parts = model._trained(as_features(X[train]), y[train])
        scorer = check_scoring(model, self.scoring)
        ends = [one.ends(scales) for one in parts]
        scores = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the final fit is what counts
            for each in zip(*ends, strict=True):
                if all(np.isfinite(end.coefficients).all() for end in each):
                    model._keep([one.plane(end) for one, end in zip(parts, each, strict=True)])
                    scores.append(scorer(model, X[test], y[test]))
                else:
                    scores.append(np.nan)
        return numeric_array(scores, "scores")
