"""From a solver's ten digits to rounding: Newton on the KKT equations of the identified support.

On the nonzero groups J and the active margins the conditions are equations,
w_g ||r_g||^{p-2} r_g = (C^T a + E^T b)_g, C r = 1, E r = 0; for p = 1 a zero group at its bound
adds ||(C^T a + E^T b)_g|| = w_g. Steps are least-squares solutions, so a degenerate solution
(more active margins than support, ties) is projected to instead of failing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lstsq

from implicitbias._arrays import FloatArray, worst_of
from implicitbias.features import Dense
from implicitbias.limits.margin._l1 import GroupedProblem, Point

IDENTIFY = (None, 1e-7, 1e-5, 1e-9, 1e-3)  # None: strict complementarity decides, without a number


@dataclass(frozen=True, eq=False)
class ActiveSet:
    """Nonzero groups, zero groups at the bound, active margins, nonzero multipliers (masks)."""

    nonzero: np.ndarray
    tight: np.ndarray
    active: np.ndarray
    charged: np.ndarray


def identify(problem: GroupedProblem, point: Point, tolerance: float | None) -> ActiveSet:
    """Which groups, margins and multipliers are zero, by comparing each with its complement."""
    size = problem.norms(point.r)
    size = size / size.max()
    slack = problem.room(point.r)
    charge = problem.charges(point.a)
    bound = problem.pull(point) / problem.weights
    charged = charge > (slack if tolerance is None else tolerance)
    none = np.zeros_like(size, dtype=bool)
    if tolerance is None:
        return ActiveSet(_by_slope(problem, point, size, bound), none, charged, charged)
    nonzero = size > tolerance
    tight = ~nonzero & (bound > 1.0 - tolerance) if problem.exponent == 1 else none
    return ActiveSet(nonzero, tight, charged | (slack < tolerance), charged)


def _by_slope(
    problem: GroupedProblem, point: Point, size: FloatArray, bound: FloatArray
) -> np.ndarray:
    """Groups whose driver accounts for the norm's slope (p < 1), or nearer to it than to zero."""
    if problem.exponent == 1:
        return size > 1.0 - bound
    top = float(problem.norms(point.r).max())
    slope = (np.where(size > 0, size, 1.0) * top / problem.value(point.r)) ** (problem.exponent - 1)
    return (size > 0) & (bound > 0.5 * slope)


def merit(problem: GroupedProblem, point: Point) -> float:
    """The largest KKT residual in the real unknowns, relative."""
    size = problem.norms(point.r)
    value = problem.value(point.r)
    if value == 0.0 or not np.isfinite(value):
        return np.inf
    nonzero = size > 0
    slack = problem.array @ point.r - 1.0
    driver = problem.driver(point)
    scale = problem.weights.copy()
    scale[nonzero] *= (size[nonzero] / value) ** (problem.exponent - 1)
    mismatch = driver - _phases(problem, point.r, size) * scale[problem.labels]
    numbers = [
        -float(slack.min()),
        -float(point.a.min()) / max(float(np.abs(point.a).max()), np.finfo(float).tiny),
        float(np.abs(point.a * slack).max()) / value,
        float((problem.norms(mismatch) / scale)[nonzero].max()),
        float(np.abs(problem.equations @ point.r).max(initial=0.0)) / value,
    ]
    if problem.exponent == 1:
        numbers.append(float((problem.pull(point) / scale).max()) - 1.0)
    return worst_of(*numbers)


def polish(problem: GroupedProblem, point: Point) -> Point:
    """The point after Newton on the best of several guesses of its support; never a worse one."""
    value = problem.value(point.r)
    unit = GroupedProblem(
        Dense(problem.array * value),
        problem.equations * value,
        problem.labels,
        problem.weights,
        problem.exponent,
        problem.signs,
    )  # norm 1 and sum of multipliers 1
    best = Point(point.r / value, point.a / value, point.b / value)
    best_merit = merit(unit, best)
    start = best
    seen: list[bytes] = []
    for tolerance in IDENTIFY:
        guess = identify(unit, start, tolerance)
        key = b"".join(
            mask.tobytes() for mask in (guess.nonzero, guess.tight, guess.active, guess.charged)
        )
        if key in seen or not guess.nonzero.any() or not guess.charged.any():
            continue
        seen.append(key)
        found = newton(unit, start, guess)
        found_merit = merit(unit, found)
        if found_merit < best_merit:
            best, best_merit = found, found_merit
        if best_merit < 1e-14:
            break
    return Point(best.r * value, best.a * value, best.b * value)


def newton(problem: GroupedProblem, point: Point, guess: ActiveSet, steps: int = 30) -> Point:
    """Newton on the equations of ``guess``, with everything else set to zero.

    Multipliers are those of the norm on entry and return. A step may shrink no group by more than
    nine tenths; iteration ends when the residual stops falling.
    """
    p = problem.exponent
    keep = guess.nonzero[problem.labels]
    r = np.where(keep, point.r, 0.0)
    to_power = problem.value(r) ** (p - 1)  # multipliers of sum w ||r||^p / p
    at = Point(r, np.where(guess.charged, point.a, 0.0) * to_power, point.b * to_power)
    best, best_residual, stalled = at, np.inf, 0
    for _ in range(steps):
        matrix, right = equations(problem, at, guess)
        residual = float(np.abs(right).max())
        stalled = 0 if residual < 0.5 * best_residual else stalled + 1
        if residual < best_residual:
            best, best_residual = at, residual
        if stalled == 3 or residual == 0.0 or not np.isfinite(matrix).all():
            break
        step, *_ = lstsq(matrix, right, lapack_driver="gelsy", check_finite=False)
        at = moved(problem, at, guess, step)
    back = problem.value(best.r) ** (1 - p)
    return Point(best.r, np.clip(best.a * back, 0.0, None), best.b * back)


def _phases(problem: GroupedProblem, r: FloatArray, size: FloatArray) -> FloatArray:
    """r_g / ||r_g||, zero for zero groups, shape (K,)."""
    safe = np.where(size > 0, size, 1.0)
    return np.asarray(r / safe[problem.labels])


def equations(
    problem: GroupedProblem,
    point: Point,
    guess: ActiveSet,
    driver: FloatArray | None = None,
    missing: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Jacobian and right side of the Newton step in relative unknowns (see ``moved``).

    ``driver`` and what is ``missing`` of the active margins and equations may be given, more
    accurate than they would be computed here.
    """
    p, labels = problem.exponent, problem.labels
    keep = guess.nonzero[labels]
    size = problem.norms(point.r)
    slope = problem.weights.copy()
    slope[guess.nonzero] *= size[guess.nonzero] ** (p - 1)
    phase = _phases(problem, point.r, size)
    if driver is None:
        driver = problem.driver(point)
    if missing is None:
        missing = np.concatenate(
            [1.0 - problem.array[guess.active] @ point.r, -problem.equations @ point.r]
        )
    charge = max(float(np.abs(point.a).max()), np.finfo(float).tiny)
    multiplier_rows = np.vstack([problem.array[guess.charged] * charge, problem.equations])
    inner_phase, inner_label = phase[keep], labels[keep]
    same = inner_label[:, None] == inner_label[None, :]
    curvature = np.eye(inner_label.size) + (p - 2) * same * np.outer(inner_phase, inner_phase)
    coupling = -multiplier_rows[:, keep].T / slope[inner_label][:, None]
    margin_rows = np.vstack([problem.array[guess.active], problem.equations])[:, keep]
    margin_rows = margin_rows * size[inner_label]
    blocks = [[curvature, coupling], [margin_rows, np.zeros((len(margin_rows), coupling.shape[1]))]]
    right = [driver[keep] / slope[inner_label] - inner_phase, missing]
    if guess.tight.any():
        bound = problem.norms(driver)
        turned = _phases(problem, driver, bound) * guess.tight[labels]
        weighed = multiplier_rows * (turned / problem.weights[labels])
        summed = np.zeros((problem.weights.size, len(weighed)))
        np.add.at(summed, labels, weighed.T)
        summed = summed[guess.tight]
        blocks.append([np.zeros((len(summed), inner_label.size)), summed])
        right.append((1.0 - bound / problem.weights)[guess.tight])
    return np.block(blocks), np.concatenate(right)


def moved(problem: GroupedProblem, point: Point, guess: ActiveSet, step: FloatArray) -> Point:
    """The point after a relative step: r by ||r_g|| u, a by max(a) v, b by itself."""
    labels = problem.labels
    keep = guess.nonzero[labels]
    size = problem.norms(point.r)
    inner = int(keep.sum())
    u = np.zeros(labels.size)
    u[keep] = step[:inner]
    inward = np.bincount(labels, u * _phases(problem, point.r, size), minlength=size.size)
    length = min(1.0, 0.9 / max(float(-inward.min()), 1e-300))
    a = point.a.copy()
    charged = int(guess.charged.sum())
    charge = max(float(np.abs(point.a).max()), np.finfo(float).tiny)
    a[guess.charged] += length * charge * step[inner : inner + charged]
    b = point.b + length * step[inner + charged :]
    return Point(point.r + length * size[labels] * u, a, b)
