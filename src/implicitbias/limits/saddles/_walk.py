"""Training at vanishing scale: a walk along the faces of a polyhedron.

In units of log(1/alpha) (L = 2) or alpha^{-(L - 2)} (L > 2) let T be the time, N the dual point nu
and S = Z^T N the clocks. rho_j stays 0 while -w_j^- < S_j < w_j^+, the lengths of the clock, and
takes any value >= 0 at the upper, <= 0 at the lower end. Hence

    dN/dT = -grad loss(Z rho),   rho in the normal cone of the box [-w^-, w^+] at Z^T N,

N is piecewise linear, and rho piecewise constant: at each jump the minimiser of the loss on the
cone of the coordinates whose clocks are tight. For the squared loss dN/dT is y projected on the
tangent cone of {N: -w^- <= Z^T N <= w^+}: the walk climbs y^T N there, to the dual point of the
least weighted l1 norm.

Source: Pesme and Flammarion (NeurIPS 2023), Berthier (JMLR 2023) for L = 2; L > 2, all starts and
the loss of classification derived alike (documentation, "Saddles").
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np

from implicitbias._arrays import EPS, FloatArray, IntArray, compensated, stable_norm, worst_of
from implicitbias.features import Features
from implicitbias.limits.saddles._cone import FLAT, PRECISE, NoRestError, Rest

TOGETHER = 1e-12  # jumps closer than this, relative to their time, are one
ROUNDED = 32 * EPS  # of |z_j| |N|: a sum over all jumps


class Loss(Protocol):
    """What is minimised on cones of columns of Z."""

    def start(self) -> Rest:
        """At rho = 0."""

    def rest(self, tight: IntArray, signs: FloatArray, last: Rest) -> Rest:
        """The minimiser on a cone."""


@dataclass(frozen=True, eq=False)
class Saddle:
    """Where training rests from one jump to the next.

    Attributes
    ----------
    time
        T of the jump that leads here.
    dual
        N there, (n,).
    rest
        rho and the pull.
    tight, sides
        Coordinates whose clocks are at their ends at that time, ascending, and at which, +-1, (k,).
    flat
        Those of them that stay there, and are 0 in ``rest``: with these rho may be one of several
        with the same Z rho.
    time_error
        An estimate of what the time is off by, relative to itself.
    """

    time: float
    dual: FloatArray
    rest: Rest
    tight: IntArray
    sides: FloatArray
    flat: IntArray
    time_error: float


@dataclass(frozen=True, eq=False)
class Walked:
    """All saddles, and what follows the last.

    Attributes
    ----------
    saddles, violations
        In order; of each, ``Walk.violation``.
    until
        The time at which rho begins to grow without bound; infinity where the last is the end.
    growing
        The coordinates that are tight from then on, (k,).
    complete
        False where the walk was given up before its end.
    moving
        The largest slope of a clock, relative to |z_j| |pull|, that counts as 0 and may be none:
        at the end, or while the walk waits so long that it would come to an end; 0 if none.
    """

    saddles: list[Saddle]
    violations: list[float]
    until: float = np.inf
    growing: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.intp))
    complete: bool = True
    moving: float = 0.0


@dataclass(frozen=True, eq=False)
class Walk:
    """What is walked on.

    Attributes
    ----------
    features
        Z, (n, m), its columns of norm near 1.
    below, above
        w^- and w^+, (m,); infinite where there is no end.
    loss
        What is minimised.
    rounding
        What entries of Z may be off by, relative to |z_j|.
    """

    features: Features
    below: FloatArray
    above: FloatArray
    loss: Loss
    rounding: float = 0.0

    @cached_property
    def norms(self) -> FloatArray:
        """|z_j|, (m,)."""
        return self.features.column_norms()

    def all(self, most: int) -> Walked:
        """At most so many jumps from N = 0.

        Raises
        ------
        NoRestError
            The minimiser on some cone was not found.
        """
        found: list[Saddle] = []
        off: list[float] = []
        rest, time, doubt = self.loss.start(), 0.0, 0.0
        dual = lost = np.zeros(len(self.features))
        clocks, held = np.zeros(self.norms.size), np.zeros(self.norms.size)
        slopes = self._slopes(rest)
        while True:
            wait, hits = self._next(clocks, slopes, held)
            moving = self._moving(rest, slopes, clocks, held, wait)
            if moving > 0.0 or not np.isfinite(wait):
                return Walked(found, off, moving=moving)
            if len(found) == most:
                return Walked(found, off, complete=False)
            time, (dual, lost) = time + wait, compensated(dual, lost, wait * rest.pull)
            doubt += wait * rest.pull_error
            speed = float((np.abs(slopes[hits]) / self.norms[hits]).min())
            clocks, before = self.features.T @ dual, rest
            rest, slopes = self._jump(rest, slopes, clocks, held, hits, TOGETHER * time)
            if rest.bounded and np.array_equal(rest.chosen, before.chosen):
                raise NoRestError("a clock runs out by rounding, and nothing moves")
            tight = np.flatnonzero(held)
            if not rest.bounded:
                return Walked(found, off, time, tight)
            sides = held[tight]
            held[slopes != 0.0] = 0.0
            held[rest.chosen] = np.sign(rest.values)
            still = held.copy()
            still[rest.chosen] = 0.0
            late = (doubt + EPS * stable_norm(dual)) / (speed * time)
            found.append(Saddle(time, dual, rest, tight, sides, np.flatnonzero(still), late))
            off.append(self.violation(found[-1], clocks))

    def _jump(
        self,
        rest: Rest,
        slopes: FloatArray,
        clocks: FloatArray,
        held: FloatArray,
        hits: IntArray,
        together: float,
    ) -> tuple[Rest, FloatArray]:
        """The next rest and its slopes; ``held``, the sides of tight clocks, is brought up to date.

        Jumps that follow at once are part of it, whatever clocks have left their ends meanwhile.
        """
        while True:
            held[hits] = np.sign(slopes[hits])
            tight = np.flatnonzero(held)
            rest = self.loss.rest(tight, held[tight], rest)
            if not rest.bounded:
                return rest, slopes
            slopes = self._slopes(rest)
            wait, hits = self._next(clocks, slopes, held)
            if wait > together:
                return rest, slopes

    def _slopes(self, rest: Rest) -> FloatArray:
        """dS/dT = Z^T pull, 0 where that is rounding."""
        slopes = self.features.T @ rest.pull
        return np.where(np.abs(slopes) <= FLAT * stable_norm(rest.pull) * self.norms, 0.0, slopes)

    def _moving(
        self, rest: Rest, slopes: FloatArray, clocks: FloatArray, held: FloatArray, wait: float
    ) -> float:
        """The largest slope that counts as 0 though its clock may come to an end while waiting."""
        size, rests = stable_norm(rest.pull), slopes == 0.0
        rests[rest.chosen] = False
        with np.errstate(invalid="ignore", over="ignore"):
            left = np.where(held == 0.0, np.minimum(self.above - clocks, self.below + clocks), 0.0)
            rests &= left < wait * FLAT * size * self.norms
        if size == 0.0 or not rests.any():
            return 0.0
        found = -self.features.precise.transposed_residual(rest.pull, np.zeros(held.size))
        unknown = np.where(found == 0.0, 0.0, PRECISE) + self.rounding
        rounding = (rest.pull_error + unknown * size) * self.norms
        if np.isfinite(wait):
            rests &= (held == 0.0) & (left < wait * (np.abs(found) + rounding))
            return float((np.abs(found) + rounding)[rests].max(initial=0.0)) / size
        if np.isfinite([self.below, self.above]).all():
            return max(EPS, float(np.abs(found).max()) / size)  # nothing keeps a residual
        ends = np.where(found > 0.0, self.above, self.below)
        rests &= np.where(held == 0.0, np.isfinite(ends), held == np.sign(found))
        return float(np.abs(found)[rests & (np.abs(found) > rounding)].max(initial=0.0)) / size

    def _next(
        self, clocks: FloatArray, slopes: FloatArray, held: FloatArray
    ) -> tuple[float, IntArray]:
        """How long until a clock meets its end, and whose do; infinite if none does."""
        rests = (slopes == 0.0) | (held != 0.0)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            left = np.where(slopes > 0.0, self.above - clocks, self.below + clocks)
            waits = np.where(rests, np.inf, np.maximum(left, 0.0) / np.abs(slopes))
        wait = float(waits.min(initial=np.inf))
        if not np.isfinite(wait):
            return np.inf, np.zeros(0, dtype=np.intp)
        return wait, np.flatnonzero(waits <= wait * (1.0 + TOGETHER))

    def violation(self, saddle: Saddle, clocks: FloatArray | None = None) -> float:
        """How far it is from the conditions that make it the next saddle; clocks may be known.

        The largest of: a clock Z^T N beyond its end, or away from it where it is to be tight, by
        more than the rounding of N, relative to its length; a slope of the loss that is not 0
        where rho is not, or of the wrong sign where the clock is tight, relative to |z_j| |pull|;
        infinite where rho has the wrong sign.
        """
        rest, tight, sides = saddle.rest, saddle.tight, saddle.sides
        chosen = np.searchsorted(tight, rest.chosen)
        if not np.array_equal(sides[chosen], np.sign(rest.values)):
            return np.inf
        if clocks is None:
            clocks = self.features.T @ saddle.dual
        ends = np.where(clocks > 0.0, self.above, self.below)
        rounding = ROUNDED * stable_norm(saddle.dual) * self.norms
        ended = np.isfinite(ends)
        beyond = (np.abs(clocks) - rounding)[ended] / ends[ended] - 1.0
        own = np.where(sides > 0.0, self.above[tight], self.below[tight])
        apart = (np.abs(sides * clocks[tight] - own) - rounding[tight]) / own
        found = [float(beyond.max(initial=0.0)), float(apart.max(initial=0.0))]
        size = stable_norm(rest.pull)
        if size > 0.0:
            slopes = self.features.columns(tight).T @ rest.pull / (self.norms[tight] * size)
            found.append(float((sides * slopes).max(initial=0.0)))
            found.append(float(np.abs(slopes[chosen]).max(initial=0.0)))
        return worst_of(*found)
