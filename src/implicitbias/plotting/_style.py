"""One look for all figures: colours that colour-blind readers and grey printers tell apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias._errors import InvalidInputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Kind = TypeVar("Kind")

# Four of Okabe and Ito's colours, told apart by colour-blind readers, with brown and indigo for
# their orange and sky blue, which are too light for lines on white; black is left to the flow.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#663300", "#4A2C8F")
STYLES = ("-", "--", "-.")
MARKERS = ("o", "s", "^", "D", "v", "P")
REST = "#B0B0B0"
SILENT = "_nolegend_"  # the label of what only guides the eye
WIDTH = 1.8  # points, of curves that carry the message
LARGEST_DECADE = 400.0  # decades beyond which an axis of decades is itself logarithmic


def axes_of(ax: Axes | None, size: tuple[float, float] = (7.0, 4.5)) -> Axes:
    """Return ``ax``, or the axes of a new figure of (width, height) inches.

    Raises
    ------
    InvalidInputError
        No axes.
    """
    from matplotlib.axes import Axes

    if ax is None:
        from matplotlib import pyplot

        _, ax = pyplot.subplots(figsize=size, layout="constrained")
    return given(ax, Axes, "ax", "matplotlib Axes")


def given(value: Any, kinds: type[Kind] | tuple[type[Kind], ...], name: str, what: str) -> Kind:
    """Return ``value``, if it is of a kind.

    Raises
    ------
    InvalidInputError
        Of another type.
    """
    if not isinstance(value, kinds):
        raise InvalidInputError(f"{name} is a {type(value).__name__}; expected {what}.")
    return value


def all_given(values: Any, kind: type[Kind], name: str, what: str) -> list[Kind]:
    """The values as a list, if each is of the kind and there is one.

    Raises
    ------
    InvalidInputError
        No sequence, none in it, or one of another type.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InvalidInputError(
            f"{name} is a {type(values).__name__}; expected a list, each a {what}."
        )
    found = list(values)
    if not found:
        raise InvalidInputError(f"{name} is empty; expected at least one {what}.")
    return [given(value, kind, f"one of {name}", f"a {what}") for value in found]


def look(rank: int) -> dict[str, Any]:
    """Colour and line style of the curve number ``rank``: neighbours differ in both, 18 in one."""
    return {
        "color": COLOURS[rank % len(COLOURS)],
        "linestyle": STYLES[(rank + rank // len(COLOURS)) % len(STYLES)],
    }


def aside(name: str) -> str:
    """The label of what belongs to the curve ``name``, and is not in the legend itself.

    matplotlib leaves labels with an underscore before them out; ``interactive`` reads them.
    """
    return f"_{name}"


def despine(ax: Axes) -> None:
    """Leave only the two axes that carry numbers."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def framed(ax: Axes, x: str, y: str, *, legend: bool = True) -> Axes:
    """Name the axes, and the curves beside them; nothing else around. Returns ``ax``."""
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    if legend:
        legend_beside(ax)
    despine(ax)
    return ax


def cross(ax: Axes) -> None:
    """Thin lines through the origin."""
    for line in (ax.axhline, ax.axvline):
        line(0.0, color="black", linewidth=0.5, zorder=0)


def legend_beside(ax: Axes, handles: Sequence[Any] | None = None) -> None:
    """Name the curves, or only ``handles``, to the right of the axes, where they hide nothing."""
    ax.legend(
        handles=handles,
        frameon=False,
        fontsize="small",
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
    )


def decades(ax: Axes, which: str, values: Sequence[FloatArray]) -> None:
    """Make the x or y axis, which shows powers of ten, logarithmic where these span hundreds."""
    largest = max((float(np.abs(v).max(initial=0.0)) for v in values), default=0.0)
    if largest <= LARGEST_DECADE:
        return
    from matplotlib.ticker import FixedLocator, NullLocator

    getattr(ax, f"set_{which}scale")("symlog", linthresh=10.0)
    power = int(np.log10(largest))
    ticks = [10.0**k for k in range(power, power // 8, -max(1, power // 5))]
    axis = getattr(ax, f"{which}axis")
    below = min(float(v.min(initial=0.0)) for v in values)
    axis.set_major_locator(FixedLocator([*(-tick for tick in ticks if -tick > below), 0.0, *ticks]))
    axis.set_minor_locator(NullLocator())


def checked_names(names: Sequence[str] | None, size: int, default: str) -> tuple[str, ...]:
    """``size`` names, by default ``default`` and a number.

    Raises
    ------
    InvalidInputError
        Another number of names.
    """
    if names is None:
        return tuple(f"{default} {i}" if size > 1 else default for i in range(1, size + 1))
    if isinstance(names, str) or len(names) != size:
        raise InvalidInputError(f"names is {names!r}; expected {size} of them, one a {default}.")
    return tuple(str(name) for name in names)
