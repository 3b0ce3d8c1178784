"""``implicitbias sweep``: a plan of many problems, as one table."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from implicitbias.cli._printing import console, counted, print_json, say, watched

if TYPE_CHECKING:
    from implicitbias.sweeps import Estimate, Plan, Sweep, SweepState

LISTED = 5  # kinds of refusal that are shown
INTERRUPTED = 130  # the exit code of shells after Ctrl-C

EPILOG = """\b
Examples:
  implicitbias sweep plan.toml --dry-run
  implicitbias sweep plan.toml --out results
  implicitbias sweep plan.toml --out results --workers 8 --quiet
  implicitbias sweep plan.toml --out results --dask tcp://10.0.0.5:8786

\b
A plan is a TOML file; every list in it is an axis of the grid:
  verb = "predict"             # or flow, descend, verify
  [data]
  name = "sparse"              # or file = "data.csv", target = "y"
  num_points = 20
  num_features = 60
  num_nonzero = 3
  seed = { range = 10 }
  [network]
  name = "diagonal"
  depth = [2, 3]
  [start]
  scale = { geomspace = [1e-4, 1.0, 9] }
"""


@click.command(short_help="Run a plan of many problems; may be ended, and goes on.", epilog=EPILOG)
@click.argument("plan", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="The sweep's own folder: a new one, or one where the same plan was begun, which is then "
    "finished.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="INTEGER",
    help="Processes at work.  [default: as many as there are cores]",
)
@click.option("--dask", metavar="ADDRESS", help="Work on the Dask cluster of this scheduler.")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Try a few tasks for at most ten seconds, say how many there are and how long they would "
    "take, and write nothing.",
)
@click.option(
    "--retry-failed", is_flag=True, help="Run tasks again that failed, but for typed refusals."
)
@click.option(
    "--standardise",
    is_flag=True,
    help="Divide every column of the plan's files by its standard deviation, as standardise = true "
    "in [data] does. Coefficients are given back for the columns as they are in the file.",
)
@click.option("--quiet", is_flag=True, help="No progress, and no summary.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a summary.")
@click.pass_context
def sweep(
    ctx: click.Context,
    plan: Path,
    out: Path | None,
    workers: int | None,
    dask: str | None,
    dry_run: bool,
    retry_failed: bool,
    standardise: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Run every task of PLAN, a TOML file, and gather what came of them in DIR.

    Results are on the disk as soon as they are there: ended at any moment, the same command goes on
    where it was. Tasks that are refused, because no result of the theory applies or the data have
    no solution, are rows of the table with the reason. Exit code 0: every task has a result, and no
    comparison disagrees.
    """
    from implicitbias import sweeps
    from implicitbias._errors import ImplicitBiasError

    if dask is not None and workers is not None:
        raise click.UsageError("--workers and --dask both say who works; give one of them.")
    read = sweeps.read_plan(plan, standardise=standardise)
    if dry_run:
        found = sweeps.estimate(read, sweeps.number_of(workers))
        _say_estimate(read, found, as_json)
        return
    if out is None:
        raise click.UsageError("--out DIR is needed, or --dry-run.")
    reached: list[SweepState] = []
    try:
        with _progress(quiet or as_json) as show:

            def report(state: SweepState) -> None:
                reached[:] = [state]
                show(state)

            result = sweeps.sweep(
                read,
                out,
                workers=workers,
                dask=dask,
                retry_failed=retry_failed,
                callback=report,
            )
    except (KeyboardInterrupt, OSError, ImplicitBiasError) as error:
        for state in reached:
            say(
                f"Stopped: {state.done} of {counted(state.total, 'task')} are finished and kept. "
                "The same command goes on from there.",
                err=True,
            )
        if isinstance(error, KeyboardInterrupt):
            ctx.exit(INTERRUPTED)
        raise
    if as_json:
        print_json(_as_json(result))
    elif not quiet:
        _say_result(result)
    ctx.exit(0 if result.complete else 1)


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[SweepState], None]]:
    """A line on stderr, on a terminal only: how much is done, and how long the rest will take."""
    if quiet or not watched(sys.stderr):
        yield lambda state: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        BarColumn(bar_width=None),
        TextColumn("{task.percentage:.1f} %"),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, expand=True) as screen:
        line = screen.add_task("starting", total=1)

        def show(state: SweepState) -> None:
            screen.update(line, completed=state.done, total=state.total, description=_left(state))

        yield show


def _left(state: SweepState) -> str:
    parts = ["estimating" if state.seconds_left is None else f"{_time(state.seconds_left)} left"]
    parts += [f"{state.refused} refused"] if state.refused else []
    parts += [f"{state.failed} failed"] if state.failed else []
    return ", ".join(parts)


def _time(seconds: float) -> str:
    """A time in at most two units."""
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if days else f"{hours} h {minutes} min"


def _say_estimate(plan: Plan, found: Estimate, as_json: bool) -> None:
    axes = {
        name: len({repr(point[key]) for point in points if key in point})
        for (table, _), points in zip(plan.tables.items(), plan.points, strict=True)
        for key in dict.fromkeys(key for point in points for key in point)
        if (name := f"{table}.{key}")
    }
    varying = {name: number for name, number in axes.items() if number > 1}
    if as_json:
        from implicitbias._results import plain

        print_json({"axes": varying} | plain(vars(found)))
        return
    say(f"{counted(found.num_tasks, 'task')} of {plan.verb}")
    for name, number in varying.items():
        say(f"  {name}: {number} values")
    who = counted(found.workers, "process").replace("processs", "processes")
    if not found.tried:
        say(f"No task ended within the trial; more than {_time(found.seconds)} on {who}.")
        return
    say(
        f"{counted(found.tried, 'task')} tried: {found.mean:.3g} s each ({found.least:.3g} to "
        f"{found.most:.3g}). All of them: about {_time(found.seconds)} on {who}, if every one has "
        "a core to itself."
    )


def _as_json(result: Sweep) -> dict[str, Any]:
    return {
        "folder": str(result.folder),
        "verb": result.verb,
        "tasks": result.num_tasks,
        "refused": result.num_refused,
        "failed": result.num_failed,
        "disagree": result.num_disagreeing,
        "damaged": result.num_damaged,
        "complete": result.complete,
        "files": list(result.files),
    }


def _say_result(result: Sweep) -> None:
    table = result.table
    say(str(result).split(", in ")[0])
    _print_groups(table)
    lost = table[table["status"] != "ok"]
    kinds = lost.groupby(["status", "error_type"], sort=False)
    for (status, kind), rows in list(kinds)[:LISTED]:
        first = rows.iloc[0]
        say(f"  {len(rows)} {status}: {kind}; task {first['task']}: {first['error']}")
    if len(kinds) > LISTED:
        say(f"  ... and {len(kinds) - LISTED} more kinds")
    say(f"Written to {result.folder}: {', '.join(result.files)}", err=True)


def _print_groups(table: Any) -> None:
    """The theorems that spoke, or the ways training ended, with the worst numbers of each."""
    from rich.table import Table

    key = "theorem" if "theorem" in table else "outcome"
    numbers = [
        name
        for name in ("certificate_worst", "certificate_error", "comparison_error", "residual")
        if name in table and table[name].notna().any()
    ]
    groups = table[table[key].notna()].groupby(key, sort=True)
    if not len(groups):
        return
    lines = Table(box=None, pad_edge=False)
    lines.add_column(key)
    lines.add_column("tasks", justify="right")
    for name in numbers:
        lines.add_column(f"worst {name.replace('_worst', '').replace('_', ' ')}", justify="right")
    for name, rows in groups:
        worst = [rows[number].max() for number in numbers]
        cells = ["-" if each != each else f"{each:.1e}" for each in worst]
        lines.add_row(str(name), str(len(rows)), *cells)
    console().print(lines)
