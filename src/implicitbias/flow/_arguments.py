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
    stable_norm,
)
from implicitbias._errors import InvalidInputError
from implicitbias._names import ROUTES, warn_of
from implicitbias.flow._budget import Budget, Callback, Goal
from implicitbias.flow._towards import Towards
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
    route, loss, rtol
        As given.
    goal
        Where a regression is done, and the loss at which either is.
    log_target
        Log of the margin at which a classification is done, unless it is at a loss.
    budget
        What it may use, and what it saves.
    callback
        As given; it is told the part of the way that is done.
    """

    route: Route
    goal: Goal
    log_target: float
    budget: Budget
    loss: LossName = "exponential"
    rtol: float | None = None
    callback: Callback | None = None

    @property
    def asks_for_the_way(self) -> bool:
        """Whether beta is asked for before the end of training."""
        budget = self.budget
        given = budget.times, budget.max_time, self.goal.log_loss
        return any(one is not None for one in given)


def request(
    problem: Regression | Classification,
    *,
    route: Any = "auto",
    until_residual: Any = 1e-10,
    until_change: Any = 1e-11,
    until_margin: Any = 1e6,
    until_log_margin: Any = None,
    until_loss: Any = None,
    until_log_loss: Any = None,
    loss: Any = "exponential",
    max_time: Any = None,
    max_steps: Any = None,
    rtol: Any = None,
    num_points: Any = 200,
    times: Any = None,
    save_parameters: Any = False,
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
    log_loss = check_log_loss(until_loss, until_log_loss)
    if log_loss is not None and isinstance(problem, Regression):
        refuse_lost_in_target(log_loss, problem.y)
    goal = Goal(
        positive_float(until_residual, "until_residual"),
        positive_float(until_change, "until_change"),
        log_loss,
    )
    given_times = check_times(times)
    if max_time is None and given_times is not None:
        max_time = float(given_times[-1])
    budget = Budget(
        None if max_time is None else positive_float(max_time, "max_time"),
        None if max_steps is None else positive_int(max_steps, "max_steps"),
        positive_int(num_points, "num_points", at_least=2),
        given_times,
        check_switch(save_parameters, "save_parameters"),
    )
    ends = [("time", budget.max_time), ("num_steps", budget.max_steps)]
    towards = Towards(goal.until_residual, log_target, log_loss, ends)
    telling = towards.telling(callback)
    return Request(route, goal, log_target, budget, loss, check_tolerance(rtol), telling)


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


def check_log_loss(until_loss: Any, until_log_loss: Any) -> float | None:
    """Return the log of the loss to stop at, or None; the second argument decides if given."""
    if until_log_loss is not None:
        return finite_number(until_log_loss, "until_log_loss")
    return None if until_loss is None else float(np.log(positive_float(until_loss, "until_loss")))


def refuse_lost_in_target(log_loss: float, y: FloatArray) -> None:
    """Refuse a loss of predictions that differ from y by less than a rounding of y.

    Raises
    ------
    InvalidInputError
        The loss asked for is below eps^2 ||y||^2 / 2.
    """
    with np.errstate(divide="ignore"):
        least = 2.0 * float(np.log(stable_norm(y)) + np.log(EPS)) - float(np.log(2.0))
    if log_loss < least:
        raise InvalidInputError(
            f"until_loss is exp({log_loss:.10g}), where predictions differ from y by less than a "
            f"rounding of y. Ask for exp({least:.4g}) or more."
        )


def refuse_loss_above(log_loss: float | None, start: float) -> None:
    """Refuse a loss that the flow, on which it only falls, has left behind at its start.

    Raises
    ------
    InvalidInputError
        The loss asked for is larger than that at the start.
    """
    if log_loss is not None and log_loss > start + EPS * max(1.0, abs(start)):
        raise InvalidInputError(
            f"until_loss is exp({log_loss:.10g}), but the loss is exp({start:.10g}) at the start, "
            "and falls along gradient flow. Ask for less than that."
        )


def check_switch(value: Any, name: str) -> bool:
    """Return a truth value."""
    if not isinstance(value, (bool, np.bool_)):
        raise InvalidInputError(f"{name} is {value!r}; expected True or False.")
    return bool(value)


def check_times(times: Any) -> FloatArray | None:
    """Return the times to save beside the start: finite, positive and increasing.

    A first time of 0 is the start, which is saved in any case.
    """
    if times is None:
        return None
    array: FloatArray = finite_array(times, "times", shape=(None,))
    if array[0] < 0 or np.any(np.diff(array) <= 0):
        raise InvalidInputError(f"times is {array}; expected increasing numbers >= 0.")
    if array[-1] == 0:
        raise InvalidInputError("times is the start alone; expected a time > 0 to flow to.")
    return array[1:] if array[0] == 0 else array


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
