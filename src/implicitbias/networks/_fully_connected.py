"""Fully connected networks without biases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from implicitbias._arrays import FloatArray, Parameters, positive_int
from implicitbias._errors import InvalidInputError
from implicitbias._names import MAX_DEPTH
from implicitbias.networks._base import Network
from implicitbias.networks._decomposition import OrthogonalDecomposition
from implicitbias.networks._layers import squared_norms
from implicitbias.networks._point_svd import PointSVD, connected_svd
from implicitbias.networks._stacked import by_gradients
from implicitbias.networks._starts import chained
from implicitbias.networks._structured import disjoint_paths


class FullyConnectedNetwork(Network):
    """f(x) = x^T W_1 ... W_{L-1} w_L, W_l in R^{d_l x d_{l+1}} (d_1 = d), w_L in R^{d_L}.

    [M(x)]_{(a_1 b_1) .. (a_{L-1} b_{L-1}) j_L} = x_{a_1} [b_1 = a_2] ... [b_{L-1} = j_L];
    beta = W_1 ... W_{L-1} w_L. Conserved: W_l^T W_l - W_{l+1} W_{l+1}^T, w_L as a column.

    With an activation, H_l = phi(H_{l-1} W_l), H_0 = x^T: phi acts on the d_{l+1} hidden units.
    The general definition also applies it to the structural zeros beside them (for L >= 3), so
    the two agree when phi(0) = 0 or L = 2.

    Parameters
    ----------
    widths
        (d, d_2, ..., d_L): the depth is their number, at least 2.

    Raises
    ------
    InvalidInputError
        Fewer than two widths, or one that is not a whole number >= 1.

    Source: Yun, Krishnan and Mobahi, ICLR 2021, section 3.1.
    """

    family = "fully connected"
    takes_sparse = True
    widths: tuple[int, ...]

    def __init__(self, widths: Iterable[int]) -> None:
        try:
            sizes = tuple(widths)
        except TypeError:
            sizes = ()
        if len(sizes) < 2:
            raise InvalidInputError(
                f"widths is {widths!r}; expected (d, d_2, ..., d_L), one width a layer and at "
                "least two: FullyConnectedNetwork((d, 50)) has the layers (d, 50) and (50,)."
            )
        positive_int(len(sizes), "the number of widths", at_most=MAX_DEPTH)
        sizes = tuple(positive_int(k, f"widths, entry {i},") for i, k in enumerate(sizes, 1))
        self.__dict__.update(
            widths=sizes,
            num_features=sizes[0],
            parameter_shapes=(*pairwise(sizes), sizes[-1:]),
        )

    def __repr__(self) -> str:
        return f"FullyConnectedNetwork(widths={self.widths})"

    def _decompose(self, tol: float) -> OrthogonalDecomposition:
        """Disjoint paths through the network: Assumption 1 by structure.

        It holds if and only if d = 1 and either L = 2 or all widths are 1 [compare the ranks of
        the flattenings of M]. Otherwise the result says "fails" with what a decomposition along
        disjoint paths leaves over. ``tol`` is not used.
        """
        return disjoint_paths(self.widths, self.parameter_shapes)

    def point_svd(self, x: FloatArray) -> PointSVD:
        """s = |x| for every hidden unit."""
        return connected_svd(x, self.widths[1])

    def balanced(self, layers: Sequence[FloatArray]) -> list[FloatArray]:
        """W_l = u_l u_{l+1}^T, w_L = u_L: then W_l^T W_l = W_{l+1} W_{l+1}^T has rank one."""
        return chained(layers)

    def _coefficients(self, layers: Parameters) -> FloatArray:
        beta = layers[-1]
        for layer in layers[-2::-1]:
            beta = layer @ beta
        return beta

    def _layer_gradients(self, layers: Parameters, direction: FloatArray) -> Parameters:
        prefixes = self._prefixes(layers, direction)
        gradients = [prefixes[-1]]
        suffix = layers[-1]
        for index in range(self.depth - 2, -1, -1):
            gradients.append(np.outer(prefixes[index], suffix))
            suffix = layers[index] @ suffix
        return tuple(gradients[::-1])

    def stacked_coefficients(self, layers: Parameters) -> FloatArray:
        """W_1 ... w_L, matrix products of stacks."""
        beta = layers[-1][..., None]
        for layer in layers[-2::-1]:
            beta = layer @ beta
        return beta[..., 0]

    def stacked_gradients(self, layers: Parameters, directions: FloatArray) -> Parameters:
        """As for one, by matrix products of stacks."""
        prefixes = [directions[:, None, :]]
        for layer in layers[:-1]:
            prefixes.append(prefixes[-1] @ layer)
        gradients = [prefixes[-1][:, 0]]
        suffix = layers[-1][..., None]
        for index in range(self.depth - 2, -1, -1):
            gradients.append(prefixes[index].swapaxes(1, 2) * suffix.swapaxes(1, 2))
            suffix = layers[index] @ suffix
        return tuple(gradients[::-1])

    def stacked_point_gradients(self, layers: Parameters, X: FloatArray) -> FloatArray:
        """By the gradients of all points."""
        return by_gradients(self, layers, X)

    def _second_derivative_blocks(
        self, layers: Parameters, direction: FloatArray
    ) -> Iterator[tuple[int, int, FloatArray]]:
        prefixes = self._prefixes(layers, direction)
        suffixes = self._suffixes(layers)
        for first in range(self.depth - 1):
            between = np.eye(self.widths[first + 1])  # W_{first+1} ... W_{second-1}
            for second in range(first + 1, self.depth):
                block = np.multiply.outer(prefixes[first], between)
                if second < self.depth - 1:
                    block = np.multiply.outer(block, suffixes[second])
                    between = between @ layers[second]
                yield first, second, block.reshape(self.layer_sizes[first], -1)

    def _jacobian_blocks(self, layers: Parameters) -> Iterator[FloatArray]:
        prefix = np.eye(self.num_features)
        for layer, suffix in zip(layers[:-1], self._suffixes(layers), strict=True):
            yield np.multiply.outer(prefix, suffix).reshape(self.num_features, -1)
            prefix = prefix @ layer
        yield prefix

    def _prefixes(self, layers: Parameters, direction: FloatArray) -> list[FloatArray]:
        """c^T W_1 ... W_{l-1} for l = 1, ..., L."""
        prefixes = [direction]
        for layer in layers[:-1]:
            prefixes.append(prefixes[-1] @ layer)
        return prefixes

    def _suffixes(self, layers: Parameters) -> list[FloatArray]:
        """W_{l+1} ... w_L for l = 1, ..., L-1."""
        suffixes = [layers[-1]]
        for layer in layers[-2:0:-1]:
            suffixes.append(layer @ suffixes[-1])
        return suffixes[::-1]

    def _data_tensor(self, x: FloatArray) -> FloatArray:
        start, *units = np.ogrid[tuple(slice(width) for width in self.widths)]
        tensor = np.zeros((self.num_features, *np.repeat(self.widths[1:], 2)))
        tensor[(start, *(unit for unit in units for _ in range(2)))] = x[start]
        return tensor.reshape(self.layer_sizes)

    def _step(self, index: int, hidden: FloatArray, layer: FloatArray) -> FloatArray:
        return hidden @ layer

    def _step_jacobian(self, index: int, hidden: FloatArray, pulled: FloatArray) -> FloatArray:
        outer: FloatArray = hidden[:, :, None] * pulled[:, None, :]
        return outer.reshape(len(hidden), -1)

    def _step_adjoint(self, index: int, layer: FloatArray, pulled: FloatArray) -> FloatArray:
        return pulled @ layer.T

    def _entries_per_row(self) -> int:
        return max(self.widths)

    def _conserved_terms(self, layers: Parameters) -> tuple[FloatArray, FloatArray, FloatArray]:
        columns = (*layers[:-1], layers[-1][:, None])
        pairs = tuple(pairwise(columns))
        norms = squared_norms(layers)
        sizes = np.square(self.widths[1:])
        return (
            np.concatenate([(left.T @ left).ravel() for left, _ in pairs]),
            np.concatenate([(right @ right.T).ravel() for _, right in pairs]),
            np.repeat(norms[:-1] + norms[1:], sizes),
        )
