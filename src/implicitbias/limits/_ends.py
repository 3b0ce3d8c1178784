"""The two ends of the path over the scale: weighted l1 at 0, weighted l2 at infinity.

As alpha -> 0 the potential tends, up to a factor, to sum_j w_j |rho_j|; where that has several
minimisers the next order decides: sum_j |rho_j|^{2/L} is maximised for L >= 3, and
sum_j |rho_j| (log |rho_j| - 2 log |eta_j|) is minimised for L = 2. Both tie-breaks are potential
problems themselves, of coordinates whose layers all start equal: there d Psi^*/d rho is
-rho^{2/L - 1} up to factors and a constant (log rho for L = 2). As alpha -> infinity the potential
is quadratic: sum_j rho_j^2 / (2 eta_j^{2L - 2}).

Source: the ends follow from H_L's growth (Theorem 5 of Yun, Krishnan and Mobahi, ICLR 2021).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from implicitbias._arrays import FloatArray, IntArray, both_signs, is_sparse
from implicitbias.coordinates import Curves
from implicitbias.dual._newton import newton_system
from implicitbias.dual._rows import as_given
from implicitbias.limits._potential import PotentialProblem, slopes_at
from implicitbias.limits._potential_path import solve

REFINEMENTS = 3  # each wins the digits that one Cholesky solve keeps
TIGHT = 1e-9  # a dual constraint within this of its bound counts as tight


@dataclass(frozen=True)
class EndPoint:
    """rho, nu, the relative duality gap, and whether a tie had to be broken."""

    rho: FloatArray
    nu: FloatArray
    gap: float
    tied: bool = False


def large_scale_end(problem: PotentialProblem) -> EndPoint:
    """min sum_j rho_j^2 / (2 psi_j'(0)) s.t. Z rho = y: the limit as alpha -> infinity.

    psi_j'(0) = eta_j^{2L - 2} for Theorem 5's start. Needs a start with beta(0) = 0: any other one
    diverges with the scale.

    Raises
    ------
    ValueError
        The rows of Z are numerically dependent.
    """
    curves = problem.curves
    if not problem.target.any():
        return EndPoint(np.zeros(curves.size), np.zeros(problem.target.size), 0.0)
    slopes = slopes_at(curves, curves.t0)
    system = newton_system(problem.features, as_given(problem.features), slopes)
    if system is None:
        raise ValueError("the rows of X S^T are numerically dependent")
    rho, nu = np.zeros(curves.size), np.zeros(problem.target.size)
    for _ in range(REFINEMENTS):
        missing = system.rows.target(problem.target - problem.features @ rho)
        dt, dnu = system.solve(missing, np.zeros(curves.size))
        rho = rho + np.exp(slopes.log_rho) * dt
        nu = nu + system.rows.dual_as_given(dnu)
    weights = np.exp(slopes.log_weights)
    primal = 0.5 * float(np.sum(rho**2 / weights))
    dual = float(problem.target @ nu) - 0.5 * float(weights @ (problem.features.T @ nu) ** 2)
    return EndPoint(rho, nu, abs(primal - dual) / primal if primal > 0 else 0.0)


def small_scale_end(problem: PotentialProblem) -> EndPoint:
    """min sum_j w_j^{sign rho_j} |rho_j| s.t. Z rho = y, ties broken: the limit as alpha -> 0.

    Raises
    ------
    ValueError
        HiGHS found no solution; its message is the text.
    """
    features, target = problem.features, problem.target
    weights = _weights(problem.curves)
    size = float(np.abs(target).max(initial=0.0))
    if size == 0.0:
        return EndPoint(np.zeros(features.shape[1]), np.zeros(target.size), 0.0)
    nu = _linear_program(features, target / size, weights)
    return _on_the_face(problem, weights, nu)


def _weights(curves: Curves) -> tuple[FloatArray, FloatArray]:
    """w^- and w^+, (m,) each: the length of the clock to either side; inf: that sign is locked."""
    sign = np.sign(curves.rho(curves.t0))
    if curves.depth == 2:
        below = above = np.ones(curves.size)
    else:
        low, high = curves.u_limits()
        here = curves.u(curves.t0)
        unit = np.exp((curves.depth - 2) * (curves.log_unit.min() - curves.log_unit))
        below, above = (here - low) * unit, (high - here) * unit
    return (
        np.where(curves.dead | (curves.locked & (sign > 0)), np.inf, below),
        np.where(curves.dead | (curves.locked & (sign < 0)), np.inf, above),
    )


def _linear_program(
    features: FloatArray, target: FloatArray, weights: tuple[FloatArray, FloatArray]
) -> FloatArray:
    """The dual solution nu of min w^+ rho^+ + w^- rho^- s.t. Z (rho^+ - rho^-) = y."""
    below, above = weights
    rows = _largest_entries(features)
    cost = np.concatenate([above, below])
    allowed = np.isfinite(cost)
    unit = float(np.median(cost[allowed]))
    answer = linprog(
        cost[allowed] / unit,
        A_eq=both_signs(features / rows[:, None])[:, allowed],
        b_eq=target / rows,
        method="highs-ds",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    if answer.status != 0:
        raise ValueError(answer.message)
    nu: FloatArray = np.asarray(answer.eqlin.marginals) / rows * unit
    return nu


def _largest_entries(features: FloatArray) -> FloatArray:
    """max_j |Z_ij|, (n,)."""
    largest = abs(features).max(axis=1)
    return np.asarray(largest.toarray().ravel() if is_sparse(largest) else largest)


def _on_the_face(
    problem: PotentialProblem, weights: tuple[FloatArray, FloatArray], nu: FloatArray
) -> EndPoint:
    """Solve on the coordinates whose dual constraint is tight, to rounding, breaking ties."""
    features, target = problem.features, problem.target
    below, above = weights
    slope = features.T @ nu
    tight = np.flatnonzero(1.0 - np.maximum(slope / above, -slope / below) < TIGHT)
    signs = np.sign(slope[tight])
    face = features[:, tight]
    face = (face.toarray() if is_sparse(face) else face) * signs
    cost = np.where(signs > 0, above[tight], below[tight])
    nu = nu + np.linalg.lstsq(face.T, cost - face.T @ nu, rcond=None)[0]
    solution, _, rank, _ = np.linalg.lstsq(face, target, rcond=None)
    tied = int(rank) < tight.size
    if tied:
        tie = PotentialProblem(face, target, _tie_break(problem.curves, tight, signs))
        tie, state = solve(tie)
        solution = tie.actual_curves.rho(state.t)
    rho = np.zeros(features.shape[1])
    rho[tight] = signs * np.maximum(solution, 0.0)
    slope = features.T @ nu
    excess = max(1.0, float(np.max(np.maximum(slope / above, -slope / below))))
    primal = float(cost @ np.maximum(solution, 0.0))
    gap = abs(primal - float(target @ nu) / excess) / primal
    return EndPoint(rho, nu / excess, gap, tied)


def _tie_break(curves: Curves, tight: IntArray, signs: FloatArray) -> Curves:
    """Coordinates with equal layers, whose potential is the next order of the limit."""
    if curves.depth > 2:
        return Curves.from_start(np.ones((curves.depth, tight.size)), 0.0)
    # L = 2: rho ~ sign (p_1 + sign p_2)^2 e^{2 |s|} / 4.
    layers = curves.shifted(-float(curves.log_unit.max())).layers(curves.t0)[:, tight]
    return Curves.from_start(np.tile(np.abs(layers[0] + signs * layers[1]), (2, 1)), 0.0)
