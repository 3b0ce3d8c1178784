"""The parameter flow of a network with an elementwise activation: simulation only.

    dTheta/dt = -sum_i l'(f(x_i; Theta)) grad f(x_i; Theta)

by reverse mode through the forward pass. f is not linear in x, so that there are no coefficients:
where a linear flow reports them, this one reports the predictions f(x_i; Theta).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.integrate import LSODA, OdeSolver

from implicitbias._arrays import FloatArray, Parameters
from implicitbias._errors import Outcome
from implicitbias.flow._classification_loss import MarginLoss
from implicitbias.flow._classification_system import MarginPoint, MarginSystem
from implicitbias.flow._integrate import finite
from implicitbias.flow._radau import LowRankRadau, each, symmetric
from implicitbias.flow._squared_loss import SquaredLoss, stable_norm
from implicitbias.flow._stationary import Rest, rest_of
from implicitbias.flow._system import FlowSystem, Reading
from implicitbias.networks import Activation, Network
from implicitbias.problems import Classification, Regression

TOLERANCE = 1e-7
MARGIN_TOLERANCE = 1e-9
DIFFERENCE = 1e-6  # step of a difference quotient, relative
RESOLVED = 1e-13
SMALL_ENTRY = 1e-3  # entries below this part of the largest are resolved to this part of it only
PATIENCE = 100.0  # times that the start needs to change by its own size
KINK = 1e-4  # of the largest preactivation at the start: the width over which kinks are rounded
KINK_TOLERANCE = 1e-8
EPS = float(np.finfo(np.float64).eps)


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
        self.tol = tol or (KINK_TOLERANCE if self.model.has_kink else TOLERANCE)
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
                rtol=self.tol,
                atol=self.tol * 1e-2 * self.sizes,
            )
        return LowRankRadau(
            each(self.velocity),
            self.start,
            bound,
            first_step=first_step,
            factors=symmetric(lambda state: self.model.jacobian(state)[1]),
            tol=self.tol,
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
