"""The parameter flow: gradient flow in the layers themselves, for any network.

    dv_l/dt = M(-X^T r) o (v_1, .., I at l, .., v_L),      r = X beta(Theta) - y.

It knows the network and the loss and nothing else: no potential, no dual, no decomposition, so it
can bear witness against predictions made from them.

Where the flow ends is decided by its conserved quantities, of size scale^2 beside parameters of
size 1, so that an error e on the way moves the limit by about e / scale^2. Measured on an
orthogonal network with L = 4 at scale 1e-2 (n = 10, d = 40), error of the limit and seconds: LSODA
at tolerance 1e-12: 1e-8, 14 s; at the finest tolerance float64 allows: 8e-10, 30 s; Radau IIA of
order 13 (``_radau``): 6e-11, 4 s. On diagonal networks with n = 20, d = 100 that method needs 0.1 s
to 5 s from scale 1e2 to 1e-2, LSODA 0.1 s to 19 s; DOP853 and scipy's Radau and BDF, of order 8 and
5, take longer still on the plateaus of small scales or do not come to the end of them.
"""

from __future__ import annotations

import numpy as np
from scipy.integrate import OdeSolver

from implicitbias._arrays import EPS, TINY, FloatArray, Parameters, stable_norm, unit
from implicitbias._errors import Outcome
from implicitbias.flow._rest import Rest, newton_change, rest_of
from implicitbias.flow._stability import FINER, MOST, largest_eigenvalue
from implicitbias.flow.integrators._radau import LowRankRadau, symmetric
from implicitbias.flow.regression._loss import SquaredLoss
from implicitbias.flow.regression._system import FlowSystem, Reading
from implicitbias.networks import Network, flattened_each, layers_of_each

TOLERANCE = 1e-7
SMALL_ENTRY = 1e-3  # entries below this part of their layer are resolved to this part of it only
MOST_EVALUATIONS, POINTS = 7e4, 52.0  # fewer where factors of 7 n rows take the time
RESOLVED = 1e-13  # what the integration loses of an entry, relative to its size
NORMAL = TINY / EPS


class ParameterFlow(FlowSystem):
    """Gradient flow of the squared loss in Theta, flattened."""

    route = "parameters"
    method = "Radau IIA, order 13"

    def __init__(
        self, network: Network, loss: SquaredLoss, start: Parameters, tol: float | None
    ) -> None:
        self.network, self.loss = network, loss
        self.lengths = np.sqrt(np.einsum("ij,ij->j", loss.X, loss.X))
        self.ends = np.cumsum((0, *network.layer_sizes))
        self.start = network.flatten(start)
        with np.errstate(over="ignore", invalid="ignore"):
            self.conserved = network.conserved(start)
        self.rtol = TOLERANCE if tol is None else tol
        self.sizes = self._entry_sizes()
        self.most_evaluations = int(MOST_EVALUATIONS / (1.0 + (loss.y.size / POINTS) ** 3))

    def integrator(self, first_step: float, bound: float) -> OdeSolver:
        """Radau IIA, whose stiff factor here is X J."""
        return LowRankRadau(
            self.velocities,
            self.start,
            bound,
            first_step=first_step,
            factors=symmetric(self.factors),
            tol=self.rtol,
            sizes=self.sizes,
        )

    def factor(self, state: FloatArray) -> FloatArray:
        """X J, (n, P), with J = d beta / d Theta."""
        return np.asarray(self.factors(state[None])[0])

    def factors(self, states: FloatArray) -> FloatArray:
        """The same of each state, (s, n, P)."""
        with np.errstate(over="ignore", invalid="ignore"):
            layers = layers_of_each(self.network, states)
            return self.network.stacked_point_gradients(layers, self.loss.X)

    def velocity(self, state: FloatArray) -> FloatArray:
        """dTheta/dt."""
        return np.asarray(self.velocities(state[None])[0])

    def velocities(self, states: FloatArray) -> FloatArray:
        """The same of each state, (s, P)."""
        layers = layers_of_each(self.network, states)
        with np.errstate(over="ignore", invalid="ignore"):
            residuals = self.network.stacked_coefficients(layers) @ self.loss.X.T - self.loss.y
            gradients = self.network.stacked_gradients(layers, -(residuals @ self.loss.X))
        return flattened_each(gradients)

    def jacobian(self, state: FloatArray) -> FloatArray:
        """D^2 ((-X^T r)^T beta) at fixed r, minus (X J)^T (X J) with J = d beta / d Theta."""
        moved = self.factor(state)
        with np.errstate(over="ignore", invalid="ignore"):
            driver = -(self.read(state).residual_vector @ self.loss.X)
            curvature = self.network.second_derivative(self.layers(state), driver)
            return np.asarray(curvature - moved.T @ moved)

    def layers(self, state: FloatArray) -> Parameters:
        """Views of the layers in a flattened state."""
        return tuple(
            state[begin:end].reshape(shape)
            for begin, end, shape in zip(
                self.ends[:-1], self.ends[1:], self.network.parameter_shapes, strict=True
            )
        )

    def read(self, state: FloatArray) -> Reading:
        """Return the loss and the residual."""
        return self.loss.read(self.loss.X @ self.coefficients(state))

    def coefficients(self, state: FloatArray) -> FloatArray:
        """beta(Theta)."""
        return self.network.coefficients(self.layers(state))

    def parameters(self, state: FloatArray) -> Parameters | None:
        """Theta."""
        return self.network.unflatten(state)

    def speed(self, state: FloatArray, reading: Reading) -> float:
        """||dTheta/dt||."""
        return stable_norm(self.velocity(state))

    def size(self, state: FloatArray) -> float:
        """||Theta||."""
        return stable_norm(state)

    def fastest_time(self, reading: Reading) -> float:
        """The shorter of ||Theta|| / ||dTheta/dt|| and loss / ||dTheta/dt||^2."""
        log_speed = float(np.log(self.speed(self.start, reading)))
        log_size = float(np.log(self.size(self.start)))
        return float(np.exp(min(log_size - log_speed, reading.log_loss - 2.0 * log_speed)))

    def rounding(self, state: FloatArray) -> float:
        """What one rounding of beta adds to the relative residual."""
        return self.loss.relative(EPS * stable_norm(self.lengths * self.coefficients(state)))

    def noise(self, state: FloatArray) -> float:
        """A thousand roundings: what Newton's method may leave in the stages."""
        return 1e3 * self.rounding(state)

    def newton_change(self, state: FloatArray, reading: Reading) -> FloatArray | None:
        """J dTheta with dTheta the shortest solution of (X J) dTheta = -r."""
        jacobian = self.network.coefficient_jacobian(self.layers(state))
        return newton_change(self.loss.X @ jacobian, jacobian, reading.residual_vector)

    def rest(self, state: FloatArray, reading: Reading, size: float) -> Rest | None:
        """Whether each eigenvector of the Jacobian has a negligible way to go, or only noise."""
        velocity = self.velocity(state)
        if not velocity.any() and self._underflows(state, reading):
            how = "the products of the layers underflow in float64; predict_limit takes any scale"
            return Rest(Outcome.PRECISION_REACHED, how, float("inf"))
        jacobian = self.jacobian(state)
        if not np.isfinite(jacobian).all():
            return None
        return rest_of(
            velocity,
            jacobian,
            size,
            noise=RESOLVED * (np.abs(state) + self.sizes),
            rounding=EPS * self._gradient_terms(state, reading),
        )

    def instability(self, state: FloatArray, least: float) -> float:
        """The Jacobian's largest eigenvalue across the velocity."""
        if state.size > MOST:
            return 0.0
        return largest_eigenvalue(self.jacobian(state), self.velocity(state), least)

    def finer(self) -> ParameterFlow:
        """The flow with smaller steps."""
        layers = self.layers(self.start)
        return ParameterFlow(self.network, self.loss, layers, FINER * self.rtol)

    def drift(self, state: FloatArray) -> float:
        """Largest |change| of a conserved quantity over its natural size; 0/0 = 0."""
        layers = self.layers(state)
        change = np.abs(self.network.conserved(layers) - self.conserved)
        scale = self.network.conserved_scale(layers)
        held = (scale > NORMAL) & (scale < np.inf)  # else squares have lost their digits
        return float(np.max(np.divide(change, scale, where=held, out=np.zeros_like(change))))

    def _entry_sizes(self) -> FloatArray:
        """The natural size of each entry of Theta: its own start, or its first movement.

        An entry that starts at zero is measured by the Newton step towards zero loss in the
        flow linearised at the start, or by the other layers, whichever is smaller.
        """
        start = np.abs(self.start)
        top = float(start.max(initial=0.0))
        step = np.abs(self._first_newton_step())
        scales = np.empty_like(start)
        for begin, end in zip(self.ends[:-1], self.ends[1:], strict=True):
            entries = start[begin:end]
            if not entries.any():
                entries = np.minimum(step[begin:end], top)
            largest = float(entries.max()) or top
            scales[begin:end] = np.maximum(entries, SMALL_ENTRY * largest)
        return np.where(scales > 0, scales, 1.0)

    def _first_newton_step(self) -> FloatArray:
        residual = self.read(self.start).residual_vector
        moved = self.factor(self.start)
        if not residual.any() or not np.isfinite(moved).all() or not np.isfinite(residual).all():
            return np.zeros_like(self.start)
        return np.asarray(np.linalg.lstsq(moved, -residual, rcond=None)[0], dtype=np.float64)

    def _gradient_terms(self, state: FloatArray, reading: Reading) -> FloatArray:
        """What each entry of the velocity is a sum of, (P,)."""
        jacobian = self.network.coefficient_jacobian(self.layers(state))
        with np.errstate(over="ignore", invalid="ignore"):
            driver = np.abs(reading.residual_vector) @ np.abs(self.loss.X)
            return np.asarray(driver @ np.abs(jacobian))

    def _underflows(self, state: FloatArray, reading: Reading) -> bool:
        """Whether a velocity of zero comes from the products of small layers alone."""
        direction = unit(-(unit(reading.residual_vector) @ self.loss.X))
        layers = tuple(unit(layer) for layer in self.layers(state))
        return any(gradient.any() for gradient in self.network.layer_gradients(layers, direction))
