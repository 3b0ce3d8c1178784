"""Corrections of a solved potential problem, from residuals evaluated beyond float64.

    r_1 = y - Z rho(t),    w = (u(t_0) + a Z^T nu - u(t)) / u'(t)

decide how far t is from the solution: one Newton step from them is an estimate of the error, and
correcting by it until it is rounding makes the answer right however ill-conditioned Z is and
however small the slacks are. Both products are evaluated to 75 bits; in combined rows w comes from
slacks and reduced costs (``_slack``).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from implicitbias._arrays import BoolArray, FloatArray, IntArray, worst_of
from implicitbias.coordinates import ScalarCurves
from implicitbias.dual import NewtonSystem, Rows, as_given, sharpened_system
from implicitbias.features import ExactSums, as_features, precise_residual
from implicitbias.limits.potential._doubt import (
    SOLVED,
    lost_before,
    lost_in_products,
    lost_in_start,
    lost_in_units,
    lost_to_rounding,
)
from implicitbias.limits.potential._problem import (
    STEP_CAP,
    PotentialProblem,
    PotentialState,
    last_system,
    linearise,
    log_dual_weights,
)
from implicitbias.limits.potential._seen import (
    relative_amounts,
    relative_change,
    relative_error,
)
from implicitbias.limits.potential._slack import basis_dual, slack_mismatch

ENOUGH = 1e-13  # corrections this small are rounding
SETTLED = 1e-12  # so are steps of coordinates too small to count in rho, for their layers
MAX_CORRECTIONS = 60
ROUGH = 1e-3  # steps this short are an estimate of the distance to the solution
SHORT = 0.05  # up to here a step in t is as good as one in u
DEEP = -5.0  # log slack from where on slacks say more than the clock itself
WIDE = 20.0  # range of log a from where on no nu in the given rows holds every clock
KEPT = 1e-6  # so short ones leave the Newton matrix as it is
DRAWS = 8  # of the rounding of Z
NEGLIGIBLE = 1e-14  # of the largest rho: targets of combined rows up to here count as zero
MISSED = 1e-12  # of the largest target: what is missed by less shows nothing
HARMLESS = 1e-9  # of the largest rho: what such a target may be worth in another coordinate
GOALS = 3  # corrections of targets, each of which wins the digits that LU keeps
DIM, BLANK = 1e-10, 1e-20  # entries of a row that may be 0, and that are, to twice the digits
MOST_EXACT = 1 << 20  # entries of Z up to which its products may be summed exactly
ANY = 1.0  # the error of an answer that may be any
HOPE = 20  # corrections within which steps are no longer than FAR, or never will be
FAR = 1e3
STALLED = 0.5  # a correction not shorter than this part of the last gains nothing


@dataclass(frozen=True, eq=False)
class Refined:
    """A solution, the correction that is left of it, and its size.

    Attributes
    ----------
    state
        t, nu and their mismatch as evaluated.
    dt
        The last Newton step, not taken: what t is off by, (m,).
    error
        |S^T rho' dt|_inf / |S^T rho|_inf, what rounding does included.
    system
        The Newton system that measured it, or None.
    slacks
        Whether the clocks were read off their slacks, not off Z^T nu.
    """

    state: PotentialState
    dt: FloatArray
    error: float
    system: NewtonSystem | None = field(default=None, repr=False)
    slacks: bool = False


def refine(
    problem: PotentialProblem, state: PotentialState, corrections: int = MAX_CORRECTIONS
) -> Refined:
    """Correct until a correction is rounding; ``corrections = 0`` only measures."""
    best = _corrected(problem, state, corrections)
    if best.system is None:
        return best
    lost = lost_to_rounding(problem, best.system, best.state, slacks=best.slacks)
    if lost > ENOUGH and problem.rounding is None and corrections > 0:
        best, lost = _with_more_digits(problem, best, best.system, lost, corrections)
    if best.system is not None:
        lost += lost_in_start(problem, best.system, best.state)
        lost += lost_before(problem, best.system, best.state)
    return replace(best, error=best.error + lost)


def _with_more_digits(
    problem: PotentialProblem, best: Refined, system: NewtonSystem, lost: float, corrections: int
) -> tuple[Refined, float]:
    """The same and what rounding does, from slacks or from exact products where that is less."""
    if not best.slacks and problem.curves.depth > 2:  # u(t) - u(t_0) near the end of a clock
        again = best
        if lost_in_units(problem, system, best.state, slacks=False) > ENOUGH:
            again = _corrected(problem, best.state, corrections, combined=True)
        if again.system is not None and again.slacks:
            best, system = again, again.system
            lost = lost_to_rounding(problem, system, best.state, slacks=True)
    if problem.features.size > MOST_EXACT:
        return best, lost
    if lost_in_products(problem, system, best.state, slacks=best.slacks) > ENOUGH:
        exact = replace(problem, products=ExactSums(problem.features))
        again = _corrected(exact, best.state, corrections, combined=best.slacks)
        if again.system is not None:
            there = problem, again.system, again.state
            lost = lost_in_units(*there, slacks=again.slacks)
            lost += lost_in_products(*there, slacks=again.slacks, bit=SOLVED)
            best = again
    return best, lost


def _corrected(
    problem: PotentialProblem, state: PotentialState, corrections: int, *, combined: bool = False
) -> Refined:
    """The state after so many corrections, or where they end; ``combined``: in combined rows."""
    curves, last = problem.curves, np.inf
    best = Refined(state, np.zeros(curves.size), np.inf)
    if problem.target.size == 0:  # nothing moves
        return replace(best, error=_size(problem, state.t, best.dt))
    first = linearise(problem, curves, state, combine=True) if combined else None
    found = _sharp(problem, first or last_system(problem, curves, state))
    combine = combined or curves.depth == 2
    if found is not None and corrections > 0:
        found = _with_small_targets(problem, curves, *found)
    for count in range(corrections + 1):
        step = None if found is None else _correction(problem, curves, *found)
        if found is None or step is None:
            return best
        # longer steps are no estimate: rho grows exponentially in t
        length = float(np.abs(step.dt).max(initial=0.0))
        error = step.error if length < ROUGH else np.inf
        shorter = error <= ENOUGH and length < float(np.abs(best.dt).max())  # for the layers
        if error < best.error or shorter:
            best = Refined(step.state, step.dt, error, found[0], step.asked is not None)
        stalled = length < ROUGH and error > STALLED * last
        done = error <= ENOUGH and length <= SETTLED
        lost = length > FAR and count >= HOPE
        if count == corrections or done or lost or (stalled and combine):
            return best
        last, combine = np.inf if stalled else error, combine or stalled
        state = step.taken(curves, length)
        kept = length < KEPT and not stalled
        if kept:
            found = found[0], state
        else:
            found = _sharp(problem, linearise(problem, curves, state, combine=stalled or combined))
    return best


def _sharp(
    problem: PotentialProblem, found: tuple[NewtonSystem, PotentialState] | None
) -> tuple[NewtonSystem, PotentialState] | None:
    """The system with all digits of its rows, and the state in these."""
    if found is None:
        return None
    system, state = found
    sharp = sharpened_system(system, problem.features, problem.precise)
    return None if sharp is None else (sharp, replace(state, rows=sharp.rows))


@dataclass(frozen=True, eq=False)
class _Step:
    """A state with its true mismatch, the Newton step from it, and what it is off by.

    ``asked`` is where the dual point wants a coordinate, or NaN; None where it was given rows.
    """

    state: PotentialState
    dt: FloatArray
    dnu: FloatArray
    error: float
    asked: FloatArray | None

    def taken(self, curves: ScalarCurves, length: float) -> PotentialState:
        """The state after the step, damped where it is long."""
        state, scale = self.state, min(1.0, STEP_CAP / length) if length > 0.0 else 1.0
        t = state.t + scale * self.dt
        if length > SHORT and state.rows.basis is not None:
            t = self._light(curves, t, state.rows.basis)
        return replace(
            state,
            t=t,
            nu=state.nu + scale * self.dnu,
            iterations=state.iterations + 1,
            system=None,
        )

    def _light(self, curves: ScalarCurves, t: FloatArray, basis: IntArray) -> FloatArray:
        """The same with coordinates far below the largest moved as u asks for.

        In t they would approach the end of their clock by a constant a step.
        """
        here = self.state.t
        logs = curves.log_abs_rho(here)
        top = float(logs.max()) + STEP_CAP
        with np.errstate(over="ignore", invalid="ignore"):
            step = curves.t_increment(here, self.dt * np.exp(curves.log_u_slope(here)))
        step = np.where(np.isfinite(step), step, np.sign(self.dt) * STEP_CAP)
        light = logs + curves.depth * STEP_CAP < top
        t = np.where(light, here + np.clip(step, -STEP_CAP, STEP_CAP), t)
        if self.asked is None:
            return t
        most = curves.t_from_rho(np.sign(self.asked), np.full(curves.size, top))
        with np.errstate(invalid="ignore"):
            asked = np.where(np.abs(self.asked) < np.abs(most), self.asked, most)
            follows = np.abs(asked - here) > SHORT
        follows[basis] = False
        return np.where(follows, asked, t)


def _correction(
    problem: PotentialProblem, curves: ScalarCurves, system: NewtonSystem, state: PotentialState
) -> _Step | None:
    """The step from the state's residuals; None where they do not fit float64."""
    rho = curves.rho(state.t)
    if not np.isfinite(rho).all():
        return None
    missing = problem.precise.residual(rho, problem.target)
    state, unknown, asked = _with_mismatch(problem, curves, system, state)
    if not (np.isfinite(missing).all() and np.isfinite(state.mismatch).all()):
        return None
    right, neglected = _in_rows(problem, system.rows, rho, missing)
    dt, dnu = system.solve(right, state.mismatch)
    if not (np.isfinite(dt).all() and np.isfinite(dnu).all()):
        return None
    error = _size(problem, state.t, dt) + relative_amounts(problem.seen, rho, neglected)
    error = max(error, _least_error(problem, rho, missing))  # dt rounds against the mismatch
    if problem.rounding is not None:
        doubt, sway = _rounded(curves, state, rho, *problem.rounding)
        if asked is not None:  # then ``unknown`` has it
            sway = np.zeros_like(sway)
        moved = system.solve(system.rows.combined(doubt), sway)[0]
        error += relative_change(problem.seen, curves, state.t, moved)
    if np.isinf(unknown).any():
        error = worst_of(error, ANY)
    elif unknown.any():
        error = worst_of(error, _size(problem, state.t, system.solve(0.0 * right, unknown)[0]))
    return _Step(state, dt, dnu, error, asked)


def _rounded(
    curves: ScalarCurves, state: PotentialState, rho: FloatArray, e: FloatArray, f: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """What entries of Z that are e_i f_j off do to Z rho and, over u', to a Z^T nu.

    Drawn several times, (n, k) and (m, k): a single draw may miss the direction that matters.
    """
    draws = np.random.default_rng(0).standard_normal((e.size + f.size, DRAWS))
    nu = np.abs(state.rows.dual_as_given(state.nu))
    with np.errstate(over="ignore"):
        sway = f * (e @ nu) * np.exp(log_dual_weights(curves) - curves.log_u_slope(state.t))
    size = e * float(f @ np.abs(rho))
    return draws[: e.size] * size[:, None], draws[e.size :] * np.minimum(sway, 1e290)[:, None]


def _with_mismatch(
    problem: PotentialProblem, curves: ScalarCurves, system: NewtonSystem, state: PotentialState
) -> tuple[PotentialState, FloatArray, FloatArray | None]:
    """The state in the system's rows with the mismatch of its nu; what of it is unknown; asked."""
    rows = system.rows
    deep = curves.depth > 2 and curves.log_slack(state.t).min(initial=np.inf) < DEEP
    wide = curves.depth > 2 and np.ptp(log_dual_weights(curves)) > WIDE
    if rows.basis is not None and (deep or wide):
        found = slack_mismatch(problem, curves, state.t, rows, rows.basis)
        nu = basis_dual(curves, state.t, rows.basis)
        state = replace(state, nu=nu, mismatch=found.mismatch, rows=rows)
        return state, found.unknown, found.t
    given = state.rows.dual_as_given(state.nu)
    if rows.basis is not None:
        state = replace(state, nu=rows.dual_from_given(given, problem.features), rows=rows)
    else:
        state = replace(state, nu=given, rows=as_given(problem.features))
    a = np.exp(log_dual_weights(curves))
    moved = curves.u_increment(curves.t0, state.t - curves.t0)
    left = -a * problem.precise.transposed_residual(given, moved / a)
    mismatch = left * np.exp(-curves.log_u_slope(state.t))
    return replace(state, mismatch=mismatch), np.zeros(curves.size), None


def _with_small_targets(
    problem: PotentialProblem, curves: ScalarCurves, system: NewtonSystem, state: PotentialState
) -> tuple[NewtonSystem, PotentialState] | None:
    """The same where targets that the path took for rounding are followed after all."""
    rows = system.rows
    if rows.basis is None:
        return system, state
    goal, taken = _goal(problem, rows)
    small = taken & (np.abs(goal) > NEGLIGIBLE * np.abs(curves.rho(state.t)).max())
    if not small.any():
        return system, state
    t, basis = state.t.copy(), rows.basis[small]
    with np.errstate(divide="ignore"):
        sign, logs = np.zeros(curves.size), np.full(curves.size, -np.inf)
        sign[basis], logs[basis] = np.sign(goal[small]), np.log(np.abs(goal[small]))
    wanted = curves.t_from_rho(sign, logs)
    t[basis] = np.where(np.isfinite(wanted[basis]), wanted[basis], t[basis])
    return linearise(problem, curves, replace(state, t=t, system=None))


def _goal(problem: PotentialProblem, rows: Rows) -> tuple[FloatArray, BoolArray]:
    """B^{-1} y to twice the digits, and where in float64 it is only rounding."""
    rounded, first = rows.target(problem.target), rows.combined(problem.target)
    taken = (rounded == 0.0) & (first != 0.0)
    if not taken.any():
        return first, taken
    square = problem.features.columns(rows.basis)
    for _ in range(GOALS):
        first = first + rows.combined(precise_residual(square, first, problem.target))
    return first, taken


def _in_rows(
    problem: PotentialProblem, rows: Rows, rho: FloatArray, missing: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """B^{-1} (y - Z rho), and the parts of B^{-1} y that were taken for zero, (m,).

    What is below rounding of the largest rho cannot be followed, and need not, unless entries of
    the row are as small, so that a coordinate of size 1 may make up for it; other terms that add up
    to zero can, and B^{-1} Z is rounded.
    """
    neglected = np.zeros(rho.size)
    if rows.basis is None:
        return missing, neglected
    left = rows.combined(missing)
    goal, taken = _goal(problem, rows)
    largest = float(np.abs(rho).max(initial=0.0))
    zero = (goal == 0.0) | (taken & (np.abs(goal) <= NEGLIGIBLE * largest))
    zero &= rows.features.absolute(rho) <= NEGLIGIBLE * largest
    amounts = np.maximum(np.abs(goal), np.abs(left))
    places = np.flatnonzero(zero & (amounts > 0.0))
    if places.size:
        amounts[places] /= _least_entries(problem, rows, places)
    zero &= amounts <= HARMLESS * largest
    if not zero.any():
        return left, neglected
    neglected[rows.basis[zero]] = amounts[zero] if largest > 0.0 else 0.0
    return np.where(zero, -(rows.features @ rho), left), neglected


def _least_entries(problem: PotentialProblem, rows: Rows, places: IntArray) -> FloatArray:
    """The smallest entries but 0 of rows of B^{-1} Z, (k,), and 1 at most.

    Those that float64 does not tell from 0 are evaluated to twice the digits.
    """
    square = problem.features.columns(rows.basis)
    whole = np.eye(len(square))[:, places]
    high = rows.dual_as_given(whole)
    least, inner = np.ones(places.size), as_features(square).precise
    for at, (vector, unit) in enumerate(zip(high.T, whole.T, strict=True)):
        sizes = np.abs(problem.features.T @ vector)
        sizes[rows.basis] = 1.0  # 0, and 1 in its own place
        dim = np.flatnonzero(sizes <= DIM)
        if dim.size:
            columns = problem.features.columns(dim)
            low = rows.dual_as_given(inner.transposed_residual(vector, unit))
            exact = as_features(columns).precise.transposed_residual(vector, np.zeros(dim.size))
            sizes[dim] = np.abs(columns.T @ low - exact)
        least[at] = np.min(sizes, where=sizes > BLANK, initial=1.0)
    return least


def _least_error(problem: PotentialProblem, rho: FloatArray, missing: FloatArray) -> float:
    """What the targets that rho misses show it to be off by at least; 0 where they miss little."""
    short, largest = np.abs(missing), float(np.abs(rho).max(initial=0.0))
    if problem.seen is not None or not short.max() > MISSED * np.abs(problem.target).max():
        return 0.0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        moved = short / (problem.features.absolute(np.ones(rho.size)) * largest)
    return float(np.nan_to_num(moved).max())


def _size(problem: PotentialProblem, t: FloatArray, dt: FloatArray) -> float:
    """|d beta| / |beta|, largest entries, beside what rounding of t, of log rho and of S does."""
    return relative_error(problem.seen, problem.curves, t, dt)
