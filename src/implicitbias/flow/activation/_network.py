"""The parameter flow of a network with an elementwise activation: simulation only.

    dTheta/dt = -sum_i l'(f(x_i; Theta)) grad f(x_i; Theta)

by reverse mode through the forward pass. f is not linear in x, so that there are no coefficients:
where a linear flow reports them, this one reports the predictions f(x_i; Theta).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from implicitbias._arrays import FloatArray, Parameters
from implicitbias.networks import Activation, Network

DIFFERENCE = 1e-6  # step of a difference quotient, relative
SMALL_ENTRY = 1e-3  # entries below this part of the largest are resolved to this part of it only
KINK = 1e-4  # of the largest preactivation at the start: the width over which kinks are rounded
KINK_TOLERANCE = 1e-8


class ActivatedNetwork:
    """Predictions on fixed inputs and their derivatives, as functions of the flattened Theta."""

    def __init__(
        self, network: Network, X: FloatArray, activation: Activation, start: Parameters
    ) -> None:
        self.network, self.X, self.activation = network, X, activation
        self.start = network.flatten(start)
        self.conserves = activation.is_homogeneous
        self.has_kink = activation.rounded is not None
        if activation.rounded is not None:
            hidden = network.hidden_layers(start, X)
            size = max(float(np.abs(layer).max(initial=0.0)) for layer in hidden)
            self.activation = activation.rounded(KINK * (size or 1.0))
        self.norms = self._norms(self.start)

    def jacobian(self, state: FloatArray) -> tuple[FloatArray, FloatArray]:
        """f, (n,), and df/dTheta, (n, P)."""
        layers = self.network.unflatten(state)
        return self.network.prediction_jacobian(layers, self.X, self.activation)

    def difference_jacobian(
        self, velocity: Callable[[FloatArray], FloatArray], state: FloatArray
    ) -> FloatArray:
        """The derivative of a velocity by differences, (P, P)."""
        step = DIFFERENCE * max(float(np.abs(state).max(initial=0.0)), 1e-3)
        here = velocity(state)
        return np.array([velocity(state + e) - here for e in step * np.eye(state.size)]).T / step

    def predictions(self, state: FloatArray) -> FloatArray:
        """f, (n,)."""
        return self.jacobian(state)[0]

    def parameters(self, state: FloatArray) -> Parameters:
        """Theta."""
        return self.network.unflatten(state)

    def drift(self, state: FloatArray) -> float:
        """Relative drift of ||v_l||^2 - ||v_{l+1}||^2; NaN where phi does not conserve it."""
        if not self.conserves:
            return float("nan")
        norms = self._norms(state)
        change = np.abs(np.diff(norms) - np.diff(self.norms))
        size = norms[:-1] + norms[1:]
        return float(np.max(np.divide(change, size, where=size > 0, out=np.zeros_like(change))))

    def entry_sizes(self) -> FloatArray:
        """The natural size of each entry of Theta."""
        sizes = np.abs(self.start)
        top = float(sizes.max(initial=0.0)) or 1.0
        return np.maximum(sizes, SMALL_ENTRY * top)

    def _norms(self, state: FloatArray) -> FloatArray:
        return np.array([np.vdot(layer, layer) for layer in self.network.unflatten(state)])
