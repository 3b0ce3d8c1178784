"""The squared loss of a network with an activation."""

from __future__ import annotations

import numpy as np
from scipy.integrate import LSODA, OdeSolver

from implicitbias._arrays import EPS, FloatArray, Parameters, stable_norm
from implicitbias.flow._rest import Rest, rest_of
from implicitbias.flow.activation._network import KINK_TOLERANCE, ActivatedNetwork
from implicitbias.flow.integrators._radau import LowRankRadau, each, symmetric
from implicitbias.flow.integrators._step import finite
from implicitbias.flow.regression._loss import SquaredLoss
from implicitbias.flow.regression._system import FlowSystem, Reading
from implicitbias.networks import Activation, Network
from implicitbias.problems import Regression

TOLERANCE = 1e-7
RESOLVED = 1e-13


class ActivationRegression(FlowSystem):
    """Gradient flow of 1/2 sum_i (f(x_i; Theta) - y_i)^2."""

    route = "parameters"
    outputs = "predictions"

    def __init__(
        self,
        network: Network,
        problem: Regression,
        activation: Activation,
        start: Parameters,
        tol: float | None,
    ) -> None:
        self.model = ActivatedNetwork(network, problem.X, activation, start)
        self.start = self.model.start
        first, y = self.model.predictions(self.start), problem.y
        self.loss = SquaredLoss(problem.X, y, stable_norm(y) or stable_norm(first))
        self.method = "LSODA" if self.model.has_kink else "Radau IIA, order 13"
        self.rtol = tol or (KINK_TOLERANCE if self.model.has_kink else TOLERANCE)
        self.sizes = self.model.entry_sizes()

    def integrator(self, first_step: float, bound: float) -> OdeSolver:
        """Radau IIA with the stiff factor df/dTheta; LSODA where rounded kinks are stiff too."""
        if self.model.has_kink:
            return LSODA(
                lambda _, state: finite(self.velocity(state)),
                0.0,
                self.start,
                bound,
                first_step=first_step,
                jac=lambda _, state: finite(self.model.difference_jacobian(self.velocity, state)),
                rtol=self.rtol,
                atol=self.rtol * 1e-2 * self.sizes,
            )
        return LowRankRadau(
            each(self.velocity),
            self.start,
            bound,
            first_step=first_step,
            factors=symmetric(each(lambda state: self.model.jacobian(state)[1])),
            tol=self.rtol,
            sizes=self.sizes,
        )

    def velocity(self, state: FloatArray) -> FloatArray:
        """dTheta/dt."""
        predictions, jacobian = self.model.jacobian(state)
        with np.errstate(over="ignore", invalid="ignore"):
            return -((predictions - self.loss.y) @ jacobian)

    def read(self, state: FloatArray) -> Reading:
        """Return the loss and the residual."""
        return self.loss.read(self.model.predictions(state))

    def coefficients(self, state: FloatArray) -> FloatArray:
        """The predictions, (n,)."""
        return self.model.predictions(state)

    def parameters(self, state: FloatArray) -> Parameters:
        """Theta."""
        return self.model.parameters(state)

    def speed(self, state: FloatArray, reading: Reading) -> float:
        """||dTheta/dt||."""
        return stable_norm(self.velocity(state))

    def size(self, state: FloatArray) -> float:
        """||Theta||."""
        return stable_norm(state)

    def fastest_time(self, reading: Reading) -> float:
        """The shorter of ||Theta|| / ||dTheta/dt|| and loss / ||dTheta/dt||^2."""
        speed = self.speed(self.start, reading)
        if speed == 0.0:
            return 1.0
        loss = float(np.exp(reading.log_loss))
        return min(self.size(self.start) / speed, loss / speed**2)

    def rounding(self, state: FloatArray) -> float:
        """What one rounding of the predictions adds to the relative residual."""
        return self.loss.relative(EPS * stable_norm(self.model.predictions(state)))

    def noise(self, state: FloatArray) -> float:
        """A thousand roundings: what Newton's method may leave in the stages."""
        return 1e3 * self.rounding(state)

    def newton_change(self, state: FloatArray, reading: Reading) -> FloatArray | None:
        """The predictions change by -r."""
        return -reading.residual_vector

    def rest(self, state: FloatArray, reading: Reading, size: float) -> Rest | None:
        """Whether each eigenvector of the Jacobian has a negligible way to go, or only noise."""
        velocity = self.velocity(state)
        jacobian = self.model.difference_jacobian(self.velocity, state)
        terms = stable_norm(reading.residual_vector) * stable_norm(self.model.jacobian(state)[1])
        return rest_of(
            velocity,
            (jacobian + jacobian.T) / 2,
            size,
            noise=RESOLVED * (np.abs(state) + self.sizes),
            rounding=EPS * terms,
        )

    def drift(self, state: FloatArray) -> float:
        """That of the layers' norms; NaN where phi does not conserve them."""
        return self.model.drift(state)
