"""The options that describe a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from implicitbias._names import DEPTH, NETWORKS, UNTIL

TASKS = ("regression", "classification")
OPTIONS = "implicitbias.model"  # where ctx.meta keeps their values
POSITIVE = click.FloatRange(min=0, min_open=True)

Command = TypeVar("Command", bound=Callable[..., Any])


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    ctx.meta.setdefault(OPTIONS, {})[param.name] = value


def _separator(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    known = {"tab": "\t", r"\t": "\t", "space": r"\s+", " ": r"\s+", "comma": ",", "semicolon": ";"}
    sep = value if value is None else known.get(value, value)
    if sep is not None and sep not in known.values():
        fits = len(sep) == 1 and sep.isascii() and sep.isprintable() and not sep.isalnum()
        if not fits or sep in "\"'.+-#_":
            raise click.BadParameter(
                f"{value!r} cannot separate cells; expected one mark such as , ; | or the word tab "
                "or space."
            )
    _remember(ctx, param, sep)


def _encoding(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    try:
        "".encode(value or "utf-8")
    except (LookupError, ValueError):
        raise click.BadParameter(
            f"{value!r} is no text encoding; expected one such as utf-8, utf-16 or latin-1."
        ) from None
    _remember(ctx, param, value)


class Depth(click.FloatRange):
    """A number of layers, or a real power, >= 2: an int where it is written as one."""

    def __init__(self) -> None:
        super().__init__(min=2)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return an int or a float in the range."""
        try:
            whole = int(str(value))
        except ValueError:
            return float(super().convert(value, param, ctx))
        return int(click.IntRange(min=2).convert(whole, param, ctx))


class Names(click.Choice):  # type: ignore[type-arg]  # generic from click 8.4 on only
    """Names that are read with hyphens and with underscores, and by what they were called before.

    ``former`` has what names were called.
    """

    def __init__(self, names: Iterable[str], former: Mapping[str, str] | None = None) -> None:
        super().__init__(tuple(names))
        self.former = former or {}

    def normalize_choice(self, choice: object, ctx: click.Context | None) -> str:
        """Return the name as it is shown, with hyphens."""
        return super().normalize_choice(choice, ctx).replace("_", "-")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name as Python has it."""
        if value in self.former:
            name = self.former[value]
            click.echo(
                f"Warning: {value!r} is called {name!r} now; the former name goes with {UNTIL}.",
                err=True,
            )
            value = name
        return str(super().convert(value, param, ctx))


_argument = partial(click.argument, expose_value=False, callback=_remember)
_option = partial(click.option, expose_value=False, callback=_remember)
READING_OPTIONS = (
    _option(
        "--drop",
        multiple=True,
        metavar="COL",
        help="A column to leave out; may be given several times.",
    ),
    _option(
        "--sep",
        metavar="CHAR",
        callback=_separator,
        help="CSV: what separates cells; a character, tab or space.  [default: found]",
    ),
    _option(
        "--decimal",
        type=click.Choice((".", ",")),
        help="CSV: the decimal mark.  [default: the comma where cells are not separated by commas "
        "and no number has a point]",
    ),
    _option(
        "--thousands",
        type=click.Choice((",", ".", " ", "'")),
        help="What groups digits by three.  [default: nothing]",
    ),
    _option(
        "--encoding",
        metavar="NAME",
        callback=_encoding,
        help="CSV: such as utf-8, utf-16 or latin-1.  [default: found]",
    ),
    _option(
        "--header/--no-header",
        default=None,
        help="Whether the first row holds the names of columns. Without names they are called 1, "
        "2, 3, ...  [default: refused where it holds numbers]",
    ),
    _option(
        "--missing",
        multiple=True,
        metavar="WORD",
        help="A cell that holds no value, such as NA, -999 or '' for an empty one: rows with one "
        "are left out, and counted. May be given several times.",
    ),
)
TASK_OPTIONS = (
    _option(
        "--task",
        type=click.Choice(TASKS),
        default=TASKS[0],
        show_default=True,
        help="Fit numbers under the squared loss, or separate two labels under the exponential.",
    ),
    _option(
        "--positive",
        metavar="LABEL",
        help="Classification: the label that counts as +1.  [default: the later one in order]",
    ),
    _option(
        "--intercept/--no-intercept",
        default=False,
        show_default=True,
        help="Fit a constant as well: regression on centred columns, classification with a column "
        "of ones.",
    ),
    _option(
        "--project/--no-project",
        default=False,
        show_default=True,
        help="Regression: where the features cannot fit the target, fit its least-squares part.",
    ),
)


def _units(whose: str) -> Callable[[Command], Command]:
    return _option(
        "--standardise/--no-standardise",
        default=False,
        show_default=True,
        help=f"Divide every column by its standard deviation, so that units play no part. {whose}",
    )


UNITS_OPTIONS = (_units("Coefficients are given back for the columns as they are in the table."),)
PAGE_UNITS_OPTIONS = (_units("Coefficients on the page are those of the divided columns."),)
NETWORK_OPTIONS = (
    _option(
        "--network",
        type=Names(NETWORKS),
        default=NETWORKS[0],
        show_default=True,
        help="What is trained.",
    ),
    _option(
        "--depth",
        type=Depth(),
        metavar="NUMBER",
        default=DEPTH,
        show_default=True,
        help="Number of layers L; of two-sided networks the power, whole or not.",
    ),
    _option(
        "--width",
        type=click.IntRange(min=1),
        metavar="INTEGER",
        help="Hidden width, fully connected only.  [default: 1, which ends where wider ones do]",
    ),
    _option(
        "--seed",
        type=click.IntRange(min=0),
        metavar="INTEGER",
        help="Start from standard normal directions. Without it the layers are ones "
        "(convolutional: ones in Fourier space), but the last is zero; of fully connected networks "
        "the first, of two-sided ones none.",
    ),
    _option(
        "--init",
        metavar="FILE.npz",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Start from the layers in this file, times --scale: what numpy.savez(FILE, *layers) "
        "writes.",
    ),
)


def _file(*, required: bool) -> Callable[[Command], Command]:
    kind = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
    return _argument("data", type=kind, required=required)


def with_options(command: Command, options: Sequence[Callable[[Command], Command]]) -> Command:
    """Add options in the order in which help lists them."""
    for option in reversed(options):
        command = option(command)
    return command


def reading_options(command: Command) -> Command:
    """Add the file, perhaps its target, and how it is read."""
    target = _option(
        "--target",
        metavar="COL",
        help="The column to fit: what regression and classification would say of it.",
    )
    return with_options(command, (_file(required=True), target, *READING_OPTIONS))


def data_options(*, required: bool) -> tuple[Callable[[Command], Command], ...]:
    """The file, its target and how it is read; ``build_data`` reads them from the context."""
    target = _option(
        "--target",
        required=required,
        metavar="COL",
        help="The column to fit; all others are features.",
    )
    return (_file(required=required), target, *READING_OPTIONS, *TASK_OPTIONS)


def model_options(command: Command) -> Command:
    """Add the options that define a model; ``build_model`` reads them from the context."""
    options = (*data_options(required=True), *UNITS_OPTIONS, *NETWORK_OPTIONS)
    return with_options(command, options)


def scale_option(command: Command) -> Command:
    """Add ``--scale``."""
    return _scale(click.FloatRange(0, float("inf"), min_open=True, max_open=True), "")(command)


def any_scale_option(command: Command) -> Command:
    """Add ``--scale`` with its ends."""
    return _scale(click.FloatRange(min=0), " 0 and inf: what the limits tend to there.")(command)


def _scale(kind: click.FloatRange, ends: str) -> Callable[[Command], Command]:
    return click.option(
        "--scale",
        type=kind,
        metavar="FLOAT",
        default=1.0,
        show_default=True,
        help=f"Scale alpha > 0 of the initialization.{ends}",
    )
