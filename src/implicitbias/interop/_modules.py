"""Modules of PyTorch for networks that its own layers do not make.

The classes are made when they are first asked for, since their base is in PyTorch, and are
attributes of this file from then on, so that a pickled module finds its class again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from implicitbias._errors import InvalidInputError
from implicitbias.interop._torch import require_torch
from implicitbias.networks import Network


def diagonal_module(torch: Any) -> Any:
    """f(x) = sum_j x_j prod_l [w_l]_j."""

    class DiagonalModule(torch.nn.Module):
        def __init__(self, layers: Any) -> None:
            super().__init__()
            self.layers = torch.nn.ParameterList(layers)

        def forward(self, X: Any) -> Any:
            beta = self.layers[0]
            for layer in list(self.layers)[1:]:
                beta = beta * layer
            return X @ beta

    return DiagonalModule


def tensor_module(torch: Any) -> Any:
    """f(x) = A o (v_1, ..., v_L, x)."""

    class TensorModule(torch.nn.Module):
        def __init__(self, layers: Any, tensor: Any) -> None:
            super().__init__()
            self.layers = torch.nn.ParameterList(layers)
            self.register_buffer("tensor", tensor)

        def forward(self, X: Any) -> Any:
            rest = self.tensor
            for layer in self.layers:
                rest = torch.tensordot(layer, rest, dims=1)
            return X @ rest

    return TensorModule


def orthogonal_module(torch: Any) -> Any:
    """f(x) = x^T Re S^T (p_1 * ... * p_L), p_l = U_l^T v_l."""

    class OrthogonalModule(torch.nn.Module):
        def __init__(self, layers: Any, S: Any, bases: Any) -> None:
            super().__init__()
            self.layers = torch.nn.ParameterList(layers)
            self.register_buffer("S", S)
            for index, basis in enumerate(bases):
                self.register_buffer(f"basis_{index}", basis)

        def forward(self, X: Any) -> Any:
            rho: Any = 1.0
            for index, layer in enumerate(self.layers):
                basis = getattr(self, f"basis_{index}")
                rho = rho * (layer.to(basis.dtype) @ basis)
            kind = torch.promote_types(rho.dtype, self.S.dtype)
            beta = rho.to(kind) @ self.S.to(kind)
            return X @ (beta.real if beta.is_complex() else beta)

    return OrthogonalModule


def coefficients_function(torch: Any) -> Any:
    """beta(Theta) of any network of ours, its gradient ``layer_gradients``."""

    class Coefficients(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, network: Network, *layers: Any) -> Any:
            ctx.network = network
            ctx.save_for_backward(*layers)
            return torch.from_numpy(np.array(network.coefficients(_arrays(layers))))

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            if torch.is_grad_enabled():  # create_graph=True: what NumPy computes has no graph
                raise InvalidInputError(
                    f"gradients of {ctx.network!r} are computed in NumPy, once; create_graph=True "
                    "is for diagonal, fully connected, convolutional, tensor, orthogonal networks."
                )
            found = ctx.network.layer_gradients(_arrays(ctx.saved_tensors), gradient.numpy())
            return (None, *(torch.from_numpy(np.array(one)) for one in found))

    return Coefficients


def _arrays(layers: Any) -> list[Any]:
    return [layer.detach().numpy() for layer in layers]


def network_module(torch: Any) -> Any:
    """f(x) = x^T beta(Theta), computed by the network itself, in NumPy on the CPU."""

    class NetworkModule(torch.nn.Module):
        def __init__(self, layers: Any, network: Network) -> None:
            super().__init__()
            self.layers = torch.nn.ParameterList(layers)
            self.network = network

        def forward(self, X: Any) -> Any:
            return X @ made("Coefficients").apply(self.network, *self.layers)

    return NetworkModule


MAKERS: dict[str, Callable[[Any], Any]] = {
    "DiagonalModule": diagonal_module,
    "TensorModule": tensor_module,
    "OrthogonalModule": orthogonal_module,
    "Coefficients": coefficients_function,
    "NetworkModule": network_module,
}


def made(name: str) -> Any:
    """The class of this name, made once."""
    if name not in globals():
        found = MAKERS[name](require_torch("to_torch"))
        found.__qualname__ = name
        found.__doc__ = MAKERS[name].__doc__
        globals().setdefault(name, found)
    return globals()[name]


def __getattr__(name: str) -> Any:
    if name in MAKERS:
        return made(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
