"""``implicitbias data``: a table before anything is fitted to it."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from implicitbias.cli._model import selection_of
from implicitbias.cli._options import OPTIONS, reading_options
from implicitbias.cli._printing import console, counted, print_json, say, visible

if TYPE_CHECKING:
    from implicitbias.cli._look import Column, Judgement, Look

SHOWN = 40  # columns listed without --json
NAME = 24  # characters of a name that are shown


@click.command(short_help="Look at a table before anything is fitted to it.")
@reading_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with all columns.")
@click.pass_context
def data(ctx: click.Context, as_json: bool) -> None:
    """Look at DATA before anything is fitted to it.

    Types, missing values, constant, equal and collinear columns, ranks and units; with --target
    whether regression and classification can use the table, with and without a constant, and why
    not. DATA is a CSV, Parquet, Excel or .npz file, or - for standard input. Exit code 0: the file
    could be read, whatever is in it.

    Example: implicitbias data data.csv --target y
    """
    from implicitbias.cli._look import look
    from implicitbias.cli._source import name_of, read

    options = ctx.meta[OPTIONS]
    selection = selection_of(options, labels=False)
    found = look(read(options["data"]), visible(name_of(options["data"])), selection)
    if as_json:
        print_json(_as_json(found))
    else:
        _print(found, selection.target)


def _as_json(found: Look) -> dict[str, Any]:
    from implicitbias._results import plain

    return {
        "data": found.title,
        "columns": [plain(vars(column)) for column in found.columns],
        "options": found.options,
        "rows_used": found.used[0],
        "features_used": found.used[1],
        "rank": found.rank,
        "rank_with_constant": found.rank_with_constant,
        "remarks": list(found.remarks),
        "tasks": [plain(vars(each)) for each in found.judgements],
    }


def _print(found: Look, target: str | None) -> None:
    from rich.table import Table

    say(found.title)
    lines = Table(box=None, padding=(0, 1, 0, 0))
    lines.add_column("column", no_wrap=True, max_width=NAME)
    lines.add_column("type", no_wrap=True)
    for name in ("missing", "distinct", "smallest", "largest"):
        lines.add_column(name, justify="right", no_wrap=True)
    lines.add_column("", overflow="fold")
    shown = _shown(found.columns)
    for column in shown:
        name = visible(column.name, NAME)
        lines.add_row(name, *_cells(column), "; ".join(_remarks(column, target)))
    console().print(lines)
    left = len(found.columns) - len(shown)
    if left > 0:
        say(f"... and {counted(left, 'other column')} (--json prints all)")
    if found.options:
        say(f"What makes it readable: {found.options}")
    rows, features = found.used
    if features:
        say(
            f"{counted(rows, 'complete row')}, {counted(features, 'feature')}: rank {found.rank}, "
            f"and {found.rank_with_constant} with the columns centred (--intercept)"
        )
    else:
        say("no column of numbers to fit with")
    for remark in found.remarks:
        say(f"  {remark}")
    for task, group in groupby(found.judgements, key=lambda each: each.task):
        say(f"{task.capitalize()}")
        for line in _judged(list(group)):
            say(f"  {line}")


def _shown(columns: tuple[Column, ...]) -> list[Column]:
    """All of a few columns; of many, first those there is something to say of."""
    if len(columns) <= SHOWN:
        return list(columns)
    return sorted(columns, key=lambda column: not (column.remarks or column.missing))[:SHOWN]


def _cells(column: Column) -> tuple[str, ...]:
    ends = (column.smallest, column.largest)
    return (
        column.kind,
        str(column.missing),
        str(column.distinct),
        *("-" if end is None else f"{end:.4g}" for end in ends),
    )


def _remarks(column: Column, target: str | None) -> list[str]:
    return ["the target"] * (column.name == target) + list(column.remarks)


def _judged(pair: list[Judgement]) -> list[str]:
    """One line each without and with --intercept; one for both where they say the same."""
    lines = [f"{'can be used' if one.accepted else 'refused'}: {one.text}" for one in pair]
    if lines[0] == lines[1]:
        return lines[:1]
    return [f"without --intercept {lines[0]}", f"with --intercept {lines[1]}"]
