"""The table of a sweep, one row a task, and the files beside it."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import Any

import numpy as np

from implicitbias.sweeps._coefficients import unpacked
from implicitbias.sweeps._folder import Folder, replacing_whole, write_whole
from implicitbias.sweeps._lines import Record
from implicitbias.sweeps._plan import Plan

TABLE, PARQUET, SECONDS = "results.csv", "results.parquet", "seconds.csv"
FAILURES, COEFFICIENTS = "failures.json", "coefficients.npz"

NUMBER, COUNT, TEXT, FLAG = "float64", "Int64", "string", "boolean"
TOLD = {"status": TEXT, "error_type": TEXT, "error": TEXT, "warning": TEXT}
SIZES = {"n": COUNT, "d": COUNT, "rank": COUNT}
LIMIT = {
    "theorem": TEXT,
    "kind": TEXT,
    "feasibility": NUMBER,
    "certificate_worst": NUMBER,
    "certificate_error": NUMBER,
}
FLOW = {
    "outcome": TEXT,
    "converged": FLAG,
    "residual": NUMBER,
    "log_loss": NUMBER,
    "log_margin": NUMBER,
    "log_time": NUMBER,
    "num_steps": COUNT,
    "drift": NUMBER,
}
HELD = {"verdict": TEXT, "comparison_error": NUMBER, "tolerance": NUMBER, "distance": NUMBER}
SUMMARY = {
    "l1": NUMBER,
    "l2": NUMBER,
    "largest": NUMBER,
    "num_nonzero": COUNT,
    "truth_error": NUMBER,
}


def measures(plan: Plan) -> dict[str, str]:
    """The columns of what came of a task, with their types: by the verb, whatever came."""
    found = TOLD | SIZES
    if plan.verb != "predict":
        found |= FLOW | ({} if plan.verb == "descend" else {"route": TEXT})
    if plan.verb in ("predict", "verify") or plan.compare:
        found |= LIMIT
    if plan.verb == "verify" or plan.compare:
        found |= HELD
    return found | SUMMARY


def column(name: str) -> str:
    """What the key "table.key" of a plan is called in the table."""
    return name.replace(".", "_")


def frame(plan: Plan, records: Mapping[int, Record]) -> Any:
    """One row a task, in order: its number, its parameters, and what came of it."""
    import pandas

    numbers = sorted(records)
    tasks = [plan.task(number) for number in numbers]
    columns: dict[str, Any] = {"task": numbers}
    for name in plan.columns():
        table, key = name.split(".")
        columns[column(name)] = _typed([task[table].get(key) for task in tasks])
    for name, kind in measures(plan).items():
        values = [records[number].get(name) for number in numbers]
        if kind == NUMBER:
            values = [math.nan if value is None else float(value) for value in values]
        columns[name] = pandas.array(values, dtype=kind)
    return pandas.DataFrame(columns)


def _typed(values: list[Any]) -> Any:
    """A column of parameters in the narrowest type that holds all that are there."""
    import pandas

    there = [value for value in values if value is not None]
    if all(isinstance(value, bool) for value in there):
        return pandas.array(values, dtype=FLAG)
    if all(isinstance(value, int) for value in there):
        return pandas.array(values, dtype=COUNT)
    if all(isinstance(value, (int, float)) for value in there):
        return np.array([math.nan if value is None else float(value) for value in values])
    return pandas.array([value if value is None else _text(value) for value in values], dtype=TEXT)


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def write_tables(plan: Plan, folder: Folder, table: Any, *, anew: bool) -> list[str]:
    """Write the table and what stands beside it; with ``anew`` also what is there already."""
    failures = [
        {"parameters": plan.task(number), **record}
        for number, record in sorted(folder.records.items())
        if record["status"] != "ok"
    ]
    contents: dict[str, Any] = {
        TABLE: lambda: [_csv(table)],
        SECONDS: lambda: [_seconds(folder)],
    }
    if _has_pyarrow():
        contents[PARQUET] = lambda: [_parquet(table)]
    if failures:
        contents[FAILURES] = lambda: [_json(failures)]
    for name, content in contents.items():
        if anew or not (folder.path / name).exists():
            write_whole(folder.path / name, content())
    if plan.save_coefficients:
        if anew or not (folder.path / COEFFICIENTS).exists():
            _write_coefficients(folder)
        return [*contents, COEFFICIENTS]
    return list(contents)


def _csv(table: Any) -> bytes:
    text: str = table.to_csv(index=False, lineterminator="\n")
    return text.encode("utf-8", "surrogatepass")


def _parquet(table: Any) -> bytes:
    stream = BytesIO()
    table.to_parquet(stream, index=False)
    return stream.getvalue()


def _json(value: Any) -> bytes:
    from implicitbias._results import plain

    return json.dumps(plain(value), indent=1, allow_nan=False).encode() + b"\n"


def _seconds(folder: Folder) -> bytes:
    lines: Iterable[str] = (
        f"{number},{'' if record['seconds'] is None else round(record['seconds'], 6)}"
        for number, record in sorted(folder.records.items())
    )
    return "\n".join(["task,seconds", *lines, ""]).encode()


def _write_coefficients(folder: Folder) -> None:
    with (
        replacing_whole(folder.path / COEFFICIENTS) as stream,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive,
    ):
        for number, text in folder.coefficients():
            member = zipfile.ZipInfo(f"{number}.npy")
            with archive.open(member, "w") as file:
                np.lib.format.write_array(file, unpacked(text), allow_pickle=False)


def _has_pyarrow() -> bool:
    try:
        import pyarrow  # noqa: F401  (only whether it is there)
    except ImportError:
        return False
    return True
