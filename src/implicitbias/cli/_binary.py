"""Parquet files, Excel workbooks and NumPy archives."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from implicitbias._arrays import NumericArray
from implicitbias._errors import InvalidInputError
from implicitbias.cli._cells import Grid, is_empty, joined
from implicitbias.cli._header import column_names, looks_like_data, text_of_cell, without_margins
from implicitbias.cli._printing import quoted, reason, visible
from implicitbias.cli._selection import Selection
from implicitbias.cli._source import ZIP

if TYPE_CHECKING:
    from pandas import DataFrame

NAMES = "feature_names"


def read_parquet(content: bytes, file: str, selection: Selection) -> Grid:
    """Read a Parquet file; the index that pandas stores in it is left out.

    Raises
    ------
    InvalidInputError
        No pyarrow, or not a Parquet file.
    """
    try:
        from pyarrow import parquet
    except ImportError:
        raise _needs(file, "pyarrow") from None
    try:
        names = [str(name) for name in parquet.read_schema(BytesIO(content)).names]
        if len(set(names)) < len(names):  # pandas would not read them
            selection.features(names, file)
        frame = parquet.read_table(BytesIO(content)).to_pandas()
    except InvalidInputError:
        raise
    except Exception as error:  # whatever is wrong inside
        raise InvalidInputError(f"{file} is not a Parquet file: {reason(error)}.") from None
    if selection.target is not None and selection.target in frame.index.names:
        frame = frame.reset_index(level=selection.target)
    index = tuple(str(name) for name in frame.index.names if name is not None)
    remark = f"index {', '.join(map(quoted, index))} left out" if index else ""
    grid = _grid(file, [str(name) for name in frame.columns], frame, selection, remark)
    grid = without_margins(grid, selection)
    return replace(grid, gone=grid.gone + index)


def read_excel(content: bytes, file: str, selection: Selection) -> Grid:
    """Read the first sheet of an Excel workbook that holds anything.

    Raises
    ------
    InvalidInputError
        No openpyxl, not a workbook, or an empty one.
    """
    import pandas

    if not content.startswith(ZIP):
        raise InvalidInputError(f"{file} is not an Excel workbook.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of openpyxl, about styles it does not know
            sheets: dict[str, DataFrame] = pandas.read_excel(
                BytesIO(content), sheet_name=None, header=None, dtype=object, na_filter=False
            )
    except ImportError:
        raise _needs(file, "openpyxl") from None
    except Exception as error:  # of a zip file, of XML, of openpyxl: whatever is wrong inside
        raise InvalidInputError(f"{file} is not an Excel workbook: {reason(error)}.") from None
    full = {name: _filled(sheet) for name, sheet in sheets.items()}
    full = {name: rows for name, rows in full.items() if rows}
    if not full:
        raise InvalidInputError(f"{file} is empty; expected a row of column names.")
    name, rows = next(iter(full.items()))
    sheet = sheets[name]
    remark = f"sheet {quoted(name)}, the first of {len(full)}" if len(full) > 1 else ""
    header = None
    if selection.header is not False:
        header, rows = [text_of_cell(cell) for cell in sheet.iloc[rows[0]]], rows[1:]
        remark = joined(remark, "" if selection.header else looks_like_data(header, file))
    grid = _grid(file, column_names(header, sheet.shape[1]), sheet.iloc[rows], selection, remark)

    def places(wanted: Sequence[int]) -> list[str]:
        return [f"row {rows[i] + 1}" for i in wanted]

    grid = replace(grid, frame=grid.frame.infer_objects(), places=places)
    return without_margins(grid, selection)


def _filled(sheet: DataFrame) -> list[int]:
    """The rows of a sheet that hold anything."""
    cells = sheet.to_numpy()
    return [i for i, row in enumerate(cells) if not all(map(is_empty, row))]


def read_npz(content: bytes, file: str, selection: Selection) -> Grid:
    """Read a NumPy archive: (n,) arrays are columns, (n, k) arrays k columns each.

    An array ``feature_names`` names the columns of the (n, k) arrays, if it has as many entries;
    otherwise they are called X[0], X[1], ... after their array.

    Raises
    ------
    InvalidInputError
        Not a NumPy archive, arrays that are not numeric or of different lengths.
    """
    import pandas

    arrays = _arrays(content, file)
    given = arrays.pop(NAMES, None)
    used = given is None
    gone = tuple(name for name in selection.drop if arrays.pop(name, None) is not None)
    told = selection.target if selection.target in arrays else next(iter(arrays), "")
    length = len(np.atleast_1d(arrays.get(told, np.zeros(0))))
    known = selection.target is None or selection.target in arrays
    like = "first array" if selection.target is None else "target"
    names: list[str] = []
    parts: list[DataFrame] = []
    for name, array in arrays.items():
        _check_shape(array, name, length if known else None, file, like)
        if array.dtype.kind == "S":
            array = np.char.decode(array, "utf-8", "replace")
        text = array.dtype.kind == "U" and selection.labels and name == selection.target
        if not text and array.dtype.kind not in "buif":
            raise InvalidInputError(
                f"{file}: the array {quoted(name)} holds {array.dtype}; expected real numbers. "
                f"Leave it out with --drop {visible(name)}."
            )
        if array.ndim == 1 or (name == selection.target and array.shape[1] == 1):
            names.append(name)
        elif given is not None and given.shape == array.shape[1:]:
            names += [str(each) for each in given]
            used = True
        else:
            names += [f"{name}[{k}]" for k in range(array.shape[1])]
        parts.append(
            pandas.DataFrame(array.astype(np.float64) if array.dtype.kind == "f" else array)
        )
    frame = pandas.concat(parts, axis=1) if parts else pandas.DataFrame()
    remark = "" if used else f"{NAMES} left out, being of another number"
    return replace(_grid(file, names, frame, selection, remark), gone=gone)


def _arrays(content: bytes, file: str) -> dict[str, NumericArray]:
    if not content.startswith(ZIP):
        raise InvalidInputError(f"{file} is not an archive of plain NumPy arrays.")
    try:
        with np.load(BytesIO(content), allow_pickle=False) as archive:
            arrays = {name: np.asarray(archive[name]) for name in archive.files}
    except MemoryError as error:
        raise InvalidInputError(f"{file} does not fit into memory: {reason(error)}.") from None
    except Exception as error:  # whatever is wrong with the archive or what it holds
        raise InvalidInputError(
            f"{file} is not an archive of plain NumPy arrays: {reason(error)}."
        ) from None
    return arrays


def _check_shape(array: NumericArray, name: str, length: int | None, file: str, other: str) -> None:
    if array.ndim not in (1, 2) or length not in (None, len(array)):
        shape = "(n,) or (n, k)" if length is None else f"({length},) or ({length}, k)"
        raise InvalidInputError(
            f"{file}: the array {quoted(name)} has shape {array.shape}; expected {shape}, like the "
            f"{other}. Leave it out with --drop {visible(name)}."
        )


def _grid(file: str, names: list[str], frame: Any, selection: Selection, remark: str = "") -> Grid:
    frame = frame.reset_index(drop=True)
    frame.columns = range(frame.shape[1])

    def places(rows: Sequence[int]) -> list[str]:
        return [f"row {i + 1}" for i in rows]

    decimal = selection.decimal or ("," if selection.thousands == "." else ".")
    return Grid(file, names, frame, places, decimal, remark)


def _needs(file: str, package: str) -> InvalidInputError:
    return InvalidInputError(f"reading {file} needs {package}: pip install 'implicitbias[data]'.")
