"""The trained parameters of a module: by name, finite, each one on its own."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from implicitbias._arrays import FloatArray
from implicitbias._errors import InvalidInputError
from implicitbias.interop._torch import owner_text


def trained_parameters(torch: Any, module: Any) -> dict[str, FloatArray]:
    """Names and values in float64 of all parameters, in the order in which they are registered.

    Biases that are zero and frozen are left out: f(x) = x^T beta holds, and goes on to hold.

    Raises
    ------
    InvalidInputError
        No parameters; one that is tied to another, frozen, a bias, without values, not of real
        floating-point numbers, or not finite.
    """
    everything = dict(module.named_parameters(remove_duplicate=False))
    kept = {
        name: parameter
        for name, parameter in everything.items()
        if not _is_no_bias(torch, module, name, parameter)
    }
    if not kept:
        raise InvalidInputError(
            f"{type(module).__name__} has no parameters to train; expected at least two layers."
        )
    _refuse_ties(torch, module, kept)
    return {name: _values(torch, module, name, one) for name, one in kept.items()}


def _text(module: Any, name: str) -> str:
    return f"parameter {name!r} of {owner_text(module, name)}"


def _is_no_bias(torch: Any, module: Any, name: str, parameter: Any) -> bool:
    """Whether it is a bias that stays zero; refuse every other bias."""
    if name.rpartition(".")[2] != "bias" or parameter.is_meta:
        return False
    size = float(parameter.detach().abs().max()) if parameter.numel() else 0.0
    if size == 0.0 and not parameter.requires_grad:
        return True
    state = "trained" if parameter.requires_grad else "frozen"
    raise InvalidInputError(
        f"{owner_text(module, name)} has a bias ({name!r}, {state}, entries up to {size:.3g}); "
        "f(x) = x^T beta has no constant term. Build it with bias=False and give x a constant "
        "feature where one is wanted, or set the bias to zero and requires_grad=False."
    )


def _values(torch: Any, module: Any, name: str, parameter: Any) -> FloatArray:
    fault = ""
    if parameter.is_meta:
        fault = (
            "is on the meta device and has no values; move the module by to_empty(...) and load "
            "its weights first"
        )
    elif parameter.layout != torch.strided or not parameter.is_floating_point():
        fault = (
            f"is a {parameter.layout} tensor of {parameter.dtype}; expected a dense one of real "
            "floating-point numbers"
        )
    elif not parameter.requires_grad:
        fault = (
            "is frozen (requires_grad=False), so training does not move it; expected parameters "
            "that are all trained. Set requires_grad=True, or make it a buffer"
        )
    elif not parameter.numel():
        fault = f"has shape {tuple(parameter.shape)} and no entries"
    elif not parameter.isfinite().all():
        fault = f"has shape {tuple(parameter.shape)} and entries that are not finite"
    if fault:
        raise InvalidInputError(f"{_text(module, name)} {fault}.")
    values: FloatArray = parameter.detach().to("cpu", torch.float64).numpy().copy()
    return values


def _refuse_ties(torch: Any, module: Any, parameters: dict[str, Any]) -> None:
    """Refuse parameters that share numbers: gradient descent on them is another dynamics."""
    ranges: list[tuple[int, int, int]] = []
    names = list(parameters)
    for place, (name, parameter) in enumerate(parameters.items()):
        if parameter.is_meta or parameter.layout != torch.strided or not parameter.numel():
            continue
        axes = list(zip(parameter.shape, parameter.stride(), strict=True))
        if any(length > 1 and step == 0 for length, step in axes):
            raise InvalidInputError(
                f"{_text(module, name)} repeats one number along an axis (stride 0), which ties "
                "its entries; clone it."
            )
        start = parameter.data_ptr()
        entries = 1 + sum((length - 1) * step for length, step in axes)
        ranges.append((start, start + entries * parameter.element_size(), place))
    for (_, end, one), (start, _, other) in pairwise(sorted(ranges)):
        if start < end:
            first, second = sorted((one, other))
            raise InvalidInputError(
                f"{_text(module, names[second])} is tied to {names[first]!r}: both are the same "
                "numbers. Gradient descent on tied weights is another dynamics; expected a "
                "parameter of its own for each layer."
            )
