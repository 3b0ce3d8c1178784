"""What matplotlib's artists show, as plain data: their own numbers, and how they look."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import Collection, LineCollection, PathCollection, PolyCollection
from matplotlib.colors import to_hex, to_rgba
from matplotlib.lines import AxLine, Line2D
from matplotlib.markers import MarkerStyle
from matplotlib.patches import Polygon, StepPatch
from matplotlib.path import Path
from matplotlib.quiver import Quiver
from matplotlib.text import Annotation, Text

from implicitbias._errors import InvalidInputError
from implicitbias.plotting._contrast import on_dark
from implicitbias.plotting._style import SILENT
from implicitbias.plotting._words import plain

PATTERNS: dict[str, list[float] | None] = {  # in line widths; None draws nothing
    "solid": [],
    "dashed": [3.7, 1.6],
    "dashdot": [6.4, 1.6, 1.0, 1.6],
    "dotted": [1.0, 1.65],
    "none": None,
}
ANCHORS = {"left": "start", "center": "middle", "right": "end"}
NAMES = {"-": "solid", "--": "dashed", "-.": "dashdot", ":": "dotted"}
LETTERS = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C"}
NUMBERED = re.compile(r"_child\d+")  # what matplotlib calls artists without a label


def carried(artist: Artist, ax: Axes, label: str) -> dict[str, Any] | None:
    """An artist as data under its label; None for an empty text.

    Raises
    ------
    InvalidInputError
        No page carries it.
    """
    kind = next(each for each in type(artist).__mro__ if each in CARRIERS)
    carrier = CARRIERS[kind]
    if carrier is None:
        raise refused(artist)
    made = carrier(artist, ax)
    if made is None:
        return None
    group = None if label == SILENT else _name(label)
    alpha = artist.get_alpha()
    opacity = {} if alpha is None else {"opacity": float(np.ravel(alpha)[0])}
    return {"group": group, "named": label[:1] not in ("", "_"), **opacity, **made}


def _name(label: str) -> str:
    return "" if NUMBERED.fullmatch(label) else plain(label.removeprefix("_"))


def refused(artist: Artist, why: str = "") -> InvalidInputError:
    """An artist that no page carries."""
    return InvalidInputError(
        f"the figure has an artist of the kind {type(artist).__name__}{why}, which no page "
        "carries; expected lines, points, steps, areas, arrows and texts. Remove it, or keep the "
        "static figure."
    )


def _line(artist: Line2D, ax: Axes) -> dict[str, Any]:
    x, y = artist.get_xdata(orig=False), artist.get_ydata(orig=False)
    style: dict[str, Any] = {
        "stroke": colours(artist.get_color()),
        "width": float(artist.get_linewidth()),
        "dash": _pattern(artist.get_linestyle()),
    }
    across, up = artist.get_transform().contains_branch_seperately(ax.transData)
    if not (across and up):
        return _rule(artist, ax, style)
    if artist.get_transform() != ax.transData:
        raise refused(artist, " shifted beside its numbers")
    step = artist.get_drawstyle().removeprefix("steps").removeprefix("-") or "pre"
    if artist.get_drawstyle() != "default":
        style["step"] = step
    shape = _marker(artist)
    return {"kind": "line", "x": numbers(x), "y": numbers(y), **style, **shape}


def _marker(line: Line2D) -> dict[str, Any]:
    marker = MarkerStyle(line.get_marker())
    path = marker.get_path().transformed(marker.get_transform())
    if not np.size(path.vertices):
        return {}
    filled = marker.is_filled()
    return {
        "marker": {
            "shape": outline(path, line.get_markersize()),
            "fill": colours(line.get_markerfacecolor()) if filled else None,
            "edge": colours(line.get_markeredgecolor()),
            "width": float(line.get_markeredgewidth()),
        }
    }


def _rule(line: Line2D, ax: Axes, style: dict[str, Any]) -> dict[str, Any]:
    """A line along a whole axis, as ``axhline`` and ``axvline`` draw it."""
    x, y = np.ravel(line.get_xdata(orig=False)), np.ravel(line.get_ydata(orig=False))
    for which, transform, at, along in (
        ("y", ax.get_yaxis_transform(which="grid"), y, x),
        ("x", ax.get_xaxis_transform(which="grid"), x, y),
    ):
        if line.get_transform() == transform and np.ptp(at) == 0.0:
            span = [float(along[0]), float(along[-1])]
            return {"kind": "rule", "along": which, "at": float(at[0]), "span": span, **style}
    raise refused(line, " in coordinates of the axes")


def _steps(artist: StepPatch, ax: Axes) -> dict[str, Any]:
    values, edges, baseline = artist.get_data()
    if baseline is not None or artist.get_fill() or artist.orientation != "vertical":
        raise refused(artist, " with a baseline, an area or on its side")
    return {
        "kind": "line",
        "x": numbers(edges),
        "y": numbers([*values, values[-1]]),
        "step": "post",
        "stroke": colours(artist.get_edgecolor()),
        "width": float(artist.get_linewidth()),
        "dash": _pattern(artist.get_linestyle()),
    }


def _lines(artist: LineCollection, ax: Axes) -> dict[str, Any]:
    _check_place(artist, artist.get_transform(), ax)
    x, y = _joined(artist.get_segments())
    given: Any = artist.get_linestyle()
    pattern = given[0][1]
    width = float(np.ravel(artist.get_linewidth())[0])
    return {
        "kind": "line",
        "x": x,
        "y": y,
        "stroke": _only(artist, "edgecolor"),
        "width": width,
        "dash": [] if pattern is None else [float(part) / width for part in pattern],
    }


def _scattered(artist: PathCollection, ax: Axes) -> dict[str, Any]:
    _check_place(artist, artist.get_offset_transform(), ax)
    offsets = np.ma.filled(np.ma.asarray(artist.get_offsets(), dtype=np.float64), np.nan)
    sizes, paths = np.unique(artist.get_sizes()), artist.get_paths()
    if len(sizes) > 1 or len(paths) > 1:
        raise refused(artist, " of several sizes or shapes")
    size = float(np.sqrt(sizes[0])) if len(sizes) else 6.0
    marker = {
        "shape": outline(paths[0], size),
        "fill": _only(artist, "facecolor"),
        "edge": _only(artist, "edgecolor"),
        "width": float(np.ravel(artist.get_linewidth())[0]),
    }
    x, y = (numbers(column) for column in offsets.T)
    return {"kind": "line", "x": x, "y": y, "dash": None, "marker": marker}


def _polygon(artist: Polygon, ax: Axes) -> dict[str, Any]:
    if artist.get_data_transform() != ax.transData:
        raise refused(artist, " in coordinates of the axes")
    x, y = (numbers(column) for column in artist.get_xy().T)
    fill = colours(artist.get_facecolor()) if artist.get_fill() else None
    return {"kind": "area", "x": x, "y": y, "fill": fill}


def _polygons(artist: PolyCollection, ax: Axes) -> dict[str, Any]:
    _check_place(artist, artist.get_transform(), ax)
    x, y = _joined([path.vertices for path in artist.get_paths()])
    return {
        "kind": "area",
        "x": x,
        "y": y,
        "fill": _only(artist, "facecolor"),
    }


def _arrows(artist: Quiver, ax: Axes) -> dict[str, Any]:
    usual = artist.angles == "uv" and artist.scale_units in (None, "width")
    if not usual or artist.units != "width" or artist.pivot != "tail" or artist.scale is None:
        raise refused(artist, " of other angles, units or pivot than the usual")
    parts = {"x": artist.X, "y": artist.Y, "u": artist.U, "v": artist.V}
    return {
        "kind": "arrows",
        **{name: numbers(np.ravel(values)) for name, values in parts.items()},
        "scale": float(artist.scale),
        "stroke": _only(artist, "facecolor"),
    }


def _text(artist: Text, ax: Axes) -> dict[str, Any] | None:
    if not artist.get_text().strip():
        return None
    if artist.get_transform() not in (ax.transData, ax.transAxes):
        raise refused(artist, " in coordinates of neither the data nor the axes")
    x, y = artist.get_unitless_position()
    return {
        "kind": "text",
        "x": float(x),
        "y": float(y),
        "inside": bool(artist.get_transform() == ax.transAxes),
        "text": plain(artist.get_text()),
        "anchor": ANCHORS[artist.get_horizontalalignment()],
        "stroke": colours(artist.get_color()),
    }


def _check_place(artist: Artist, transform: Any, ax: Axes) -> None:
    if transform != ax.transData:
        raise refused(artist, " in other coordinates than the data's")


def _joined(parts: Any) -> tuple[list[Any], list[Any]]:
    """Several lines as one with gaps between them."""
    gap = np.full((1, 2), np.nan)
    stacked = [piece for part in parts for piece in (part, gap)][:-1]
    whole = np.vstack(stacked) if stacked else np.empty((0, 2))
    x, y = (numbers(column) for column in whole.T)
    return x, y


# By the nearest of an artist's classes; None where one is drawn as its class is not.
CARRIERS: dict[type, Callable[[Any, Axes], dict[str, Any] | None] | None] = {
    Line2D: _line,
    StepPatch: _steps,
    LineCollection: _lines,
    PathCollection: _scattered,
    Polygon: _polygon,
    PolyCollection: _polygons,
    Quiver: _arrows,
    Text: _text,
    AxLine: None,
    Annotation: None,
    object: None,
}


# ---- numbers and looks ---------------------------------------------------------------------------


def numbers(values: Any) -> list[float | str | None]:
    """Values as strict JSON has them: None for NaN, "inf" and "-inf"."""
    found: list[float | str | None] = []
    for value in np.ma.filled(np.ma.asarray(values, dtype=np.float64), np.nan).ravel().tolist():
        if np.isfinite(value):
            found.append(value)
        else:
            found.append(None if np.isnan(value) else "inf" if value > 0.0 else "-inf")
    return found


def _pattern(given: Any) -> list[float] | None:
    """Dashes and gaps in line widths."""
    name = str(given).strip().lower() or "none"
    return PATTERNS.get(NAMES.get(name, name), PATTERNS["dashed"])


def _only(artist: Collection, which: str) -> list[str] | None:
    """The one colour of a collection; None for none."""
    found = np.asarray(getattr(artist, f"get_{which}")())
    if len(np.unique(found, axis=0)) > 1 or artist.get_array() is not None:
        raise refused(artist, " of several colours")
    return colours(tuple(found[0])) if len(found) else None


def colours(given: Any) -> list[str] | None:
    """A colour on a light ground and its like on a dark one; None for none."""
    rgba = to_rgba(given)
    if rgba[3] == 0.0:
        return None
    light = to_hex(rgba)
    return [light, on_dark(light)]


def outline(path: Path, size: float) -> str:
    """A marker of a size in points, as SVG draws it: y down."""
    parts = []
    for vertices, code in path.iter_segments(curves=True, simplify=False):
        if code == Path.CLOSEPOLY:
            parts.append("Z")
            continue
        pairs = np.asarray(vertices).reshape(-1, 2) * [size, -size]
        parts.append(LETTERS[code] + " ".join(f"{x:.2f} {y:.2f}" for x, y in pairs))
    return "".join(parts)
