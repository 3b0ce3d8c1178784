"""The words of the package: names of networks, and former names of arguments.

One meaning, one word, in functions, results and on the command line. Estimators keep scikit-learn's
own (``tol``, ``max_iter``), and say ``init_`` where there is no Initialization to belong to.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypeVar

from implicitbias._errors import InvalidInputError

NETWORKS = ("diagonal", "convolutional", "fully_connected", "two_sided")
DEPTH = 2  # layers, where none are asked for
MAX_DEPTH = 10_000  # layers: each is a tuple's entry and a step of every product
ROUTES = {"coordinates": "fourier"}  # former names of routes
UNTIL = "0.3"  # the version without the former names

P = ParamSpec("P")
R = TypeVar("R")


def read_name(given: Any, known: Iterable[str], what: str) -> str:
    """The known name that is given, with underscores or hyphens.

    Raises
    ------
    InvalidInputError
        It is none of them.
    """
    name = given.replace("-", "_") if isinstance(given, str) else ""
    if name not in (names := tuple(known)):
        raise InvalidInputError(f"{what} is {given!r}; expected one of {', '.join(names)}.")
    return name


def warn_of(former: str, name: str, *, stacklevel: int = 3) -> None:
    """Say at the caller's line that a name is another one now."""
    warnings.warn(
        f"{former} is called {name} now; the former name goes with {UNTIL}.",
        DeprecationWarning,
        stacklevel=stacklevel,
    )


def renamed(**names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function take keywords by former names too, with a warning: ``renamed(old="new")``.

    Signatures and types stay those of the new names alone.

    Raises
    ------
    InvalidInputError
        In the call: both names are given.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            for former in names.keys() & kwargs:
                name = names[former]
                if name in kwargs:
                    raise InvalidInputError(
                        f"got both {name} and {former}, its former name; expected {name} alone."
                    )
                warn_of(former, name)
                kwargs[name] = kwargs.pop(former)
            return function(*args, **kwargs)

        return call

    return decorate
