"""Directions that stay optimal: is an l1 solution unique, is a stationary point a minimum.

Given one dual solution, the optimal face of a grouped l1 problem is a polyhedron: every tight group
moves along its own dual direction d_g = (C^T a + E^T b)_g, so r = (t_g d_g) with t >= 0. It is a
point when no nonzero t satisfies B_I t = 0 on the charged margins, B t >= 0 on the other active
ones and t >= 0 on zero groups. The critical cone of a stationary point has the same shape.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.sparse import csc_array

from implicitbias._arrays import EPS, FloatArray
from implicitbias._verdicts import Status, Verdict
from implicitbias.limits._linear_program import linprog
from implicitbias.limits.margin._l1 import GroupedProblem, Point

CHARGED = 1e-10  # a multiplier below this share of the largest counts as zero
ACTIVE = 1e-9  # a margin within this of 1 is active, a dual norm within this of w is tight
FEASIBLE = 1e-7  # by how much HiGHS may break a constraint
RANK = 1e-9  # singular values below this share of the largest count as zero
CURVED = 1e-8  # smallest curvature (in units where a group's own is 1 and p - 1) that has a sign

UNIQUE = "the l1 max-margin solution is unique"

Kind = Literal["local minimum", "stationary"]


def _normalised(rows: FloatArray) -> FloatArray:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(norms > 0, norms, 1.0))


def _row_space(rows: FloatArray, width: int) -> tuple[FloatArray, float]:
    """Orthonormal basis of the span of the rows, shape (width, r), and sigma_min / sigma_max."""
    if width == 0:
        return np.zeros((0, 0)), 1.0
    if rows.shape[0] == 0:
        return np.zeros((width, 0)), 0.0
    _, singular, right = np.linalg.svd(rows, full_matrices=False)
    ratio = singular / singular[0] if singular[0] > 0 else singular
    return right[ratio > RANK].T, float(ratio[-1]) if ratio.size == width else 0.0


def _kernel(space: FloatArray) -> FloatArray:
    """Orthonormal basis of what is orthogonal to a row space, shape (width, width - r)."""
    return np.linalg.qr(space, mode="complete")[0][:, space.shape[1] :]


def _has_direction(
    space: FloatArray, equations: FloatArray, inequalities: FloatArray, positive: np.ndarray
) -> bool:
    """Whether some h != 0 has equations @ h = 0, inequalities @ h >= 0 and h >= 0 where positive.

    A generic linear functional is nonzero on every ray, so it, or its negative, is positive on one.
    A linear program on the equations themselves is sparse and quick; its answer counts if it
    withstands projection on their kernel, or if there is none. Otherwise the kernel is asked.
    """
    width, rank = space.shape
    if rank == width:
        return False
    inequalities = _normalised(inequalities)
    found = _extreme(inequalities, _normalised(equations), positive)
    if found is None:
        return False
    projected = found - space @ (space.T @ found)
    kept = float(np.linalg.norm(projected)) > 0.5 * float(np.linalg.norm(found))
    lowest = min((inequalities @ projected).min(initial=0.0), projected[positive].min(initial=0.0))
    if kept and float(lowest) >= -FEASIBLE:
        return True
    kernel = _kernel(space)
    rows = _normalised(np.vstack([inequalities @ kernel, kernel[positive]]))
    free = np.zeros(kernel.shape[1], dtype=bool)
    return _extreme(rows, np.zeros((0, free.size)), free) is not None


def _extreme(
    inequalities: FloatArray, equations: FloatArray, positive: np.ndarray
) -> FloatArray | None:
    """Some h != 0 in [-1, 1]^k that meets all of them, if there is one."""
    cost = np.random.default_rng(0).normal(size=positive.size)
    bounds = np.column_stack([np.where(positive, 0.0, -1.0), np.ones(positive.size)])
    for sign in (1.0, -1.0):
        found = linprog(
            sign * cost,
            A_ub=csc_array(-inequalities),
            b_ub=np.zeros(len(inequalities)),
            A_eq=csc_array(equations),
            b_eq=np.zeros(len(equations)),
            bounds=bounds,
            method="highs-ds",
        )
        if found.x is not None and abs(found.fun) > 1e-6:
            return np.asarray(found.x)
    return None


def _charged_and_loose(problem: GroupedProblem, point: Point) -> tuple[np.ndarray, np.ndarray]:
    """Margins with a positive multiplier, and active margins without one (masks)."""
    charged = problem.charges(point.a) > CHARGED
    return charged, ~charged & (problem.room(point.r) < ACTIVE)


def uniqueness(problem: GroupedProblem, point: Point) -> Verdict:
    """Whether the l1 solution is the only one (p = 1).

    The number is sigma_min / sigma_max of the tight columns B on the charged margins: the solution
    is unique if they are independent, otherwise a linear program looks for a second one.
    """
    driver = problem.driver(point)
    bound = problem.pull(point)
    nonzero = problem.norms(point.r) > 0
    tight = nonzero | (bound >= problem.weights * (1 - ACTIVE))
    turned = driver / np.where(bound > 0, bound, 1.0)[problem.labels]
    columns = np.zeros((problem.rows.shape[0] + len(problem.equations), bound.size))
    np.add.at(columns.T, problem.labels, (np.vstack([problem.array, problem.equations]) * turned).T)
    columns = columns[:, tight]
    lengths = np.linalg.norm(columns, axis=0)
    columns = columns / np.where(lengths > 0, lengths, 1.0)
    charged, loose = _charged_and_loose(problem, point)
    equal = np.concatenate([charged, np.ones(len(problem.equations), dtype=bool)])
    space, ratio = _row_space(columns[equal], columns.shape[1])
    ties = int(tight.sum() - nonzero.sum())
    detail = f"{int(nonzero.sum())} nonzero, {ties} more at the dual bound"
    if space.shape[0] == space.shape[1]:
        return Verdict(UNIQUE, "holds", ratio, f"tight columns are independent; {detail}")
    second = _has_direction(space, columns[equal], columns[: loose.size][loose], ~nonzero[tight])
    noise = EPS * float((np.abs(problem.array) @ np.abs(point.r)).max())
    near = ratio > RANK * 1e-3 or noise > ACTIVE  # the rank, or the ties, are within rounding
    status: Status = "undecided" if near else "fails" if second else "holds"
    found = "a direction keeps value and margins" if second else "no direction keeps the margins"
    return Verdict(UNIQUE, status, ratio, f"tight columns are dependent, {found}; {detail}")


def second_order(problem: GroupedProblem, point: Point) -> tuple[Kind, float]:
    """Classify a stationary point and give its smallest reduced curvature.

    The Hessian of sum w ||r_g||^p / p is taken in the metric w ||r_g||^{p-2}, where a group curves
    by 1 across and p - 1 along itself, and reduced to directions that keep the charged margins;
    infinity where there are none (a vertex). Real coordinates with p < 1: any critical direction
    lowers the norm. In that metric a decomposable flow late in training descends the norm, so a
    deviation from the point on its support falls like margin^{-curvature}.
    """
    labels, stretch = _metric(problem, point)
    charged, loose = _charged_and_loose(problem, point)
    keep = (problem.norms(point.r) > 0)[problem.labels]
    rows = _normalised(problem.array[:, keep] * stretch)
    equations = _normalised(problem.equations[:, keep] * stretch)
    held = np.vstack([rows[charged], equations])
    space, _ = _row_space(held, labels.size)
    if space.shape[0] == space.shape[1]:
        return "local minimum", np.inf
    lowest = float(np.linalg.eigvalsh(_reduced(problem, point, space)[1])[0])
    free = np.zeros(labels.size, dtype=bool)
    if lowest > CURVED or (loose.any() and not _has_direction(space, held, rows[loose], free)):
        return "local minimum", lowest
    return "stationary", lowest


def part_that_leaves(problem: GroupedProblem, point: Point, near: FloatArray) -> float:
    """How much of r_near - r lies along directions that lower the norm, relative to r.

    In the metric of ``second_order``. A flow leaves a saddle unless a symmetry makes this 0.
    """
    labels, stretch = _metric(problem, point)
    keep = (problem.norms(point.r) > 0)[problem.labels]
    charged, _ = _charged_and_loose(problem, point)
    held = np.vstack([problem.array[charged], problem.equations])[:, keep] * stretch
    space, _ = _row_space(_normalised(held), labels.size)
    kernel, hessian = _reduced(problem, point, space)
    values, vectors = np.linalg.eigh(hessian)
    away = (near - point.r)[keep] / stretch
    part = vectors[:, values < -CURVED].T @ (kernel.T @ away)
    return float(np.linalg.norm(part) / np.linalg.norm(point.r[keep] / stretch))


def _metric(problem: GroupedProblem, point: Point) -> tuple[np.ndarray, FloatArray]:
    """The groups of the nonzero unknowns, and the units of a change in w ||r_g||^{p-2}."""
    size = problem.norms(point.r)
    labels = problem.labels[(size > 0)[problem.labels]]
    stretch = size[labels] ** (1 - problem.exponent / 2) / np.sqrt(problem.weights[labels])
    return labels, stretch


def _reduced(
    problem: GroupedProblem, point: Point, space: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """A basis of the directions that keep the charged margins, and the Hessian on it."""
    labels, _ = _metric(problem, point)
    size = problem.norms(point.r)
    phase = point.r[(size > 0)[problem.labels]] / size[labels]
    kernel = _kernel(space)
    same = labels[:, None] == labels[None, :]
    hessian = np.eye(labels.size) + (problem.exponent - 2) * same * np.outer(phase, phase)
    return kernel, kernel.T @ hessian @ kernel
