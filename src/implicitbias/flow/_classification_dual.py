"""The dual flow of a margin loss, for networks with real decoupled coordinates.

    da/dtau = w = softmax(-Z rho),   s = Z^T a,   rows of Z: y_i x_i^T S^T,   rho_j = psi_j(s_j),

in the loss clock d tau = loss dt: the network's own flow, whatever its depth. L = 2 has t = t_0 +
Z^T a in the curves' parameter, and a itself is integrated. For L >= 3 tau and s are bounded, and
their distance to the bound is all that matters: there t is integrated,

    dt_j / dsigma = v_j / sqrt(||v||^2 + omega^2),   v_j = E_j z_j^T w,   E_j = (dt/ds)_j,

omega = ||v(0)||, a clock that follows both growth and rest. No slack is ever formed.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from implicitbias._arrays import FloatArray, Parameters
from implicitbias._errors import Outcome
from implicitbias.coordinates import Curves
from implicitbias.flow._classification_loss import MarginLoss, log_sum
from implicitbias.flow._classification_system import MarginPoint, MarginSystem
from implicitbias.flow._reduction import DualCoordinates
from implicitbias.flow._stationary import NEGLIGIBLE, Rest
from implicitbias.initialization import Initialization
from implicitbias.networks import Network
from implicitbias.problems import Classification

RTOL = 1e-10
DIFFERENCE = 1e-4  # step of the central difference of a smooth, slowly varying logarithm
EPS = float(np.finfo(np.float64).eps)


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
        self.curves = Curves.from_start(decoupled.reduction.start, init.log_scale)
        self.features = problem.y[:, None] * decoupled.reduction.features
        self.log_units = (self.curves.depth - 2) * self.curves.log_unit
        ones = np.ones(self.curves.size)
        negative = np.isnan(self.curves.t_from_rho(ones, 0.0 * ones))  # cannot reach rho = 1
        self.orientation = np.where(self.curves.locked & negative, -1.0, 1.0)

    def spectrum(self, t: FloatArray) -> tuple[FloatArray, float]:
        """rho over exp(log_size), and log_size, that of the largest."""
        logs = self.curves.log_abs_rho(t)
        top = float(logs.max())
        if top == -np.inf:
            return np.zeros_like(t), top
        signs = np.where(self.curves.locked, self.orientation, np.sign(t))
        with np.errstate(under="ignore"):
            return signs * np.exp(logs - top), top

    def log_slopes(self, t: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Log of dt/ds and of drho/ds, (m,) each; drho/ds = 0 where dead."""
        log_rates = self.log_units - self.curves.log_u_slope(t)
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


class DualMargins(MarginSystem):
    """The dual flow in either variable."""

    route = "dual"

    def __init__(self, coordinates: Coordinates, loss: MarginLoss, tol: float | None) -> None:
        self.coordinates, self.loss = coordinates, loss
        self.features, self.curves = coordinates.features, coordinates.curves
        self.lengths = np.sqrt(np.einsum("ij,ij->j", self.features, self.features))
        self.rtol = RTOL if tol is None else tol

    @abstractmethod
    def points(self, state: FloatArray) -> FloatArray:
        """t, (m,)."""

    @abstractmethod
    def log_clock(self, t: FloatArray, weights: FloatArray) -> float:
        """Log of d tau / d sigma."""

    def margins(self, t: FloatArray) -> FloatArray:
        """Z rho, (n,)."""
        spectrum, log_size = self.coordinates.spectrum(t)
        with np.errstate(over="ignore", under="ignore"):
            return np.asarray(np.exp(log_size) * (self.features @ spectrum))

    def look(self, state: FloatArray) -> MarginPoint:
        """Margins, loss and clocks."""
        t = self.points(state)
        spectrum, log_size = self.coordinates.spectrum(t)
        relative = self.features @ spectrum
        with np.errstate(over="ignore", under="ignore"):
            margins = np.exp(log_size) * relative
        weights = self.loss.weights(margins)
        return MarginPoint(
            relative,
            log_size,
            self.loss.log_loss(margins),
            self.loss.log_rate(margins),
            self.log_clock(t, weights),
        )

    def shape_of(self, state: FloatArray) -> FloatArray:
        """beta over exp(log_size)."""
        return self.coordinates.coefficients(self.coordinates.spectrum(self.points(state))[0])

    def parameters(self, state: FloatArray) -> Parameters | None:
        """Theta, or None where it overflows."""
        return self.coordinates.parameters(self.points(state))

    def rest(self, state: FloatArray, point: MarginPoint, log_time: float) -> Rest | None:
        """Whether every coordinate is undriven, or locked and driven into its lock.

        A coordinate that crosses and is driven will move in the end, however slow it is now; a
        locked one that is driven towards zero only approaches it; a dead one does neither.
        """
        t = self.points(state)
        spectrum, log_size = self.coordinates.spectrum(t)
        weights = self.loss.weights(self.margins(t))
        driver = weights @ self.features
        driven = np.abs(driver) > NEGLIGIBLE * self.lengths
        closing = self.curves.locked & (self.coordinates.orientation * driver < 0.0)
        if np.any(driven & ~closing & ~self.curves.dead):
            return None
        with np.errstate(over="ignore"):
            sizes = np.exp(log_size) * np.abs(spectrum) * self.lengths
        left = float(np.max(sizes[closing & driven], initial=0.0))
        if left > NEGLIGIBLE:
            return None
        how = (
            f"at rest with {int(np.sum(closing & driven))} coordinates locked at zero and "
            f"{int(np.sum(self.curves.dead))} dead: from this start no separator can be reached"
        )
        return Rest(Outcome.STATIONARY, how, left)

    def drift(self, state: FloatArray) -> float:
        """Zero: every point of the curves has the start's conserved quantities."""
        return 0.0

    def pull(self, t: FloatArray, weights: FloatArray) -> FloatArray:
        """dw/dt, (n, m)."""
        with np.errstate(over="ignore", under="ignore"):
            moved = self.features * np.exp(self.curves.log_rho_slope(t))
        return self.loss.change_of_weights(self.margins(t), weights, moved)


class MultiplierFlow(DualMargins):
    """L = 2: da/dtau = w in n dimensions, with t = t_0 + Z^T a exactly."""

    def __init__(self, coordinates: Coordinates, loss: MarginLoss, tol: float | None) -> None:
        super().__init__(coordinates, loss, tol)
        self.start = np.zeros(len(self.features))
        self.atol = np.full(
            self.start.size, self.rtol / max(float(np.abs(self.features).max()), EPS)
        )

    def points(self, state: FloatArray) -> FloatArray:
        """t_0 + Z^T a."""
        return self.curves.t0 + state @ self.features

    def log_clock(self, t: FloatArray, weights: FloatArray) -> float:
        """sigma is tau."""
        return 0.0

    def velocity(self, state: FloatArray) -> FloatArray:
        """w."""
        return self.loss.weights(self.margins(self.points(state)))

    def jacobian(self, state: FloatArray) -> FloatArray:
        """dw/dt Z^T."""
        t = self.points(state)
        return self.pull(t, self.loss.weights(self.margins(t))) @ self.features.T


class SlackFlow(DualMargins):
    """Any depth: the m parameters t of the curves, in a clock of their own length."""

    def __init__(self, coordinates: Coordinates, loss: MarginLoss, tol: float | None) -> None:
        super().__init__(coordinates, loss, tol)
        self.start = coordinates.curves.t0.copy()
        self.atol = np.full(self.start.size, self.rtol)
        log_rates, drives = self._drive(self.start)[:2]
        self.log_omega = _log_norm(log_rates, drives)

    def points(self, state: FloatArray) -> FloatArray:
        """t."""
        return state

    def log_clock(self, t: FloatArray, weights: FloatArray) -> float:
        """-log sqrt(||v||^2 + omega^2)."""
        log_rates, _ = self.coordinates.log_slopes(t)
        return -self._log_length(log_rates, weights @ self.features)

    def velocity(self, state: FloatArray) -> FloatArray:
        """v over its regularised length."""
        log_rates, drives, _ = self._drive(state)
        with np.errstate(under="ignore"):
            return drives * np.exp(log_rates - self._log_length(log_rates, drives))

    def jacobian(self, state: FloatArray) -> FloatArray:
        """(dv - f f^T dv) / length for f = v / length."""
        log_rates, drives, weights = self._drive(state)
        with np.errstate(under="ignore"):
            rates = np.exp(log_rates - self._log_length(log_rates, drives))
        change = (rates[:, None] * self.features.T) @ self.pull(state, weights)
        velocity = rates * drives
        change[np.diag_indices(state.size)] += velocity * self._rate_slopes(state)
        return change - np.outer(velocity, velocity @ change)

    def _drive(self, t: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """log E, Z^T w (zero where dead) and w."""
        weights = self.loss.weights(self.margins(t))
        drives = np.where(self.curves.dead, 0.0, weights @ self.features)
        return self.coordinates.log_slopes(t)[0], drives, weights

    def _log_length(self, log_rates: FloatArray, drives: FloatArray) -> float:
        return 0.5 * log_sum(2.0 * np.array([_log_norm(log_rates, drives), self.log_omega]))

    def _rate_slopes(self, t: FloatArray) -> FloatArray:
        """d log E / dt."""
        ahead = self.curves.log_u_slope(t + DIFFERENCE)
        return np.asarray((self.curves.log_u_slope(t - DIFFERENCE) - ahead) / (2.0 * DIFFERENCE))


def _log_norm(logs: FloatArray, factors: FloatArray) -> float:
    """log ||exp(logs) * factors||; -inf where it is zero."""
    with np.errstate(divide="ignore"):
        return 0.5 * log_sum(2.0 * (logs + np.log(np.abs(factors))))


def dual_margins(coordinates: Coordinates, loss: MarginLoss, tol: float | None) -> DualMargins:
    """The dual flow in its better variable: a where t is linear in it, t otherwise."""
    points, size = coordinates.features.shape
    if coordinates.curves.depth == 2 and points <= size:
        return MultiplierFlow(coordinates, loss, tol)
    return SlackFlow(coordinates, loss, tol)
