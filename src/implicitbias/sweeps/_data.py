"""The problem of a task: drawn, shipped with scikit-learn, or read from a file; and its truth."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from implicitbias import datasets
from implicitbias._arrays import FloatArray, NumericArray, finite_array
from implicitbias._errors import InfeasibleProblemError, InvalidInputError, reason_of
from implicitbias.problems import Classification, Regression, equations, standardised
from implicitbias.sweeps._keys import GENERATORS
from implicitbias.sweeps._values import near

Problem = Regression | Classification
TABLES = (".csv", ".parquet", ".pq")
ARRAYS = (".npz", ".npy")
UNREADABLE = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, ImportError)


def hash_of(file: Path) -> str:
    """SHA-256 of a file.

    Raises
    ------
    InvalidInputError
        It cannot be read.
    """
    digest = sha256()
    try:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise InvalidInputError(f"[data] {file} cannot be read: {error.strerror}.") from None
    return digest.hexdigest()


def problem_of(point: Mapping[str, Any], base: Path) -> tuple[Problem, FloatArray | None]:
    """The problem that the parameters of the data describe, and what columns were divided by.

    Raises
    ------
    InvalidInputError, InfeasibleProblemError
        They describe none.
    """
    if "name" in point:
        arguments = {key: value for key, value in point.items() if key != "name"}
        found: Problem = GENERATORS[point["name"]](**arguments)
        return found, None
    X, y = load_file(point, base)
    constant, units = point.get("intercept", False), None
    classify = point.get("task") == "classification"
    if point.get("standardise", False):
        # a constant makes up for what is taken off before anything is rounded
        X, units, _ = standardised(X, shift=constant and not classify)
    if classify:
        if constant:
            X = np.column_stack([X, np.ones(len(X))])
            units = None if units is None else np.append(units, 1.0)
        return Classification(X, y), units
    if not (constant or point.get("project", False)):
        return Regression.measured(X, y), units
    data = equations(X, y, constant)
    if not (data.reached or point.get("project", False)):
        raise InfeasibleProblemError(
            f"the features of {point['file']} and a constant cannot fit the target: "
            f"{data.missed:.3g} of its size is left. Pass project = true to fit the part that can "
            "be fitted."
        )
    return data.problem, units


def truth_of(point: Mapping[str, Any], problem: Problem) -> FloatArray | None:
    """The coefficients, or the direction, behind drawn data; None where there are none."""
    d = problem.num_features
    match point.get("name"):
        case "sparse":
            return datasets.sparse_coefficients(d, point["num_nonzero"])
        case "even_signals" if "num_frequencies" in point:
            return datasets.even_coefficients(d, point["num_frequencies"])
        case "separable":
            return datasets.separable_direction(d, point["seed"])
    return None


def load_file(point: Mapping[str, Any], base: Path) -> tuple[FloatArray, NumericArray]:
    """X and y from a CSV, Parquet, .npz or .npy file.

    Raises
    ------
    InvalidInputError
        It cannot be read, has no such columns, or holds anything but numbers in the features.
    """
    file, target = base / point["file"], point.get("target")
    suffix = file.suffix.lower()
    if suffix not in TABLES + ARRAYS:
        raise InvalidInputError(
            f"[data] file is {point['file']!r}; expected a name that ends in "
            f"{', '.join(TABLES + ARRAYS)}."
        )
    try:
        if suffix in TABLES:
            X, y = _from_table(file, target, point.get("drop", []))
        elif "drop" in point:
            raise InvalidInputError("[data] drop is for tables with named columns.")
        else:
            X, y = _from_npz(file, target) if suffix == ".npz" else _from_npy(file, target, base)
        if point.get("task") != "classification":
            y = finite_array(y, f"the target in {file.name}", shape=(None,))
        return finite_array(X, f"the features in {file.name}", shape=(None, None)), y
    except InvalidInputError:
        raise
    except UNREADABLE as error:
        raise InvalidInputError(f"[data] {file} cannot be read: {reason_of(error)}.") from None


def _from_table(file: Path, target: Any, drop: list[str]) -> tuple[Any, NumericArray]:
    import pandas

    frame = _read_csv(file) if file.suffix.lower() == ".csv" else pandas.read_parquet(file)
    frame.columns = [str(name).strip() for name in frame.columns]
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise InvalidInputError(
            f"{file.name} has several columns named {twice[0]!r}. Give every column its own name."
        )
    if target is None:
        raise InvalidInputError(f"[data] with file = {file.name!r} lacks target, a column of it.")
    for name in (target, *drop):
        if name not in frame.columns:
            raise InvalidInputError(
                f"{file.name} has no column {name!r}.{near(name, frame.columns)} Its columns are "
                f"{', '.join(frame.columns[:20])}{', ...' * (len(frame.columns) > 20)}."
            )
    features = frame.drop(columns=[target, *drop])
    foreign = [
        name
        for name, kind in features.dtypes.items()
        if not pandas.api.types.is_numeric_dtype(kind) or pandas.api.types.is_bool_dtype(kind)
    ]
    empty = [name for name in (*features.columns, target) if frame[name].isna().any()]
    if foreign or empty:
        which, what = (foreign, "text") if foreign else (empty, "cells without a value")
        raise InvalidInputError(
            f"{file.name} has {what} in {', '.join(which[:10])}{', ...' * (len(which) > 10)}; "
            "expected numbers. Leave columns out with drop, or mend the file."
        )
    return features, frame[target].to_numpy()


def _read_csv(file: Path) -> Any:
    """The table, with every number the float64 next to what is written."""
    import pandas

    version = tuple(int(part) for part in pandas.__version__.split(".")[:2])
    exact: dict[str, Any] = {} if version >= (3, 1) else {"float_precision": "round_trip"}
    frame = pandas.read_csv(file, **exact)
    if not isinstance(frame.index, pandas.RangeIndex):
        raise InvalidInputError(
            f"{file.name} has more cells in a row than names in its first line. Name every column."
        )
    # as they are written: pandas numbers repeated ones
    names = pandas.read_csv(file, header=None, nrows=1, dtype=str, keep_default_na=False)
    return frame.set_axis(names.iloc[0].to_list(), axis=1)


def _from_npz(file: Path, target: Any) -> tuple[Any, NumericArray]:
    with np.load(file, allow_pickle=False) as archive:
        name = "y" if target is None else target
        missing = [each for each in ("X", name) if each not in archive.files]
        if missing:
            raise InvalidInputError(
                f"{file.name} has no array {missing[0]!r}; expected X and {name}, as "
                f"np.savez(file, X=X, {name}=y) writes them. It has {', '.join(archive.files)}."
            )
        return archive["X"], archive[name]


def _from_npy(file: Path, target: Any, base: Path) -> tuple[Any, NumericArray]:
    table = np.load(file, allow_pickle=False)
    if isinstance(target, str) and target.endswith(".npy"):
        return table, np.load(base / target, allow_pickle=False)
    if not isinstance(target, int):
        raise InvalidInputError(
            f"[data] with file = {file.name!r} has target {target!r}; expected the number of a "
            "column, from 0 (-1 is the last), or the name of another .npy file."
        )
    if table.ndim != 2 or not -table.shape[1] <= target < table.shape[1]:
        raise InvalidInputError(f"{file.name} has shape {table.shape} and no column {target}.")
    return np.delete(table, target, axis=1), table[:, target]
