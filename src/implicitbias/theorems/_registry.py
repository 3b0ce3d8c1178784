"""Theorems that users register, beside those of the catalogue."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

from implicitbias._errors import InvalidInputError
from implicitbias.problems import Classification, Regression
from implicitbias.theorems._catalogue import (
    CLASSIFICATION,
    FOUNDATIONS,
    REGRESSION,
)
from implicitbias.theorems._finite_loss import FINITE_LOSS
from implicitbias.theorems._limit_problem import Checked, LimitProblem
from implicitbias.theorems._neighbours import NEIGHBOURS
from implicitbias.theorems._theorem import Task, Theorem

OURS = (*REGRESSION, *CLASSIFICATION, *FOUNDATIONS, *FINITE_LOSS, *NEIGHBOURS)
_registered: dict[str, Theorem] = {}


def register_theorem(theorem: Theorem) -> None:
    """Let ``predict_limit``, ``limit_path`` and ``explain`` know a theorem, until the process ends.

    It speaks where none of the package's own does, or where it is asked for by name:
    ``predict_limit(..., theorem=name)``. What its limit returns is checked, and its feasibility
    measured again; the rest of the certificate is the theorem's own.

    Parameters
    ----------
    theorem
        With the fields that those of the package have.

    Raises
    ------
    InvalidInputError
        A field is not what is expected, or the name is taken.
    """
    checked = _checked(theorem)
    _registered[checked.name] = replace(checked, limit=Checked(checked.limit))


def unregister_theorem(name: str) -> None:
    """Forget a registered theorem.

    Raises
    ------
    InvalidInputError
        No theorem of this name was registered.
    """
    if name not in _registered:
        known = ", ".join(map(repr, _registered)) or "none"
        raise InvalidInputError(f"no theorem {name!r} was registered; there are: {known}.")
    del _registered[name]


def task_of(problem: Regression | Classification) -> Task:
    """Which theorems are about the problem."""
    return "regression" if isinstance(problem, Regression) else "classification"


def all_theorems() -> tuple[Theorem, ...]:
    """The package's own in the order in which they are tried, its foundations, and the users'."""
    return (*OURS, *_registered.values())


def theorems_about(task: Task) -> tuple[Theorem, ...]:
    """Those that name a limit, in the order in which they are tried."""
    return tuple(one for one in all_theorems() if one.task == task and one.limit.exists)


def theorem_called(name: Any, task: Task) -> Theorem:
    """The theorem of this name.

    Raises
    ------
    InvalidInputError
        There is none about this task.
    """
    known = {one.name: one for one in all_theorems() if one.task == task}
    if not isinstance(name, str) or name not in known:
        raise InvalidInputError(f"no theorem {name!r} about {task}; there are {', '.join(known)}.")
    return known[name]


def _checked(theorem: Any) -> Theorem:
    """The theorem, with its assumptions as a tuple."""
    if not isinstance(theorem, Theorem):
        raise InvalidInputError(f"theorem is a {type(theorem).__name__}; expected a Theorem.")
    for field in ("name", "statement", "remedy", "source"):
        text = getattr(theorem, field)
        if not isinstance(text, str) or not text.strip():
            raise InvalidInputError(f"the theorem's {field} is {text!r}; expected a text.")
    if any(one.name == theorem.name for one in all_theorems()):
        raise InvalidInputError(
            f"there is a theorem {theorem.name!r} already; choose another name, or "
            "unregister_theorem first if it is yours."
        )
    if theorem.task not in get_args(Task):
        raise InvalidInputError(
            f"the task of {theorem.name!r} is {theorem.task!r}; expected one of "
            f"{', '.join(map(repr, get_args(Task)))}."
        )
    if not isinstance(theorem.limit, LimitProblem):
        raise InvalidInputError(
            f"the limit of {theorem.name!r} is a {type(theorem.limit).__name__}; expected a "
            "LimitProblem, such as ClosedForm(function)."
        )
    return replace(theorem, assumptions=_checked_assumptions(theorem))


def _checked_assumptions(theorem: Theorem) -> tuple[Any, ...]:
    given: Any = theorem.assumptions
    assumptions = tuple(given) if isinstance(given, (list, tuple)) else ()
    if not assumptions:
        raise InvalidInputError(
            f"the assumptions of {theorem.name!r} are {given!r}; expected at least one function of "
            "a Situation in a tuple: what assumes nothing would apply to everything."
        )
    for number, predicate in enumerate(assumptions, start=1):
        if not callable(predicate) or not (getattr(predicate, "__doc__", None) or "").strip():
            raise InvalidInputError(
                f"assumption {number} of {theorem.name!r} is {predicate!r}; expected a function of "
                "a Situation with a docstring, whose first line says what it asserts."
            )
    return assumptions
