"""CSV files as people's tools write them."""

from __future__ import annotations

import codecs
import csv
import re
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np

from implicitbias._arrays import FloatArray, NumericArray
from implicitbias._errors import InvalidInputError
from implicitbias.cli._tables import Selection, Table, refused_cell

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
MISSING = {"na", "n/a", "nan", "null", "none", "nil", "?", "-", "."}
COMMA_NUMBER = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")


@dataclass(frozen=True)
class Cells:
    """The cells of a CSV file as text.

    Attributes
    ----------
    header
        The column names.
    rows, lines
        The cells of each row, and the line of the file where it ends.
    separator
        Between cells.
    """

    header: list[str]
    rows: list[list[str]]
    lines: list[int]
    separator: str


def read_csv(path: Path, selection: Selection) -> Table:
    """Read a CSV file with a header.

    UTF-8, or UTF-16 with its byte-order mark (Excel's "Unicode text"); a first line ``sep=;`` is
    obeyed, otherwise the separator is the comma, semicolon, tab or bar that splits the header into
    the most columns and the first row into as many. Blank lines are skipped, and columns without
    any content. The decimal mark is the point, or the comma where cells are not separated by commas
    and no cell holds a point.

    Raises
    ------
    InvalidInputError
        Not text, no header or no rows, names that are empty or repeated, an unknown target, no
        feature, a row of another length, or a cell that is not a finite number; the message names
        the file's line and the column.
    """
    cells = _without_empty_columns(_cells(_text(path), path.name))
    for place, name in enumerate(cells.header, start=1):
        if not name:
            raise InvalidInputError(
                f"{path.name}: column {place} has no name in the header. Name it (or save without "
                "row numbers: index=False in pandas, row.names=FALSE in R)."
            )
    features = selection.features(cells.header, path.name)
    if not cells.rows:
        raise InvalidInputError(f"{path.name} has a header and no rows; expected at least one.")
    place = cells.header.index(selection.target)
    used = features if selection.labels else [*features, place]
    decimal = selection.decimal or _decimal(cells, used, path.name)
    numbers = np.column_stack([_column(cells, j, decimal, path.name) for j in features])
    target: NumericArray
    if selection.labels:
        target = _labels(cells, place, decimal, path.name)
    else:
        target = _column(cells, place, decimal, path.name)
    return Table(
        numbers,
        target,
        tuple(cells.header[j] for j in features),
        selection.target,
        _note(cells.separator, decimal),
    )


def _text(path: Path) -> str:
    content = path.read_bytes()
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInputError(
            f"{path.name} is not UTF-8 text ({error.reason} at byte {error.start}); expected a "
            "CSV file. Save it as 'CSV UTF-8'."
        ) from None


def _cells(text: str, file: str) -> Cells:
    first, _, rest = text.partition("\n")
    skipped = 0
    told = re.fullmatch(r"sep=(.)\s*", first)
    if told:
        text, skipped = rest, 1
    separator = told[1] if told else _separator(text)
    reader = csv.reader(StringIO(text, newline=""), delimiter=separator, strict=True)
    header: list[str] = []
    rows, lines = [], []
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if not header:
                header = [cell.strip() for cell in row]
                continue
            line = reader.line_num + skipped
            if len(row) != len(header):
                raise InvalidInputError(
                    f"{file}, line {line} has {len(row)} cells; the header has {len(header)} "
                    f"columns (separator: {SEPARATORS.get(separator, repr(separator))})."
                )
            rows.append(row)
            lines.append(line)
    except csv.Error as error:
        raise InvalidInputError(
            f"{file} is not a CSV file: {error}, near line {reader.line_num + skipped}."
        ) from None
    if not header:
        raise InvalidInputError(f"{file} is empty; expected a header line of column names.")
    return Cells(header, rows, lines, separator)


def _separator(text: str) -> str:
    """The mark that splits the first two lines into equally many cells, most of them."""
    lines = [line for line in text[: 1 << 20].splitlines() if line.strip()][:2]
    best, most = ",", 1
    for mark in SEPARATORS:
        counts = {len(row) for row in csv.reader(lines, delimiter=mark)}
        if len(counts) == 1 and max(counts) > most:
            best, most = mark, max(counts)
    if most > 1 or not lines:
        return best
    return max(SEPARATORS, key=lambda mark: lines[0].count(mark))


def _without_empty_columns(cells: Cells) -> Cells:
    """Spreadsheets write the empty columns beside a table, too."""
    kept = [
        j
        for j, name in enumerate(cells.header)
        if name or any(row[j].strip() for row in cells.rows)
    ]
    if len(kept) == len(cells.header):
        return cells
    rows = [[row[j] for j in kept] for row in cells.rows]
    return Cells([cells.header[j] for j in kept], rows, cells.lines, cells.separator)


def _decimal(cells: Cells, used: list[int], file: str) -> str:
    """The decimal mark: the comma where numbers have commas and none has a point."""
    if cells.separator == ",":
        return "."
    numbers = [row[j].strip() for row in cells.rows for j in used]
    with_comma = [cell for cell in numbers if COMMA_NUMBER.fullmatch(cell)]
    if not with_comma or any("." in cell for cell in numbers):
        return "."
    if all(THOUSANDS.fullmatch(cell) for cell in with_comma):
        raise InvalidInputError(
            f"{file}: in numbers such as {with_comma[0]} the comma may mark decimals or thousands. "
            "Pass --decimal , if it marks decimals; otherwise save the file without it."
        )
    return ","


def _column(cells: Cells, place: int, decimal: str, file: str) -> FloatArray:
    name = cells.header[place]
    column = np.empty(len(cells.rows))
    for i, row in enumerate(cells.rows):
        value = _number(row[place], decimal)
        if value is None or not np.isfinite(value):
            found = _trouble(row[place].strip(), value)
            raise refused_cell(f"{file}, line {cells.lines[i]}", name, found)
        column[i] = value
    return column


def _number(cell: str, decimal: str) -> float | None:
    if decimal == ",":
        if "." in cell:
            return None
        cell = cell.replace(",", ".")
    try:
        return float("" if "_" in cell else cell)  # Python reads 2024_1 as 20241
    except ValueError:
        return None


def _trouble(cell: str, value: float | None) -> str:
    if not cell:
        return "the cell is empty"
    if cell.lower() in MISSING:
        return f"{cell!r} stands for a missing value"
    if value is None:
        hint = ""
        if COMMA_NUMBER.fullmatch(cell):
            hint = " (if the comma marks decimals, pass --decimal ,)"
        return f"{cell!r} is not a number{hint}"
    return f"{cell} is not finite"


def _labels(cells: Cells, place: int, decimal: str, file: str) -> NumericArray:
    labels = [row[place].strip() for row in cells.rows]
    for line, label in zip(cells.lines, labels, strict=True):
        if not label or label.lower() in MISSING:
            found = "the label is missing" + (f" ({label!r})" if label else "")
            raise InvalidInputError(
                f"{file}, line {line}, column {cells.header[place]!r}: {found}."
            )
    numbers = [_number(label, decimal) for label in labels]
    return np.array(labels if None in numbers else numbers)


def _note(separator: str, decimal: str) -> str:
    parts = [f"separated by {SEPARATORS.get(separator, repr(separator))}s"] * (separator != ",")
    parts += ["decimal commas"] * (decimal == ",")
    return ", ".join(parts)
