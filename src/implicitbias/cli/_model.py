"""The options that describe a model, and the model they describe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from implicitbias._arrays import FloatArray, Parameters
    from implicitbias.cli._tables import Table
    from implicitbias.initialization import Initialization
    from implicitbias.networks import Network
    from implicitbias.problems import Regression

NETWORKS = ("diagonal", "convolutional", "fully-connected")
OPTIONS = "implicitbias.model"  # where ctx.meta keeps their values

Command = TypeVar("Command", bound=Callable[..., Any])


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    ctx.meta.setdefault(OPTIONS, {})[param.name] = value


MODEL_OPTIONS = (
    click.argument(
        "data",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        expose_value=False,
        callback=_remember,
    ),
    click.option(
        "--target",
        required=True,
        metavar="COL",
        help="The column to fit; all others are features.",
        expose_value=False,
        callback=_remember,
    ),
    click.option(
        "--network",
        type=click.Choice(NETWORKS),
        default=NETWORKS[0],
        show_default=True,
        help="What is trained.",
        expose_value=False,
        callback=_remember,
    ),
    click.option(
        "--depth",
        type=click.IntRange(min=2),
        default=2,
        show_default=True,
        help="Number of layers L.",
        expose_value=False,
        callback=_remember,
    ),
    click.option(
        "--width",
        type=click.IntRange(min=1),
        metavar="INTEGER",
        help="Hidden width, fully connected only.  [default: the number of features]",
        expose_value=False,
        callback=_remember,
    ),
    click.option(
        "--seed",
        type=click.IntRange(min=0),
        metavar="INTEGER",
        help="Start from standard normal directions. Without it the first layers are ones "
        "(convolutional: ones in Fourier space) and the last is zero; fully connected networks "
        "always start at random.",
        expose_value=False,
        callback=_remember,
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
    network, directions
        What is trained, from where up to the scale.
    title
        All of it in one line.
    """

    table: Table
    problem: Regression
    network: Network
    directions: Parameters
    title: str

    def init(self, scale: float) -> Initialization:
        """Theta(0) at a scale."""
        from implicitbias.initialization import Initialization

        return Initialization(self.directions, scale=scale)

    def named(self, coefficients: FloatArray) -> dict[str, float]:
        """The coefficients by the names of their columns."""
        return dict(zip(self.table.names, coefficients.tolist(), strict=True))


def build_model(ctx: click.Context) -> Model:
    """Read the data and build what the options describe.

    Raises
    ------
    click.UsageError
        Options that contradict each other.
    InvalidInputError, InfeasibleProblemError
        Data that cannot be used.
    """
    from implicitbias.cli._tables import read_csv
    from implicitbias.problems import Regression

    options = ctx.meta[OPTIONS]
    family, depth = options["network"], options["depth"]
    if options["width"] is not None and family != "fully-connected":
        raise click.UsageError(f"--width is for fully connected networks; --network is {family}.")
    table = read_csv(options["data"], options["target"])
    problem = Regression(table.X, table.y)
    network = _network(family, problem.num_features, depth, options["width"])
    return Model(
        table,
        problem,
        network,
        _directions(network, family, options["seed"]),
        f"{family} network of {depth} layers on {options['data'].name}, {problem.num_points} x "
        f"{problem.num_features} of rank {problem.rank}",
    )


def _network(family: str, num_features: int, depth: int, width: int | None) -> Network:
    from implicitbias import networks

    if family == "diagonal":
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
