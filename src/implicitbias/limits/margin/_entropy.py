"""Which of several l1 max-margin points a two-layer flow ends at: the one of least entropy.

    min sum_j t_j (log t_j - omega_j)  s.t.  B_= t = 1,  B_> t >= 1,  t > 0.

t_j = |rho_j| on the optimal face, where sum t is constant, and omega_j = 2 log |p_1 + sign p_2| of
the start: rho = ((p_1 + p_2)^2 e^{2s} - (p_1 - p_2)^2 e^{-2s}) / 4 and s = Z^T nu, so that
log t - omega lies in the range of B^T up to terms that vanish with the margin.
A primal-dual interior method, then Newton on the active rows with residuals beyond float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lstsq

from implicitbias._arrays import EPS, FloatArray, worst_of
from implicitbias.limits.margin._exact import residual, unmet

STEPS = 200
POLISHING = 8
ROUNDING = 1e-9  # slacks and multipliers of the rows left out may be so far below zero
CLOSE = 1e-11  # residuals and complementarity of the interior method
CENTRE = 0.1  # each step aims at a tenth of the complementarity that is left


@dataclass(frozen=True, eq=False)
class Entropy:
    """The minimiser t and the multipliers of B_> t >= 1, positive where that is tight.

    ``error`` is the length of the last Newton correction, relative to that of t.
    """

    t: FloatArray
    multipliers: FloatArray
    error: float


def least_entropy(
    equal: FloatArray, above: FloatArray, omega: FloatArray, start: FloatArray
) -> Entropy:
    """The point of least entropy of a face.

    Parameters
    ----------
    equal, above
        B_= (k, s) and B_> (r, s).
    omega
        (s,).
    start
        t > 0 on the face, (s,), with B_> t > 1 wherever some point of the face has that.
    """
    size, k = float(_power_of_two(start.sum())), len(equal)  # such factors round nothing
    equal, above = equal * size, above * size
    heights = [
        _power_of_two(np.maximum(1.0, np.abs(part).max(axis=1, initial=0.0)))
        for part in (equal, above)
    ]
    equal, above = equal / heights[0][:, None], above / heights[1][:, None]
    goals = 1 / heights[0], 1 / heights[1]
    t, mu, lam, slack = _interior((equal, above), goals, omega, start / size)
    active = lam > slack
    rows, goal = np.vstack([equal, above[active]]), np.append(goals[0], goals[1][active])
    t, mu, error = _polished(rows, goal, omega, t, np.concatenate([mu, lam[active]]))
    multipliers = np.zeros(lam.size)
    multipliers[active] = mu[k:]
    slack = np.where(active, 0.0, above @ t - goals[1])
    if min(multipliers.min(initial=0.0), slack.min(initial=0.0)) < -ROUNDING:
        error = np.inf  # the active rows were not found
    return Entropy(t * size, multipliers, error)


def _power_of_two(values: FloatArray) -> FloatArray:
    return np.asarray(np.ldexp(1.0, np.frexp(values)[1] - 1))


def _interior(
    rows: tuple[FloatArray, FloatArray],
    goals: tuple[FloatArray, FloatArray],
    omega: FloatArray,
    start: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """t, the two kinds of multipliers and the slacks, to about ten digits."""
    equal, above = rows
    t, k, s = start.copy(), len(equal), start.size
    slack = np.maximum(above @ t - goals[1], 1e-3)
    lam, mu, last = np.ones(len(above)), np.zeros(k), np.inf
    for _ in range(STEPS):
        dual = np.log(t) - omega - equal.T @ mu - above.T @ lam
        missing = goals[0] - equal @ t
        short = slack - (above @ t - goals[1])
        level = float(slack @ lam) / max(lam.size, 1)
        size = max(np.abs(dual).max(), np.abs(missing).max(), np.abs(short).max(initial=0.0))
        if level < CLOSE and (size < CLOSE or size > 0.5 * last):
            break  # at its digits: multipliers would run away where rows are near-parallel
        last = size
        push = CENTRE * level / slack - lam  # change of lam at ds = 0
        curvature = lam / slack
        # ds = above dt - short, dlam = push - curvature ds
        hessian = np.diag(1.0 / t) + (above.T * curvature) @ above
        right = -dual + above.T @ (push + curvature * short)
        matrix = np.block([[hessian, -equal.T], [equal, np.zeros((k, k))]])
        scale = np.concatenate([np.sqrt(t), np.ones(k)])
        step, *_ = lstsq(
            matrix * scale * scale[:, None],
            scale * np.concatenate([right, missing]),
            lapack_driver="gelsy",
            check_finite=False,
        )
        step = step * scale
        dt, dmu = step[:s], step[s:]
        ds = above @ dt - short
        dlam = push - curvature * ds
        length = min(_room(t, dt), _room(slack, ds), _room(lam, dlam), 1.0)
        t, mu = t + length * dt, mu + length * dmu
        slack, lam = slack + length * ds, lam + length * dlam
    return t, mu, lam, slack


def _room(values: FloatArray, step: FloatArray) -> float:
    """The longest step that keeps a twentieth of every value."""
    falling = step < 0
    with np.errstate(over="ignore"):  # further than any step
        return float((0.95 * values[falling] / -step[falling]).min(initial=np.inf))


def _polished(
    rows: FloatArray, goal: FloatArray, omega: FloatArray, t: FloatArray, mu: FloatArray
) -> tuple[FloatArray, FloatArray, float]:
    """Newton on B t = g and log t - omega = B^T mu, t and mu as sums of two floats."""
    low, rest, error, s = np.zeros_like(t), np.zeros_like(mu), np.inf, t.size
    for _ in range(POLISHING):
        missing = residual(rows, t, low, goal)
        dual = residual(rows.T, mu, rest, np.log(t) + low / t - omega)
        root = np.sqrt(t)
        scaled = rows * root
        matrix = np.block([[np.eye(s), -scaled.T], [scaled, np.zeros((len(rows),) * 2)]])
        right = np.concatenate([-root * dual, missing])
        step, *_ = lstsq(matrix, right, lapack_driver="gelsy", check_finite=False)
        dt = np.maximum(root * step[:s], -0.9 * t)
        error = float(np.linalg.norm(dt) / np.linalg.norm(t))
        t, low = _moved(t, low, dt)
        mu, rest = _moved(mu, rest, step[s:])
        if error < EPS:
            break
    return t, mu, worst_of(error, EPS, unmet(residual(rows, t, low, goal), goal))


def _moved(high: FloatArray, low: FloatArray, step: FloatArray) -> tuple[FloatArray, FloatArray]:
    """high + low + step as two floats again."""
    moved = high + (low + step)
    return moved, (high - moved) + (low + step)
