"""The dual flow of a margin loss in the curves' parameter t, at any depth.

For L >= 3 the clocks tau and s are bounded, and their distance to the bound is all that matters. So
t is integrated, and no slack ever formed,

    dt_j / dsigma = v_j / pace,    v_j = E_j z_j^T w,    E_j = (dt/ds)_j,

in a clock that the growing rates E cannot outrun.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

import numpy as np
from scipy.integrate import OdeSolver

from implicitbias._arrays import BoolArray, FloatArray, IntArray
from implicitbias.flow.classification._dual import DualMargins
from implicitbias.flow.classification._log_curves import Coordinates
from implicitbias.flow.classification._loss import MarginLoss, log_sum
from implicitbias.flow.classification._system import LARGEST
from implicitbias.flow.integrators._softmax_radau import SoftmaxRadau

BALANCED = 1e6  # the speed, in the clock, above which a coordinate is balanced
APART = 27.0  # log of speeds between which slower ones do not move and faster ones are balanced
LOST = 1e5  # the log of a speed below the start's from which on a coordinate stands still
DIFFERENCE = 1e-4  # step of the central difference of a smooth, slowly varying logarithm
RADAU = "Radau IIA, order 13"
FEW, RICH = 128, 5  # points or coordinates, and coordinates a point, for which it is used
INTERIOR, COARSEST = 3e2, 1e-5  # Radau's tolerance over that of the margins, and at most
FLOOR = 10.0  # times the margins' tolerance: where rounding may stop Newton's method
FIRST_STEP = 1e-3
NORMAL = 1e-200  # a sum of squares above it has lost nothing to underflow


@dataclass(frozen=True, eq=False)
class Pull:
    """How the points pull at the coordinates, for a stack of s states.

    Attributes
    ----------
    log_rates
        log E with its lift, (s, m); -inf where dead.
    log_weights
        log w, (s, n).
    speeds, heights
        v_j and E_j sum_i |z_ij| w_i over exp(shift), (s, m).
    shift
        (s,).
    log_pace
        (s,); -inf where nothing moves.
    mean_lift
        The lift, averaged over the coordinates that make up the pace, (s,).
    """

    log_rates: FloatArray
    log_weights: FloatArray
    speeds: FloatArray
    heights: FloatArray
    shift: FloatArray
    log_pace: FloatArray
    mean_lift: FloatArray

    @property
    def scale(self) -> FloatArray:
        """exp(shift) / pace, (s, 1)."""
        pace = np.where(self.log_pace > -np.inf, self.log_pace, np.inf)
        return np.asarray(np.exp(np.minimum(self.shift - pace, LARGEST))[:, None])


class SlackFlow(DualMargins):
    """Any depth: the m parameters t of the curves, z = (t - t_0) exp(log_unit).

    The clock is d sigma = pace d tau, with pace = sqrt(||v||^2 + omega^2), omega that of the
    start. On a plateau large coordinates balance: g_j = v_j / E_j = z_j^T w is a difference of
    which rounding and the integrator's iterates leave nothing but noise, while E_j exceeds the pace
    by many orders of magnitude. So the pace counts E_j only up to a multiple of itself; and where
    speeds E_j |z_ij| w_i lie apart by more than exp(APART), the gap is taken to be that wide
    (``_lift``): beside what is slower by that much the faster are balanced, beside what is faster
    the slower stand still, to exp(-APART) either way. A plateau that lasts exp(1380) is crossed
    like any other; the time is told by the true speeds.

    Measured to margin 1e8 with 20 points and 100 coordinates (steps and seconds): L = 2, LSODA 1027
    and 1.5, Radau IIA 70 and .5; L = 4, LSODA 2672 and 3.3, Radau IIA 135 and 1.3. Where saddles
    follow one another (L = 6, scale e^-20), LSODA at the same tolerance may end on a wrong side;
    on 569 ill-conditioned points (L = 3, margin 1e6) it takes 11,660 steps, Radau IIA 344.
    """

    def __init__(self, coordinates: Coordinates, loss: MarginLoss, tol: float | None) -> None:
        super().__init__(coordinates, loss, tol)
        self.start = np.zeros(self.curves.size)
        self.atol = np.full(self.start.size, self.margin_tol)
        with np.errstate(divide="ignore"):
            self.log_sizes = np.log(self.sizes)
        self.unit = exp(-self.log_unit)
        self.moving = ~self.curves.dead & (self.lengths > 0.0)
        points, size = self.features.shape
        if min(points, size) <= FEW or RICH * points <= size:
            self.method = RADAU
        self.log_omega = -np.inf
        t = self.curves.t0[None]
        self.log_omega = float(self._pull(t, self.loss.log_weights(self.margins(t))).log_pace[0])

    def integrator(self, state: FloatArray, first_step: float) -> OdeSolver | None:
        """Radau IIA, whose linear systems have 7 min(n, m) unknowns; None for LSODA, with m."""
        if self.method != RADAU:
            return None
        return SoftmaxRadau(
            self,
            state,
            first_step=first_step or FIRST_STEP,
            tol=min(INTERIOR * self.margin_tol, COARSEST),
            sizes=self.units,
            floor=FLOOR * self.margin_tol,
        )

    def points(self, states: FloatArray) -> FloatArray:
        """t."""
        return np.asarray(self.curves.t0 + self.unit * states)

    def log_clocks(self, t: FloatArray, margins: FloatArray) -> FloatArray:
        """-log pace, in units."""
        pull = self._pull(t, self.loss.log_weights(margins))
        return np.asarray(pull.mean_lift - pull.log_pace - self.log_unit)

    def velocities(self, states: FloatArray) -> FloatArray:
        """v / pace."""
        return self.driven(states, self.log_weights(states))

    def log_weights(self, states: FloatArray) -> FloatArray:
        """log w, (s, n)."""
        return self.loss.log_weights(self.margins(self.points(states)))

    def rounding(self, state: FloatArray) -> float:
        """The error of a margin over its size, or over 1 where it is smaller."""
        return self.look(state).rounding

    def driven(self, states: FloatArray, log_weights: FloatArray) -> FloatArray:
        """v / pace by given weights."""
        pull = self._pull(self.points(states), log_weights)
        return np.asarray(pull.scale * pull.speeds)

    def factors(self, states: FloatArray, log_weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(I - f f'^T) E Z^T diag(w) over the pace, transposed, and the change of -log w by z.

        f = v / pace, and f' what of it the pace counts in full.
        """
        t = self.points(states)
        pull = self._pull(t, log_weights)
        velocities, counted = self._velocities(pull)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            logs = pull.log_rates[:, None, :] + pull.log_weights[:, :, None]
            logs -= np.where(pull.log_pace > -np.inf, pull.log_pace, np.inf)[:, None, None]
            parts = self.features * np.exp(np.minimum(logs, LARGEST))
            parts -= (parts @ counted[:, :, None]) * velocities[:, None, :]
            moved = self.loss.steepness(self.margins(t))[..., None] * self.moves(t)
            moved -= np.exp(log_weights)[:, None, :] @ moved
        return parts, moved

    def jacobian(self, state: FloatArray) -> FloatArray:
        """All of the derivative: the weights' part, and the rates'."""
        t, log_weights = self.points(state[None]), self.log_weights(state[None])
        velocities, counted = self._velocities(self._pull(t, log_weights))
        left, right = self.factors(state[None], log_weights)
        own = self.unit * self._rate_slopes(t[0]) * velocities[0]
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            change = -left[0].T @ right[0] - np.outer(velocities[0], counted[0] * own)
        change[np.diag_indices(state.size)] += own
        return np.asarray(change)

    @staticmethod
    def _velocities(pull: Pull) -> tuple[FloatArray, FloatArray]:
        """f, and what of it the pace counts in full, (s, m) each."""
        with np.errstate(over="ignore"):
            velocities = pull.scale * pull.speeds
            return velocities, np.where(pull.scale * pull.heights < BALANCED, velocities, 0.0)

    def _pull(self, t: FloatArray, log_weights: FloatArray) -> Pull:
        log_rates = self.coordinates.log_rates(t)
        log_rates[:, ~self.moving] = -np.inf
        shift = log_rates.max(axis=1, initial=-np.inf)
        shift[shift == -np.inf] = 0.0
        with np.errstate(under="ignore"):
            rates, weights = np.exp(log_rates - shift[:, None]), np.exp(log_weights)
            speeds, heights = rates * (weights @ self.features), rates * (weights @ self.sizes)
            squares = np.maximum(np.einsum("ij,ij->i", speeds, speeds), NORMAL)
        log_pace = 0.5 * np.logaddexp(2.0 * shift + np.log(squares), 2.0 * self.log_omega)
        pull = Pull(log_rates, log_weights, speeds, heights, shift, log_pace, np.zeros(len(t)))
        rows = np.flatnonzero((squares == NORMAL) | self._uneven(pull))
        if rows.size:
            self._treat(pull, rows)
        return pull

    def _uneven(self, pull: Pull) -> BoolArray:
        """Where the pace holds a coordinate back, or speeds lie apart, omega's among them."""
        heights = pull.heights[:, self.moving]
        with np.errstate(divide="ignore"):
            highest = np.log(heights.max(axis=1, initial=0.0)) + pull.shift
            lowest = np.log(heights.min(axis=1, initial=np.inf)) + pull.shift
        held = highest - pull.log_pace > np.log(BALANCED)
        if self.log_omega == -np.inf:
            return np.asarray(held)
        apart = np.maximum(highest, self.log_omega) - np.minimum(lowest, self.log_omega)
        return np.asarray(held | (apart > APART))

    def _treat(self, pull: Pull, rows: IntArray) -> None:
        """States with neither a weight formed by itself, which may be tiny, nor a rate."""
        log_weights = pull.log_weights[rows][:, :, None]
        levels = pull.log_rates[rows] + (self.log_sizes + log_weights).max(axis=1)
        lifts = np.array([_lift(level, self.log_omega) for level in levels])
        pull.log_rates[rows] += lifts
        logs = pull.log_rates[rows][:, None, :] + log_weights
        shifts = np.max(logs, axis=(1, 2), where=self.features != 0.0, initial=-np.inf)
        moves = shifts > -np.inf
        pull.log_pace[rows[~moves]] = self.log_omega
        rows, lifts, logs, shifts = rows[moves], lifts[moves], logs[moves], shifts[moves]
        with np.errstate(under="ignore"):
            parts = self.features * np.exp(np.minimum(logs - shifts[:, None, None], 0.0))
        pull.shift[rows] = shifts
        pull.speeds[rows], pull.heights[rows] = parts.sum(axis=1), np.abs(parts).sum(axis=1)
        for row, lift in zip(rows, lifts, strict=True):
            pull.log_pace[row], shares = _log_pace(
                pull.speeds[row], pull.heights[row], float(pull.shift[row]), self.log_omega
            )
            if lift.any():
                pull.mean_lift[row] = float(shares @ lift) / max(float(shares.sum()), NORMAL)

    def _rate_slopes(self, t: FloatArray) -> FloatArray:
        """d log E / dt."""
        ahead = self.curves.log_u_slope(t + DIFFERENCE)
        return np.asarray((self.curves.log_u_slope(t - DIFFERENCE) - ahead) / (2.0 * DIFFERENCE))


def _log_pace(
    speeds: FloatArray, heights: FloatArray, shift: float, log_omega: float
) -> tuple[float, FloatArray]:
    """log p, and the parts of p^2 that coordinates make up in full, (m,).

    p^2 = omega^2 + sum_j g_j^2 min(E_j, BALANCED p / sum_i |z_ij| w_i)^2, g_j = v_j / E_j, is
    concave in p^2 on the right: Newton's method from above ends after a few pieces. At the start,
    without omega, the differences g_j are exact, however small, and count in full.
    """
    moved, log_omega = np.flatnonzero(speeds), 2.0 * log_omega
    shares = np.zeros(speeds.size)
    if not moved.size:
        return 0.5 * log_omega, shares
    powers = 2.0 * (np.log(np.abs(speeds[moved])) + shift)
    log_caps = 2.0 * (np.log(heights[moved]) + (shift - float(np.log(BALANCED))))
    log_pace = float(np.logaddexp(log_sum(powers), log_omega))
    held = np.zeros(moved.size, dtype=bool)
    for _ in range(moved.size if log_omega > -np.inf else 0):
        above = log_caps > log_pace
        share = float(np.exp(powers[above] - log_caps[above]).sum())
        if share >= 1.0 or np.array_equal(above, held):
            break
        held = above
        free = log_sum(np.append(powers[~held], log_omega))
        log_pace = free - float(np.log1p(-share))
    shares[moved[~held]] = np.exp(powers[~held] - log_pace)
    return 0.5 * log_pace, shares


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
