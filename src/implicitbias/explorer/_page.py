"""The page: everything in one file, and a script that draws and computes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from implicitbias._files import path_named, replacing
from implicitbias._pages import Kind, framed

KIND = Kind("implicitbias.explorer", "implicitbias explore")


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
        return KIND.page(self.data)

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
        return framed(self.html, self.data["title"], "48rem")


def is_ours(file: Path) -> bool:
    """Whether a file is a page that ``explore`` wrote."""
    return KIND.wrote(file)
