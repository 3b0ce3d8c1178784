"""FlowLimitClassifier: the direction in which gradient flow on the exponential loss grows."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from implicitbias._arrays import FloatArray, NumericArray, positive_float
from implicitbias._errors import InvalidInputError
from implicitbias._names import DEPTH
from implicitbias.estimators._binary import Plane, Points, Trained, refuse_sparse_signals
from implicitbias.estimators._data import fitted_data, new_data
from implicitbias.estimators._free_intercept import FreeIntercept
from implicitbias.estimators._regressor import checked_scale
from implicitbias.estimators._remedy import better_data, shortfall
from implicitbias.estimators._saved import Saved
from implicitbias.features import Features, as_features


class FlowLimitClassifier(ClassifierMixin, Saved, BaseEstimator):
    """lim beta / margin of gradient flow on sum_i exp(-y_i f(x_i)), y_i in {-1, +1}.

    The separating direction that training a linear network to zero loss ends in, scaled so that
    min_i y_i f(x_i) = 1: the least l1 norm (diagonal or two-sided, depth 2), a stationary point of
    the l_{2/L} quasi-norm (deeper), the same of the spectrum (convolutional), or the least l2 norm
    (fully connected): the hard-margin support vector machine, whose intercept is in no norm, as in
    SVC, or with ``free_intercept=False`` counts in it, as in LinearSVC. Directions forget the scale
    of the start; what ``init_scale`` gives does not. Three classes or more are told apart one
    against the rest.

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
        Fit an intercept, as ``free_intercept`` says. One that is trained is the coefficient of a
        feature of ones; for convolutional networks, whose features are a signal, the features'
        means are subtracted instead.
    tol
        The certificate (violation of the margins, KKT residual and error) from which on
        ``converged_``.
    verbose
        1: print the result and its certificate.
    free_intercept
        False: the intercept is one more coefficient of what is trained, and counts in the norm.
        True: it is in no norm, but always where it makes the loss least, so that the limit is the
        hard-margin support vector machine itself, or its l1 twin: the training of all differences
        of points of different classes. With every network; not with ``init_scale``. None: free for
        fully connected networks, where that is SVC's plane at any size, and trained for the others.
    require_separable
        Raise an error, which names the class, where a class is not proved to be linearly separable
        from the rest; else warn and fit that class by least squares.

    Attributes
    ----------
    classes_
        The k labels in sorted order; of two the second is the positive one.
    coef_, intercept_
        (1, d) and (1,) for two classes; (k, d) and (k,) for more, each of them against the rest.
        So are the others: a number or an array for two classes, and one entry a class, or a
        tuple, for more.
    separable_
        Whether the classes are proved to be linearly separable; (k,) for more than two. Where not,
        the exponential loss has no limit direction of largest margin, and the answer is the limit
        under the *squared* loss on labels -1 and +1 (projected on the range of X), from the scale
        ``init_scale`` (1 if None): a least-squares classifier.
    dual_coef_
        (n,) multipliers of the margins, or None; (k, n) for more than two classes.
    dual_gap_, feasibility_, error_
        The KKT residual (the duality gap with ``init_scale``), the largest violation of a margin,
        and an estimate of an angle, or None: that between ``coef_`` and its limit direction, and no
        less than that between (``coef_``, ``intercept_``) and theirs where the intercept is trained
        (squared loss: as for FlowLimitRegressor, of ``coef_``).
    rank_, n_iter_, converged_, limit_, n_features_in_, feature_names_in_
        As for FlowLimitRegressor; the rank is that of X with its column of ones, if there is one.
        With ``free_intercept`` ``limit_`` is that of half the differences.

    Notes
    -----
    Of a free intercept b the loss is at its minimum where, over the classes, sum exp(-x^T beta - b)
    = sum exp(x^T beta + b); what is left is 2 sqrt(sum_{ij} exp(-(x_i - x_j)^T beta)) over all
    pairs of the classes, a loss of the same kind in another clock.

    Source: Theorem 2 and Corollaries 1 to 3 of Yun, Krishnan and Mobahi, "A unifying view on
    implicit bias in training linear neural networks", ICLR 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from implicitbias.estimators import FlowLimitClassifier
    >>> X = np.array([[0.0, 0.0], [1.0, 0.0], [3.0, 1.0], [4.0, 0.0]])
    >>> y = ["low", "low", "high", "high"]
    >>> free = FlowLimitClassifier("fully_connected").fit(X, y)
    >>> trained = FlowLimitClassifier("fully_connected", free_intercept=False).fit(X, y)
    >>> for model in (free, trained):
    ...     print(model.coef_.round(3), model.intercept_.round(3))
    [[-0.8 -0.4]] [1.8]
    [[-0.667 -0.667]] [1.667]
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
        free_intercept: bool | None = None,
        require_separable: bool = False,
    ) -> None:
        self.network = network
        self.depth = depth
        self.init_direction = init_direction
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.verbose = verbose
        self.init_scale = init_scale
        self.free_intercept = free_intercept
        self.require_separable = require_separable

    def __sklearn_tags__(self) -> Tags:
        """Sparse data are taken."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def fit(self, X: Any, y: Any) -> FlowLimitClassifier:
        """Solve for the limit direction.

        Parameters
        ----------
        X
            (n, d), dense; for two-layer diagonal and for fully connected networks also sparse,
            which stays so where there are more features than points.
        y
            (n,) labels of two kinds or more.

        Raises
        ------
        InvalidInputError
            Data or parameters out of range, or a single class.
        InfeasibleProblemError
            With ``require_separable``, a class that is not separable from the rest; ``evidence`` is
            a >= 0 with sum_i a_i y_i x_i = 0, or None where float64 proves neither.
        NoPredictionError
            No result of the theory gives the limit, or float64 cannot hold it.
        """
        X, y = fitted_data(self, X, y, labels=True)
        scale = None if self.init_scale is None else checked_scale(self.init_scale)
        if self._frees():
            if scale is not None:
                raise InvalidInputError(
                    "init_scale says where training stops, and is for an intercept that is trained "
                    "with the rest; give it with free_intercept=False, or leave it None."
                )
            self._keep([one.plane(one.end()) for one in self._freed(as_features(X), y)])
        else:
            trained = self._trained(as_features(X), y)
            self._keep([one.plane(one.end(scale)) for one in trained])
        return self

    def _frees(self) -> bool:
        chosen = self.free_intercept
        if chosen is None:
            chosen = self.network == "fully_connected" and self.init_scale is None
        return bool(self.fit_intercept and chosen)

    def _freed(self, X: Features, y: NumericArray) -> list[FreeIntercept]:
        return [FreeIntercept.on(self, points) for points in self._points(X, y)]

    def _trained(self, X: Features, y: NumericArray) -> list[Trained]:
        """What is trained: two classes, or each of several against the rest."""
        return [Trained.on(self, points) for points in self._points(X, y)]

    def _points(self, X: Features, y: NumericArray) -> list[Points]:
        """The points of each problem of two classes; ``classes_`` is set."""
        refuse_sparse_signals(self.network, X)
        self.classes_ = np.unique(y)
        if self.classes_.size == 1:
            raise InvalidInputError(
                "y has 1 class; expected two or more: all points are "
                f"{self.classes_.tolist()[0]!r}. Add points of another class."
            )
        if self.classes_.size == 2:
            whose = "the classes {!r} and {!r} are".format(*self.classes_.tolist())
            return [Points.of(self, X, np.where(y == self.classes_[1], 1.0, -1.0), whose)]
        return [
            Points.of(
                self,
                X,
                np.where(y == one, 1.0, -1.0),
                f"class {name!r} against the rest is",
            )
            for one, name in zip(self.classes_, self.classes_.tolist(), strict=True)
        ]

    def _keep(self, planes: Sequence[Plane]) -> None:
        """Keep the planes, with a warning where they are not what was asked for."""
        tol = positive_float(self.tol, "tol")
        self._set(planes, tol)
        overlapping = [name for name, plane in self._named(planes) if not plane.separable]
        if overlapping:
            which = "the classes are" if len(planes) == 1 else f"{_listed(overlapping)} against "
            if len(planes) > 1:
                which += "the rest " + ("is" if len(overlapping) == 1 else "are")
            self._warn(
                f"{which} not proved to be linearly separable: the limit is that of the squared "
                "loss on labels -1 and +1, and separable_ is False."
            )
        for name, plane in self._named(planes):
            if not plane.end.worst <= tol:
                whose = "" if len(planes) == 1 else f"{name} against the rest: "
                self._warn(whose + shortfall(plane.end, tol, better_data(plane.X)))

    def _named(self, planes: Sequence[Plane]) -> list[tuple[str, Plane]]:
        names = [f"class {name!r}" for name in self.classes_.tolist()]
        return list(zip(names[-len(planes) :], planes, strict=True))

    def _set(self, planes: Sequence[Plane], tol: float) -> None:
        """The attributes, one entry a plane, or without that axis where there is one."""
        self.coef_ = np.array([plane.coefficients for plane in planes])
        self.intercept_ = np.array([plane.intercept for plane in planes])
        self.separable_ = _one_or_all([plane.separable for plane in planes])
        self.rank_ = planes[0].rank
        ends = [plane.end for plane in planes]
        self.dual_coef_ = _one_or_all([end.dual for end in ends])
        self.error_ = _one_or_all([end.error for end in ends])
        self.dual_gap_ = _one_or_all([end.gap for end in ends])
        self.feasibility_ = _one_or_all([end.feasibility for end in ends])
        self.n_iter_ = _one_or_all([end.num_iterations for end in ends])
        self.converged_ = all(end.worst <= tol for end in ends)
        results = tuple(end.result for end in ends)
        self.limit_ = results[0] if len(results) == 1 else results
        self._offsets = planes[0].offsets
        self._level = np.array([plane.level for plane in planes])
        if self.verbose:
            for result in results:
                print(f"[{type(self).__name__}] {result}")

    def _warn(self, text: str) -> None:
        warnings.warn(text, ConvergenceWarning, stacklevel=4)  # where fit was called

    def decision_function(self, X: Any) -> FloatArray:
        """X beta + b, (n,), or (n, k) for more than two classes.

        Positive for ``classes_[1]``, or for the class itself; the closest training points of a
        separable class have +-1.
        """
        check_is_fitted(self)
        scores = self._offsets.products(new_data(self, X), self.coef_.T) + self._level
        return np.asarray(scores[:, 0] if self.classes_.size == 2 else scores)

    def predict(self, X: Any) -> NumericArray:
        """The class of each point, (n,): of several the one with the largest decision."""
        scores = self.decision_function(X)
        several = scores.ndim == 2
        index = scores.argmax(axis=1) if several else (scores > 0).astype(np.intp)
        found: NumericArray = self.classes_[index]
        return found


def _one_or_all(values: list[Any]) -> Any:
    """The only value; of several an array, or None where one is unknown."""
    if len(values) == 1:
        return values[0]
    return None if any(value is None for value in values) else np.array(values)


def _listed(names: list[str]) -> str:
    *some, last = names
    return f"{', '.join(some)} and {last}" if some else last
