"""What gradient_flow accepts, checked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from implicitbias._arrays import (
    EPS,
    FloatArray,
    check_callback,
    finite_array,
    finite_number,
    positive_float,
    positive_int,
)
from implicitbias._errors import InvalidInputError
from implicitbias._names import ROUTES, warn_of
from implicitbias.flow._budget import Budget, Callback, Goal
from implicitbias.networks import Activation, AnyActivation, as_activation
from implicitbias.problems import Classification, Regression, refuse_extreme_units

LossName = Literal["exponential", "logistic"]
Route = Literal["auto", "parameters", "dual", "fourier"]
FINEST = 100 * EPS  # what scipy's integrators accept
COARSEST = 1e-3


def refuse_predictable_only(problem: Regression | Classification) -> None:
    """Refuse data that predictions take and simulations do not.

    Raises
    ------
    InvalidInputError
        Sparse data, or a regression in extreme units.
    """
    if not problem.features.is_array:
        raise InvalidInputError(
            f"X is {problem.features.named}; simulations take dense arrays, predictions sparse "
            "ones and blocks, too. Pass X.toarray()."
        )
    if isinstance(problem, Regression):
        refuse_extreme_units(problem)


@dataclass(frozen=True)
class Request:
    """What is asked of a flow, checked: see ``gradient_flow``.

    Attributes
    ----------
    route, loss, rtol, callback
        As given.
    goal
        Where a regression is done.
    log_target
        Log of the margin at which a classification is done.
    budget
        What it may use, and what it saves.
    """

    route: Route
    goal: Goal
    log_target: float
    budget: Budget
    loss: LossName = "exponential"
    rtol: float | None = None
    callback: Callback | None = None


def request(
    problem: Regression | Classification,
    *,
    route: Any = "auto",
    until_residual: Any = 1e-10,
    until_change: Any = 1e-11,
    until_margin: Any = 1e6,
    until_log_margin: Any = None,
    loss: Any = "exponential",
    max_time: Any = None,
    max_steps: Any = None,
    rtol: Any = None,
    num_points: Any = 200,
    times: Any = None,
    callback: Any = None,
) -> Request:
    """The options of ``gradient_flow``, each refused if it is out of range.

    Raises
    ------
    InvalidInputError
        The first option that is not what is expected.
    """
    route = check_route(route, problem)
    check_callback(callback, "a FlowState")
    check_loss(loss)
    log_target = check_log_margin(until_margin, until_log_margin)
    goal = Goal(
        positive_float(until_residual, "until_residual"),
        positive_float(until_change, "until_change"),
    )
    given_times = check_times(times, problem)
    if max_time is None and given_times is not None:
        max_time = float(given_times[-1])
    budget = Budget(
        None if max_time is None else positive_float(max_time, "max_time"),
        None if max_steps is None else positive_int(max_steps, "max_steps"),
        positive_int(num_points, "num_points", at_least=2),
        given_times,
    )
    return Request(route, goal, log_target, budget, loss, check_tolerance(rtol), callback)


def check_route(route: Any, problem: Regression | Classification) -> Route:
    """Return a known route that the problem has."""
    if isinstance(route, str) and route in ROUTES:
        warn_of(f"route={route!r}", f"route={ROUTES[route]!r}", stacklevel=6)
        route = ROUTES[route]
    if route not in get_args(Route):
        raise InvalidInputError(
            f"route is {route!r}; expected one of " + ", ".join(map(repr, get_args(Route))) + "."
        )
    if route == "fourier" and isinstance(problem, Classification):
        raise InvalidInputError(
            "route='fourier' is for regression; a classification has route='dual' where its "
            "coordinates decouple, and route='parameters'."
        )
    found: Route = route
    return found


def check_activation(activation: AnyActivation, route: Route) -> Activation:
    """Return the activation, refusing routes that exist for linear networks only."""
    phi = as_activation(activation)
    if route in ("dual", "fourier"):
        raise InvalidInputError(
            f"route={route!r} is for linear networks: with an activation f(x; Theta) is not linear "
            "in x, and has no decoupled coordinates. Use route='parameters'."
        )
    return phi


def check_log_margin(until_margin: Any, until_log_margin: Any) -> float:
    """Return the logarithm of the margin to stop at; the second argument decides if it is given."""
    if until_log_margin is None:
        return float(np.log(positive_float(until_margin, "until_margin")))
    return finite_number(until_log_margin, "until_log_margin")


def check_times(times: Any, problem: Any) -> FloatArray | None:
    """Return the times to save: finite, positive and increasing; regression only."""
    if times is None:
        return None
    if isinstance(problem, Classification):
        raise InvalidInputError(
            "times is for regression; a flow of a classification saves by its margin: leave it out."
        )
    array: FloatArray = finite_array(times, "times", shape=(None,))
    if array[0] <= 0 or np.any(np.diff(array) <= 0):
        raise InvalidInputError(f"times is {array}; expected increasing numbers > 0.")
    return array


def check_loss(loss: Any) -> None:
    """Refuse an unknown loss of a classification."""
    if loss not in get_args(LossName):
        raise InvalidInputError(
            f"loss is {loss!r}; expected one of " + ", ".join(map(repr, get_args(LossName))) + "."
        )


def check_tolerance(rtol: Any, name: str = "rtol") -> float | None:
    """Return the integrator's tolerance, None for the default."""
    if rtol is None:
        return None
    number = positive_float(rtol, name)
    if not FINEST <= number <= COARSEST:
        raise InvalidInputError(
            f"{name} is {number:g}; expected a number from {FINEST:.1e}, the finest float64 "
            f"allows, to {COARSEST:g}."
        )
    return number
