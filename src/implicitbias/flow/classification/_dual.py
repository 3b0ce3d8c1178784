"""The dual flow of a margin loss, for networks with real decoupled coordinates.

    da/dtau = w = softmax(-Z rho),   s = Z^T a,   rows of Z: y_i x_i^T S^T,   rho_j = psi_j(s_j),

in the loss clock d tau = loss dt: the network's own flow, whatever its depth. Two variables: the
curves' parameter t (``_dual_in_t``), or a itself for two layers and many points (here).
"""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property

import numpy as np

from implicitbias._arrays import EPS, FloatArray, Parameters, unit
from implicitbias._errors import Outcome
from implicitbias.flow._decoupled import orientations, separates
from implicitbias.flow._rest import NEGLIGIBLE, Rest
from implicitbias.flow._stability import FINER
from implicitbias.flow.classification._log_curves import Coordinates
from implicitbias.flow.classification._loss import MarginLoss
from implicitbias.flow.classification._system import LARGEST, MarginPoint, MarginSystem, check_size

RTOL = 1e-10
FINEST = 1e-13
TYPICAL, LOWEST = 20.0, -1e6  # of |t| where margins are large; of log margin per t at the start


class DualMargins(MarginSystem):
    """The dual flow in either variable z, in which margins change by the order of 1 at the start.

    t is a logarithm, so that its absolute error is the relative error of a margin. A stack of
    states, (s, N), is evaluated at once.
    """

    route = "dual"

    def __init__(self, coordinates: Coordinates, loss: MarginLoss, tol: float | None) -> None:
        self.coordinates, self.loss = coordinates, loss
        self.features, self.curves = coordinates.features, coordinates.curves
        self.lengths = np.sqrt(np.einsum("ij,ij->j", self.features, self.features))
        self.sizes = np.abs(self.features)
        self.margin_tol = RTOL if tol is None else tol
        with np.errstate(divide="ignore"):
            log_moves = np.log(self.lengths) + self.curves.log_rho_slope(self.curves.t0)
        start = float(log_moves.max())
        self.log_unit = max(0.0, start)
        self.rtol = max(FINEST, self.margin_tol / (TYPICAL - min(0.0, max(start, LOWEST))))
        check_size(self.log_unit)

    def finer(self) -> DualMargins:
        """The flow at a smaller tolerance; at a larger one where rounding allows no smaller."""
        factor = FINER if FINER * self.margin_tol >= FINEST else 1.0 / FINER
        return type(self)(self.coordinates, self.loss, factor * self.margin_tol)

    def direction(self, t: FloatArray) -> FloatArray:
        """beta over its largest entry, (d,)."""
        return unit(self.coordinates.coefficients(self.coordinates.spectrum(t)[0]))

    @abstractmethod
    def points(self, states: FloatArray) -> FloatArray:
        """t, (..., m)."""

    @abstractmethod
    def log_clocks(self, t: FloatArray, margins: FloatArray) -> FloatArray:
        """Log of d tau / d sigma, (s,), for stacks (s, m) and (s, n)."""

    @abstractmethod
    def velocities(self, states: FloatArray) -> FloatArray:
        """dz/dsigma, (s, N)."""

    def velocity(self, state: FloatArray) -> FloatArray:
        """dz/dsigma, (N,)."""
        return np.asarray(self.velocities(state[None])[0])

    @property
    def units(self) -> FloatArray:
        """Changes of z that change a logarithm of a margin by the order of 1, (N,)."""
        return self.atol / self.margin_tol

    def margins(self, t: FloatArray) -> FloatArray:
        """Z rho, (..., n), kept finite."""
        spectrum, log_size = self.coordinates.spectrum(t)
        return np.asarray(_held(log_size)[..., None] * (spectrum @ self.features.T))

    def look(self, state: FloatArray) -> MarginPoint:
        """Margins, loss and clocks."""
        return self.looks(state[None])[0]

    def looks(self, states: FloatArray) -> list[MarginPoint]:
        """Margins, loss and clocks of a stack."""
        t = self.points(states)
        spectra, log_sizes = self.coordinates.spectrum(t)
        relative = spectra @ self.features.T
        margins = _held(log_sizes)[:, None] * relative
        terms = (np.abs(spectra) @ self.sizes.T).max(axis=1)
        log_clocks = self.log_clocks(t, margins)
        losses = [self.loss.log_loss_and_rate(row) for row in margins]
        columns = zip(relative, terms, log_sizes, losses, log_clocks, strict=True)
        return [
            MarginPoint(row, float(term), float(size), *loss, float(clock))
            for row, term, size, loss, clock in columns
        ]

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
        if self.separates:
            return None
        t = self.points(state)
        spectrum, log_size = self.coordinates.spectrum(t)
        weights = self.loss.weights(self.margins(t))
        driver = weights @ self.features
        driven = np.abs(driver) > NEGLIGIBLE * self.lengths
        closing = self.curves.locked & (orientations(self.curves) * driver < 0.0)
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

    @cached_property
    def separates(self) -> bool:
        """Whether the coordinates can separate the points: the flow then never comes to rest."""
        return separates(self.features, self.curves)

    def drift(self, state: FloatArray) -> float:
        """Zero: every point of the curves has the start's conserved quantities."""
        return 0.0

    def moves(self, t: FloatArray) -> FloatArray:
        """Derivative of the margins by t, in units exp(-log_unit) of t, (..., n, m)."""
        with np.errstate(over="ignore", under="ignore"):
            slopes = np.exp(self.curves.log_rho_slope(t) - self.log_unit)
        return np.asarray(self.features * slopes[..., None, :])


class MultiplierFlow(DualMargins):
    """L = 2: da/dtau = w in n dimensions, with t linear in Z^T a; z = a exp(log_unit)."""

    def __init__(self, coordinates: Coordinates, loss: MarginLoss, tol: float | None) -> None:
        super().__init__(coordinates, loss, tol)
        self.start = np.zeros(len(self.features))
        self.atol = np.full(self.start.size, self.margin_tol / max(self.lengths.max(), EPS))
        self.unit_features = np.exp(-self.log_unit) * self.features
        self.rate = np.exp(-self.curves.log_u_slope(self.curves.t0))  # dt/ds, constant

    def points(self, states: FloatArray) -> FloatArray:
        """t_0 + (dt/ds) Z^T a."""
        return np.asarray(self.curves.t0 + states @ self.unit_features * self.rate)

    def log_clocks(self, t: FloatArray, margins: FloatArray) -> FloatArray:
        """sigma is tau in units."""
        return np.full(len(t), -self.log_unit)

    def velocities(self, states: FloatArray) -> FloatArray:
        """w."""
        return self.loss.weights(self.margins(self.points(states)))

    def jacobian(self, state: FloatArray) -> FloatArray:
        """dw/dt Z^T."""
        t = self.points(state)
        margins = self.margins(t)
        with np.errstate(over="ignore", invalid="ignore"):
            moves = (self.moves(t) * self.rate) @ self.features.T
            change = self.loss.change_of_log_weights(margins, moves)
            return np.asarray(self.loss.weights(margins)[:, None] * change)


def _held(log_size: FloatArray) -> FloatArray:
    """exp(log_size) held below overflow: the least of such margins takes all the weight anyway."""
    return np.asarray(np.exp(np.minimum(log_size, LARGEST)))
