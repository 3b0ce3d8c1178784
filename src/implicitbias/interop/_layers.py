"""What a module may be made of, and what is read off a plain stack of its layers."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from implicitbias._errors import InvalidInputError, reason_of
from implicitbias.interop._families import Candidate, connected
from implicitbias.interop._torch import layer_text

EXPECTED = (
    "expected a stack of bias-free nn.Linear layers, or of circular one-channel nn.Conv1d layers "
    "and one nn.Linear, or another module whose output is linear in x and in each parameter"
)
ACTIVATION = "is an activation; remove it (gradient_flow takes one as activation=)"
NORMALISATION = "normalises its input, which is not linear in x; remove it"
NONLINEAR = {
    "activation": ACTIVATION,
    "batchnorm": NORMALISATION,
    "instancenorm": NORMALISATION,
    "normalization": NORMALISATION,
    "rnn": "is recurrent and has activations; it cannot be read",
}

Layers = list[tuple[str, Any]]


def check_layers(torch: Any, module: Any) -> None:
    """Refuse layers that no linear tensor network has, by their names.

    Raises
    ------
    InvalidInputError
        An activation, a normalisation, dropout, a parametrisation, a compiled module, several
        channels, or a layer whose shape is not known yet.
    """
    try:
        layers = list(module.named_modules())
    except Exception as error:  # no super().__init__()
        raise InvalidInputError(
            f"{type(module).__name__} does not list its layers ({reason_of(error)}); does its "
            "__init__ call super().__init__()?"
        ) from None
    for name, layer in layers:
        text = layer_text(name, layer)
        fault = _fault(torch, layer)
        if fault:
            raise InvalidInputError(f"{text} {fault}; {EXPECTED}.")
        if isinstance(layer, torch.nn.modules.conv._ConvNd):
            _check_convolution(torch, layer, text)


def _fault(torch: Any, layer: Any) -> str:
    """Why a layer cannot be part of a linear network; empty if it can."""
    kinds = [kind.__module__ for kind in type(layer).__mro__]
    for family, fault in NONLINEAR.items():
        if f"torch.nn.modules.{family}" in kinds:
            return fault
    if "torch.nn.modules.pooling" in kinds and "Max" in type(layer).__name__:
        return "takes maxima, which are not linear in x; remove it"
    if "torch.nn.modules.dropout" in kinds and getattr(layer, "p", 0) != 0:
        return f"drops entries at random, p = {layer.p}, while it trains; remove it"
    own = dict(layer.named_parameters(recurse=False))
    if any(map(torch.nn.parameter.is_lazy, own.values())):
        return "is lazy and has no shape yet: call the module once on an input of its size"
    if torch.nn.utils.parametrize.is_parametrized(layer):
        which = ", ".join(layer.parametrizations)
        return (
            f"computes its {which} by a parametrization, whose own parameters are trained: call "
            "torch.nn.utils.parametrize.remove_parametrizations first"
        )
    if _hooks(layer) and any(name.endswith(("_orig", "_g")) for name in own):
        return "computes its weight from other parameters (weight_norm or pruning): remove that"
    if type(layer).__name__ == "OptimizedModule":
        return "is compiled: give its _orig_mod"
    return ""


def _check_convolution(torch: Any, layer: Any, text: str) -> None:
    if not isinstance(layer, torch.nn.Conv1d):
        raise InvalidInputError(f"{text} convolves other than one axis; expected nn.Conv1d.")
    channels = (layer.in_channels, layer.out_channels)
    if channels != (1, 1):
        raise InvalidInputError(
            f"{text} has {channels[0]} channels in and {channels[1]} out; expected one each, "
            "nn.Conv1d(1, 1, k, bias=False, padding='same', padding_mode='circular')."
        )


def read_stack(torch: Any, module: Any) -> tuple[int, Candidate] | None:
    """Features and the network of a plain stack of ``nn.Linear``; None for any other module.

    Raises
    ------
    InvalidInputError
        A stack that is too short, has several outputs, or layers that do not fit each other.
    """
    layers = _flattened(torch, module, "")
    if layers is None:
        return None
    linear = [(name, layer) for name, layer in layers if isinstance(layer, torch.nn.Linear)]
    filters = [layer for _, layer in layers if isinstance(layer, torch.nn.Conv1d)]
    if not linear and not filters:
        raise InvalidInputError(f"{layer_text('', module)} has no layers to train; {EXPECTED}.")
    if len(layers) == 1:
        raise InvalidInputError(
            f"{layer_text(*layers[0])} is alone, so the depth is 1; expected at least two layers. "
            "Gradient flow on one layer is least squares from its start: no tensor network."
        )
    if not linear:
        return None
    name, last = linear[-1]
    if last.out_features != 1:
        raise InvalidInputError(
            f"{layer_text(name, last)} has {last.out_features} outputs; expected one, f(x) = "
            "x^T beta: nn.Linear(..., 1, bias=False) as the last layer."
        )
    if filters:
        return None
    _check_widths(linear)
    return linear[0][1].in_features, connected([layer.in_features for _, layer in linear])


def _flattened(torch: Any, module: Any, prefix: str) -> Layers | None:
    """Linear and convolutional layers of nested Sequentials in order; None for anything else."""
    forward = getattr(type(module), "forward", None)
    if _hooks(module):
        return None
    if isinstance(module, torch.nn.Sequential):
        if forward is not torch.nn.Sequential.forward:
            return None
        found: Layers = []
        for name, child in module._modules.items():
            inner = _flattened(torch, child, f"{prefix}.{name}" if prefix else name)
            if inner is None:
                return None
            found += inner
        return found
    if forward in (torch.nn.Linear.forward, torch.nn.Conv1d.forward):
        return [(prefix, module)]
    nothing = (torch.nn.Identity, torch.nn.Flatten, torch.nn.Unflatten, torch.nn.Dropout)
    return [] if isinstance(module, nothing) else None


def _hooks(layer: Any) -> bool:
    """Whether something else runs before or after its forward."""
    return any(getattr(layer, name, None) for name in ("_forward_hooks", "_forward_pre_hooks"))


def _check_widths(linear: Layers) -> None:
    for (before, left), (after, right) in pairwise(linear):
        if left.out_features != right.in_features:
            raise InvalidInputError(
                f"{layer_text(after, right)} takes {right.in_features} inputs, and "
                f"{layer_text(before, left)} before it has {left.out_features} outputs; expected "
                "the same number."
            )
