"""The figures of a sweep: data first, then what draws them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias._errors import InvalidInputError
from implicitbias._verdicts import CERTIFIED
from implicitbias.plotting import COLOURS, MARKERS
from implicitbias.report import new_figure, plain_style
from implicitbias.sweeps._folder import replacing_whole
from implicitbias.sweeps._plan import Plan
from implicitbias.sweeps._table import column, measures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MEASURES, CERTIFICATES = "measures.png", "certificates.png"
CHOICE = ("truth_error", "comparison_error", "distance", "l1", "num_nonzero", "num_steps")
PANELS = 4
MOST_CURVES = len(COLOURS)
SPAN = 30.0  # ratio of the largest to the smallest from which an axis is logarithmic
FEW = 50  # tasks that are marked one by one
TICKS = 5  # of a linear axis, at most
FURTHEST = 1e100  # from here, and its inverse, an axis shows decades
SMALLEST = 1e-18  # where exact zeros are drawn

NAMES = {
    "truth_error": "error against the truth",
    "comparison_error": "error, training against limit",
    "distance": "distance to the flow's limit",
    "l1": "l1 norm",
    "l2": "l2 norm",
    "num_nonzero": "coefficients that are not small",
    "num_steps": "steps",
}


@dataclass(frozen=True, eq=False)
class Curve:
    """A measure along x: of the tasks at each x, the median and the range.

    Attributes
    ----------
    label
        The value of the key that colours stand for, or "".
    x, median, low, high
        (k,) each.
    """

    label: str
    x: FloatArray
    median: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, eq=False)
class SweepTraces:
    """What the figure of a sweep shows.

    Attributes
    ----------
    x, colour
        The keys of the plan along the axis and by colour; "" where nothing varies.
    words
        What the numbers along x stand for where they are no numbers, else ().
    panels
        The curves of each measure, by its name.
    over
        The other keys that vary, over which medians and ranges are taken.
    left_out
        The number of results that no axis shows: at scale 0 or infinity.
    """

    x: str
    colour: str
    words: tuple[str, ...]
    panels: dict[str, list[Curve]]
    over: tuple[str, ...]
    left_out: int


def sweep_traces(plan: Plan, table: Any) -> SweepTraces | None:
    """Choose axes by what varies, as far as the plan does not say; None where nothing does.

    Raises
    ------
    InvalidInputError
        The plan asks for a measure that is no number in the table.
    """
    table = table[table["status"] == "ok"]
    varying = [name for name in plan.columns() if table[column(name)].nunique() > 1]
    x, colour = _chosen(plan, table, varying)
    if not x:
        return None
    places, words = _places(table[column(x)])
    shown = np.isfinite(places) & ((places > 0.0) | (x != "start.scale"))
    panels = {}
    for name in _measured(plan, table):
        curves = _curves(table[shown], places[shown], name, colour)
        if curves:
            panels[name] = curves
    over = tuple(name for name in varying if name not in (x, colour))
    return SweepTraces(x, colour, words, panels, over, int(np.count_nonzero(~shown)))


def _chosen(plan: Plan, table: Any, varying: list[str]) -> tuple[str, str]:
    """The key along x: a number with the most values; and by colour: the next with few."""
    sizes = {name: int(table[column(name)].nunique()) for name in varying}
    drawn = [name for name in varying if not name.endswith(".seed")] or varying
    numbers = [name for name in drawn if _is_number(table[column(name)])]
    x = plan.figure.get("x") or max(numbers or drawn, key=lambda name: sizes[name], default="")
    few = [name for name in drawn if name != x and sizes[name] <= MOST_CURVES]
    colour = plan.figure.get("colour") or max(few, key=lambda name: sizes[name], default="")
    return x, colour if colour != x else ""


def _is_number(values: Any) -> bool:
    return values.dtype.kind in "if"


def _places(values: Any) -> tuple[FloatArray, tuple[str, ...]]:
    """Where values stand along an axis, and their words where they are no numbers."""
    if _is_number(values):
        return values.astype("float64").to_numpy(na_value=np.nan), ()
    words = tuple(dict.fromkeys(values.dropna().astype(str)))
    places = {word: float(place) for place, word in enumerate(words)}
    return np.array([places.get(str(value), np.nan) for value in values]), words


def _measured(plan: Plan, table: Any) -> list[str]:
    numbers = [name for name, kind in measures(plan).items() if kind in ("float64", "Int64")]
    asked = plan.figure.get("y")
    if asked is None:
        there = [name for name in CHOICE if name in numbers and table[name].notna().any()]
        return there[:PANELS]
    for name in asked:
        if name not in numbers:
            raise InvalidInputError(
                f"[figure] y is {name!r}; expected one of {', '.join(numbers)}."
            )
    return list(asked)


def _curves(table: Any, places: FloatArray, name: str, colour: str) -> list[Curve]:
    values = table[name].astype("float64").to_numpy(na_value=np.nan)
    groups = table[column(colour)].to_list() if colour else [""] * len(values)
    labels = np.array([_label(each) for each in groups], dtype=object)
    curves = []
    for label in dict.fromkeys(map(_label, _sorted(set(groups)))):
        kept = np.isfinite(values) & (labels == label)
        xs = np.unique(places[kept])
        if xs.size:
            sets = [values[kept & (places == x)] for x in xs]
            curves.append(Curve(label, xs, *_spread(sets)))
    return curves


def _sorted(values: set[Any]) -> list[Any]:
    """Numbers by size, words by the alphabet, what is missing last."""
    there = [value for value in values if not _is_missing(value)]
    return [*sorted(there), *(value for value in values if _is_missing(value))]


def _label(value: Any) -> str:
    if _is_missing(value):
        return "not given"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _is_missing(value: Any) -> bool:
    import pandas

    return bool(pandas.isna(value))


def _spread(sets: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray, FloatArray]:
    median = np.array([np.median(each) for each in sets])
    low, high = (np.array([end(each) for each in sets]) for end in (np.min, np.max))
    return median, low, high


def draw(plan: Plan, table: Any, folder: Path, *, anew: bool) -> list[str]:
    """Draw what there is to see, or was asked for since, and return the names of the files."""
    figures: dict[str, Callable[[], Any]] = {}
    traces = sweep_traces(plan, table)
    if traces is not None and traces.panels:
        figures[MEASURES] = partial(_measures, traces, plan)
    if "certificate_worst" in table and table["certificate_worst"].notna().any():
        figures[CERTIFICATES] = partial(_certificates, table)
    for name, figure in figures.items():
        chosen = name == MEASURES and plan.figure
        if anew or chosen or not (folder / name).exists():
            with plain_style(), replacing_whole(folder / name) as stream:
                figure().savefig(stream, dpi=150, format="png")
    return list(figures)


def _measures(traces: SweepTraces, plan: Plan) -> Any:
    count = len(traces.panels)
    columns = count if count <= 3 else 2
    rows = -(-count // columns)
    figure = new_figure((1.2 + 4.4 * columns, 1.0 + 3.2 * rows))
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in panels[count:]:
        ax.set_axis_off()
    for ax, (name, curves) in zip(panels, traces.panels.items(), strict=False):
        draw_curves(traces, name, curves, ax)
    labels = [curve.label for curve in next(iter(traces.panels.values()))]
    if traces.colour and labels:
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(
            handles,
            names,
            title=traces.colour,
            loc="outside lower center",
            ncols=min(len(names), 6),
            frameon=False,
        )
    text = f"{plan.verb}: {len(plan)} tasks"
    if traces.over:
        text += f"; lines: median, shades: range over {', '.join(traces.over)}"
    if traces.left_out:
        text += f"; {traces.left_out} at the ends of the scale not shown"
    figure.suptitle(_wrapped(text), fontsize="medium")
    return figure


def _wrapped(text: str) -> str:
    from textwrap import fill

    return fill(text, 90)


def draw_curves(traces: SweepTraces, name: str, curves: Sequence[Curve], ax: Axes) -> Axes:
    """Draw the curves of one measure on ``ax``."""
    along = "linear" if traces.words else _scale([curve.x for curve in curves])
    up = _scale([each for curve in curves for each in (curve.low, curve.high)])
    for rank, curve in enumerate(curves):
        colour = COLOURS[rank % len(COLOURS)]
        marker = MARKERS[rank % len(MARKERS)]
        x = _on(along, curve.x)
        low, median, high = (_on(up, each) for each in (curve.low, curve.median, curve.high))
        joined = "none" if traces.words else "-"
        label = curve.label or None
        ax.plot(x, median, color=colour, marker=marker, ms=4, linestyle=joined, label=label)
        if traces.words:
            ax.vlines(x, low, high, color=colour, alpha=0.5)
        else:
            ax.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
    ax.set_xscale("log" if along == "log" else "linear")
    ax.set_yscale("log" if up == "log" else "linear")
    if traces.words:
        ax.set_xticks(range(len(traces.words)), traces.words)
        ax.margins(x=0.1)
    elif along != "log":
        ax.locator_params(axis="x", nbins=TICKS)
    ax.set_xlabel(f"{'log10 of ' * (along == 'decades')}{traces.x}")
    ax.set_ylabel(f"{'log10 of ' * (up == 'decades')}{NAMES.get(name, name.replace('_', ' '))}")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    return ax


def _scale(arrays: Sequence[FloatArray]) -> str:
    """The word "linear", "log", or "decades" for numbers near the ends of float64."""
    smallest = min(float(each.min()) for each in arrays)
    largest = max(float(each.max()) for each in arrays)
    if smallest <= 0.0 or largest / SPAN <= smallest:
        return "linear"
    return "log" if smallest > FURTHEST**-1 and largest < FURTHEST else "decades"


def _on(scale: str, values: FloatArray) -> FloatArray:
    """Values as they are drawn: by their decades where matplotlib would leave float64."""
    return np.log10(values) if scale == "decades" else values


def _certificates(table: Any) -> Any:
    """All certificates from the best to the worst: all should stand below the line."""
    figure = new_figure((7.5, 4.0))
    ax = figure.subplots()
    parts = (("certificate_worst", "-", 1.8), ("feasibility", "--", 1.2))
    exact = False
    for rank, (name, style, width) in enumerate(parts):
        values = np.sort(table[name].dropna().to_numpy())
        exact = exact or bool((values < SMALLEST).any())
        ax.plot(
            100.0 * np.arange(1, values.size + 1) / values.size,
            np.maximum(values, SMALLEST),
            color=COLOURS[rank],
            linestyle=style,
            linewidth=width,
            drawstyle="steps-pre",
            marker="." if values.size <= FEW else "",
            label=f"{name.removeprefix('certificate_')}, {values.size} tasks",
        )
    ax.axhline(CERTIFIED, color="black", linewidth=0.8, linestyle=":", label="largest that counts")
    ax.set_yscale("log")
    ax.set_xlim(0.0, 100.0)
    ax.set_xlabel("tasks, from the best certified to the worst [%]")
    ax.set_ylabel(f"certificate{' (exact zeros at 1e-18)' * exact}")
    ax.legend(frameon=False, fontsize="small")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    return figure
