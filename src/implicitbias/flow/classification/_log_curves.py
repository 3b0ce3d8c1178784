"""The decoupled coordinates of a classification, with everything kept in logarithms."""

from __future__ import annotations

import numpy as np

from implicitbias._arrays import FloatArray, Parameters
from implicitbias._setting import DualCoordinates
from implicitbias.initialization import Initialization
from implicitbias.networks import Network
from implicitbias.problems import Classification


class Coordinates:
    """The coordinates of a classification: Z, the curves, and the way back to beta and Theta."""

    def __init__(
        self,
        network: Network,
        problem: Classification,
        init: Initialization,
        decoupled: DualCoordinates,
    ) -> None:
        self.decoupled, self.init = decoupled, init
        self.curves = decoupled.reduction.curves(init.log_scale)
        self.features = problem.y[:, None] * decoupled.reduction.features.toarray()
        self.log_units = (self.curves.depth - 2) * self.curves.log_unit

    def spectrum(self, t: FloatArray) -> tuple[FloatArray, FloatArray]:
        """rho over exp(log_size), (..., m), and log_size, that of the largest, (...)."""
        return self.curves.scaled_rho(t)

    def log_rates(self, t: FloatArray) -> FloatArray:
        """Log of dt/ds, (..., m)."""
        return np.asarray(self.log_units - self.curves.log_u_slope(t))

    def log_slopes(self, t: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Log of dt/ds and of drho/ds, (m,) each; drho/ds = 0 where dead."""
        log_rates = self.log_rates(t)
        return log_rates, self.curves.log_rho_slope(t) + log_rates

    def coefficients(self, spectrum: FloatArray) -> FloatArray:
        """S^T rho, (d,)."""
        rho = self.decoupled.reduction.spectrum(spectrum)
        return np.ascontiguousarray(self.decoupled.decomposition.coefficients(rho).real)

    def parameters(self, t: FloatArray) -> Parameters | None:
        """p_l = P_l(t) in the network's layers; the rest of them never moves."""
        layers = self.decoupled.reduction.layers(self.curves.layers(t))
        with np.errstate(over="ignore", under="ignore"):
            start = [direction * np.exp(self.init.log_scale) for direction in self.init.directions]
        if not all(np.isfinite(values).all() for values in (layers, *start)):
            return None
        return self.decoupled.decomposition.parameters(layers, remainder_of=start)


def scaled(values: FloatArray, logs: FloatArray) -> FloatArray:
    """values * exp(logs), zero where values are."""
    with np.errstate(divide="ignore", over="ignore", under="ignore", invalid="ignore"):
        return np.where(values == 0.0, 0.0, np.sign(values) * np.exp(np.log(np.abs(values)) + logs))
