"""The command line: parse, call, print.

Only click is imported at the top of these modules, so that ``--help`` is fast; everything else is
imported by the command that needs it.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Any, NoReturn

import click

from implicitbias import __version__
from implicitbias.cli._commands import explain, flow, path, predict
from implicitbias.cli._data import data
from implicitbias.cli._descend import descend
from implicitbias.cli._explore import explore
from implicitbias.cli._sweep import sweep
from implicitbias.cli._verify import report_page, verify

SIMILAR = {"simulate": "flow", "train": "descend", "fit": "predict", "check": "verify"}  # to name
EPILOG = """\b
Examples, from a table of your own to a page with sliders:
  implicitbias data table.csv --target y
  implicitbias predict table.csv --target y --scale 0.1
  implicitbias explore table.csv --target y --out page.html
"""


class Commands(click.Group):
    """A group that says whatever goes wrong in one message, and leaves nothing half-done."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run as a program."""
        os.environ["MPLBACKEND"] = "agg"  # a notebook's own is not there outside of it
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):  # None where it is closed
                stream.reconfigure(errors="backslashreplace")
        with _ended_by_signals(), warnings.catch_warnings():
            warnings.showwarning = _show_warning
            return super().main(*args, **extra)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find the command; where there is none of that name, say which there are."""
        if not args or self.get_command(ctx, args[0]) is not None or args[0].startswith("-"):
            return super().resolve_command(ctx, args)
        from difflib import get_close_matches

        from implicitbias.cli._printing import quoted

        names = self.list_commands(ctx)
        near = get_close_matches(SIMILAR.get(args[0], args[0]), names, n=1)
        what = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}."
        raise click.UsageError(f"no command {quoted(args[0])}; {what}", ctx)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        from implicitbias._errors import ImplicitBiasError
        from implicitbias.cli._printing import fitted

        def told(text: str) -> str:
            return fitted(text, sys.stderr, used="Error: ")

        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            error.__dict__["message"] = told(error.message)
            raise
        except (click.exceptions.Exit, click.Abort):
            raise
        except ImplicitBiasError as error:
            raise click.ClickException(told(str(error))) from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # the reader of our output went away: click ends quietly
                raise
            text = error.strerror or str(error)
            named = f"{error.filename}: {text}" if error.filename else text
            raise click.ClickException(told(named)) from error
        except MemoryError as error:
            text = f"not enough memory: {error}" if str(error) else "not enough memory."
            raise click.ClickException(told(text)) from error
        except Exception as error:
            raise click.ClickException(told(_unforeseen(error))) from error


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """A warning as one line, without the line of code it comes from."""
    click.echo(f"Warning: {message}", err=True)


def _unforeseen(error: Exception) -> str:
    """A fault of ours as a sentence that helps to mend it."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "implicitbias" in frame.filename] or frames
    where = f"{os.path.basename(ours[-1].filename)}, line {ours[-1].lineno}"
    return (
        f"an unforeseen {type(error).__name__} in {where}: {error}\nThis is a fault of "
        "implicitbias, not of your data. Please report it with the command and, if you can, the "
        "file."
    )


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """A polite end, which removes scratch files, where the system asks for one."""

    def leave(number: int, _: Any) -> NoReturn:
        sys.exit(128 + number)

    before = {}
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"implicitbias {__version__}")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EPILOG)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version and exit.",
)
def main() -> None:
    """Where gradient flow ends when it trains linear tensor networks.

    Exit code 0: every certificate holds and every comparison agrees. 1: something does not, or the
    data cannot be used. 2: the command was not understood.
    """


for command in (verify, report_page, data, predict, explain, path, flow, descend, sweep, explore):
    main.add_command(command)
