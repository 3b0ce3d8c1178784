"""What all commands print with: a console, JSON, and progress on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any, TypeVar

import click

from implicitbias._errors import reason_of

if TYPE_CHECKING:
    from rich.console import Console

Command = TypeVar("Command", bound=Callable[..., Any])

WIDE = 1000  # columns of a console that is no terminal: nothing is wrapped or cut
TEXT = 100  # columns of running text on a terminal, at most
NAME = 60  # characters of a name that are shown
SECONDS_BETWEEN_UPDATES = 0.1
QUIET = "implicitbias.quiet"  # where ctx.meta keeps --quiet


def visible(text: str, most: int | None = None) -> str:
    """Text that a terminal prints and does not obey: escapes are spelled out, the end cut off."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return text if most is None or len(text) <= most else text[: most - 1] + "…"


def quoted(name: str) -> str:
    """A name or cell within a sentence."""
    shown = visible(name, NAME)
    return f'"{shown}"' if "'" in shown else f"'{shown}'"


def counted(number: int, what: str) -> str:
    """Such as "1 row" and "2 rows"."""
    return f"{number} {what}{'s' * (number != 1)}"


def reason(error: Exception) -> str:
    """What another library says of a file, as part of a sentence."""
    return visible(reason_of(error), 200).rstrip(".")


def say(text: object, *, err: bool = False) -> None:
    """Print lines of text, wrapped at words on a terminal."""
    click.echo(fitted(str(text), sys.stderr if err else sys.stdout), err=err)


def fitted(text: str, stream: Any, used: str = "") -> str:
    """Text as it is printed: on a terminal lines are broken at words, further ones set in.

    ``used`` stands before the first line.
    """
    from textwrap import fill

    lines = [visible(line) for line in text.split("\n")]
    if watched(stream):
        width = min(get_terminal_size().columns, TEXT)
        lines[0] = used + lines[0]
        lines = [
            fill(
                line,
                width,
                subsequent_indent=" " * (len(line) - len(line.lstrip()) + 4),
                break_long_words=False,
                break_on_hyphens=False,
            )
            for line in lines
        ]
        lines[0] = lines[0].removeprefix(used)
    return "\n".join(lines)


def watched(stream: Any) -> bool:
    """Whether a stream is a terminal; a closed one is None."""
    return stream is not None and bool(stream.isatty())


def quiet_option(command: Command) -> Command:
    """Add ``--quiet``, which keeps progress off stderr."""

    def remember(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        ctx.meta[QUIET] = value

    add = click.option(
        "--quiet", is_flag=True, expose_value=False, callback=remember, help="Show no progress."
    )
    return add(command)


def is_quiet() -> bool:
    """Whether the command that runs was given ``--quiet``."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(QUIET))


def console() -> Console:
    """Return a console on stdout; where that is no terminal, nothing is wrapped or cut."""
    from rich.console import Console

    width = get_terminal_size().columns if watched(sys.stdout) else WIDE
    return Console(width=width, highlight=False, markup=False, emoji=False)


def print_json(value: Any) -> None:
    """Print strict JSON on stdout."""
    import json

    click.echo(json.dumps(value, indent=2, allow_nan=False))


@contextmanager
def bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on stderr, on a terminal only; gives a function of how many are done."""
    if is_quiet() or not watched(sys.stderr):
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)


class Progress:
    """One line of progress on stderr: rewritten in place on a terminal, else now and then.

    Attributes
    ----------
    watched
        Whether it is rewritten in place.
    """

    def __init__(self) -> None:
        self.watched = watched(sys.stderr) and not is_quiet()
        self._quiet = is_quiet()
        self._began = self._last = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long this has been so far."""
        return time.monotonic() - self._began

    def show(self, text: str) -> None:
        """Replace the line on a terminal, if the last change is long enough ago to be read."""
        now = time.monotonic()
        if not self.watched or now - self._last < SECONDS_BETWEEN_UPDATES:
            return
        self._last = now
        self.say(text)

    def say(self, text: str) -> None:
        """Replace the line now."""
        if self.watched:
            width = get_terminal_size().columns
            click.echo(f"\r\x1b[K{text[: width - 1]}", nl=False, err=True)
        elif not self._quiet:
            click.echo(text, err=True)

    def clear(self) -> None:
        """Leave nothing behind on a terminal."""
        if self.watched:
            click.echo("\r\x1b[K", nl=False, err=True)
