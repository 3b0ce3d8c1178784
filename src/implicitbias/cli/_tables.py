"""A table from a file of any kind."""

from __future__ import annotations

from pathlib import Path

from implicitbias.cli import _binary, _csv
from implicitbias.cli._cells import Grid, table_of
from implicitbias.cli._printing import visible
from implicitbias.cli._selection import Selection, Table
from implicitbias.cli._source import name_of, read

Content = tuple[str, bytes]


def read_table(path: Path, selection: Selection) -> Table:
    """Read a CSV, Parquet, Excel or .npz file, packed or not, or standard input ("-").

    Raises
    ------
    InvalidInputError
        The file is not what it seems to be, or holds anything but finite numbers in the columns
        selected; the message names rows and columns.
    """
    return table_of(grid_of(read(path), visible(name_of(path)), selection), selection)


def grid_of(content: Content, file: str, selection: Selection) -> Grid:
    """The cells of what was ``read``, before any column is chosen.

    Raises
    ------
    InvalidInputError
        The file is not what it seems to be.
    """
    readers = {"parquet": _binary.read_parquet, "npz": _binary.read_npz}
    readers["excel"] = _binary.read_excel
    kind, unpacked = content
    return readers.get(kind, _csv.read_csv)(unpacked, file, selection)
