"""From cells to finite numbers and labels, and the sentence about each cell that is neither."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from implicitbias._arrays import BoolArray, FloatArray, NumericArray
from implicitbias._errors import InvalidInputError
from implicitbias.cli._printing import counted, quoted, visible
from implicitbias.cli._selection import FAULTS, Selection, Table

if TYPE_CHECKING:
    from pandas import DataFrame

MISSING = {"na", "n/a", "nan", "<na>", "null", "none", "nil", "nat", "?", "-", "."}
COMMA_NUMBER = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?")
TRUTH = {"true": 1.0, "false": 0.0}
LIKE_SPACE = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " "})
LIKE_MARKS = str.maketrans({"\u2212": "-", "\u2019": "'"})  # a minus, Swiss thousands


@dataclass(frozen=True, eq=False)
class Grid:
    """A file as it was understood, before any column is chosen.

    Attributes
    ----------
    file
        What messages call it.
    names
        Of the columns, as in the file: perhaps empty or repeated.
    frame
        The columns, called 0, 1, ...; rows likewise.
    places
        Where rows are in the file, such as "line 3".
    decimal
        The decimal mark.
    note
        How the file was understood where that was not plain, or "".
    gone
        Names that may be dropped and stand for no column any more.
    """

    file: str
    names: list[str]
    frame: DataFrame
    places: Callable[[Sequence[int]], list[str]]
    decimal: str = "."
    note: str = ""
    gone: tuple[str, ...] = ()

    def keep(self, columns: Sequence[int], remark: str = "") -> Grid:
        """Some of the columns, and a remark on the others."""
        frame = self.frame
        if len(columns) < frame.shape[1]:  # slicing thousands of columns takes its time
            frame = frame.iloc[:, list(columns)]
            frame.columns = range(len(columns))
        names = [self.names[j] for j in columns]
        return replace(self, names=names, frame=frame, note=joined(self.note, remark))


@dataclass(frozen=True)
class Fault:
    """Cells of one column that are wrong in one way: how many, and the first of them."""

    kind: str  # "missing", "text", "mark" (a number written otherwise) or "infinite"
    row: int
    name: str
    found: str
    count: int
    words: tuple[str, ...] = ()  # that stand for missing values


def joined(*parts: str) -> str:
    """Remarks as one."""
    return ", ".join(part for part in parts if part)


def number(cell: Any, decimal: str = ".", thousands: str | None = None) -> float:
    """The number that a cell holds, rounded once; NaN where it holds none."""
    if isinstance(cell, str):
        return _number_of(cell.translate(LIKE_MARKS), decimal, thousands)
    if isinstance(cell, (bool, int, float, np.generic)) or type(cell).__name__ == "Decimal":
        try:
            return float(cell)
        except OverflowError:
            return float("inf")
        except (TypeError, ValueError):
            return float("nan")
    return float("nan")


def _number_of(text: str, decimal: str, thousands: str | None) -> float:
    if thousands is not None:
        text = text.translate(LIKE_SPACE) if thousands == " " else text
        whole, mark, rest = text.strip().partition(decimal)
        if thousands in whole:
            if not re.fullmatch(rf"[+-]?\d{{1,3}}({re.escape(thousands)}\d{{3}})+", whole):
                return float("nan")
            whole = whole.replace(thousands, "")
        text = whole + mark + rest
    if decimal == ",":
        if "." in text:
            return float("nan")
        text = text.replace(",", ".")
    try:
        return float("" if "_" in text else text)  # Python reads 2024_1 as 20241
    except ValueError:
        return float("nan")


def plain(dtype: Any) -> bool:
    """Whether a column's cells are NumPy's numbers or booleans."""
    return isinstance(dtype, np.dtype) and dtype.kind in "biuf"


def is_empty(cell: Any) -> bool:
    """Whether a cell holds nothing: no text, None, NaN, or pandas' NA and NaT."""
    if isinstance(cell, str):
        return not cell.strip()
    return cell is None or type(cell).__name__ in ("NAType", "NaTType") or cell != cell


def table_of(grid: Grid, selection: Selection) -> Table:
    """Choose columns, convert them, and leave out the rows that are said to be missing.

    Raises
    ------
    InvalidInputError
        Unknown columns, no rows, or cells that hold no finite number.
    """
    left = tuple(name for name in selection.drop if name not in grid.gone)
    features = replace(selection, drop=left).features(grid.names, grid.file)
    if not len(grid.frame):
        raise InvalidInputError(f"{grid.file} has a header and no rows; expected at least one.")
    place = next(j for j, name in enumerate(grid.names) if name == selection.target)
    X, missing = matrix(grid, features, selection)
    if selection.labels:
        y, without = _labels(grid, place, selection)
    else:
        column, absent = matrix(grid, [place], selection)
        y, without = column[:, 0], absent[:, 0]
    kept = ~(missing.any(axis=1) | without)
    bad = ~np.isfinite(X) & kept[:, None]
    columns = [(j, np.flatnonzero(bad[:, k])) for k, j in enumerate(features)]
    columns.append((place, np.flatnonzero(_bad_target(y) & kept)))
    faults = [
        fault for j, rows in columns if rows.size for fault in faults_of(grid, j, rows, selection)
    ]
    if faults:
        raise InvalidInputError(_told(grid, faults, selection))
    without_value = int(np.sum(~kept))
    if without_value == len(kept):
        raise InvalidInputError(f"{grid.file}: a value is missing in every row; none is left.")
    remark = f"{counted(without_value, 'row')} with missing values left out" * (without_value > 0)
    names = tuple(grid.names[j] for j in features)
    return Table(X[kept], y[kept], names, grid.names[place], joined(grid.note, remark))


def matrix(
    grid: Grid, columns: Sequence[int], selection: Selection
) -> tuple[FloatArray, BoolArray]:
    """The cells as numbers, NaN where they are none, and which of them count as missing."""
    dtypes = grid.frame.dtypes.tolist()
    simple = np.array([plain(dtypes[j]) for j in columns], dtype=bool)
    if len(columns) > 1 and all(map(plain, dtypes)):
        values = grid.frame.to_numpy(np.float64)[:, list(columns)]
    else:
        values = np.empty((len(grid.frame), len(columns)))
        taken = [j for j in columns if plain(dtypes[j])]
        values[:, simple] = grid.frame.iloc[:, taken].to_numpy(np.float64)
    missing = np.zeros(values.shape, dtype=bool)
    for word in selection.missing:
        missing |= values == number(word, grid.decimal)
    if any(is_empty(word) or word.casefold() == "nan" for word in selection.missing):
        missing[:, simple] |= np.isnan(values[:, simple])
    for k in np.flatnonzero(~simple).tolist():
        cells = grid.frame.iloc[:, columns[k]].tolist()
        values[:, k], missing[:, k] = _converted(cells, grid.decimal, selection)
    return values, missing


def _converted(
    cells: Sequence[Any], decimal: str, selection: Selection
) -> tuple[FloatArray, BoolArray]:
    words = {word.strip() for word in selection.missing}
    values = np.array([number(cell, decimal, selection.thousands) for cell in cells])
    missing = np.isin(values, [number(word, decimal) for word in words])
    for i in np.flatnonzero(np.isnan(values)).tolist():
        text = "" if is_empty(cells[i]) else str(cells[i]).strip()
        values[i] = TRUTH.get(text.lower(), np.nan)
        missing[i] = text in words
    return values, missing


def _labels(grid: Grid, place: int, selection: Selection) -> tuple[NumericArray, BoolArray]:
    """Labels as numbers if all are, else as text, and which of them count as missing."""
    column = grid.frame.iloc[:, place]
    if plain(column.dtype) and column.dtype.kind != "b":
        values, missing = matrix(grid, [place], selection)
        exact = column.dtype.kind in "iu" and not missing.any()
        return column.to_numpy() if exact else values[:, 0], missing[:, 0]
    texts = ["" if is_empty(cell) else str(cell).strip() for cell in column.tolist()]
    words = {word.strip() for word in selection.missing}
    missing = np.array([text in words for text in texts])
    numbers = np.array([number(text, grid.decimal, selection.thousands) for text in texts])
    if np.isfinite(numbers[~missing]).all():
        return numbers, missing
    return np.array(texts), missing


def _bad_target(y: NumericArray) -> BoolArray:
    if y.dtype.kind in "US":
        return np.array([text.lower() in ("", "nan") for text in y.tolist()], dtype=bool)
    return np.asarray(~np.isfinite(y), dtype=bool)


def faults_of(grid: Grid, place: int, rows: NumericArray, selection: Selection) -> list[Fault]:
    """What is wrong in the rows of a column, one entry a kind."""
    name = grid.names[place]
    is_label = selection.labels and name == selection.target
    column = grid.frame.iloc[:, place].iloc[rows].tolist()
    cells: dict[str, list[tuple[int, str]]] = {"text": [], "missing": [], "infinite": []}
    for row, cell in zip(rows.tolist(), column, strict=True):
        text = "" if is_empty(cell) else str(cell).strip()
        missing = is_label or not text or text.lower() in MISSING
        infinite = np.isinf(number(cell, grid.decimal, selection.thousands))
        cells["infinite" if infinite else "missing" if missing else "text"].append((row, text))
    empty = (
        "the cell is empty" if isinstance(column[:1] and column[0], str) else "the value is missing"
    )
    faults = []
    for kind, where in cells.items():
        if not where:
            continue
        row, text = where[0]
        if kind == "infinite":
            found = f"{quoted(text)} is infinite or beyond 1.8e308"
        elif kind == "text":
            hint = _hint([text for _, text in where[:1000]], selection)
            kind = "mark" if hint else kind
            found = f"{quoted(text)} is not a number{hint}"
        elif is_label:
            found = "the label is missing" + (f" ({quoted(text)})" if text else "")
        else:
            found = f"{quoted(text)} stands for a missing value" if text else empty
        words = tuple(dict.fromkeys(text for _, text in where)) if kind == "missing" else ()
        faults.append(Fault(kind, row, name, found, len(where), words))
    return faults


def _hint(texts: Sequence[str], selection: Selection) -> str:
    """Which mark may have been misunderstood in the cells of a column."""
    if selection.thousands is None and all(THOUSANDS.fullmatch(text) for text in texts):
        return " (if its commas mark thousands, pass --thousands ,)"
    if selection.thousands is not None and any(selection.thousands in text for text in texts):
        return " (its digits are not grouped by three)"
    if any(re.fullmatch(r"[+-]?\d{1,3}(\.\d{3})+(,\d+|\.\d{3})", text) for text in texts):
        return " (if its points mark thousands, pass --thousands . --decimal ,)"
    if selection.decimal is None and any(COMMA_NUMBER.fullmatch(text) for text in texts):
        return " (if its comma marks decimals, pass --decimal ,)"
    return ""


def _told(grid: Grid, faults: Sequence[Fault], selection: Selection) -> str:
    shown = list(faults[:FAULTS])
    places = grid.places([fault.row for fault in shown])
    lines = []
    for fault, place in zip(shown, places, strict=True):
        more = f" (and {counted(fault.count - 1, 'more row')})" if fault.count > 1 else ""
        lines.append(f"{place}, column {quoted(fault.name)}: {fault.found}{more}")
    remedy = " ".join(_remedies(faults, selection))
    if len(faults) == 1:
        return f"{grid.file}, {lines[0]}. {remedy}".strip()
    columns = len({fault.name for fault in faults})
    if len(faults) > FAULTS:
        lines.append(f"... and {len(faults) - FAULTS} more of this kind")
    hold = "holds" if columns == 1 else "hold"
    head = f"{grid.file}: {counted(columns, 'column')} {hold} cells that are not finite numbers."
    return ("\n  ".join([head, *lines]) + f"\n{remedy}").strip()


def _remedies(faults: Sequence[Fault], selection: Selection) -> Iterator[str]:
    """What to do about missing values and about text."""
    words = list(dict.fromkeys(word for fault in faults for word in fault.words))
    if words:
        options = options_text("--missing", words)
        yield f"Fill in missing values, or leave their rows out with {options}."
    if any(fault.name == selection.target and fault.kind == "text" for fault in faults):
        yield "The target must be numbers; for two labels pass --task classification."
    kinds = ("text", "infinite")
    wrong = [one for one in faults if one.kind in kinds and one.name != selection.target]
    if wrong:
        names = list(dict.fromkeys(fault.name for fault in wrong))
        encode = "Encode text as numbers, or leave" if wrong[0].kind == "text" else "Leave"
        what = "column" if len(names) == 1 else "columns"
        yield f"{encode} the {what} out with {options_text('--drop', names)}."


def options_text(option: str, values: Sequence[str]) -> str:
    """An option given for each value, as it is typed."""
    shown = [f"{option} {shlex.quote(visible(value))}" for value in values[:FAULTS]]
    return " ".join(shown) + " and so on" * (len(values) > FAULTS)
