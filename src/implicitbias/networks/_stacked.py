"""Stacks of parameters, R networks in one: as vectors and as layers, and X D beta(Theta) of each.

The latter by gradients of all points at once, which needs a family's ``stacked_gradients`` to be
arrays, or one after the other, which takes any network.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from implicitbias._arrays import FloatArray, Parameters

if TYPE_CHECKING:
    from implicitbias.networks._base import Network


def layers_of_each(network: Network, vectors: FloatArray) -> Parameters:
    """Views of the layers, (R, ...), of vectors Theta, (R, P)."""
    ends = np.cumsum((0, *network.layer_sizes)).tolist()
    places = zip(ends[:-1], ends[1:], network.parameter_shapes, strict=True)
    return tuple(
        vectors[:, begin:end].reshape(len(vectors), *shape) for begin, end, shape in places
    )


def flattened_each(layers: Parameters) -> FloatArray:
    """The vectors, (R, P), of layers (R, ...)."""
    flat = [layer.reshape(len(layer), prod(layer.shape[1:])) for layer in layers]
    return np.concatenate(flat, axis=1)


def by_gradients(network: Network, layers: Parameters, X: FloatArray) -> FloatArray:
    """Row i of X D beta(Theta) is the gradient of x_i^T beta: R n networks in one."""
    runs, points = len(layers[0]), len(X)
    if not points:
        return np.zeros((runs, 0, network.num_parameters))
    repeated = tuple(np.repeat(layer, points, axis=0) for layer in layers)
    gradients = network.stacked_gradients(repeated, np.tile(X, (runs, 1)))
    return flattened_each(gradients).reshape(runs, points, network.num_parameters)


def by_jacobians(network: Network, layers: Parameters, X: FloatArray) -> FloatArray:
    """X times each network's Jacobian."""
    runs = zip(*layers, strict=True)
    return np.stack([X @ network.coefficient_jacobian(run) for run in runs])
