"""What matplotlib's axes show, as plain data: scales, ticks and limits, series and their names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.text import Text
from matplotlib.ticker import AutoLocator, LogFormatter, LogLocator, ScalarFormatter

from implicitbias._errors import InvalidInputError
from implicitbias.plotting._artists import carried, numbers
from implicitbias.plotting._words import plain

ROUNDING = 0.1  # of a number that a tick shows in few digits
SCALES = ("linear", "log", "symlog")


def panel(ax: Axes) -> dict[str, Any]:
    """Everything that axes show.

    Raises
    ------
    InvalidInputError
        An artist, a projection or a scale that no page carries.
    """
    if ax.name != "rectilinear":
        raise InvalidInputError(f"the axes are {ax.name}; expected rectilinear ones, of x and y.")
    frame = {*ax.spines.values(), ax.xaxis, ax.yaxis, ax.patch, ax.get_legend()}
    titles = [plain(ax.get_title(where)) for where in ("left", "center", "right")]
    labels, legend = _labels(ax), ax.get_legend()
    kept = [
        each
        for each in ax.get_children()
        if each not in frame and each.get_visible() and not _is_title(each, ax)
    ]
    kept.sort(key=lambda each: each.get_zorder())
    series = [made for each in kept if (made := carried(each, ax, labels(each))) is not None]
    found = {
        "title": " ".join(filter(None, titles)),
        "x": _axis(ax, "x"),
        "y": _axis(ax, "y"),
        "equal": ax.get_aspect() == 1.0,
        "ratio": _ratio(ax),
        "series": series,
        "key": "" if legend is None else plain(legend.get_title().get_text()),
        "entries": _entries(ax, series),
    }
    return found | {"alt": _described(found)}


def _labels(ax: Axes) -> Callable[[Artist], str]:
    """What artists are called; those of an error bar or a stem as the whole is."""
    whole = {
        child: str(container.get_label())
        for container in ax.containers
        for child in container.get_children()
    }
    return lambda artist: whole.get(artist, str(artist.get_label()))


def _is_title(artist: Artist, ax: Axes) -> bool:
    """Whether a text belongs to the frame: the three titles, empty or not."""
    return isinstance(artist, Text) and artist not in ax.texts


def _ratio(ax: Axes) -> float:
    box = ax.get_window_extent()
    return round(float(np.clip(box.height / max(box.width, 1.0), 0.2, 2.0)), 3)


def _axis(ax: Axes, which: str) -> dict[str, Any]:
    axis = getattr(ax, f"{which}axis")
    scale, limits = axis.get_scale(), getattr(ax, f"get_{which}lim")()
    if scale not in SCALES:
        raise InvalidInputError(
            f"the {which} axis has the scale {scale!r}; expected one of {', '.join(SCALES)}."
        )
    if axis.get_converter() is not None:
        raise InvalidInputError(
            f"the {which} axis has units ({type(axis.get_converter()).__name__}); expected plain "
            "numbers."
        )
    found = {"label": plain(axis.get_label_text()), "scale": scale, "limits": numbers(limits)}
    if scale == "symlog":
        by = axis.get_transform()
        base = 1.0 - 1.0 / by.base
        found |= {"within": float(by.linthresh), "share": float(by.linscale / base)}
        found |= {"base": float(by.base)}
    own = not isinstance(axis.get_major_formatter(), (ScalarFormatter, LogFormatter))
    usual = isinstance(axis.get_major_locator(), (AutoLocator, LogLocator))
    if usual and not own:
        return found  # the page chooses its own ticks as it is zoomed
    at = np.asarray(axis.get_majorticklocs(), dtype=np.float64)
    texts = [plain(text) for text in axis.get_major_formatter().format_ticks(at)]
    offset = axis.get_major_formatter().get_offset()
    if offset:
        found["label"] += f" ({plain(offset)})"
    ticks = [
        {"at": float(v), "text": text, "says": own and _says(text, float(v))}
        for v, text in zip(at, texts, strict=True)
    ]
    return found | {"ticks": ticks, "named": own and any(texts)}


def _says(text: str, at: float) -> bool:
    """Whether a tick's text is no number, or another one: "infinity" where a curve is drawn at 1e3.

    Roundings of the number are none of it.
    """
    try:
        value = float(text.replace("−", "-"))
    except ValueError:
        return any(letter.isalpha() or letter == "∞" for letter in text)
    return not np.isclose(value, at, rtol=ROUNDING, atol=0.0)


def _entries(ax: Axes, series: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the legend names, each with the series that it looks like."""
    found: dict[str, int] = {}
    for k, each in enumerate(series):
        if each["named"]:
            found.setdefault(each["group"], k)
    legend = ax.get_legend()
    order = [] if legend is None else [plain(text.get_text()) for text in legend.get_texts()]
    for name in order:
        if name not in found:
            raise InvalidInputError(
                f"the legend names {name!r}, and no artist is called so; pass label=... when "
                "drawing, and let ax.legend() take the names from there."
            )
    rest = [plain(label) for label in ax.get_legend_handles_labels()[1]]
    return [{"name": name, "series": found[name]} for name in dict.fromkeys([*order, *rest])]


def _described(found: dict[str, Any]) -> str:
    x, y = (
        found[which]["label"] + " (logarithmic)" * (found[which]["scale"] != "linear")
        for which in "xy"
    )
    drawn = ", ".join(entry["name"] for entry in found["entries"])
    title = f"{found['title']}: " if found["title"] else ""
    return f"{title}{y or 'values'} against {x or 'place'}{f'; drawn: {drawn}' if drawn else ''}."
