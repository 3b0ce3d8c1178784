"""Training at vanishing scale: a walk along the faces of a polyhedron.

With the decoupled coordinates' clocks s = Z^T nu and time in units of log(1/alpha) (L = 2) or
alpha^{-(L - 2)} (L > 2), nu and s of order one, rho_j stays 0 while -w_j^- < s_j < w_j^+, the lengths
of the clock, and takes any value >= 0 at the upper, <= 0 at the lower end. Hence

    dN/dT = -grad loss(Z rho),   rho in the normal cone of the box [-w^-, w^+] at Z^T N,

N is piecewise linear, and rho piecewise constant: at each jump the minimiser of the loss on the cone
of the coordinates whose clocks are tight. For the squared loss dN/dT is y projected on the tangent
cone of {N: -w^- <= Z^T N <= w^+}: the walk climbs y^T N there, to the dual point of weighted l1.

Source: Pesme and Flammarion (NeurIPS 2023), Berthier (JMLR 2023) for L = 2; L > 2, all starts and
the loss of classification derived alike (documentation, "Saddles").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from implicitbias._arrays import EPS, BoolArray, FloatArray, IntArray, stable_norm
from implicitbias.features import Features
from implicitbias.limits.saddles._cone import FLAT, Rest

TOGETHER = 1e-12  # jumps closer than this, relative to their time, are one


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
    flat
        Coordinates that are tight, stay so, and are 0 in ``rest``: with these rho may be one of
        several with the same Z rho, (k,).
    violation
        The largest of: a clock beyond its end, or away from it where rho is not 0, relative to its
        length; a slope of the loss that is not 0 where rho is not, or is of the wrong sign where
        the clock is tight, relative to |z_j| |pull|.
    time_error
        An estimate of what the time is off by, relative to itself.
    """

    time: float
    dual: FloatArray
    rest: Rest
    flat: IntArray
    violation: float
    time_error: float


class Walk:
    """The saddles one after the other.

    Attributes
    ----------
    until
        Once all are visited: the time at which rho begins to grow without bound; infinity where the
        last saddle is the end.
    growing
        The coordinates that are tight from then on, (k,).
    """

    def __init__(self, features: Features, lengths: tuple[FloatArray, FloatArray], loss: Loss):
        self.features, self.loss = features, loss
        self.below, self.above = lengths
        self.norms = features.column_norms()
        self.until, self.growing = np.inf, np.zeros(0, dtype=np.intp)

    def saddles(self, most: int) -> Iterator[Saddle]:
        """At most so many.

        Raises
        ------
        NoRestError
            The minimiser on some cone was not found.
        """
        rest, time, dual, doubt = self.loss.start(), 0.0, np.zeros(len(self.features)), 0.0
        held = np.zeros(self.norms.size, dtype=bool)
        sides = np.zeros(self.norms.size)
        clocks, slopes = self._clocks(dual, rest)
        for _ in range(most):
            wait, hits = self._next(clocks, slopes, rest, held)
            if not np.isfinite(wait):
                return
            time, dual = time + wait, dual + wait * rest.pull
            doubt += wait * rest.pull_error + EPS * stable_norm(dual)
            speed = np.abs(slopes[hits]) / self.norms[hits]
            time_error = doubt / (float(speed.min()) * time)
            rest = self._rest_at(dual, rest, held, sides, (hits, slopes), TOGETHER * time)
            if not rest.bounded:
                self.until, self.growing = time, np.flatnonzero(held)
                return
            clocks, slopes = self._clocks(dual, rest)
            violation = self._violation(clocks, slopes, rest, held, sides)
            held &= np.abs(slopes) <= self._noise(rest)
            flat = np.setdiff1d(np.flatnonzero(held), rest.chosen)
            yield Saddle(time, dual, rest, flat, violation, time_error)

    def _rest_at(
        self,
        dual: FloatArray,
        rest: Rest,
        held: BoolArray,
        sides: FloatArray,
        event: tuple[IntArray, FloatArray],
        together: float,
    ) -> Rest:
        """The minimiser at a jump, and of all jumps that follow at once; updates who is tight."""
        hits, slopes = event
        while hits.size:
            held[hits], sides[hits] = True, np.sign(slopes[hits])
            tight = np.flatnonzero(held)
            rest = self.loss.rest(tight, sides[tight], rest)
            if not rest.bounded:
                break
            clocks, slopes = self._clocks(dual, rest)
            wait, hits = self._next(clocks, slopes, rest, held)
            if wait > together:
                break
        return rest

    def _clocks(self, dual: FloatArray, rest: Rest) -> tuple[FloatArray, FloatArray]:
        """S = Z^T N and dS/dT."""
        both = self.features.T @ np.column_stack([dual, rest.pull])
        return both[:, 0], both[:, 1]

    def _noise(self, rest: Rest) -> FloatArray:
        """Slopes up to here are 0."""
        return np.asarray(FLAT * self.norms * stable_norm(rest.pull))

    def _next(
        self, clocks: FloatArray, slopes: FloatArray, rest: Rest, held: BoolArray
    ) -> tuple[float, IntArray]:
        """How long until a clock meets its end, and whose do; infinite if none does."""
        rests = held | (np.abs(slopes) <= self._noise(rest))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            left = np.where(slopes > 0.0, self.above - clocks, self.below + clocks)
            waits = np.where(rests, np.inf, left / np.abs(slopes))
        waits = np.maximum(waits, 0.0)
        wait = float(waits.min(initial=np.inf))
        if not np.isfinite(wait):
            return np.inf, np.zeros(0, dtype=np.intp)
        return wait, np.flatnonzero(waits <= wait * (1.0 + TOGETHER))

    def _violation(
        self,
        clocks: FloatArray,
        slopes: FloatArray,
        rest: Rest,
        held: BoolArray,
        sides: FloatArray,
    ) -> float:
        """Of the conditions that make this the next saddle."""
        ends = np.where(clocks > 0.0, self.above, self.below)
        moves = np.isfinite(ends)
        beyond = (np.abs(clocks) - ends)[moves] / ends[moves]
        found = [float(beyond.max(initial=0.0))]
        chosen, size = rest.chosen, stable_norm(rest.pull)
        own = np.where(sides[chosen] > 0.0, self.above[chosen], self.below[chosen])
        apart = np.abs(sides[chosen] * clocks[chosen] - own) / own
        wrong = np.where(np.sign(rest.values) == sides[chosen], 0.0, np.inf)
        found += [float(apart.max(initial=0.0)), float(wrong.max(initial=0.0))]
        if size > 0.0:
            outward = (sides * slopes)[held] / (self.norms[held] * size)
            steep = np.abs(slopes[chosen]) / (self.norms[chosen] * size)
            found += [float(outward.max(initial=0.0)), float(steep.max(initial=0.0))]
        return max(found)
