"""Files that appear whole, and never in place of somebody else's."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from implicitbias._files import naming, scratch_name
from implicitbias.report._files import FILES

OWN = ".implicitbias.json"  # which files of a directory are ours: their hashes by their names


class ForeignFilesError(FileExistsError):
    """What is to be written would replace files of somebody else."""


@contextmanager
def output_directory(
    directory: Path,
    names: Sequence[str] = FILES,
    *,
    former: Sequence[str] = (),
    force: bool = False,
) -> Iterator[Path]:
    """A scratch directory, published as ``directory`` if all went well.

    A new directory appears whole, by one rename. In an existing one files are replaced one by one,
    in the order of ``names``. Nothing half-written stays behind if anything raises before that.

    Parameters
    ----------
    directory
        Made, with its parents, where it is not there.
    names
        What may be written. Those of an earlier run that this one does not write are deleted.
    former
        What may only be deleted, and only where an earlier run wrote it.
    force
        Replace files that no earlier run wrote, too.

    Raises
    ------
    ForeignFilesError
        A file of ``names`` is there and not as an earlier run wrote it; raised before the work is
        done.
    OSError
        The directory cannot be written; raised before the work is done.
    """
    _refuse_foreign(directory, names, force)
    made = [each for each in (directory.parent, *directory.parent.parents) if not each.exists()]
    place = directory if directory.exists() else directory.parent
    scratch = place / scratch_name()
    try:
        with naming(directory):
            directory.parent.mkdir(parents=True, exist_ok=True)
            scratch.mkdir()
        yield scratch
        _publish(scratch, directory, names, former, force)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        for each in made:
            with suppress(OSError):  # not empty: the directory stands in it
                each.rmdir()


def _publish(
    scratch: Path, directory: Path, names: Sequence[str], former: Sequence[str], force: bool
) -> None:
    written = [name for name in names if (scratch / name).exists()]
    hashes = {name: [_hash(scratch / name)] for name in written}
    if not directory.exists():
        _write_own(scratch / OWN, hashes)
        scratch.rename(directory)
        return
    _refuse_foreign(directory, names, force)  # files that came since
    before = _own(directory)
    own = {name: given for name, given in before.items() if name not in hashes}
    for name in written:  # the old ones as well, should we be ended in between
        hashes[name] += before.get(name, [])[:1]
    _write_own(scratch / OWN, own | hashes)
    stale = [name for name in (*names, *former) if name in own and _is_own(directory, name, own)]
    os.replace(scratch / OWN, directory / OWN)
    for name in written:
        os.replace(scratch / name, directory / name)
    for name in stale:
        (directory / name).unlink(missing_ok=True)


def _refuse_foreign(directory: Path, names: Sequence[str], force: bool) -> None:
    own = _own(directory)
    there = [name for name in names if os.path.lexists(directory / name)]
    blocked = [name for name in there if (directory / name).is_dir()]
    if blocked:
        raise ForeignFilesError(
            f"{directory / blocked[0]} is a directory, where a file is to be written. Move it "
            "away, or name another directory."
        )
    foreign = [name for name in there if not _is_own(directory, name, own)]
    if (directory / OWN).exists() and not own:
        foreign.append(OWN)
    if foreign and not force:
        what, it = ("a file", "it") if len(foreign) == 1 else ("files", "them")
        raise ForeignFilesError(
            f"in {directory} there is {what} that implicitbias did not write, or that changed "
            f"since: {', '.join(foreign)}. Name another directory, move {it} away, or pass --force "
            f"to replace {it}."
        )


def _is_own(directory: Path, name: str, own: dict[str, list[str]]) -> bool:
    return (directory / name).is_file() and _hash(directory / name) in own.get(name, ())


def _own(directory: Path) -> dict[str, list[str]]:
    """The hashes under which earlier runs wrote their files; empty where none did."""
    try:
        files = json.loads((directory / OWN).read_text(encoding="utf-8"))["files"]
        return {str(name): [str(each) for each in hashes] for name, hashes in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _write_own(file: Path, hashes: dict[str, list[str]]) -> None:
    note = "The files of this directory that implicitbias wrote, and may replace."
    text = json.dumps({"note": note, "files": hashes}, indent=2)
    file.write_text(text + "\n", encoding="utf-8")


def _hash(file: Path) -> str:
    try:
        return sha256(file.read_bytes()).hexdigest()
    except OSError:
        return "unreadable"  # matches no hash
