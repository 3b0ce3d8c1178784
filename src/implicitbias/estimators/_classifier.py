"""FlowLimitClassifier: the direction in which gradient flow on the exponential loss grows."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from implicitbias._arrays import (
    FloatArray,
    NumericArray,
    Parameters,
    finite_array,
    positive_float,
)
from implicitbias._errors import CertificateWarning, InvalidInputError, NoPredictionError
from implicitbias._model import directions_of, network_of
from implicitbias._names import DEPTH
from implicitbias.estimators._data import fitted_data, new_data
from implicitbias.estimators._end import End, beside_intercept, end_of_training, of_limit
from implicitbias.estimators._regressor import checked_scale
from implicitbias.estimators._remedy import better_data, shortfall
from implicitbias.features import Features, as_features
from implicitbias.networks import Network
from implicitbias.problems import Classification, Offsets, reachable_part
from implicitbias.theorems import margin_path


class Trained(NamedTuple):
    """Data, and what is trained on them: with a column of ones if ``appended``."""

    X: Features
    signs: FloatArray
    offsets: Offsets
    moved: Features
    network: Network
    problem: Any
    directions: Parameters
    appended: bool

    def end(self, scale: float | None) -> End:
        """The end of training for ever, or where ``init_scale`` says; squared loss: from there."""
        separable = isinstance(self.problem, Classification)
        if scale is None or not separable:
            start = 1.0 if scale is None else scale
            return end_of_training(self.network, self.problem, self.directions, start)
        found = self.ends([scale])[0]
        if not np.isfinite(found.coefficients).all():
            why = getattr(found.result, "note", "")
            raise NoPredictionError(f"no limit at init_scale={scale:g}: {why}")
        return found

    def ends(self, scales: Sequence[float] | FloatArray) -> list[End]:
        """Separable: at finite loss along the scales, coefficients NaN where not found."""
        with np.errstate(over="ignore", under="ignore"):
            ratios = np.asarray(scales, dtype=np.float64) ** self.network.degree
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CertificateWarning)  # each end has its certificate
            path = margin_path(
                self.network, self.problem, self.directions, ratios, certified_to=np.inf
            )
        return [of_limit(self.problem, limit) for limit in path.limits]


class FlowLimitClassifier(ClassifierMixin, BaseEstimator):
    """lim beta / margin of gradient flow on sum_i exp(-y_i f(x_i)), y_i in {-1, +1}.

    The separating direction that training a linear network to zero loss ends in, scaled so that
    min_i y_i f(x_i) = 1: the least l1 norm (diagonal or two-sided, depth 2), a stationary point of
    the l_{2/L} quasi-norm (deeper), the same of the spectrum (convolutional), or the least l2 norm
    (fully connected): the hard-margin support vector machine whose intercept counts in the norm,
    as in LinearSVC. Directions forget the scale of the start; what ``init_scale`` gives does not.

    Parameters
    ----------
    network
        "diagonal", "two_sided" (beta = u^L - v^L), "convolutional" (full-length filters) or
        "fully_connected".
    depth
        Number of layers L >= 2; of two-sided networks the power, whole or not. Beyond 2 a diagonal,
        two-sided or convolutional network has several stationary points, and the flow itself is
        followed to choose the one it ends at.
    init_direction
        As for FlowLimitRegressor; without effect on the limit for depth 2.
    init_scale
        None: training goes on for ever. A number: it stops while the start is still remembered,
        where (alpha^L / log(1 / loss))^{1/L} is this number, alpha the scale of the start and large
        (``margin_path``). inf is a least l2 norm, 0 a least l1 norm, weighted by the start and, for
        depth > 2, by the way there; between, numbers of the size of the coefficients' L-th root.
        Not for fully connected networks, which forget it anyway.
    fit_intercept
        Append a feature of ones, trained like the others. For convolutional networks, whose
        features are a signal, subtract the features' means instead.
    tol
        The certificate (violation of the margins, KKT residual and error) from which on
        ``converged_``.
    verbose
        1: print the result and its certificate.

    Attributes
    ----------
    classes_
        The two labels; the second is the positive one.
    coef_, intercept_
        (1, d) and (1,).
    separable_
        Whether the classes are proved to be linearly separable. Where not, the exponential loss
        has no limit direction of largest margin, and the answer is the limit under the *squared*
        loss on labels -1 and +1 (projected on the range of X), from the scale ``init_scale`` (1 if
        None): a least-squares classifier.
    dual_coef_
        (n,) multipliers of the margins, or None.
    dual_gap_, feasibility_, error_
        The KKT residual (the duality gap with ``init_scale``), the largest violation of a margin,
        and an estimate of an angle, or None: that between ``coef_`` and its limit direction, and no
        less than that between (``coef_``, ``intercept_``) and theirs where the intercept is trained
        (squared loss: as for FlowLimitRegressor, of ``coef_``).
    rank_, n_iter_, converged_, limit_, n_features_in_, feature_names_in_
        As for FlowLimitRegressor; the rank is that of X with its column of ones, if there is one.

    Notes
    -----
    Source: Theorem 2 and Corollaries 1 to 3 of Yun, Krishnan and Mobahi, "A unifying view on
    implicit bias in training linear neural networks", ICLR 2021.
    """

    def __init__(
        self,
        network: str = "diagonal",
        depth: float = DEPTH,
        init_direction: Any = None,
        fit_intercept: bool = True,
        tol: float = 1e-8,
        verbose: int = 0,
        init_scale: float | None = None,
    ) -> None:
        self.network = network
        self.depth = depth
        self.init_direction = init_direction
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.verbose = verbose
        self.init_scale = init_scale

    def __sklearn_tags__(self) -> Tags:
        """Two classes only; sparse data are taken."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.classifier_tags.multi_class = False
        return tags

    def fit(self, X: Any, y: Any) -> FlowLimitClassifier:
        """Solve for the limit direction.

        Parameters
        ----------
        X
            (n, d), dense; for two-layer diagonal and for fully connected networks also sparse,
            which stays so where there are more features than points.
        y
            (n,) labels of two kinds.

        Raises
        ------
        InvalidInputError
            Data or parameters out of range, or not two classes.
        """
        X, y = fitted_data(self, X, y, labels=True)
        scale = None if self.init_scale is None else checked_scale(self.init_scale)
        data = self._trained_on(as_features(X), y)
        self._finish(data, data.end(scale))
        return self

    def _trained_on(self, X: Features, y: NumericArray) -> Trained:
        """What is trained, on what, from where; ``classes_`` and ``separable_`` are set."""
        self.classes_, signs = _two_classes(y)
        appended = self.fit_intercept and self.network != "convolutional"
        direction = self.init_direction
        if direction is not None:
            direction = finite_array(direction, "init_direction", shape=(X.shape[1],))
        if not X.is_array and self.network == "convolutional":
            raise InvalidInputError(
                "X is sparse and a convolutional network works on its spectrum, which is dense. "
                "Pass X.toarray(), or choose another network."
            )
        offsets = Offsets.of(X) if self.fit_intercept else Offsets.none()
        moved = offsets.subtracted(X)
        trained, told = X, X
        if appended:
            # the same range and the same separability, without the offset
            ones = np.ones(len(X))
            trained, told = X.beside(ones), moved.beside(ones)
            if direction is not None:
                direction = np.append(direction, np.mean(np.abs(direction)))
        elif self.fit_intercept:
            trained = told = moved.less(np.arange(X.shape[1]), moved.means())
        network = network_of(self.network, self.depth, trained.shape[1])
        directions = directions_of(network, direction)
        problem: Any = Classification(trained, signs)
        decided = Classification(told, signs) if offsets.columns.size else problem
        self.separable_ = decided.separability().verdict.holds
        if not self.separable_:
            reached, _ = reachable_part(told, signs)
            problem = reachable_part(trained, reached.y)[0] if offsets.columns.size else reached
        return Trained(X, signs, offsets, moved, network, problem, directions, appended)

    def _finish(self, data: Trained, end: End) -> None:
        """Keep an end of training, with a warning where it is not what was asked for."""
        tol = positive_float(self.tol, "tol")
        X, signs, offsets, moved, _, problem, _, appended = data
        self.rank_ = problem.rank
        beta = end.coefficients[: X.shape[1]]
        scores = offsets.products(X, beta)
        if appended:
            end, level, intercept = self._with_intercept(end, offsets, scores, signs, problem.y)
            lowest = float((signs * (scores + level)).min()) if offsets.columns.size else 0.0
            if self.separable_ and lowest > 0:
                beta, level, intercept = beta / lowest, level / lowest, intercept / lowest
                scores = scores / lowest
        else:
            level = -float(np.mean(moved @ beta)) if self.fit_intercept else 0.0
            intercept = offsets.constant(beta, level)
        if self.separable_ and not (signs * (scores + level)).min() > 0:
            raise NoPredictionError(_too_narrow(problem.separability().verdict.value))
        self._keep(end, beta, intercept)
        self._offsets, self._level = offsets, level
        self.converged_ = bool(end.worst <= tol)
        if not self.separable_:
            self._warn(
                "the classes are not proved to be linearly separable: the limit is that of the "
                "squared loss on labels -1 and +1, and separable_ is False."
            )
        if not self.converged_:
            self._warn(shortfall(end, tol, better_data(problem.X)))

    def _with_intercept(
        self,
        end: End,
        offsets: Offsets,
        scores: FloatArray,
        signs: FloatArray,
        targets: FloatArray,
    ) -> tuple[End, float, float]:
        """The end with the error of beta itself, the level b + c^T beta, and b."""
        beta, intercept = end.coefficients[:-1], float(end.coefficients[-1])
        level = given = offsets.constant(-beta, intercept)
        if offsets.columns.size:
            level = self._sharpened(given, scores, signs, targets)
        if level != given:
            intercept = offsets.constant(beta, level)
        return beside_intercept(end, given, level), level, intercept

    def _sharpened(
        self, level: float, scores: FloatArray, signs: FloatArray, targets: FloatArray
    ) -> float:
        """b + c^T beta, with the digits that b has lost where c is large."""
        if not self.separable_:
            return float(np.mean(targets - scores))
        low = float((1.0 - scores[signs > 0]).max())
        high = float((-1.0 - scores[signs < 0]).min())
        return min(max(level, low), high) if low <= high else (low + high) / 2

    def _keep(self, end: End, beta: FloatArray, intercept: float) -> None:
        self.coef_ = beta[None, :]
        self.intercept_ = np.array([intercept])
        self.dual_coef_ = end.dual
        self.dual_gap_, self.feasibility_ = end.gap, end.feasibility
        self.error_ = end.error
        self.n_iter_, self.limit_ = end.num_iterations, end.result
        if self.verbose:
            print(f"[{type(self).__name__}] {end.result}")

    def _warn(self, text: str) -> None:
        warnings.warn(text, ConvergenceWarning, stacklevel=4)  # where fit was called

    def decision_function(self, X: Any) -> FloatArray:
        """X beta + b, (n,): positive for ``classes_[1]``; the closest training points have +-1."""
        check_is_fitted(self)
        X = new_data(self, X)
        return np.asarray(self._offsets.products(X, self.coef_[0]) + self._level)

    def predict(self, X: Any) -> NumericArray:
        """The class of each point, (n,)."""
        positive = self.decision_function(X) > 0
        found: NumericArray = self.classes_[positive.astype(np.intp)]
        return found


def _too_narrow(cosine: float) -> str:
    return (
        "the classes are separable, but float64 cannot follow training to a direction that "
        f"separates them: the margin found is {cosine:.1e} of the points' lengths. Standardise the "
        "features (an offset or a large unit makes points nearly parallel), or choose "
        "network='fully_connected' or depth=2."
    )


def _two_classes(y: NumericArray) -> tuple[NumericArray, FloatArray]:
    classes = np.unique(y)
    if classes.size != 2:
        hint = (
            " Only binary classification is supported: wrap it in "
            "sklearn.multiclass.OneVsRestClassifier."
            if classes.size > 2
            else " Add points of another class."
        )
        plural = "class" if classes.size == 1 else "classes"
        raise InvalidInputError(f"y has {classes.size} {plural}; expected two.{hint}")
    return classes, np.where(y == classes[1], 1.0, -1.0)
