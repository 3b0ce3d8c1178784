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
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.linalg import solve_triangular

from implicitbias._arrays import EPS, BoolArray, FloatArray, IntArray, worst_of
from implicitbias.features import Features
from implicitbias.limits.finite_loss._active_points import PivotError, active_points
from implicitbias.limits.finite_loss._point import (
    FINE,
    MarginPoint,
    MarginPotential,
    PointSolver,
    broken_tie,
    least_norm_points,
    log_weights,
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
MISSED = 1e-12  # of margins: what their rounding does not explain
FALLING = 1e-10  # of rates: the same
TOUCHING = 10 * MISSED  # margins this near to the smallest take part in an event
UNDECIDED = 1e-9  # what no change of active points mends counts as rounding up to here
NEXT = 0.01  # of a bracket: the shortest step to the place of an event
CORRECTIONS = 60  # of the place of an event
MOST_EVENTS = 30  # a point
CLOSING = 0.7  # what is left of a distance, at most, from one such mu to the next


@dataclass(frozen=True, eq=False)
class Seen:
    """What can go wrong at a point: negative where it has.

    Attributes
    ----------
    left
        Of inactive points what margins exceed the smallest by, of active ones how fast their
        multipliers rise, relative to the fastest, (n,).
    active
        Which is which, (n,).
    """

    left: FloatArray
    active: BoolArray

    @cached_property
    def rounding(self) -> FloatArray:
        """What counts as 0, (n,)."""
        return np.where(self.active, FALLING, MISSED)

    @cached_property
    def wrong(self) -> BoolArray:
        """Points that have to enter or to leave."""
        return self.left < -self.rounding

    @property
    def deepest(self) -> float:
        """How wrong the worst is, in units of its rounding."""
        return float((-self.left / self.rounding).max(initial=0.0))


class MarginSolver(PointSolver):
    """The flow's way from large scales to small ones; every point begins with the last."""

    def __init__(self, problem: MarginPotential) -> None:
        super().__init__(problem)
        self.departures: list[float] = []  # log scales where a point left the smallest margin
        self._kept = np.zeros(len(problem.rows))  # the multipliers at the last of them
        self._width = np.inf
        self._events = 0
        self._begins: Seen | None = None  # what is left where the path begins anew

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
        nu = self._here.multipliers
        if nu.min(initial=0.0) < -FINE.multiplier * np.abs(nu).max(initial=0.0):
            raise PivotError("a multiplier fell below 0 on the way")
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
        width = self._log_scale - log_scale
        found = self.fixed(self._here.active, log_scale)
        seen = self._seen(found)
        if width > 1.5 * least:
            middle = self.fixed(found.active, log_scale + 0.5 * width)
            between = self._seen(middle)
            if between.wrong.any():
                self._to_event(middle, between, log_scale + 0.5 * width)
                return
            if not seen.wrong.any() and not _is_smooth(self._seen(self._here), between, seen):
                self._width = max(SHORTER * width, least)
                return
        if seen.wrong.any():
            self._to_event(found, seen, log_scale)
            return
        self._accept(found, log_scale)
        self._width = max(self._width, LONGER * width)

    def _to_event(self, found: MarginPoint, seen: Seen, log_scale: float) -> None:
        """To the first event before a scale where something is wrong, by roots in between."""
        before = self._seen(self._here)
        for count in range(CORRECTIONS):
            width = self._log_scale - log_scale
            if width <= 4 * EPS * max(1.0, abs(log_scale)) or seen.deepest <= 2.0:
                break
            above, below = np.maximum(before.left, 0.0)[seen.wrong], -seen.left[seen.wrong]
            part = max(float((above / (above + below)).min()), NEXT) if count % 3 < 2 else 0.5
            there = self._log_scale - part * width
            middle = self.fixed(self._here.active, there)
            between = self._seen(middle)
            if between.wrong.any():
                found, seen, log_scale = middle, between, there
                continue
            self._accept(middle, there)
            before = between
            if np.any((between.left <= between.rounding) & seen.wrong):
                found, seen, log_scale = middle, between, there
                break
        self._turn(found, seen, log_scale)

    def _turn(self, point: MarginPoint, seen: Seen, log_scale: float) -> None:
        """Other active points from here on: those whose multipliers can rise at one rate."""
        problem, deepest = self.problem, seen.deepest
        self._events += 1
        if self._events > MOST_EVENTS * len(problem.rows):
            raise PivotError("points leave the smallest margin, and return, too often")
        if deepest > UNDECIDED / MISSED:
            raise PivotError("a point where another one becomes active was not found")
        touching = np.flatnonzero(seen.active | (seen.left <= TOUCHING))
        weights = _weights(point)
        near = problem.rows.rows(touching).scaled(1.0 / problem.goal[touching], weights)
        active = np.sort(touching[least_norm(near).active])
        stay = np.isin(point.active, active)
        missed = float(np.abs(seen.left[touching[~seen.active[touching]]]).max(initial=0.0))
        if stay.all() and active.size > stay.size:
            self._accept(self.fixed(active, log_scale), log_scale)
        elif stay.all():
            self._accept(point, log_scale)  # what was wrong is rounding
        else:
            self._depart(point, active, log_scale, missed)

    def _depart(
        self, point: MarginPoint, active: IntArray, log_scale: float, missed: float
    ) -> None:
        """The path begins anew from here, with those active points."""
        self.departures.append(log_scale)
        own = (point.certificate.error or 0.0) - self.doubt_at(point)
        self.doubt += worst_of(own, EPS) + missed
        self._kept = self.multipliers(point)
        if point.carried is not None:
            self._begun = point.carried[1].t
        nothing = np.zeros(active.size)
        self._accept(replace(point, active=active, multipliers=nothing, carried=None), log_scale)
        self._begins = self._seen_at(point, active)

    def _seen(self, point: MarginPoint) -> Seen:
        if point.carried is None and self._begins is not None:
            return self._begins
        return self._seen_at(point, point.active)

    def _seen_at(self, point: MarginPoint, active: IntArray) -> Seen:
        """What is left at a point until something happens to it with those active points."""
        left, places = -self.short(point.rho), np.zeros(len(self.problem.rows), dtype=bool)
        rates = _rates(self.problem.rows.rows(active), self.problem.goal[active], point)
        left[active], places[active] = rates / np.abs(rates).max(), True
        return Seen(left, places)

    def _accept(self, point: MarginPoint, log_scale: float) -> None:
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


def _is_smooth(first: Seen, middle: Seen, last: Seen) -> bool:
    """Whether parabolas see nothing touch 0 inside a step."""
    slope = last.left - first.left
    bend = 2.0 * (first.left - 2.0 * middle.left + last.left)
    with np.errstate(divide="ignore", invalid="ignore"):
        lowest = middle.left - slope**2 / (8.0 * bend)
    inside = (bend > 0.0) & (np.abs(slope) < 2.0 * bend)
    ends = np.minimum(first.left, last.left)
    return not np.any(inside & (lowest < GUARD * ends - first.rounding))


def _weights(point: MarginPoint) -> FloatArray:
    """Square roots of how fast rho_j moves with (Z^T nu)_j, relative to the largest, (m,)."""
    logs = log_weights(point)
    return np.asarray(np.exp(np.maximum(0.5 * (logs - logs.max()), -300.0)))


def _rates(rows: Features, goal: FloatArray, point: MarginPoint) -> FloatArray:
    """How fast the multipliers rise at which all these margins grow at one rate, (|A|,)."""
    used = np.flatnonzero(rows.largest(0))
    matrix = rows.columns(used) * _weights(point)[used]
    lengths = np.linalg.norm(matrix, axis=1)
    r = np.linalg.qr((matrix / lengths[:, None]).T, mode="r")
    half = solve_triangular(r, goal / lengths, trans="T", check_finite=False)
    return np.asarray(solve_triangular(r, half, check_finite=False) / lengths)
