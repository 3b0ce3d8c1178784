"""One point of classification at finite loss: min sum_j Psi_j^*(rho_j) s.t. Z rho >= g at a scale.

On its active points the problem is ``PotentialProblem``, which is what solves and certifies it;
``_active_points`` finds them. At the ends of the scale it is one of ``potential``'s ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from implicitbias._arrays import FloatArray, IntArray, worst_of
from implicitbias._verdicts import Verdict
from implicitbias.coordinates import ScalarCurves
from implicitbias.features import Features
from implicitbias.limits._limit import Certificate
from implicitbias.limits.finite_loss._active_points import (
    Held,
    PivotError,
    Tolerance,
    active_points,
    independent,
    shortfall,
)
from implicitbias.limits.margin._l2 import least_norm
from implicitbias.limits.potential._certify import certify
from implicitbias.limits.potential._ends import EndPoint
from implicitbias.limits.potential._path import rescale, solve
from implicitbias.limits.potential._problem import (
    PathError,
    PotentialProblem,
    PotentialState,
    slopes_at,
)

ROUGH = Tolerance(1e-4, 1e-4)  # paths are followed to five digits
FINE = Tolerance(1e-12, 1e-9)


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


class PointSolver:
    """The minimisers at one scale after another, each from the last; or of the divergence from t.

    ``doubt`` is what their errors leave out: of the clocks where they begin anew, relative to the
    largest.
    """

    def __init__(self, problem: MarginPotential) -> None:
        self.problem = problem
        self.doubt = 0.0
        self._begun: FloatArray | None = None  # t where the clocks begin anew
        self._last: MarginPoint | None = None
        self._log_scale = np.inf
        self._excess: float | None = None

    def solved(self, log_scale: float) -> MarginPoint:
        """The minimiser at the scale exp(log_scale), certified."""
        (rows, goal), self._excess = (self.problem.rows, self.problem.goal), None
        rough = active_points(rows, goal, self._first(), lambda a: self._on(a, log_scale), ROUGH)

        def certified(active: IntArray) -> MarginPoint:
            known = np.array_equal(active, rough.active)
            return self._certified(rough if known else self._on(active, log_scale))

        return self.without_doubtful(
            active_points(rows, goal, rough.active, certified, FINE), certified
        )

    def fixed(self, active: IntArray, log_scale: float) -> MarginPoint:
        """The minimiser at the scale exp(log_scale) under equalities on those points."""
        return self._certified(self._on(active, log_scale))

    def _problem_on(self, active: IntArray) -> PotentialProblem:
        problem = self.problem.on(active)
        if self._begun is None:
            return problem
        return replace(
            problem, curves=problem.curves.begun_at(self._begun), start=None, rough_start=None
        )

    def _is_met(self, held: Held) -> bool:
        least = -FINE.multiplier * np.abs(held.multipliers).max(initial=0.0)
        fits = self.short(held.rho).max() <= FINE.margin
        return bool(fits and np.all(held.multipliers >= least))

    def end(
        self, solve_end: Callable[[PotentialProblem], EndPoint], active: IntArray
    ) -> MarginPoint:
        """The end of the scale on those points."""
        end = solve_end(self._problem_on(active))
        feasibility = worst_of(0.0, float(self.short(end.rho).max()))
        return MarginPoint(
            active,
            end.rho,
            end.nu,
            Certificate(feasibility, end.gap, error=end.error + feasibility + self.doubt),
            tie=broken_tie(end.error, -np.inf) if end.tied else None,
        )

    def without_doubtful(
        self, found: MarginPoint, solve_on: Callable[[IntArray], MarginPoint]
    ) -> MarginPoint:
        """The same without points whose nu is 0 to rounding, where all margins are met without."""
        nu = found.multipliers
        doubtful = nu <= FINE.multiplier * np.abs(nu).max(initial=0.0)
        for point in found.active[doubtful]:
            fewer = solve_on(found.active[found.active != point])
            found = fewer if self._is_met(fewer) else found
        return found

    def doubt_at(self, point: MarginPoint) -> float:
        """What the doubt of the clocks may do to rho, relative to the largest."""
        if self.doubt == 0.0 or point.carried is None:
            return self.doubt
        curves, t = point.carried[0].curves, point.carried[1].t
        slopes = slopes_at(curves, t)
        clocks = np.abs(curves.u(t)) * np.exp(-slopes.log_a)
        moved = np.exp(slopes.log_weights) * float(clocks.max(initial=0.0))
        with np.errstate(over="ignore", invalid="ignore"):
            return self.doubt * max(1.0, float(moved.max() / np.abs(curves.rho(t)).max()))

    def short(self, rho: FloatArray) -> FloatArray:
        """What margins lack, (n,)."""
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
        feasibility = worst_of(0.0, float(self.short(held.rho).max()))
        error = (certificate.error or 0.0) + feasibility + self.doubt_at(held)
        feasibility = worst_of(certificate.feasibility, feasibility)
        return replace(held, certificate=replace(certificate, feasibility=feasibility, error=error))


def log_weights(point: MarginPoint) -> FloatArray:
    """log of how fast rho_j moves with (Z^T nu)_j, (m,).

    Raises
    ------
    PivotError
        The point has no state.
    """
    if point.carried is None:
        raise PivotError("a point has lost its state")
    problem, state = point.carried
    return np.asarray(slopes_at(problem.curves, state.t).log_weights)


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


def broken_tie(apart: float, log_scale: float) -> Verdict:
    return Verdict(
        "of several points of least weighted l1 norm, the one that small ratios lead to",
        "holds",
        apart,
        f"the distance of the minimiser at ratio^(1/L) = exp({log_scale:.0f})",
    )
