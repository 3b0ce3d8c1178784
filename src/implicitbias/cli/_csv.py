"""CSV files as people's tools write them: pandas reads the cells, the rest is what it is not told.

That is the separator, which line holds the names, and the line of a faulty cell.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import islice
from typing import TYPE_CHECKING, Any

from implicitbias._errors import InvalidInputError
from implicitbias.cli._cells import COMMA_NUMBER, THOUSANDS, Grid, joined, number, plain
from implicitbias.cli._header import column_names, looks_like_data, without_margins
from implicitbias.cli._printing import counted, reason
from implicitbias.cli._selection import Selection
from implicitbias.cli._source import text_of

if TYPE_CHECKING:
    from pandas import DataFrame

SPACE = r"\s+"
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", SPACE: "space"}
POINT_NUMBER = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")
SPACED = re.compile(r"[eE][ \t]+[0-9]")
LINE = re.compile(r"[^\n]*(?:\n|\Z)")
BEGINNING = 1 << 16  # characters of rows that are looked at first
LONGEST = (1 << 31) - 1  # characters of a cell: the csv module's own limit is 131072


@dataclass(frozen=True)
class Layout:
    """Where the rows of a file are.

    Attributes
    ----------
    text
        The file.
    sep
        Between cells.
    header
        The cells of the line that holds the names, or None.
    start, line
        Where the first row of data begins: the character, and the lines before it.
    remark
        How the header was found where that was not plain, or "".
    """

    text: str
    sep: str
    header: list[str] | None
    start: int
    line: int
    remark: str = ""

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """The line where each row ends, and its cells; rows without content are left out."""
        reader = _reader(_lines(self.text, self.start), self.sep)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield self.line + reader.line_num, cells


def read_csv(content: bytes, file: str, selection: Selection) -> Grid:
    """Read a CSV file.

    A first line ``sep=;`` is obeyed, otherwise the separator is the comma, semicolon, tab or bar
    that splits the header into the most columns and the first row into as many, or white space.
    Blank lines are skipped, and lines that begin with "#", unless they hold the names; columns
    without content, and row numbers in a first column without a name. The decimal mark is the
    point, or the comma where cells are not separated by commas and no cell holds a point.

    Raises
    ------
    InvalidInputError
        Not text, no header or no rows, or rows of different lengths.
    """
    text, remark = text_of(content, selection.encoding, file)
    if "\r" in text:  # after a lone one pandas loses an empty first cell
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    csv.field_size_limit(LONGEST)
    layout = _without_comments(_layout(text, selection, file))
    decimal = selection.decimal or ("," if selection.thousands == "." else ".")
    to_find = selection.decimal is None and decimal == "." and layout.sep != ","
    if to_find:
        decimal = _decimal_of_beginning(layout, selection, file)
    grid = _grid(layout, decimal, file)
    if to_find and decimal == ".":
        decimal = _decimal(grid, selection)
        grid = grid if decimal == "." else _grid(layout, decimal, file)
    parts = [f"separated by {SEPARATORS.get(layout.sep, repr(layout.sep))}s"] * (layout.sep != ",")
    parts += ["decimal commas"] * (decimal == ",")
    note = joined(*parts, layout.remark, remark)
    return without_margins(replace(grid, note=note), selection)


def _layout(text: str, selection: Selection, file: str) -> Layout:
    """The separator, the names, and where the rows begin."""
    first = LINE.match(text)
    told = re.fullmatch(r"sep=([ -~\t])\s*", first[0]) if first else None
    start, line = (first.end(), 1) if first and told else (0, 0)
    comment = ""
    for each in _lines(text, start):
        if each.strip() and not each.startswith("#"):
            break
        comment = each.lstrip("#").strip() or comment
        start, line = start + len(each), line + 1
    content = (each for each in _lines(text, start) if each.strip() and each[0] != "#")
    beginning = list(islice(content, 2))
    if not beginning:
        raise InvalidInputError(f"{file} is empty; expected a header line of column names.")
    sep = selection.sep or (told[1] if told else _separator(beginning))
    if selection.header is False:
        return Layout(text, sep, None, start, line)
    reader = _reader(_lines(text, start), sep)
    header = [cell.strip() for cell in next(reader)]
    if reader.line_num > 1 and not any(_lines(text, start + _length(text, start, reader.line_num))):
        raise _broken(Layout(text, sep, None, start, line), file, EOFError("EOF inside string"))
    names = [cell.strip() for cell in next(_reader(iter([comment]), sep), [])]
    if selection.header is None and _holds_names(names, header):  # as np.savetxt writes them
        return Layout(text, sep, names, start, line, "names taken from the comment")
    remark = "" if selection.header else looks_like_data(header, file)
    length = _length(text, start, reader.line_num)
    return Layout(text, sep, header, start + length, line + reader.line_num, remark)


def _holds_names(comment: list[str], row: list[str]) -> bool:
    def numbers(cells: list[str]) -> int:
        return sum(value == value for value in (number(c.replace(",", ".")) for c in cells))

    return len(comment) == len(row) > 1 and numbers(row) > 0 and numbers(comment) == 0


def _separator(lines: list[str]) -> str:
    """The mark that splits the first two lines into equally many cells, most of them."""
    best, most = ",", 1
    for mark in (",", ";", "\t", "|"):
        counts = {len(row) for row in _reader(iter(lines), mark)}
        if len(counts) == 1 and max(counts) > most:
            best, most = mark, max(counts)
    if most > 1:
        return best
    spaced = sorted(len(row) for row in _reader(iter(lines), SPACE))
    some = max((",", ";", "\t", "|"), key=lambda mark: lines[0].count(mark))
    alike = spaced[-1] == spaced[0] or (some not in lines[0] and spaced[-1] == spaced[0] + 1)
    return SPACE if spaced[0] > 1 and alike else some  # R gives row names no name


def _without_comments(layout: Layout) -> Layout:
    """Comments between and below the rows become blank lines; what may be a row is left."""
    text, sep = layout.text, layout.sep
    if not text.startswith("#", layout.start) and text.find("\n#", layout.start) < 0:
        return layout
    lines = list(_lines(text, layout.start))
    rows: Iterator[list[str]] = (
        next(_reader(iter([each]), sep), []) for each in lines if each[0] != "#"
    )
    width = len(layout.header) if layout.header else len(next((row for row in rows if row), []))
    quoted = False
    for i, each in enumerate(lines):
        if each[0] == "#" and not quoted:
            cells: list[str] = next(_reader(iter([each]), sep), [])
            if len(cells) != width or (sep == SPACE and cells[0] == "#"):
                lines[i] = "\n"
        elif each.count('"') % 2:
            quoted = not quoted
    return replace(layout, text=text[: layout.start] + "".join(lines))


def _frame(layout: Layout, decimal: str, file: str) -> DataFrame:
    """What pandas reads: numbers where all cells of a column are, else text; nothing missing."""
    import pandas

    version = tuple(int(part) for part in pandas.__version__.split(".")[:2])
    exact: dict[str, Any] = {} if version >= (3, 1) else {"float_precision": "round_trip"}
    if any(mark in layout.text for mark in ("e ", "E ", "e\t", "E\t")) and SPACED.search(
        layout.text
    ):
        exact["dtype"] = str  # pandas reads +1e 5 as a number
    try:
        frame: DataFrame = pandas.read_csv(
            BytesIO(layout.text[layout.start :].encode("utf-8", "surrogatepass")),
            sep=layout.sep,
            header=None,
            na_filter=False,
            low_memory=False,
            skipinitialspace=True,
            decimal=decimal,
            encoding="utf-8",
            **exact,
        )
    except pandas.errors.EmptyDataError:
        return pandas.DataFrame(columns=range(len(layout.header or [])))
    except (ValueError, OverflowError) as error:
        open_quote = "EOF inside string" in str(error)
        ragged = None if open_quote else _ragged(layout, file, strict=True)
        raise ragged or _broken(layout, file, error) from None
    if not any(map(plain, frame.dtypes)):  # a row of separators is no row
        kept = ["".join(map(str, row)).strip() != "" for row in frame.itertuples(index=False)]
        frame = frame[kept].reset_index(drop=True)
    width = len(layout.header) if layout.header else frame.shape[1]
    whole = frame.shape[1] >= width and bool((frame.iloc[:, width:] == "").all(axis=None))
    if not whole or (not plain(frame.dtypes[width - 1]) and bool((frame[width - 1] == "").any())):
        found = _ragged(layout, file)
        if found is not None or not whole:
            raise found or InvalidInputError(f"{file}: rows differ in their number of cells.")
    return frame if frame.shape[1] == width else frame.iloc[:, :width]


def _ragged(layout: Layout, file: str, *, strict: bool = False) -> InvalidInputError | None:
    """The error for rows that are longer or shorter than the header, if any are.

    Empty cells at the end of a row count only where this is ``strict``.
    """
    width = len(layout.header) if layout.header else 0
    faults = []
    rows = 0
    for line, cells in layout.rows():
        rows += 1
        width = width or len(cells)
        beyond = [cell for cell in cells[width:] if strict or cell.strip()]
        if len(cells) < width or beyond:
            faults.append((line, len(cells)))
    if not faults:
        return None
    line, count = faults[0]
    first = f"header in line {layout.line}" if layout.header else "first row"
    text = (
        f"{file}, line {line} has {counted(count, 'cell')}; the {first} has {width} (separator: "
        f"{SEPARATORS.get(layout.sep, repr(layout.sep))})."
    )
    if len(faults) > 1:
        text += f" In all, {len(faults)} lines differ from it."
    if layout.header and len(faults) == rows and {count for _, count in faults} == {width + 1}:
        text += " If rows begin with their names, give that column a name (col.names=NA in R)."
    return InvalidInputError(text)


def _broken(layout: Layout, file: str, error: Exception) -> InvalidInputError:
    why = reason(error)
    if "EOF inside string" in why:
        begins = layout.line
        ends = begins
        for line, _ in layout.rows():
            begins, ends = ends, line
        why = f"a quote that opens in line {begins + 1} is never closed"
    return InvalidInputError(f"{file} is not a CSV file: {why}.")


def _grid(layout: Layout, decimal: str, file: str) -> Grid:
    frame = _frame(layout, decimal, file)
    names = column_names(layout.header, frame.shape[1])
    return Grid(file, names, frame, _places(layout), decimal)


def _decimal_of_beginning(layout: Layout, selection: Selection, file: str) -> str:
    """The comma where the first rows of a long file say so: it then is read once."""
    end = layout.text.find("\n", layout.start + BEGINNING)
    if end < 0:
        return "."
    try:
        return _decimal(_grid(replace(layout, text=layout.text[:end]), ".", file), selection)
    except InvalidInputError:
        return "."


def _decimal(grid: Grid, selection: Selection) -> str:
    """The decimal mark: the comma where numbers have commas and none has a point."""
    out = {*selection.drop, *([selection.target] if selection.labels else [])}
    used = [grid.frame[j] for j, name in enumerate(grid.names) if name not in out]
    pointed = any(plain(column.dtype) and bool((column % 1 != 0).any()) for column in used)
    texts = [
        cell.strip() for column in used if not plain(column.dtype) for cell in map(str, column)
    ]
    with_comma = [text for text in texts if COMMA_NUMBER.fullmatch(text)]
    if pointed or not with_comma or any(POINT_NUMBER.fullmatch(text) for text in texts):
        return "."
    selection.features(without_margins(grid, selection).names, grid.file)
    if selection.thousands is None and all(THOUSANDS.fullmatch(text) for text in with_comma):
        raise InvalidInputError(
            f"{grid.file}: in numbers such as {with_comma[0]} the comma may mark decimals or "
            "thousands. Pass --decimal , or --thousands , to say which."
        )
    return "." if selection.thousands == "," else ","


def _places(layout: Layout) -> Callable[[Sequence[int]], list[str]]:
    def places(rows: Sequence[int]) -> list[str]:
        wanted = set(rows)
        found = {}
        for i, (line, _) in enumerate(islice(layout.rows(), max(wanted) + 1)):
            if i in wanted:
                found[i] = f"line {line}"
        return [found.get(i, f"row {i + 1}") for i in rows]

    return places


def _lines(text: str, start: int) -> Iterator[str]:
    return (match[0] for match in LINE.finditer(text, start) if match[0])


def _length(text: str, start: int, lines: int) -> int:
    return sum(len(each) for each in islice(_lines(text, start), lines))


def _reader(lines: Iterator[str], sep: str) -> Any:
    if sep == SPACE:
        lines = (" ".join(each.split()) + "\n" for each in lines)
        sep = " "
    return csv.reader(lines, delimiter=sep, skipinitialspace=True)
