"""gradient_descent: train with steps of finite size."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypedDict, Unpack, overload

import numpy as np
import numpy.typing as npt

from implicitbias._arrays import ArrayLike, positive_int
from implicitbias._errors import InvalidInputError, Outcome
from implicitbias._fit import check_fit
from implicitbias._threads import threads_for
from implicitbias.descent._ends import sentence
from implicitbias.descent._loop import Stack, Start, Trace
from implicitbias.descent._losses import DescentLoss, MarginDescent, SquaredDescent
from implicitbias.descent._model import model_of
from implicitbias.descent._plan import (
    Plan,
    Reduction,
    Schedule,
    length_of,
    plan_of,
    schedule_of,
)
from implicitbias.descent._result import Run
from implicitbias.descent._trained import Trained, read
from implicitbias.flow import Callback, LossName, refuse_predictable_only
from implicitbias.initialization import Initialization
from implicitbias.networks import AnyActivation, Network, as_activation
from implicitbias.problems import Classification, Regression

GROUP = 1 << 16  # entries of a layer's stack: more run in groups, which stay in the cache
Seeds = int | Sequence[int] | npt.NDArray[np.integer[Any]]


class Options(TypedDict, total=False):
    """The options that do not decide what is returned, for type checkers."""

    batch_size: int | None
    replacement: bool
    label_noise: Schedule
    momentum: float
    reduction: Reduction
    over_loss: bool
    loss: LossName
    activation: AnyActivation | None
    until_residual: float
    until_loss: float | None
    until_margin: float | None
    max_steps: int | None
    times: ArrayLike | None
    num_points: int
    callback: Callback | None


@overload
def gradient_descent(
    network: Network,
    problem: Regression | Classification,
    init: Initialization,
    *,
    step: Schedule,
    seed: int = ...,
    **options: Unpack[Options],
) -> Run: ...


@overload
def gradient_descent(
    network: Network,
    problem: Regression | Classification,
    init: Sequence[Initialization],
    *,
    step: Schedule | Sequence[Schedule],
    seed: Seeds = ...,
    **options: Unpack[Options],
) -> list[Run]: ...


@overload
def gradient_descent(
    network: Network,
    problem: Regression | Classification,
    init: Initialization,
    *,
    step: Sequence[Schedule],
    seed: Seeds = ...,
    **options: Unpack[Options],
) -> list[Run]: ...


@overload
def gradient_descent(
    network: Network,
    problem: Regression | Classification,
    init: Initialization,
    *,
    step: Schedule,
    seed: Sequence[int] | npt.NDArray[np.integer[Any]],
    **options: Unpack[Options],
) -> list[Run]: ...


def gradient_descent(
    network: Network,
    problem: Regression | Classification,
    init: Initialization | Sequence[Initialization],
    *,
    step: Schedule | Sequence[Schedule],
    batch_size: int | None = None,
    replacement: bool = False,
    label_noise: Schedule = 0.0,
    momentum: float = 0.0,
    seed: Seeds = 0,
    reduction: Reduction = "sum",
    over_loss: bool = False,
    loss: LossName = "exponential",
    activation: AnyActivation | None = None,
    until_residual: float = 1e-12,
    until_loss: float | None = None,
    until_margin: float | None = None,
    max_steps: int | None = None,
    times: ArrayLike | None = None,
    num_points: int = 200,
    callback: Callback | None = None,
) -> Run | list[Run]:
    """Train by Theta <- Theta - gamma_k grad L(Theta), with batches, label noise and momentum.

    L = 1/2 sum_i (f_i - y_i)^2 or sum_i exp(-y_i f_i), as in ``gradient_flow``. A list of starts,
    steps or seeds runs as one stack and gives a list of runs, each as if alone: lists of equal
    length go together, what is no list is for all.

    Parameters
    ----------
    network, problem, init
        What is trained, on what, and from where; a list of starts for many runs.
    step
        gamma_k: a number, an array with one for each step, after which the run ends, or a function
        of k = 0, 1, ...; a list of these for many runs.
    batch_size
        b: each step sees so many points, in a new order every epoch, and their gradient is
        multiplied by n / b. All points if None.
    replacement
        Draw the b points of every step anew and independently.
    label_noise
        delta: regression only; every target that a step sees is moved by +-delta, with independent
        signs. A number, an array, 0 after its end, or a function of k.
    momentum
        mu of Polyak's heavy ball, in [0, 1): v <- mu v + grad, Theta <- Theta - gamma_k v.
    seed
        Of batches and noise, a whole number >= 0; a list for many runs.
    reduction
        "sum" as above; "mean" divides L, and so all gradients, by n.
    over_loss
        Classification: gamma_k over the loss at Theta_k (of the batch, times n / b), with which the
        margin grows exponentially faster. In logarithms: losses underflow at no loss. A step moves
        margins by about gamma_k |d margin / dTheta|^2; from where that exceeds 1 on directions
        zigzag, so let the steps of deep networks fall as their layers grow.
    loss
        Classification: "exponential", or "logistic", sum_i log(1 + exp(-y_i f_i)).
    activation
        Train with phi in the hidden layers, as in ``gradient_flow``.
    until_residual
        Regression: stop at ||f - y|| <= until_residual ||y|| (0/0 = 0; where y = 0 relative to the
        start), or where rounding allows no less.
    until_loss, until_margin
        Stop where L, summed over all points, or min_i y_i f_i gets there.
    max_steps
        Stop after so many steps; 100,000 by default.
    times
        The numbers of steps after which the layers are saved, increasing; the last is the end
        unless ``max_steps`` says otherwise.
    num_points
        Without ``times``: save at most so many, evenly in log k.
    callback
        Called with a ``FlowState`` whenever the loss of all points is known: before every step,
        with batches before every epoch. Anything true stops the run. ``ProgressBar()`` shows
        percent and time left, in terminals and notebooks.

    Returns
    -------
    Run, or a list of them
        Whatever the steps do, one run's end, its dual and its effective start. ``outcome`` is
        RESIDUAL_REACHED, LOSS_REACHED, MARGIN_REACHED, STEP_LIMIT, DIVERGED, PRECISION_REACHED,
        STATIONARY or STOPPED_BY_CALLBACK.

    Raises
    ------
    InvalidInputError
        Arguments that do not fit together or are out of range; sparse data.
    InfeasibleProblemError
        Classes that are proved not to be linearly separable.

    Notes
    -----
    Knows the network and the loss, nothing of potentials or duals: a third witness beside the flows
    of parameters and dual.
    """
    inits, steps, seeds, many = _stacked(init, step, seed)
    for each in inits:
        check_fit(network, problem, each)
    refuse_predictable_only(problem)
    schedules = [schedule_of(each, "step") for each in steps]
    noise = schedule_of(label_noise, "label_noise")
    noisy = callable(noise) or bool(np.any(noise))
    if noisy and isinstance(problem, Classification):
        raise InvalidInputError(
            "label_noise is for regression: it moves targets, and labels are -1 or 1. Leave it out."
        )
    lengths = [length for each in schedules if (length := length_of(each)) is not None]
    plan = plan_of(
        problem,
        batch_size=batch_size,
        replacement=replacement,
        momentum=momentum,
        reduction=reduction,
        over_loss=over_loss,
        loss=loss,
        activation=None if activation is None else as_activation(activation),
        until_residual=until_residual,
        until_loss=until_loss,
        until_margin=until_margin,
        max_steps=max_steps,
        longest=min(lengths, default=None),
        times=times,
        num_points=num_points,
        callback=callback,
    )
    if isinstance(problem, Classification):
        problem.require_separable()
    numbers = [positive_int(each, "seed", at_least=0) for each in seeds]
    starts = [
        Start(each.parameters(), schedule, noise, number)
        for each, schedule, number in zip(inits, schedules, numbers, strict=True)
    ]
    with threads_for(problem.X.size * len(starts)):
        runs = _runs(network, problem, inits, plan, starts)
    return runs if many else runs[0]


def _runs(
    network: Network,
    problem: Regression | Classification,
    inits: Sequence[Initialization],
    plan: Plan,
    starts: Sequence[Start],
) -> list[Run]:
    began = time.perf_counter()
    together = max(1, GROUP // max(network.layer_sizes))
    traces = [
        trace
        for first in range(0, len(starts), together)
        for trace in _stack(network, problem, plan, starts[first : first + together]).run()
    ]
    seconds = time.perf_counter() - began
    mean, obstacle = plan.reduction == "mean", _obstacle(plan)
    kind = plan.loss, mean, plan.activation, obstacle
    return [
        _run(Trained(network, problem, init, *kind), plan, start.seed, trace, seconds)
        for init, start, trace in zip(inits, starts, traces, strict=True)
    ]


def _stack(
    network: Network,
    problem: Regression | Classification,
    plan: Plan,
    starts: Sequence[Start],
) -> Stack:
    model = model_of(network, problem.X, plan.activation)
    loss: DescentLoss
    if isinstance(problem, Classification):
        loss = MarginDescent.of(problem, plan.loss, plan.over_loss)
    else:
        layers = tuple(
            np.stack(layer) for layer in zip(*(start.layers for start in starts), strict=True)
        )
        with np.errstate(over="ignore", invalid="ignore"):
            loss = SquaredDescent.of(problem, model.predictions(layers, None))
    return Stack(model, loss, plan, starts)


def _run(trained: Trained, plan: Plan, seed: int, trace: Trace, seconds: float) -> Run:
    """The run with what is read of its saved layers."""
    log_times = np.array(trace.log_times)
    with np.errstate(over="ignore"):
        times = np.exp(log_times)
    run = Run(
        **read(trained, tuple(np.stack(layer) for layer in zip(*trace.layers, strict=True))),
        times=times,
        log_times=log_times,
        log_losses=np.array(trace.log_losses),
        residual=trace.residual,
        outcome=trace.outcome or Outcome.FAILED,
        message="",
        method="heavy ball" if plan.momentum else "gradient descent",
        num_steps=trace.num_steps,
        num_evaluations=trace.num_steps,
        seconds=seconds,
        steps=np.array(trace.steps, dtype=np.intp),
        dual=trace.dual,
        seed=seed,
        momentum=plan.momentum,
        activation=plan.activation,
        _trained=trained,
    )
    return replace(run, message=sentence(run, plan.stop))


def _obstacle(plan: Plan) -> str:
    """Why steps like these keep no identity; empty where they do."""
    if plan.activation is not None:
        return f"the activation {plan.activation.name} leaves no decoupled coordinates"
    if plan.momentum:
        effect = f"gamma/(1 - mu)^2 = {1.0 / (1.0 - plan.momentum) ** 2:.4g} gamma decides, about"
        return f"momentum = {plan.momentum:g} mixes the steps of all times ({effect})"
    return ""


def _stacked(
    init: Any, step: Any, seed: Any
) -> tuple[Sequence[Any], Sequence[Any], Sequence[Any], bool]:
    """One start, step and seed for every run, and whether any was a list."""
    given = {"init": init, "step": step, "seed": seed}
    lists = {name: value for name, value in given.items() if isinstance(value, (list, tuple))}
    if isinstance(seed, (np.ndarray, range)):
        lists["seed"] = list(seed)
    sizes = {name: len(value) for name, value in lists.items()}
    if any(size == 0 for size in sizes.values()) or len(set(sizes.values())) > 1:
        lengths = ", ".join(f"{name} {size}" for name, size in sizes.items())
        raise InvalidInputError(
            f"lists of lengths {lengths}; expected equal lengths of at least one, a run for each."
        )
    count = max(sizes.values(), default=1)
    runs = [lists.get(name, [value] * count) for name, value in given.items()]
    return runs[0], runs[1], runs[2], bool(lists)
