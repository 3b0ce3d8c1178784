"""Margin losses sum_i l(gamma_i), gamma_i = y_i x_i^T beta, in logarithms that never underflow.

The flow dTheta/dt = sum_i -l'(gamma_i) grad gamma_i runs in the clock d tau = rate dt,
rate = sum_i -l'(gamma_i), where it is dTheta/dtau = sum_i w_i grad gamma_i with weights
w_i = -l'(gamma_i) / rate on the simplex, whatever the size of the loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

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

    def log_loss_and_rate(self, margins: FloatArray) -> tuple[float, float]:
        """Both at once: for the exponential loss they are the same."""
        log_rate = self.log_rate(margins)
        return (log_rate if self.name == "exponential" else self.log_loss(margins)), log_rate

    def log_weights(self, margins: FloatArray) -> FloatArray:
        """log w, (..., n): differences of large margins first."""
        pulls = self.log_pulls(margins)
        pulls = pulls - pulls.max(axis=-1, keepdims=True)
        return np.asarray(pulls - np.log(np.exp(pulls).sum(axis=-1, keepdims=True)))

    def weights(self, margins: FloatArray) -> FloatArray:
        """w, (..., n): the softmax of ``log_pulls``."""
        return np.exp(self.log_weights(margins))

    def steepness(self, margins: FloatArray) -> FloatArray:
        """-d log(-l') / d gamma, (n,): 1 for the exponential, expit(gamma) for the logistic."""
        return np.ones_like(margins) if self.name == "exponential" else np.asarray(expit(margins))

    def change_of_log_weights(self, margins: FloatArray, moved: FloatArray) -> FloatArray:
        """d log w = w^T g - g, g = steepness * dgamma, for columns of ``moved``, (..., n, N)."""
        moved = self.steepness(margins)[..., None] * moved
        return np.asarray(self.weights(margins)[..., None, :] @ moved - moved)


def log_sum(logs: FloatArray) -> float:
    """log sum exp; -inf where every term is zero."""
    top = float(logs.max())
    if top == -np.inf:
        return top
    return top + log(np.exp(logs - top).sum())
