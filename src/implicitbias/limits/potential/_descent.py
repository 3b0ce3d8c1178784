"""Down the scale in long steps, while weights are mild: the way most limits are reached.

Newton's method and the path's tangent move t linearly, and rho is exponential in t. Here a step is
*bent*, coordinate by coordinate: outwards so that rho moves as linearised, inwards so that the
clock does; what the dual point makes of it is carried as the mismatch, as for any step. A path then
needs few points, and the first is the weighted l2 solution, whose Gram matrix also proves the rank.
A factorisation is kept while corrections by it contract. Where weights are no longer mild, or a
step fails, ``_path`` goes on from the last point.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias.coordinates import Point, ScalarCurves
from implicitbias.dual import NewtonSystem, Slopes, mild_system
from implicitbias.limits.potential._problem import (
    FACTOR_KEPT,
    HOPELESS_STEP,
    MAX_CORRECTIONS,
    WELL_CONDITIONED,
    PotentialProblem,
    PotentialState,
    log_dual_weights,
)

# Pairs are for L = 2, where the clock is t itself, and for L > 2.
LOWER = (12.0, 0.6)  # in log scale: how far below the first scale bent steps begin, at most
FARTHEST = (40.0, 60.0)  # in the log of rho: beyond, weights are not mild for most of the way
FEWEST_ROWS = (50, 300)  # for L > 2: from here on Gram matrices cost more than bent steps, of
#                          coordinates with one clock in closed form and of any
LONGEST_FIRST = (30.0, 12.0)  # a first correction this long asks for a shorter way
STEP_CAP = (5.0, 1.5)  # largest change of t in one correction, before it is bent
FIRST_WIDTH, WIDEST = 1.5, 3.0  # in log scale
SHORTEST = 1e-2  # path steps this short are left to others
GOOD_FIRST = 1.0  # a first correction of this length asks for a step as wide as the last
MISSED = (50.0, 6.0)  # so many times the targets off: the way was too long
LONG = 1.0  # a correction this long asks for a new factorisation
BENT = 0.03  # shorter ones stay straight
FREE = 0.3  # steps this long are free of rho where that is
LIGHT = 1e-2  # of the largest
FLOOR = 1e-3  # of rates, and of first corrections
ROUGH, ROUGHLY_MET = 0.1, 0.5  # enough to follow a path: of t, and of the targets
CONTRACTS = 0.2  # a factorisation is kept while every correction is this part of the last
SETTLING, CONTRACTS_WELL = 0.03, 0.05  # the same near the end, for what comes after it
SETTLED = 2e-13  # a correction this short leaves the rest to ``_refine``
NEAR = 0.1  # weights that have changed by this much leave the Newton matrix for ``_refine``


def from_least_squares(
    problem: PotentialProblem, system: NewtonSystem, log_scale_change: float
) -> tuple[float, PotentialState] | None:
    """The start's least weighted l2 solution, taken as far towards a smaller scale as ``descend``.

    Parameters
    ----------
    problem
        At the scale where t moves by about one.
    system
        The Newton system at t_0, at that scale.
    log_scale_change
        To the scale asked for, < 0.

    Returns
    -------
    tuple or None
        The change of log scale that was reached and the state there; None if no step was.
    """
    if system.rows.basis is not None or not _pays(problem, log_scale_change):
        return None
    arrived = None
    changes = [max(log_scale_change, -lower) for lower in LOWER]
    for change in sorted(set(changes[problem.curves.depth > 2 :])):
        curves = problem.curves.shifted(change)
        began = _least_squares(problem, curves, system)
        if began is not None:
            arrived = _arrive(problem, curves, began, final=change == log_scale_change)
        if arrived is not None:
            break
    if arrived is None:
        return None
    if change == log_scale_change:
        return change, arrived[0]
    rest = log_scale_change - change
    reached, state = descend(problem.shifted(change), arrived[0], rest)
    return (log_scale_change if reached == rest else change + reached), state


def _pays(problem: PotentialProblem, log_scale_change: float) -> bool:
    """Whether factorisations saved outweigh what bent steps evaluate, and weights stay mild."""
    curves = problem.curves
    if curves.depth == 2:
        return -2.0 * log_scale_change < FARTHEST[0]
    enough = FEWEST_ROWS[0 if curves.equal else 1]
    return problem.target.size >= enough and -curves.depth * log_scale_change < FARTHEST[1]


def _least_squares(
    problem: PotentialProblem, curves: ScalarCurves, system: NewtonSystem
) -> PotentialState | None:
    """rho of the least weighted l2 norm, and the nu that fits its clocks in the same norm."""
    t0, none = curves.t0, np.zeros(curves.size)
    with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
        begun = curves.point(t0)
        dt, _ = system.solve(problem.target - problem.features @ begun.rho, none)
        rho = begun.rho + np.exp(system.slopes.log_rho) * dt
        t = curves.t_from_rho(np.sign(rho), np.log(np.abs(rho)))
        t = np.where(np.isfinite(t), t, t0)
        moved = begun.increment(t - t0)
        mismatch, nu = system.solve(np.zeros_like(problem.target), -moved)
        mismatch = mismatch * np.exp(begun.log_u_slope - curves.point(t).log_u_slope)
    if not (np.isfinite(mismatch).all() and np.isfinite(nu).all()):
        return None
    return PotentialState(t, nu, mismatch, system.rows)


def descend(
    problem: PotentialProblem, state: PotentialState, log_scale_change: float
) -> tuple[float, PotentialState]:
    """Follow the path to a smaller scale, as far as weights are mild and steps succeed.

    Returns
    -------
    tuple
        The change of log scale that was reached, all of it or less, and the state there.
    """
    x, width = 0.0, FIRST_WIDTH
    if state.rows.basis is not None or not _pays(problem, log_scale_change):
        return x, state
    while state.iterations <= problem.max_iterations:
        here = problem.curves.shifted(x)
        point = here.point(state.t)
        system = state.system or _system(problem, point)
        if system is None or system.rows.basis is not None:
            break
        tangent = _tangent(problem, point, system)
        if not all(np.isfinite(each).all() for each in tangent):
            break
        arrived = None
        while arrived is None:
            width = min(width, WIDEST)
            last = x - 1.15 * width < log_scale_change
            there = log_scale_change if last else x - width
            curves = problem.curves.shifted(there)
            guess = _predicted(here, curves, state, there - x, *tangent)
            arrived = _arrive(problem, curves, guess, final=last)
            if arrived is None:
                width = 0.5 * min(width, x - there)
                if width < SHORTEST:
                    return x, replace(state, system=None)
        (state, first), x = arrived, there
        if last:
            return x, state
        width *= min(2.5, max(0.5, (GOOD_FIRST / max(first, FLOOR)) ** 0.5))
    return x, replace(state, system=None)


def _system(
    problem: PotentialProblem, point: Point, last: NewtonSystem | None = None
) -> NewtonSystem | None:
    """The system factored at a point, roughly if the ``last`` one was well conditioned."""
    slopes = Slopes(point.log_rho_slope, point.log_u_slope, log_dual_weights(point.curves))
    rough = last is None or last.rcond > WELL_CONDITIONED
    return mild_system(problem.features, slopes, rough=rough)


def _tangent(
    problem: PotentialProblem, here: Point, system: NewtonSystem
) -> tuple[FloatArray, FloatArray]:
    """dt and dnu per unit of log scale, while Z rho stays."""
    growth = problem.curves.depth * (problem.features @ here.rho)
    dt, dnu = system.solve(-growth, np.zeros_like(here.t))
    # u' dt = a Z^T dnu has to hold here to rounding, not where the system was factored
    return dt * np.exp(system.slopes.log_u - here.log_u_slope), dnu


def _predicted(
    here: ScalarCurves,
    there: ScalarCurves,
    state: PotentialState,
    change: float,
    dt: FloatArray,
    dnu: FloatArray,
) -> PotentialState:
    """The state after a change of log scale: rho kept, and the tangent's change of it bent."""
    straight = change * dt
    with np.errstate(all="ignore"):
        signs = np.where(here.locked, here.orientation, np.sign(state.t))
        kept = there.t_from_rho(signs, here.log_abs_rho(state.t))
        kept = np.where(np.isfinite(kept), kept, state.t) - state.t
        rest = straight - kept
        rate, _ = there.slope_rates(state.t + kept)
        outwards = rate * rest > 0.0
        rest = np.where(outwards, bent(rest, rate), rest)
    began = there.point(state.t)
    return _stepped(began, state, straight, kept + rest, state.mismatch, change * dnu)[0]


def _bent_step(here: Point, straight: FloatArray) -> FloatArray:
    """Outwards by the rate of rho, inwards by that of the clock.

    For L = 2 straight where rho stays too small to count: t is the clock then.
    """
    outwards, inwards = here.rates
    step = bent(straight, np.where(outwards * straight >= 0.0, outwards, inwards))
    if here.curves.depth > 2 or float(np.abs(straight).max()) < FREE:
        return step
    with np.errstate(over="ignore", invalid="ignore"):
        there = np.abs(here.curves.point(here.t + straight).rho)
        light = there < LIGHT * np.abs(here.rho).max()
    return np.where(light, straight, step)


def bent(step: FloatArray, rate: FloatArray) -> FloatArray:
    """d with (e^{rate d} - 1) / rate = step, as far as there is one."""
    rate = np.where(np.abs(rate) < FLOOR, FLOOR, rate)
    return np.asarray(np.log1p(np.maximum(rate * step, -0.9)) / rate)


def _stepped(
    here: Point,
    state: PotentialState,
    straight: FloatArray,
    step: FloatArray,
    mismatch: FloatArray,
    dnu: FloatArray,
) -> tuple[PotentialState, Point]:
    """The state after a step in t whose dual point moved as for a straight one."""
    curves = here.curves
    there = curves.point(here.t + step)
    mismatch = mismatch + (straight - here.increment(step))
    if curves.depth > 2:
        with np.errstate(over="ignore", invalid="ignore"):
            mismatch = mismatch * np.exp(here.log_u_slope - there.log_u_slope)
    return replace(state, t=there.t, nu=state.nu + dnu, mismatch=mismatch, system=None), there


def _arrive(
    problem: PotentialProblem, curves: ScalarCurves, state: PotentialState, *, final: bool
) -> tuple[PotentialState, float] | None:
    """Corrections at a fixed scale by few factorisations, and how long the first one was.

    None where they do not converge, or weights are not mild.
    """
    system = known = state.system
    last, first = np.inf, np.inf
    point = curves.point(state.t)
    size = float(np.abs(problem.target).max()) or 1.0
    close, met = (SETTLED, SETTLED) if final else (ROUGH, ROUGHLY_MET)
    for count in range(MAX_CORRECTIONS):
        if system is None:
            system = known = _system(problem, point, known)
            last = np.inf
        if system is None or state.iterations > problem.max_iterations:
            return None
        with np.errstate(over="ignore", invalid="ignore"):
            missing = problem.target - problem.features @ point.rho
        part = float(np.abs(missing).max()) / size
        step = (
            _corrected(point, state, system, missing) if part < MISSED[curves.depth > 2] else None
        )
        if step is None or (count == 0 and step[2] > LONGEST_FIRST[curves.depth > 2]):
            return None
        state, point, length = step
        first = length if count == 0 else first
        longest = max(length, part)
        slow = longest > last * (CONTRACTS_WELL if final and longest < SETTLING else CONTRACTS)
        settled = length < close and part < met
        if settled or (slow and longest < FACTOR_KEPT):
            kept = _if_near(point, system) if final else system
            if settled or kept is not None:
                return replace(state, system=kept), first
        system = None if slow or length > LONG else system
        last = longest
    return None


def _if_near(point: Point, system: NewtonSystem) -> NewtonSystem | None:
    """The system, if it was factored so near that it measures what is left."""
    log_weights = point.log_rho_slope - point.log_u_slope + system.slopes.log_a
    changes = log_weights - system.slopes.log_weights
    return system if float(np.abs(changes).max(initial=0.0)) < NEAR else None


def _corrected(
    here: Point, state: PotentialState, system: NewtonSystem, missing: FloatArray
) -> tuple[PotentialState, Point, float] | None:
    """The state after a bent correction by a system factored elsewhere, and its length."""
    mismatch, deep = state.mismatch, here.curves.depth > 2
    with np.errstate(over="ignore", invalid="ignore"):
        if deep:  # u' dt = a Z^T dnu + u' w with u' at this t
            ratio = np.exp(system.slopes.log_u - here.log_u_slope)
            dt, dnu = system.solve(missing, mismatch / ratio)
            dt = dt * ratio
        else:
            dt, dnu = system.solve(missing, mismatch)
    length = float(np.abs(dt).max(initial=0.0))
    if not (length < HOPELESS_STEP and np.isfinite(dnu).all()):
        return None
    part = min(1.0, STEP_CAP[deep] / length) if length > 0.0 else 1.0
    step = straight = part * dt if part < 1.0 else dt
    if length > BENT:
        step = _bent_step(here, straight)
    dnu = part * dnu
    moved, there = _stepped(here, state, straight, step, (1.0 - part) * mismatch, dnu)
    return replace(moved, iterations=state.iterations + 1), there, length
