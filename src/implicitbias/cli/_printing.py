"""What all commands print with: a console, JSON, and progress on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

WIDE = 1000  # columns of a console that is no terminal: nothing is wrapped or cut
NARROW = 150  # columns into which every table fits
SECONDS_BETWEEN_UPDATES = 0.1


def console() -> Console:
    """Return a console on stdout; where that is no terminal, nothing is wrapped or cut."""
    from rich.console import Console

    width = max(get_terminal_size().columns, NARROW) if sys.stdout.isatty() else WIDE
    return Console(width=width, highlight=False, markup=False, emoji=False)


def print_json(value: Any) -> None:
    """Print strict JSON on stdout."""
    import json

    click.echo(json.dumps(value, indent=2, allow_nan=False))


@contextmanager
def bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on stderr, on a terminal only; gives a function of how many are done."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)


class Progress:
    """One line of progress on stderr: rewritten in place on a terminal, else now and then."""

    def __init__(self) -> None:
        self._watched = sys.stderr.isatty()
        self._last = time.monotonic()

    def show(self, text: str) -> None:
        """Replace the line on a terminal, if the last change is long enough ago to be read."""
        now = time.monotonic()
        if not self._watched or now - self._last < SECONDS_BETWEEN_UPDATES:
            return
        self._last = now
        self.say(text)

    def say(self, text: str) -> None:
        """Replace the line now."""
        if self._watched:
            width = get_terminal_size().columns
            click.echo(f"\r\x1b[K{text[: width - 1]}", nl=False, err=True)
        else:
            click.echo(text, err=True)

    def clear(self) -> None:
        """Leave nothing behind on a terminal."""
        if self._watched:
            click.echo("\r\x1b[K", nl=False, err=True)
