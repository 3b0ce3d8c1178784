"""The figures of a report, drawn from its rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from implicitbias.report._plane import draw_trajectories
from implicitbias.verification import AGREEMENT, Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from implicitbias.plotting import MarginRun

FIGURE_RESULT = "Corollary 5"  # the rows whose limits the figure follows along the scale
FIGURE_SCALES = np.geomspace(1e-6, 1e4, 51)
PLANE_RESULTS = {"Corollary 5", "Corollary 2"}  # one of either task
NEAR, FAR = 10.0, 500.0  # log10 of the margins that the panels of the other figure end at


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


@contextmanager
def plain_style() -> Iterator[None]:
    """Draw alike for everyone: a user's own matplotlibrc, and glyphs no font has, do not matter."""
    from matplotlib import style

    with style.context("default"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from")
        yield


def flow_ends(report: Report) -> dict[int, list[tuple[float, Any]]]:
    """By depth, the pairs (scale, beta at the flow's end) of the rows the figure shows."""
    ends: dict[int, list[tuple[float, Any]]] = {}
    for row in report.rows:
        if row.check.result == FIGURE_RESULT and row.measured is not None:
            settings = row.measured.settings
            pair = (settings["scale"], row.measured.arrays["flow"])
            ends.setdefault(int(settings["depth"]), []).append(pair)
    return ends


def draw_summary(report: Report, file: Path) -> bool:
    """Draw every row's error and certificate on one logarithmic axis."""
    from matplotlib import rc_context

    from implicitbias import plotting
    from implicitbias.verification import Row

    def number(row: Row, kind: str) -> float:
        found = row.measured
        if found is None:
            return float("nan")
        if kind == "certificate":
            return found.certificate
        return found.error if bool(found.closings) is (kind == "angle") else float("nan")

    kinds = {
        "error of a limit": "error",
        "what is left to a direction": "angle",
        "certificate": "certificate",
    }
    columns = {
        label: np.array([number(row, kind) for row in report.rows]) for label, kind in kinds.items()
    }
    traces = plotting.SummaryTraces(
        tuple(f"{i}  {row.check.result}" for i, row in enumerate(report.rows, start=1)),
        {label: values for label, values in columns.items() if not np.isnan(values).all()},
        AGREEMENT,
    )
    figure = new_figure((7.5, 1.2 + 0.2 * len(report.rows)))
    plotting.summary(traces, ax=figure.subplots())
    with rc_context({"svg.hashsalt": "implicitbias"}):  # the same file each time
        figure.savefig(file, metadata={"Date": None})
    return True


def draw_plane(report: Report, file: Path) -> bool:
    """Draw the trajectories of two-dimensional problems, for whole reports only."""
    results = {row.check.result for row in report.rows}
    if not results >= PLANE_RESULTS:
        return False
    figure = new_figure((10.5, 9.0))
    draw_trajectories(figure)
    figure.savefig(file, dpi=120, bbox_inches="tight")
    return True


@dataclass(frozen=True)
class ReportFigure:
    """A figure that a report may have.

    Attributes
    ----------
    file
        What it is called on disk.
    title, caption
        What the page says above and below it.
    draw
        Draws it into a file; False, with nothing written, where the rows it needs are not there.
    """

    file: str
    title: str
    caption: str
    draw: Callable[[Report, Path], bool]


FIGURES = (
    ReportFigure(
        "summary.svg",
        "Every number at a glance",
        "Errors and certificates should stand left of the dashed line. What is left to a direction "
        "is an angle in radians (for Theorem 1 a residual): no flow reaches a direction, and the "
        "row agrees when the angle falls as predicted. Exact zeros stand at the left end.",
        draw_summary,
    ),
    ReportFigure(
        "trajectories.png",
        "Trajectories in the plane",
        "The coefficients of two-dimensional problems, trained by three families of networks from "
        "the same start at three scales (rings). Above, regression on one point: the grey line "
        "holds all global minima, filled markers are predicted limits, the hollow one is the limit "
        "of ever smaller scales, which deeper fully connected networks reach only then. Below, "
        "classification of two points: radii are drawn as asinh of the length, so that straight "
        "lines through the origin are directions, and markers are predicted directions.",
        draw_plane,
    ),
    ReportFigure(
        "scale-path-diabetes.png",
        "Where training ends, by the scale of the initialization",
        "Curves are predicted limits, without any training; black rings are the ends of simulated "
        "flows. The ends of the path stand to either side.",
        draw,
    ),
    ReportFigure(
        "margin-paths.png",
        "How classifiers approach their directions",
        "The angle between the classifier and the predicted direction against the margin, near and "
        "far, and the normalised margin relative to the predicted one.",
        draw_margins,
    ),
)
