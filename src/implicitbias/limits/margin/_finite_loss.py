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
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from implicitbias._arrays import FloatArray, IntArray
from implicitbias._verdicts import Verdict
from implicitbias.coordinates import ScalarCurves
from implicitbias.features import Features
from implicitbias.limits._limit import Certificate
from implicitbias.limits.margin._active_points import (
    Held,
    PivotError,
    Tolerance,
    active_points,
    independent,
    shortfall,
)
from implicitbias.limits.margin._l2 import least_norm
from implicitbias.limits.potential._certify import certify
from implicitbias.limits.potential._ends import EndPoint, large_scale_end, small_scale_end
from implicitbias.limits.potential._path import rescale, solve
from implicitbias.limits.potential._problem import (
    PathError,
    PotentialProblem,
    PotentialState,
    slopes_at,
)

ROUGH = Tolerance(1e-4, 1e-4)  # paths are followed to five digits
FINE = Tolerance(1e-12, 1e-9)
SMALL = (-16.0, -40.0, -80.0, -140.0)  # log mu^{1/L} where the active points of mu = 0 are sought
SETTLED, STEADY = 1e-6, 0.05  # how near a point at a small mu is to the end that breaks a tie
FIRST = 8.0  # log mu where steps begin: up to there multipliers grow in proportion
WIDEST, WIDER, LEAST = 0.6, 0.1, 1e-3  # in log mu: steps, wider ones further down, and the shortest
SHORTER, LONGER = 0.25, 2.0
GUARD = 0.1  # of what is left at the ends of a step: less of it inside asks for a shorter one
FALLEN = 3e-13  # of the multipliers: what their rounding does not explain
UNPLACED = 2e-9  # of the answer: what the place of a departure leaves open
PLACED = 2e-4  # in log mu^{1/L}: up to here parabolas place a departure
MOST_DEPARTURES = 10  # a point
CLOSING = 0.7  # what is left of a distance, at most, from one such mu to the next


@dataclass(frozen=True, eq=False)
class MarginPotential:
    """min sum_j Psi_j^*(rho_j) s.t. Z rho >= g at scale 1.

    Attributes
    ----------
    rows, goal
        Z, (n, m), its rows of about unit length, and the margins g > 0 asked for, (n,).
    curves
        The m coordinates.
    on
        The problem Z_A rho = g_A of some points A.
    """

    rows: Features
    goal: FloatArray
    curves: ScalarCurves
    on: Callable[[IntArray], PotentialProblem]


@dataclass(frozen=True, eq=False)
class MarginPoint(Held):
    """A minimiser, its certificate, and the path's state to go on from.

    ``multipliers`` are nu_A up to a factor; ``tie`` is set where one had to be broken.
    """

    certificate: Certificate = field(default_factory=lambda: Certificate(np.inf, np.inf))
    carried: tuple[PotentialProblem, PotentialState] | None = field(default=None, repr=False)
    tie: Verdict | None = None
    num_iterations: int = 0


class MarginSolver:
    """The flow's way from large scales to small ones; every point begins with the last."""

    def __init__(self, problem: MarginPotential) -> None:
        self.problem = problem
        self.departures: list[float] = []  # log scales where a point left the smallest margin
        self._begun: FloatArray | None = None  # t at the last of them
        self._kept = np.zeros(len(problem.rows))  # the multipliers there
        self._last: MarginPoint | None = None
        self._log_scale = np.inf
        self._width = np.inf
        self._excess: float | None = None

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
            self._accept(self._solved(log_scale), log_scale)
        elif self._log_scale > size + FIRST / depth:
            first = size + FIRST / depth
            self._accept(self._solved(first), first)
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
        found = self._solved(log_scale)
        if self._log_scale - log_scale > 1.5 * least:
            middle = self._solved(0.5 * (self._log_scale + log_scale))
            if not self._is_smooth(middle, found):
                self._width = max(SHORTER * (self._log_scale - log_scale), least)
                return
        elif self._fell(found):
            self._depart(log_scale)
            return
        self._accept(found, log_scale)
        self._width *= LONGER

    def _depart(self, fallen: float) -> None:
        """The path begins anew where a multiplier is largest, before the scale where it fell."""
        while self._log_scale - fallen > PLACED:
            half = 0.5 * (self._log_scale + fallen)
            found = self._solved(half)
            if self._fell(found):
                fallen = half
            else:
                self._accept(found, half)
        here = self._here
        width, end = self._log_scale - fallen, self._solved(fallen)
        middle = self._solved(self._log_scale - 0.5 * width)
        slope, bend = _parabolas(*map(self.multipliers, (here, middle, end)))
        turning = (bend < 0.0) & (slope + bend < 0.0)
        slope, bend = slope[turning], bend[turning]
        first = np.clip(0.5 - 0.5 * slope / bend, 0.0, 1.0).min(initial=1.0)
        if first > 0.0:
            there = self._log_scale - float(first) * width
            self._accept(self._solved(there), there)
        self.departures.append(self._log_scale)
        if len(self.departures) > MOST_DEPARTURES * len(self.problem.rows):
            raise PivotError("points leave the smallest margin, and return, too often")
        here = self._here
        self._kept = self.multipliers(here)
        if here.carried is not None:
            self._begun = here.carried[1].t
        nothing = np.zeros(here.active.size)
        self._last = replace(here, multipliers=nothing, carried=None)

    def _is_smooth(self, middle: MarginPoint, end: MarginPoint) -> bool:
        """Whether points only join on a step, and parabolas see none touch, or turn, inside it."""
        last = self._last
        if last is None or self._fell(end) or self._fell(middle):
            return False
        points = (last, middle, end)
        before, between, after = (frozenset(each.active.tolist()) for each in points)
        if not before <= between <= after:
            return False
        apart = [np.maximum(-self._short(each.rho), 0.0) for each in points]
        slope, bend = _parabolas(*apart)
        with np.errstate(divide="ignore", invalid="ignore"):
            lowest = apart[1] - slope**2 / (8.0 * bend)
        inside = (bend > 0.0) & (np.abs(slope) < 2.0 * bend)
        inside[list(after)] = False
        if np.any(inside & (lowest < GUARD * np.minimum(apart[0], apart[2]))):
            return False
        slope, bend = _parabolas(*(self.multipliers(each)[list(before)] for each in points))
        steepest = np.abs(slope) + np.abs(bend)
        return not np.any(
            np.minimum(slope - bend, slope + bend) < GUARD * slope - FALLEN * steepest
        )

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
        self._last, self._log_scale = point, log_scale

    def _solved(self, log_scale: float) -> MarginPoint:
        (rows, goal), self._excess = (self.problem.rows, self.problem.goal), None
        rough = active_points(rows, goal, self._first(), lambda a: self._on(a, log_scale), ROUGH)

        def certified(active: IntArray) -> MarginPoint:
            known = np.array_equal(active, rough.active)
            return self._certified(rough if known else self._on(active, log_scale))

        return self._without_doubtful(
            active_points(rows, goal, rough.active, certified, FINE), certified
        )

    def _problem_on(self, active: IntArray) -> PotentialProblem:
        problem = self.problem.on(active)
        if self._begun is None:
            return problem
        return replace(
            problem, curves=problem.curves.begun_at(self._begun), start=None, rough_start=None
        )

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
            end = self._end(small_scale_end, near.active)
            if self._short(end.rho).max() > FINE.margin:
                why = "the active points at small ratios are not those of the end"
                before = None
                continue
            nu = end.multipliers  # those of a tie need not be the flow's, nor >= 0
            if end.tie is None and np.all(nu > FINE.multiplier * np.abs(nu).max()):
                return end
            apart = float(np.abs(near.rho - end.rho).max() / np.abs(end.rho).max())
            steady = before is not None and np.array_equal(before[0], near.active)
            closing = steady and before is not None and apart <= CLOSING * before[1]
            if apart <= SETTLED or (closing and apart <= STEADY):
                return replace(end, tie=_tie(apart, size + below))
            before = near.active, apart
            why = f"at ratios as small as it is resolved, the minimiser is still {apart:.1e} away"
        raise ValueError(f"several points have the same weighted l1 norm, and {why}")

    @cached_property
    def _log_size(self) -> float:
        """log |rho|^{1/L} of the l2 point: where the scale begins to be small."""
        problem = self.problem
        largest = float(np.abs(least_norm(problem.rows.scaled(1.0 / problem.goal, None)).z).max())
        return float(np.log(largest)) / problem.curves.depth

    def _is_met(self, held: Held) -> bool:
        least = -FINE.multiplier * np.abs(held.multipliers).max(initial=0.0)
        fits = self._short(held.rho).max() <= FINE.margin
        return bool(fits and np.all(held.multipliers >= least))

    def _at_end(
        self, solve_end: Callable[[PotentialProblem], EndPoint], first: IntArray
    ) -> MarginPoint:
        rows = self.problem.rows
        found = active_points(
            rows, self.problem.goal, first, lambda a: self._end(solve_end, a), FINE
        )
        return self._without_doubtful(found, lambda a: self._end(solve_end, a))

    def _end(
        self, solve_end: Callable[[PotentialProblem], EndPoint], active: IntArray
    ) -> MarginPoint:
        end = solve_end(self._problem_on(active))
        feasibility = max(0.0, float(self._short(end.rho).max()))
        return MarginPoint(
            active,
            end.rho,
            end.nu,
            Certificate(feasibility, end.gap, error=end.error + feasibility + self._unplaced),
            tie=_tie(end.error, -np.inf) if end.tied else None,
        )

    def _without_doubtful(
        self, found: MarginPoint, solve_on: Callable[[IntArray], MarginPoint]
    ) -> MarginPoint:
        """The same without points whose nu is 0 to rounding, where all margins are met without."""
        nu = found.multipliers
        doubtful = nu <= FINE.multiplier * np.abs(nu).max(initial=0.0)
        for point in found.active[doubtful]:
            fewer = solve_on(found.active[found.active != point])
            found = fewer if self._is_met(fewer) else found
        return found

    @property
    def _unplaced(self) -> float:
        return UNPLACED * len(self.departures)

    def _short(self, rho: FloatArray) -> FloatArray:
        return shortfall(self.problem.rows, self.problem.goal, rho)

    def _first(self) -> IntArray:
        return least_norm_points(self.problem) if self._last is None else self._last.active

    def _on(self, active: IntArray, log_scale: float) -> MarginPoint:
        """The path's state at Z_A rho = g_A, carried along the scale where A has not changed."""
        last = self._last
        problem = self._problem_on(active)
        if last is not None and last.carried is not None and np.array_equal(last.active, active):
            try:
                solved, state = rescale(*last.carried, log_scale - self._log_scale)
                there = problem.shifted(log_scale - solved.log_excess)  # changes do not add up
                return self._held(active, (replace(solved, curves=there.curves), state))
            except PathError:
                pass
        return self._held(active, solve(problem.shifted(log_scale)))

    def _held(
        self, active: IntArray, carried: tuple[PotentialProblem, PotentialState]
    ) -> MarginPoint:
        problem, state = carried
        if self._excess is None:
            self._excess = problem.log_excess
        nu = state.rows.dual_as_given(state.nu)
        if problem.log_excess != self._excess:  # one unit for all A at this scale
            nu = nu * np.exp(problem.curves.depth * (self._excess - problem.log_excess))
        rho = problem.curves.rho(state.t)
        return MarginPoint(active, rho, nu, carried=carried, num_iterations=state.iterations)

    def _certified(self, point: MarginPoint) -> MarginPoint:
        """The same corrected beyond float64, all margins in its certificate."""
        if point.carried is None:
            return point
        found = certify(*point.carried)
        held, certificate = (
            self._held(point.active, (point.carried[0], found.state)),
            found.certificate,
        )
        feasibility = max(0.0, float(self._short(held.rho).max()))
        error = (certificate.error or 0.0) + feasibility + self._unplaced
        feasibility = max(certificate.feasibility, feasibility)
        return replace(held, certificate=replace(certificate, feasibility=feasibility, error=error))


def least_norm_points(problem: MarginPotential) -> IntArray:
    """The support points of the l2 max-margin direction, coordinates weighted as at large mu.

    Raises
    ------
    InfeasibleProblemError, NoPredictionError
        As ``least_norm``.
    """
    curves = problem.curves
    slopes = slopes_at(curves.shifted(-float(curves.log_unit.max())), curves.t0)
    log_weights = 0.5 * (slopes.log_weights - slopes.log_weights.max())
    rows = problem.rows.scaled(1.0 / problem.goal, np.exp(np.maximum(log_weights, -300.0)))
    return independent(problem.rows, least_norm(rows).active)


def _parabolas(
    first: FloatArray, middle: FloatArray, last: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Slopes in the middle of [0, 1], and what they change by to its ends."""
    return last - first, 2.0 * (first - 2.0 * middle + last)


def _tie(apart: float, log_scale: float) -> Verdict:
    return Verdict(
        "of several points of least weighted l1 norm, the one that small ratios lead to",
        "holds",
        apart,
        f"the distance of the minimiser at ratio^(1/L) = exp({log_scale:.0f})",
    )
