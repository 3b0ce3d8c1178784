"""Derivatives of the forward pass with an activation, in reverse mode."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from implicitbias._arrays import FloatArray, Parameters
from implicitbias.networks._activation import Activation


class Steps(Protocol):
    """The steps of a network's forward pass: see ``Network``."""

    @property
    def depth(self) -> int:
        """L."""

    def _step(self, index: int, hidden: FloatArray, layer: FloatArray) -> FloatArray: ...

    def _step_jacobian(self, index: int, hidden: FloatArray, pulled: FloatArray) -> FloatArray: ...

    def _step_adjoint(self, index: int, layer: FloatArray, pulled: FloatArray) -> FloatArray: ...


def prediction_jacobian(
    network: Steps, layers: Parameters, X: FloatArray, activation: Activation
) -> tuple[FloatArray, FloatArray]:
    """f(x_i; Theta), (n,), and its derivatives by Theta, (n, P)."""
    hidden, slopes = [X], []
    for index, layer in enumerate(layers[:-1]):
        before = network._step(index, hidden[-1], layer)
        hidden.append(activation(before))
        slopes.append(activation.slope(before))
    blocks = [hidden[-1]]
    pulled = np.broadcast_to(layers[-1], hidden[-1].shape)
    for index in range(network.depth - 2, -1, -1):
        pulled = pulled * slopes[index]
        blocks.append(network._step_jacobian(index, hidden[index], pulled))
        if index:
            pulled = network._step_adjoint(index, layers[index], pulled)
    return hidden[-1] @ layers[-1], np.concatenate(blocks[::-1], axis=1)
