"""How far a max-margin point is from the exact one: a Newton step with residuals beyond float64.

The KKT equations of the identified support (``_polish``) are evaluated with margins and
drivers in twice the digits; the step they ask for is the error, and taking it removes it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.linalg import lstsq, solve_triangular

from implicitbias._arrays import FloatArray
from implicitbias.features import Dense, Features
from implicitbias.limits.margin._exact import residual
from implicitbias.limits.margin._faces import CHARGED
from implicitbias.limits.margin._l1 import GroupedProblem, Point
from implicitbias.limits.margin._polish import ActiveSet, equations, merit, moved
from implicitbias.problems import UnitRows

CORRECTIONS = 3
ENOUGH = 1e-15
ACTIVE = 1e-11


def corrected(problem: GroupedProblem, point: Point) -> tuple[Point, FloatArray]:
    """The point after corrections that lower its KKT residuals, and the step that is left, (K,).

    Dense rows; the multipliers are those of the norm.
    """
    value = 2.0 ** round(float(np.log2(problem.value(point.r))))  # a power of two rounds nothing
    unit = replace(problem, rows=Dense(problem.array * value), equations=problem.equations * value)
    at = Point(point.r / value, point.a / value, point.b / value)
    best, step = merit(unit, at), np.full(point.r.size, np.inf)
    for _ in range(CORRECTIONS):
        after, step = _correction(unit, at)
        if np.linalg.norm(step) <= ENOUGH * np.linalg.norm(at.r):
            break
        found = merit(unit, after)
        if not found <= max(2 * best, 1e-14):
            break
        at, best = after, min(best, found)
    return Point(at.r * value, at.a * value, at.b * value), step * value


def _correction(problem: GroupedProblem, point: Point) -> tuple[Point, FloatArray]:
    """One Newton step on the point's own support, and how it changes r."""
    nonzero = problem.norms(point.r) > 0
    charged, slack = problem.charges(point.a) > CHARGED, problem.room(point.r)
    guess = ActiveSet(nonzero, np.zeros_like(nonzero), charged | (slack < ACTIVE), charged)
    power = problem.value(point.r) ** (problem.exponent - 1)
    at = Point(point.r, np.where(charged, point.a, 0.0) * power, point.b * power)
    keep, none = nonzero[problem.labels], np.zeros
    columns = np.vstack([problem.array[charged], problem.equations])[:, keep].T
    multipliers = np.concatenate([at.a[charged], at.b])
    driver = np.zeros(point.r.size)
    driver[keep] = -residual(columns, multipliers, none(multipliers.size), none(int(keep.sum())))
    rows = np.vstack([problem.array[guess.active], problem.equations])
    goal = np.concatenate([np.ones(int(guess.active.sum())), none(len(problem.equations))])
    missing = residual(rows, point.r, none(point.r.size), goal)
    matrix, right = equations(problem, at, guess, driver, missing)
    step, *_ = lstsq(matrix, right, lapack_driver="gelsy", check_finite=False)
    after = moved(problem, at, guess, step)
    back = problem.value(after.r) ** (1 - problem.exponent)
    change = np.zeros(point.r.size)
    change[keep] = problem.norms(point.r)[problem.labels[keep]] * step[: int(keep.sum())]
    return Point(after.r, np.clip(after.a * back, 0.0, None), after.b * back), change


def corrected_in_blocks(
    rows: Features, z: FloatArray, multipliers: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """``corrected_least_norm`` by products, A^+ = A^T (A A^T)^{-1} with the rows' triangle."""
    units = UnitRows(rows)
    r = np.linalg.qr(units.block(slice(None)).T, mode="r")
    lengths, step = np.ldexp(units.norms, units.exponents), np.zeros_like(z)
    for _ in range(CORRECTIONS):
        outside = rows.precise.transposed_residual(multipliers, z)
        short = rows.precise.residual(z, np.ones(len(rows))) + rows @ outside
        half = solve_triangular(r, short / lengths, trans="T", check_finite=False)
        step = rows.T @ (solve_triangular(r, half, check_finite=False) / lengths) - outside
        if np.linalg.norm(step) <= ENOUGH * np.linalg.norm(z):
            break
        z = z + step
    return z, step


def corrected_least_norm(
    rows: FloatArray, z: FloatArray, multipliers: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """min ||z|| s.t. A z = 1 on the support points: z corrected, and the step that is left, (d,).

    The step is A^+ (1 - A z) less what z has outside the span of the rows, seen as the part of
    z - A^T u there.
    """
    none = np.zeros
    basis, triangle = np.linalg.qr(rows.T)
    step = none(z.size)
    for _ in range(CORRECTIONS):
        outside = residual(rows.T, multipliers, none(multipliers.size), z)
        short = residual(rows, z, none(z.size), np.ones(len(rows)))
        inside = solve_triangular(triangle, short, trans="T", check_finite=False)
        step = basis @ (inside + basis.T @ outside) - outside
        if np.linalg.norm(step) <= ENOUGH * np.linalg.norm(z):
            break
        z = z + step
    return z, step
