"""sweep: many problems, predicted or trained, with one table as the result."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from implicitbias._arrays import FloatArray, check_callback, positive_int
from implicitbias._errors import InvalidInputError
from implicitbias._files import path_named
from implicitbias.sweeps._crew import crew_of
from implicitbias.sweeps._figures import draw
from implicitbias.sweeps._folder import Folder
from implicitbias.sweeps._loop import Loop, SweepState
from implicitbias.sweeps._plan import Plan, read_plan
from implicitbias.sweeps._table import COEFFICIENTS, TABLE, frame, write_tables


@dataclass(frozen=True, eq=False)
class Sweep:
    """A finished sweep.

    Attributes
    ----------
    folder
        Where its files are.
    verb
        What every task did.
    num_tasks, num_refused, num_failed
        All tasks, those that ended in a typed refusal, and those that ended otherwise.
    num_disagreeing
        Comparisons that disagree.
    num_damaged
        Results that were not on the disk as they had been written, and were run again by this call.
    files
        What was written, by name.
    """

    folder: Path
    verb: str
    num_tasks: int
    num_refused: int
    num_failed: int
    num_disagreeing: int
    num_damaged: int
    files: tuple[str, ...]
    _table: Any

    @property
    def table(self) -> Any:
        """A pandas.DataFrame with one row a task: its parameters, and what came of it."""
        return self._table.copy()

    @property
    def complete(self) -> bool:
        """Whether every task has a result, and no comparison disagrees."""
        return not (self.num_refused or self.num_failed or self.num_disagreeing)

    def coefficients(self, task: int) -> FloatArray:
        """beta of a task, (d,): of a plan with save_coefficients = true.

        Raises
        ------
        InvalidInputError
            The task has none.
        """
        import numpy as np

        positive_int(task, "task", at_least=0)
        if COEFFICIENTS in self.files:
            with np.load(self.folder / COEFFICIENTS, allow_pickle=False) as archive:
                if str(task) in archive.files:
                    return np.asarray(archive[str(task)])
        raise InvalidInputError(
            f"task {task} has no coefficients: either it ended without a result, or the plan does "
            "not say save_coefficients = true."
        )

    def __str__(self) -> str:
        ok = self.num_tasks - self.num_refused - self.num_failed
        parts = [f"{ok} ok"]
        for number, word in ((self.num_refused, "refused"), (self.num_failed, "failed")):
            parts += [f"{number} {word}"] if number else []
        text = f"Sweep of {self.verb}, {self.num_tasks} tasks: {', '.join(parts)}"
        if self.num_disagreeing:
            text += f"; {self.num_disagreeing} comparisons disagree"
        if self.num_damaged:
            text += f"; {self.num_damaged} damaged on the disk and run again"
        return f"{text}, in {self.folder / TABLE}"

    def __repr__(self) -> str:
        return f"<{self}>"


def sweep(
    plan: str | os.PathLike[str] | Mapping[str, Any] | Plan,
    out: str | os.PathLike[str],
    *,
    workers: int | None = None,
    dask: str | None = None,
    retry_failed: bool = False,
    callback: Callable[[SweepState], object] | None = None,
) -> Sweep:
    """Run every task of a plan, and gather what came of them in one table.

    What is finished is kept whatever happens: the same call goes on from there, and once all is
    done returns at once.

    Parameters
    ----------
    plan
        A TOML file, a mapping like one, or what ``read_plan`` made of it: grids over data,
        networks, starts and options of one verb. See the how-to page on sweeps.
    out
        A folder of the sweep's own: made where it is not there, or one where the same plan was
        begun. It receives results.csv, results.parquet (where pyarrow is installed), seconds.csv,
        figures, and failures.json and coefficients.npz where there are any.
    workers
        Processes of this machine; by default as many as it has cores. 1 runs the tasks in this
        process. Linear algebra has one thread a worker, so that the table does not depend on how
        many there are.
    dask
        The address of a Dask scheduler instead, whose workers have this version of the package;
        data files must be there under the same path. Needs the extra "dask".
    retry_failed
        Run again the tasks that failed other than by a typed refusal.
    callback
        Called with a ``SweepState`` after every file of results. ``ProgressBar()`` shows percent
        and time left, in terminals and notebooks.

    Raises
    ------
    InvalidInputError
        A plan, folder or address that cannot be used; nothing was run.
    FolderInUseError
        Another sweep is at work in the folder.
    PlanChangedError
        The folder was begun with another plan, or a data file has changed meanwhile.
    OSError
        The folder cannot be written.
    """
    from threadpoolctl import threadpool_limits

    check_callback(callback, "a SweepState")
    if dask is not None and not (isinstance(dask, str) and dask):
        raise InvalidInputError(f"dask is {dask!r}; expected the address of a scheduler.")
    if dask is not None and workers is not None:
        raise InvalidInputError("got both workers and dask; expected one of them.")
    path = path_named(out, "out", "a folder's name")
    read = read_plan(plan)
    with Folder(path).locked(read) as folder:
        if retry_failed:
            folder.forget_failures()
        todo = len(read) - len(folder.records)
        if todo:
            with (
                threadpool_limits(limits=1, user_api="blas"),
                crew_of(min(number_of(workers), todo), dask) as crew,
            ):
                Loop(read, folder, crew, callback).run()
        table = frame(read, folder.records)
        files = write_tables(read, folder, table, anew=todo > 0)
        files += draw(read, table, folder.path, anew=todo > 0)
    counts = table["status"].value_counts()
    disagreeing = int((table["verdict"] == "DISAGREES").sum()) if "verdict" in table else 0
    refused, failed = int(counts.get("refused", 0)), int(counts.get("failed", 0))
    return Sweep(
        folder.path,
        read.verb,
        len(read),
        refused,
        failed,
        disagreeing,
        folder.num_damaged,
        tuple(files),
        table,
    )


def number_of(workers: int | None) -> int:
    """How many processes; as many as there are cores for None."""
    from joblib import cpu_count

    return int(cpu_count()) if workers is None else positive_int(workers, "workers")
