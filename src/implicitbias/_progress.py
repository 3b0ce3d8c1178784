"""A progress bar for long runs: percent, seconds so far and left, in terminals and notebooks."""

from __future__ import annotations

import sys
import time
from html import escape
from shutil import get_terminal_size
from typing import Any

from implicitbias._errors import InvalidInputError

SURE = 0.02  # done before the time left is worth a word
BETWEEN = 0.1, 15.0  # seconds between updates where they replace each other, and elsewhere
CELLS = 24  # of a bar in a terminal


class ProgressBar:
    """A callback that shows the part of the way that is done, and how long the rest takes.

    ``with ProgressBar() as bar:`` and ``callback=bar`` in ``gradient_flow``, ``gradient_descent``,
    ``simulate_limit``, ``sweep``, ``explore`` and, given its total, ``limit_path``.

    The part done is the state's: of a flow by the logarithm of its residual, loss or margin, or by
    its time or steps, whichever is nearest its end; of a sweep or a path by what is done of all. At
    the rate so far, seconds left = seconds * (1 - part) / part; a plateau stands still, and is
    then longer than was said.

    Parameters
    ----------
    total
        What is done when all is, for callbacks that count: ``limit_path`` its scales.
    text
        What stands before the bar.

    Raises
    ------
    InvalidInputError
        A total that is no whole number >= 1, or a text that is none.

    Notes
    -----
    On a terminal one line of the standard error is rewritten, and taken away at the end. In a
    notebook the bar is HTML that is replaced in place, by IPython alone: ipywidgets is not needed.
    Anywhere else a line is written every 15 s.
    """

    def __init__(self, total: int | None = None, *, text: str = "") -> None:
        whole = isinstance(total, int) and not isinstance(total, bool) and total >= 1
        if total is not None and not whole:
            raise InvalidInputError(f"total is {total!r:.80}; expected a whole number >= 1.")
        if not isinstance(text, str):
            raise InvalidInputError(f"text is {text!r:.80}; expected a text.")
        self._total, self._text = total, f"{text} " if text else ""
        self._watched = sys.stderr is not None and sys.stderr.isatty()
        self._handle = None
        self._notebook = _in_notebook()
        self._start()

    def _start(self) -> None:
        self._began = self._last = time.monotonic()
        self._part = 0.0

    def __enter__(self) -> ProgressBar:
        """Begin to count the time."""
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bar away; a notebook keeps how long it took."""
        if self._notebook:
            self._show(f"{self._text}{100 * self._part:.0f} %, {self._seconds():.1f} s in all")
        elif self._watched:
            self._write("\r\x1b[K")

    def __call__(self, *state: Any) -> None:
        """Take a state: of a flow, of a sweep, or what is done (and of how many)."""
        part = self._part_of(*state)
        now = time.monotonic()
        if part < self._part:  # another run
            self._began = now
        self._part = part
        replaced = self._watched or self._notebook
        if now - self._last < BETWEEN[0 if replaced else 1]:
            return
        self._last = now
        said = f"{self._text}{told(part, self._seconds())}"
        if self._notebook:
            self._show(said)
        elif self._watched:
            full = round(CELLS * part)
            line = f"{'#' * full}{'.' * (CELLS - full)} {said}"
            self._write(f"\r\x1b[K{line[: get_terminal_size().columns - 1]}")
        else:
            self._write(f"{said}\n")

    def _part_of(self, *state: Any) -> float:
        first = state[0]
        if hasattr(first, "share"):
            return float(first.share)
        done, total = (first.done, first.total) if hasattr(first, "total") else (first, None)
        total = state[1] if len(state) > 1 else total or self._total
        if total is None:
            raise InvalidInputError(
                "this callback says what is done and not of how many; expected "
                "ProgressBar(total=...), such as the number of scales."
            )
        return min(1.0, float(done / total))

    def _seconds(self) -> float:
        return time.monotonic() - self._began

    def _write(self, text: str) -> None:
        if sys.stderr is not None:
            sys.stderr.write(text)
            sys.stderr.flush()

    def _show(self, text: str) -> None:
        """Replace the bar of the notebook."""
        from IPython.display import HTML, display

        bar = HTML(
            f'<progress value="{self._part:.4f}" max="1" aria-label="{escape(text)}"></progress> '
            f"<span>{escape(text)}</span>"
        )
        if self._handle is None:
            self._handle = display(bar, display_id=True)
        else:
            self._handle.update(bar)


def told(part: float, seconds: float) -> str:
    """Such as "42 %, 3 s so far, about 4 s left"."""
    text = f"{min(99.0, 100 * part):.0f} %, {seconds:.0f} s so far"  # what runs is not done
    if part < SURE:
        return text
    return f"{text}, about {seconds * (1.0 - part) / part:.0f} s left"


def _in_notebook() -> bool:
    """Whether this process is a notebook's kernel; without IPython loaded it is none."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None
