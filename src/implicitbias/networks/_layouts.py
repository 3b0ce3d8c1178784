"""Layers in the shapes of PyTorch and Flax, and back: transposes and rotations, no arithmetic.

Fully connected: torch's Linear computes x W^T, so it stores W_l^T, (out, in), and the last layer as
one row; flax's Dense stores W_l, (in, out), and the last as one column.

Convolutional: both frameworks pad circularly by p = (k - 1) // 2 on the left and k // 2 on the
right ("same"), z_i = sum_j x_{(i + j - p) mod d} w_j, which is [x * w]_{(i - p) mod d}. Filters
stay as they are, and the last layer v meets its input rotated by P = p_1 + ... + p_{L-1}:
[w_L]_i = v_{(i + P) mod d}.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, Parameters, finite_array
from implicitbias._errors import InvalidInputError, reason_of
from implicitbias._names import read_name
from implicitbias.networks._base import Network
from implicitbias.networks._convolutional import ConvolutionalNetwork
from implicitbias.networks._fully_connected import FullyConnectedNetwork

LAYOUTS = ("torch", "flax")
NUMBERED = re.compile(r"(.*_)(\d+)")  # flax's own names, Dense_0, Dense_1, ...


def left_padding(size: int) -> int:
    """Entries that "same" padding puts to the left of an input of a filter of this size."""
    return (size - 1) // 2


def layers_from_weights(network: Network, weights: Any, layout: str = "torch") -> Parameters:
    """v_1, ..., v_L of ``network`` from a framework's weights, exactly.

    Parameters
    ----------
    network
        What was trained.
    weights
        One array a layer, first to last, or a mapping from names to arrays.
    layout
        "torch" or "flax".

    Raises
    ------
    InvalidInputError
        An unknown layout, too many or too few weights, a shape that does not fit, a bias that is
        not zero, NaN or infinities.
    """
    layout = read_name(layout, LAYOUTS, "layout")
    named = list(_named(weights))
    expected = framework_shapes(network, layout)
    if len(named) != len(expected):
        names = ", ".join(name for name, _ in named) or "none"
        raise InvalidInputError(
            f"got {len(named)} weights ({names}); {network!r} has {len(expected)} layers, of "
            f"shapes {', '.join(map(str, expected))} in the {layout} layout."
        )
    given = [
        _checked(network, layout, index, name, value) for index, (name, value) in enumerate(named)
    ]
    if isinstance(network, FullyConnectedNetwork) and layout == "torch":
        given = [weight.T for weight in given]
    layers = [weight.reshape(s) for weight, s in zip(given, network.parameter_shapes, strict=True)]
    layers[-1] = np.roll(layers[-1], -_rotation(network))
    return tuple(map(np.ascontiguousarray, layers))


def weights_from_layers(network: Network, layers: Parameters, layout: str = "torch") -> Parameters:
    """The inverse of ``layers_from_weights``; gradients by layers go the same way.

    Raises
    ------
    InvalidInputError
        An unknown layout, or layers of other shapes.
    """
    layout = read_name(layout, LAYOUTS, "layout")
    layers = network.check_parameters(layers)
    arrays = [*layers[:-1], np.roll(layers[-1], _rotation(network))]
    if isinstance(network, FullyConnectedNetwork) and layout == "torch":
        arrays = [array.T for array in arrays]
    expected = framework_shapes(network, layout)
    return tuple(
        np.array(array.reshape(s), order="C") for array, s in zip(arrays, expected, strict=True)
    )


def framework_shapes(network: Network, layout: str) -> tuple[tuple[int, ...], ...]:
    """The shapes that a framework gives the layers; those of the network where it has none."""
    *first, (last,) = network.parameter_shapes
    torch = layout == "torch"
    end = (1, last) if torch else (last, 1)
    if isinstance(network, FullyConnectedNetwork):
        return (*(shape[::-1] if torch else shape for shape in first), end)
    if isinstance(network, ConvolutionalNetwork):
        return (*((1, 1, size) if torch else (size, 1, 1) for (size,) in first), end)
    return network.parameter_shapes


def _rotation(network: Network) -> int:
    """P, by how much the last layer of a convolutional network is rotated; 0 for others."""
    if not isinstance(network, ConvolutionalNetwork):
        return 0
    return sum(map(left_padding, network.filter_sizes[:-1]))


def _named(weights: Any) -> Iterator[tuple[str, Any]]:
    """Names and arrays in order, without biases that are zero."""
    if isinstance(weights, (str, bytes)) or not isinstance(weights, Iterable):
        raise InvalidInputError(
            f"weights is of type {type(weights).__name__}; expected one array a layer, first to "
            "last, or a mapping from names to arrays such as module.state_dict()."
        )
    if not isinstance(weights, Mapping):
        for index, value in enumerate(weights, start=1):
            yield f"weights, entry {index}", value
        return
    for name, value in _leaves(weights, ""):
        if name.rpartition(".")[2] != "bias":
            yield name, value
            continue
        size = float(np.abs(finite_array(as_numpy(value, name), name, shape=(None,))).max())
        if size > 0:
            raise InvalidInputError(
                f"{name} is a bias with entries up to {size:.3g}; f(x) = x^T beta has no constant "
                "term. Train without biases (bias=False, use_bias=False), or give x a constant "
                "feature."
            )


def _leaves(tree: Mapping[Any, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """Entries of nested mappings with dotted names; Dense_2 before Dense_10 if all are numbered."""
    keys = list(tree)
    numbered = [NUMBERED.fullmatch(key) if isinstance(key, str) else None for key in keys]
    if keys and all(numbered):
        order = {key: (m[1], int(m[2])) for key, m in zip(keys, numbered, strict=True) if m}
        keys.sort(key=order.__getitem__)
    for key in keys:
        if isinstance(tree[key], Mapping):
            yield from _leaves(tree[key], f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", tree[key]


def as_numpy(value: Any, name: str) -> Any:
    """A tensor of PyTorch as a float64 array, detached; anything else as it is.

    Raises
    ------
    InvalidInputError
        A tensor without values, such as one on the meta device.
    """
    if not any(kind.__module__.partition(".")[0] == "torch" for kind in type(value).__mro__):
        return value
    try:
        tensor = value.detach().cpu()
        return (tensor.double() if tensor.is_floating_point() else tensor).numpy()
    except (AttributeError, TypeError, ValueError, RuntimeError) as error:
        raise InvalidInputError(
            f"{name} is a {type(value).__name__} that has no values to read ({reason_of(error)})."
        ) from None


def _checked(network: Network, layout: str, index: int, name: str, value: Any) -> FloatArray:
    """A weight in the framework's shape; vectors may also come as vectors."""
    expected = framework_shapes(network, layout)[index]
    plain = network.parameter_shapes[index]
    value = as_numpy(value, name)
    try:
        shape = np.shape(value)
    except (TypeError, ValueError):  # ragged: let the check say so
        shape = expected
    if len(plain) == 1 and shape == plain:
        expected = plain
    if shape != expected:
        (other,) = set(LAYOUTS) - {layout}
        hint = f" That is the {other} layout: layout={other!r}."
        fits = shape == framework_shapes(network, other)[index]
        raise InvalidInputError(
            f"{name} has shape {shape}; expected {expected}, layer {index + 1} of {network!r} in "
            f"the {layout} layout.{hint if fits else ''}"
        )
    return finite_array(value, name, shape=expected)
