"""Margin losses sum_i l(gamma_i), gamma_i = y_i x_i^T beta, in logarithms that never underflow.

The flow dTheta/dt = sum_i -l'(gamma_i) grad gamma_i runs in the clock d tau = rate dt,
rate = sum_i -l'(gamma_i), where it is dTheta/dtau = sum_i w_i grad gamma_i with weights
w_i = -l'(gamma_i) / rate on the simplex, whatever the size of the loss.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from implicitbias._arrays import FloatArray
from implicitbias.flow._arguments import LossName


@dataclass(frozen=True)
class MarginLoss:
    """l(gamma) = exp(-gamma), for which the theory is stated, or log(1 + exp(-gamma)).

    The logistic loss has the exponential's tail: its weights agree to exp(-margin), relatively.
    """

    name: LossName = "exponential"

    def log_pulls(self, margins: FloatArray) -> FloatArray:
        """log(-l'(gamma_i)), (n,)."""
        if self.name == "exponential":
            return -margins
        return -np.logaddexp(0.0, margins)

    def log_rate(self, margins: FloatArray) -> float:
        """log sum_i -l'(gamma_i)."""
        return log_sum(self.log_pulls(margins))

    def log_loss(self, margins: FloatArray) -> float:
        """log sum_i l(gamma_i)."""
        if self.name == "exponential":
            return log_sum(-margins)
        with np.errstate(divide="ignore", under="ignore"):
            exact = np.log(np.logaddexp(0.0, -margins))
        return log_sum(np.where(margins > 30.0, -margins, exact))

    def weights(self, margins: FloatArray) -> FloatArray:
        """w, (n,): the softmax of ``log_pulls``."""
        pulls = self.log_pulls(margins)
        with np.errstate(under="ignore"):
            weights = np.exp(pulls - pulls.max())
        return np.asarray(weights / weights.sum())

    def change_of_weights(
        self, margins: FloatArray, weights: FloatArray, moved: FloatArray
    ) -> FloatArray:
        """dw = -(diag w - w w^T) diag(steepness) dgamma for columns dgamma = ``moved``, (n, N)."""
        if self.name == "logistic":
            moved = expit(margins)[:, None] * moved
        return np.asarray(weights[:, None] * (weights @ moved - moved))


def log_sum(logs: FloatArray) -> float:
    """log sum exp; -inf where every term is zero."""
    top = float(logs.max())
    if top == -np.inf:
        return top
    with np.errstate(under="ignore"):
        return top + float(np.log(np.exp(logs - top).sum()))
