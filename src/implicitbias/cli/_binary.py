"""Parquet and NumPy files as tables."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from implicitbias._arrays import NumericArray
from implicitbias._errors import InvalidInputError
from implicitbias.cli._tables import Selection, Table, finite_column, refused_cell

NAMES = "feature_names"


def read_parquet(path: Path, selection: Selection) -> Table:
    """Read a Parquet file; columns of numbers and booleans are features.

    Raises
    ------
    InvalidInputError
        No pyarrow, not a Parquet file, or a column with text, dates or missing values.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise InvalidInputError(
            f"reading {path.name} needs pyarrow: pip install 'implicitbias[data]'."
        ) from None
    try:
        table = pyarrow.parquet.read_table(path)
    except pyarrow.ArrowInvalid as error:
        raise InvalidInputError(f"{path.name} is not a Parquet file: {error}.") from None
    names = table.column_names
    features = selection.features(names, path.name)
    if table.num_rows == 0:
        raise InvalidInputError(f"{path.name} has no rows; expected at least one.")
    columns = [_arrow_column(table.column(j), names[j], path.name) for j in features]
    target = table.column(names.index(selection.target))
    is_text = selection.labels and not _is_numeric(target.type)
    return Table(
        np.column_stack(columns),
        np.array(target.to_pylist())
        if is_text
        else _arrow_column(target, selection.target, path.name),
        tuple(names[j] for j in features),
        selection.target,
    )


def _is_numeric(kind: Any) -> bool:
    import pyarrow.types as types

    return bool(
        types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_boolean(kind)
        or types.is_decimal(kind)
    )


def _arrow_column(column: Any, name: str, file: str) -> NumericArray:
    if not _is_numeric(column.type):
        values = column.to_pylist()
        shown = next((f"{value!r} in row {i}" for i, value in enumerate(values, 1) if value), "")
        raise InvalidInputError(
            f"{file}, column {name!r} holds {column.type}, not numbers ({shown}). Encode it, or "
            f"leave it out with --drop {name}."
        )
    if column.null_count:
        row = next(i for i, value in enumerate(column.to_pylist(), 1) if value is None)
        raise refused_cell(f"{file}, row {row}", name, "the value is missing")
    values = np.array([float(value) for value in column.to_pylist()])
    return finite_column(values, name, f"{file}, row")


def read_npz(path: Path, selection: Selection) -> Table:
    """Read a NumPy archive: (n,) arrays are columns, (n, k) arrays k columns each.

    An array ``feature_names`` names the columns of the (n, k) arrays, if it has as many entries;
    otherwise they are called X[0], X[1], ... after their array.

    Raises
    ------
    InvalidInputError
        Not a NumPy archive, arrays that are not numeric or of different lengths.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise InvalidInputError(
            f"{path.name} is not an archive of plain NumPy arrays: {error}."
        ) from None
    given = arrays.pop(NAMES, None)
    whole = [name for name in selection.drop if arrays.pop(name, None) is not None]
    left = tuple(name for name in selection.drop if name not in whole)
    selection = replace(selection, drop=left)
    length = len(np.atleast_1d(arrays.get(selection.target, np.zeros(0))))
    columns: dict[str, NumericArray] = {}
    for name, array in arrays.items():
        if name != selection.target:
            _check_shape(array, name, length, path.name)
        if array.ndim == 2:
            wide = [f"{name}[{k}]" for k in range(array.shape[1])]
            if given is not None and len(given) == len(wide):
                wide = [str(label) for label in given]
            columns |= dict(zip(wide, array.T, strict=True))
        else:
            columns[name] = array
    names = list(columns)
    features = selection.features(names, path.name)
    chosen = [_numeric(columns[names[j]], names[j], path.name) for j in features]
    target = columns[selection.target]
    if not (selection.labels and target.dtype.kind in "US"):
        target = _numeric(target, selection.target, path.name)
    if not chosen or not length:
        raise InvalidInputError(f"{path.name}: the target {selection.target!r} has no entries.")
    return Table(
        np.column_stack(chosen), target, tuple(names[j] for j in features), selection.target
    )


def _check_shape(array: NumericArray, name: str, length: int, file: str) -> None:
    if array.ndim not in (1, 2) or (length and len(array) != length):
        raise InvalidInputError(
            f"{file}: the array {name!r} has shape {array.shape}; expected ({length},) or "
            f"({length}, k), like the target. Leave it out with --drop {name}."
        )


def _numeric(values: NumericArray, name: str, file: str) -> NumericArray:
    if values.ndim != 1 or values.dtype.kind not in "buif":
        raise InvalidInputError(
            f"{file}: the array {name!r} holds {values.dtype} of shape {values.shape}; expected "
            f"real numbers, one a row. Leave it out with --drop {name}."
        )
    return finite_column(values.astype(np.float64), name, f"{file}, row")
