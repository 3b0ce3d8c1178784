"""Where classification is when its loss reaches epsilon: min sum_j Psi_j^*(rho_j) s.t. Z rho >= 1.

A flow from alpha times its directions, stopped at the loss epsilon, has beta / log(1 / epsilon)
near the minimiser at the scale mu^{1/L}, mu = alpha^L / log(1 / epsilon), as alpha grows. On its
active points the problem is ``PotentialProblem`` with targets 1, which is what solves and certifies
it; ``_active_points`` finds them. As mu -> infinity the potential is a weighted l2 norm, as mu -> 0
a weighted l1 norm whose ties the next order breaks: the ends of ``potential``.

On its way to epsilon the flow passes by the minimisers of all larger mu, and its multipliers, time
integrals of exp(-margin), never fall. Where one of the minimisers' is about to, the flow keeps it:
from there on it follows the minimisers of the divergence from that point, whose multipliers are
added. So the path begins anew at every such departure.

Source: Moroshko et al., "Implicit bias in deep linear classification", NeurIPS 2020, for the
minimisers; the dual flow for what comes after a departure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

import numpy as np

from implicitbias._arrays import FloatArray, IntArray
from implicitbias.limits.finite_loss._active_points import PivotError, active_points, independent
from implicitbias.limits.finite_loss._point import (
    FINE,
    MarginPoint,
    MarginPotential,
    PointSolver,
    broken_tie,
    least_norm_points,
)
from implicitbias.limits.margin._l2 import least_norm
from implicitbias.limits.potential._ends import EndPoint, large_scale_end, small_scale_end
from implicitbias.limits.potential._problem import PotentialProblem

SMALL = (-16.0, -40.0, -80.0, -140.0)  # log mu^{1/L} where the active points of mu = 0 are sought
SETTLED, STEADY = 1e-6, 0.05  # how near a point at a small mu is to the end that breaks a tie
FIRST = 8.0  # log mu where steps begin: up to there multipliers grow in proportion
WIDEST, WIDER, LEAST = 0.6, 0.1, 1e-3  # in log mu: steps, wider ones further down, and the shortest
SHORTER, LONGER = 0.25, 2.0
GUARD = 0.1  # of what is left at the ends of a step: less of it inside asks for a shorter one
FALLEN = 1e-11  # of multipliers and margins: what their rounding does not explain
UNPLACED = 3e-11  # of the answer: what the place of a departure leaves open
PLACED, CLOSER = 1e-5, 0.1  # in log mu^{1/L}: steps where events are placed, and each to the last
TURNED = 2e-3  # the same for the turn of a multiplier, which matters by its square
MOST_DEPARTURES = 10  # a point
CLOSING = 0.7  # what is left of a distance, at most, from one such mu to the next


class MarginSolver(PointSolver):
    """The flow's way from large scales to small ones; every point begins with the last."""

    def __init__(self, problem: MarginPotential) -> None:
        super().__init__(problem)
        self.departures: list[float] = []  # log scales where a point left the smallest margin
        self._kept = np.zeros(len(problem.rows))  # the multipliers at the last of them
        self._before: tuple[MarginPoint, float] | None = None
        self._width = np.inf

    def at(self, log_scale: float) -> MarginPoint:
        """The point at the scale exp(log_scale), below all asked for before; certified.

        Raises
        ------
        PathError, PivotError
            It was not found.
        InfeasibleProblemError, NoPredictionError
            As ``least_norm``.
        """
        depth, size = self.problem.curves.depth, self._log_size
        if len(self.problem.rows) == 1 or log_scale >= size + FIRST / depth:
            self._accept(self.solved(log_scale), log_scale)
        elif self._log_scale > size + FIRST / depth:
            first = size + FIRST / depth
            self._accept(self.solved(first), first)
        while self._log_scale > log_scale:
            widest = max(WIDEST / depth, WIDER * abs(self._log_scale - size))
            self._width = min(self._width, widest)
            self._advance(max(log_scale, self._log_scale - self._width), LEAST / depth)
        return self._here

    @property
    def _here(self) -> MarginPoint:
        if self._last is None:
            raise PivotError("the path has not begun")
        return self._last

    def multipliers(self, point: MarginPoint) -> FloatArray:
        """Those of all points, in the unit of the point's, (n,)."""
        nu = self._kept.copy()
        nu[point.active] += point.multipliers
        return nu

    def _advance(self, log_scale: float, least: float) -> None:
        """To a smaller scale, or less far where something happens on the way."""
        found = self.solved(log_scale)
        if self._log_scale - log_scale > 1.5 * least:
            middle = self.solved(0.5 * (self._log_scale + log_scale))
            if not self._is_smooth(middle, found):
                self._width = max(SHORTER * (self._log_scale - log_scale), least)
                return
        elif self._fell(found):
            self._to_event(log_scale)
            return
        self._accept(found, log_scale)
        self._width *= LONGER

    def _to_event(self, fallen: float) -> None:
        """To the first event before a scale where a multiplier fell; a departure begins anew.

        With the active points A of the last step but one kept, margins and multipliers are smooth:
        a point enters A where its margin falls short, and one leaves where its multiplier turns.
        """
        first, begin = self._before or (self._here, self._log_scale)
        start, end, entering = begin, fallen, -1
        while True:
            place, entering = self._first_event(first, start, end)
            width = start - end
            there = start - place * width
            if width <= (PLACED if entering >= 0 else TURNED):
                break
            start, end = min(begin, there + CLOSER * width), there - CLOSER * width
        if entering >= 0:
            joined = np.append(first.active, entering)
            self._accept(self.fixed(independent(self.problem.rows, joined), there), there)
            self._before = None
            return
        if there < begin:
            self._accept(self.solved(there), there)
        else:
            self._last, self._log_scale = first, begin
        self._depart()

    def _first_event(self, first: MarginPoint, start: float, end: float) -> tuple[float, int]:
        """Where on a step, in [0, 1], and which point enters; -1 if one leaves."""
        scales = (start, 0.5 * (start + end), end)
        points = [self.fixed(first.active, scale) for scale in scales]
        nu = [self.multipliers(each) for each in points]
        slope, bend = _parabolas(*nu)
        falling = slope + bend < -FALLEN * nu[0].max()
        slope, bend = slope[falling], bend[falling]
        with np.errstate(divide="ignore", invalid="ignore"):
            turns = np.where(slope > bend, 0.5 - 0.5 * slope / bend, 0.0)
        place = float(np.clip(turns, 0.0, 1.0).min(initial=1.0))
        short = np.array([self.short(each.rho) for each in points])
        short[:, first.active] = -1.0
        entering = -1
        for point in np.flatnonzero(short[2] > FALLEN):
            slope, bend = _parabolas(*short[:, point])
            roots = np.roots([bend, slope - bend, short[0, point]])
            real = roots[np.isreal(roots)].real
            root = real[(real > -1.0) & (real < 2.0)].clip(0.0, 1.0).min(initial=1.0)
            if root <= place:
                place, entering = float(root), int(point)
        return place, entering

    def _depart(self) -> None:
        """The path begins anew from here."""
        self.departures.append(self._log_scale)
        self.doubt += UNPLACED
        if len(self.departures) > MOST_DEPARTURES * len(self.problem.rows):
            raise PivotError("points leave the smallest margin, and return, too often")
        here = self._here
        self._kept = self.multipliers(here)
        if here.carried is not None:
            self._begun = here.carried[1].t
        nothing = np.zeros(here.active.size)
        self._last, self._before = replace(here, multipliers=nothing, carried=None), None

    def _is_smooth(self, middle: MarginPoint, end: MarginPoint) -> bool:
        """Whether points only join on a step, and parabolas see none touch, or turn, inside it."""
        last = self._last
        if last is None or self._fell(end) or self._fell(middle):
            return False
        points = (last, middle, end)
        before, between, after = (frozenset(each.active.tolist()) for each in points)
        if not before <= between <= after:
            return False
        apart = [np.maximum(-self.short(each.rho), 0.0) for each in points]
        slope, bend = _parabolas(*apart)
        with np.errstate(divide="ignore", invalid="ignore"):
            lowest = apart[1] - slope**2 / (8.0 * bend)
        inside = (bend > 0.0) & (np.abs(slope) < 2.0 * bend)
        inside[list(after)] = False
        if np.any(inside & (lowest < GUARD * np.minimum(apart[0], apart[2]) - FALLEN)):
            return False
        nu = [self.multipliers(each) for each in points]
        slope, bend = _parabolas(*(each[list(before)] for each in nu))
        slowest = np.minimum(slope - bend, slope + bend)
        return bool(np.all(slowest >= GUARD * slope - FALLEN * nu[2].max()))

    def _fell(self, found: MarginPoint) -> bool:
        """Whether a multiplier is smaller than at the last point."""
        last = self._last
        if last is None or any(
            each.carried is not None and each.carried[0].log_excess > 0.0 for each in (last, found)
        ):
            return False  # where the potential is quadratic they grow in proportion
        before, after = self.multipliers(last), self.multipliers(found)
        return bool((before - after).max() > FALLEN * after.max())

    def _accept(self, point: MarginPoint, log_scale: float) -> None:
        if self._last is not None and self._last.carried is not None:
            self._before = self._last, self._log_scale
        self._last, self._log_scale = point, log_scale

    def at_infinity(self) -> MarginPoint:
        """The weighted l2 end.

        Raises
        ------
        ValueError
            The weights are too far apart for float64; and as ``at``.
        """
        return self._at_end(large_scale_end, least_norm_points(self.problem))

    def at_zero(self) -> MarginPoint:
        """The weighted l1 end; where minimisers tie, the one that those at small mu tend to.

        Raises
        ------
        ValueError
            It was not found, or ties are not decided; and as ``at``.
        """
        before: tuple[IntArray, float] | None = None
        why = "it was not found"
        size = self._log_size
        for below in SMALL:
            near = self.at(size + below)
            end = self.end(small_scale_end, near.active)
            if self._is_clear(end):
                return end
            if self.short(end.rho).max() > FINE.margin:
                vertex = self._vertex(near.active)
                if vertex is not None:
                    return vertex
                why = "the active points at small ratios are not those of the end"
                before = None
                continue
            apart = float(np.abs(near.rho - end.rho).max() / np.abs(end.rho).max())
            steady = before is not None and np.array_equal(before[0], near.active)
            closing = steady and before is not None and apart <= CLOSING * before[1]
            if apart <= SETTLED or (closing and apart <= STEADY):
                return replace(end, tie=broken_tie(apart, size + below))
            before = near.active, apart
            why = f"at ratios as small as it is resolved, the minimiser is still {apart:.1e} away"
        raise ValueError(f"several points have the same weighted l1 norm, and {why}")

    def _is_clear(self, end: MarginPoint) -> bool:
        """Whether it is the one minimiser: nu > 0, no tie, all margins met."""
        nu = end.multipliers  # those of a tie need not be the flow's, nor >= 0
        met = self.short(end.rho).max() <= FINE.margin
        return bool(end.tie is None and met and np.all(nu > FINE.multiplier * np.abs(nu).max()))

    def _vertex(self, first: IntArray) -> MarginPoint | None:
        """The one minimiser of the l1 norm, from other active points; None without."""
        try:
            found = self._at_end(small_scale_end, first)
        except (PivotError, ValueError):
            return None
        return found if self._is_clear(found) else None

    @cached_property
    def _log_size(self) -> float:
        """log |rho|^{1/L} of the l2 point: where the scale begins to be small."""
        problem = self.problem
        largest = float(np.abs(least_norm(problem.rows.scaled(1.0 / problem.goal, None)).z).max())
        return float(np.log(largest)) / problem.curves.depth

    def _at_end(
        self, solve_end: Callable[[PotentialProblem], EndPoint], first: IntArray
    ) -> MarginPoint:
        rows = self.problem.rows
        found = active_points(
            rows, self.problem.goal, first, lambda a: self.end(solve_end, a), FINE
        )
        return self.without_doubtful(found, lambda a: self.end(solve_end, a))


def _parabolas(
    first: FloatArray, middle: FloatArray, last: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Slopes in the middle of [0, 1], and what they change by to its ends."""
    return last - first, 2.0 * (first - 2.0 * middle + last)
