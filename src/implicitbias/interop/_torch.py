"""PyTorch, imported where it is used, and how its layers are named in errors."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from implicitbias._errors import InvalidInputError


def require_torch(purpose: str) -> Any:
    """The module ``torch``.

    Raises
    ------
    InvalidInputError
        It is not installed, or does not import.
    """
    try:
        return import_module("torch")
    except (ImportError, OSError) as error:
        raise InvalidInputError(
            f"{purpose} needs PyTorch: pip install 'implicitbias[torch]' ({error})."
        ) from None


def layer_text(name: str, layer: Any) -> str:
    """How an error calls a layer: its name in the module, and its type."""
    kind = type(layer).__name__
    return f"layer {name!r} ({kind})" if name else f"the module itself ({kind})"


def owner_text(module: Any, parameter: str) -> str:
    """The layer that holds a parameter."""
    name = parameter.rpartition(".")[0]
    return layer_text(name, dict(module.named_modules(remove_duplicate=False)).get(name, module))
