"""Modules of PyTorch from networks of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, Parameters
from implicitbias._errors import InvalidInputError
from implicitbias.interop._modules import made
from implicitbias.interop._torch import require_torch
from implicitbias.networks import (
    ConvolutionalNetwork,
    DiagonalNetwork,
    FullyConnectedNetwork,
    Network,
    OrthogonalNetwork,
    TensorNetwork,
    weights_from_layers,
)

Build = Callable[[Any, Any, Parameters], Any]


def to_torch(network: Network, parameters: Iterable[Any]) -> Any:
    """The ``nn.Module`` with f(x) = x^T beta(Theta), from (n, d) to (n,), trainable, in float64.

    Fully connected: ``Sequential(Linear, ..., Linear, Flatten(0))``. Convolutional:
    ``Sequential(Unflatten, Conv1d, ..., Linear, Flatten(0))`` with circular "same" padding, the
    last layer rotated by the sum of (k_l - 1) // 2. Diagonal, tensor and orthogonal: a
    ``ParameterList`` of the layers. From these three kinds ``from_torch`` gives the network and the
    parameters back, for the first three families to the last bit. Any other network computes beta
    and its gradient itself, in NumPy, on the CPU, once differentiable.

    Parameters
    ----------
    network
        Of any family.
    parameters
        L arrays of ``network.parameter_shapes``; copied.

    Raises
    ------
    InvalidInputError
        PyTorch is missing, not a network, wrong shapes, NaN or infinities.
    """
    torch = require_torch("to_torch")
    if not isinstance(network, Network):
        raise InvalidInputError(
            f"network is a {type(network).__name__}; expected a Network such as "
            "FullyConnectedNetwork((5, 3))."
        )
    layers = network.check_parameters(parameters)
    build: Build = BUILDERS.get(type(network), _of_any)
    return build(torch, network, layers)


def _tensor(torch: Any, array: Any) -> Any:
    return torch.from_numpy(np.array(array, order="C"))


def _parameters(torch: Any, layers: Sequence[FloatArray]) -> list[Any]:
    return [torch.nn.Parameter(_tensor(torch, layer)) for layer in layers]


def _weighted(torch: Any, layer: Any, weight: FloatArray) -> Any:
    """A layer made on the meta device, which leaves torch's generator alone, with this weight."""
    layer.weight = torch.nn.Parameter(_tensor(torch, weight))
    return layer


def _linear(torch: Any, weight: FloatArray) -> Any:
    outputs, inputs = weight.shape
    layer = torch.nn.Linear(inputs, outputs, bias=False, device="meta")
    return _weighted(torch, layer, weight)


def _filter(torch: Any, weight: FloatArray) -> Any:
    layer = torch.nn.Conv1d(
        1, 1, weight.size, padding="same", padding_mode="circular", bias=False, device="meta"
    )
    return _weighted(torch, layer, weight)


def _of_connected(torch: Any, network: FullyConnectedNetwork, layers: Parameters) -> Any:
    weights = weights_from_layers(network, layers, "torch")
    return torch.nn.Sequential(*(_linear(torch, weight) for weight in weights), torch.nn.Flatten(0))


def _of_convolutional(torch: Any, network: ConvolutionalNetwork, layers: Parameters) -> Any:
    *filters, last = weights_from_layers(network, layers, "torch")
    return torch.nn.Sequential(
        torch.nn.Unflatten(1, (1, network.num_features)),
        *(_filter(torch, weight) for weight in filters),
        _linear(torch, last),
        torch.nn.Flatten(0),
    )


def _of_diagonal(torch: Any, network: DiagonalNetwork, layers: Parameters) -> Any:
    return made("DiagonalModule")(_parameters(torch, layers))


def _of_tensor(torch: Any, network: TensorNetwork, layers: Parameters) -> Any:
    return made("TensorModule")(_parameters(torch, layers), _tensor(torch, network.tensor))


def _of_orthogonal(torch: Any, network: OrthogonalNetwork, layers: Parameters) -> Any:
    bases = [_tensor(torch, basis) for basis in network.bases]
    return made("OrthogonalModule")(_parameters(torch, layers), _tensor(torch, network.S), bases)


def _of_any(torch: Any, network: Network, layers: Parameters) -> Any:
    return made("NetworkModule")(_parameters(torch, layers), network)


# By type, and not by family: a subclass of a user's own may compute something else.
BUILDERS: dict[type[Network], Build] = {
    FullyConnectedNetwork: _of_connected,
    ConvolutionalNetwork: _of_convolutional,
    DiagonalNetwork: _of_diagonal,
    TensorNetwork: _of_tensor,
    OrthogonalNetwork: _of_orthogonal,
}
