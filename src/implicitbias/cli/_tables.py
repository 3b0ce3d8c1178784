"""Tables of numbers read from files, with errors that name the column and the row."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias._errors import InvalidInputError

SEPARATORS = (",", ";", "\t")


@dataclass(frozen=True, eq=False)
class Table:
    """Features and a target.

    Attributes
    ----------
    X, y
        (n, d) and (n,).
    names
        The d feature names, in the order of the file.
    target
        The target's name.
    """

    X: FloatArray
    y: FloatArray
    names: tuple[str, ...]
    target: str


def read_csv(path: Path, target: str) -> Table:
    """Read a CSV file with a header; every column but ``target`` is a feature.

    UTF-8 (with or without byte-order mark); the separator is the comma, or the semicolon or tab
    where the header has no comma. Blank lines are skipped.

    Raises
    ------
    InvalidInputError
        Not text, no header or no rows, names that are empty or repeated, an unknown target, no
        feature, a row of another length, or a cell that is not a finite number; the message names
        the file's line and the column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return _parse(file, path.name, target)
    except UnicodeDecodeError as error:
        raise InvalidInputError(
            f"{path.name} is not UTF-8 text ({error.reason} at byte {error.start}); expected a "
            "CSV file. Save it as 'CSV UTF-8'."
        ) from None
    except csv.Error as error:
        raise InvalidInputError(f"{path.name} is not a CSV file: {error}.") from None


def _parse(file: TextIO, name: str, target: str) -> Table:
    first = file.readline()
    file.seek(0)
    mark = next((mark for mark in SEPARATORS if mark in first), SEPARATORS[0])
    reader = csv.reader(file, delimiter=mark, strict=True)
    header = [column.strip() for column in next(reader, [])]
    _check_header(header, name, target)
    rows = [
        _numbers(cells, header, f"{name}, line {reader.line_num}") for cells in reader if any(cells)
    ]
    if not rows:
        raise InvalidInputError(f"{name} has a header and no rows; expected at least one.")
    values = np.array(rows)
    place = header.index(target)
    return Table(
        np.ascontiguousarray(np.delete(values, place, axis=1)),
        np.ascontiguousarray(values[:, place]),
        tuple(column for column in header if column != target),
        target,
    )


def _check_header(header: list[str], file: str, target: str) -> None:
    if not any(header):
        raise InvalidInputError(f"{file} is empty; expected a header line of column names.")
    for place, name in enumerate(header, start=1):
        if not name:
            raise InvalidInputError(f"{file}: column {place} has no name in the header.")
        if header.index(name) != place - 1:
            raise InvalidInputError(
                f"{file}: columns {header.index(name) + 1} and {place} are both called {name!r}."
            )
    if target not in header:
        shown = ", ".join(header[:20]) + (", ..." if len(header) > 20 else "")
        raise InvalidInputError(f"{file} has no column {target!r}; its columns are {shown}.")
    if len(header) == 1:
        raise InvalidInputError(f"{file} has no column but the target {target!r}.")


def _numbers(cells: list[str], header: list[str], where: str) -> list[float]:
    if len(cells) != len(header):
        raise InvalidInputError(
            f"{where} has {len(cells)} cells; the header has {len(header)} columns."
        )
    return [_number(cell, name, where) for cell, name in zip(cells, header, strict=True)]


def _number(cell: str, name: str, where: str) -> float:
    try:
        value = float("" if "_" in cell else cell)  # Python reads 2024_1 as 20241
    except ValueError:
        found = f"{cell.strip()!r} is not a number" if cell.strip() else "the cell is empty"
        raise InvalidInputError(
            f"{where}, column {name!r}: {found}. Every cell must be a number with a decimal point; "
            "encode text and fill in or drop missing values first."
        ) from None
    if not np.isfinite(value):
        raise InvalidInputError(f"{where}, column {name!r}: {cell.strip()} is not finite.")
    return value
