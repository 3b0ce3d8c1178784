"""Weighted l1 max-margin over groups: a linear program, or second-order cones where groups pair.

min sum_g w_g ||r_g|| s.t. C r >= 1, E r = 0, with multipliers a >= 0 and b: at a solution
||(C^T a + E^T b)_g|| <= w_g, equal to w_g and aligned with r_g where r_g is not zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import clarabel
import numpy as np
from scipy.sparse import block_array, csc_array, eye_array

from implicitbias._arrays import (
    FloatArray,
)
from implicitbias.features import Dense, Features, as_features
from implicitbias.limits._linear_program import linprog
from implicitbias.limits.margin._kkt import norm_value
from implicitbias.limits.margin._l2 import least_norm

LP_TOLERANCE = 1e-10  # HiGHS's tightest
PRICING_ROUNDS = 60


@dataclass(frozen=True, eq=False)
class GroupedProblem:
    """min (sum_g w_g ||r_g||^p)^{1/p} s.t. C r >= 1, E r = 0 (E may have no rows).

    Attributes
    ----------
    rows, equations
        C (n, K) and E (e, K).
    labels
        The group of each unknown, shape (K,), in nondecreasing order.
    weights
        w, shape (G,).
    exponent
        p in (0, 1].
    signs
        Shape (G,): +-1 where a real unknown keeps that sign, else 0; None if all are free.
    """

    rows: Features
    equations: FloatArray
    labels: np.ndarray
    weights: FloatArray
    exponent: float = 1.0
    signs: FloatArray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", as_features(self.rows))

    @property
    def array(self) -> FloatArray:
        """C as an array, for problems on few unknowns."""
        return self.rows.toarray()

    def norms(self, r: FloatArray) -> FloatArray:
        """||r_g|| of every group, shape (G,)."""
        top = float(np.abs(r).max(initial=0.0))
        if top == 0.0:
            return np.zeros(self.weights.size)
        squares = np.bincount(self.labels, (r / top) ** 2, minlength=self.weights.size)
        return np.asarray(top * np.sqrt(squares))

    def value(self, r: FloatArray) -> float:
        """The norm of r."""
        return norm_value(self.norms(r), self.exponent, self.weights)

    def driver(self, point: Point) -> FloatArray:
        """C^T a + E^T b, shape (K,)."""
        return np.asarray(self.rows.T @ point.a + self.equations.T @ point.b)

    def pull(self, point: Point) -> FloatArray:
        """||driver_g||, or its part along the sign that a group keeps: at most w_g, (G,)."""
        driver = self.driver(point)
        if self.signs is None:
            return self.norms(driver)
        return np.where(self.signs == 0, np.abs(driver), np.maximum(self.signs * driver, 0.0))

    def charges(self, a: FloatArray) -> FloatArray:
        """a_i |C_i|, the pull of every point whatever its length, over the largest, (n,)."""
        pull = a * self.rows.row_norms()
        return np.asarray(pull / max(float(pull.max()), np.finfo(float).tiny))

    def room(self, r: FloatArray) -> FloatArray:
        """C r - 1 relative to its terms where these are larger than 1, (n,)."""
        return np.asarray((self.rows @ r - 1.0) / np.maximum(1.0, self.rows.absolute(r)))

    def scaled(self, columns: FloatArray, weights: FloatArray) -> GroupedProblem:
        """The same feasible set in unknowns r / columns, with other weights and p = 1."""
        return GroupedProblem(
            self.rows.scaled(None, columns),
            self.equations * columns,
            self.labels,
            weights,
            1.0,
            self.signs,
        )

    def restricted(self, groups: np.ndarray) -> tuple[GroupedProblem, np.ndarray]:
        """Only the groups marked True, with dense rows, and the unknowns they hold."""
        kept = groups[self.labels]
        relabel = np.cumsum(groups) - 1
        smaller = GroupedProblem(
            Dense(np.ascontiguousarray(self.rows.columns(kept))),
            np.ascontiguousarray(self.equations[:, kept]),
            relabel[self.labels[kept]],
            self.weights[groups],
            self.exponent,
            None if self.signs is None else self.signs[groups],
        )
        return smaller, kept


@dataclass(frozen=True, eq=False)
class Point:
    """Unknowns r, multipliers a of the margins and b of the equations."""

    r: FloatArray
    a: FloatArray
    b: FloatArray


def least_norm_unknowns(problem: GroupedProblem) -> FloatArray:
    """The l2 max-margin r with E r = 0, shape (K,).

    Raises
    ------
    InfeasibleProblemError
        Not separable.
    NoPredictionError
        float64 cannot tell.
    """
    if problem.equations.shape[0] == 0:
        return least_norm(problem.rows).z
    _, singular, right = np.linalg.svd(problem.equations)
    rank = int(np.sum(singular > 1e-12 * singular.max(initial=0.0)))
    kernel = right[rank:].T
    return np.asarray(kernel @ least_norm(problem.rows @ kernel).z)


def solve_l1(problem: GroupedProblem, reach: FloatArray | None = None) -> Point | None:
    """Solve the p = 1 problem to the solver's own accuracy; None if the solver gave up.

    Parameters
    ----------
    problem
        With p = 1. Separable (``least_norm_unknowns`` tells, and raises).
    reach
        If given, r stays within ||r_g - reach_g|| <= ||reach_g||: a step that cannot leave the
        neighbourhood of ``reach``.
    """
    weights = problem.weights[problem.labels]
    unit = problem.scaled(1 / weights, np.ones_like(problem.weights))
    if reach is None:
        size = float(np.abs(least_norm_unknowns(unit)).max())
    else:
        size = float(np.abs(reach * weights).max())
    unit = unit.scaled(np.full(weights.size, size), unit.weights)
    centre = None if reach is None else reach * weights / size
    single = problem.labels.size == problem.weights.size and problem.equations.shape[0] == 0
    found = _linear_program(unit, centre) if single else _cone_program(unit, centre)
    if found is None:
        return None
    return Point(found.r * size / weights, found.a * size, found.b * size)


def _linear_program(problem: GroupedProblem, centre: FloatArray | None) -> Point | None:
    """Unit weights, every group one real number: HiGHS on r = r_+ - r_-, or with signs kept."""
    n, k = problem.rows.shape
    if problem.signs is not None:
        return _with_signs(problem.rows, problem.signs)
    if not problem.rows.is_whole:
        return _by_columns(problem.rows)
    if centre is not None:
        sign = np.sign(centre)
        found = _highs(-problem.array * sign, np.column_stack([np.zeros(k), 2 * np.abs(centre)]))
        return found and Point(found.r * sign, found.a, found.b)
    if k > 4 * n:
        found = _by_columns(problem.rows)
        if found is not None:
            return found
    every = np.arange(k)
    found = _highs(-problem.rows.signed_columns(every, every), (0, None))
    return found and Point(found.r[:k] - found.r[k:], found.a, found.b)


def _with_signs(rows: Features, signs: FloatArray) -> Point | None:
    """The program in which coordinates with a sign have no column of the other one."""
    if not rows.is_whole and not signs.any():
        return _by_columns(rows)
    rows.refuse_whole("a start whose coordinates keep their sign")
    up, down = np.flatnonzero(signs >= 0), np.flatnonzero(signs <= 0)
    found = _highs(-rows.signed_columns(up, down), (0, None))
    if found is None:
        return None
    r = np.zeros(rows.shape[1])
    r[up] = found.r[: up.size]
    r[down] -= found.r[up.size :]
    return Point(r, found.a, found.b)


def separator_with_signs(rows: Features, signs: FloatArray) -> FloatArray | None:
    """Some rho with those signs and Z rho >= 1 for unit rows and columns; None if none is found."""
    lengths, heights = rows.column_norms(), rows.row_norms()
    if not heights.all():  # a point that no coordinate sees has margin 0
        return None
    lengths = np.where(lengths > 0, lengths, 1.0)
    found = _with_signs(rows.scaled(1 / heights, 1 / lengths), signs)
    return None if found is None else found.r / lengths


def _highs(columns: FloatArray, bounds: Any) -> Point | None:
    """min sum x s.t. columns @ x <= -1 within bounds; the multipliers with it."""
    tolerances = dict.fromkeys(
        ("primal_feasibility_tolerance", "dual_feasibility_tolerance"), LP_TOLERANCE
    )
    found = linprog(
        np.ones(columns.shape[1]),
        A_ub=columns,
        b_ub=-np.ones(columns.shape[0]),
        bounds=bounds,
        method="highs-ds",
        options=tolerances,
    )
    if found.x is None:
        return None
    return Point(found.x, np.clip(-found.ineqlin.marginals, 0.0, None), np.zeros(0))


def _by_columns(rows: Features) -> Point | None:
    """The same program on few columns, adding those whose dual bound |C^T a|_j <= 1 is broken.

    None if the first columns do not separate, or the rounds run out: solve it whole then.
    """
    n, k = rows.shape
    columns, value = _separating_columns(rows, least_norm(rows).z), np.inf
    for _ in range(PRICING_ROUNDS):
        found = _highs(-rows.signed_columns(columns, columns), (0, None))
        if found is None:
            return None
        inner = found.r[: columns.size] - found.r[columns.size :]
        reduced = np.abs(rows.T @ found.a)
        kept = columns[(inner != 0) | (reduced[columns] > 0.9)]
        reduced[columns] = 0.0
        broken = np.flatnonzero(reduced > 1.0 + LP_TOLERANCE)
        if broken.size == 0:
            r = np.zeros(k)
            r[columns] = inner
            return Point(r, found.a, found.b)
        reached = float(np.abs(inner).sum())
        lower = reached < (1 - LP_TOLERANCE) * value  # else dropping could go round in circles
        if lower and rows.is_array:  # sparse columns cost little
            columns, value = kept, reached
        columns = np.concatenate([columns, broken[np.argsort(-reduced[broken])][: 2 * n]])
    return None


def _separating_columns(rows: Features, z: FloatArray) -> np.ndarray:
    """The columns of the largest |z_j|, and, for points these miss, of the largest z_j C_ij."""
    n, k = rows.shape
    chosen = np.zeros(k, dtype=bool)
    chosen[np.argsort(-np.abs(z), kind="stable")[: max(2 * n, 100)]] = True
    share = 1
    while (missed := np.flatnonzero(rows @ np.where(chosen, z, 0.0) <= 0)).size and share < k:
        for i in missed:
            terms = rows.rows([i]).toarray()[0] * z
            chosen[np.argpartition(-terms, share - 1)[:share]] = True
        share *= 2
    return np.flatnonzero(chosen)


def _cone_program(problem: GroupedProblem, centre: FloatArray | None) -> Point | None:
    """Unit weights, groups of one or two numbers: clarabel on (r, t), ||r_g|| <= t_g."""
    n, k = problem.rows.shape
    e, groups = problem.equations.shape[0], problem.weights.size
    zero = csc_array((e + n, groups))
    linear = csc_array(np.vstack([problem.equations, -problem.array]))
    norm_rows, sizes = _interleaved(problem.labels, groups)
    blocks = [[linear, zero], [-norm_rows[:, groups:], -norm_rows[:, :groups]]]
    right = [np.zeros(e), -np.ones(n), np.zeros(groups + k)]
    cones = [clarabel.ZeroConeT(e)] if e else []
    cones += [clarabel.NonnegativeConeT(n), *map(clarabel.SecondOrderConeT, sizes)]
    if centre is not None:
        radius = np.concatenate([problem.norms(centre), -centre])
        blocks.append([-norm_rows[:, groups:], csc_array((groups + k, groups))])
        right.append(norm_rows @ radius)
        cones += list(map(clarabel.SecondOrderConeT, sizes))
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.max_threads = 1
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-11
    cost = np.concatenate([np.zeros(k), np.ones(groups)])
    found = clarabel.DefaultSolver(
        csc_array((k + groups, k + groups)),
        cost,
        csc_array(block_array(blocks)),
        np.concatenate(right),
        cones,
        settings,
    ).solve()
    x, z = np.array(found.x), np.array(found.z)
    if x.size == 0 or not np.all(np.isfinite(x)) or not np.any(x):
        return None
    return Point(x[:k], np.clip(z[e : e + n], 0.0, None), -z[:e])


def _interleaved(labels: np.ndarray, groups: int) -> tuple[csc_array, list[int]]:
    """The permutation of (t_1 .. t_G, r_1 .. r_K) into t_1, r of group 1, t_2, ..; cone sizes."""
    order = np.argsort(np.concatenate([np.arange(groups), labels]), kind="stable")
    permutation = csc_array(eye_array(order.size).tocsr()[order])
    return permutation, [1 + int(c) for c in np.bincount(labels, minlength=groups)]
