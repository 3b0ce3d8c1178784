"""The two ends of the path over the scale: weighted l1 at 0, weighted l2 at infinity.

As alpha -> 0 the potential tends, up to a factor, to sum_j w_j |rho_j|; where that has several
minimisers the next order decides: sum_j |rho_j|^{2/L} is maximised for L >= 3, whatever the
weights, and sum_j |rho_j| (log |rho_j| - 2 log |eta_j|) is minimised for L = 2, eta_j being
p_1 + sign(rho_j) p_2 at the start (of u^2 - v^2: u or v, by that sign). As alpha -> infinity the
potential is quadratic: sum_j rho_j^2 / (2 eta_j^{2L - 2}).

Source: the ends follow from H_L's growth (Theorem 5 of Yun, Krishnan and Mobahi, ICLR 2021).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import lstsq, pinv, qr

from implicitbias._arrays import FloatArray, IntArray, worst_of
from implicitbias.coordinates import ScalarCurves
from implicitbias.dual import NewtonSystem, as_given, newton_system
from implicitbias.features import Features, exact_sum
from implicitbias.limits.potential._end_face import Face, optimal_face
from implicitbias.limits.potential._end_program import (
    EndProgram,
    ExactCosts,
    end_program,
    end_weights,
)
from implicitbias.limits.potential._end_tie import TieBreak, break_tie
from implicitbias.limits.potential._extended import PRECISION
from implicitbias.limits.potential._problem import PotentialProblem, slopes_at
from implicitbias.limits.potential._seen import relative, relative_amounts, rounding

REFINEMENTS = 30  # each wins the digits that one solve keeps
SETTLED = 1e-14  # relative corrections this short: the next would be rounding
SMALLEST = 1e-100  # weight relative to the largest, whose square is to fit float64
DRAWS = 8  # of the rounding of Z
MOST_OTHERS = 4  # times the rank that is missing: columns of blocks that may make up for it
BEYOND = 2.0**-75  # relative: what residuals beyond float64 are evaluated to


@dataclass(frozen=True, eq=False)
class EndPoint:
    """rho, nu, the relative duality gap, whether a tie had to be broken, and the error.

    ``error`` estimates |beta - beta*|_inf / |beta*|_inf, beta = S^T rho, from residuals beyond
    float64.
    """

    rho: FloatArray
    nu: FloatArray
    gap: float
    tied: bool = False
    error: float = 0.0


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
    unit = float(curves.log_unit.max())
    slopes = slopes_at(curves.shifted(-unit), curves.t0)
    system = newton_system(problem.features, as_given(problem.features), slopes)
    if system is None:
        raise ValueError("the rows of X S^T are numerically dependent")
    slope, rate = np.exp(slopes.log_rho), np.exp(slopes.log_a - slopes.log_u)
    if not np.all(slope * rate > SMALLEST):
        raise ValueError("the weights of the coordinates are further apart than float64 holds")
    exponent = int(np.frexp(np.abs(problem.target).max())[1])  # squares of rho are to fit float64
    target = np.ldexp(problem.target, -exponent)
    rho, nu, gap, error = _refined(problem, target, system, slope, rate)
    if problem.rounding is not None:
        e, f = problem.rounding
        sway = rate * f * float(e @ np.abs(nu))
        drawn = _drawn(sway.size) * sway[:, None]
        dt = system.solve(system.rows.combined(_doubt(problem, rho)), drawn)[0]
        error += relative(problem.seen, rho, slope[:, None] * dt)
    if problem.lost is not None:
        drawn = _drawn(rho.size) * (rate * problem.lost.in_clocks(nu, rho.size))[:, None]
        right = _drawn(nu.size) * problem.lost.in_rows(rho, -exponent)[:, None]
        dt = system.solve(system.rows.combined(right), drawn)[0]
        error += relative(problem.seen, rho, slope[:, None] * dt)
    error += _lost_beyond(problem, system, (slope, rate), (rho, nu))
    error += rounding(problem.seen, rho)
    with np.errstate(over="ignore", under="ignore"):
        rho = np.ldexp(rho, exponent)
        nu = np.ldexp(nu, exponent) * np.exp((2 - 2 * curves.depth) * unit)
    if not np.isfinite(rho).all():
        raise ValueError("the coefficients do not fit float64")
    return EndPoint(rho, nu, gap, error=error)


def _lost_beyond(
    problem: PotentialProblem,
    system: NewtonSystem,
    units: tuple[FloatArray, FloatArray],
    point: tuple[FloatArray, FloatArray],
) -> float:
    """What the last digits of residuals beyond float64 do to beta: offsets may hide a row."""
    (slope, rate), (rho, nu) = units, point
    features = problem.features
    missing = BEYOND * features.absolute(rho)[:, None] * _drawn(nu.size)
    apart = BEYOND * features.absolute_transposed(nu)[:, None] * _drawn(rho.size)
    dt, _ = system.solve(system.rows.combined(missing), rate[:, None] * apart)
    return relative(problem.seen, rho, slope[:, None] * dt)


def _refined(
    problem: PotentialProblem,
    target: FloatArray,
    system: NewtonSystem,
    slope: FloatArray,
    rate: FloatArray,
) -> tuple[FloatArray, FloatArray, float, float]:
    """rho, nu with Z rho = y and rho / slope = rate Z^T nu, the duality gap, and the last change.

    Both residuals are evaluated beyond float64, rho and nu being sums of two numbers: where columns
    are far apart no float64 nu has a small gap. The change is what the last step did to beta.
    """
    features, precise = problem.features, problem.features.precise
    rho, nu = np.zeros(slope.size), np.zeros(target.size)
    more_rho, more_nu, missing, mismatch = rho, nu, target, rho
    previous = gap = np.inf
    for count in range(REFINEMENTS):
        dt, dnu = system.solve(system.rows.target(missing), mismatch)
        rho, more_rho = exact_sum(rho, more_rho + slope * dt)
        nu, more_nu = exact_sum(nu, more_nu + system.rows.dual_as_given(dnu))
        change = relative(problem.seen, rho, slope * dt)
        left = max(change, gap)
        if (count > 1 and left < SETTLED) or (count > 4 and left > 0.5 * previous):
            break
        previous = left
        clock, rest = rho / slope / rate, more_rho / slope / rate
        if count == 0:  # half of the digits are to come: float64 is enough
            missing, apart = target - features @ rho, clock - features.T @ nu
        else:
            missing = precise.residual(rho, target) - features @ more_rho
            apart = precise.transposed_residual(nu, clock) - features.T @ more_nu
        mismatch = -rate * (apart + rest)
        primal = 0.5 * float(np.sum(rho * clock))
        excess = float(nu @ missing) + 0.5 * float(np.sum(slope / rate * mismatch**2))
        gap = abs(excess) / primal if primal > 0.0 else np.inf
    return rho, nu, gap, change


def small_scale_end(problem: PotentialProblem) -> EndPoint:
    """min sum_j w_j^{sign rho_j} |rho_j| s.t. Z rho = y, ties broken: the limit as alpha -> 0.

    Z and weights are taken as exact where the problem has its start; else they are rounded, and
    columns that are tied to the last digits are tied.

    Raises
    ------
    ValueError
        There is no solution, or float64 cannot tell which; the text says why.
    """
    features, target, curves = problem.features, problem.target, problem.curves
    if not target.any():
        return EndPoint(np.zeros(features.shape[1]), np.zeros(target.size), 0.0)
    weights = end_weights(curves)
    if not (weights[0].all() and weights[1].all()):
        raise ValueError("the weights of the coordinates are further apart than float64 holds")
    program = end_program(features, target, weights)
    face = optimal_face(
        program,
        ExactCosts(program, curves, problem.start),
        rounded=problem.start is None,
        seen=problem.seen,
    )
    x, last = face.point, np.zeros(face.point.size)
    if face.equations is not None:
        x, last = _tie_broken(program, face, curves)
    end, seen = _end_point(program, face, x), problem.seen
    error = worst_of(
        relative_amounts(seen, end.rho, face.missed),
        relative(seen, end.rho, program.rho(face.chosen, last)),
    )
    rank = int(np.count_nonzero(x)) if face.equations is None else face.equations.nrows()
    error += _lost_in_data(problem, end.rho, rank, np.minimum(*weights))
    return replace(end, error=error + rounding(seen, end.rho))


def _lost_in_data(
    problem: PotentialProblem, rho: FloatArray, rank: int, weights: FloatArray
) -> float:
    """What the rounding of Z, and the part of y that rho leaves, change of beta: on the face.

    With rho as weights where that is not unique; with the cheapest other columns where the rank of
    those of rho is less than that of the rows. Which coordinates are 0 is decided beyond rounding.
    """
    features, chosen, few = problem.features, np.flatnonzero(rho), rank < problem.target.size
    if problem.rounding is None and problem.lost is None and not few:
        return 0.0
    units = 1.0 / features.row_norms()[:, None]
    right = _doubt(problem, rho)
    if problem.lost is not None:
        off = problem.lost.in_rows(rho)
        right = right + _drawn(off.size) * off[:, None]
    if few:
        right = np.column_stack([right, problem.precise.residual(rho, problem.target)])
    right = right * units
    if not right.any():
        return 0.0
    change = np.zeros((rho.size, right.shape[1]))
    part = features.columns(chosen) * np.abs(rho[chosen]) * units
    basis = qr(part, pivoting=True)[0]
    span, rest = basis[:, :rank], basis[:, rank:]
    if few:
        weights = weights / weights.min()
        others = np.flatnonzero((rho == 0.0) & np.isfinite(weights))
        others = _cheapest(features, others, weights, units * rest)
        columns = features.columns(others) * units / weights[others]
        order = qr(rest.T @ columns, mode="r", pivoting=True)[1][: rest.shape[1]]
        more = lstsq(rest.T @ columns[:, order], rest.T @ right, cond=SMALLEST)[0]
        right = right - columns[:, order] @ more
        change[others[order]] = more / weights[others[order], None]
    inverse = pinv(span.T @ part, rtol=SMALLEST) @ span.T
    own = np.abs(inverse @ right)
    if few:  # as much of any other column, since which ones are cheapest is not decided here
        own += np.abs(inverse @ columns).max(axis=1, initial=0.0)[:, None] * np.abs(more).sum(0)
    change[chosen] = own * np.abs(rho[chosen, None])
    return relative(problem.seen, rho, change)


def _cheapest(
    features: Features, others: IntArray, weights: FloatArray, rest: FloatArray
) -> IntArray:
    """Those columns that reach most of what is left: all of them, or of blocks not many."""
    if features.is_whole:
        return others
    drawn = rest @ _drawn(rest.shape[1])
    reach = np.abs(features.T @ drawn).max(axis=1)[others] / weights[others]
    return others[np.argsort(-reach, kind="stable")[: MOST_OTHERS * rest.shape[1]]]


def _doubt(problem: PotentialProblem, rho: FloatArray) -> FloatArray:
    """What entries of Z that are e_i f_j off do to Z rho, drawn several times, (n, k)."""
    if problem.rounding is None:
        return np.zeros((problem.target.size, DRAWS))
    e, f = problem.rounding
    return _drawn(e.size) * (e * float(f @ np.abs(rho)))[:, None]


def _drawn(size: int) -> FloatArray:
    return np.random.default_rng(size).standard_normal((size, DRAWS))


def _tie_broken(
    program: EndProgram, face: Face, curves: ScalarCurves
) -> tuple[FloatArray, FloatArray]:
    from flint import ctx

    place = face.chosen % program.size
    signs = np.where(face.chosen < program.size, 1.0, -1.0)
    exponents = program.column_exponents[place]
    log_eta = np.zeros(place.size)
    if curves.depth == 2:
        sides = np.ones(curves.size)
        sides[place] = signs
        log_eta = 0.5 * curves.shifted(-float(curves.log_unit.max())).log_ahead(sides)[place]
    tie = TieBreak(curves.depth, exponents - exponents.max(), log_eta)
    with ctx.workprec(PRECISION):
        return break_tie(tie, face.equations, face.target, face.point)


def _end_point(program: EndProgram, face: Face, x: FloatArray) -> EndPoint:
    """rho and nu in the units of the problem, and the duality gap there."""
    primal = float(program.cost[face.chosen] @ x)
    gap = abs(primal - face.value) / primal
    rho, nu = program.rho(face.chosen, x), program.dual(face.nu)
    return EndPoint(rho, nu, gap, face.equations is not None)
