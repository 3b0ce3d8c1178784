"""From the clock back to the parameter: solve u(x + dx) = u(x) + du without losing the slack."""

from __future__ import annotations

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias.coordinates._clock import Clock
from implicitbias.coordinates._complex_shape import Turning
from implicitbias.coordinates._equal_clock import unit_clock
from implicitbias.coordinates._integrals import blocks
from implicitbias.coordinates._scalars import LOG2, MAX_NEWTON, QUADRATIC
from implicitbias.coordinates._short_steps import panel_of, relative_increment

BLOCK = 4096  # coordinates treated together: bounds the memory of the nodes


def x_from_u(clock: Clock, u: FloatArray) -> FloatArray:
    """x with u(x) = u; NaN outside the range."""
    if clock.shape.depth == 2:
        return u
    locked = clock.shape.locked
    with np.errstate(invalid="ignore"):  # infinite u
        slack = np.where(locked, -u, clock.half_range - np.abs(u))
    return _from_slack(clock, np.abs(u), slack) * np.where(locked, 1.0, np.sign(u))


def advance(clock: Clock, x: FloatArray, du: FloatArray) -> FloatArray:
    """dx with u(x + dx) = u(x) + du, relatively accurate for tiny du; NaN outside the range."""
    shape = clock.shape
    if shape.depth == 2:
        return du
    if shape.equal and not x.any():
        return x_from_u(clock, du)
    with np.errstate(over="ignore", invalid="ignore"):
        goal = du * np.exp(shape.log_factors(x))  # du over du/dx
    length = panel_of(shape)
    near = np.abs(goal) <= 0.5 * length
    step = np.full_like(x, np.nan)
    for part in blocks(np.flatnonzero(near), BLOCK):
        step[part] = _advance_near(clock.take(part), x[part], goal[part])
    near &= np.abs(step) <= length
    if not near.all():
        far = ~near
        step[far] = _advance_far(clock.take(far), x[far], du[far])
    return step


def _advance_near(clock: Clock, x: FloatArray, goal: FloatArray) -> FloatArray:
    """Newton's method, sped up by the curvature, on one panel; NaN where the root lies beyond."""
    shape, length = clock.shape, panel_of(clock.shape)
    start, rate = shape.log_factors(x), shape.log_factors_slope(x)
    step = goal * (1.0 + 0.5 * rate * goal)
    for _ in range(MAX_NEWTON):
        inside = np.clip(step, -length, length)
        miss = relative_increment(shape, x, inside) - goal
        change = miss * np.exp(shape.log_factors(x + inside) - start)
        change = change / (1.0 + 0.5 * np.clip(rate * change, -1.0, 1.0))  # Halley
        step = inside - change
        if np.all((np.abs(change) <= QUADRATIC * np.abs(step)) | (np.abs(step) > length)):
            break
    return np.asarray(np.where(np.abs(step) <= length, step, np.nan))


def _advance_far(clock: Clock, x: FloatArray, du: FloatArray) -> FloatArray:
    """Solve from the distances to the ends of the range."""
    locked = clock.shape.locked
    sign = np.where(locked | (x >= 0.0), 1.0, -1.0)
    side, change = sign * x, sign * du
    with np.errstate(over="ignore", invalid="ignore"):  # infinite du, and infinite slacks
        slack = np.exp(clock.log_slack(side))
        u = np.where(locked, -slack, clock.u(side)) + change
        ahead = np.where(locked | (u >= 0.0), slack - change, clock.half_range + u)
    flip = np.where(locked, 1.0, np.sign(u))
    return sign * flip * _from_slack(clock, np.abs(u), ahead) - x


def x_from_log_slack(clock: Clock, log_slack: FloatArray) -> FloatArray:
    """x (> 0 where crossing) by the logarithm of its slack; NaN beyond half of the range."""
    with np.errstate(invalid="ignore"):
        tail = clock.shape.locked | (log_slack < np.log(clock.half_range) - LOG2)
        tail &= log_slack < np.inf
    result = np.full_like(log_slack, np.nan)
    if clock.shape.equal:
        unit = unit_clock(clock.shape.depth)
        result[tail] = unit.x_from(np.full(int(tail.sum()), unit.total), log_slack[tail])
    elif tail.any():
        result[tail] = _solve_tail(clock.take(tail), log_slack[tail])
    return result


def _from_slack(clock: Clock, u: FloatArray, slack: FloatArray) -> FloatArray:
    """x (>= 0 where crossing) from |u| and the slack: the smaller one of them decides."""
    inside = (slack > 0.0) & (slack < np.inf)
    log_slack = np.log(np.where(inside, slack, 1.0))
    if clock.shape.equal:
        return np.where(inside, unit_clock(clock.shape.depth).x_from(u, log_slack), np.nan)
    near = inside & ~clock.shape.locked & (u < 0.5 * clock.half_range)
    result = np.where(slack == np.inf, -np.inf, np.nan)  # infinite only where locked
    if near.any():
        result[near] = _solve_near(clock.take(near), u[near])
    far = inside & ~near
    if far.any():
        result[far] = _solve_tail(clock.take(far), log_slack[far])
    return result


def _solve_near(clock: Clock, u: FloatArray) -> FloatArray:
    """u(x) = u by Newton's method; u is concave on x >= 0, so that it climbs from x = u."""
    x = u.copy()
    for _ in range(MAX_NEWTON):
        change = (u - clock.u(x)) * np.exp(clock.shape.log_factors(x))
        x = x + change
        if np.all(np.abs(change) <= QUADRATIC * x):
            break
    return x


def _solve_tail(clock: Clock, log_slack: FloatArray) -> FloatArray:
    """log slack(x) = log_slack by Newton's method; log slack is concave and falls.

    Any k of the f_i >= exp(x + log_g_i / 2) [/ 2 where crossing] bound the slack by an exponential;
    started from the least of these bounds, which are right of the root, the iteration is monotone.
    """
    count = np.arange(1, clock.shape.depth - 1)[:, None]
    log_rise = np.where(clock.shape.locked, 0.0, LOG2) - 0.5 * clock.shape.log_g
    bounds = (np.cumsum(log_rise, axis=0) - np.log(count) - log_slack) / count
    x = clock.shape.or_turning(bounds.min(axis=0), Turning.tail_bound, log_slack)
    x = np.where(clock.shape.locked, x, np.maximum(x, 0.0))
    for _ in range(MAX_NEWTON):
        log_reach = clock.log_reach(x)
        excess = log_reach - clock.shape.log_factors(x) - log_slack
        change = np.exp(log_reach) * excess
        x = np.where(clock.shape.locked, x + change, np.maximum(x + change, 0.0))
        if np.all(np.abs(change) <= QUADRATIC * (1.0 + np.abs(x))):
            break
    return x
