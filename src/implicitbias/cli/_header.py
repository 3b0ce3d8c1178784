"""Names of columns: whether the first row holds them, and columns that stand beside the table."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from implicitbias._errors import InvalidInputError
from implicitbias.cli._cells import Grid, is_empty, number
from implicitbias.cli._printing import quoted, visible
from implicitbias.cli._selection import Selection

FIRST = re.compile(r"|Unnamed: 0(\.\d+)*")  # what R and pandas call row numbers in a CSV file
INDEX = re.compile(r"__index_level_\d+__")  # and pandas in a Parquet file
SHOWN = 5


def column_names(header: list[str] | None, width: int) -> list[str]:
    """The header; without one, the places of the columns from 1."""
    return [str(j) for j in range(1, width + 1)] if header is None else header


def looks_like_data(header: list[str], file: str) -> str:
    """Refuse a first row that is likelier a point than names; a remark where it was close.

    Raises
    ------
    InvalidInputError
        At least half of its cells are numbers, other than 0, 1, 2, ... as pandas counts columns,
        or rising integers, such as years, beside words.
    """
    numbers = [value for value in map(number, header) if value == value]
    if not numbers or 2 * len(numbers) < len(header):
        return ""
    counted = numbers == list(range(len(header)))
    years = (
        len(numbers) < len(header)
        and all(a < b for a, b in zip(numbers, [*numbers[1:], float("inf")], strict=True))
        and all(value == int(value) for value in numbers if abs(value) < 1e300)
    )
    if counted or years:
        return "the first row taken for names, --no-header if it is data"
    shown = ", ".join(visible(cell, 20) for cell in header[:SHOWN])
    more = ", ..." * (len(header) > SHOWN)
    raise InvalidInputError(
        f"{file}: the first row holds numbers ({shown}{more}) where names of columns are expected. "
        "If it is data, pass --no-header: the columns are then called 1, 2, 3 and so on. If these "
        "are the names, pass --header."
    )


def without_margins(grid: Grid, selection: Selection) -> Grid:
    """Leave out columns without name and content, and row numbers by the names they are given."""
    named = [
        bool(name) or not grid.frame[j].map(is_empty).all() for j, name in enumerate(grid.names)
    ]
    grid = grid.keep([j for j, kept in enumerate(named) if kept])
    numbers = [
        j
        for j, name in enumerate(grid.names)
        if (FIRST.fullmatch(name) if j == 0 else INDEX.fullmatch(name)) and name != selection.target
    ]
    if not numbers or len(grid.names) < 2:
        return grid
    gone = tuple(grid.names[j] for j in numbers)
    what = quoted(gone[0]) if gone[0] else "in the first column"
    kept = [j for j in range(len(grid.names)) if j not in numbers]
    return replace(grid.keep(kept, f"row numbers {what} left out"), gone=gone)


def text_of_cell(cell: Any) -> str:
    """A name from a cell of a spreadsheet: 2020.0 is called 2020."""
    if is_empty(cell):
        return ""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return str(cell).strip()
