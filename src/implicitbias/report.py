"""A verification report as a table, as JSON, and as files on disk."""

from __future__ import annotations

import json
import math
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from implicitbias import __version__
from implicitbias._verdicts import Verdict
from implicitbias.comparison import Closing
from implicitbias.limits import Certificate
from implicitbias.verification import Report, Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.table import Table

    from implicitbias.plotting import MarginRun

ARRAYS, MANIFEST, FIGURE = "arrays.npz", "manifest.json", "scale-path-diabetes.png"
MARGIN_FIGURE = "margin-paths.png"
PACKAGES = ("numpy", "scipy", "scikit-learn", "threadpoolctl", "matplotlib")
FIGURE_RESULT = "Corollary 5"  # the rows whose limits the figure follows along the scale
FIGURE_SCALES = np.geomspace(1e-6, 1e4, 71)
NEAR, FAR = 10.0, 500.0  # log10 of the margins that the panels of the other figure end at


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
    lines.add_column("flow vs prediction", justify="right", min_width=10, overflow="fold")
    lines.add_column("certificate", justify="right", no_wrap=True)
    lines.add_column("seconds", justify="right", no_wrap=True)
    lines.add_column("", no_wrap=True)
    for number, row in enumerate(report.rows, start=1):
        cells = map(Text, (str(number), *_cells(row)))  # Text: brackets are no markup
        lines.add_row(*cells, style=None if row.agrees else "bold red")
    return lines


def _cells(row: Row) -> tuple[str, ...]:
    found, check = row.measured, row.check
    return (
        check.result,
        check.network,
        check.data,
        "-" if found is None or found.shape is None else "{} x {}".format(*found.shape),
        row.assumptions,
        "-" if found is None else f"{found.error:.1e}",
        "-" if found is None else f"{found.certificate:.1e}",
        f"{row.seconds:.1f}",
        "agrees" if row.agrees else "DISAGREES" if found is not None else "FAILED",
    )


def notes(report: Report) -> list[str]:
    """What the columns do not say, one line a row that has something to add."""
    return [
        f"{number}  {row.check.result}: {row.note}"
        for number, row in enumerate(report.rows, start=1)
        if row.note
    ]


def as_json(report: Report) -> dict[str, Any]:
    """The report as what ``json.dumps`` takes."""
    return {
        "agrees": report.agrees,
        "seconds": round(report.seconds, 3),
        "rows": [_row_as_json(number, row) for number, row in enumerate(report.rows, start=1)],
    }


def _row_as_json(number: int, row: Row) -> dict[str, Any]:
    found = row.measured
    entry: dict[str, Any] = {
        "number": number,
        "result": row.check.result,
        "network": row.check.network,
        "data": row.check.data,
        "agrees": row.agrees,
        "seconds": round(row.seconds, 3),
        "note": row.note,
    }
    if found is None:
        return entry
    return entry | {
        "shape": found.shape,
        "settings": dict(found.settings),
        "assumptions": [verdict_as_json(verdict) for verdict in found.assumptions],
        "error": finite_or_text(found.error),
        "certificate": finite_or_text(found.certificate),
        "arrays": {name: _key(number, name) for name in found.arrays},
        "closings": [closing_as_json(closing) for closing in found.closings],
    }


def verdict_as_json(verdict: Verdict) -> dict[str, Any]:
    """A verdict as what ``json.dumps`` takes."""
    return {
        "assumption": verdict.assumption,
        "status": verdict.status,
        "value": finite_or_text(verdict.value),
        "detail": verdict.detail,
    }


def closing_as_json(closing: Closing) -> dict[str, Any]:
    """How a flow approaches a direction as what ``json.dumps`` takes."""
    return {
        "angle": finite_or_text(closing.angle),
        "exponent": finite_or_text(closing.exponent),
        "settled": closing.settled,
        "rate": None if closing.rate is None else finite_or_text(closing.rate),
    }


def certificate_as_json(certificate: Certificate) -> dict[str, Any]:
    """A certificate as what ``json.dumps`` takes; null where a number does not apply."""
    numbers = {
        "feasibility": certificate.feasibility,
        "gap": certificate.gap,
        "kkt_residual": certificate.kkt_residual,
        "worst": certificate.worst,
    }
    return {
        name: None if number is None else finite_or_text(number) for name, number in numbers.items()
    }


def finite_or_text(value: float) -> float | str:
    """A number; "inf", "-inf" or "nan" where JSON has none."""
    return float(value) if math.isfinite(value) else str(float(value))


def _key(number: int, name: str) -> str:
    return f"row {number:02d} {name}"


@contextmanager
def output_directory(directory: Path) -> Iterator[Path]:
    """A scratch directory beside ``directory``, published there if all went well.

    A new directory appears whole, by one rename. In an existing one the files of an earlier report
    are replaced one by one, the manifest last, and other files are left alone. Nothing half-written
    stays behind if anything raises before that.

    Raises
    ------
    OSError
        The directory cannot be written; raised before the work is done, not after.
    """
    directory = directory.absolute()
    directory.parent.mkdir(parents=True, exist_ok=True)
    scratch = directory.parent / f".{directory.name}-{uuid4().hex[:8]}"
    scratch.mkdir()
    try:
        yield scratch
        if directory.exists():
            _replace_files(scratch, directory)
        else:
            scratch.rename(directory)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _replace_files(scratch: Path, directory: Path) -> None:
    for name in (ARRAYS, FIGURE, MARGIN_FIGURE, MANIFEST):
        if (scratch / name).exists():
            os.replace(scratch / name, directory / name)
        else:
            (directory / name).unlink(missing_ok=True)


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """A scratch file that takes the place of ``file`` if all went well."""
    scratch = file.with_name(f".{uuid4().hex[:8]}-{file.name}")
    try:
        yield scratch
        os.replace(scratch, file)
    finally:
        scratch.unlink(missing_ok=True)


def save(report: Report, directory: Path) -> list[str]:
    """Write arrays, figures (where their rows were run) and the manifest; return the names."""
    arrays: dict[str, Any] = {
        _key(number, name): array
        for number, row in enumerate(report.rows, start=1)
        if row.measured is not None
        for name, array in row.measured.arrays.items()
    }
    np.savez_compressed(directory / ARRAYS, **arrays)
    files = [ARRAYS]
    if draw(report, directory / FIGURE):
        files.append(FIGURE)
    if draw_margins(report, directory / MARGIN_FIGURE):
        files.append(MARGIN_FIGURE)
    manifest = {
        **as_json(report),
        "versions": {"implicitbias": __version__, "python": platform.python_version()}
        | {name: metadata.version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "threads": threads(),
        "command": ["implicitbias", *sys.argv[1:]],
        "files": {name: sha256((directory / name).read_bytes()).hexdigest() for name in files},
    }
    text = json.dumps(manifest, indent=2, allow_nan=False)
    (directory / MANIFEST).write_text(text + "\n", encoding="utf-8")
    return [*files, MANIFEST]


def threads() -> dict[str, Any]:
    """The CPU count and the threads of each numerical library."""
    from threadpoolctl import threadpool_info

    return {
        "cpus": os.cpu_count(),
        "pools": [
            {key: pool.get(key) for key in ("internal_api", "version", "num_threads")}
            for pool in threadpool_info()
        ],
    }


def draw(report: Report, file: Path) -> bool:
    """Draw the limits on diabetes along the scale, one panel a depth, with the flows' ends.

    Returns
    -------
    bool
        False, with nothing drawn, where the rows it needs were not run or failed.
    """
    ends = flow_ends(report)
    if not ends:
        return False
    from implicitbias import datasets, plotting
    from implicitbias.networks import DiagonalNetwork
    from implicitbias.theorems import limit_path

    problem = datasets.diabetes()
    names = datasets.diabetes_names()
    d = problem.num_features
    scales = [0.0, *FIGURE_SCALES, np.inf]
    depths = sorted(ends)
    paths = [
        limit_path(DiagonalNetwork(d, L), problem, [np.ones(d)] * (L - 1) + [np.zeros(d)], scales)
        for L in depths
    ]
    # The same coefficients in the same colours in every panel: the largest of the first.
    shown = [trace.index for trace in plotting.scale_path_traces(paths[0]).shown]
    figure = new_figure((2.2 + 3.6 * len(ends), 4.6))
    panels = figure.subplots(1, len(ends), sharey=True, squeeze=False)[0]
    for ax, depth, path in zip(panels, depths, paths, strict=True):
        last = ax is panels[-1]
        plotting.scale_path(path, flows=ends[depth], ax=ax, shown=shown, names=names, legend=last)
        ax.set_title(f"L = {depth}", fontsize="medium")
        ax.label_outer()
    figure.suptitle(
        f"Where gradient flow ends: diagonal networks of depth L on diabetes ({problem.num_points} "
        f"× {d})",
        fontsize="medium",
    )
    figure.savefig(file, dpi=150)
    return True


def draw_margins(report: Report, file: Path) -> bool:
    """Draw how directions are approached: angles up to two margins, and normalised margins.

    Returns
    -------
    bool
        False, with nothing drawn, where no row it needs was run and succeeded.
    """
    from implicitbias import plotting

    runs = margin_runs(report)
    if not runs:
        return False
    figure = new_figure((15.5, 4.8))
    panels = figure.subplots(1, 3)
    plotting.margin_path(runs, ax=panels[0], until=NEAR, legend=False)
    if any(run.log_margins[-1] > NEAR * np.log(10) for run in runs):
        plotting.margin_path(runs, ax=panels[1], until=FAR, beyond=1.01 * NEAR, legend=False)
    else:
        panels[1].set_axis_off()
    plotting.margin_path(runs, quantity="normalised margin", ax=panels[2], until=NEAR)
    titles = ("Angles; dotted: predicted slopes", "Those followed further", "Normalised margins")
    for ax, title in zip(panels, titles, strict=True):
        ax.set_title(title, fontsize="medium")
    figure.savefig(file, dpi=150)
    return True


def margin_runs(report: Report) -> list[MarginRun]:
    """The rows of the figure on margins, as flows and the directions predicted for them."""
    from implicitbias.plotting import MarginRun

    runs = []
    for row in report.rows:
        if row.measured is None or "log10 margins" not in row.measured.arrays:
            continue
        arrays, settings = row.measured.arrays, row.measured.settings
        runs.append(
            MarginRun(
                f"{row.check.network}; {row.check.data}",
                arrays["directions"],
                arrays["log10 margins"] * np.log(10),
                arrays["limit"],
                settings["rate"] if np.isfinite(settings["rate"]) else None,
                settings["norm power"],
                bool(settings.get("fourier")),
            )
        )
    return runs


def new_figure(size: tuple[float, float]) -> Figure:
    """An empty figure of (width, height) inches that needs no display and no pyplot."""
    from matplotlib.figure import Figure

    return Figure(figsize=size, layout="constrained")


def flow_ends(report: Report) -> dict[int, list[tuple[float, Any]]]:
    """By depth, the pairs (scale, beta at the flow's end) of the rows the figure shows."""
    ends: dict[int, list[tuple[float, Any]]] = {}
    for row in report.rows:
        if row.check.result == FIGURE_RESULT and row.measured is not None:
            settings = row.measured.settings
            pair = (settings["scale"], row.measured.arrays["flow"])
            ends.setdefault(int(settings["depth"]), []).append(pair)
    return ends
