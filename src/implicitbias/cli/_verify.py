"""``implicitbias verify``: the table of all results."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from implicitbias.cli._printing import Progress, console, print_json

if TYPE_CHECKING:
    from implicitbias.verification import Check, Report, Row


@click.command(short_help="Check every result of the theory by simulation.")
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write arrays (.npz), a JSON manifest and a figure into DIR.",
)
@click.option("--only", default="", metavar="TEXT", help="Only rows that mention TEXT.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.pass_context
def verify(ctx: click.Context, out: Path | None, only: str, as_json: bool) -> None:
    """Hold every result of the theory against simulations, on real and synthetic data."""
    from threadpoolctl import threadpool_limits

    from implicitbias import report as reporting
    from implicitbias._errors import InvalidInputError
    from implicitbias.verification import CHECKS, select

    try:
        checks = select(CHECKS, only)
    except InvalidInputError as error:
        raise click.BadParameter(str(error), param_hint="--only") from None
    writing = nullcontext() if out is None else reporting.output_directory(out)
    # The matrices are small: several BLAS threads would only wait for each other.
    with threadpool_limits(limits=1, user_api="blas"), writing as scratch:
        report = _run(checks)
        if scratch is not None:
            click.echo("drawing and writing ...", err=True)
            reporting.save(report, scratch)
    if as_json:
        print_json(reporting.as_json(report))
    else:
        screen = console()
        screen.print(reporting.table(report))
        for line in [*reporting.notes(report), str(report)]:
            screen.print(line, soft_wrap=True)
    if out is not None:
        click.echo(f"Written to {out}", err=True)
    ctx.exit(0 if report.agrees else 1)


def _run(checks: tuple[Check, ...]) -> Report:
    from implicitbias.verification import run_checks

    progress = Progress()

    def started(index: int, check: Check) -> None:
        progress.say(f"{index + 1}/{len(checks)}  {check.title} ...")

    def finished(index: int, row: Row) -> None:
        if not row.agrees:
            progress.clear()
            click.echo(f"{index + 1}/{len(checks)}  {row.check.title}: DISAGREES", err=True)

    report = run_checks(checks, started=started, finished=finished)
    progress.clear()
    return report
