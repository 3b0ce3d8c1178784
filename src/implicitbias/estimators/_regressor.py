"""FlowLimitRegressor: the interpolator that gradient flow would end at."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from implicitbias._arrays import FloatArray, Parameters, positive_float, positive_int
from implicitbias._errors import InvalidInputError
from implicitbias._model import directions_of, network_of
from implicitbias._names import DEPTH
from implicitbias.estimators._data import fitted_data, new_data, relative_to_largest, weights_of
from implicitbias.estimators._end import End, end_of_training, ends_of_training
from implicitbias.estimators._remedy import better_data, better_scale, shortfall
from implicitbias.estimators._saved import Saved
from implicitbias.limits import Limit
from implicitbias.networks import Network
from implicitbias.problems import Equations, Offsets, equations


class FlowLimitRegressor(RegressorMixin, Saved, BaseEstimator):
    """lim_{t -> infinity} of dTheta/dt = -grad 1/2 ||X beta(Theta) + b - y||^2, without training.

    Of all beta that fit the data, the one where gradient flow of a linear network ends: for
    network="diagonal" the solution of

        min sum_j alpha^2 wbar_j^2 H_L(beta_j / (alpha |wbar_j|)^L)   s.t.   X beta + b = y,

    which goes from the least l2 norm (alpha large) to the least l1 norm (alpha small), the faster
    in alpha the deeper the network.

    Parameters
    ----------
    network
        "diagonal"; "two_sided", beta = u^L - v^L; "convolutional", full-length filters, sparse in
        the Fourier domain; or "fully_connected", the least l2 norm at every scale.
    depth
        Number of layers L >= 2; of two-sided networks the power, whole or not.
    init_scale
        alpha > 0; for diagonal and two-sided networks also 0 (basis pursuit) and inf (least l2
        norm). Larger is *less* sparse: it is not a penalty.
    init_direction
        wbar, (d,): the direction from which the first L - 1 layers start, the last starts at 0;
        of two-sided networks u = v = wbar > 0. By default ones (convolutional: spectrum of ones).
    fit_intercept
        Fit b, by eliminating it from the equations. That costs one rank.
    tol
        The certificate (feasibility, relative duality gap and error) from which on ``converged_``.
    max_iter
        Newton steps after which a path to ``init_scale`` is given up: ``coef_`` is how far it came,
        with the certificate that this has, and ``converged_`` False.
    verbose
        1: print the result and its certificate.

    Attributes
    ----------
    coef_, intercept_
        beta, (d,), and b.
    dual_coef_
        nu, (n,): the integral of the negative residual over training, so that the clock of feature
        j stands at sum_i nu_i (x_ij - mean_j); None where the theory has none.
    dual_gap_
        The duality gap relative to the objective (KKT residual for fully connected networks;
        remaining change of a simulated flow).
    error_
        An estimate of |coef_ - limit|_inf / |limit|_inf; None where the theory has none, or where
        the end was simulated. For FlowLimitRegressorCV, of the model it chose.
    feasibility_
        ||X beta + b - y|| / ||y - mean(y)|| (mean 0 without intercept), of the part of y that can
        be reached.
    interpolates_
        Whether training fits the data. Where they cannot be fitted at all, y is first projected on
        the range of X: training then converges to a least-squares solution, and this is which. From
        an ``init_direction`` with zeros it may not reach those that fit; then the limit is that of
        the least-squares fit of the other features.
    rank_
        Rank of X (centred, if there is an intercept), read as a table whose entries were rounded:
        rows and columns that depend on others but for that are copies, and ``error_`` speaks of
        this reading (``Regression.measured``; ``Regression`` takes X at its word).
    n_iter_
        Newton steps.
    converged_
        Whether the certificate, ``error_`` included, is within ``tol``.
    limit_
        The full result: a Limit, or the Flow where no result of the theory predicts the end
        (convolutions of data that is not even) and the training was simulated.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Notes
    -----
    Source: Theorem 5 and Corollaries 5 and 6 of Yun, Krishnan and Mobahi, "A unifying view on
    implicit bias in training linear neural networks", ICLR 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from implicitbias.estimators import FlowLimitRegressor
    >>> X = np.random.default_rng(0).standard_normal((20, 100))
    >>> y = X[:, 0] - 2 * X[:, 1]
    >>> model = FlowLimitRegressor(depth=3, init_scale=1e-3).fit(X, y)
    >>> np.flatnonzero(abs(model.coef_) > 1e-3)
    array([0, 1])
    """

    _several: ClassVar[bool] = True  # whether y may have several outputs
    limit_: Any
    rank_: int
    converged_: bool
    _offsets: Offsets
    _level: Any

    def __init__(
        self,
        network: str = "diagonal",
        depth: float = DEPTH,
        init_scale: float = 1.0,
        init_direction: Any = None,
        fit_intercept: bool = True,
        tol: float = 1e-10,
        max_iter: int = 10_000,
        verbose: int = 0,
    ) -> None:
        self.network = network
        self.depth = depth
        self.init_scale = init_scale
        self.init_direction = init_direction
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.verbose = verbose

    def __sklearn_tags__(self) -> Tags:
        """Sparse data are taken."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.multi_output = self._several
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> FlowLimitRegressor:
        """Solve for the limit.

        Parameters
        ----------
        X
            (n, d), dense; for diagonal and fully connected networks also sparse, which stays so.
        y
            (n,); or (n, k), k outputs that are trained each by itself: attributes then are as in
            scikit-learn, ``coef_`` (k, d), ``intercept_`` (k,), numbers of the certificate (k,),
            ``dual_coef_`` (k, n) or None, ``limit_`` a tuple, ``converged_`` whether all are.
        sample_weight
            w >= 0, (n,), of the squares in 1/2 sum_i w_i (x_i^T beta + b - y_i)^2: w_i copies of
            point i, none where it is 0. Where the points left can be fitted the limit is the same
            for all w, but for convolutional networks that have to be simulated; where not, w
            decides what y is projected to.

        Raises
        ------
        InvalidInputError
            Data or parameters out of range.
        """
        X, y = fitted_data(self, X, y, several=self._several)
        scale = checked_scale(self.init_scale)
        weights = relative_to_largest(weights_of(sample_weight, len(y)))
        if y.ndim == 2:
            self._fit_each(X, y, scale, weights)
        else:
            self._fit(X, y, self.depth, scale, weights)
        return self

    def _fit_each(self, X: Any, y: FloatArray, scale: float, weights: FloatArray | None) -> None:
        """Solve for many outputs, (n, k), small ones as one array program."""
        max_iter = positive_int(self.max_iter, "max_iter")
        network, directions = self._start(self.depth, X.shape[1], scale)
        data = [self._equations(X, y[:, 0], weights)]
        for column in y.T[1:]:
            shares = data[0].problem.rank == data[0].problem.num_points
            again = data[0].with_targets(column) if shares else None
            data.append(again or self._equations(X, column, weights))
        problems = [each.problem for each in data]
        ends = ends_of_training(network, problems, directions, scale, max_iter)
        models = [clone(self) for _ in ends]
        for output, (model, *known) in enumerate(zip(models, data, ends, strict=True)):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                model._fit(X, y[:, output], self.depth, scale, weights, *known)
            for each in caught:
                self._warn(f"output {output}: {each.message}", 4)
        self._gather(models)

    def _gather(self, models: list[FlowLimitRegressor]) -> None:
        """The attributes of many outputs."""
        for name in (
            "coef_",
            "intercept_",
            "dual_gap_",
            "feasibility_",
            "interpolates_",
            "n_iter_",
        ):
            setattr(self, name, np.array([getattr(model, name) for model in models]))
        for name in ("dual_coef_", "error_"):
            values = [getattr(model, name) for model in models]
            known = not any(value is None for value in values)
            setattr(self, name, np.array(values) if known else None)
        self.rank_, self._offsets = models[0].rank_, models[0]._offsets
        self.limit_ = tuple(model.limit_ for model in models)
        self.converged_ = all(model.converged_ for model in models)
        self._level = np.array([model._level for model in models])

    def _start(self, depth: Any, num_features: int, scale: float) -> tuple[Network, Parameters]:
        """The network and its directions."""
        network = network_of(self.network, depth, num_features)
        directions = directions_of(network, self.init_direction)
        if scale in (0.0, np.inf) and not network.decoupling().is_identity:
            raise InvalidInputError(
                f"init_scale is {scale:g}, which only diagonal and two-sided networks take; "
                "expected a finite number > 0 (fully connected networks end at one and the same "
                "limit at each)."
            )
        return network, directions

    def _equations(self, X: Any, y: FloatArray, weights: FloatArray | None) -> Equations:
        simulated = self.network == "convolutional"  # where the metric of the data counts
        return equations(X, y, self.fit_intercept, isometric=simulated, weights=weights)

    def _fit(
        self,
        X: Any,
        y: FloatArray,
        depth: Any,
        scale: float,
        weights: FloatArray | None,
        data: Equations | None = None,
        end: End | None = None,
    ) -> None:
        """Solve for one depth and scale on checked data, unless what training ends at is known."""
        tol = positive_float(self.tol, "tol")
        max_iter = positive_int(self.max_iter, "max_iter")
        network, directions = self._start(depth, X.shape[1], scale)
        simulated = self.network == "convolutional"
        data = self._equations(X, y, weights) if data is None else data
        if end is None:
            end = end_of_training(network, data.problem, directions, scale, max_iter)
        signed = isinstance(end.result, Limit) and end.result.fitted is not None
        if signed and not simulated:  # then the metric of the data counts, too
            data = equations(X, y, self.fit_intercept, weights=weights)
            end = end_of_training(network, data.problem, directions, scale, max_iter)
        self.interpolates_, self.rank_ = data.reached and not signed, data.problem.rank
        self._keep(data, end)
        self.converged_ = bool(end.reached and end.worst <= tol)
        if not self.interpolates_:
            self._warn(
                "no coefficients fit the data exactly"
                + (" with the signs that init_direction keeps" if signed else "")
                + ": the limit is a least-squares solution "
                + ("under these" if signed else "(y projected on the range of X)")
                + ", and interpolates_ is False."
            )
        if not end.reached:
            more = f"max_iter={self.max_iter} Newton steps led no further: allow more."
            self._warn(shortfall(end, tol, [more]))
        elif not self.converged_:
            remedies = better_data(data.problem.X)
            remedies += better_scale(network, directions, scale, end.coefficients)
            self._warn(shortfall(end, tol, remedies))

    def _keep(self, data: Equations, end: End) -> None:
        self._linear(data, end.coefficients)
        self.dual_coef_ = None if end.dual is None else data.dual_as_given(end.dual)
        self.dual_gap_, self.feasibility_ = end.gap, end.feasibility
        self.error_ = end.error
        self.n_iter_, self.limit_ = end.num_iterations, end.result
        if self.verbose:
            print(f"[{type(self).__name__}] {end.result}")

    def _warn(self, text: str, stacklevel: int = 4) -> None:
        warnings.warn(text, ConvergenceWarning, stacklevel=stacklevel)  # where fit was called

    def _linear(self, data: Equations, beta: FloatArray) -> None:
        self.coef_, self.intercept_ = beta, data.intercept(beta)
        self._offsets, self._level = data.offsets, float(data.level(beta))

    def predict(self, X: Any) -> FloatArray:
        """X beta + b, (n,), or (n, k) of several outputs."""
        check_is_fitted(self)
        X = new_data(self, X)
        # the intercept of data far from 0 has lost the digits that the predictions need
        return np.asarray(self._offsets.products(X, self.coef_.T) + self._level)


def checked_scale(value: Any) -> float:
    """The scale as a float >= 0, infinity included."""
    is_number = isinstance(value, (int, float, np.integer, np.floating))
    if not is_number or isinstance(value, bool) or not value >= 0:
        raise InvalidInputError(
            f"init_scale is {value!r}; expected a number > 0 (0 and inf are the ends of the path)."
        )
    return float(value)
