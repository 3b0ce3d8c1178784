"""A small table for notebooks: text and borders take the notebook's colours, dark or light."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Literal

Mark = Literal["good", "bad", "open", "other"]

# Half transparent, so that inherited text stays readable on a ground of either kind.
GROUNDS: dict[Mark, str] = {
    "good": "rgba(46, 160, 67, 0.25)",
    "bad": "rgba(229, 83, 75, 0.3)",
    "open": "rgba(210, 153, 34, 0.3)",
    "other": "rgba(128, 128, 128, 0.2)",
}
LINE = "1px solid rgba(128, 128, 128, 0.3)"
PLAIN = "color: inherit; background: transparent; text-align: left; vertical-align: top"
CELL = f"{PLAIN}; padding: 0.15em 0.7em; border: none; border-top: {LINE}; max-width: 60em"
SPLIT = f"{PLAIN}; border-collapse: collapse; border: none; margin: 0.2em 0"


@dataclass(frozen=True)
class Badge:
    """A verdict in a word, and in the colour that goes with it."""

    word: str
    mark: Mark


@dataclass(frozen=True)
class Cell:
    """What a cell shows: a text, a table of named cells with a title, or cells one by one."""

    text: str = ""
    badge: Badge | None = None
    title: str = ""
    rows: tuple[tuple[str, Cell], ...] = ()
    parts: tuple[Cell, ...] = ()


def page(cell: Cell) -> str:
    """A titled table as HTML."""
    return f'<div style="color: inherit">{_heading(cell)}{_table(cell)}</div>'


def _heading(cell: Cell) -> str:
    parts = [f"<b>{escape(cell.title)}</b>" if cell.title else "", _line(cell)]
    return " ".join(part for part in parts if part)


def _line(cell: Cell) -> str:
    text = escape(cell.text).replace("\n", "<br>")
    if cell.badge is None:
        return text
    ground = GROUNDS[cell.badge.mark]
    style = f"color: inherit; background: {ground}; padding: 0 0.4em; border-radius: 0.3em"
    return f'<span style="{style}">{escape(cell.badge.word)}</span> {text}'


def _table(cell: Cell) -> str:
    rows = "".join(
        f'<tr><th scope="row" style="{CELL}; font-weight: normal; white-space: nowrap">'
        f'{escape(name)}</th><td style="{CELL}">{_inside(each)}</td></tr>'
        for name, each in cell.rows
    )
    return f'<table style="{SPLIT}"><tbody>{rows}</tbody></table>'


def _inside(cell: Cell) -> str:
    if cell.rows:
        return f"<details><summary>{_heading(cell)}</summary>{_table(cell)}</details>"
    if cell.parts:
        return "".join(f"<div>{_inside(part)}</div>" for part in cell.parts)
    return _line(cell)
