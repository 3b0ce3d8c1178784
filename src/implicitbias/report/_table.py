"""A verification report as a table on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from implicitbias.verification import Report, Row

if TYPE_CHECKING:
    from rich.table import Table

WIDTH = 150  # columns into which every table fits
LEGEND = (
    "difference, residual, angle: between where training ended and the prediction; certified: what "
    "the prediction misses its own equations by; hold: the result's assumptions, as measured."
)


def table(report: Report) -> Table:
    """One line a row; what fits no column is in ``notes``."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    lines = Table(box=SIMPLE_HEAD, padding=(0, 1))
    lines.add_column("#", justify="right", no_wrap=True)
    lines.add_column("result", no_wrap=True)
    lines.add_column("network", min_width=14, overflow="fold")
    lines.add_column("data", min_width=12, overflow="fold")
    lines.add_column("n x d", justify="right", no_wrap=True)
    lines.add_column("assumptions", min_width=11, overflow="fold")
    lines.add_column("judged by", justify="right", no_wrap=True)
    lines.add_column("certificate", justify="right", no_wrap=True)
    lines.add_column("seconds", justify="right", no_wrap=True)
    lines.add_column("", no_wrap=True)
    for number, row in enumerate(report.rows, start=1):
        texts = map(Text, (str(number), *cells(row)))  # Text: brackets are no markup
        lines.add_row(*texts, style=None if row.agrees else "bold red")
    return lines


def cells(row: Row) -> tuple[str, ...]:
    """What the columns of a row say, after its number."""
    found, check = row.measured, row.check
    return (
        check.result,
        check.network,
        check.data,
        "-" if found is None or found.shape is None else "{} x {}".format(*found.shape),
        row.assumptions,
        "-" if found is None else found.judged,
        "-" if found is None else f"{found.certificate:.1e}",
        f"{row.seconds:.1f}",
        "agrees" if row.agrees else "DISAGREES" if found is not None else "FAILED",
    )


def lines(report: Report) -> list[str]:
    """Two lines a row, its title and its numbers, for screens narrower than the table."""
    found = []
    for number, row in enumerate(report.rows, start=1):
        *_, shape, assumptions, judged, certificate, seconds, verdict = cells(row)
        size = "" if shape == "-" else f", {shape}"
        found.append(f"{number:>2}  {row.check.title}{size}")
        numbers = f"{judged:<18}  certified {certificate:<8} {assumptions:<13} {seconds:>4} s"
        found.append(f"    {verdict:<9} {numbers}")
    return found


def notes(report: Report) -> list[str]:
    """What the columns do not say, one line a row that has something to add."""
    return [
        f"{number}  {row.check.result}: {'; '.join(filter(None, (*row.doubts, row.note)))}"
        for number, row in enumerate(report.rows, start=1)
        if row.doubts or row.note
    ]
