"""Worker processes, each under a limit of processor time for a problem, replaced when they hang."""

from __future__ import annotations

import multiprocessing as mp
import time
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any

HANGING = 60.0  # times the limit of processor time, in seconds of the clock


class Worker:
    """One process and what it is busy with."""

    def __init__(self, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        context = mp.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other, work, arguments), daemon=True)
        self.process.start()
        other.close()
        self.item: Any = None
        self.since = 0.0

    def give(self, item: Any) -> None:
        """Start an item."""
        self.item, self.since = item, time.monotonic()
        self.pipe.send(item)

    def end(self) -> None:
        """Stop for good."""
        self.process.terminate()
        self.process.join()
        self.pipe.close()


def _serve(pipe: Connection, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    while True:
        try:
            item = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        pipe.send(work(item, *arguments))


def spread(
    work: Callable[..., Any],
    items: Iterable[Any],
    arguments: tuple[Any, ...],
    jobs: int,
    patience: float,
) -> Iterator[tuple[Any, Any]]:
    """Item and result, as they come; the result is None where a worker hung or died."""
    queue = iter(items)
    workers: list[Worker] = []

    def feed(worker: Worker) -> None:
        try:
            worker.give(next(queue))
        except StopIteration:
            workers.remove(worker)
            worker.end()

    for _ in range(jobs):
        workers.append(Worker(work, arguments))
        feed(workers[-1])
    while workers:
        ready = wait([worker.pipe for worker in workers], timeout=1.0)
        for worker in list(workers):
            result, gone = None, time.monotonic() - worker.since > HANGING * patience
            if worker.pipe in ready:
                try:
                    result = worker.pipe.recv()
                except (EOFError, ConnectionResetError):
                    gone = True
            elif not gone:
                continue
            item = worker.item
            if gone:
                workers.remove(worker)
                worker.end()
                worker = Worker(work, arguments)
                workers.append(worker)
            feed(worker)
            yield item, result
