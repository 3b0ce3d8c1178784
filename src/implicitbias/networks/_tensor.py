"""Networks given by their data tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from math import prod
from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, Parameters, finite_array
from implicitbias._errors import InvalidInputError
from implicitbias.networks._base import Network
from implicitbias.networks._bonds import Bond, bonds_of_einsum
from implicitbias.networks._decomposition import OrthogonalDecomposition
from implicitbias.networks._frontends import tensor_from_callable, tensor_from_einsum
from implicitbias.networks._layers import squared_norms
from implicitbias.networks._multilinear import (
    contract_all_but_second,
    contract_first,
    contract_last,
    contract_second,
    outer_second,
)
from implicitbias.networks._point_svd import PointSVD, dense_svd
from implicitbias.networks._search import search_decomposition
from implicitbias.networks._stacked import by_gradients

_STACKED_ENTRIES = 1_000_000  # of tensors in memory, 8 MB; beyond, one network after the other


class TensorNetwork(Network):
    """f(x) = M(x) o (v_1, ..., v_L), M(x) = A x for a real tensor A of shape (k_1, .., k_L, d).

    beta = A o (v_1, ..., v_L, I). Conserved: ||v_l||^2 - ||v_{l+1}||^2.
    With an activation, H_l is the general definition's: phi acts on all entries of H_l,
    (k_{l+1}, ..., k_L), zeros included.

    Parameters
    ----------
    tensor
        A, real, at least three modes; copied.

    Raises
    ------
    InvalidInputError
        Not numeric, complex, empty, not finite, or fewer than three modes.

    Source: Yun, Krishnan and Mobahi, ICLR 2021, section 3.
    """

    family = "tensor"
    tensor: FloatArray
    bonds: tuple[Bond, ...]

    def __init__(self, tensor: Any) -> None:
        modes = np.ndim(tensor)
        if modes < 3:
            raise InvalidInputError(
                f"tensor has {modes} modes; expected at least 3, (k_1, ..., k_L, d) with the "
                "features last and depth L >= 2."
            )
        array = np.array(finite_array(tensor, "tensor", shape=(None,) * modes), order="C")
        array.setflags(write=False)
        self.__dict__.update(
            tensor=array,
            num_features=array.shape[-1],
            parameter_shapes=tuple((size,) for size in array.shape[:-1]),
            bonds=(),
        )

    @classmethod
    def from_einsum(cls, specification: str, *operands: Any) -> TensorNetwork:
        """f(x) = the sum over all indices of the product of the operands and x.

        The index ``x`` stands for the features: the input is contracted with it and is not among
        the operands. So ``from_einsum("x,x,x->", (5,), (5,), (5,))`` is the diagonal network with
        three layers on five features, ``from_einsum("xa,ab,b->", (5, 3), (3, 2), (2,))`` is fully
        connected, and ``from_einsum("a,b,abx->", (3,), (4,), A)`` is ``TensorNetwork(A)``. Matrix
        sensing, f(x) = <A(x), W_1 W_2>, is ``from_einsum("ab,bc,acx->", (m, r), (r, n), A)``.

        Conserved beside the norms: for two layers that share indices, sum W[.., b] W[.., b'] over
        all others, the first's minus the second's, as a matrix where nobody else has b, and its
        diagonal otherwise; so W_1^T W_1 - W_2 W_2^T above.

        Parameters
        ----------
        specification
            As for ``numpy.einsum``: letters for the indices of each operand, commas between them,
            and "->" with nothing behind it, or no arrow.
        operands
            For each, a tuple of whole numbers, the shape of a layer to be trained, or an array, a
            fixed tensor. At least two layers, which become vectors, flattened row-major, in the
            order given.

        Raises
        ------
        InvalidInputError
            A specification that is no such sum, operands that do not fit it, or a data tensor of
            more than 1e7 entries.
        """
        network = cls(tensor_from_einsum(specification, operands))
        network.__dict__["bonds"] = bonds_of_einsum(specification, operands)
        return network

    @classmethod
    def from_callable(
        cls, function: Callable[..., Any], num_features: int, parameter_shapes: Iterable[Any]
    ) -> TensorNetwork:
        """f(x) = function(x, W_1, ..., W_L) for a function that is linear in each argument.

        ``from_callable(lambda x, W, v: x @ W @ v, 5, [(5, 3), (3,)])`` is fully connected.

        Parameters
        ----------
        function
            Takes x, (num_features,), and one array a layer; returns a number. It is called once for
            each entry of the data tensor, and tried for linearity in every argument first.
        num_features
            d.
        parameter_shapes
            The shapes of the layers, at least two; they become vectors, flattened row-major.

        Raises
        ------
        InvalidInputError
            Not such a function: the message names the argument in which it is not linear and the
            size of the violation. Or more than 1e6 entries.
        """
        return cls(tensor_from_callable(function, num_features, parameter_shapes))

    def __repr__(self) -> str:
        return f"TensorNetwork(tensor of shape {self.tensor.shape})"

    def _decompose(self, tol: float) -> OrthogonalDecomposition:
        """Search for S and U_l numerically; see ``implicitbias.networks._search``."""
        return search_decomposition(self.tensor, tol=tol)

    def point_svd(self, x: FloatArray) -> PointSVD:
        """That of M(x) itself."""
        return dense_svd(self.data_tensor(x))

    def _coefficients(self, layers: Parameters) -> FloatArray:
        return reduce(contract_first, layers, self.tensor)

    def _layer_gradients(self, layers: Parameters, direction: FloatArray) -> Parameters:
        left = self.tensor @ direction
        gradients = []
        for index, layer in enumerate(layers):
            gradients.append(reduce(contract_last, layers[:index:-1], left))
            left = contract_first(left, layer)
        return tuple(gradients)

    def stacked_coefficients(self, layers: Parameters) -> FloatArray:
        """As for one, mode after mode, where all fit memory."""
        if not self._fits(layers):
            return super().stacked_coefficients(layers)
        first = self.tensor.reshape(self.layer_sizes[0], -1)
        return reduce(_contract_first_of_each, layers[1:], layers[0] @ first)

    def stacked_gradients(self, layers: Parameters, directions: FloatArray) -> Parameters:
        """As for one, mode after mode, where all fit memory."""
        if not self._fits(layers):
            return super().stacked_gradients(layers, directions)
        left = directions @ self.tensor.reshape(-1, self.num_features).T  # M(c), (R, k_1 .. k_L)
        gradients = []
        for index, layer in enumerate(layers):
            gradients.append(reduce(_contract_last_of_each, layers[:index:-1], left))
            left = _contract_first_of_each(left, layer)
        return tuple(gradients)

    def stacked_point_gradients(self, layers: Parameters, X: FloatArray) -> FloatArray:
        """By the gradients of all points, where all fit memory."""
        if self._fits(layers, len(X)):
            return by_gradients(self, layers, X)
        return super().stacked_point_gradients(layers, X)

    def _fits(self, layers: Parameters, points: int = 1) -> bool:
        return (
            len(layers[0]) * max(points, self.num_features) * prod(self.layer_sizes)
            <= _STACKED_ENTRIES
        )

    def _second_derivative_blocks(
        self, layers: Parameters, direction: FloatArray
    ) -> Iterator[tuple[int, int, FloatArray]]:
        left = self.tensor @ direction
        for first in range(self.depth - 1):
            between = left
            for second in range(first + 1, self.depth):
                yield first, second, reduce(contract_last, layers[:second:-1], between)
                between = contract_second(between, layers[second])
            left = contract_first(left, layers[first])

    def _jacobian_blocks(self, layers: Parameters) -> Iterator[FloatArray]:
        left = self.tensor
        for index, layer in enumerate(layers):
            yield reduce(contract_second, layers[index + 1 :], left).T
            left = contract_first(left, layer)

    def _data_tensor(self, x: FloatArray) -> FloatArray:
        return self.tensor @ x

    def _step(self, index: int, hidden: FloatArray, layer: FloatArray) -> FloatArray:
        if index:
            return contract_second(hidden, layer)
        first = contract_first(self.tensor, layer).reshape(-1, self.num_features)
        return (hidden @ first.T).reshape(len(hidden), *self.layer_sizes[1:])

    def _step_jacobian(self, index: int, hidden: FloatArray, pulled: FloatArray) -> FloatArray:
        if index:
            return contract_all_but_second(hidden, pulled)
        rest = self.tensor.reshape(self.layer_sizes[0], -1, self.num_features)
        driven: FloatArray = (rest @ hidden.T).transpose(2, 0, 1)  # M(x_i), (n, k_1, k_2 ... k_L)
        return contract_all_but_second(driven, pulled)

    def _step_adjoint(self, index: int, layer: FloatArray, pulled: FloatArray) -> FloatArray:
        return outer_second(layer, pulled)

    def _entries_per_row(self) -> int:
        return prod(self.layer_sizes[1:])

    def _conserved_terms(self, layers: Parameters) -> tuple[FloatArray, FloatArray, FloatArray]:
        first, second, scale = super()._conserved_terms(layers)
        norms = squared_norms(layers)
        for bond in self.bonds:
            left, right = bond.of_first(layers), bond.of_second(layers)
            first, second = np.concatenate([first, left]), np.concatenate([second, right])
            size = norms[bond.first] + norms[bond.second]
            scale = np.concatenate([scale, np.full(left.size, size)])
        return first, second, scale


def _contract_first_of_each(tensors: FloatArray, vectors: FloatArray) -> FloatArray:
    """``contract_first`` of R flattened tensors with R vectors, (R, k): (R, rest)."""
    runs, size = vectors.shape
    return np.asarray((vectors[:, None, :] @ tensors.reshape(runs, size, -1))[:, 0])


def _contract_last_of_each(tensors: FloatArray, vectors: FloatArray) -> FloatArray:
    """``contract_last`` of the same."""
    runs, size = vectors.shape
    return np.asarray((tensors.reshape(runs, -1, size) @ vectors[:, :, None])[:, :, 0])
