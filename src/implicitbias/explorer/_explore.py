"""The verb: what is to be explored, checked and gone through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, check_callback, finite_number, positive_int
from implicitbias._errors import InvalidInputError
from implicitbias._names import MAX_DEPTH, NETWORKS, read_name
from implicitbias.explorer._limits import limits_task
from implicitbias.explorer._margins import margins_task
from implicitbias.explorer._page import Explorer
from implicitbias.explorer._plan import LARGE, SHOWN, Plan, is_large
from implicitbias.explorer._training import TRAINED, training_task
from implicitbias.networks import DiagonalNetwork
from implicitbias.problems import Classification, Regression
from implicitbias.theorems import limit_path

DEPTHS, FEWER = (2, 3, 4), (2,)  # deeper convolutions of 2,000 columns take minutes
TRAINABLE = 2_000  # entries of X up to which training with many steps takes a minute or so
BELOW, ABOVE = 1e-3, 30.0  # of the natural scale: where limits change
TRAINING = (0.1, 0.3, 1.0)  # of the natural scale
SEPARATING = (0.1, 1.0)


def explore(
    problem: Regression | Classification | None = None,
    *,
    names: Iterable[str] | None = None,
    networks: Iterable[str] = NETWORKS,
    depths: Iterable[int] | None = None,
    scales: Iterable[float] | None = None,
    training: bool | None = None,
    title: str | None = None,
    intercept: Callable[[FloatArray], float] | None = None,
    callback: Callable[[int, int], object] | None = None,
) -> Explorer:
    """One interactive page over limits beta(network, depth, direction, alpha), all precomputed.

    For a regression: the limits along the scale with their norms and, up to 2,000 entries of X,
    gradient descent with steps of finite size against the flow. For a classification: directions
    along the margin against the predicted one. Two features are drawn in their plane as well.

    Parameters
    ----------
    problem
        The data; by default a regression and a classification in the plane.
    names
        d names of the coefficients; by default x1, ..., xd.
    networks
        Of "diagonal", "convolutional" (filters of full length), "fully_connected" and
        "two_sided". What no result covers is shown with the reason.
    depths
        Numbers of layers, whole numbers >= 2; by default 2, 3 and 4, and 2 alone where X has more
        than 20,000 entries. Such pages have one direction of the start, too.
    scales
        Regression: alpha >= 0, infinity included, at least two; by default 0, infinity and about
        fifteen where the limits of these data change.
    training
        Regression: whether to follow training; by default where X has at most 2,000 entries.
    title
        What the page is called.
    intercept
        Regression on centred data: the constant that belongs to coefficients, to be listed.
    callback
        Called with (settings done, settings in all) after each. Settings that do not differ, such
        as directions of a network without weights, are one. ``ProgressBar()`` shows percent and
        time left, in terminals and notebooks.

    Returns
    -------
    Explorer
        ``save(file)`` writes the page; ``html`` is its text, ``data`` all that it shows.

    Raises
    ------
    InvalidInputError
        Names, networks, depths or scales that do not fit.
    InfeasibleProblemError
        Classes that are proved not to be linearly separable.

    Notes
    -----
    The page computes nothing: its numbers are those of ``limit_path``, ``predict_limit``,
    ``gradient_flow`` and ``gradient_descent``, to the last digit.
    """
    check_callback(callback, "the number of settings that are done, and of all")
    if not isinstance(title, (str, type(None))):
        raise InvalidInputError(f"title is {title!r:.80}; expected a text.")
    if intercept is not None and not callable(intercept):
        raise InvalidInputError(
            f"intercept is {intercept!r:.80}; expected a function of the coefficients."
        )
    families, layers = _networks(networks), None if depths is None else _depths(depths)
    steps = _Steps(callback)
    plans = [
        _plan(each, names, families, layers, scales, intercept, steps)
        for each in (_textbook() if problem is None else (problem,))
    ]
    jobs = [job for plan in plans for job in _jobs(plan, training)]
    steps.total = sum(size for size, _ in jobs)
    tasks = [task for _, make in jobs if (task := make()) is not None]
    about = _about(plans[0], training)
    return Explorer({"title": title or _title(problem), "about": about, "tasks": tasks})


class _Steps:
    """Settings that are done, reported one by one."""

    def __init__(self, callback: Callable[[int, int], object] | None) -> None:
        self.callback, self.done, self.total = callback, 0, 0

    def __call__(self) -> None:
        self.done += 1
        if self.callback is not None:
            self.callback(self.done, self.total)


def _networks(given: Iterable[str]) -> tuple[str, ...]:
    if not isinstance(given, Iterable):
        raise InvalidInputError(f"networks is {given!r}; expected some of {', '.join(NETWORKS)}.")
    names = [given] if isinstance(given, str) else list(given)
    if not names:
        raise InvalidInputError(f"networks is empty; expected some of {', '.join(NETWORKS)}.")
    return tuple(dict.fromkeys(read_name(name, NETWORKS, "networks") for name in names))


def _depths(given: Iterable[int]) -> tuple[int, ...]:
    values = [given] if not isinstance(given, Iterable) else list(given)
    if not values:
        raise InvalidInputError("depths is empty; expected whole numbers >= 2, such as (2, 3).")
    checked = {positive_int(n, "depths", at_least=2, at_most=MAX_DEPTH) for n in values}
    return tuple(sorted(checked))


def _plan(
    problem: Regression | Classification,
    names: Iterable[str] | None,
    networks: tuple[str, ...],
    depths: tuple[int, ...] | None,
    scales: Iterable[float] | None,
    intercept: Callable[[FloatArray], float] | None,
    report: Callable[[], object],
) -> Plan:
    if not isinstance(problem, (Regression, Classification)):
        raise InvalidInputError(
            f"problem is a {type(problem).__name__}; expected a Regression or a Classification."
        )
    d = problem.num_features
    named = isinstance(names, Iterable) and not isinstance(names, (str, bytes))
    given = [f"x{j}" for j in range(1, d + 1)] if names is None else list(names) if named else []
    if len(given) != d:
        raise InvalidInputError(f"names is {names!r:.80}; expected {d} names, one a feature.")
    shown = tuple(map(str, given))
    separating = isinstance(problem, Classification)
    if depths is None:
        depths = FEWER if is_large(problem) else DEPTHS
    natural = _natural_scales(problem, depths)
    middle = natural[len(natural) // 2]
    parts = SEPARATING if separating else TRAINING
    return Plan(
        problem,
        shown,
        networks,
        depths,
        () if separating else _between(natural) if scales is None else _given(scales),
        tuple(float(f"{part * middle:.1g}") for part in parts),
        intercept,
        report,
    )


def _natural_scales(problem: Regression | Classification, depths: tuple[int, ...]) -> list[float]:
    """alpha with alpha^L as large as the coefficients that fit: of each depth."""
    d = problem.num_features
    if isinstance(problem, Classification):
        size = 1.0 / max(float(abs(problem.X).max()), np.finfo(float).tiny)
    else:
        end = limit_path(DiagonalNetwork(d, 2), problem, [np.ones(d), np.zeros(d)], [np.inf])
        size = float(np.abs(end.coefficients).max())
    return [size ** (1 / depth) if 0 < size < np.inf else 1.0 for depth in depths]


def _between(natural: Sequence[float]) -> tuple[float, ...]:
    """0, 1, 2 and 5 times the powers of ten where limits change, and infinity."""
    low, high = BELOW * min(natural), ABOVE * max(natural)
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    round_ones = [float(f"{digit}e{power}") for power in powers for digit in (1, 2, 5)]
    return (0.0, *(scale for scale in round_ones if low <= scale <= high), np.inf)


def _given(scales: Iterable[float]) -> tuple[float, ...]:
    wanted = "numbers >= 0, at least one of them positive and finite"
    if not isinstance(scales, Iterable):
        raise InvalidInputError(f"scales is {scales!r}; expected at least two {wanted}.")
    values = sorted(
        {
            np.inf if each == np.inf else finite_number(each, "scales", wanted)
            for each in np.ravel(np.asarray(list(scales), dtype=object))
        }
    )
    if len(values) < 2 or values[0] < 0 or not any(0 < each < np.inf for each in values):
        raise InvalidInputError(f"scales is {values}; expected at least two {wanted}.")
    return tuple(float(each) for each in values)


def _jobs(
    plan: Plan, training: bool | None
) -> list[tuple[int, Callable[[], dict[str, Any] | None]]]:
    """How many settings each task has, and what makes it."""
    problem = plan.problem
    if isinstance(problem, Classification):
        return [(plan.num_starts * len(plan.start_scales), lambda: margins_task(plan, problem))]
    jobs: list[tuple[int, Callable[[], dict[str, Any] | None]]] = [
        (plan.num_starts, lambda: limits_task(plan, problem))
    ]
    trained = [name for name in plan.networks if name in TRAINED]
    if trained and _follows(plan, training):
        size = len(trained) * len(plan.depths) * len(plan.start_scales)
        jobs.append((size, lambda: training_task(plan, problem, trained)))
    return jobs


def _follows(plan: Plan, training: bool | None) -> bool:
    X = plan.problem.X
    if training is None:
        return plan.problem.features.is_array and bool(X.size <= TRAINABLE)
    return training


def _title(problem: Regression | Classification | None) -> str:
    if problem is None:
        return "Where training ends, in the plane"
    n, d, rank = problem.num_points, problem.num_features, problem.rank
    return f"Where training ends: {n} x {d} of rank {rank}"


def _about(plan: Plan, training: bool | None) -> str:
    """What is left out, and why."""
    said = []
    if plan.problem.num_features > SHOWN:
        said.append(
            f"Of {plan.problem.num_features} coefficients the {SHOWN} largest of each setting are "
            "shown, since more would be heavy and hide each other; norms are of all."
        )
    if is_large(plan.problem):
        said.append(
            f"X has more than {LARGE:,} entries: by default there are two layers and one direction "
            "of the start."
        )
    if isinstance(plan.problem, Regression) and not _follows(plan, training):
        many = f"X has more than {TRAINABLE:,} entries"
        sparse = not plan.problem.features.is_array
        why = "as was asked" if training is not None else "X is sparse" if sparse else many
        said.append(f"Training with steps of finite size is left out: {why}.")
    return " ".join(said)


def _textbook() -> tuple[Regression, Classification]:
    """One equation and two points in the plane."""
    line = Regression(np.array([[1.0, 2.0]]), np.array([2.0]))
    return line, Classification(np.array([[1.0, 2.0], [2.0, 2.5]]), np.ones(2))
