"""Predictions and gradients of R stacked networks: linear ones, and those with an activation."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from implicitbias._arrays import BoolArray, FloatArray, IntArray, Parameters
from implicitbias._errors import InvalidInputError
from implicitbias.networks import Activation, Network


class Model(Protocol):
    """What a stack of runs asks of a network, layers (R, ...)."""

    def predictions(self, layers: Parameters, batch: IntArray | None) -> FloatArray:
        """f(x_i) of the points of each run's batch, (R, b); of all points, (R, n), if None."""

    def inside(self, layers: Parameters) -> BoolArray:
        """Whether the network is defined for the layers of each run, (R,)."""

    def gradients(
        self, layers: Parameters, pulls: FloatArray, batch: IntArray | None
    ) -> Parameters:
        """sum_i pulls_i grad f(x_i) of those points, the layers (R, ...)."""


class LinearModel:
    """f(x) = x^T beta: two products with X, and the layers' part by the network."""

    def __init__(self, network: Network, X: FloatArray) -> None:
        self.network, self.X = network, X

    def inside(self, layers: Parameters) -> BoolArray:
        """Everywhere, but for u^D - v^D with D not a whole number."""
        if self.network.is_multilinear:
            return np.ones(len(layers[0]), dtype=bool)
        return np.array([self._defined(run) for run in zip(*layers, strict=True)])

    def _defined(self, layers: Parameters) -> bool:
        try:
            self.network.in_domain(layers, "layers")
        except InvalidInputError:
            return False
        return True

    def predictions(self, layers: Parameters, batch: IntArray | None) -> FloatArray:
        """X beta."""
        beta = self.network.stacked_coefficients(layers)
        if batch is None:
            return np.asarray(beta @ self.X.T)
        if len(beta) == 1:
            return np.asarray((self.X[batch[0]] @ beta[0])[None])
        return np.asarray((self.X[batch] @ beta[:, :, None])[:, :, 0])

    def gradients(
        self, layers: Parameters, pulls: FloatArray, batch: IntArray | None
    ) -> Parameters:
        """The layers' gradients of c^T beta, c = X^T pulls."""
        if batch is None:
            drivers = pulls @ self.X
        elif len(pulls) == 1:
            drivers = pulls @ self.X[batch[0]]
        else:
            drivers = (pulls[:, None, :] @ self.X[batch])[:, 0]
        return self.network.stacked_gradients(layers, drivers)


class ActivatedModel:
    """f(x; Theta) with an activation, run after run: by the derivatives of the forward pass."""

    def __init__(self, network: Network, X: FloatArray, activation: Activation) -> None:
        self.network, self.X, self.activation = network, X, activation

    def inside(self, layers: Parameters) -> BoolArray:
        """Everywhere."""
        return np.ones(len(layers[0]), dtype=bool)

    def predictions(self, layers: Parameters, batch: IntArray | None) -> FloatArray:
        """f(x_i; Theta)."""
        return np.stack([found[0] for found in self._forward(layers, batch)])

    def gradients(
        self, layers: Parameters, pulls: FloatArray, batch: IntArray | None
    ) -> Parameters:
        """sum_i pulls_i df(x_i)/dTheta."""
        found = zip(self._forward(layers, batch), pulls, strict=True)
        runs = [self.network.unflatten(pull @ jacobian) for (_, jacobian), pull in found]
        return tuple(np.stack(layer) for layer in zip(*runs, strict=True))

    def _forward(
        self, layers: Parameters, batch: IntArray | None
    ) -> list[tuple[FloatArray, FloatArray]]:
        rows = [self.X] * len(layers[0]) if batch is None else self.X[batch]
        return [
            self.network.prediction_jacobian(run, X, self.activation)
            for run, X in zip(zip(*layers, strict=True), rows, strict=True)
        ]


def model_of(network: Network, X: FloatArray, activation: Activation | None) -> Model:
    """The network on its data."""
    return LinearModel(network, X) if activation is None else ActivatedModel(network, X, activation)
