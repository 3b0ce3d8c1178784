"""Results on disk: whole, or not at all."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from implicitbias.cli._printing import say

if TYPE_CHECKING:
    from implicitbias._arrays import FloatArray
    from implicitbias.cli._model import Model

COEFFICIENTS, RESULT, FIGURE = "coefficients.csv", "result.json", "path.png"
SAVED = "result.npz"
INTERCEPT = "(intercept)"

Command = TypeVar("Command", bound=Callable[..., Any])


class RefusedError(click.ClickException):
    """One sentence, and the exit code of a command that was not understood."""

    exit_code = 2


def out_option(what: str) -> Callable[[Command], Command]:
    """Add ``--out`` and ``--force``."""

    def add(command: Command) -> Command:
        out = click.option(
            "--out",
            metavar="DIR",
            type=click.Path(file_okay=False, path_type=Path),
            help=f"Write {what} into DIR.",
        )
        force = click.option(
            "--force",
            is_flag=True,
            help="Replace files in DIR, too, that an earlier run did not write.",
        )
        return out(force(command))

    return add


results_option = out_option(
    f"{COEFFICIENTS}, {RESULT} (certificate and verdicts) and {SAVED} (for implicitbias.load)"
)


@contextmanager
def output(
    out: Path | None, force: bool, names: Sequence[str], former: Sequence[str] = ()
) -> Iterator[Path | None]:
    """A scratch directory that becomes ``out`` if all went well; None where nothing is written.

    ``names`` may be written, ``former`` are results of other commands, deleted if these wrote them.
    """
    from implicitbias.report import ForeignFilesError, output_directory

    if out is None:
        if force:
            raise click.UsageError("--force is for --out DIR.")
        yield None
        return
    try:
        with output_directory(out, names, former=former, force=force) as scratch:
            yield scratch
    except ForeignFilesError as error:
        raise RefusedError(str(error)) from None
    say(f"Written to {out}", err=True)


def write(
    directory: Path,
    model: Model,
    result: Any,
    summary: dict[str, Any],
    columns: Sequence[tuple[str, FloatArray]],
) -> None:
    """Write the result whole, its summary as JSON and the coefficients as a table.

    Parameters
    ----------
    columns
        Names and coefficient vectors; names may be alike. The table has them in its own units.
    """
    from implicitbias.serialization import save

    with (directory / COEFFICIENTS).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["column", *(name for name, _ in columns)])
        given = [model.own(beta) for _, beta in columns]
        for j, name in enumerate(model.table.names):
            writer.writerow([name, *_exact(beta[j] for beta in given)])
        if model.intercept is not None:
            constants = (model.intercept(beta) for _, beta in columns)
            writer.writerow([INTERCEPT, *_exact(constants)])
    text = json.dumps(summary, indent=2, allow_nan=False, ensure_ascii=False)
    (directory / RESULT).write_text(text + "\n", encoding="utf-8")
    save(result, directory / SAVED)


def _exact(numbers: Any) -> Sequence[str]:
    return [repr(float(number)) for number in numbers]
