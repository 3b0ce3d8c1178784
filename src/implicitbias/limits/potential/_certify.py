"""The certificate of a solved potential problem, computed at the returned point."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from implicitbias._arrays import EPS, FloatArray, worst_of
from implicitbias.coordinates import ScalarCurves
from implicitbias.limits._limit import Certificate, relative_residual
from implicitbias.limits.potential._problem import (
    PotentialProblem,
    PotentialState,
    log_dual_weights,
)
from implicitbias.limits.potential._refine import MAX_CORRECTIONS, Refined, refine

LOG2 = float(np.log(2.0))
STILL = 1e-13  # steps that move no layer in its last digits but a few
NEAR = 1e-3  # |t - t0| of a start that may fit already
BARELY = 1e-6  # a change of t this small, beside which a start that fits already is judged
UNSEEN = 1e-10  # a gap above which it matters whether rounding explains it
ROUGH = 1e-13  # feasibility from which on what is missing is evaluated beyond float64
HELD = 1e-9  # a slack smaller than this part of its range is not held by a float64 dual point


@dataclass(frozen=True, eq=False)
class Certified:
    """A solution, its certificate and the dual point (actual units)."""

    state: PotentialState
    certificate: Certificate
    nu: FloatArray


def certify(
    problem: PotentialProblem, state: PotentialState, corrections: int = MAX_CORRECTIONS
) -> Certified:
    """Correct t until it is right to rounding, and measure what is left of every condition."""
    problem = replace(problem, curves=problem.curves.remembering())
    refined = refine(problem, state, corrections)
    certificate, nu = _gap(problem, refined.state)
    error = worst_of(refined.error, _layer_error(problem.curves, refined))
    return Certified(refined.state, replace(certificate, error=error), nu)


def _layer_error(curves: ScalarCurves, refined: Refined) -> float:
    """max_l |dp_l|_inf / |p_l|_inf for the step that is left; 0 where a layer overflows."""
    t = refined.state.t
    if float(np.abs(refined.dt).max(initial=0.0)) <= STILL:
        return 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        layers, moved = curves.layers(t), curves.layers(t + refined.dt)
        sizes = np.abs(layers).max(axis=1, initial=0.0)
        changes = np.abs(moved - layers).max(axis=1, initial=0.0)
    measured = (sizes > 0.0) & np.isfinite(sizes) & np.isfinite(changes)
    return float((changes[measured] / sizes[measured]).max(initial=0.0))


def _gap(problem: PotentialProblem, state: PotentialState) -> tuple[Certificate, FloatArray]:
    """Feasibility and gap at t, and the dual point nu (actual units) they were measured with.

    The duality gap is sum_j [Psi_j^*(rho_j) + Psi_j(s_j) - rho_j s_j] + nu^T (Z rho - y) with
    s = Z^T nu, relative to sum_j Psi_j^*(rho_j); what of Z rho - y is the rounding of rho does not
    count where nu makes much of it, for no float64 rho has less. Where some slack c_j - |u_j| is
    too small for any float64 nu to hold, it is the first-order gap
    sum |rho_j r_j| / a_j over sum |rho_j u_j| / a_j,
    r the carried mismatch or, where larger, what Z^T nu shows of it beyond rounding; and no less
    than the largest such excess over all coordinates, which would be dual infeasibility.
    """
    curves = problem.curves
    log_a = log_dual_weights(curves)
    a = np.exp(log_a)
    rho = curves.rho(state.t)
    if not np.isfinite(rho).all():
        return Certificate(np.inf, np.inf), state.nu
    missing = problem.features @ rho - problem.target
    feasibility = relative_residual(problem.features, rho, problem.target)
    if feasibility > ROUGH:  # mostly rounding of the product
        missing = -problem.precise.residual(rho, problem.target)
    start, there = curves.u(curves.t0), curves.u(state.t)
    state = _refit(problem, state, there - start)
    nu = state.rows.dual_as_given(state.nu)
    log_unit = -(curves.depth - 2) * float(curves.log_unit.max())
    with np.errstate(invalid="ignore", over="ignore"):  # a nu beyond float64 proves nothing
        slope = a * (state.rows.features.T @ state.nu)  # digits that B^{-T} nu would lose
        direct = start + slope - there
    if _held(problem, state.t, start, there):
        excess = _excess(curves, state.t, direct)
        if np.isnan(excess):  # Psi(s) = infinity: not a dual point at all
            return Certificate(feasibility, np.inf), _in_units(nu, log_unit)
        objective = _sum_of(curves.log_divergence(state.t, curves.t0))
        if float(np.abs(state.t - curves.t0).max(initial=0.0)) < NEAR:
            barely = _sum_of(curves.log_divergence(state.t + BARELY, state.t))
            objective = max(objective, barely)
        gap = _ratio(np.logaddexp(excess, _log_pairing(nu, missing) + log_unit), objective)
        if gap > UNSEEN:  # is it more than the rounding of rho, which the error accounts for?
            beyond = np.maximum(np.abs(missing) - _unresolved(problem, rho, state.t), 0.0)
            pairing = _log_pairing(np.abs(nu), beyond)
            gap = min(gap, _ratio(np.logaddexp(excess, pairing + log_unit), objective))
        return Certificate(feasibility, gap), _in_units(nu, log_unit)
    sizes = state.rows.features.absolute_transposed(state.nu)
    rounding = 16 * EPS * (a * sizes + np.abs(there) + np.abs(start))
    seen = np.maximum(np.abs(direct) - rounding, 0.0)
    slope_of_u = np.exp(curves.log_u_slope(state.t))
    carried = np.abs(state.mismatch) * slope_of_u
    some = rho != 0.0  # where it is 0 a clock may be infinite
    with np.errstate(divide="ignore"):
        height = np.log(np.abs(rho[some])) - log_a[some]
        moved = np.maximum(np.abs(there - start), BARELY * slope_of_u)[some]
        first_order = _ratio(
            _sum_of(height + np.log(np.maximum(carried, seen)[some])),
            _sum_of(height + np.log(moved)),
        )
    gap = worst_of(first_order, float(seen.max()))
    return (
        Certificate(feasibility, gap, gap_kind="first-order gap with the carried slack"),
        _in_units(nu, log_unit),
    )


def _log_pairing(nu: FloatArray, missing: FloatArray) -> float:
    """log |nu^T missing|."""
    with np.errstate(divide="ignore"):
        return float(np.log(np.abs(nu @ missing)))


def _unresolved(problem: PotentialProblem, rho: FloatArray, t: FloatArray) -> FloatArray:
    """What of (Z rho)_i the rounding of rho, of t and of the sum explains, (n,)."""
    with np.errstate(over="ignore", invalid="ignore"):
        moved = np.abs(t) * np.exp(problem.curves.log_rho_slope(t))
    terms = np.abs(rho) + np.where(np.isfinite(moved), moved, 0.0)
    return np.asarray(4 * EPS * problem.features.absolute(terms))


def seen_from(
    problem: PotentialProblem, curves: ScalarCurves, state: PotentialState
) -> PotentialState | None:
    """The rho and nu of a state of ``curves``, at another scale, as a state of the problem's own.

    None where float64 cannot hold it.
    """
    own, rho = problem.curves, curves.rho(state.t)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        t = own.t_from_rho(np.sign(rho), np.log(np.abs(rho)))
        slope = np.exp(log_dual_weights(own)) * (state.rows.features.T @ state.nu)
        mismatch = (own.u(own.t0) + slope - own.u(t)) * np.exp(-own.log_u_slope(t))
    if not (np.isfinite(t).all() and np.isfinite(mismatch).all()):
        return None
    return replace(state, t=t, mismatch=mismatch, system=None)


def _excess(curves: ScalarCurves, t: FloatArray, du: FloatArray) -> float:
    """Log of sum_j Psi_j^*(rho_j) + Psi_j(s_j) - rho_j s_j at u(s) = u(t) + du; NaN outside."""
    log_u = curves.log_u_slope(t)
    with np.errstate(over="ignore"):
        dt = du * np.exp(-log_u)
    if not float(np.abs(dt).max(initial=0.0)) < BARELY:
        dual_t = t + curves.t_increment(t, du)
        return np.nan if np.isnan(dual_t).any() else _sum_of(curves.log_divergence(t, dual_t))
    with np.errstate(divide="ignore"):  # to first order, rho' u' dt^2 / 2
        logs = curves.log_rho_slope(t) + log_u - (curves.depth - 2) * curves.log_unit
        return _sum_of(logs + 2.0 * np.log(np.abs(dt)) - LOG2)


def _in_units(nu: FloatArray, log_unit: float) -> FloatArray:
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return np.asarray(nu * np.exp(log_unit))


def _held(problem: PotentialProblem, t: FloatArray, start: FloatArray, there: FloatArray) -> bool:
    """Whether every slack is large enough for a float64 dual point to hold."""
    curves = problem.curves
    if curves.depth == 2:
        return True
    reach = np.maximum(np.abs(start), np.abs(there - start))
    return bool(np.all((curves.slack(t) > HELD * reach)[~curves.dead]))


def _refit(problem: PotentialProblem, state: PotentialState, moved: FloatArray) -> PotentialState:
    """In combined rows nu is read off the basis, [B^T nu]_i = moved_i / a_i; moved = u - u(t_0)."""
    if state.rows.basis is None:
        return state
    return replace(state, nu=(moved * np.exp(-log_dual_weights(problem.curves)))[state.rows.basis])


def _sum_of(logs: FloatArray) -> float:
    """Log of the sum of exp(logs)."""
    top = float(np.max(logs, initial=-np.inf))
    return top if not np.isfinite(top) else top + float(np.log(np.sum(np.exp(logs - top))))


def _ratio(log_part: float, log_whole: float) -> float:
    """exp(log_part - log_whole), with 0/0 = 0."""
    if np.isneginf(log_part):
        return 0.0
    return float(np.exp(min(log_part - log_whole, 700.0)))
