"""Diagonal networks: one weight a feature and layer."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce

import numpy as np

from implicitbias._arrays import FloatArray, Parameters, positive_int
from implicitbias._names import MAX_DEPTH
from implicitbias.networks._base import Network
from implicitbias.networks._decomposition import OrthogonalDecomposition
from implicitbias.networks._stacked import by_gradients
from implicitbias.networks._structured import IdentityDecomposition


class DiagonalNetwork(Network):
    """f(x) = (x * w_1 * ... * w_{L-1})^T w_L elementwise: beta = w_1 * ... * w_L, w_l in R^d.

    [M(x)]_{j..j} = x_j, all other entries 0; Assumption 1 holds with S = I and U_l = I.
    Conserved: w_l * w_l - w_{l+1} * w_{l+1}, elementwise.

    With an activation, H_l = phi(H_{l-1} * w_l) elementwise, H_0 = x: phi acts on the d entries
    of H_l off which M(x) vanishes. The general definition also applies it to the structural zeros
    beside them (for L >= 3), so the two agree when phi(0) = 0 or L = 2.

    Parameters
    ----------
    num_features
        d >= 1.
    depth
        L >= 2.

    Raises
    ------
    InvalidInputError
        A size that is not a whole number or too small.

    Source: Yun, Krishnan and Mobahi, ICLR 2021, section 3.1.
    """

    family = "diagonal"
    takes_sparse = True

    def __init__(self, num_features: int, depth: int) -> None:
        d = positive_int(num_features, "num_features")
        shapes = ((d,),) * positive_int(depth, "depth", at_least=2, at_most=MAX_DEPTH)
        self.__dict__.update(num_features=d, parameter_shapes=shapes)

    def __repr__(self) -> str:
        return f"DiagonalNetwork(num_features={self.num_features}, depth={self.depth})"

    def _decompose(self, tol: float) -> OrthogonalDecomposition:
        """S = I and U_l = I, by structure: the residual is 0 and ``tol`` is not used."""
        return IdentityDecomposition(self.num_features, self.depth)

    def _coefficients(self, layers: Parameters) -> FloatArray:
        return reduce(np.multiply, layers)

    def _layer_gradients(self, layers: Parameters, direction: FloatArray) -> Parameters:
        gradients = [direction]
        for layer in layers[:-1]:
            gradients.append(gradients[-1] * layer)
        suffix = layers[-1]
        for index in range(self.depth - 2, -1, -1):
            gradients[index] = gradients[index] * suffix
            if index:
                suffix = suffix * layers[index]
        return tuple(gradients)

    def stacked_coefficients(self, layers: Parameters) -> FloatArray:
        """Elementwise, as for one."""
        return self._coefficients(layers)

    def stacked_gradients(self, layers: Parameters, directions: FloatArray) -> Parameters:
        """Elementwise, as for one."""
        return self._layer_gradients(layers, directions)

    def stacked_point_gradients(self, layers: Parameters, X: FloatArray) -> FloatArray:
        """By the gradients of all points."""
        return by_gradients(self, layers, X)

    def _second_derivative_blocks(
        self, layers: Parameters, direction: FloatArray
    ) -> Iterator[tuple[int, int, FloatArray]]:
        suffixes = self._suffixes(layers)
        prefix = direction
        for first in range(self.depth):
            between = prefix
            for second in range(first + 1, self.depth):
                yield first, second, np.diag(between * suffixes[second])
                between = between * layers[second]
            prefix = prefix * layers[first]

    def _jacobian_blocks(self, layers: Parameters) -> Iterator[FloatArray]:
        ones = np.ones(self.num_features)
        return (np.diag(others) for others in self._layer_gradients(layers, ones))

    def _suffixes(self, layers: Parameters) -> list[FloatArray]:
        """w_{l+1} * ... * w_L for each l; ones for the last."""
        suffixes = [np.ones(self.num_features)]
        for layer in layers[:0:-1]:
            suffixes.append(suffixes[-1] * layer)
        return suffixes[::-1]

    def _data_tensor(self, x: FloatArray) -> FloatArray:
        tensor = np.zeros(self.layer_sizes)
        tensor[(np.arange(self.num_features),) * self.depth] = x
        return tensor

    def _step(self, index: int, hidden: FloatArray, layer: FloatArray) -> FloatArray:
        return hidden * layer

    def _step_jacobian(self, index: int, hidden: FloatArray, pulled: FloatArray) -> FloatArray:
        return hidden * pulled

    def _step_adjoint(self, index: int, layer: FloatArray, pulled: FloatArray) -> FloatArray:
        return layer * pulled

    def _entries_per_row(self) -> int:
        return self.num_features

    def _conserved_terms(self, layers: Parameters) -> tuple[FloatArray, FloatArray, FloatArray]:
        squares = np.square(layers)
        first, second = squares[:-1].ravel(), squares[1:].ravel()
        return first, second, first + second
