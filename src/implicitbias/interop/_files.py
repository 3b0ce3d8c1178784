"""Weights from files of PyTorch, without running anything that is in them."""

from __future__ import annotations

import os
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias._errors import InvalidInputError, reason_of
from implicitbias.interop._torch import require_torch
from implicitbias.networks import as_numpy

SAVE = "save it by torch.save(module.state_dict(), path)"


def read_torch(path: str | os.PathLike[str]) -> dict[str, FloatArray]:
    """Names and weights of a state dict that ``torch.save`` wrote, in its order, in float64.

    ``Initialization.from_weights(network, read_torch(path))`` is where training stood. The file is
    loaded with ``weights_only=True``: no code in it runs. float32 and float16 are converted without
    rounding.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    InvalidInputError
        PyTorch is missing; no such file, not one that PyTorch wrote, or with other things in it
        than tensors by name (a whole module, a checkpoint with an optimizer's state); a tensor
        that is not dense and real.
    """
    torch = require_torch("reading a file of PyTorch")
    if not isinstance(path, (str, os.PathLike)):
        raise InvalidInputError(f"path is a {type(path).__name__}; expected a file's name.")
    if not Path(path).is_file():
        raise InvalidInputError(f"{path} is no file; expected one with a state dict: {SAVE}.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            held = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise InvalidInputError(
            f"{path} holds more than weights, such as a whole module, or is no file of PyTorch; "
            f"nothing in it was run. Expected a state dict: {SAVE}."
        ) from None
    except Exception as error:  # a damaged archive raises what it likes
        raise InvalidInputError(
            f"{path} could not be read by PyTorch ({type(error).__name__}: {reason_of(error)}). "
            f"Expected a state dict: {SAVE}."
        ) from error
    return _state(torch, path, held)


def _state(torch: Any, path: Any, held: Any) -> dict[str, FloatArray]:
    if not isinstance(held, Mapping) or not held:
        raise InvalidInputError(
            f"{path} holds a {type(held).__name__}{' without entries' * (held == {})}; expected a "
            f"state dict, tensors by name: {SAVE}."
        )
    for name, value in held.items():
        if not isinstance(value, torch.Tensor):
            raise InvalidInputError(
                f"{path} holds a {type(value).__name__} under {name!r}; expected a state dict, "
                f"tensors by name: {SAVE}, without the optimizer."
            )
        if value.layout != torch.strided or not value.is_floating_point():
            raise InvalidInputError(
                f"{path} holds a {value.layout} tensor of {value.dtype} under {name!r}; expected "
                "dense tensors of real floating-point numbers."
            )
    return {str(name): np.array(as_numpy(value, str(name))) for name, value in held.items()}
