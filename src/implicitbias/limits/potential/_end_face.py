"""The optimal face of the small-scale program: {x >= 0: A_T x = b}, T the tight columns.

With a basis B, x_B = B^{-1} b, nu = B^{-T} c_B and d = c - A^T nu, the face is cut out by the
columns with d = 0. HiGHS knows d to 1e-10; where a column outside of B is that close to tight, B
is solved in balls of 256 bits and, until x_B >= 0 and d >= 0, improved by pivots of the simplex
method. On a face with zeros in x_B some tight columns are zero in every minimiser: one more
linear program, for directions along the face, finds those that can be positive.

Source: Dantzig's simplex method; a strictly complementary solution exists (Goldman, Tucker 1956).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import lapack, solve_triangular

from implicitbias._arrays import BoolArray, FloatArray, IntArray
from implicitbias.features import Dense, exact_sum, precise_residual
from implicitbias.limits._equilibrating import equilibrating
from implicitbias.limits._linear_program import linprog
from implicitbias.limits.potential._end_basis import (
    NOTHING,
    PIVOT,
    basis_columns,
    cheapest_basis,
    independent,
)
from implicitbias.limits.potential._end_columns import solve_by_columns
from implicitbias.limits.potential._end_program import (
    OPTIONS,
    EndProgram,
    ExactCosts,
    solve_program,
)
from implicitbias.limits.potential._extended import (
    PRECISION,
    Basis,
    column,
    floats_of,
    vanishing,
)
from implicitbias.limits.potential._seen import Seen, relative_amounts

TIGHT = 1e-9  # d relative to c below which float64 does not decide
LOST = 1e-13  # d relative to |A|^T |nu| below which it does not either
ROUNDED = 2e-14  # the same where Z itself is rounded: below, a column counts as tight,
AMBIGUOUS = 1e-12  # from there to here nobody knows
UNREACHED = 1e-14  # a part of b this small is rounding of it
SETTLED = 1e-12  # error relative to the largest rho_j up to which float64 settles x
SAFE_RCOND = 1e-10
LAST_BIT = 2.0**-74  # of the terms of a product of ``Precise``
MAX_PIVOTS = 500
VERY_WIDE = 50  # columns a row from which on a few of them at a time take half of the time or less
REFINEMENTS = 2


@dataclass(frozen=True, eq=False)
class Face:
    """The optimal face, in signed columns of the program.

    Attributes
    ----------
    chosen
        Columns that can be positive on the face, (k,): those of the basis first.
    point
        A minimiser with all of them positive, (k,).
    nu
        The dual point, (n,).
    value
        b^T nu, the least weighted norm, computed beyond float64.
    missed
        What was neglected in each coordinate of rho, (m,).
    equations, target
        M and m with M x = m on the face, as ``arb_mat``; None where ``point`` is all of it.
    """

    chosen: IntArray
    point: FloatArray
    nu: FloatArray
    value: float
    missed: FloatArray
    equations: Any = None
    target: Any = None


def optimal_face(
    program: EndProgram, costs: ExactCosts, *, rounded: bool, seen: Seen | None = None
) -> Face:
    """The face of all minimisers, decided beyond float64.

    Parameters
    ----------
    costs
        The exact costs of signed columns.
    rounded
        Whether Z is itself rounded: then what is tied to the last digits is tied.
    seen
        In what errors of rho are measured.

    Raises
    ------
    ValueError
        The rows are dependent, no basis was found, or a tie is too close to tell.
    """
    solved = _solved(program)
    if solved is not None:
        x, nu = solved
        tight = _near(program, nu)
        found = _single_vertex(program, tight, nu, seen)
        if found is not None:
            return found
        basis = basis_columns(program, x, nu, tight)
    else:
        basis = cheapest_basis(program)
    from flint import ctx

    with ctx.workprec(PRECISION + 2 * program.cost_spread):
        return _Simplex(program, costs, rounded).face(basis)


def _solved(program: EndProgram) -> tuple[FloatArray, FloatArray] | None:
    """A vertex and its dual point: on some columns at a time where the others are very many."""
    features, (n, m) = program.features, program.features.shape
    if not features.is_whole:
        return solve_by_columns(program)
    if features.is_array and m > VERY_WIDE * n and np.isfinite(program.cost).all():
        with suppress(ValueError):  # whole, then
            return solve_by_columns(program)
    return solve_program(program)


def _near(program: EndProgram, nu: FloatArray) -> IntArray:
    """Columns outside of which float64 knows that d > 0."""
    distance = program.cost - program.slopes(nu)
    doubt = np.maximum(TIGHT * program.cost, LOST * program.slope_sizes(nu))
    return np.flatnonzero(np.isfinite(program.cost) & (distance <= doubt))


def _single_vertex(
    program: EndProgram, tight: IntArray, nu: FloatArray, seen: Seen | None
) -> Face | None:
    """x_T where float64 settles it: A_T well conditioned, x_T >= 0, and no other column tight."""
    rows = len(program.target)
    if not 0 < tight.size <= rows:
        return None
    matrix, target = program.columns(tight), program.target
    q, r = np.linalg.qr(matrix)
    rcond, info = lapack.dtrcon(r)
    if info != 0 or rcond < SAFE_RCOND:
        return None
    cost, precise = program.cost[tight], Dense(matrix).precise
    x, more = solve_triangular(r, q.T @ target), np.zeros(rows)
    nu = nu + q @ solve_triangular(r, cost - matrix.T @ nu, trans="T")
    for _ in range(REFINEMENTS):
        missing = precise.residual(x, target)
        step = solve_triangular(r, q.T @ missing)
        apart = precise.transposed_residual(nu, cost) - matrix.T @ more
        x = x + step
        nu, more = exact_sum(nu, more + q @ solve_triangular(r, apart, trans="T"))
    left = float(np.abs(missing).max()) if tight.size < rows else 0.0
    rho = program.rho(tight, x)
    missed = np.abs(program.rho(tight, np.maximum(np.abs(step), -x) + left))
    missed[rho != 0.0] += LAST_BIT / float(rcond) * float(np.abs(rho).max())
    error = relative_amounts(seen, rho, missed)
    if (
        left > UNREACHED * max(1.0, float(x.max()))
        or error > SETTLED
        or _near(program, nu).size > tight.size
    ):
        return None
    value = -float(precise_residual(target[None], nu, np.zeros(1))[0]) + float(target @ more)
    return Face(tight, np.maximum(x, 0.0), nu, value, missed)


class _Simplex:
    """Pivots on bases solved in balls, from a basis that is nearly optimal."""

    def __init__(self, program: EndProgram, costs: ExactCosts, rounded: bool) -> None:
        self.program, self.costs, self.rounded = program, costs, rounded
        self.bland = False  # the smallest index, so that no basis comes back
        self.goal = column(program.target.tolist())

    def face(self, basis: IntArray) -> Face:
        """The optimal face, pivoting where the basis is not optimal."""
        goal = self.goal
        for count in range(MAX_PIVOTS):
            self._solve(basis, goal)
            distance, near = self._distances()
            wrong = np.flatnonzero(distance < 0.0)
            if wrong.size == 0 and goal is not self.goal:
                goal = self.goal
                continue
            if wrong.size:
                if goal is self.goal and self.negative.size:
                    goal = self._shifted_goal()  # feasible for the basis as it is
                self.bland = count > MAX_PIVOTS // 5
                worst = wrong[0] if self.bland else wrong[distance[wrong].argmin()]
                basis = self._enter(int(worst))
            elif self.negative.size:
                basis = self._leave(int(self.negative[self.x[self.negative].argmin()]), distance)
            else:
                self._refuse_torn(near)
                return self._face(near[distance[near] == 0.0])
        raise ValueError(f"no optimal basis was found in {MAX_PIVOTS} pivots")

    def _refuse_torn(self, near: IntArray) -> None:
        """Refuse a part of y that counts as rounding where nearly equal columns tell it apart."""
        sizes = np.abs(self.x)
        rows = np.flatnonzero(self.nothing & (sizes > vanishing() * sizes.max()))
        if not rows.size or not near.size:
            return
        table = np.abs(_floats_of_table(self._tableau(near)))[rows]
        moved = np.divide(sizes[rows, None], table, where=table > 0.0, out=np.zeros_like(table))
        if moved.max() > SETTLED * sizes.max():
            raise ValueError(
                f"columns that differ by {table[table > 0.0].min():.1e} are tied, and a part of y "
                f"of {sizes[rows].max():.1e} decides between them"
            )

    def _solve(self, basis: IntArray, goal: Any) -> None:
        self.basis = basis
        self.matrix = Basis(self.program.columns(basis))
        self.x_balls = self.matrix.solve(goal)
        self.x = floats_of(self.x_balls)
        sizes, parts = self.program.sizes(basis), np.abs(self.x)
        nothing = NOTHING * np.minimum(parts.max(), (sizes * parts).max() / sizes)
        self.nothing = (parts <= nothing) | (parts <= vanishing() * parts.max())
        self.negative = np.flatnonzero((self.x < 0.0) & ~self.nothing)
        self.nu_balls = self.matrix.solve(self._balls_of_costs(basis), transposed=True)
        self.nu = floats_of(self.nu_balls)

    def _balls_of_costs(self, chosen: IntArray) -> Any:
        from flint import arb, fmpq

        return column(arb(fmpq(c.numerator, c.denominator)) for c in self.costs(chosen))

    def _distances(self) -> tuple[FloatArray, IntArray]:
        """d, (2 m,), 0 where it vanishes, and the columns for which balls were needed."""
        from flint import arb_mat

        program = self.program
        distance = program.cost - program.slopes(self.nu)
        distance[self.basis] = 0.0
        near = np.setdiff1d(_near(program, self.nu), self.basis)
        if near.size == 0:
            return distance, near
        columns = program.columns(near)
        exact = self._balls_of_costs(near) - arb_mat(columns.T.tolist()) * self.nu_balls
        sizes = program.cost[near] + np.abs(columns.T) @ np.abs(self.nu)
        values = floats_of(exact)
        relative = np.abs(values) / sizes
        zero = relative <= (ROUNDED if self.rounded else vanishing())
        if self.rounded and np.any(~zero & (relative < AMBIGUOUS)):
            raise ValueError(
                f"columns are tied to {relative[~zero].min():.1e} and known to rounding only"
            )
        distance[near] = np.where(zero, 0.0, values)
        return distance, near

    def _shifted_goal(self) -> Any:
        return self.matrix.balls * column(np.maximum(self.x, 0.0).tolist())

    def _enter(self, entering: int) -> IntArray:
        """A pivot of the primal simplex method."""
        step = _floats_of_table(self._tableau(np.array([entering])))[:, 0]
        able = step > PIVOT * float(np.abs(step).max())
        if not able.any():
            raise ValueError("the weighted norm has no minimum: the linear program is unbounded")
        ratio = np.full(step.size, np.inf)
        ratio[able] = np.maximum(self.x[able], 0.0) / step[able]
        ratio[able & self.nothing] = 0.0
        tied = np.flatnonzero(ratio <= ratio.min())
        basis = self.basis.copy()
        row = tied[basis[tied].argmin() if self.bland else step[tied].argmax()]
        basis[row] = entering
        return basis

    def _leave(self, row: int, distance: FloatArray) -> IntArray:
        """A pivot of the dual simplex method."""
        unit = np.zeros(self.x.size)
        unit[row] = 1.0
        direction = floats_of(self.matrix.solve(column(unit.tolist()), transposed=True))
        slopes = self.program.slopes(direction)
        able = (slopes < -PIVOT * float(np.abs(slopes).max())) & np.isfinite(self.program.cost)
        able[self.basis] = False
        if not able.any():
            raise ValueError("no interpolator has these signs: the linear program is infeasible")
        ratio = np.where(able, distance / np.where(able, -slopes, 1.0), np.inf)
        tied = np.flatnonzero(ratio <= ratio.min())
        basis = self.basis.copy()
        basis[row] = tied[slopes[tied].argmin()]
        return basis

    def _tableau(self, chosen: IntArray) -> Any:
        """B^{-1} A on signed columns, (n, k)."""
        from flint import arb_mat

        return self.matrix.solve(arb_mat(self.program.columns(chosen).tolist()))

    def _value(self) -> float:
        return float((self.goal.transpose() * self.nu_balls)[0, 0].mid())

    def _face(self, tight: IntArray) -> Face:
        """The face that B and the other tight columns cut out."""
        positive, nothing = ~self.nothing, self.nothing
        missed = np.abs(self.program.rho(self.basis[nothing], self.x[nothing]))
        if tight.size:
            balls = self._tableau(tight)
            table = _floats_of_table(balls)
            along, basic = _inside(table, positive)
            if along.any():
                return self._larger_face(tight, balls, along, positive, basic, missed)
        return Face(self.basis[positive], self.x[positive], self.nu, self._value(), missed)

    def _larger_face(
        self,
        tight: IntArray,
        balls: Any,
        along: FloatArray,
        positive: BoolArray,
        basic: BoolArray,
        missed: FloatArray,
    ) -> Face:
        """x_i + G_ij x_j = x_i(B) over what can be positive, and 0 = G_ij x_j over other rows."""
        from flint import arb_mat

        able = np.flatnonzero(along > 0.0)
        table = _floats_of_table(balls)[:, able]
        kept = np.flatnonzero(basic)
        bound = np.flatnonzero(~basic & table.any(axis=1))
        bound = bound[independent(table[bound].T, np.zeros((able.size, 0)))]
        rows = []
        for row in (*kept, *bound):
            unit = [int(row == i) for i in kept]
            rows.append([*unit, *(balls[int(row), int(j)] for j in able)])
        goal = [self.x_balls[int(i), 0] if positive[i] else 0 for i in kept] + [0] * bound.size
        change = table @ along[able]
        falling = positive & (change > 0.0)
        step = 0.5 * float((self.x[falling] / change[falling]).min())
        base = np.where(positive, self.x, 0.0) - step * change
        return Face(
            np.concatenate([self.basis[kept], tight[able]]),
            np.concatenate([base[kept], step * along[able]]),
            self.nu,
            self._value(),
            missed,
            arb_mat(rows),
            column(goal),
        )


def _floats_of_table(balls: Any) -> FloatArray:
    """B^{-1} A rounded to float64, zeros exact."""
    table = floats_of(balls).reshape(balls.nrows(), balls.ncols())
    table[np.abs(table) <= vanishing() * np.abs(table).max(initial=0.0)] = 0.0
    return table


def _inside(table: FloatArray, positive: BoolArray) -> tuple[FloatArray, BoolArray]:
    """A direction into the face, positive wherever that is possible, and which basic x can be.

    With G = B^{-1} A on the tight columns and Z the rows where x_B = 0: v >= 0 with G_Z v <= 0.
    max sum u over u <= v, u <= -G_Z v, 0 <= u <= 1: homogeneous, so that one solution has u = 1
    wherever positive is possible.
    """
    degenerate = np.flatnonzero(~positive & table.any(axis=1))
    count, size = degenerate.size, table.shape[1]
    if count == 0:
        return np.ones(size), positive
    part = table[degenerate]
    rows, columns = equilibrating(Dense(part))
    part = np.ldexp(part, rows[:, None] + columns)
    answer = linprog(
        np.concatenate([np.zeros(size), -np.ones(size + count)]),
        A_ub=np.block(
            [
                [-np.eye(size), np.eye(size), np.zeros((size, count))],
                [part, np.zeros((count, size)), np.eye(count)],
            ]
        ),
        b_ub=np.zeros(size + count),
        bounds=[(0, None)] * size + [(0, 1)] * (size + count),
        method="highs-ds",
        options=OPTIONS,
    )
    if answer.status != 0:
        raise ValueError(answer.message)
    along, positive = answer.x[:size], positive.copy()
    able = answer.x[size : 2 * size] > 0.5
    positive[degenerate] = answer.x[2 * size :] > 0.5
    return np.where(able, np.ldexp(along, columns), 0.0), positive
