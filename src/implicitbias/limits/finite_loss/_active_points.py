"""Which points are active in min F(rho) s.t. Z rho >= g, F strictly convex: pivoting on equalities.

With A the active points, the minimiser of F under Z_A rho = g_A has multipliers nu_A; it solves the
whole problem where nu_A >= 0 and all other margins are met. First all points with a wrong
sign change sides at once, as in Portugal, Judice and Vicente (1994) for least squares; where that
goes in circles, one at a time with nu kept >= 0, so that the dual objective rises: as Lawson and
Hanson's method, which always ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy.linalg import lstsq

from implicitbias._arrays import BoolArray, FloatArray, IntArray
from implicitbias.features import Features

PATIENCE = 4  # rounds of block changes without fewer wrong signs
APART = "Standardise the features if an offset or a large unit hides what tells points apart"
DEPENDENT = 1e-12  # a unit row this close to the span of others lies in it


@dataclass(frozen=True, eq=False)
class Held:
    """The minimiser under Z_A rho = g_A.

    Attributes
    ----------
    active
        A, indices of points.
    rho
        (m,).
    multipliers
        nu_A, (|A|,), in one unit for all A of a problem.
    """

    active: IntArray
    rho: FloatArray
    multipliers: FloatArray


Point = TypeVar("Point", bound=Held)


class PivotError(Exception):
    """No active set was found."""


@dataclass(frozen=True, eq=False)
class Tolerance:
    """What counts as rounding: of a margin relative to its terms, of nu relative to the largest."""

    margin: float
    multiplier: float


def active_points(
    rows: Features,
    goal: FloatArray,
    first: IntArray,
    solve_on: Callable[[IntArray], Point],
    tolerance: Tolerance,
) -> Point:
    """The minimiser under Z rho >= g.

    Parameters
    ----------
    rows, goal
        Z, (n, m), its rows of about unit length, and g > 0, (n,).
    first
        The points to begin with.
    solve_on
        The minimiser on independent rows.
    tolerance
        How wrong a sign may be.

    Raises
    ------
    PivotError
        It did not end; and whatever ``solve_on`` raises.
    """
    held = solve_on(independent(rows, first))
    fewest, patience = np.inf, PATIENCE
    while True:
        entering, leaving = _wrong(rows, goal, held, tolerance)
        wrong = entering.size + int(leaving.sum())
        if wrong == 0:
            return held
        patience = PATIENCE if wrong < fewest else patience - 1
        fewest = min(fewest, wrong)
        changed = independent(rows, np.concatenate([held.active[~leaving], entering]))
        if patience == 0 or np.array_equal(np.sort(changed), np.sort(held.active)):
            return _one_at_a_time(rows, goal, held, solve_on, tolerance)
        held = solve_on(changed)


def independent(rows: Features, points: IntArray) -> IntArray:
    """The points whose rows are independent of those before them."""
    if points.size < 2:
        return points
    units = rows.rows(points)
    used = np.flatnonzero(units.largest(0))
    matrix = units.columns(used) / units.row_norms()[:, None]
    if points.size <= used.size:  # the common case costs one factorisation
        diagonal = np.abs(np.diag(np.linalg.qr(matrix.T, mode="r")))
        if np.all(diagonal > DEPENDENT):
            return points
    basis, kept = np.zeros((0, used.size)), []
    for place, row in enumerate(matrix):
        for _ in range(2):
            row = row - basis.T @ (basis @ row)
        length = float(np.linalg.norm(row))
        if length > DEPENDENT:
            basis = np.vstack([basis, row / length])
            kept.append(place)
    return points[kept]


def shortfall(rows: Features, goal: FloatArray, rho: FloatArray) -> FloatArray:
    """g - Z rho relative to g, or to the terms of the margin where these are larger, (n,)."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray((goal - rows @ rho) / np.maximum(goal, rows.absolute(rho)))


def _wrong(
    rows: Features, goal: FloatArray, held: Held, tolerance: Tolerance
) -> tuple[IntArray, BoolArray]:
    """Points that have to enter, the most violated first, and which active ones have to leave."""
    short = shortfall(rows, goal, held.rho)
    short[held.active] = -np.inf
    entering = np.flatnonzero(~(short <= tolerance.margin))
    nu = held.multipliers
    leaving = nu < -tolerance.multiplier * np.abs(nu).max(initial=0.0)
    return entering[np.argsort(-short[entering], kind="stable")], leaving


def _one_at_a_time(
    rows: Features,
    goal: FloatArray,
    held: Point,
    solve_on: Callable[[IntArray], Point],
    tolerance: Tolerance,
) -> Point:
    """From nu >= 0, the most violated point enters, and those whose nu falls to 0 leave."""
    nu = np.zeros(len(rows))
    nu[held.active] = np.maximum(held.multipliers, 0.0)
    for _ in range(10 * len(rows) + 100):
        held = _dual_step(nu, solve_on, tolerance)
        entering, _ = _wrong(rows, goal, held, tolerance)
        if entering.size == 0:
            return held
        _enter(rows, nu, int(entering[0]))
    raise PivotError(f"the active points were not found. {APART}")


def _dual_step(
    nu: FloatArray, solve_on: Callable[[IntArray], Point], tolerance: Tolerance
) -> Point:
    """Maximise the dual over the support of nu, points that fall to 0 leaving; nu is moved."""
    while True:
        held = solve_on(np.flatnonzero(nu))
        there, active = held.multipliers, held.active
        if np.all(there >= -tolerance.multiplier * np.abs(there).max(initial=0.0)):
            nu[active] = np.maximum(there, np.finfo(float).tiny)
            return held
        falling = there < 0.0
        own = nu[active]
        ratios = own[falling] / (own[falling] - there[falling])
        step = float(ratios.min())
        moved = own + step * (there - own)
        moved[np.flatnonzero(falling)[ratios <= step]] = 0.0
        nu[active] = np.maximum(moved, 0.0)


def _enter(rows: Features, nu: FloatArray, new: int) -> None:
    """Give a point weight: in exchange for others where its row is a combination of theirs."""
    active = np.flatnonzero(nu)
    if independent(rows, np.append(active, new)).size > active.size:
        nu[new] = np.finfo(float).tiny
        return
    known = rows.rows(np.append(active, new)).toarray()
    parts = lstsq(known[:-1].T, known[-1])[0]
    given = np.flatnonzero(parts > 0.0)
    if given.size == 0:
        raise PivotError(f"to rounding a combination of points with weights >= 0 vanishes. {APART}")
    ratios = nu[active[given]] / parts[given]
    step = float(ratios.min())
    nu[active] = np.maximum(nu[active] - step * parts, 0.0)
    nu[active[given[ratios <= step]]] = 0.0
    nu[new] = step
