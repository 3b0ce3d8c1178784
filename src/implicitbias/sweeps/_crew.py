"""Who runs the tasks: this process, processes of this machine, or the workers of a Dask cluster."""

from __future__ import annotations

import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from functools import cache
from typing import Any

from implicitbias import __version__
from implicitbias._errors import ImplicitBiasError, InvalidInputError, reason_of
from implicitbias.sweeps._lines import Record
from implicitbias.sweeps._task import Task, Work, run_batch

ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR")}
PATIENCE = 120.0  # seconds in which a fresh process must answer, or a cluster
PARENT_POLL = 0.5  # seconds between looks whether the parent still lives
AHEAD = 2  # batches a worker: one that runs, one that waits

Batch = list[tuple[int, Task]]


class Crew(ABC):
    """Runs batches of tasks. ``workers`` of them at a time."""

    workers = 1
    ahead = 1  # batches to give out before the first is back

    @abstractmethod
    def submit(self, work: Work, batch: Batch) -> Future[list[Record]]:
        """Give a batch out. Its future raises where no process returned a result."""

    @abstractmethod
    def check(self) -> None:
        """Make sure that batches can be run; called after one was lost.

        Raises
        ------
        ImplicitBiasError
            They cannot.
        """


class Alone(Crew):
    """The process that asks."""

    def submit(self, work: Work, batch: Batch) -> Future[list[Record]]:
        """Run the batch now."""
        found: Future[list[Record]] = Future()
        found.set_result(run_batch(work, batch))
        return found

    def check(self) -> None:
        """Nothing can be lost but all."""


class Processes(Crew):
    """Processes of this machine, replaced where they die."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.ahead = AHEAD * workers
        self._pool = self._started()

    def _started(self) -> Executor:
        from joblib.externals.loky import ProcessPoolExecutor

        pool: Executor = ProcessPoolExecutor(
            self.workers, env=ONE_THREAD, initializer=end_with, initargs=(os.getpid(),)
        )
        try:
            pool.submit(version).result(PATIENCE)
        except Exception as error:
            raise ImplicitBiasError(
                f"worker processes cannot be started: {reason_of(error)}. What is finished is "
                "kept. Pass workers=1 to run the tasks in this process."
            ) from error
        return pool

    def submit(self, work: Work, batch: Batch) -> Future[list[Record]]:
        """Give a batch to the processes, to new ones if they were lost since."""
        try:
            return self._pool.submit(in_one_thread, work, batch)
        except RuntimeError:  # the pool is broken
            self._renew()
            return self._pool.submit(in_one_thread, work, batch)

    def check(self) -> None:
        """Replace processes that were lost."""
        try:
            self._pool.submit(version)
        except RuntimeError:
            self._renew()

    def _renew(self) -> None:
        self.close()
        self._pool = self._started()

    def close(self) -> None:
        """End the processes, at work or not."""
        self._pool.shutdown(wait=True, kill_workers=True)  # type: ignore[call-arg]  # loky's own


class Cluster(Crew):
    """The workers of a Dask cluster."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._pool = client.get_executor(pure=False)
        threads = client.nthreads().values()
        self.workers = max(1, sum(threads))
        self.ahead = AHEAD * self.workers

    def submit(self, work: Work, batch: Batch) -> Future[list[Record]]:
        """Give a batch to the scheduler."""
        found: Future[list[Record]] = self._pool.submit(in_one_thread, work, batch)
        return found

    def check(self) -> None:
        """Ask the scheduler whether it is still there."""
        try:
            self._client.nthreads()
        except Exception as error:
            raise ImplicitBiasError(
                f"the Dask cluster no longer answers: {reason_of(error)}. What is finished is "
                "kept; the same call goes on from there."
            ) from error


@contextmanager
def crew_of(workers: int, dask: str | None) -> Iterator[Crew]:
    """The crew that is asked for; its processes end, and a cluster is left, on the way out.

    Raises
    ------
    InvalidInputError
        No cluster at the address, one whose workers lack this version of the package, or Dask is
        not installed.
    """
    if dask is not None:
        with _client(dask) as client:
            yield Cluster(client)
    elif workers == 1:
        yield Alone()
    else:
        processes = Processes(workers)
        try:
            yield processes
        finally:
            processes.close()


@contextmanager
def _client(address: str) -> Iterator[Any]:
    try:
        from distributed import Client
    except ImportError as error:
        raise InvalidInputError(
            f"dask = {address!r} needs Dask, which is not installed ({error}): pip install "
            "'implicitbias[dask]'."
        ) from None
    try:
        client = Client(address, timeout=10, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise InvalidInputError(
            f"dask is {address!r}, where no scheduler answers ({reason_of(error)}). Start one with "
            "dask scheduler, and pass the address that it prints, such as tcp://127.0.0.1:8786."
        ) from None
    with client:
        _check_versions(client, address)
        yield client


def _check_versions(client: Any, address: str) -> None:
    try:
        found = client.run(version)
    except Exception as error:
        raise InvalidInputError(
            f"the workers of {address} cannot import implicitbias {__version__}: "
            f"{reason_of(error)}. Install it there."
        ) from None
    if not found:
        raise InvalidInputError(f"the scheduler at {address} has no workers: dask worker {address}")
    others = {worker: given for worker, given in found.items() if given != __version__}
    for worker, given in others.items():
        raise InvalidInputError(
            f"worker {worker} has implicitbias {given}; expected {__version__}, as here."
        )


def end_with(parent: int) -> None:
    """End this process once its parent has ended, even where that was killed."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_POLL)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def version() -> str:
    """The version of this package where it is called."""
    return __version__


def in_one_thread(work: Work, batch: Batch) -> list[Record]:
    """Run a batch with one thread of linear algebra a worker, for good: the tasks are parallel."""
    _limit_threads()
    return run_batch(work, batch)


@cache
def _limit_threads() -> None:
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=1, user_api="blas")
