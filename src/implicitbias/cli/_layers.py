"""Layers and coefficients from files: where training started, and where it ended."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from implicitbias.cli._printing import reason

if TYPE_CHECKING:
    from implicitbias._arrays import FloatArray, Parameters
    from implicitbias.networks import Network

END = "implicitbias.end"  # where ctx.meta keeps the file of --end
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def _remember_end(ctx: click.Context, _: click.Parameter, value: Path | None) -> None:
    ctx.meta[END] = value


end_option = click.option(
    "--end",
    metavar="FILE.npz",
    type=FILE,
    expose_value=False,
    callback=_remember_end,
    help="Where a training run ended, to be held against the prediction: its layers in their "
    "order, or its coefficients alone.",
)


def start_of(network: Network, file: Path) -> Parameters:
    """The layers of a start.

    Raises
    ------
    InvalidInputError
        They are not those of the network, or the file holds none.
    """
    return network.check_parameters(_arrays(file), f"{file.name}")


def end_of(ctx: click.Context, network: Network) -> FloatArray | None:
    """The coefficients of the end that ``--end`` names, (d,); None where it names none.

    Raises
    ------
    InvalidInputError
        As ``start_of``.
    """
    from implicitbias._arrays import finite_array

    file = ctx.meta.get(END)
    if file is None:
        return None
    arrays = _arrays(file)
    if len(arrays) == 1:
        return finite_array(arrays[0], f"{file.name}", shape=(network.num_features,))
    return network.coefficients(network.check_parameters(arrays, f"{file.name}"))


def _arrays(file: Path) -> list[Any]:
    import numpy as np

    from implicitbias._errors import InvalidInputError

    try:
        with np.load(file, allow_pickle=False) as found:
            if isinstance(found, np.ndarray):
                return [found]
            return [found[name] for name in found.files]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidInputError(
            f"{file.name} holds no arrays: {reason(error)}. Expected what "
            "numpy.savez(file, *layers) writes."
        ) from None
