"""Results on disk: whole, or not at all."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from implicitbias._arrays import FloatArray
    from implicitbias.cli._model import Model

COEFFICIENTS, RESULT, FIGURE = "coefficients.csv", "result.json", "path.png"
INTERCEPT = "(intercept)"

out_option = click.option(
    "--out",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help=f"Write {COEFFICIENTS} and {RESULT} (certificate and verdicts) into DIR.",
)


@contextmanager
def output(out: Path | None) -> Iterator[Path | None]:
    """A scratch directory that becomes ``out`` if all went well; None where nothing is written."""
    from implicitbias.report import output_directory

    if out is None:
        yield None
        return
    with output_directory(out, (COEFFICIENTS, FIGURE, RESULT)) as scratch:
        yield scratch
    click.echo(f"Written to {out}", err=True)


def write(
    directory: Path, model: Model, result: dict[str, Any], columns: dict[str, FloatArray]
) -> None:
    """Write the result as JSON and the coefficients as a table, one line a feature.

    Parameters
    ----------
    columns
        Coefficient vectors by the names of their columns.
    """
    with (directory / COEFFICIENTS).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["column", *columns])
        for j, name in enumerate(model.table.names):
            writer.writerow([name, *_exact(beta[j] for beta in columns.values())])
        if model.intercept is not None:
            constants = (model.intercept(beta) for beta in columns.values())
            writer.writerow([INTERCEPT, *_exact(constants)])
    text = json.dumps(result, indent=2, allow_nan=False, ensure_ascii=False)
    (directory / RESULT).write_text(text + "\n", encoding="utf-8")


def _exact(numbers: Any) -> Sequence[str]:
    return [repr(float(number)) for number in numbers]
