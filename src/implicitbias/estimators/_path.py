"""flow_limit_path: the limits along the scale, as arrays."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_X_y

from implicitbias._arrays import FloatArray, Parameters, finite_array, positive_float, positive_int
from implicitbias._errors import InvalidInputError
from implicitbias._model import directions_of, network_of
from implicitbias._names import DEPTH
from implicitbias._numbers import numeric_array
from implicitbias.estimators._data import checked
from implicitbias.networks import DiagonalNetwork, Network
from implicitbias.problems import Regression, reachable_part
from implicitbias.theorems import limit_path

KERNEL = 10.0  # (alpha |wbar|)^L over the largest coefficient, where the limit is l2 to 1%


def flow_limit_path(
    X: Any,
    y: Any,
    *,
    network: str = "diagonal",
    depth: float = DEPTH,
    init_scales: Any = 50,
    eps: float = 1e-6,
    init_direction: Any = None,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Limits of gradient flow for X beta = y over many scales of the initialization.

    Parameters
    ----------
    X, y
        (n, d), sparse or dense as for FlowLimitRegressor, and (n,), without intercept: centre both
        first if there should be one. Targets out of reach are projected on the range of X, with a
        warning.
    network, depth, init_direction
        As for FlowLimitRegressor.
    init_scales
        The scales alpha >= 0 in any order, 0 and inf included; or how many to place evenly in
        log alpha, from where the limit is the least l2 norm within a
        percent down to ``eps`` times that.
    eps
        The smallest over the largest scale, if they are placed.

    Returns
    -------
    scales : (n_scales,)
        As given, or descending.
    coefs : (d, n_scales)
        The limits.
    gaps : (n_scales,)
        The relative duality gap of each.

    Raises
    ------
    InvalidInputError
        Data or arguments out of range.
    NoPredictionError
        No result of the theory gives the limits over the scale for this network.
    """
    X, y = checked(_check, X, y)
    problem, interpolates = reachable_part(X, y)
    if not interpolates:
        warnings.warn(
            "no coefficients fit the data exactly: y was projected on the range of X.",
            ConvergenceWarning,
            stacklevel=2,
        )
    net = network_of(network, depth, X.shape[1])
    directions = directions_of(net, init_direction)
    scales = scales_for(net, problem, directions, init_scales, eps)
    path = limit_path(net, problem, directions, scales)
    return path.scales, path.coefficients.T, path.gaps


def _check(X: Any, y: Any) -> Any:
    X, y = check_X_y(X, y, accept_sparse="csr", dtype=np.float64, y_numeric=True)
    return X, np.asarray(y, dtype=np.float64)


def scales_for(
    network: Network, problem: Regression, directions: Parameters, init_scales: Any, eps: Any
) -> FloatArray:
    """``placed_or_given`` by the interpolator of least norm."""

    def size(start: float) -> float:
        reference, weights = network, tuple(layer / start for layer in directions)
        if not network.decoupling().is_identity:  # the least l2 norm itself
            reference = DiagonalNetwork(problem.num_features, 2)
            weights = directions_of(reference, None)
        least_norm = limit_path(reference, problem, weights, [np.inf]).coefficients[0]
        if not np.isfinite(least_norm).all():
            raise InvalidInputError(
                f"init_scales={init_scales} places scales around the interpolator of least norm, "
                "which could not be certified. Pass the scales themselves, or data in other units."
            )
        return float(np.abs(least_norm).max(initial=0.0))

    return placed_or_given(network, directions, init_scales, eps, size)


def placed_or_given(
    network: Network,
    directions: Parameters,
    init_scales: Any,
    eps: Any,
    size: Callable[[float], float],
) -> FloatArray:
    """The scales themselves, or so many from the kernel regime down to eps times as small.

    ``size``: of the largest coefficient at the l2 end, from directions over their median ``start``.
    """
    if not isinstance(init_scales, (int, np.integer)):
        scales: FloatArray = finite_or_infinite(init_scales)
        return scales
    number, ratio = positive_int(init_scales, "init_scales"), positive_float(eps, "eps")
    if ratio >= 1:
        raise InvalidInputError(f"eps is {ratio:g}; expected the smallest scale over the largest.")
    moving = np.abs(directions[0])[np.abs(directions[0]) > 0]
    start = float(np.median(moving)) if moving.size else 1.0  # no start moves at all
    largest = (KERNEL * (size(start) or 1.0)) ** (1.0 / network.degree) / start
    return np.geomspace(largest, largest * ratio, number)


def finite_or_infinite(scales: Any) -> FloatArray:
    """Scales in [0, inf] as a non-empty array."""
    array = numeric_array(scales, "init_scales", "numbers >= 0")
    finite_array(np.where(array == np.inf, 1.0, array), "init_scales", shape=(None,))
    if np.any(array < 0):
        raise InvalidInputError(f"init_scales contains {array.min():g}; expected numbers >= 0.")
    return array
