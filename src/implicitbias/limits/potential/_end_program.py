"""The linear program of the small-scale end: min sum_j w_j^{sign rho_j} |rho_j| s.t. Z rho = y.

Rows and columns of Z are multiplied by powers of two until the largest entry of each is about 1,
and weights and targets by one more power each: nothing is rounded, and the tolerances of the
solver mean the same in any units. Signed columns (z_j, then -z_j) are numbered 0 .. 2 m - 1.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from implicitbias._arrays import (
    FloatArray,
    IntArray,
    NumericArray,
)
from implicitbias.coordinates import ScalarCurves
from implicitbias.features import Features
from implicitbias.limits._equilibrating import equilibrating
from implicitbias.limits._linear_program import linprog

OPTIONS = {
    "presolve": False,  # it finds little in dense rows and takes half of the time
    "primal_feasibility_tolerance": 1e-10,
    "dual_feasibility_tolerance": 1e-10,
}


@dataclass(frozen=True, eq=False)
class EndProgram:
    """min c^T x s.t. A x = b, x >= 0 with A = [Z, -Z] in units of powers of two.

    Attributes
    ----------
    features
        Z in these units, (n, m).
    target
        b, (n,), the largest entry between 1/2 and 1.
    cost
        c, (2 m,); inf where that sign is locked.
    row_exponents, column_exponents
        nu = 2^{rows + cost_exponent} nu', rho = 2^{columns + target_exponent} x.
    """

    features: Features
    target: FloatArray
    cost: FloatArray
    row_exponents: IntArray
    column_exponents: IntArray
    target_exponent: int
    cost_exponent: int

    @property
    def size(self) -> int:
        """m."""
        return int(self.features.shape[1])

    @property
    def cost_spread(self) -> int:
        """Binary digits between the largest and the smallest cost."""
        return int(np.ptp(np.frexp(self.cost[np.isfinite(self.cost)])[1]))

    def sizes(self, chosen: IntArray) -> FloatArray:
        """What one unit of x is in rho, (k,), relative to the largest of them."""
        exponents = self.column_exponents[chosen % self.size]
        return np.asarray(np.ldexp(1.0, exponents - exponents.max()))

    def columns(self, chosen: IntArray) -> FloatArray:
        """Dense signed columns, (n, k)."""
        part = self.features.columns(chosen % self.size)
        return np.asarray(part * np.where(chosen < self.size, 1.0, -1.0))

    def slopes(self, nu: FloatArray) -> FloatArray:
        """A^T nu, (2 m,)."""
        slope = self.features.T @ nu
        return np.concatenate([slope, -slope])

    def slope_sizes(self, nu: FloatArray) -> FloatArray:
        """|A|^T |nu|, (2 m,): what the rounding of a slope is relative to."""
        return np.tile(self.features.absolute_transposed(nu), 2)

    def rho(self, chosen: IntArray, x: FloatArray) -> FloatArray:
        """The coordinates, (m,), of x on the signed columns ``chosen``."""
        rho = np.zeros(self.size)
        place = chosen % self.size
        exponents = self.column_exponents[place] + self.target_exponent
        rho[place] = np.where(chosen < self.size, 1.0, -1.0) * np.ldexp(x, exponents)
        return rho

    def dual(self, nu: FloatArray) -> FloatArray:
        """The dual point in the units of the weights and of y."""
        return np.ldexp(nu, self.row_exponents + self.cost_exponent)


def end_program(
    features: Features, target: FloatArray, weights: tuple[FloatArray, FloatArray]
) -> EndProgram:
    """The program for w^- and w^+, (m,) each, in units in which it is easy to solve."""
    rows, columns = equilibrating(features)
    scaled = features.scaled(np.ldexp(1.0, rows), np.ldexp(1.0, columns))
    target_exponent = int(np.frexp(np.abs(np.ldexp(target, rows)).max())[1])
    below, above = (np.ldexp(side, columns) for side in weights)
    cost = np.concatenate([above, below])
    cost_exponent = int(np.frexp(np.median(cost[np.isfinite(cost)]))[1])
    return EndProgram(
        scaled,
        np.ldexp(target, rows - target_exponent),
        np.ldexp(cost, -cost_exponent),
        rows,
        columns,
        target_exponent,
        cost_exponent,
    )


def solve_program(program: EndProgram) -> tuple[FloatArray, FloatArray] | None:
    """A vertex x, (2 m,), and its dual point nu, (n,), as HiGHS claims them; None if it fails."""
    allowed = np.isfinite(program.cost)
    up, down = (np.flatnonzero(side) for side in np.split(allowed, 2))
    answer = linprog(
        program.cost[allowed],
        A_eq=program.features.signed_columns(up, down),
        b_eq=program.target,
        method="highs-ds",
        options=OPTIONS,
    )
    if answer.status != 0:
        return None
    x = np.zeros(allowed.size)
    x[allowed] = answer.x
    return x, np.asarray(answer.eqlin.marginals)


def end_weights(curves: ScalarCurves) -> tuple[FloatArray, FloatArray]:
    """w^- and w^+, (m,) each: the length of the clock to either side; inf: that sign is locked."""
    sign = curves.orientation
    if curves.depth == 2:
        below = above = np.ones(curves.size)
    else:
        below, above = curves.clock_lengths()
        unit = np.exp((curves.depth - 2) * (curves.log_unit.min() - curves.log_unit))
        below, above = below * unit, above * unit
    return (
        np.where(curves.dead | (curves.locked & (sign > 0)), np.inf, below),
        np.where(curves.dead | (curves.locked & (sign < 0)), np.inf, above),
    )


class ExactCosts:
    """The costs of signed columns as rationals, in exact proportion where their curves are similar.

    A start times r has the weights times r^{2 - L}. So with the layers at the start, (k, m),
    similar coordinates have weights in the ratio of exact powers, and only the weight of the first
    of each kind is taken from float64.
    """

    def __init__(
        self, program: EndProgram, curves: ScalarCurves, start: NumericArray | None
    ) -> None:
        self.program, self.curves = program, curves
        self.start = None if start is None or np.iscomplexobj(start) else np.asarray(start.real)
        self._units: dict[Hashable, Fraction] = {}

    def __call__(self, chosen: IntArray) -> list[Fraction]:
        """c_j for j in ``chosen``."""
        return [self._cost(int(j)) for j in chosen]

    def _cost(self, j: int) -> Fraction:
        program, place = self.program, j % self.program.size
        shift = int(program.column_exponents[place]) - program.cost_exponent
        if self.curves.depth == 2:
            return Fraction(2) ** shift
        cost = Fraction(float(program.cost[j]))
        if self.start is None:
            return cost
        side = 1.0 if j < program.size else -1.0
        kind, factor = self.curves.kind(self.start[:, place], side)
        power = factor * Fraction(2) ** shift
        return self._units.setdefault(kind, cost / power) * power
