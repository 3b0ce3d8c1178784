"""Pages in one file: numbers as JSON, and scripts that draw them and compute nothing.

Names and texts reach a page inside JSON alone, without "<", and are shown as text nodes.
``look.css`` and ``draw.js`` are common to all pages.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Kind:
    """What pages of one kind have in common.

    Attributes
    ----------
    package
        Where page.html, page.css and page.js are.
    maker
        By which a file is known as such a page.
    """

    package: str
    maker: str

    @property
    def mark(self) -> str:
        """The line of a page that says what wrote it."""
        return f'<meta name="generator" content="{self.maker}">'

    def wrote(self, file: Path) -> bool:
        """Whether a file is such a page."""
        with file.open("rb") as content:
            return self.mark.encode() in content.read(500)

    def page(self, data: dict[str, Any]) -> str:
        """The page that shows ``data``, which has a title."""
        body, style, script = self._parts
        before, after = body.split("{{DATA}}")
        parts = {"OURS": self.mark, "STYLE": style, "SCRIPT": script, "TITLE": shown(data["title"])}
        for name, text in parts.items():
            before, after = (part.replace(f"{{{{{name}}}}}", text) for part in (before, after))
        return f"{before}{_embedded(data)}{after}"

    @cached_property
    def _parts(self) -> tuple[str, str, str]:
        """The page's frame, its style and its script."""
        common, own = files("implicitbias._pages"), files(self.package)
        style, script = (
            common.joinpath(shared).read_text("utf-8") + own.joinpath(name).read_text("utf-8")
            for shared, name in (("look.css", "page.css"), ("draw.js", "page.js"))
        )
        return own.joinpath("page.html").read_text("utf-8"), style, script


def framed(html: str, title: str, height: str) -> str:
    """A page in a frame of its own, for notebooks."""
    style = f"width: 100%; height: {height}; border: 1px solid rgba(128, 128, 128, 0.3)"
    return f'<iframe title="{shown(title)}" style="{style}" srcdoc="{escape(html)}"></iframe>'


def shown(text: str) -> str:
    """Text as HTML; halves of surrogate pairs, which no encoding has, as the sign for that."""
    return escape(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def _embedded(data: dict[str, Any]) -> str:
    """JSON, in ASCII, that no HTML parser takes for markup."""
    return json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
