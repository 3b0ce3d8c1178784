"""The page: everything in one file, numbers as JSON, and a script that draws and computes nothing.

Names and texts reach the page inside JSON alone, without "<", and are shown as text nodes.
"""

from __future__ import annotations

import json
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from implicitbias._files import path_named, replacing

OURS = '<meta name="generator" content="implicitbias explore">'  # by which a page is known as ours


class Explorer:
    """A page with sliders; ``explore`` makes it.

    Attributes
    ----------
    data
        All that the page shows, as it stands in it: a title, and tasks with their controls,
        figures and frames.
    """

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data

    def __repr__(self) -> str:
        return f"Explorer({self.data['title']!r:.60}, {self.num_settings} settings)"

    @property
    def num_settings(self) -> int:
        """Combinations of networks, depths, directions and starts, without the moving slider."""
        return sum(len(task["frames"]) for task in self.data["tasks"])

    @property
    def html(self) -> str:
        """The page, which needs no other file and no network."""
        return _page(self.data)

    def save(self, file: str | Path) -> None:
        """Write the page, whole or not at all; what the file held before is replaced.

        Raises
        ------
        InvalidInputError
            Not a file's name.
        OSError
            It cannot be written.
        """
        with replacing(path_named(file, "file", "a file's name")) as scratch:
            scratch.write_text(self.html, encoding="utf-8")

    def _repr_html_(self) -> str:
        """The page in a frame of its own, for notebooks."""
        style = "width: 100%; height: 48rem; border: 1px solid rgba(128, 128, 128, 0.3)"
        name = _title(self.data)
        return f'<iframe title="{name}" style="{style}" srcdoc="{escape(self.html)}"></iframe>'


def is_ours(file: Path) -> bool:
    """Whether a file is a page that ``explore`` wrote."""
    with file.open("rb") as content:
        return OURS.encode() in content.read(500)


def _page(data: dict[str, Any]) -> str:
    here = files("implicitbias.explorer")
    style, script = (here.joinpath(name).read_text("utf-8") for name in ("page.css", "page.js"))
    body = here.joinpath("page.html").read_text("utf-8")
    before, after = body.split("{{DATA}}")
    parts = {"OURS": OURS, "STYLE": style, "SCRIPT": script, "TITLE": _title(data)}
    for name, text in parts.items():
        before, after = (part.replace(f"{{{{{name}}}}}", text) for part in (before, after))
    return f"{before}{_embedded(data)}{after}"


def _title(data: dict[str, Any]) -> str:
    """The title as HTML; halves of surrogate pairs, which no encoding has, as the sign for that."""
    whole = data["title"].encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return escape(whole)


def _embedded(data: dict[str, Any]) -> str:
    """JSON, in ASCII, that no HTML parser takes for markup."""
    return json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
