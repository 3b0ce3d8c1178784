"""What a table is like before anything is fitted to it, and what would be refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from implicitbias._arrays import FloatArray, NumericArray
from implicitbias._errors import ImplicitBiasError
from implicitbias.cli._cells import (
    MISSING,
    Fault,
    Grid,
    faults_of,
    joined,
    matrix,
    options_text,
    table_of,
)
from implicitbias.cli._model import classification
from implicitbias.cli._printing import counted, quoted, visible
from implicitbias.cli._selection import Selection, Table
from implicitbias.cli._tables import Content, grid_of
from implicitbias.problems import (
    Combination,
    Regression,
    columns_of,
    equations,
    refuse_extreme_units,
    spreads,
)

if TYPE_CHECKING:
    from implicitbias.problems import Classification

LARGEST = float(np.finfo(float).max)
APART = 100.0  # times as much as another column varies: worth a word
NAMED = 3  # columns of a combination that are named
EXAMPLES, TEXT = 3, 20  # texts of a column that are shown, and characters of each


@dataclass(frozen=True)
class Column:
    """One column as it is.

    Attributes
    ----------
    name
        As in the file.
    kind
        "whole", "number", "text", or "empty".
    missing
        Cells without a value: empty, said to be missing, or a word such as NA.
    distinct
        How many different values there are.
    smallest, largest
        Of a column of numbers, else None.
    remarks
        Whatever is to be known before it is fitted.
    """

    name: str
    kind: str
    missing: int
    distinct: int
    smallest: float | None
    largest: float | None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """What a command would say of the target.

    Attributes
    ----------
    task
        "regression" or "classification".
    intercept
        Whether --intercept is given.
    accepted
        Whether the data can be used.
    text
        Why, or why not.
    """

    task: str
    intercept: bool
    accepted: bool
    text: str


@dataclass(frozen=True)
class Look:
    """A table before anything is fitted to it.

    Attributes
    ----------
    title
        The file, its size and how it was read.
    columns
        One a column, in the order of the file.
    options
        What makes the table readable to the commands that fit: "" where it is as it stands.
    used
        How many rows and features are then left.
    rank, rank_with_constant
        Of these features, and of their differences from their means.
    remarks
        On the table as a whole.
    judgements
        Of the target, if one was named.
    """

    title: str
    columns: tuple[Column, ...]
    options: str
    used: tuple[int, int]
    rank: int
    rank_with_constant: int
    remarks: tuple[str, ...]
    judgements: tuple[Judgement, ...] = ()


def look(content: Content, file: str, selection: Selection) -> Look:
    """Look at what was ``read``.

    Raises
    ------
    InvalidInputError
        It is not what it seems to be, its columns have no names of their own, or others are asked
        for than there are.
    """
    grid = grid_of(content, file, selection)
    dropped = tuple(name for name in selection.drop if name not in grid.gone)
    features = replace(selection, drop=dropped).features(grid.names, file)
    place = [j for j, name in enumerate(grid.names) if name == selection.target]
    kept = sorted([*features, *place])
    values, absent = matrix(grid, kept, selection)
    columns, faults = [], []
    for k, j in enumerate(kept):
        wrong = np.flatnonzero(~np.isfinite(values[:, k]) & ~absent[:, k])
        found = faults_of(grid, j, wrong, selection) if wrong.size else []
        columns.append(_column(grid, j, values[:, k], int(absent[:, k].sum()), found))
        faults += found
    wider, options = _obeyed(faults, replace(selection, drop=dropped), grid)
    names = [grid.names[j] for j in kept]
    usable = [k for k, name in enumerate(names) if name not in (*wider.drop, wider.target)]
    numbers = values[:, usable]
    complete = np.isfinite(numbers).all(axis=1) & ~absent[:, usable].any(axis=1)
    X = numbers[complete]
    size, ranks, remarks = X.shape, (0, 0), ["no row is complete"] * (not complete.any())
    if X.size:
        more, ranks, remarks = _features(X, [names[k] for k in usable])
        for k, said in zip(usable, more, strict=True):
            columns[k] = replace(columns[k], remarks=(*columns[k].remarks, *said))
    judgements = _judgements(content, file, wider) if wider.target is not None else ()
    title = f"{file}: {counted(len(grid.frame), 'row')}, {counted(len(kept), 'column')}"
    title += f" ({grid.note})" if grid.note else ""
    return Look(title, tuple(columns), options, size, *ranks, tuple(remarks), judgements)


def _column(
    grid: Grid, place: int, values: FloatArray, absent: int, faults: Sequence[Fault]
) -> Column:
    numbers = values[np.isfinite(values)]
    counts = {fault.kind: fault.count for fault in faults}
    text = counts.get("text", 0) + counts.get("mark", 0)
    missing = absent + counts.get("missing", 0)
    remarks = [_told(grid, fault) for fault in faults if fault.kind != "missing"]
    if text > numbers.size:
        cells = [str(cell).strip() for cell in grid.frame.iloc[:, place].tolist()]
        kinds = dict.fromkeys(cell for cell in cells if cell and cell.lower() not in MISSING)
        if not any(fault.kind == "mark" for fault in faults):
            shown = ", ".join(visible(cell, TEXT) for cell in list(kinds)[:EXAMPLES])
            remarks = [shown + ", ..." * (len(kinds) > EXAMPLES)]
        return Column(grid.names[place], "text", missing, len(kinds), None, None, tuple(remarks))
    if not numbers.size:
        return Column(grid.names[place], "empty", missing, 0, None, None, ("no value at all",))
    whole = bool((numbers == np.round(numbers)).all())
    ends = float(numbers.min()), float(numbers.max())
    kind, distinct = "whole" if whole else "number", int(np.unique(numbers).size)
    return Column(grid.names[place], kind, missing, distinct, *ends, tuple(remarks))


def _told(grid: Grid, fault: Fault) -> str:
    more = f" (and {counted(fault.count - 1, 'more cell')})" if fault.count > 1 else ""
    return f"{grid.places([fault.row])[0]}: {fault.found}{more}"


def _obeyed(faults: Sequence[Fault], selection: Selection, grid: Grid) -> tuple[Selection, str]:
    """The selection that leaves out what cannot be fitted, and the options that say so."""
    words = dict.fromkeys(word for fault in faults for word in fault.words)
    kinds = ("text", "mark", "infinite")
    wrong = dict.fromkeys(
        fault.name for fault in faults if fault.kind in kinds and fault.name != selection.target
    )
    parts = [options_text("--drop", tuple(wrong))] if wrong else []
    parts += [options_text("--missing", tuple(words))] if words else []
    wider = replace(selection, drop=(*selection.drop, *wrong), missing=(*selection.missing, *words))
    return wider, " ".join(parts)


def _features(
    X: FloatArray, names: Sequence[str]
) -> tuple[list[list[str]], tuple[int, int], list[str]]:
    """Remarks on each column of numbers, the two ranks, and remarks on all of them."""
    said: list[list[str]] = [[] for _ in names]
    first: dict[bytes, int] = {}
    for j in range(X.shape[1]):
        same = first.setdefault((X[:, j] + 0.0).tobytes(), j)
        if same != j and len(X) > 1:
            said[j].append(f"equals {quoted(names[same])}")
    alone = sorted(first.values())
    found = columns_of(X[:, alone])
    for each in found.combinations if len(X) > 1 else ():
        said[alone[each.column]].append(_combination(each, [names[j] for j in alone]))
    ranks = Regression.measured(X, np.zeros(len(X))).rank, found.rank
    remarks = []
    if len(alone) >= len(X) > 1:
        remarks.append("no fewer features than rows: collinear columns are not looked for")
    elif found.condition is not None and found.rank > 1:
        number = f"{found.condition:.3g}"
        remarks.append(
            f"condition number of the independent columns, centred, at length 1: {number}"
        )
    return said, ranks, [*remarks, *_units(X, names)]


def _combination(found: Combination, names: Sequence[str]) -> str:
    if not found.weights:
        return "constant"
    largest = sorted(found.weights.items(), key=lambda pair: -abs(pair[1]))
    shown = [f"{_factor(weight)}{quoted(names[j])}" for j, weight in largest[:NAMED]]
    left = len(largest) - NAMED
    shown += [counted(left, "other column")] if left > 0 else []
    if abs(found.constant) > 1e-9 * max(abs(weight) for weight in found.weights.values()):
        shown.append(f"{found.constant:.6g}")
    return f"collinear: {' + '.join(shown)}".replace("+ -", "- ")


def _factor(weight: float) -> str:
    text = f"{weight:.6g}"
    return {"1": "", "-1": "-"}.get(text, f"{text} ")


def _units(X: FloatArray, names: Sequence[str]) -> list[str]:
    """Which columns vary much more than others, in the units of the table."""
    spread = spreads(X)
    if not spread.any():
        return []
    spread[spread == 0.0] = np.nan
    most, least = int(np.nanargmax(spread)), int(np.nanargmin(spread))
    with np.errstate(over="ignore", divide="ignore"):
        times = min(spread[most] / spread[least], LARGEST)
    if not times > APART:
        return []
    return [
        f"units apart: {quoted(names[most])} varies {times:.2g} times as much as "
        f"{quoted(names[least])}, and but for the l2 ends a limit depends on units "
        "(--standardise removes them)"
    ]


def _judgements(content: Content, file: str, selection: Selection) -> tuple[Judgement, ...]:
    judged = []
    for task in ("regression", "classification"):
        chosen = replace(selection, labels=task == "classification")
        try:
            table = table_of(grid_of(content, file, chosen), chosen)
        except ImplicitBiasError as error:
            judged += [Judgement(task, intercept, False, str(error)) for intercept in (False, True)]
            continue
        for intercept in (False, True):
            try:
                judge = _regression if task == "regression" else _classification
                accepted, text = judge(table, file, intercept)
            except ImplicitBiasError as error:
                accepted, text = False, str(error)
            judged.append(Judgement(task, intercept, accepted, text))
    return tuple(judged)


def _regression(table: Table, file: str, intercept: bool) -> tuple[bool, str]:
    found = equations(table.X, table.y, intercept, isometric=False)
    refuse_extreme_units(found.problem)
    rank, n, d = found.problem.rank, len(table.y), table.X.shape[1]
    if found.reached:
        free = d - rank
        many = f"coefficients are free in {counted(free, 'direction')}, and the start decides"
        return True, f"rank {rank}, {many if free else 'only one set of coefficients fits'}"
    fitted = f"R squared {1 - found.missed**2:.4g}"
    if not intercept:
        fitted = f"{found.missed:.3g} of the target's size is left"
    text = f"no coefficients fit all {n} rows (rank {rank}; least squares: {fitted})"
    told = joined(text, _contradictions(table.X, table.y))
    return False, f"{told}; --project takes the part that can be fitted"


def _contradictions(X: FloatArray, y: NumericArray) -> str:
    """How many rows are equal and have different targets."""
    kinds: dict[bytes, Counter[Any]] = {}
    for row, target in zip(X + 0.0, y.tolist(), strict=True):
        kinds.setdefault(row.tobytes(), Counter())[target] += 1
    rows = sum(sum(targets.values()) for targets in kinds.values() if len(targets) > 1)
    return f"{counted(rows, 'row')} equal others and differ in the target" if rows else ""


def _classification(table: Table, file: str, intercept: bool) -> tuple[bool, str]:
    problem: Classification
    options = {"positive": None, "intercept": intercept}
    problem, _, remark = classification(table, options, file)
    refuse_extreme_units(problem)
    found = problem.separability()
    shown = visible(remark.removeprefix(", "))
    if found.verdict.holds:
        return True, joined(f"separable, by a margin of at least {found.margin:.3g}", shown)
    if not found.verdict.fails:
        return False, joined("float64 cannot tell whether the classes are separable", shown)
    weights = found.farkas
    points = 0 if weights is None else int(np.count_nonzero(weights))
    text = f"not separable: {counted(points, 'point')} of {problem.num_points} contradict"
    return False, joined(text, _contradictions(table.X, problem.y), shown)
