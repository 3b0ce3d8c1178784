"""Past float64's differences: the flow slides along the face of smallest margins.

Where margins are large, those that matter differ by a few units, soon less than one rounding. They
then grow alike: da/dtau = w >= 0 on the points A of smallest margin, sum w = 1, (K w)_A constant
(``_face``), which is the limit of the softmax flow as the margin grows. The softmax of margins that
give these weights are the *levels*

    gamma_i + log w_i = -log loss,    i in A:

w as above is off by 1 / margin, and so are margins of the size of the differences -log w: the
points are kept at one level, which is off by a relative 1 / margin^2 between events. Near them, and
outside of A, weights count as 1 / margin at least, which is what blurs an event in the true flow.
With t the curves' parameter and psi and K relative to the margin, nothing over- or underflows at
any margin:

    dt/dsigma = v / ||v||,    v_j = (dt/ds)_j [Z_A^T w]_j.

A point leaves A when its weight reaches 0 and enters when its level reaches that of A.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from implicitbias._arrays import FloatArray, IntArray
from implicitbias.flow.classification._log_curves import Coordinates, scaled
from implicitbias.flow.classification._target import Target
from implicitbias.flow.classification.slide._face import Face, choose_face
from implicitbias.flow.integrators._dop853_step import explicit_step, next_length

LEFT = 1e-9  # below minus this a weight has passed 0 in a step
ENTERED = 1e-10  # below minus this a relative gap has
AT_EVENT = 1e-7  # weights and gaps below this belong to the event that was located
NEAR = 60.0  # units of margin that the softmax still sees at the hand-over
LIGHT = 1e-9  # a weight that does not count at the hand-over
FIRST_LENGTH = 1e-2
LEVELLINGS = 4
STUCK = 50  # events in a row without progress
PROGRESS = 1e-10


@dataclass(frozen=True, eq=False)
class SlidePoint:
    """A point of the slide.

    Attributes
    ----------
    t
        The curves' parameter, (m,).
    log_margin, log_level
        Log of the smallest margin, and of A's level, -log loss.
    gaps
        Levels relative to the mean of A's, minus 1, (n,).
    active, weights
        A, and w on it.
    slope
        dt/dsigma.
    """

    t: FloatArray
    log_margin: float
    log_level: float
    gaps: FloatArray
    active: IntArray
    weights: FloatArray
    slope: FloatArray


class SlideError(Exception):
    """The face could not be continued."""


class Slide:
    """The sliding dynamics of a decomposable classification.

    Parameters
    ----------
    coordinates
        Z, (n, m), and the curves. Equal rows count once.
    tol
        Tolerance of a step in t: that of the relative size of a coordinate.

    Attributes
    ----------
    violation
        Largest relative difference of levels on A so far, after levelling.
    num_steps, num_events, num_evaluations
        So far.
    """

    def __init__(self, coordinates: Coordinates, tol: float) -> None:
        self.coordinates, self.tol = coordinates, tol
        self.features, self.first_of = np.unique(coordinates.features, axis=0, return_index=True)
        self.violation = 0.0
        self.num_steps = self.num_events = self.num_evaluations = 0
        self.idle = 0
        self.length = FIRST_LENGTH

    def begin(self, t: FloatArray) -> SlidePoint:
        """Enter the slide from a point of the stiff flow.

        Raises
        ------
        SlideError
            No face of equal margins was found.
        """
        log_margin, relative = self._margins(t)
        gaps = relative / relative.min() - 1.0
        with np.errstate(over="ignore", under="ignore"):
            near = gaps <= NEAR * np.exp(-log_margin)
            # the softmax: points that agree in every coordinate of any size keep it
            weights = np.exp(-gaps * np.exp(log_margin))
        weights[weights < LIGHT * weights.sum()] = 0.0
        return self._on_face(t, weights / weights.sum(), np.flatnonzero(near))

    def advance(self, point: SlidePoint, target: Target) -> SlidePoint:
        """Take one step, up to the next event or to the end if these come first.

        Raises
        ------
        SlideError
            The step or the face could not be continued.
        """
        while True:
            length = self.length
            end, error = self._step(point, length)
            self.length = next_length(length, error)
            if error <= 1.0:
                break
            if self.length < 1e-14 * (1.0 + float(np.abs(point.t).max())):
                raise SlideError("its step fell below rounding")
        self.num_steps += 1
        passed = self._conditions(end, point) < -self._limits(point)
        if passed.any():
            return self._event(point, length, passed)
        self.idle = 0
        there = self._level(end, point.active, point.weights)
        return there if beyond(there, target) < 0.0 else self._stop(point, length, there, target)

    def support(self, point: SlidePoint) -> tuple[IntArray, FloatArray]:
        """Indices of the points of A among all rows of Z, one for equal rows, and w on them."""
        indices = self.first_of[point.active]
        order = np.argsort(indices)
        return indices[order], point.weights[order]

    def velocity(
        self, t: FloatArray, active: IntArray, before: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """dt/dsigma, (m,), and w on A, where it was ``before``."""
        self.num_evaluations += 1
        log_rates, log_slopes = self.coordinates.log_slopes(t)
        features = self.features[active]
        weights = Face(features, log_slopes).weights(before)
        drives = np.where(self.coordinates.curves.dead, 0.0, weights @ features)
        with np.errstate(divide="ignore"):
            log_speeds = log_rates + np.log(np.abs(drives))
        velocity = scaled(drives, log_rates - log_speeds.max())
        return velocity / np.linalg.norm(velocity), weights

    def _step(self, point: SlidePoint, length: float) -> tuple[FloatArray, float]:
        def velocity(t: FloatArray) -> FloatArray:
            return self.velocity(t, point.active, point.weights)[0]

        return explicit_step(velocity, point.t, point.slope, length, self.tol)

    def _margins(self, t: FloatArray) -> tuple[float, FloatArray]:
        """Log of the smallest margin, and all of them over a common size."""
        spectrum, log_size = self.coordinates.spectrum(t)
        relative = self.features @ spectrum
        smallest = float(relative.min())
        if not smallest > 0.0:
            raise SlideError("a margin is no longer positive")
        return float(log_size + np.log(smallest)), relative

    def _conditions(self, t: FloatArray, point: SlidePoint) -> FloatArray:
        """Of every point: its weight if in A, else its gap; an event is where one falls below 0."""
        weights = self.velocity(t, point.active, point.weights)[1]
        conditions = self._levels(t, point.active, weights)[2]
        conditions[point.active] = weights
        return conditions

    def _limits(self, point: SlidePoint) -> FloatArray:
        """How far below 0 each condition may fall: rounding, and points that touch."""
        limits = np.full(len(self.features), ENTERED)
        limits[point.active] = LEFT
        return limits

    def _event(self, point: SlidePoint, length: float, passed: np.ndarray) -> SlidePoint:
        """Step to where the first of the conditions ``passed`` falls below 0, and change A."""
        part = self._first_zero(point, length, passed)
        t = self._step(point, part * length)[0] if part > 0 else point.t
        at_event = passed & (self._conditions(t, point) < AT_EVENT)
        self.num_events += 1
        self.idle = self.idle + 1 if part < PROGRESS else 0
        if self.idle > STUCK:
            raise SlideError("points leave and enter its face without progress")
        weights = np.zeros(len(passed))
        weights[point.active] = np.maximum(self._conditions(t, point)[point.active], 0.0)
        leaving = np.zeros_like(passed)
        leaving[point.active] = at_event[point.active]
        weights[leaving] = 0.0
        weights /= weights.sum()
        candidates = np.flatnonzero((weights > 0.0) | (at_event & ~leaving))
        return self._on_face(t, weights, candidates)

    def _first_zero(self, point: SlidePoint, length: float, passed: np.ndarray) -> float:
        """The part of the step after which a condition is half way to its limit.

        Not 0 itself: a point just dropped has a gap of 0, and may come back.
        """
        halves = 0.5 * self._limits(point)

        def lowest(part: float) -> float:
            t = self._step(point, part * length)[0] if part > 0 else point.t
            return float((self._conditions(t, point) + halves)[passed].min())

        if lowest(0.0) <= 0.0:
            return 0.0
        return float(brentq(lowest, 0.0, 1.0, xtol=1e-12, rtol=1e-10))

    def _stop(
        self, point: SlidePoint, length: float, there: SlidePoint, target: Target
    ) -> SlidePoint:
        """The point of the step at the end asked for."""
        if beyond(point, target) >= 0.0:
            return point

        def stopped(part: float) -> SlidePoint:
            t = self._step(point, part * length)[0] if part > 0.0 else point.t
            return self._level(t, point.active, point.weights)

        if beyond(stopped(0.0), target) >= 0.0:
            return stopped(0.0)
        part = float(
            brentq(lambda part: beyond(stopped(part), target), 0.0, 1.0, xtol=1e-15, rtol=1e-15)
        )
        return stopped(part) if part < 1.0 else there

    def _on_face(self, t: FloatArray, weights: FloatArray, candidates: IntArray) -> SlidePoint:
        face = choose_face(self.features, self.coordinates.log_slopes(t)[1], weights, candidates)
        if face is None:
            raise SlideError("no face of affinely independent points keeps the margins equal")
        return self._level(t, *face)

    def _levels(
        self, t: FloatArray, active: IntArray, weights: FloatArray
    ) -> tuple[float, float, FloatArray]:
        """Logs of the smallest margin and of A's level; levels over A's mean, less 1, (n,)."""
        log_margin, relative = self._margins(t)
        log_unit = log_margin - float(np.log(relative.min()))
        log_weights = np.full(len(relative), -max(log_margin, 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            on_face = np.log(weights)
        log_weights[active] = np.fmax(on_face, log_weights[active])
        with np.errstate(under="ignore"):
            levels = relative + np.exp(-log_unit) * log_weights
        mean = float(levels[active].mean())
        return log_margin, log_unit + float(np.log(mean)), np.asarray(levels / mean - 1.0)

    def _level(self, t: FloatArray, active: IntArray, before: FloatArray) -> SlidePoint:
        """Bring A to one level by increments of a with sum 0, and look around."""
        slope, weights = self.velocity(t, active, before)
        for _ in range(LEVELLINGS):
            log_margin, _, gaps = self._levels(t, active, weights)
            worst = float(np.abs(gaps[active]).max())
            if worst <= 4.0 * np.finfo(float).eps * max(1.0, float(np.abs(t).max())):
                break
            log_rates, log_slopes = self.coordinates.log_slopes(t)
            face = Face(self.features[active], log_slopes)
            pull = face.levelling(gaps[active]) @ self.features[active]
            t = t + scaled(pull, log_rates - (face.log_top - log_margin))
            slope, weights = self.velocity(t, active, before)
        log_margin, log_level, gaps = self._levels(t, active, weights)
        self.violation = max(self.violation, float(np.abs(gaps[active]).max()))
        return SlidePoint(t, log_margin, log_level, gaps, active, weights, slope)


def beyond(point: SlidePoint, target: Target) -> float:
    """Growing along the slide, and >= 0 from the end on."""
    if target.log_loss is None:
        return point.log_margin - target.log_margin
    return point.log_level - float(np.log(-target.log_loss))
