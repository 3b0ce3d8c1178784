"""A figure that moves: its own lines and points as a page of hover, keys and switches."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from implicitbias._errors import InvalidInputError
from implicitbias._files import path_named, replacing
from implicitbias._pages import Kind, framed
from implicitbias.plotting._words import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

KIND = Kind("implicitbias.plotting", "implicitbias plotting.interactive")
HEIGHT = "34rem"  # of a frame whose page cannot say how high it is


class InteractiveFigure:
    """A page that shows what a figure shows; ``interactive`` makes it.

    Attributes
    ----------
    data
        All that the page shows, as it stands in it: a title, and panels with their axes and
        series. Numbers are those of the figure's artists; None is NaN.
    """

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data

    def __repr__(self) -> str:
        panels = self.data["panels"]
        count = sum(len(each["series"]) for each in panels)
        return f"InteractiveFigure({self.data['title']!r:.60}, {count} series)"

    @property
    def html(self) -> str:
        """The page, which needs no other file and no network."""
        return KIND.page(self.data)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the page, whole or not at all.

        Parameters
        ----------
        path
            Where. A page that ``save`` wrote is replaced, another file only with ``overwrite``.
        overwrite
            Replace whatever file is there.

        Raises
        ------
        InvalidInputError
            Not a file's name, or a file that ``save`` did not write.
        OSError
            It cannot be written.
        """
        file = path_named(path, "path", "a file's name")
        if file.is_dir():
            raise InvalidInputError(f"{file} is a directory; expected a file's name.")

        def check() -> None:
            if file.exists() and not overwrite and not KIND.wrote(file):
                raise InvalidInputError(
                    f"{file} is there, and is no interactive figure. Give another name, or "
                    "overwrite=True to replace it."
                )

        check()
        with replacing(file) as scratch:
            scratch.write_text(self.html, encoding="utf-8")
            check()  # it may have come since

    def _repr_html_(self) -> str:
        """The page in a frame of its own, for notebooks."""
        return framed(self.html, self.data["title"], HEIGHT)


def interactive(
    figure: Figure | SubFigure | Axes, *, title: str | None = None
) -> InteractiveFigure:
    """The interactive twin of a figure: every (x_i, y_i) that it draws, to the last digit.

    The page needs no other file and no network. Hovering, or the arrow keys, show the numbers;
    legend entries switch series off and on; dragging, or the keys + and -, zoom.

    Parameters
    ----------
    figure
        What a function of ``implicitbias.plotting`` returned, or any figure or axes of lines,
        points, steps, areas, arrows and texts on linear, logarithmic or symlog axes.
    title
        What the page is called; by default the figure's title, or what its axes show.

    Returns
    -------
    InteractiveFigure
        Shows itself in notebooks; ``save(path)`` writes the page, ``html`` is its text, ``data``
        all that it shows.

    Raises
    ------
    InvalidInputError
        Neither a figure nor axes, nothing drawn, or something that no page carries, by its name.

    Notes
    -----
    Names are those of the legend. An artist whose label is such a name after an underscore, which
    keeps it out of a legend, is switched with its namesakes. Where a point stands on a tick with a
    text of its own, such as "infinity" at the end of a scale path, that text is said.
    """
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from implicitbias.plotting._panels import panel

    if not isinstance(figure, (Axes, Figure, SubFigure)):
        raise InvalidInputError(
            f"figure is a {type(figure).__name__}; expected a matplotlib Figure or Axes, as the "
            "functions of implicitbias.plotting return them."
        )
    if not isinstance(title, (str, type(None))):
        raise InvalidInputError(f"title is {title!r:.80}; expected a text.")
    axes, heading, notes = ([figure], "", []) if isinstance(figure, Axes) else _whole(figure)
    root = figure.get_figure(root=True)
    if root is not None:
        root.draw_without_rendering()  # limits, ticks and the scale of arrows
    panels = [found for ax in axes if ax.get_visible() and (found := panel(ax))["series"]]
    if not any(_seen(each) for one in panels for each in one["series"]):
        raise InvalidInputError("the figure is empty; draw something before it is made to move.")
    name = title or heading or _title(panels)
    return InteractiveFigure({"title": name, "panels": panels, "notes": notes})


def _whole(figure: Figure | SubFigure) -> tuple[list[Axes], str, list[str]]:
    """The axes of a figure, its title and its other texts; it has nothing else."""
    from implicitbias.plotting._artists import refused

    for kind in ("lines", "patches", "images", "artists", "legends"):
        for artist in getattr(figure, kind):
            raise refused(artist, " outside of its axes")
    heading = plain(figure.get_suptitle())
    texts = [plain(text.get_text()) for text in figure.texts if text.get_visible()]
    return [*figure.axes], heading, [text for text in texts if text not in ("", heading)]


def _seen(series: dict[str, Any]) -> bool:
    """Whether there is a number to see: more than gaps, and more than words."""
    if series["kind"] in ("rule", "text"):
        return bool(series["kind"] == "rule")
    return any(
        isinstance(x, float) and isinstance(y, float)
        for x, y in zip(series["x"], series["y"], strict=True)
    )


def _title(panels: list[dict[str, Any]]) -> str:
    first = panels[0]
    if first["title"]:
        return str(first["title"])
    x, y = first["x"]["label"], first["y"]["label"]
    if not (x or y):
        return ", ".join(entry["name"] for entry in first["entries"]) or "Figure"
    return f"{y or 'values'} against {x or 'place'}"
