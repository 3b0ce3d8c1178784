"""A margin loss of a network with an activation."""

from __future__ import annotations

import numpy as np

from implicitbias._arrays import FloatArray, Parameters, stable_norm
from implicitbias._errors import Outcome
from implicitbias.flow._rest import Rest
from implicitbias.flow.activation._network import KINK_TOLERANCE, ActivatedNetwork
from implicitbias.flow.classification._loss import MarginLoss
from implicitbias.flow.classification._system import MarginPoint, MarginSystem
from implicitbias.networks import Activation, Network
from implicitbias.problems import Classification

MARGIN_TOLERANCE = 1e-9
PATIENCE = 100.0  # times that the start needs to change by its own size


class ActivationMargins(MarginSystem):
    """Gradient flow of a margin loss in the loss clock, d tau = rate dt."""

    route = "parameters"

    def __init__(
        self,
        network: Network,
        problem: Classification,
        activation: Activation,
        loss: MarginLoss,
        start: Parameters,
        tol: float | None,
    ) -> None:
        self.model = ActivatedNetwork(network, problem.X, activation, start)
        self.loss, self.y = loss, problem.y
        self.start = self.model.start
        default = KINK_TOLERANCE if self.model.has_kink else MARGIN_TOLERANCE
        self.rtol = self.margin_tol = tol or default
        self.atol = 0.1 * self.rtol * self.model.entry_sizes()
        first = self.look(self.start)
        with np.errstate(divide="ignore"):
            scale = np.log(stable_norm(self.start)) - np.log(stable_norm(self.velocity(self.start)))
        self.log_patience = float(scale + first.log_speed + np.log(PATIENCE))

    def velocity(self, state: FloatArray) -> FloatArray:
        """sum_i w_i y_i grad f(x_i; Theta), w = softmax(-margins)."""
        predictions, jacobian = self.model.jacobian(state)
        return (self.loss.weights(self.y * predictions) * self.y) @ jacobian

    def jacobian(self, state: FloatArray) -> FloatArray:
        """Derivative of ``velocity``; without a kink only its stiff part, by way of the weights."""
        if self.model.has_kink:
            return self.model.difference_jacobian(self.velocity, state)
        predictions, jacobian = self.model.jacobian(state)
        margins, moved = self.y * predictions, self.y[:, None] * jacobian
        weights = self.loss.weights(margins)
        change = weights[:, None] * self.loss.change_of_log_weights(margins, moved)
        return np.asarray(moved.T @ change)

    def look(self, state: FloatArray) -> MarginPoint:
        """Margins, loss and clocks."""
        margins = self.y * self.model.predictions(state)
        return MarginPoint(
            margins,
            float(np.abs(margins).max()),
            0.0,
            self.loss.log_loss(margins),
            self.loss.log_rate(margins),
            0.0,
        )

    def shape_of(self, state: FloatArray) -> FloatArray:
        """The predictions, (n,)."""
        return self.model.predictions(state)

    def parameters(self, state: FloatArray) -> Parameters:
        """Theta."""
        return self.model.parameters(state)

    def rest(self, state: FloatArray, point: MarginPoint, log_time: float) -> Rest | None:
        """At rest where the loss stands still while t doubles, once the start has had its time."""
        if self.velocity(state).any() and log_time < self.log_patience:
            return None
        how = "the loss stands still while the time doubles, as where units are dead"
        return Rest(Outcome.STATIONARY, how, float("nan"))

    def drift(self, state: FloatArray) -> float:
        """That of the layers' norms; NaN where phi does not conserve them."""
        return self.model.drift(state)
