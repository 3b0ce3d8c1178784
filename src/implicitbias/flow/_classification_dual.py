"""The dual flow of a margin loss, for networks with real decoupled coordinates.

    da/dtau = w = softmax(-Z rho),   s = Z^T a,   rows of Z: y_i x_i^T S^T,   rho_j = psi_j(s_j),

in the loss clock d tau = loss dt: the network's own flow, whatever its depth. L = 2 has t = t_0 +
Z^T a in the curves' parameter, and a itself is integrated. For L >= 3 tau and s are bounded, and
their distance to the bound is all that matters: there t is integrated, and no slack ever formed,

    dt_j / dsigma = v_j / pace,    v_j = E_j z_j^T w,    E_j = (dt/ds)_j,

in a clock that the growing rates E cannot outrun.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from math import exp, log, log1p

import numpy as np

from implicitbias._arrays import FloatArray, IntArray, Parameters
from implicitbias._errors import InvalidInputError, Outcome
from implicitbias.flow._classification_coordinates import Coordinates
from implicitbias.flow._classification_loss import MarginLoss, log_sum
from implicitbias.flow._classification_system import MarginPoint, MarginSystem
from implicitbias.flow._stationary import NEGLIGIBLE, Rest

RTOL = 1e-10
LARGEST = 600.0
BALANCED = 1e6  # the speed, in the clock, above which a coordinate is balanced
UNSEEN = 50.0  # a pull that is exp(-50) of another is not seen beside it
APART = 27.0  # log of speeds between which slower ones do not move and faster ones are balanced
LOST = 1e5  # the log of a speed below the start's from which on a coordinate stands still
FINEST = 1e-13
TYPICAL, LOWEST = 20.0, -1e6  # of |t| where margins are large; of log margin per t at the start
DIFFERENCE = 1e-4  # step of the central difference of a smooth, slowly varying logarithm
EPS = float(np.finfo(np.float64).eps)
NORMAL = 1e-200  # a sum of squares above it has lost nothing to underflow


class DualMargins(MarginSystem):
    """The dual flow in either variable z, in which margins change by the order of 1 at the start.

    t is a logarithm, so that its absolute error is the relative error of a margin.
    """

    route = "dual"

    def __init__(self, coordinates: Coordinates, loss: MarginLoss, tol: float | None) -> None:
        self.coordinates, self.loss = coordinates, loss
        self.features, self.curves = coordinates.features, coordinates.curves
        self.lengths = np.sqrt(np.einsum("ij,ij->j", self.features, self.features))
        self.sizes = np.abs(self.features)
        self.seen = np.full(0, np.nan), np.zeros(0)  # the last state looked at, and its spectrum
        self.margin_tol = RTOL if tol is None else tol
        with np.errstate(divide="ignore"):
            log_moves = np.log(self.lengths) + self.curves.log_rho_slope(self.curves.t0)
        start = float(log_moves.max())
        self.log_unit = max(0.0, start)
        self.rtol = max(FINEST, self.margin_tol / (TYPICAL - min(0.0, max(start, LOWEST))))
        if self.log_unit > LARGEST:
            raise InvalidInputError(
                f"the initialization at log_scale={coordinates.init.log_scale:g} is so large that "
                "the layers change by less than float64 resolves before the margin is of order 1: "
                "this is the linear model with the network's first features. Use a smaller scale."
            )

    @abstractmethod
    def points(self, state: FloatArray) -> FloatArray:
        """t, (m,)."""

    @abstractmethod
    def log_clock(self, t: FloatArray, margins: FloatArray) -> float:
        """Log of d tau / d sigma."""

    def margins(self, t: FloatArray) -> FloatArray:
        """Z rho, (n,), kept finite."""
        spectrum, log_size = self.coordinates.spectrum(t)
        return np.asarray(_held(log_size) * (self.features @ spectrum))

    def look(self, state: FloatArray) -> MarginPoint:
        """Margins, loss and clocks."""
        t = self.points(state)
        spectrum, log_size = self.coordinates.spectrum(t)
        self.seen = state.copy(), spectrum
        relative = self.features @ spectrum
        margins = _held(log_size) * relative
        terms = float((self.sizes @ np.abs(spectrum)).max())
        log_loss, log_rate = self.loss.log_loss_and_rate(margins)
        log_clock = self.log_clock(t, margins)
        return MarginPoint(relative, terms, log_size, log_loss, log_rate, log_clock)

    def shape_of(self, state: FloatArray) -> FloatArray:
        """beta over exp(log_size)."""
        last, spectrum = self.seen
        if not np.array_equal(state, last):
            spectrum = self.coordinates.spectrum(self.points(state))[0]
        return self.coordinates.coefficients(spectrum)

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

    def moves(self, t: FloatArray) -> FloatArray:
        """Derivative of the margins by t, in units exp(-log_unit) of t, (n, m)."""
        with np.errstate(over="ignore", under="ignore"):
            return self.features * np.exp(self.curves.log_rho_slope(t) - self.log_unit)


class MultiplierFlow(DualMargins):
    """L = 2: da/dtau = w in n dimensions, with t = t_0 + Z^T a exactly; z = a exp(log_unit)."""

    def __init__(self, coordinates: Coordinates, loss: MarginLoss, tol: float | None) -> None:
        super().__init__(coordinates, loss, tol)
        self.start = np.zeros(len(self.features))
        self.atol = np.full(self.start.size, self.margin_tol / max(self.lengths.max(), EPS))
        self.unit_features = np.exp(-self.log_unit) * self.features

    def points(self, state: FloatArray) -> FloatArray:
        """t_0 + Z^T a."""
        return np.asarray(self.curves.t0 + state @ self.unit_features)

    def log_clock(self, t: FloatArray, margins: FloatArray) -> float:
        """sigma is tau in units."""
        return -self.log_unit

    def velocity(self, state: FloatArray) -> FloatArray:
        """w."""
        return self.loss.weights(self.margins(self.points(state)))

    def jacobian(self, state: FloatArray) -> FloatArray:
        """dw/dt Z^T."""
        t = self.points(state)
        margins = self.margins(t)
        with np.errstate(over="ignore", invalid="ignore"):
            change = self.loss.change_of_log_weights(margins, self.moves(t) @ self.features.T)
            return self.loss.weights(margins)[:, None] * change


@dataclass(frozen=True)
class Pull:
    """How the points pull at the coordinates.

    Attributes
    ----------
    parts
        E_j z_ij w_i exp(-shift), (m, k), for the k points that pull at all.
    points
        Their indices, (k,).
    heights
        max_i |parts_ji|, (m,).
    log_rates
        log E with its lift, (m,); -inf where dead.
    lift
        What ``_lift`` has added to log E, (m,).
    """

    parts: FloatArray
    shift: float
    points: IntArray
    heights: FloatArray
    log_rates: FloatArray
    lift: FloatArray

    @property
    def speeds(self) -> FloatArray:
        """v exp(-shift), (m,)."""
        return np.asarray(self.parts.sum(axis=1))

    def log_pace(self, log_omega: float) -> tuple[float, float]:
        """log p, and the lift of the coordinates that make it up.

        p^2 = omega^2 + sum_j g_j^2 min(E_j, BALANCED p / max_i |z_ij w_i|)^2, g_j = v_j / E_j, is
        concave in p^2 on the right: Newton's method from above ends after a few pieces.
        """
        speeds, log_omega = self.speeds, 2.0 * log_omega
        square = float(speeds @ speeds)
        if square > NORMAL and not self.lift.any():
            log_pace = _log_add(2.0 * self.shift + log(square), log_omega)
            if 2.0 * (log(self.heights.max()) + self.shift - log(BALANCED)) <= log_pace:
                return 0.5 * log_pace, 0.0
        moved = np.flatnonzero(speeds)
        if not moved.size:
            return 0.5 * log_omega, 0.0
        powers = 2.0 * (np.log(np.abs(speeds[moved])) + self.shift)
        log_caps = 2.0 * (np.log(self.heights[moved]) + (self.shift - float(np.log(BALANCED))))
        log_pace = float(np.logaddexp(log_sum(powers), log_omega))
        held = np.zeros(moved.size, dtype=bool)
        for _ in range(moved.size):
            above = log_caps > log_pace
            share = float(np.exp(powers[above] - log_caps[above]).sum())
            if share >= 1.0 or np.array_equal(above, held):
                break
            held = above
            free = log_sum(np.append(powers[~held], log_omega))
            log_pace = free - float(np.log1p(-share))
        if not self.lift.any():
            return 0.5 * log_pace, 0.0
        shares = np.exp(powers[~held] - log_pace)
        total = float(shares.sum())
        return 0.5 * log_pace, float(
            shares @ self.lift[moved[~held]]
        ) / total if total > 0.0 else 0.0


class SlackFlow(DualMargins):
    """Any depth: the m parameters t of the curves, z = (t - t_0) exp(log_unit).

    The clock is d sigma = pace d tau, with pace = sqrt(||v||^2 + omega^2), omega that of the
    start. On a plateau large coordinates balance: g_j = v_j / E_j = z_j^T w is a difference of
    which rounding and the integrator's iterates leave nothing but noise, while E_j exceeds the pace
    by many orders of magnitude. So the pace counts E_j only up to a multiple of itself; and where
    speeds E_j z_ij w_i lie apart by more than exp(APART), the gap is taken to be that wide
    (``_lift``): beside what is slower by that much the faster are balanced, beside what is faster
    the slower stand still, to exp(-APART) either way. A plateau that lasts exp(1380) is crossed
    like any other; the time is told by the true speeds.
    """

    def __init__(self, coordinates: Coordinates, loss: MarginLoss, tol: float | None) -> None:
        super().__init__(coordinates, loss, tol)
        self.start = np.zeros(self.curves.size)
        self.atol = np.full(self.start.size, self.margin_tol)
        t = self.curves.t0
        with np.errstate(divide="ignore"):
            self.log_sizes = np.log(self.sizes)
        self.unit = exp(-self.log_unit)
        self.all_points = np.arange(len(self.features))
        self.some_dead = bool(self.curves.dead.any())
        self.log_omega = -np.inf
        self.log_omega = self._pull(t, self.margins(t)).log_pace(-np.inf)[0]

    def points(self, state: FloatArray) -> FloatArray:
        """t."""
        return np.asarray(self.curves.t0 + self.unit * state)

    def log_clock(self, t: FloatArray, margins: FloatArray) -> float:
        """-log pace, in units."""
        log_pace, lift = self._pull(t, margins).log_pace(self.log_omega)
        return lift - log_pace - self.log_unit

    def velocity(self, state: FloatArray) -> FloatArray:
        """v / pace."""
        t = self.points(state)
        pull = self._pull(t, self.margins(t))
        return np.asarray(self._scale(pull) * pull.speeds)

    def jacobian(self, state: FloatArray) -> FloatArray:
        """(dv - f dpace) / pace for f = v / pace, the pace as where E_j counts in full."""
        t = self.points(state)
        margins, moved = self.margins(t), self.moves(t)
        pull = self._pull(t, margins)
        slopes = self.unit * self._rate_slopes(t)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            scale = self._scale(pull)
            change = self.loss.change_of_log_weights(margins, moved)[pull.points]
            change = (scale * pull.parts) @ change
            velocity = scale * pull.speeds
            change[np.diag_indices(state.size)] += slopes * velocity
            pace = np.where(scale * pull.heights < BALANCED, velocity, 0.0) @ change
            return np.asarray(change - np.outer(velocity, pace))

    def _scale(self, pull: Pull) -> float:
        """exp(shift) / pace."""
        log_pace = pull.log_pace(self.log_omega)[0]
        return exp(min(pull.shift - log_pace, LARGEST)) if log_pace > -np.inf else 0.0

    def _pull(self, t: FloatArray, margins: FloatArray) -> Pull:
        log_rates = self.coordinates.log_rates(t)
        if self.some_dead:
            log_rates[self.curves.dead] = -np.inf
        log_weights = self.loss.log_weights(margins)
        pull = self._formed(log_rates, log_weights, np.zeros(t.size))
        if self.log_omega == -np.inf or self._near_omega(pull):
            return pull
        log_heights = log_rates + (self.log_sizes + log_weights[:, None]).max(axis=0)
        lift = _lift(log_heights, self.log_omega)
        return self._formed(log_rates + lift, log_weights, lift) if lift.any() else pull

    def _near_omega(self, pull: Pull) -> bool:
        """Whether no two speeds, omega's among them, lie apart by more than exp(APART)."""
        heights = pull.heights[~self.curves.dead] if self.some_dead else pull.heights
        lowest, highest = float(heights.min(initial=np.inf)), float(heights.max(initial=0.0))
        if lowest == 0.0 or highest == 0.0:
            return False
        height = pull.shift - self.log_omega
        return max(height + log(highest), 0.0) - min(height + log(lowest), 0.0) <= APART

    def _formed(self, log_rates: FloatArray, log_weights: FloatArray, lift: FloatArray) -> Pull:
        top = float(log_rates.max())
        if top == -np.inf:
            nothing, none = np.zeros((lift.size, 0)), np.zeros(0, dtype=np.intp)
            return Pull(nothing, 0.0, none, np.zeros(lift.size), log_rates, lift)
        alive = log_rates[~self.curves.dead] if self.some_dead else log_rates
        spread = top - float(alive.min())
        near, features = self.all_points, self.features
        if log_weights.min() < -spread - UNSEEN:
            near = np.flatnonzero(log_weights >= -spread - UNSEEN)
            features, log_weights = features[near], log_weights[near]
        features = features.T
        if spread <= LARGEST:
            shift = top
            parts = features * (np.exp(log_rates - top)[:, None] * np.exp(log_weights))
        else:
            # a weight may be as small as the rates are large: neither is formed by itself
            logs = log_rates[:, None] + log_weights
            shift = float(np.max(logs, where=features != 0.0, initial=-np.inf))
            parts = features * np.exp(np.minimum(logs - shift, 0.0))
        heights = np.abs(parts).max(axis=1, initial=0.0)
        return Pull(parts, shift, near, heights, log_rates, lift)

    def _rate_slopes(self, t: FloatArray) -> FloatArray:
        """d log E / dt."""
        ahead = self.curves.log_u_slope(t + DIFFERENCE)
        return np.asarray((self.curves.log_u_slope(t - DIFFERENCE) - ahead) / (2.0 * DIFFERENCE))


def _lift(log_heights: FloatArray, anchor: float) -> FloatArray:
    """What brings levels of speed that are more than exp(APART) apart to that distance, (m,)."""
    lift, seen = np.zeros(log_heights.size), log_heights > anchor - LOST
    if anchor == -np.inf:
        return lift
    levels = np.append(log_heights[seen], anchor)
    if levels.max() - levels.min() <= APART:
        return lift
    order = np.argsort(levels)
    moved = np.zeros(levels.size)
    moved[order[1:]] = np.cumsum(np.minimum(np.diff(levels[order]), APART))
    lift[seen] = ((moved - moved[-1]) - (levels - anchor))[:-1]
    return lift


def _log_add(first: float, second: float) -> float:
    """log(e^first + e^second)."""
    low, high = sorted((first, second))
    return high + log1p(exp(low - high)) if low > -np.inf else high


def _held(log_size: float) -> float:
    """exp(log_size) held below overflow: the least of such margins takes all the weight anyway."""
    return exp(min(log_size, LARGEST))


def dual_margins(coordinates: Coordinates, loss: MarginLoss, tol: float | None) -> DualMargins:
    """The dual flow in its better variable: a where t is linear in it, t otherwise."""
    points, size = coordinates.features.shape
    if coordinates.curves.depth == 2 and points <= size:
        return MultiplierFlow(coordinates, loss, tol)
    return SlackFlow(coordinates, loss, tol)
