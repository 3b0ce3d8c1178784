"""How long a sweep will take, from a few of its tasks."""

from __future__ import annotations

import time
from concurrent.futures import wait
from dataclasses import dataclass
from itertools import islice

import numpy as np

from implicitbias.sweeps._crew import Processes
from implicitbias.sweeps._loop import shuffled, work_of
from implicitbias.sweeps._plan import Plan

MOST_TRIED = 50


@dataclass(frozen=True)
class Estimate:
    """What a few tasks say of all.

    Attributes
    ----------
    num_tasks
        Of the plan.
    tried
        Tasks that were run to see.
    mean, least, most
        Seconds of one of these; NaN where none ended in time.
    seconds
        Of all tasks on ``workers`` processes; a lower bound where none ended in time.
    workers
        How many work at a time.
    """

    num_tasks: int
    tried: int
    mean: float
    least: float
    most: float
    seconds: float
    workers: int


def estimate(plan: Plan, workers: int, patience: float = 10.0) -> Estimate:
    """Run a fair sample of the tasks for at most ``patience`` seconds, and write nothing."""
    crew = Processes(1)
    work, took = work_of(plan), []
    until = time.perf_counter() + patience
    try:
        for number in islice(_scattered(len(plan)), MOST_TRIED):
            future = crew.submit(work, [(number, plan.task(number))])
            done, _ = wait([future], max(0.0, until - time.perf_counter()))
            if not done:
                break
            took.append(float(future.result()[0]["seconds"]))
    finally:
        crew.close()
    workers = min(workers, len(plan))
    mean = float(np.mean(took)) if took else float("nan")
    seconds = (mean if took else patience) * len(plan) / workers
    least, most = (min(took), max(took)) if took else (mean, mean)
    return Estimate(len(plan), len(took), mean, least, most, seconds, workers)


def _scattered(size: int) -> list[int]:
    """Tasks of all corners, no neighbours first."""
    order = list(shuffled(size))
    return order[:: max(1, size // MOST_TRIED)]
