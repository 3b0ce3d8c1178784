"""Where blocks of columns come from: files, tables and whatever can be iterated over again."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from implicitbias._errors import InvalidInputError
from implicitbias._numbers import numeric_array
from implicitbias.features._build import features_of, is_sparse

EXTRA = "pip install 'implicitbias[data]'"


def source_of(given: Any, entries: int, *, transposed: bool) -> Sequence[Any]:
    """The blocks of columns, each read when it is asked for; of files about ``entries`` each.

    Raises
    ------
    InvalidInputError
        Not blocks, an unknown file, or an iterator, which can be read only once.
    """
    if isinstance(given, (str, os.PathLike)):
        return _of_file(Path(given), entries, transposed)
    if hasattr(given, "column_names") and hasattr(given, "to_batches"):
        return _table(given, entries, transposed)
    if hasattr(given, "shape"):
        if len(given.shape) != 2:
            raise InvalidInputError(f"X has shape {tuple(given.shape)}; expected (n, d).")
        return [_kept(given.T if transposed else given, 0)]
    if transposed:
        raise InvalidInputError(
            "transposed is for files, tables and two-dimensional arrays; give every block as its "
            "own transpose."
        )
    if isinstance(given, (list, tuple)):
        return [_kept(each, number) for number, each in enumerate(given)]
    if isinstance(given, Iterator):
        raise InvalidInputError(
            f"X is {_a(given)}, which can be read only once; blocks are read many times. Pass a "
            "list, or an object whose __iter__ starts anew."
        )
    if not hasattr(given, "__iter__"):
        raise InvalidInputError(
            f"X is {_a(given)}; expected a file, a two-dimensional array or an iterable of blocks "
            "of columns, (n, d_b) each."
        )
    return Again(given)


def _a(given: Any) -> str:
    name = type(given).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def _kept(given: Any, number: int) -> Any:
    """One of the blocks in memory, or mapped; CSR arrays once and for all, the same entries."""
    if _is_npy(given):
        return _mapped(Path(given))
    if is_sparse(given):
        block = features_of(given, f"block {number} of X", finite=False)
        if given.data.dtype == np.float64 and np.shares_memory(block.given.data, given.data):
            return block
    return given


def _is_npy(given: Any) -> bool:
    return isinstance(given, (str, os.PathLike)) and Path(given).suffix == ".npy"


def _of_file(path: Path, entries: int, transposed: bool) -> Sequence[Any]:
    _refuse_missing(path)
    readers: dict[str, Callable[[Path, int, bool], Sequence[Any]]] = {
        ".npy": _numpy_file,
        ".parquet": _parquet_file,
        ".arrow": _arrow_file,
        ".feather": _arrow_file,
    }
    if path.suffix not in readers:
        raise InvalidInputError(
            f"{path.name!r} is of no format that is read in blocks; expected "
            f"{', '.join(readers)}. Iterate over anything else: Blocks takes an object whose "
            "__iter__ starts anew."
        )
    return readers[path.suffix](path, entries, transposed)


def _refuse_missing(path: Path) -> None:
    if not path.is_file():
        raise InvalidInputError(f"there is no file {str(path)!r} to read blocks from.")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Errors of files, pyarrow's among them, as our own."""
    try:
        yield
    except InvalidInputError:
        raise
    except (OSError, ValueError) as error:
        said = str(error).strip().rstrip(".")
        raise InvalidInputError(f"{path.name!r} cannot be read in blocks: {said}.") from None


def _mapped(path: Path) -> np.memmap[Any, np.dtype[Any]]:
    """The array in a ``.npy`` file, whatever else bears that name refused."""
    _refuse_missing(path)
    with _reading(path):
        return np.lib.format.open_memmap(path, mode="r")


def _numpy_file(path: Path, entries: int, transposed: bool) -> Sequence[Any]:
    array = _mapped(path)
    if array.ndim != 2:
        raise InvalidInputError(f"{path.name!r} has shape {array.shape}; expected (n, d).")
    num_rows, num_columns = array.shape[::-1] if transposed else array.shape
    by_columns = array.flags.f_contiguous != transposed
    place = _Place(path, array.offset, array.dtype, num_rows, num_columns, by_columns)
    width = max(1, entries // max(num_rows, 1))
    count = -(-num_columns // width)
    return Numbered(count, lambda b: place.columns(b * width, min((b + 1) * width, num_columns)))


@dataclass(frozen=True)
class _Place:
    """A matrix in a file. It is read, not mapped: mapped files count as memory of the process."""

    path: Path
    offset: int
    dtype: np.dtype[Any]
    num_rows: int
    num_columns: int
    by_columns: bool  # whether columns follow each other, else rows

    def columns(self, start: int, stop: int) -> npt.NDArray[Any]:
        """Columns start to stop, (n, stop - start)."""
        size = self.dtype.itemsize
        with _reading(self.path), open(self.path, "rb", buffering=0) as file:
            if self.by_columns:
                found = np.empty((stop - start, self.num_rows), self.dtype)
                self._read(file, self.offset + start * self.num_rows * size, found)
                return found.T
            found = np.empty((self.num_rows, stop - start), self.dtype)
            place, pieces = self.offset + start * size, found.view(np.uint8)
            for piece in pieces:  # one call of the system a row: they may be many and short
                if read_at(file, piece, place) != piece.size:
                    self._read(file, place, piece)
                place += self.num_columns * size
        return found

    def _read(self, file: Any, at: int, into: npt.NDArray[Any]) -> None:
        left = into.reshape(-1).view(np.uint8)
        while left.size:
            count = read_at(file, left, at)
            if not count:
                raise InvalidInputError(f"{self.path.name!r} ends before its last entry.")
            left, at = left[count:], at + count


def read_at(file: Any, into: npt.NDArray[np.uint8], at: int) -> int:
    """Read bytes from a place of an unbuffered file; how many came."""
    if hasattr(os, "preadv"):
        return os.preadv(file.fileno(), [into.data], at)
    file.seek(at)
    return int(file.readinto(into))


def _arrow(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise InvalidInputError(f"this file needs pyarrow: {EXTRA}.") from None


def _parquet_file(path: Path, entries: int, transposed: bool) -> Sequence[Any]:
    parquet = _arrow("pyarrow.parquet")
    with _reading(path):
        file = parquet.ParquetFile(path)
    if transposed:
        return _read_at(
            path, file.num_row_groups, lambda b: _as_array(file.read_row_group(b), path.name).T
        )
    names = file.schema_arrow.names
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InvalidInputError(
            f"{path.name!r} has several columns named {twice[0]!r}; columns of a Parquet file are "
            "told apart by their names. Rename them."
        )

    def columns(at: slice) -> Any:
        # others come along: "a" asks for "a.b", too
        return _as_array(file.read(columns=names[at]).select(names[at]), path.name)

    return _in_turn(path, len(names), file.metadata.num_rows, entries, columns)


def _arrow_file(path: Path, entries: int, transposed: bool) -> Sequence[Any]:
    pyarrow = _arrow("pyarrow")
    with _reading(path):
        file = pyarrow.ipc.open_file(pyarrow.memory_map(str(path)))
        if not transposed:
            return _table(file.read_all(), entries, False)  # mapped columns are not copied
    return _read_at(
        path, file.num_record_batches, lambda b: _as_array(file.get_batch(b), path.name).T
    )


def _table(table: Any, entries: int, transposed: bool) -> Sequence[Any]:
    """An Arrow table: its columns in turn, or its batches of rows transposed."""
    if transposed:
        batches = table.to_batches()
        return Numbered(len(batches), lambda b: _as_array(batches[b], "the table").T)

    def columns(at: slice) -> Any:
        return _as_array(table.select(range(table.num_columns)[at]), "the table")

    return _in_turn(None, table.num_columns, table.num_rows, entries, columns)


def _in_turn(
    path: Path | None,
    num_columns: int,
    num_rows: int,
    entries: int,
    read: Callable[[slice], npt.NDArray[Any]],
) -> Sequence[Any]:
    width = max(1, entries // max(num_rows, 1))
    count = -(-num_columns // width)
    return _read_at(path, count, lambda b: read(slice(b * width, (b + 1) * width)))


def _read_at(path: Path | None, count: int, read: Callable[[int], Any]) -> Sequence[Any]:
    """Blocks of a file, or of a table in memory."""
    if path is None:
        return Numbered(count, read)

    def guarded(number: int) -> Any:
        with _reading(path):
            return read(number)

    return Numbered(count, guarded)


def _as_array(table: Any, name: str) -> npt.NDArray[np.float64]:
    """Every column by itself: side by side, whole numbers beyond 2^53 would be rounded."""
    columns = []
    for label, column in zip(table.schema.names, table.columns, strict=True):
        if column.null_count:
            raise InvalidInputError(
                f"column {label!r} of {name} has {column.null_count} missing values; every entry "
                "must be a number. Impute or drop them first."
            )
        given = column.to_numpy(zero_copy_only=False)
        columns.append(numeric_array(given, f"column {label!r} of {name}", "a number a row"))
    return np.column_stack(columns)


class Numbered(Sequence[Any]):
    """Blocks that a function reads by number."""

    def __init__(self, count: int, read: Callable[[int], Any]) -> None:
        self._count, self._read = count, read

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: Any) -> Any:
        if not 0 <= number < self._count:
            raise IndexError(number)
        return self._read(number)


class Again(Sequence[Any]):
    """The items of an iterable, which is started anew where they are not asked for in order."""

    def __init__(self, given: Any) -> None:
        self._given, self._count = given, -1
        self._iterator, self._next = iter(given), 0

    def __len__(self) -> int:
        if self._count < 0:
            self._count = sum(1 for _ in self._given)
        return self._count

    def __getitem__(self, number: Any) -> Any:
        if number < self._next:
            self._iterator, self._next = iter(self._given), 0
        for item in self._iterator:
            self._next += 1
            if self._next > number:
                return item
        raise IndexError(number)
