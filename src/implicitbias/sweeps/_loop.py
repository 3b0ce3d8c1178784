"""The loop of a sweep: batches go out, records come back and are written, the lost are tried again.

Tasks are taken in a shuffled order, a few neighbours at a time, so that the first finished are a
fair sample of all: the time left is then no matter of which corner of the grid was first. A batch
has as many tasks as take about a quarter of a second together.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass

from implicitbias._errors import ImplicitBiasError
from implicitbias.sweeps._crew import Batch, Crew
from implicitbias.sweeps._folder import Folder
from implicitbias.sweeps._lines import Record
from implicitbias.sweeps._plan import Plan
from implicitbias.sweeps._task import Task, Work, died

NEIGHBOURS = 32  # tasks that stay together when the order is shuffled: they share their data
SAMPLES = 64  # sets of neighbours, at least, where there are as many tasks
BATCH_SECONDS = 0.25  # of work in a file of results
LARGEST_BATCH = 256
POLL = 5.0  # seconds after which a silent cluster is asked whether it is there
TELLING, TELLING_SECONDS = 4, 10.0  # results a worker, or a time, that say how long all will take
ALONE = 2  # times a task was out when a process died, from which it is run with no other beside it


@dataclass(frozen=True)
class SweepState:
    """How far a sweep has come.

    Attributes
    ----------
    done, total
        Tasks that are finished, those of earlier calls included, and all.
    refused, failed
        How many of those done have no result.
    seconds
        Since this call began to work.
    seconds_left
        At the rate of this call so far; None before that is known.
    """

    done: int
    total: int
    refused: int
    failed: int
    seconds: float
    seconds_left: float | None


@dataclass
class Out:
    """A batch that was given out, and how often its tasks were lost before."""

    tasks: Batch
    losses: int = 0


class Loop:
    """Runs what is not finished of a plan."""

    def __init__(
        self,
        plan: Plan,
        folder: Folder,
        crew: Crew,
        callback: Callable[[SweepState], object] | None,
    ) -> None:
        self.plan, self.folder, self.crew, self.callback = plan, folder, crew, callback
        self.work = work_of(plan)
        self.fresh = deque(n for n in shuffled(len(plan)) if n not in folder.records)
        self.again: deque[Out] = deque()
        self.alone: deque[Out] = deque()
        self.out: dict[Future[list[Record]], Out] = {}
        self.at_first = len(folder.records)
        self.counts = {"ok": 0, "refused": 0, "failed": 0}
        for record in folder.records.values():
            self.counts[record["status"]] += 1
        self.seconds_a_task = BATCH_SECONDS
        self.began = time.perf_counter()

    def run(self) -> None:
        """Run until every task has a record.

        Raises
        ------
        ImplicitBiasError
            The crew is lost for good, or a data file has changed.
        OSError
            A result cannot be written.
        """
        try:
            self._tell()
            while self._give_out() or self.out:
                done, _ = wait(self.out, POLL, FIRST_COMPLETED)
                if not done:
                    self.crew.check()
                for future in done:
                    self._take(future, self.out.pop(future))
        finally:
            for future in self.out:
                future.cancel()

    def _give_out(self) -> bool:
        """Fill the crew; False where nothing is left to give."""
        while len(self.out) < self.crew.ahead:
            if self.fresh:
                size = int(BATCH_SECONDS / self.seconds_a_task) or 1
                size = min(size, LARGEST_BATCH, len(self.fresh))
                batch = Out([self._task(self.fresh.popleft()) for _ in range(size)])
            elif self.again:
                if len(self.out) >= self.crew.workers:
                    break
                batch = self.again.popleft()
            elif self.alone and not self.out:
                batch = self.alone.popleft()
            else:
                break
            self.out[self.crew.submit(self.work, batch.tasks)] = batch
            if batch.losses >= ALONE:
                break
        return bool(self.out)

    def _task(self, number: int) -> tuple[int, Task]:
        return number, self.plan.task(number)

    def _take(self, future: Future[list[Record]], batch: Out) -> None:
        try:
            records = future.result()
        except ImplicitBiasError:
            raise
        except Exception as error:  # no process lived to return a result
            self.crew.check()
            self._lost(batch, error)
            return
        self._write(records)

    def _lost(self, batch: Out, error: Exception) -> None:
        """Any task of the batch may have done it: one by one, then alone, then it is certain."""
        if batch.losses >= ALONE:
            self._write([died(number, error) for number, _ in batch.tasks])
            return
        losses = batch.losses + 1
        queue = self.alone if losses >= ALONE else self.again
        queue.extend(Out([task], losses) for task in batch.tasks)

    def _write(self, records: list[Record]) -> None:
        self.folder.add(records)
        for record in records:
            self.counts[record["status"]] += 1
        known = [each["seconds"] for each in records if each["seconds"] is not None]
        if known:
            mean = max(sum(known) / len(known), 1e-6)
            self.seconds_a_task += (mean - self.seconds_a_task) / 2
        self._tell()

    def _tell(self) -> None:
        if self.callback is None:
            return
        done, total = len(self.folder.records), len(self.plan)
        seconds, new = time.perf_counter() - self.began, done - self.at_first
        telling = new >= TELLING * self.crew.workers or (new and seconds >= TELLING_SECONDS)
        left = seconds / new * (total - done) if telling else 0.0 if done == total else None
        refused, failed = self.counts["refused"], self.counts["failed"]
        self.callback(SweepState(done, total, refused, failed, seconds, left))


def work_of(plan: Plan) -> Work:
    """What the tasks of a plan have in common."""
    return Work(plan.verb, plan.compare, plan.save_coefficients, plan.base, dict(plan.hashes))


def shuffled(size: int) -> Iterable[int]:
    """All tasks, in sets of neighbours whose order is random but always the same."""
    together = max(1, min(NEIGHBOURS, size // SAMPLES))
    sets = [range(first, min(first + together, size)) for first in range(0, size, together)]
    random.Random(0).shuffle(sets)
    return (number for each in sets for number in each)
