"""Layers and coefficients from files: where training started, and where it ended."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from implicitbias.cli._printing import reason

if TYPE_CHECKING:
    from implicitbias._arrays import FloatArray, Parameters
    from implicitbias.networks import Network

END = "implicitbias.end"  # where ctx.meta keeps the files of --end and --torch
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
TORCH = (".pt", ".pth")

Command = TypeVar("Command", bound=Callable[..., Any])


def _remember(ctx: click.Context, param: click.Parameter, value: Path | None) -> None:
    ctx.meta.setdefault(END, {})[param.opts[0]] = value


def end_option(command: Command) -> Command:
    """Add ``--end`` and ``--torch``."""
    end = click.option(
        "--end",
        metavar="FILE.npz",
        type=FILE,
        expose_value=False,
        callback=_remember,
        help="Where a training run ended, to be held against the prediction: its layers in their "
        "order, or its coefficients alone, those of the table's columns.",
    )
    torch = click.option(
        "--torch",
        metavar="FILE.pt",
        type=FILE,
        expose_value=False,
        callback=_remember,
        help="The same from PyTorch: what torch.save(module.state_dict(), FILE) writes. Only "
        "weights are read. --init takes such a file, too.",
    )
    return end(torch(command))


def start_of(network: Network, file: Path) -> Parameters:
    """The layers of a start, from an archive of NumPy or a state dict of PyTorch.

    Raises
    ------
    InvalidInputError
        They are not those of the network, or the file holds none.
    """
    if file.suffix.lower() in TORCH:
        return _from_torch(network, file)
    arrays = _arrays(file)
    stack = arrays[0] if len(arrays) == 1 and arrays[0].ndim > 1 else arrays  # from numpy.save
    return _checked(network, stack, file)


def _checked(network: Network, layers: Any, file: Path) -> Parameters:
    """The layers in a file; where they do not fit, what the network's are."""
    from implicitbias._errors import InvalidInputError

    try:
        return network.check_parameters(layers, file.name)
    except InvalidInputError as error:
        shapes = ", ".join(map(str, network.parameter_shapes))
        raise InvalidInputError(
            f"{error} The layers of {network!r} have shapes {shapes}."
        ) from None


def end_of(
    ctx: click.Context, network: Network, units: FloatArray | None = None
) -> FloatArray | None:
    """The coefficients of the end that ``--end`` or ``--torch`` names, (d,); None without one.

    ``units`` are what the columns of the table were divided by before the network saw them.

    Raises
    ------
    click.UsageError
        Both are given.
    InvalidInputError
        As ``start_of``.
    """
    from implicitbias._arrays import finite_array

    given = {name: file for name, file in ctx.meta[END].items() if file is not None}
    if len(given) > 1:
        raise click.UsageError("--end and --torch both say where training ended; give one of them.")
    if not given:
        return None
    ((name, file),) = given.items()
    if name == "--torch" or file.suffix.lower() in TORCH:
        return network.coefficients(_from_torch(network, file))
    arrays = _arrays(file)
    if len(arrays) == 1:
        found = finite_array(arrays[0], file.name, shape=(network.num_features,))
        return found if units is None else found * units
    return network.coefficients(_checked(network, arrays, file))


def _from_torch(network: Network, file: Path) -> Parameters:
    from implicitbias.initialization import Initialization
    from implicitbias.interop import read_torch

    return Initialization.from_weights(network, read_torch(file)).directions


def _arrays(file: Path) -> list[Any]:
    import numpy as np

    from implicitbias._errors import InvalidInputError

    try:
        found = np.load(file, allow_pickle=False)
        if isinstance(found, np.ndarray):
            return [found]
        with found:
            return [found[name] for name in found.files]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        why = reason(error)
        if "pickle" in why:  # what NumPy takes anything else for
            why = "it is no archive of arrays of numbers"
        raise InvalidInputError(
            f"{file.name} holds no arrays: {why}. Expected what numpy.savez(file, *layers) writes."
        ) from None
