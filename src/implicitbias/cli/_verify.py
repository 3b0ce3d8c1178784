"""``implicitbias verify`` and ``report``: all results as a table, and as one page."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from implicitbias.cli._output import out_option, output
from implicitbias.cli._printing import Progress, console, print_json, quiet_option, say

if TYPE_CHECKING:
    from implicitbias.verification import Check, Report, Row


only_option = click.option(
    "--only", default="", metavar="TEXT", help="Only rows that mention TEXT."
)


@click.command(short_help="Check every result of the theory by simulation.")
@out_option("arrays (.npz), figures, a page (report.html) and a JSON manifest")
@only_option
@quiet_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.pass_context
def verify(ctx: click.Context, out: Path | None, force: bool, only: str, as_json: bool) -> None:
    """Hold every result of the theory against simulations, on real and synthetic data.

    A minute or two. Each row trains a network, predicts the end without training, and says what it
    is judged by: the difference of the two; or, where no flow reaches the end, the angle that is
    left and must fall as predicted.

    Example: implicitbias verify --only "Corollary 5" --out checks
    """
    from implicitbias import report as reporting

    checks, progress = _selected(only), Progress()
    with _one_thread(), output(out, force, reporting.FILES) as scratch:
        report = _run(checks, progress)
        if scratch is not None:
            progress.say("drawing and writing ...")
            with reporting.plain_style():
                reporting.save(report, scratch)
            progress.clear()
    if as_json:
        print_json(reporting.as_json(report))
    else:
        _print(report)
    ctx.exit(0 if report.agrees else 1)


@click.command("report", short_help="Write every result, with figures, as one HTML page.")
@click.argument(
    "file", default="implicitbias-report.html", type=click.Path(dir_okay=False, path_type=Path)
)
@only_option
@quiet_option
@click.pass_context
def report_page(ctx: click.Context, file: Path, only: str) -> None:
    """Check every result as verify does, and write one self-contained HTML page.

    FILE, implicitbias-report.html unless another is given, needs no network and no other file to be
    read.

    Example: implicitbias report checks.html
    """
    from implicitbias import report as reporting

    checks, progress = _selected(only), Progress()
    if file.suffix.lower() not in (".html", ".htm"):
        raise click.BadParameter(f"{file} must end in .html or .htm.", param_hint="FILE")
    with reporting.replacing(file) as scratch, _one_thread():
        report = _run(checks, progress)
        progress.say("drawing and writing ...")
        with reporting.plain_style():
            reporting.save_page(report, scratch)
        progress.clear()
    click.echo(str(report))
    say(f"Written to {file}", err=True)
    ctx.exit(0 if report.agrees else 1)


def _selected(only: str) -> tuple[Check, ...]:
    from implicitbias._errors import InvalidInputError
    from implicitbias.verification import CHECKS, select

    try:
        return select(CHECKS, only)
    except InvalidInputError as error:
        raise click.BadParameter(str(error), param_hint="--only") from None


def _one_thread() -> AbstractContextManager[Any]:
    """The matrices are small: several BLAS threads would only wait for each other."""
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[Any] = threadpool_limits(limits=1, user_api="blas")
    return limits


def _print(report: Report) -> None:
    """The table where it fits, else two lines a row; then the notes."""
    from implicitbias import report as reporting

    screen = console()
    if screen.width >= reporting.WIDTH:
        screen.print(reporting.table(report))
    else:
        for line in [*reporting.lines(report), reporting.LEGEND, ""]:
            say(line)
    for line in [*reporting.notes(report), str(report)]:
        say(line)


def _run(checks: tuple[Check, ...], progress: Progress) -> Report:
    from implicitbias.verification import run_checks

    began = time.monotonic()

    def started(index: int, check: Check) -> None:
        count = f"{index + 1}/{len(checks)}"
        if progress.watched and index:
            seconds = time.monotonic() - began
            left = seconds / index * (len(checks) - index)
            count += f"  {seconds:.0f} s, about {left:.0f} s left"
        progress.say(f"{count}  {check.title} ...")

    def finished(index: int, row: Row) -> None:
        if not row.agrees:
            progress.clear()
            click.echo(f"{index + 1}/{len(checks)}  {row.check.title}: DISAGREES", err=True)

    report = run_checks(checks, started=started, finished=finished)
    progress.clear()
    return report
