"""What gradient_descent accepts, checked once; steps and label noise as functions of k."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from implicitbias._arrays import (
    FloatArray,
    IntArray,
    check_callback,
    finite_array,
    finite_number,
    positive_float,
    positive_int,
)
from implicitbias._errors import InvalidInputError
from implicitbias._numbers import numeric_array
from implicitbias.flow import Callback, LossName, Towards
from implicitbias.networks import Activation
from implicitbias.problems import Classification, Regression

Schedule: TypeAlias = float | FloatArray | Callable[[int], float]
Reduction = Literal["sum", "mean"]
MAX_STEPS = 100_000
MOST = 2**53  # steps that can be counted in float64


@dataclass(frozen=True)
class Stop:
    """When a run is done; None asks for nothing.

    Attributes
    ----------
    residual, log_loss, margin
        ||X beta - y|| / ||y|| to fall below, the logarithm of a loss to fall below, a margin to
        reach.
    max_steps
        The last step.
    """

    residual: float | None
    log_loss: float | None
    margin: float | None
    max_steps: int


@dataclass(frozen=True, eq=False)
class Plan:
    """What all runs of a stack share: see ``gradient_descent``.

    Attributes
    ----------
    saved
        The steps to save, increasing, 0 the first.
    """

    batch_size: int | None
    replacement: bool
    momentum: float
    reduction: Reduction
    over_loss: bool
    loss: LossName
    activation: Activation | None
    stop: Stop
    saved: IntArray
    callback: Callback | None


def plan_of(
    problem: Regression | Classification,
    *,
    batch_size: Any,
    replacement: Any,
    momentum: Any,
    reduction: Any,
    over_loss: Any,
    loss: Any,
    activation: Activation | None,
    until_residual: Any,
    until_loss: Any,
    until_margin: Any,
    max_steps: Any,
    longest: int | None,
    times: Any,
    num_points: Any,
    callback: Any,
) -> Plan:
    """Check everything that no run has for itself; ``longest`` is the shortest array of steps.

    Raises
    ------
    InvalidInputError
        An argument is out of range, or is for the other kind of problem.
    """
    classifies = isinstance(problem, Classification)
    if batch_size is not None:
        batch_size = positive_int(batch_size, "batch_size", at_most=problem.num_points)
    momentum = positive_float(momentum, "momentum", allow_zero=True)
    if momentum >= 1.0:
        raise InvalidInputError(f"momentum is {momentum:g}; expected a number from 0 to below 1.")
    one_of(reduction, "reduction", get_args(Reduction))
    one_of(loss, "loss", get_args(LossName))
    over_loss = bool(over_loss)
    if over_loss and not classifies:
        raise InvalidInputError(
            "over_loss=True divides steps by the loss, for classification; a regression's loss "
            "tends to 0 and such steps would diverge. Leave it out."
        )
    if until_margin is not None and not classifies:
        raise InvalidInputError("until_margin is for classification; give until_residual.")
    times = None if times is None else _saved_steps(times)
    check_callback(callback, "a FlowState")
    most = positive_int(MAX_STEPS if max_steps is None else max_steps, "max_steps", at_most=MOST)
    if max_steps is None and times is not None:
        most = int(times[-1])
    most = most if longest is None else min(most, longest)
    stop = Stop(
        None if classifies else positive_float(until_residual, "until_residual"),
        None if until_loss is None else float(np.log(positive_float(until_loss, "until_loss"))),
        None if until_margin is None else positive_float(until_margin, "until_margin"),
        most,
    )
    log_margin = None if stop.margin is None else float(np.log(stop.margin))
    towards = Towards(stop.residual, log_margin, stop.log_loss, [("num_steps", most)])
    return Plan(
        batch_size,
        bool(replacement),
        momentum,
        reduction,
        over_loss,
        loss,
        activation,
        stop,
        _spread(most, positive_int(num_points, "num_points", at_least=2))
        if times is None
        else times,
        towards.telling(callback),
    )


def schedule_of(value: Any, name: str) -> Schedule:
    """A number, an array of them, or a function of k, as it was given.

    Raises
    ------
    InvalidInputError
        Something else, a negative or infinite number, or a constant step of 0.
    """
    if callable(value):
        return lambda k: at(value, k, name)
    if np.ndim(value) == 0:
        return positive_float(value, name, allow_zero=name != "step")
    array: FloatArray = finite_array(value, name, shape=(None,))
    if array.min() < 0.0:
        raise InvalidInputError(f"{name} has the entry {array.min():g}; expected numbers >= 0.")
    return array


def at(schedule: Callable[[int], float], k: int, name: str) -> float:
    """What a function of k says of step k.

    Raises
    ------
    InvalidInputError
        It is no finite number >= 0.
    """
    value = finite_number(schedule(k), f"{name}({k})")
    if value < 0.0:
        raise InvalidInputError(f"{name}({k}) is {value:g}; expected a number >= 0.")
    return value


def value_at(schedule: Schedule, k: int) -> float:
    """The schedule's value at step k, counted from 0; 0 past the end of an array."""
    if isinstance(schedule, np.ndarray):
        return float(schedule[k]) if k < len(schedule) else 0.0
    return schedule(k) if callable(schedule) else float(schedule)


def length_of(step: Schedule) -> int | None:
    """How many steps an array of steps is for."""
    return len(step) if isinstance(step, np.ndarray) else None


def whole_steps(value: Any, name: str) -> IntArray:
    """Increasing numbers of steps, from 0 on.

    Raises
    ------
    InvalidInputError
        Something else.
    """
    array = numeric_array(value, name, "whole numbers of steps, of shape (any,)")
    whole = array.ndim == 1 and array.size and array.dtype.kind in "iuf"
    if not whole or not np.all(np.isfinite(array)) or np.any(array != np.round(array)):
        raise InvalidInputError(f"{name} is {value!r}; expected whole numbers of steps, one array.")
    if array[0] < 0 or np.any(array[1:] <= array[:-1]):
        raise InvalidInputError(f"{name} is {value!r}; expected increasing numbers >= 0.")
    if array[-1] > MOST:
        raise InvalidInputError(f"{name} ends with {array[-1]}; expected {MOST} steps at most.")
    return array.astype(np.intp)


def _saved_steps(times: Any) -> IntArray:
    """The steps that are asked for, with the start."""
    steps = whole_steps(times, "times")
    return steps if steps[0] == 0 else np.concatenate([np.zeros(1, dtype=np.intp), steps])


def _spread(most: int, num_points: int) -> IntArray:
    """At most so many steps: 0, then evenly in log k up to the last."""
    steps = np.geomspace(1, most, num_points - 1) if num_points > 2 else np.array([most])
    return np.unique(np.append(0.0, np.round(steps))).astype(np.intp)


def one_of(value: Any, name: str, known: tuple[str, ...]) -> None:
    """Refuse what is not among the known names.

    Raises
    ------
    InvalidInputError
        It is not.
    """
    if value not in known:
        raise InvalidInputError(
            f"{name} is {value!r}; expected one of {', '.join(map(repr, known))}."
        )
