"""The options that describe a model, and the model they describe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from implicitbias._arrays import FloatArray, Parameters
    from implicitbias.cli._tables import Table
    from implicitbias.initialization import Initialization
    from implicitbias.networks import Network
    from implicitbias.problems import Classification, Regression

NETWORKS = ("diagonal", "convolutional", "fully-connected")
TASKS = ("regression", "classification")
OPTIONS = "implicitbias.model"  # where ctx.meta keeps their values

Command = TypeVar("Command", bound=Callable[..., Any])


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    ctx.meta.setdefault(OPTIONS, {})[param.name] = value


_argument = partial(click.argument, expose_value=False, callback=_remember)
_option = partial(click.option, expose_value=False, callback=_remember)
MODEL_OPTIONS = (
    _argument(
        "data",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
    ),
    _option(
        "--target",
        required=True,
        metavar="COL",
        help="The column to fit; all others are features.",
    ),
    _option(
        "--drop",
        multiple=True,
        metavar="COL",
        help="A column to leave out; may be given several times.",
    ),
    _option(
        "--decimal",
        type=click.Choice((".", ",")),
        help="Decimal mark of a CSV file.  [default: the comma where cells are not separated by "
        "commas and no number has a point]",
    ),
    _option(
        "--task",
        type=click.Choice(TASKS),
        default=TASKS[0],
        show_default=True,
        help="Fit numbers under the squared loss, or separate two labels under the exponential.",
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
    _option(
        "--network",
        type=click.Choice(NETWORKS),
        default=NETWORKS[0],
        show_default=True,
        help="What is trained.",
    ),
    _option(
        "--depth",
        type=click.IntRange(min=2),
        default=2,
        show_default=True,
        help="Number of layers L.",
    ),
    _option(
        "--width",
        type=click.IntRange(min=1),
        metavar="INTEGER",
        help="Hidden width, fully connected only.  [default: the number of features]",
    ),
    _option(
        "--seed",
        type=click.IntRange(min=0),
        metavar="INTEGER",
        help="Start from standard normal directions. Without it the first layers are ones "
        "(convolutional: ones in Fourier space) and the last is zero; fully connected networks "
        "always start at random.",
    ),
)


def model_options(command: Command) -> Command:
    """Add the options that define a model; ``build_model`` reads them from the context."""
    for option in reversed(MODEL_OPTIONS):
        command = option(command)
    return command


def scale_option(command: Command) -> Command:
    """Add ``--scale``."""
    return click.option(
        "--scale",
        type=click.FloatRange(min=0, min_open=True),
        metavar="FLOAT",
        default=1.0,
        show_default=True,
        help="Scale alpha > 0 of the initialization.",
    )(command)


@dataclass(frozen=True, eq=False)
class Model:
    """The data, the network and the start that the options describe.

    Attributes
    ----------
    table, problem
        The file, and what it asks for.
    intercept
        The constant that belongs to coefficients, or None without one.
    network, directions
        What is trained, from where up to the scale.
    title
        All of it in one line.
    """

    table: Table
    problem: Regression | Classification
    network: Network
    directions: Parameters
    title: str
    intercept: Callable[[FloatArray], float] | None = None

    def init(self, scale: float) -> Initialization:
        """Theta(0) at a scale."""
        from implicitbias.initialization import Initialization

        return Initialization(self.directions, scale=scale)

    def named(self, coefficients: FloatArray) -> dict[str, float]:
        """The coefficients by the names of their columns."""
        return dict(zip(self.table.names, coefficients.tolist(), strict=False))

    def constant(self, coefficients: FloatArray) -> float | None:
        """The intercept, or None without one."""
        return None if self.intercept is None else self.intercept(coefficients)


def build_model(ctx: click.Context) -> Model:
    """Read the data and build what the options describe.

    Raises
    ------
    click.UsageError
        Options that contradict each other.
    InvalidInputError, InfeasibleProblemError
        Data that cannot be used.
    """
    from implicitbias.cli._tables import Selection, read_table

    options = ctx.meta[OPTIONS]
    family, depth = options["network"], options["depth"]
    if options["width"] is not None and family != "fully-connected":
        raise click.UsageError(f"--width is for fully connected networks; --network is {family}.")
    classify = options["task"] == "classification"
    if classify and options["project"]:
        raise click.UsageError("--project is for regression.")
    if classify and options["intercept"] and family == "convolutional":
        raise click.UsageError(
            "--intercept adds a column of ones, which has no place in a signal; --network is "
            "convolutional."
        )
    selection = Selection(options["target"], options["drop"], classify, options["decimal"])
    table = read_table(options["data"], selection)
    problem: Regression | Classification
    if classify:
        problem, intercept = _classification(table, options["intercept"])
        remark = f", {problem.classes[1]} as +1"
    else:
        problem, intercept, remark = _regression(table, options)
    network = _network(family, problem.num_features, depth, options["width"])
    title = (
        f"{family} network of {depth} layers on {options['data'].name}, {len(table.y)} x "
        f"{len(table.names)} of rank {problem.rank}"
    )
    if intercept is not None:
        title += ", with intercept"
    title += remark
    return Model(
        table,
        problem,
        network,
        _directions(network, family, options["seed"]),
        title + (f" ({table.note})" if table.note else ""),
        intercept,
    )


def _classification(
    table: Table, with_ones: bool
) -> tuple[Classification, Callable[[FloatArray], float] | None]:
    import numpy as np

    from implicitbias.problems import Classification

    if not with_ones:
        return Classification(table.X, table.y), None
    X = np.column_stack([table.X, np.ones(len(table.X))])
    return Classification(X, table.y), lambda beta: float(beta[-1])


def _regression(
    table: Table, options: dict[str, Any]
) -> tuple[Regression, Callable[[FloatArray], float] | None, str]:
    from implicitbias._errors import InfeasibleProblemError
    from implicitbias.problems import equations

    data = equations(table.X, table.y, options["intercept"])
    problem = data.problem
    intercept = data.intercept if data.centred else None
    if data.reached:
        return problem, intercept, ""
    if not options["project"]:
        what = "the features and a constant" if data.centred else "the features"
        hint = "" if data.centred else " (add --intercept for a constant)"
        raise InfeasibleProblemError(
            f"X z = y has no solution: {what} cannot fit column {table.target!r} of "
            f"{options['data'].name} in all {len(table.y)} rows. The rank is {problem.rank}, and "
            f"the least-squares residual is {data.missed:.3g} of the target's size{hint}. Training "
            "then does not reach zero loss. Pass --project to predict where it ends: the target is "
            "replaced by the part that can be fitted.",
        )
    return problem, intercept, f", target projected ({data.missed:.3g} of its size left out)"


def _network(family: str, num_features: int, depth: int, width: int | None) -> Network:
    from implicitbias import networks

    if family == "diagonal" or depth > networks.MAX_DEPTH:  # which refuses such a depth
        return networks.DiagonalNetwork(num_features, depth)
    if family == "convolutional":
        return networks.ConvolutionalNetwork(num_features, (num_features,) * depth)
    hidden = num_features if width is None else width
    return networks.FullyConnectedNetwork((num_features,) + (hidden,) * (depth - 1))


def _directions(network: Network, family: str, seed: int | None) -> Parameters:
    import numpy as np

    from implicitbias.initialization import Initialization

    if family == "fully-connected" or seed is not None:
        return Initialization.random(network, 1.0, seed=seed or 0).directions
    first = np.ones(network.num_features)
    if family == "convolutional":
        first = np.zeros(network.num_features)
        first[0] = np.sqrt(network.num_features)  # F wbar = (1, ..., 1)
    return Initialization.last_layer_zero(network, first, scale=1.0).directions
