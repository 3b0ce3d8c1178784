"""One rival on the clock: until it is close enough, has nothing more to give, or takes too long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from benchmarks.rivals._case import Case
from threadpoolctl import threadpool_limits


@dataclass(frozen=True)
class Lap:
    """How a rival did.

    Attributes
    ----------
    seconds
        CPU seconds until it arrived, ended or was stopped.
    error
        Relative error of its last beta.
    arrived, stopped
        Whether it reached the accuracy; whether it was stopped before its end.
    """

    name: str
    seconds: float
    error: float
    arrived: bool
    stopped: bool


def race(
    rival: Callable[[Case], Iterator[np.ndarray]],
    case: Case,
    reference: np.ndarray,
    accuracy: float,
    patience: float,
) -> Lap:
    """Run a rival for at most ``patience`` CPU seconds."""
    with threadpool_limits(1):
        solutions = rival(case)
        if rival.__name__ in ("tsit5", "kvaerno5"):
            next(solutions)  # compiles
        seconds, error = 0.0, np.inf
        while seconds < patience:
            began = time.process_time()
            beta = next(solutions, None)
            seconds += time.process_time() - began
            if beta is None:
                return Lap(rival.__name__, seconds, error, False, False)
            error = case.error(beta, reference)
            if error <= accuracy:
                return Lap(rival.__name__, seconds, error, True, False)
    return Lap(rival.__name__, seconds, error, False, True)


def timed(work: Callable[[], object]) -> float:
    """CPU seconds."""
    began = time.process_time()
    work()
    return time.process_time() - began
