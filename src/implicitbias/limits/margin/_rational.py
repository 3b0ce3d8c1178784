"""Max-margin problems in integers, where float64 cannot tell nearly parallel rows apart.

Data are binary fractions, so small problems have exact answers: the l1 program by the simplex
method on its dual, max sum a s.t. |C^T a|_j <= w_j, a >= 0, in integers (Edmonds' pivoting, whose
division is exact); the l2 problem by the dual active-set method of Goldfarb and Idnani (1983) on
the exact Gram matrix. A feature with an offset, beside a column of ones, is such a case: separable
by 1e-9 of the points' lengths, and unremarkable.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, worst_of
from implicitbias._errors import NoPredictionError
from implicitbias.features import Dense, Features, as_features
from implicitbias.limits.margin import _l1, _l2
from implicitbias.limits.margin._l1 import GroupedProblem, Point
from implicitbias.limits.margin._l2 import Hull
from implicitbias.limits.margin._polish import merit, polish

ACCURATE = 1e-10  # violation of margins up to which float64 is believed
MAX_ENTRIES = 4_000  # of a tableau: half a second at most
MAX_POINTS = 128
MAX_DENSE = 1 << 16  # entries of sparse data that may be made dense
MAX_INDEPENDENT = 24
BLAND = 100  # pivots by the largest coefficient; after that by Bland's rule, which never cycles
MAX_PIVOTS = 1000


@dataclass(frozen=True, eq=False)
class ExactPoint(Point):
    """A solution known exactly and rounded once: nothing is left to polish.

    ``unique``: no other r is one, since no basic variable of the dual is zero. ``tight``: where the
    dual's constraint |C^T a|_j <= w_j is an equation, shape (k,).
    """

    unique: bool = False
    tight: np.ndarray | None = None


class ExactHull(Hull):
    """The same of the l2 problem."""


def solve_l1(problem: GroupedProblem, reach: FloatArray | None = None) -> Point | None:
    """``_l1.solve_l1``, in integers where that refuses or misses its own margins."""
    n, k = problem.rows.shape
    real = problem.labels.size == problem.weights.size and problem.equations.shape[0] == 0
    small = (2 * k + 1) * (n + 1) <= MAX_ENTRIES and min(n, k) <= MAX_INDEPENDENT
    if reach is not None or problem.signs is not None or not (real and small):
        return _l1.solve_l1(problem, reach)
    problem = replace(problem, rows=problem.rows.dense())
    try:
        point = _l1.solve_l1(problem)
    except NoPredictionError:
        exact = exact_l1(problem.array, problem.weights)
        if exact is None:
            raise
        return exact
    if point is not None and _missed(problem, polish(problem, point)) <= ACCURATE:
        return point
    return exact_l1(problem.array, problem.weights) or point


def _missed(problem: GroupedProblem, point: Point) -> float:
    value = problem.value(point.r)
    unit = GroupedProblem(
        Dense(problem.array * value),
        problem.equations,
        problem.labels,
        problem.weights,
        problem.exponent,
    )
    return merit(unit, Point(point.r / value, point.a / value, point.b))


def exact_l1(
    rows: FloatArray, weights: FloatArray, sides: tuple[np.ndarray, np.ndarray] | None = None
) -> ExactPoint | None:
    """min sum_j w_j |r_j| s.t. C r >= 1, solved exactly and rounded once; None if infeasible.

    ``sides``: where r_j may be positive, and where negative (masks); everywhere if None.
    """
    n, k = rows.shape
    both = (np.ones(k, dtype=bool),) * 2 if sides is None else sides
    names = [
        (j, sign) for mask, sign in zip(both, (1, -1), strict=True) for j in np.flatnonzero(mask)
    ]
    shifts = [_digits(np.append(rows[:, j], weights[j])) for j in range(k)]
    columns = [np.array(_integers(rows[:, j], shifts[j]), dtype=object) for j in range(k)]
    table = np.empty((len(names) + 1, n + 1), dtype=object)
    table[-1, :n], table[-1, n] = -1, 0
    for i, (j, sign) in enumerate(names):
        table[i, :n] = sign * columns[j]
        table[i, n] = _integers(weights[[j]], shifts[j])[0]
    found = _simplex(table)
    if found is None:
        return None
    table, pivot, basic, free = found
    a, r, tight = np.zeros(n), np.zeros(k), np.zeros(k, dtype=bool)
    for row, name in enumerate(basic):
        if name < n:
            a[name] = table[row, n] / pivot
        elif table[row, n] == 0:
            tight[names[name - n][0]] = True
    for column, name in enumerate(free):
        if name >= n:
            j, sign = names[name - n]
            size = float(Fraction(table[-1, column], pivot) * Fraction(2) ** shifts[j])
            r[j] += sign * size
            tight[j] = True
    return ExactPoint(r, a, np.zeros(0), unique=bool((table[:-1, n] > 0).all()), tight=tight)


def _simplex(table: Any) -> tuple[Any, int, list[int], list[int]] | None:
    """The optimal condensed tableau of max sum a, its denominator, basic and free variables.

    None where the program is unbounded, or not solved in MAX_PIVOTS.
    """
    num_rows, n = table.shape[0] - 1, table.shape[1] - 1
    basic, free, last = [n + i for i in range(num_rows)], list(range(n)), 1
    for count in range(MAX_PIVOTS):
        costs = table[-1, :n]
        entering = np.flatnonzero(costs < 0)
        if entering.size == 0:
            return table, last, basic, free
        if count < BLAND:
            column = min(entering, key=lambda c: costs[c])
        else:
            column = min(entering, key=lambda c: free[c])
        positive = np.flatnonzero(table[:-1, column] > 0)
        if positive.size == 0:
            return None
        row = positive[0]
        for i in positive[1:]:
            order = table[i, n] * table[row, column] - table[row, n] * table[i, column]
            if order < 0 or (order == 0 and basic[i] < basic[row]):
                row = i
        pivot, above, beside = table[row, column], table[row].copy(), table[:, column].copy()
        table = (table * pivot - np.outer(beside, above)) // last
        table[row], table[:, column] = above, -beside
        table[row, column] = last
        basic[row], free[column], last = free[column], basic[row], pivot
    return None


def least_norm(A: FloatArray | Features) -> Hull:
    """``_l2.least_norm``, in integers where that refuses or misses its own margins."""
    A = as_features(A)
    n = A.shape[0]
    small = n <= MAX_POINTS and min(A.shape) <= MAX_INDEPENDENT and n * A.shape[1] <= MAX_DENSE
    if small:
        A = A.dense()
    try:
        hull = _l2.least_norm(A)
    except NoPredictionError:
        exact = exact_l2(A.toarray()) if small else None
        if exact is None:
            raise
        return exact
    if not small or _margins_missed(A, hull) <= ACCURATE:
        return hull
    return exact_l2(A.toarray()) or hull


def _margins_missed(A: Features, hull: Hull) -> float:
    slack = A @ hull.z - 1.0
    active = float(np.abs(slack[hull.active]).max(initial=0.0))
    return worst_of(active, -float(slack.min()))


def exact_l2(A: FloatArray) -> ExactHull | None:
    """min ||z||_2 s.t. A z >= 1, solved exactly and rounded once; None if infeasible."""
    import flint

    n, d = A.shape
    shift = _digits(A.ravel())
    entries = flint.fmpz_mat([_integers(row, shift) for row in A])
    gram = flint.fmpq_mat(entries * entries.transpose()) * flint.fmpq(1, 1 << 2 * shift)
    active: list[int] = []
    u: list[Any] = []
    while True:
        margins = [sum(gram[i, k] * x for k, x in zip(active, u, strict=True)) for i in range(n)]
        new = min(range(n), key=margins.__getitem__)
        if margins[new] >= 1:
            break
        added = _with_row(gram, active, u, new, 1 - margins[new])
        if added is None:
            return None
        active, u = added
    chosen = flint.fmpq_mat(1, len(u), u) * _rows_of(entries, active)
    z = [_rounded(chosen[0, j], shift) for j in range(d)]
    multipliers = np.zeros(n)
    multipliers[active] = [_rounded(x, 0) for x in u]
    return ExactHull(np.array(z), multipliers, np.array(sorted(active)))


def _with_row(
    gram: Any, active: list[int], u: list[Any], new: int, missing: Any
) -> tuple[list[int], list[Any]] | None:
    """Active rows and multipliers once row ``new`` is met; None if its multiplier has no bound."""
    import flint

    active, u, own = list(active), list(u), flint.fmpq(0)
    while True:
        inside = []
        if active:
            known = flint.fmpq_mat([[gram[i, k] for k in active] for i in active])
            right = flint.fmpq_mat([[gram[i, new]] for i in active])
            inside = known.solve(right).entries()
        length = gram[new, new] - sum(gram[i, new] * x for i, x in zip(active, inside, strict=True))
        blocking = [k for k, x in enumerate(inside) if x > 0]
        first = min(blocking, key=lambda k: u[k] / inside[k], default=None)
        if length == 0 and first is None:
            return None
        if first is None or (length > 0 and missing / length <= u[first] / inside[first]):
            step = missing / length
            u = [x - step * y for x, y in zip(u, inside, strict=True)]
            return [*active, new], [*u, own + step]
        step = u[first] / inside[first]
        u = [x - step * y for x, y in zip(u, inside, strict=True)]
        own, missing = own + step, missing - step * length
        del active[first], u[first]


def _rows_of(matrix: Any, rows: list[int]) -> Any:
    import flint

    width = matrix.ncols()
    entries = [matrix[i, j] for i in rows for j in range(width)]
    return flint.fmpq_mat(flint.fmpz_mat(len(rows), width, entries))


def _rounded(value: Any, shift: int) -> float:
    """value 2^{-shift} as a float."""
    return float(Fraction(int(value.p), int(value.q)) / Fraction(2) ** shift)


def _digits(values: FloatArray) -> int:
    """The least power of two that makes all the values integers (it may be negative)."""
    mantissas, exponents = np.frexp(values[values != 0])
    if mantissas.size == 0:
        return 0
    whole = np.ldexp(mantissas, 53).astype(np.int64)
    trailing = np.frexp((whole & -whole).astype(np.float64))[1] - 1
    return int((53 - exponents - trailing).max())


def _integers(values: FloatArray, shift: int) -> list[int]:
    """values 2^shift, exactly."""
    scale = Fraction(2) ** shift
    return [int(Fraction(value) * scale) for value in values.tolist()]
