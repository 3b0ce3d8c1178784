"""``implicitbias explore``: limits, paths and training as one page with sliders."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from implicitbias._names import MAX_DEPTH, NETWORKS
from implicitbias.cli._model import build_data
from implicitbias.cli._options import (
    OPTIONS,
    PAGE_UNITS_OPTIONS,
    Names,
    data_options,
    with_options,
)
from implicitbias.cli._output import INTERCEPT, RefusedError
from implicitbias.cli._printing import Progress, quiet_option, say

if TYPE_CHECKING:
    from implicitbias.explorer import Explorer

DATASETS = ("diabetes", "digits", "wine", "breast_cancer", "iris")


def _options(command: Any) -> Any:
    return with_options(command, (*data_options(required=False), *PAGE_UNITS_OPTIONS))


@click.command(short_help="Write limits and training as one page with sliders.")
@_options
@click.option(
    "--dataset", type=Names(DATASETS), help="A data set that scikit-learn ships, in place of DATA."
)
@click.option(
    "--network",
    "networks",
    multiple=True,
    type=Names(NETWORKS),
    help="A network to include; may be given several times.  [default: all]",
)
@click.option(
    "--depth",
    "depths",
    multiple=True,
    type=click.IntRange(2, MAX_DEPTH),
    metavar="INTEGER",
    help="A number of layers to include; may be given several times.  [default: 2, 3 and 4, "
    "and 2 of tables with more than 20,000 cells]",
)
@click.option(
    "--training/--no-training",
    default=None,
    help="Regression: follow training with steps of finite size, too.  [default: where the table "
    "has at most 2,000 cells]",
)
@click.option(
    "--out",
    required=True,
    metavar="FILE.html",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the page to this file.",
)
@click.option(
    "--force", is_flag=True, help="Replace the file, too, if an earlier run did not write it."
)
@quiet_option
@click.pass_context
def explore(
    ctx: click.Context,
    dataset: str | None,
    networks: tuple[str, ...],
    depths: tuple[int, ...],
    training: bool | None,
    out: Path,
    force: bool,
) -> None:
    """Write one interactive page: sliders over limits, paths and training, all precomputed.

    DATA is a CSV, Parquet, Excel or .npz file, or - for standard input; without it and --dataset
    the page shows a regression and a classification in the plane. The page needs no other file, no
    server and no network. It takes about a minute; large tables have fewer settings by default.

    Example: implicitbias explore data.csv --target y --out page.html
    """
    from implicitbias._progress import told
    from implicitbias.explorer import explore as explored

    _check_file(out)
    progress, began = Progress(), time.monotonic()

    def report(done: int, total: int) -> None:
        progress.show(told(done / total, time.monotonic() - began))

    with _page(out, force) as scratch:
        page: Explorer = explored(
            **_problem(ctx, dataset),
            networks=networks or NETWORKS,
            depths=depths or None,
            training=training,
            callback=report,
        )
        progress.clear()
        scratch.write_text(page.html, encoding="utf-8")
    size = f"{out.stat().st_size / 1e6:.2f} MB"
    say(f"Written to {out}: {page.num_settings} settings, {size}. Open it in a browser.")


def _problem(ctx: click.Context, dataset: str | None) -> dict[str, Any]:
    """What is explored, under which names."""
    from implicitbias import datasets

    options = ctx.meta[OPTIONS]
    if options["data"] is not None and dataset is not None:
        raise click.UsageError("DATA and --dataset both say what to explore; give one of them.")
    if options["data"] is None:
        _refuse_options_of_data(ctx, dataset)
        if dataset is None:
            return {}
        title = f"Where training ends: {dataset.replace('_', ' ')}"
        found = datasets.load(dataset), datasets.names(dataset)
        return {"problem": found[0], "names": found[1], "title": title}
    if options["target"] is None:
        raise click.UsageError("Missing option '--target': the column to fit.")
    data = build_data(ctx, metric=True)
    names = list(data.table.names)
    regression = options["task"] == "regression"
    if not regression and options["intercept"]:
        names.append(INTERCEPT)
    return {
        "problem": data.problem,
        "names": names,
        "title": f"Where training ends: {data.title}",
        "intercept": data.intercept if regression else None,
    }


def _refuse_options_of_data(ctx: click.Context, dataset: str | None) -> None:
    """Options that say how DATA is read mean nothing without it."""
    from click.core import ParameterSource

    given = ParameterSource.COMMANDLINE
    kept = {"data", *ctx.params}
    for name in ctx.meta[OPTIONS]:
        if name not in kept and ctx.get_parameter_source(name) is given:
            what = f"--dataset {dataset}" if dataset else "no file"
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{option} is for DATA; there is {what}.")


def _check_file(out: Path) -> None:
    if out.suffix.lower() not in (".html", ".htm"):
        raise click.BadParameter(f"{out} must end in .html or .htm.", param_hint="--out")


@contextmanager
def _page(out: Path, force: bool) -> Iterator[Path]:
    """A scratch file that becomes ``out`` if all went well, unless somebody else's stands there."""
    from implicitbias.explorer import is_ours
    from implicitbias.report import replacing

    def check() -> None:
        if out.exists() and not force and not is_ours(out):
            raise RefusedError(
                f"{out} is there, and no earlier run of explore wrote it. Give another file, or "
                "--force to replace it."
            )

    check()
    with replacing(out) as scratch:
        yield scratch
        check()  # it may have come since
