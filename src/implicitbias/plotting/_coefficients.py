"""What figures of many coefficients have in common: which stand out, and how they look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from implicitbias._arrays import FloatArray, IntArray, positive_int
from implicitbias._errors import InvalidInputError
from implicitbias.plotting._style import WIDTH, framed, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FLOWS = 5  # zorder of simulated flows: above all curves


def largest_first(beta: FloatArray, shown: int | Sequence[int]) -> tuple[IntArray, int]:
    """The order in which coefficients (k, d) are drawn, and how many of them stand out.

    Raises
    ------
    InvalidInputError
        Neither a number nor different indices.
    """
    by_size = np.argsort(-np.abs(beta).max(axis=0), kind="stable")
    if isinstance(shown, (int, np.integer)):
        return by_size, min(positive_int(shown, "shown"), by_size.size)
    first = np.array(shown)
    distinct = first.ndim == 1 and 0 < first.size == np.unique(first).size
    if not distinct or not np.isin(first, by_size).all():
        raise InvalidInputError(
            f"shown is {shown!r}; expected a number, or different indices from 0 to "
            f"{by_size.size - 1}."
        )
    return np.concatenate([first, by_size[~np.isin(by_size, first)]]), first.size


def coefficient_names(names: Sequence[str] | None, size: int) -> list[str]:
    """d names, "beta_1" and so on by default.

    Raises
    ------
    InvalidInputError
        Another number of names.
    """
    if names is None:
        return [rf"$\beta_{{{j}}}$" for j in range(1, size + 1)]
    if len(names) != size:
        raise InvalidInputError(f"names has {len(names)} entries; expected {size}.")
    return [str(name) for name in names]


def curve_style(rank: int, count: int, name: str) -> dict[str, Any]:
    """Of the coefficient number ``rank`` of ``count``, the largest on top."""
    return {**look(rank), "linewidth": WIDTH, "zorder": FLOWS - 1 - rank / count, "label": name}


def framed_coefficients(ax: Axes, x: str, *, unit: str = "", legend: bool = True) -> Axes:
    """Name the axes of coefficients along x, with a line at 0. Returns ``ax``."""
    ax.axhline(0.0, color="black", linewidth=0.6, zorder=0)
    return framed(ax, x, r"coefficient $\beta_j$" + unit, legend=legend)
