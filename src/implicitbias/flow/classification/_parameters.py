"""The parameter flow of a margin loss, for any network: the witness.

    dv_l/dtau = M(c) o (v_1, .., I at l, .., v_L),   c = sum_i w_i y_i x_i,   w = softmax(-margins),

in the loss clock d tau = loss dt. The right side grows like ||Theta||^{L-1}, so that tau is
bounded for L >= 3; in the clock d sigma = ||Theta||^{L-2} d tau growth is at most exponential at
every depth, both near the saddle at zero and far out. It knows nothing of potentials or duals.

Measured beside LSODA, steps and seconds (two fully connected layers of 20 features, margin 1e6): 4
points 52 and .16 against 668 and .54; 40 points 87 and .53 against 1360 and .94; 100 points, rank
100, 94 and 1.7 against 1354 and .86. The directions agree to 2e-13, and the conserved quantities
drift by 1e-15 to 1e-13 against 1e-12 to 1e-11.
"""

from __future__ import annotations

from copy import copy
from math import exp, log

import numpy as np
from scipy.integrate import OdeSolver

from implicitbias._arrays import EPS, TINY, FloatArray, Parameters, stable_norm, stable_norms
from implicitbias._errors import InvalidInputError
from implicitbias.flow._rest import Rest, rest_of
from implicitbias.flow._stability import FINER, MOST, largest_eigenvalue
from implicitbias.flow.classification._loss import MarginLoss
from implicitbias.flow.classification._system import LARGEST, MarginPoint, MarginSystem, check_size
from implicitbias.flow.integrators._radau import CONVERGED, STAGNANT, WIDE
from implicitbias.flow.integrators._softmax_radau import SoftmaxRadau
from implicitbias.networks import Network, flattened_each, layers_of_each
from implicitbias.problems import Classification

RTOL = 1e-10
FINEST = 1e-13
SAFE_NOISE = 1e-2  # of a margin, by the tolerance: keeps the softmax smooth from step to step
SMALL_ENTRY = 1e-3  # entries below this part of their layer are resolved to this part of it only
GROWING = 1e-3  # relative growth of an entry over log t above which it is not at rest
ABSOLUTE = 0.1  # absolute over relative tolerance, in units of the entry's own scale
FEW, LOW_RANK = 1000, 48  # parameters up to which LSODA is used, for systems above this rank
MOST_JUDGED = 5000  # parameters up to which the Hessian's eigenvectors are asked for rest
RADAU_TOLERANCE = 1e-9  # at 1e-7 the directions are as good, but times lose digits
RADAU_EVALUATIONS = 40_000
FIRST_STEP = 1e-3
NORMAL = TINY / EPS


class ParameterMargins(MarginSystem):
    """Gradient flow in Theta, flattened."""

    route = "parameters"

    def __init__(
        self,
        network: Network,
        problem: Classification,
        loss: MarginLoss,
        start: Parameters,
        tol: float | None,
        target: float,
    ) -> None:
        self.network, self.loss = network, loss
        self.rows = problem.y[:, None] * problem.X
        self.ends = np.cumsum((0, *network.layer_sizes))
        self.start = self.flattened(start)
        self.conserved = network.conserved(start)
        self.rtol = tol or float(np.clip(SAFE_NOISE / max(target, 1.0), FINEST, RTOL))
        self.margin_tol = self.rtol
        self.entry_sizes = self._entry_sizes()
        self.atol = ABSOLUTE * self.rtol * self.entry_sizes
        if self.atol.min() < np.finfo(np.float64).tiny:
            raise InvalidInputError(
                f"the layers of the initialization, of size {stable_norm(self.start):.3g}, are so "
                "small that tolerances relative to them underflow float64. route='dual' takes any "
                "scale, where the network has real decoupled coordinates; else use a larger scale."
            )
        points, size = len(self.rows), self.start.size
        rank = size if size <= WIDE * points else points
        self.takes_radau = rank <= LOW_RANK or size > FEW
        if self.takes_radau:
            self.method, self.most_evaluations = "Radau IIA, order 13", RADAU_EVALUATIONS
        self.length = float(np.linalg.norm(self.rows, axis=1).max())
        check_size(network.degree * float(np.log(stable_norm(self.start) or 1.0)))

    def integrator(self, state: FloatArray, first_step: float) -> OdeSolver | None:
        """Radau IIA for low ranks or many parameters: its systems have 7 times the rank, LSODA's P.

        The rank is that of the stiff part: n, or P where there are not many more.
        """
        if not self.takes_radau:
            return None
        if first_step == 0.0:
            speed = stable_norm(self.velocity(state))
            first_step = FIRST_STEP * stable_norm(state) / speed if speed > 0.0 else FIRST_STEP
        return SoftmaxRadau(
            self,
            state,
            first_step=first_step,
            tol=RADAU_TOLERANCE * min(1.0, self.rtol / self.margin_tol),
            sizes=self.entry_sizes,
            floor=STAGNANT * CONVERGED,
        )

    def log_weights(self, states: FloatArray) -> FloatArray:
        """log w of each state, (s, n)."""
        return self.loss.log_weights(self._margins(*self._scaled(states)))

    def driven(self, states: FloatArray, log_weights: FloatArray) -> FloatArray:
        """``velocity`` of each state by given weights, (s, N)."""
        sizes, layers = self._scaled(states)
        with np.errstate(over="ignore", invalid="ignore"):
            gradients = self.network.stacked_gradients(layers, np.exp(log_weights) @ self.rows)
        return np.asarray(sizes[:, None] * flattened_each(gradients))

    def factors(self, states: FloatArray, log_weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The velocity's change by log w, and that of -log w by Theta, (s, n, N) each."""
        sizes, layers = self._scaled(states)
        margins, weights = self._margins(sizes, layers), np.exp(log_weights)
        moved = self.network.stacked_point_gradients(layers, self.rows)
        with np.errstate(over="ignore", invalid="ignore"):
            slopes = self.loss.steepness(margins)[..., None] * moved
            slopes -= weights[:, None] @ slopes
            slopes *= (self._powers(sizes) / np.where(sizes > 0.0, sizes, 1.0))[:, None, None]
            return (sizes[:, None] * weights)[..., None] * moved, slopes

    def rounding(self, state: FloatArray) -> FloatArray:
        """That of a margin, in units of the largest entry, over each entry."""
        sizes = np.abs(state)
        return np.asarray(self.look(state).rounding * sizes.max() / (sizes + self.entry_sizes))

    def velocities(self, states: FloatArray) -> FloatArray:
        """``velocity`` of each state, (s, N)."""
        return self.driven(states, self.log_weights(states))

    def velocity(self, state: FloatArray) -> FloatArray:
        """||Theta|| times the layers' gradients of c^T beta at Theta / ||Theta||."""
        size = stable_norm(state)
        layers = self.layers(state / size if size > 0 else state)
        return size * self.gradients(layers, self._weights(layers, size)[1])

    def jacobian(self, state: FloatArray) -> FloatArray:
        """D^2 (c^T beta) at fixed w, the clock's rank one term, and the pull of each margin."""
        size = stable_norm(state)
        unit = state / size
        layers = self.layers(unit)
        margins, weights = self._weights(layers, size)
        moved = self.moved(layers)
        change = weights[:, None] * self.loss.change_of_log_weights(margins, moved)
        with np.errstate(over="ignore", invalid="ignore"):
            pull = self.power(size) * (moved.T @ change)
        gradient = weights @ moved
        clock = (self.network.degree - 2) * np.outer(gradient, unit)
        return self.curvature(layers, weights) - clock + pull

    def look(self, state: FloatArray) -> MarginPoint:
        """Margins, loss and clocks."""
        size = stable_norm(state)
        beta = self.coefficients(self.layers(state / size if size > 0 else state))
        terms = float((np.abs(self.rows) @ np.abs(beta)).max())
        return self._point(size, self.rows @ beta, terms)

    def looks(self, states: FloatArray) -> list[MarginPoint]:
        """The same for each of a stack, (s, N)."""
        sizes, layers = self._scaled(states)
        beta = self.network.stacked_coefficients(layers)
        terms = (np.abs(beta) @ np.abs(self.rows).T).max(axis=1)
        each = zip(sizes.tolist(), beta @ self.rows.T, terms.tolist(), strict=True)
        return [self._point(*one) for one in each]

    def _point(self, size: float, relative: FloatArray, terms: float) -> MarginPoint:
        """What a state of this size is, from its margins and their terms over ||Theta||^L."""
        with np.errstate(divide="ignore", over="ignore"):
            log_norm = float(np.log(size))
            margins = self.power(size) * relative
        log_loss, log_rate = self.loss.log_loss_and_rate(margins)
        degree = self.network.degree
        log_clock = -(degree - 2) * log_norm if degree > 2 else 0.0
        return MarginPoint(relative, terms, degree * log_norm, log_loss, log_rate, log_clock)

    def shape_of(self, state: FloatArray) -> FloatArray:
        """beta over ||Theta||^L."""
        size = stable_norm(state)
        return self.coefficients(self.layers(state / size if size > 0 else state))

    def parameters(self, state: FloatArray) -> Parameters | None:
        """Theta."""
        return self.network.unflatten(state)

    def rest(self, state: FloatArray, point: MarginPoint, log_time: float) -> Rest | None:
        """Whether each eigenvector of the loss's Hessian has a negligible way to go, or only noise.

        Judged in units of the loss: velocity G = sum_i w_i grad gamma_i and its Hessian
        sum_i w_i (hess gamma_i - grad gamma_i grad gamma_i^T). Entries far below these units that
        still grow by a part of themselves while t doubles are on their way out of a saddle.
        """
        size = stable_norm(state)
        velocity = self.velocity(state)
        with np.errstate(divide="ignore", invalid="ignore"):
            log_growth = log_time - point.log_speed + np.log(velocity / state)
        if np.any(log_growth > np.log(GROWING)):
            return None
        if size > 0.0 and velocity.any() and state.size > MOST_JUDGED:
            return None
        if size == 0.0 or not velocity.any():
            return rest_of(
                np.zeros(1), np.zeros((1, 1)), 1.0, noise=np.zeros(1), rounding=np.zeros(1)
            )
        curvature, moved = self._hessian(state, size)
        if not np.isfinite(curvature).all():
            return None
        noise = (self.rtol * np.abs(state) + self.atol) / size
        rounding = EPS * self.length * float(np.linalg.norm(moved))
        with np.errstate(invalid="ignore"):  # 0 / 0 where nothing moves along an eigenvector
            return rest_of(velocity / size, curvature, 1.0, noise=noise, rounding=rounding)

    def instability(self, state: FloatArray, least: float) -> float:
        """The Hessian's largest eigenvalue across the velocity."""
        size = stable_norm(state)
        if size == 0.0 or state.size > MOST:
            return 0.0
        return largest_eigenvalue(self._hessian(state, size)[0], self.velocity(state), least)

    def finer(self) -> ParameterMargins:
        """The flow with smaller steps."""
        other = copy(self)
        other.rtol, other.atol = FINER * self.rtol, FINER * self.atol
        return other

    def drift(self, state: FloatArray) -> float:
        """Largest |change| of a conserved quantity over its natural size; 0/0 = 0."""
        return self.drift_of(self.layers(state))

    def drift_of(self, layers: Parameters) -> float:
        """The same, of Theta."""
        change = np.abs(self.network.conserved(layers) - self.conserved)
        scale = self.network.conserved_scale(layers)
        held = (scale > NORMAL) & (scale < np.inf)  # else squares have lost their digits
        return float(np.max(np.divide(change, scale, where=held, out=np.zeros_like(change))))

    def flattened(self, layers: Parameters) -> FloatArray:
        """Theta as the state, (N,)."""
        return self.network.flatten(layers)

    def coefficients(self, layers: Parameters) -> FloatArray:
        """beta, (d,)."""
        return self.network.coefficients(layers)

    def gradients(self, layers: Parameters, weights: FloatArray) -> FloatArray:
        """sum_i w_i grad gamma_i, (N,)."""
        gradients = self.network.layer_gradients(layers, weights @ self.rows)
        return np.concatenate([gradient.ravel() for gradient in gradients])

    def moved(self, layers: Parameters) -> FloatArray:
        """grad gamma_i, (n, N)."""
        return self.rows @ self.network.coefficient_jacobian(layers)

    def curvature(self, layers: Parameters, weights: FloatArray) -> FloatArray:
        """sum_i w_i hess gamma_i, (N, N)."""
        return self.network.second_derivative(layers, weights @ self.rows)

    def layers(self, state: FloatArray) -> Parameters:
        """Views of the layers in a flattened state."""
        return tuple(
            state[begin:end].reshape(shape)
            for begin, end, shape in zip(
                self.ends[:-1], self.ends[1:], self.network.parameter_shapes, strict=True
            )
        )

    def power(self, size: float) -> float:
        """||Theta||^L, held below overflow: the least of such margins takes all the weight."""
        return exp(min(self.network.degree * log(size), LARGEST)) if size > 0.0 else 0.0

    def _scaled(self, states: FloatArray) -> tuple[FloatArray, Parameters]:
        """Sizes, (s,), and the layers over them, (s, ...)."""
        sizes = stable_norms(states)
        units = states / np.where(sizes > 0.0, sizes, 1.0)[:, None]
        return sizes, layers_of_each(self.network, units)

    def _powers(self, sizes: FloatArray) -> FloatArray:
        """||Theta||^L of each, (s,)."""
        return np.array([self.power(size) for size in sizes])

    def _margins(self, sizes: FloatArray, layers: Parameters) -> FloatArray:
        """At each of the sizes times the layers, (s, n)."""
        with np.errstate(over="ignore", invalid="ignore"):
            relative = self.network.stacked_coefficients(layers) @ self.rows.T
            return np.asarray(self._powers(sizes)[:, None] * relative)

    def _weights(self, layers: Parameters, size: float) -> tuple[FloatArray, FloatArray]:
        """Margins and weights at ``size`` times the layers."""
        margins = self.power(size) * (self.rows @ self.coefficients(layers))
        return margins, self.loss.weights(margins)

    def _hessian(self, state: FloatArray, size: float) -> tuple[FloatArray, FloatArray]:
        """sum_i w_i (hess gamma_i - grad gamma_i grad gamma_i^T), (N, N), and grad gamma_i."""
        layers = self.layers(state / size)
        weights, moved = self._weights(layers, size)[1], self.moved(layers)
        with np.errstate(over="ignore", invalid="ignore"):
            pull = self.power(size) * ((moved.T * weights) @ moved)
        return self.curvature(layers, weights) - pull, moved

    def _entry_sizes(self) -> FloatArray:
        """The natural size of each entry: its own start, or the largest where a layer is zero."""
        sizes = np.abs(self.start)
        top = float(sizes.max(initial=0.0)) or 1.0
        for begin, end in zip(self.ends[:-1], self.ends[1:], strict=True):
            largest = float(sizes[begin:end].max()) or top
            sizes[begin:end] = np.maximum(sizes[begin:end], SMALL_ENTRY * largest)
        return sizes
