"""The limit of a regression in decoupled real coordinates, to any number of digits, at any scale.

    Z rho(t) = y,    s_j(t_j) = z_j^T nu

is solved by Newton's method in t, along targets w_0 Z rho(0) + w_1 y with w_0 from 1 to 0 and w_1
from 0 to 1, both in logarithms: all of them are reachable, and nu = 0 solves the first. Data and
starts are taken as the rationals they are; the scale only divides the target by alpha^L. How many
digits a step needs is read off its balls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb, arb_mat, fmpq, fmpq_mat
from scipy.optimize import linprog

from reference.precise_curves import WORK, Coordinate, Point, digits, middle, rational

FINAL = 40  # digits of t
COARSE = arb("1e-4")
LARGEST_DIGITS = 20_000
PARALLEL = 1e-6  # columns closer than this are beyond what linear programs in floats resolve


class NoReferenceError(Exception):
    """The reference found no answer: no solution, or none that it could follow."""


@dataclass
class Solution:
    """Rho in units of alpha^L, t and the digits that were needed."""

    rho: list[arb]
    t: list[arb]
    digits: int


def independent_rows(Z: list[list[fmpq]], y: list[fmpq]) -> list[int]:
    """Indices of rows with the same solutions; refused where there is none."""
    with_target = fmpq_mat([[*row, target] for row, target in zip(Z, y, strict=True)])
    reduced, rank = with_target.transpose().rref()
    pivots = [next(j for j in range(reduced.ncols()) if reduced[i, j] != 0) for i in range(rank)]
    if fmpq_mat(Z).rank() < rank:
        raise NoReferenceError("the rows contradict each other")
    return pivots


def limit(
    Z: Sequence[Sequence[float]],
    y: Sequence[float],
    layers: Sequence[Sequence[float]],
    scale: float | None = None,
    *,
    log_scale: float | None = None,
) -> list[float]:
    """beta = rho in actual units as floats, for layers (L, m) times the scale."""
    return [to_float(value) for value in precise_limit(Z, y, layers, scale, log_scale=log_scale)]


def precise_limit(
    Z: Sequence[Sequence[float]],
    y: Sequence[float],
    layers: Sequence[Sequence[float]],
    scale: float | None = None,
    *,
    log_scale: float | None = None,
) -> list[arb]:
    """The same with all digits, for those who add them up."""
    depth, width = len(layers), len(layers[0])
    rows = [[rational(value) for value in row] for row in Z]
    target = [rational(value) for value in y]
    curves = [Coordinate([layer[j] for layer in layers]) for j in range(width)]
    alive = moving_coordinates(rows, target, curves)
    if not alive:
        if any(value != 0 for value in target):
            raise NoReferenceError("every coordinate stays at 0, which does not meet y")
        return [arb(0)] * width
    rows = [[row[j] for j in alive] for row in rows]
    kept = independent_rows(rows, target)
    rows = [rows[i] for i in kept]

    def factor() -> arb:
        """alpha^L at the digits in force."""
        alpha = arb(rational(scale)) if log_scale is None else arb(rational(log_scale)).exp()
        return alpha**depth

    def scaled() -> list[arb]:
        return [middle(arb(target[i]) / factor()) for i in kept]

    found = follow(rows, [curves[j] for j in alive], scaled)
    answer = [arb(0)] * width
    with digits(found.digits):
        for j, value in zip(alive, found.rho, strict=True):
            answer[j] = middle(value * factor())
    return answer


def nearly_parallel(table: np.ndarray) -> bool:
    """Whether two columns are, and not equal."""
    lengths = np.linalg.norm(table, axis=0)
    unit = table / np.where(lengths > 0.0, lengths, 1.0)
    apart = np.minimum(
        *(np.abs(unit[:, :, None] + side * unit[:, None, :]).max(axis=0) for side in (1.0, -1.0))
    )
    return bool(np.any((apart > 0.0) & (apart < PARALLEL)))


def moving_coordinates(
    Z: list[list[fmpq]], y: list[fmpq], curves: Sequence[Coordinate]
) -> list[int]:
    """Those that are not 0 in every solution of Z rho = y with the signs that the curves can take.

    By linear programs in floats; refused where they leave it open.
    """
    alive = [j for j, curve in enumerate(curves) if not curve.dead]
    locked = [j for j in alive if curves[j].locked]
    if not locked:
        return alive
    signs = [curves[j].side if curves[j].locked else 1 for j in alive]
    lengths = [max((abs(row[j]) for row in Z), default=0) or fmpq(1) for j in alive]
    size = max((abs(value) for value in y), default=fmpq(0)) or fmpq(1)
    table = np.array(
        [
            [
                to_float(arb(row[j] * sign / size))
                for j, sign, size in zip(alive, signs, lengths, strict=True)
            ]
            + [0.0]
            for row in Z
        ]
    )
    target = np.array([to_float(arb(value / size)) for value in y])
    bounds = [(0.0 if curves[j].locked else None, None) for j in alive]
    forced = set()
    for j in locked:  # max w s.t. w <= rho_j, w <= 1
        above = np.zeros((1, len(alive) + 1))
        above[0, alive.index(j)], above[0, -1] = -1.0, 1.0
        cost = np.append(np.zeros(len(alive)), -1.0)
        found = linprog(cost, above, [0.0], table, target, [*bounds, (None, 1.0)], method="highs")
        if found.status != 0:
            raise NoReferenceError("no solution has the signs that the start allows")
        if -found.fun < 1e-9 and not nearly_parallel(table[:, :-1]):
            forced.add(j)
        elif -found.fun < 1e-6:
            raise NoReferenceError("whether a coordinate is forced to 0 is left open")
    return [j for j in alive if j not in forced]


def to_float(value: arb) -> float:
    """The nearest float, 0 or inf beyond them."""
    if value == 0:
        return 0.0
    size = abs(value).log() / arb(10).log()
    if size < -330:
        return 0.0
    if size > 308:
        return float("inf") if value > 0 else float("-inf")
    mantissa, exponent = (int(part) for part in middle(value).man_exp())
    return float(Fraction(mantissa) * Fraction(2) ** exponent)


class Follower:
    """Newton's method for one target after the other."""

    def __init__(self, Z: list[list[fmpq]], curves: Sequence[Coordinate]) -> None:
        self.Z, self.curves = Z, curves
        sizes = [float(abs(arb(value)).log()) for row in Z for value in row if value != 0]
        self.extra = int((max(sizes) - min(sizes)) / 2.3) if sizes else 0
        self.digits = 2 * WORK + 2 * self.extra

    def columns(self) -> list[list[arb]]:
        """Z as balls, at the digits in force."""
        return [[arb(value) for value in row] for row in self.Z]

    def step(self, t: list[arb], target, change=None) -> list[arb]:
        """One Newton step in t (or the tangent, where the target changes by ``change``)."""
        while True:
            if self.digits > LARGEST_DIGITS:
                raise NoReferenceError(f"more than {LARGEST_DIGITS} digits")
            with digits(self.digits):
                points = [curve.point(value) for curve, value in zip(self.curves, t, strict=True)]
                found = self._solve(points, target, change)
            if found is not None:
                return found
            self.digits = int(1.5 * self.digits)

    def _solve(self, points: list[Point], target, change) -> list[arb] | None:
        Z, width = self.columns(), len(points)
        weights = [middle(one.rho_slope / one.s_slope) for one in points]
        s = [
            curve.base(one.side) + one.part for curve, one in zip(self.curves, points, strict=True)
        ]
        gram = [
            [
                middle(sum((w * a * b for w, a, b in zip(weights, u, v, strict=True)), arb(0)))
                for v in Z
            ]
            for u in Z
        ]
        if change is None:
            right = [
                goal
                - sum((a * one.rho for a, one in zip(row, points, strict=True)), arb(0))
                + sum((a * w * value for a, w, value in zip(row, weights, s, strict=True)), arb(0))
                for goal, row in zip(target(), Z, strict=True)
            ]
        else:
            right = change()
        try:
            nu = arb_mat(gram).solve(arb_mat([[value] for value in right]))
        except ZeroDivisionError:
            return None
        steps = []
        for j in range(width):
            pull = sum((Z[i][j] * nu[i, 0] for i in range(len(Z))), arb(0))
            rest = pull if change is not None else pull - s[j]
            steps.append(rest / points[j].s_slope)
        size = max(abs(float(value.mid())) if abs(value) < 1e300 else 1e300 for value in steps)
        allowed = max(size * 1e-3, 10.0 ** -(FINAL + 5))
        if any(not value.is_finite() or value.rad() > allowed for value in steps):
            return None
        return [middle(value) for value in steps]

    def correct(self, t: list[arb], target, accuracy, most: int = 12) -> list[arb] | None:
        """Newton's method to an accuracy; None where it does not converge."""
        before = None
        for _ in range(most):
            steps = self.step(t, target)
            size = max(abs(value) for value in steps)
            if before is not None and not size < 0.7 * before and size > 1e-2:
                return None
            if size > 3:
                return None
            with digits(self.digits):
                t = [middle(value + step) for value, step in zip(t, steps, strict=True)]
            if size < accuracy:
                return t
            before = size
        return None


def follow(Z: list[list[fmpq]], curves: Sequence[Coordinate], target, start=None) -> Solution:
    """t with Z rho(t) = target() and s(t) in the range of Z^T.

    ``start``: a t with s(t) in that range, where it is not the curves' own start.
    """
    newton = Follower(Z, curves)

    def first() -> list[arb]:
        own = [curve.start_t() for curve in curves] if start is None else start
        values = [curve.rho(value) for curve, value in zip(curves, own, strict=True)]
        return [
            middle(sum((arb(a) * b for a, b in zip(row, values, strict=True)), arb(0))) for row in Z
        ]

    with digits(newton.digits):
        t = [curve.start_t() for curve in curves] if start is None else list(start)
    t = _phase(newton, t, first, target, rising=True)
    if any(value != 0 for value in first()):
        t = _phase(newton, t, target, first, rising=False)
    t = newton.correct(t, target, arb(10) ** -FINAL, most=40)
    if t is None:
        raise NoReferenceError("Newton's method does not converge at the target")
    with digits(newton.digits):
        rho = [middle(curve.rho(value)) for curve, value in zip(curves, t, strict=True)]
    return Solution(rho, t, newton.digits)


def _phase(newton: Follower, t: list[arb], fixed, moving, rising: bool) -> list[arb]:
    """From fixed to fixed + moving (rising), or back; the weight of moving is e^-left."""

    def weight(left: arb) -> arb:
        with digits(WORK):
            return middle((-left).exp())

    def at(left: arb):
        factor = weight(left)
        return lambda: [a + factor * b for a, b in zip(fixed(), moving(), strict=True)]

    def pull(left: arb):
        factor = weight(left)
        return lambda: [factor * value for value in moving()]

    if all(value == 0 for value in moving()):
        return t
    here = fixed if rising else at(arb(0))
    tangent = newton.step(t, here, lambda: moving())
    size = max(abs(value) for value in tangent)
    if rising:
        left = middle((size * 8).log()) if size * 8 > 1 else arb(0)
        found = None
        for _ in range(8):
            found = newton.correct(t, at(left), COARSE)
            if found is not None:
                break
            left += 5
        if found is None:
            raise NoReferenceError("no first step")
        t = found
    else:
        left = arb(0)
    step = arb(1)
    for _ in range(600):
        if rising and left <= 0:
            return t
        tangent = newton.step(t, at(left), pull(left))
        if not rising and max(abs(value) for value in tangent) < 0.05:
            return t  # what is left of it moves nothing
        move = min(step, left) if rising else step
        trial = move if rising else -move
        with digits(newton.digits):
            guess = [middle(a + trial * b) for a, b in zip(t, tangent, strict=True)]
            after = middle(left - trial)
        found = newton.correct(guess, at(after), COARSE, most=6)
        if found is None:
            step = middle(move / 3)
            if step < 1e-8:
                raise NoReferenceError("the path cannot be followed")
            continue
        t, left, step = found, after, middle(move * 2)
    raise NoReferenceError("the path takes too many steps")
