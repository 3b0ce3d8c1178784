"""X D beta(Theta) of stacked networks: by gradients of all points at once, or one after the other.

The first needs a family's ``stacked_gradients`` to be arrays; the second takes any network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from implicitbias._arrays import FloatArray, Parameters

if TYPE_CHECKING:
    from implicitbias.networks._base import Network


def by_gradients(network: Network, layers: Parameters, X: FloatArray) -> FloatArray:
    """Row i of X D beta(Theta) is the gradient of x_i^T beta: R n networks in one."""
    runs, points = len(layers[0]), len(X)
    repeated = tuple(np.repeat(layer, points, axis=0) for layer in layers)
    gradients = network.stacked_gradients(repeated, np.tile(X, (runs, 1)))
    return np.concatenate([part.reshape(runs, points, -1) for part in gradients], axis=2)


def by_jacobians(network: Network, layers: Parameters, X: FloatArray) -> FloatArray:
    """X times each network's Jacobian."""
    runs = zip(*layers, strict=True)
    return np.stack([X @ network.coefficient_jacobian(run) for run in runs])
