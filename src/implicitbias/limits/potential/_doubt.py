"""What rounding leaves unknown of a solved potential problem, to first order.

Each rounding is an amount by which Z rho = y, or the clock of a coordinate, may be off at the
solution; one solve with the Newton system tells what it does to rho. The amounts are drawn several
times: a single draw may miss the direction that matters.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from implicitbias._arrays import EPS, FloatArray, NumericArray
from implicitbias.coordinates import Curves
from implicitbias.dual import NewtonSystem
from implicitbias.limits.potential._problem import (
    PotentialProblem,
    PotentialState,
    log_dual_weights,
)
from implicitbias.limits.potential._seen import log_top, relative_change, relative_move

LAST_BIT = 2.0**-74  # of the terms of a product of ``Precise``
SOLVED = 4.0 * EPS**2  # a float64 solve for the EPS of these that rounding of rho leaves
NOTHING = 2e-14  # of beta: what may be lost without being measured closely
DRAWS = 8
FEW = 4  # where weights are mild: no direction matters much more than others
NEAR_TIE = 1e-3  # layers closer than this part of the largest: their offset loses digits
DEEP = -5.0  # log slack
LARGEST = 1e100
LIGHT = 60.0  # log
LARGEST_EXPONENT = 600.0


def lost_to_rounding(
    problem: PotentialProblem, system: NewtonSystem, state: PotentialState, *, slacks: bool
) -> float:
    """What rounding does to beta: of units, of clocks and, where Z is exact, of its products."""
    sizes = np.zeros(problem.target.size)
    of_units = _of_units(problem, state, slacks=slacks)
    if problem.rounding is not None:
        return _swayed(problem, system, state.t, sizes, of_units)
    for bounded in (True, False):  # most often all of it is nothing, and a bound says so
        of_products = _of_products(problem, state, slacks=slacks, bounded=bounded)
        lost = _swayed(problem, system, state.t, of_products[0], of_units + of_products[1])
        if lost < NOTHING:
            break
    return lost


def lost_before(problem: PotentialProblem, system: NewtonSystem, state: PotentialState) -> float:
    """What rounding took from Z and y when they were formed does to beta."""
    if problem.lost is None:
        return 0.0
    curves, t = problem.curves, state.t
    nu = state.rows.dual_as_given(state.nu)
    with np.errstate(over="ignore"):
        units = np.exp(log_dual_weights(curves) - curves.log_u_slope(t))
        clocks = units * problem.lost.in_clocks(nu, curves.size)
    sizes = problem.lost.in_rows(curves.rho(t))
    return _swayed(problem, system, t, sizes, clocks)


def lost_in_products(
    problem: PotentialProblem,
    system: NewtonSystem,
    state: PotentialState,
    *,
    slacks: bool,
    bit: float = LAST_BIT,
) -> float:
    """What the last ``bit`` of Z rho and Z^T nu does to beta; ``slacks``: Z^T nu was not needed."""
    sizes, clocks = _of_products(problem, state, slacks=slacks, bit=bit)
    return _swayed(problem, system, state.t, sizes, clocks)


def lost_in_units(
    problem: PotentialProblem, system: NewtonSystem, state: PotentialState, *, slacks: bool
) -> float:
    """What the rounding of the coordinates' units and clocks does to beta."""
    none, clocks = np.zeros(problem.target.size), _of_units(problem, state, slacks=slacks)
    return _swayed(problem, system, state.t, none, clocks)


def _of_products(
    problem: PotentialProblem,
    state: PotentialState,
    *,
    slacks: bool,
    bounded: bool = False,
    bit: float = LAST_BIT,
) -> tuple[FloatArray, FloatArray]:
    """The last bits of Z rho, (n,), and those of Z^T nu in units of t, (m,).

    ``bounded``: no less than these, without a product.
    """
    curves, features = problem.curves, problem.features
    rho, nu = curves.rho(state.t), state.rows.dual_as_given(state.nu)
    if bounded:
        rows, columns = features.lengths
        sizes, pulls = rows * _norm(rho), columns * _norm(nu)
    else:
        sizes = features.absolute(rho)
        pulls = np.zeros(curves.size) if slacks else features.absolute_transposed(nu)
    sizes = sizes + np.abs(problem.target)
    if slacks:
        return bit * sizes, np.zeros(curves.size)
    with np.errstate(over="ignore"):
        pulls = np.exp(log_dual_weights(curves)) * pulls
        clocks = pulls * np.exp(-curves.log_u_slope(state.t))
    return bit * sizes, bit * clocks


def _norm(values: FloatArray) -> float:
    """|v|, where squares do not fit float64 too."""
    top = float(np.abs(values).max(initial=0.0))
    return top * float(np.linalg.norm(values / top)) if 0.0 < top < np.inf else top


def _of_units(problem: PotentialProblem, state: PotentialState, *, slacks: bool) -> FloatArray:
    """The rounding of units in units of t, (m,).

    They are exponentials of logarithms, rounded relative to the size of these and, where the scale
    asked for is beyond the curves' own, to that change. Without ``slacks`` the rounding of t_0 and
    of u(t) - u(t_0) too: it leaves few digits of a t near 0, or near the end of a clock.
    """
    curves, t, excess = problem.curves, state.t, abs(problem.log_excess)
    log_rho = curves.log_abs_rho(t)
    height = np.where(np.isfinite(log_rho), np.abs(log_rho), 0.0)  # rho = 0 is exact
    sizes = 4.0 + height + curves.depth * (np.abs(curves.log_unit) + excess)
    with np.errstate(over="ignore", under="ignore"):
        reach = np.exp(np.minimum(log_rho - curves.log_rho_slope(t), LARGEST_EXPONENT))
        sizes = sizes * np.where(curves.dead, 0.0, reach)
        if not slacks:
            moved = np.abs(curves.u_increment(curves.t0, t - curves.t0))
            slope, began = curves.log_u_slope(t), curves.log_u_slope(curves.t0)
            sizes = sizes + moved * np.exp(-slope)
            sizes = sizes + np.where(curves.dead, 0.0, np.abs(curves.t0) * np.exp(began - slope))
    return EPS * sizes


def lost_in_start(problem: PotentialProblem, system: NewtonSystem, state: PotentialState) -> float:
    """What a start U_l^T v_l computed in float64 does to beta where two of its layers nearly tie.

    Their offset is then rounding, and a coordinate that is taken to keep its sign may cross. Drawn
    starts are followed to the same clocks. Deep slacks are left to ``_slack``.
    """
    if problem.rough_start is None:
        return 0.0
    start, sizes = problem.rough_start
    curves, t = problem.curves, state.t
    layers = np.sort(np.abs(start), axis=0)
    near = (layers[1] - layers[0] < NEAR_TIE * sizes.max() / EPS) & ~curves.dead
    with np.errstate(invalid="ignore"):
        near &= (curves.log_slack(t) > DEEP) & np.isfinite(curves.log_abs_rho(t))
    if not near.any():
        return 0.0
    part, kept = curves.take(near), start[:, near]
    shift = float((part.log_unit - Curves.from_complex_start(kept, 0.0).log_unit)[0])
    moved, at = part.u_increment(part.t0, t[near] - part.t0), part.rho(t[near])
    slope = np.exp(part.log_rho_slope(t[near]))
    clocks = np.zeros((curves.size, DRAWS))
    own = np.zeros_like(clocks)
    for column, drawn in enumerate(drawn_starts(kept, sizes)):
        other = Curves.from_complex_start(drawn, shift)
        with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
            du = moved * np.exp((curves.depth - 2) * (other.log_unit - part.log_unit))
            there = other.rho(other.t0 + other.t_increment(other.t0, du))
            change, off = there - at, (there - at) / slope
        far = ~(np.abs(off) < LARGEST)  # of light coordinates: then what it is in rho counts
        own[near, column] = np.where(far, np.where(np.isfinite(change), change, np.inf), 0.0)
        clocks[near, column] = np.where(far, 0.0, off)
    dt = system.solve(np.zeros((problem.target.size, DRAWS)), clocks)[0]
    largest = float(np.abs(curves.rho(t)).max())
    with np.errstate(over="ignore"):  # what is infinite here is known to nothing
        own = own / largest if largest > 0.0 else 0.0 * own
    at_once = relative_move(problem.seen, curves, t, own)
    return at_once + relative_change(problem.seen, curves, t, dt)


def drawn_starts(start: NumericArray, sizes: FloatArray) -> Iterator[NumericArray]:
    """The start with entries other than 0 off by about ``sizes``, (L, 1), DRAWS times."""
    rng = np.random.default_rng(0)
    for _ in range(DRAWS):
        noise = sizes * rng.standard_normal(start.shape)
        yield start + np.where(start == 0.0, 0.0, noise)


@lru_cache(maxsize=1)
def draws_of(size: int, count: int) -> FloatArray:
    """Normal numbers, (size, count), the same for all that are asked alike."""
    draws = np.random.default_rng(0).standard_normal((size, count))
    draws.flags.writeable = False  # shared
    return draws


def _swayed(
    problem: PotentialProblem,
    system: NewtonSystem,
    t: FloatArray,
    sizes: FloatArray,
    clocks: FloatArray,
) -> float:
    """The largest change of beta for predictions and clocks that are off by about so much."""
    curves, top = problem.curves, log_top(problem.curves, t)
    if top == -np.inf:  # rho = 0
        return 0.0
    draws = draws_of(sizes.size + clocks.size, DRAWS if system.rows.basis is not None else FEW)
    target = system.rows.combined(draws[: sizes.size] * sizes[:, None])
    moved = draws[sizes.size :] * np.minimum(clocks, LARGEST)[:, None]
    basis, own = system.rows.basis, np.zeros((clocks.size, target.shape[1]))
    if basis is not None:  # changes of light coordinates are small in rho and overflow in t
        light = system.slopes.log_rho[basis] < top - LIGHT
        part = target[light]
        with np.errstate(divide="ignore"):
            sizes = np.exp(np.minimum(np.log(np.abs(part)) - top, LARGEST_EXPONENT))
        own[basis[light]] = np.sign(part) * sizes
        target[light] = 0.0
    moving = system.solve(target, moved)[0]
    at_once = relative_move(problem.seen, curves, t, own)
    return at_once + relative_change(problem.seen, curves, t, moving)
