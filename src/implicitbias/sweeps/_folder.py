"""The folder of a sweep: one writer at a time, files that appear whole, nothing foreign replaced.

``plan.json`` is what the folder was begun with. ``results/`` has files of lines, one a task, each
written, flushed to the disk and then given its name: whenever the machine stops, a file is there
whole or not at all. What a disk has damaged since is told by its checksum, and its task is run
again. ``.lock`` is locked as long as a sweep is at work; the system takes the lock back when a
process ends, however it ends.
"""

from __future__ import annotations

import errno
import json
import os
import re
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from implicitbias._errors import FolderInUseError, InvalidInputError, PlanChangedError
from implicitbias._files import naming, replacing
from implicitbias._numbers import is_number
from implicitbias.sweeps._lines import Record, line_of, records_in
from implicitbias.sweeps._lock import try_lock
from implicitbias.sweeps._plan import Plan, differences

PLAN, RESULTS, LOCK = "plan.json", "results", ".lock"
SCRATCH = re.compile(r"\.implicitbias-[0-9a-f]{12}(\.\w+)?")  # names of files being written
STATUSES = ("ok", "refused", "failed")
HOLDER = "process "  # how the lock begins
NO_SYNC = (errno.EINVAL, errno.ENOTSUP)  # systems that cannot flush a folder

DAMAGED = (ValueError, KeyError, TypeError, RecursionError, OverflowError)  # of JSON and its use


class Folder:
    """A folder that is locked, with the results in it.

    Attributes
    ----------
    path
        Where.
    records
        By the numbers of their tasks; without coefficients, which stay on the disk.
    num_damaged
        Lines that are not what was written, whose tasks are to be run again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: dict[int, Record] = {}
        self._homes: dict[int, Path] = {}  # of coefficients
        self._files = 0
        self.num_damaged = 0

    @contextmanager
    def locked(self, plan: Plan) -> Iterator[Folder]:
        """Hold the folder for a plan; made, with its parents, where it is not there.

        Raises
        ------
        InvalidInputError
            The folder holds something else, or damaged results.
        FolderInUseError
            Another sweep is at work in it.
        PlanChangedError
            It was begun with another plan.
        OSError
            It cannot be written.
        """
        self._refuse_foreign()
        with naming(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / LOCK).open("a+b") as lock:
            self._lock(lock)
            self._refuse_foreign()
            self._begin(plan)
            for each in (*self.path.iterdir(), *self._results.iterdir()):
                if _is_scratch(each):
                    each.unlink()
            self._load(len(plan))
            yield self

    @property
    def _results(self) -> Path:
        return self.path / RESULTS

    def _refuse_foreign(self) -> None:
        """Refuse, before anything is written, a folder with files that no sweep has left."""
        if self.path.exists() and not self.path.is_dir():
            raise InvalidInputError(f"{self.path} is a file; expected a folder.")
        if not self.path.exists():
            return
        if (self.path / PLAN).exists():
            self._plan_before()
            foreign = [each.name for each in (self.path / LOCK, self._results) if _is_foreign(each)]
        else:
            foreign = [each.name for each in self.path.iterdir() if _is_foreign(each, begun=False)]
        if foreign:
            raise InvalidInputError(
                f"{self.path} holds {', '.join(sorted(foreign)[:5])}{', ...' * (len(foreign) > 5)}"
                ", which no sweep has left. Name an empty folder, or one that is not there."
            )

    def _plan_before(self) -> Any:
        """What the folder was begun with."""
        file = self.path / PLAN
        try:
            before = json.loads(file.read_text(encoding="utf-8"))
        except (*DAMAGED, IsADirectoryError) as error:
            raise InvalidInputError(f"{file} is damaged ({error}). Name another folder.") from None
        if not isinstance(before, dict) or "implicitbias" not in before:
            raise InvalidInputError(f"{file} is not that of a sweep. Name another folder.")
        return before

    def _lock(self, lock: BinaryIO) -> None:
        with naming(self.path / LOCK):
            locked = try_lock(lock)
        if not locked:
            lock.seek(0)
            holder = lock.read(200).decode("utf-8", "replace").strip() or "another process"
            raise FolderInUseError(
                f"a sweep is at work in {self.path}: {holder}. Wait until it has ended, or name "
                "another folder."
            )
        lock.truncate(0)
        lock.write(f"{HOLDER}{os.getpid()} on {socket.gethostname()}".encode())
        lock.flush()

    def _begin(self, plan: Plan) -> None:
        """Write the plan, or hold it against the one that the folder was begun with."""
        now, file = plan.canonical(), self.path / PLAN
        self._results.mkdir(exist_ok=True)
        if not file.exists():
            write_whole(file, [json.dumps(now, indent=2, allow_nan=False).encode(), b"\n"])
            return
        found = differences(self._plan_before(), now)
        if found:
            raise PlanChangedError(
                f"{self.path} was begun with another plan: {'; '.join(found)}. Name another "
                "folder, or go on with the plan as it was.",
                found,
            )

    def _load(self, size: int) -> None:
        for file in sorted(self._results.glob("*.jsonl")):
            try:
                number = int(file.stem)
                found = list(records_in(file.read_bytes()))
                records = [record for record in found if record is not None]
                for record in records:
                    _check(record, size)
            except DAMAGED as error:
                raise InvalidInputError(
                    f"{file} is not of this sweep ({error}). Delete it: its tasks are then run "
                    "again."
                ) from None
            if len(records) < len(found):
                self.num_damaged += len(found) - len(records)
                write_whole(file, map(line_of, records))
            self._keep(file, records)
            self._files = max(self._files, number)

    def _keep(self, file: Path, records: list[Record]) -> None:
        for record in records:
            if "coefficients" in record:
                self._homes[record["task"]] = file
            kept = {key: value for key, value in record.items() if key != "coefficients"}
            self.records[record["task"]] = kept

    def add(self, records: list[Record]) -> None:
        """Write the records of some tasks as one file.

        Raises
        ------
        OSError
            It cannot be written; what was there before still is.
        """
        file = self._results / f"{self._files + 1:08d}.jsonl"
        write_whole(file, map(line_of, records))
        self._files += 1
        self._keep(file, records)

    def coefficients(self) -> Iterator[tuple[int, str]]:
        """The numbers of tasks whose coefficients were kept, and these as they were packed.

        Raises
        ------
        InvalidInputError
            A file is no longer what was read.
        """
        wanted: dict[Path, set[int]] = {}
        for task, file in self._homes.items():
            wanted.setdefault(file, set()).add(task)
        for file, tasks in wanted.items():
            for record in records_in(file.read_bytes()):
                if record is not None and record["task"] in tasks:
                    tasks.remove(record["task"])
                    yield record["task"], record["coefficients"]
            if tasks:
                raise InvalidInputError(
                    f"{file} has been damaged since it was read. The same call runs its tasks "
                    "again."
                )

    def forget_failures(self) -> None:
        """Let tasks that failed be run again; their records stay until then."""
        self.records = {
            task: record for task, record in self.records.items() if record["status"] != "failed"
        }


def _is_scratch(path: Path) -> bool:
    return SCRATCH.fullmatch(path.name) is not None and path.is_file()


def _is_foreign(path: Path, *, begun: bool = True) -> bool:
    """Whether no sweep has left this; before its plan is there, one has no results."""
    if path.name == LOCK and path.is_file():
        with path.open("rb") as lock:
            return lock.read(len(HOLDER)) not in (b"", HOLDER.encode())
    if path.name == RESULTS and path.is_dir():
        return not begun and any(path.iterdir())
    return path.exists() and not _is_scratch(path)


def _check(record: Any, size: int) -> None:
    """Refuse what is no record of a task of the plan."""
    task, status, seconds = record["task"], record["status"], record["seconds"]
    if type(task) is not int or not 0 <= task < size:
        raise ValueError(f"it speaks of a task {task!r}, which the plan has not")
    if status not in STATUSES:
        raise ValueError(f"task {task} has the status {status!r}")
    if not (seconds is None or (is_number(seconds) and seconds >= 0)):
        raise ValueError(f"task {task} took {seconds!r} seconds")


def write_whole(file: Path, parts: Iterable[bytes]) -> None:
    """Write a file, flush it to the disk, and give it its name.

    Raises
    ------
    OSError
        It cannot be written; what had the name still has it.
    """
    with replacing_whole(file) as stream:
        for part in parts:
            stream.write(part)


@contextmanager
def replacing_whole(file: Path) -> Iterator[BinaryIO]:
    """A stream whose content gets the name once it is on the disk; errors as ``write_whole``."""
    with naming(file), replacing(file) as scratch, scratch.open("wb") as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())
    with naming(file):
        _flush_names(file.parent)


def _flush_names(folder: Path) -> None:
    """Make the names in a folder last, where the system can."""
    if os.name == "nt":  # it opens no folders
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NO_SYNC:
            raise
    finally:
        os.close(descriptor)
