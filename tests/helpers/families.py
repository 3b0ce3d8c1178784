"""A sixth family of networks, written as a user would: nothing of the package knows it."""

from functools import reduce

import numpy as np

from implicitbias import Network, OrthogonalDecomposition


class WeightedNetwork(Network):
    """f(x) = sum_j c_j x_{order(j)} prod_l [v_l]_j: beta_{order(j)} = c_j prod_l [v_l]_j.

    The first layers are matrices of ``shape``, entries numbered row by row.
    """

    def __init__(self, weights, order, shape, depth):
        d = len(weights)
        selection = np.zeros((d, d))
        selection[np.arange(d), order] = weights
        self.__dict__.update(
            matrix=selection,
            num_features=d,
            parameter_shapes=(*(tuple(shape),) * (depth - 1), (d,)),
        )

    def __repr__(self):
        return f"{type(self).__name__}(d={self.num_features}, depth={self.depth})"

    def _coefficients(self, layers):
        return reduce(np.multiply, (layer.ravel() for layer in layers)) @ self.matrix

    def _others(self, layers, *left_out):
        rest = (layer.ravel() for index, layer in enumerate(layers) if index not in left_out)
        return reduce(np.multiply, rest, np.ones(self.num_features))

    def _layer_gradients(self, layers, direction):
        driver = self.matrix @ direction
        return tuple(
            (driver * self._others(layers, index)).reshape(layer.shape)
            for index, layer in enumerate(layers)
        )

    def _second_derivative_blocks(self, layers, direction):
        driver = self.matrix @ direction
        for first in range(self.depth):
            for second in range(first + 1, self.depth):
                yield first, second, np.diag(driver * self._others(layers, first, second))

    def _jacobian_blocks(self, layers):
        for index in range(self.depth):
            yield self.matrix.T * self._others(layers, index)

    def _data_tensor(self, x):
        tensor = np.zeros(self.layer_sizes)
        tensor[(np.arange(self.num_features),) * self.depth] = self.matrix @ x
        return tensor

    def _step(self, index, hidden, layer):
        return (hidden if index else hidden @ self.matrix.T) * layer.ravel()

    def _step_jacobian(self, index, hidden, pulled):
        return (hidden if index else hidden @ self.matrix.T) * pulled

    def _step_adjoint(self, index, layer, pulled):
        return layer.ravel() * pulled

    def _entries_per_row(self):
        return self.num_features


class KnownWeightedNetwork(WeightedNetwork):
    """The same, with its decomposition known outright."""

    def _decompose(self, tol):
        bases = [np.eye(self.num_features)] * self.depth
        return OrthogonalDecomposition.given(self.matrix, bases, self.parameter_shapes)


class WrongWeightedNetwork(WeightedNetwork):
    """The same, saying that it is diagonal."""

    def _decompose(self, tol):
        bases = [np.eye(self.num_features)] * self.depth
        return OrthogonalDecomposition.given(bases[0], bases, self.parameter_shapes)
