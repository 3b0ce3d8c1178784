"""Ends and directions by enumerating vertices in exact rationals, ties broken to 40 digits.

- ``small_end``: min sum_j w_j |rho_j| s.t. Z rho = y; then max sum |rho_j|^{2/L} (L >= 3) or min
  sum |rho_j| (log |rho_j| - log eta_j^2) (L = 2) on the face of its solutions;
- ``large_end``: min sum_j rho_j^2 / W_j s.t. Z rho = y, W_j the product of the offsets;
- ``l1_direction``: min ||rho||_1 s.t. Z rho >= 1, ties as for L = 2;
- ``l2_direction``: min ||rho||_2 s.t. Z rho >= 1.

Small problems only: the number of subsets is bounded, not clever.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from math import comb

from flint import arb, fmpq, fmpq_mat

from reference.precise_curves import WORK, Coordinate, Point, digits, middle, rational
from reference.precise_potential import (
    NoReferenceError,
    follow,
    independent_rows,
    to_float,
)

MOST = 20_000
TIED = 40  # digits to which weighted norms with irrational weights are compared


class Entropy:
    """rho = e^t, s = log rho - log eta^2: the gradient of rho (log rho - log eta^2) but for 1."""

    def __init__(self, square: arb) -> None:
        self.log_square = middle(square.log())

    def start_t(self) -> arb:
        """Where s = 0."""
        return self.log_square

    def base(self, side: int) -> arb:
        """No end."""
        return arb(0)

    def rho(self, t: arb) -> arb:
        """e^t."""
        return t.exp()

    def point(self, t: arb) -> Point:
        """All at t."""
        value = middle(t.exp())
        return Point(value, value, 0, middle(t - self.log_square), arb(1))


class Power:
    """rho = e^t, s = -rho^{-(L-2)/L}: up to a factor the gradient of -rho^{2/L}."""

    def __init__(self, depth: int, weight: arb) -> None:
        self.power = fmpq(depth - 2, depth)
        self.weight = weight

    def start_t(self) -> arb:
        """Where s = -weight, in the range of Z^T on an optimal face."""
        return middle(-self.weight.log() / arb(self.power))

    def base(self, side: int) -> arb:
        """No end."""
        return arb(0)

    def rho(self, t: arb) -> arb:
        """e^t."""
        return t.exp()

    def point(self, t: arb) -> Point:
        """All at t."""
        value, slack = middle(t.exp()), middle((-t * arb(self.power)).exp())
        return Point(value, value, 0, -slack, middle(arb(self.power) * slack))


def _solved(Z: list[list[fmpq]], y: list[fmpq], columns: Sequence[int]) -> list[fmpq] | None:
    """The square system on some columns."""
    matrix = fmpq_mat([[row[j] for j in columns] for row in Z])
    try:
        found = matrix.solve(fmpq_mat([[value] for value in y]))
    except ZeroDivisionError:
        return None
    return [found[i, 0] for i in range(len(columns))]


def _best(candidates: Iterator[list[fmpq]], cost) -> list[list[fmpq]]:
    """The cheapest, to TIED digits; ``cost`` gives a ball, or None where it is infinite."""
    best: arb | None = None
    kept: list[list[fmpq]] = []
    with digits(WORK):
        for rho in candidates:
            value = cost(rho)
            if value is None:
                continue
            close = arb(10) ** -TIED * value
            if best is None or value < best - close:
                best, kept = value, [rho]
            elif not value > best + close and rho not in kept:
                kept.append(rho)
    if not kept:
        raise NoReferenceError("no point satisfies the constraints")
    return kept


def small_end(
    Z: Sequence[Sequence[float]], y: Sequence[float], layers: Sequence[Sequence[float]]
) -> list[float]:
    """The limit as alpha -> 0, for layers (L, m)."""
    depth = len(layers)
    rows = [[rational(value) for value in row] for row in Z]
    target = [rational(value) for value in y]
    width = len(layers[0])
    curves = [Coordinate([layer[j] for layer in layers]) for j in range(width)]
    alive = [j for j in range(width) if not curves[j].dead]
    kept = independent_rows([[row[j] for j in alive] for row in rows], target) if alive else []
    rows, target, rank = [rows[i] for i in kept], [target[i] for i in kept], len(kept)
    if comb(len(alive), rank) > MOST:
        raise NoReferenceError("too many vertices")

    def cost(rho: list[fmpq]) -> arb | None:
        total = arb(0)
        for curve, value in zip(curves, rho, strict=True):
            side = (value > 0) - (value < 0)
            if side and curve.locked and side != curve.side:
                return None
            if side:
                total += abs(arb(value)) * _weight(curve, side)
        return total

    def vertices() -> Iterator[list[fmpq]]:
        for chosen in combinations(alive, rank):
            found = _solved(rows, target, chosen)
            if found is not None:
                yield _spread(found, chosen, width)

    best = _best(vertices(), cost)
    if len(best) == 1:
        return [to_float(arb(value)) for value in best[0]]
    signs = _signs(best)

    def tie_curve(j: int) -> Entropy | Power:
        if depth == 2:
            return Entropy(_square(layers[0][j], layers[1][j], signs[j]))
        return Power(depth, _weight(curves[j], signs[j]))

    return _broken(rows, target, signs, tie_curve)


def _weight(curve: Coordinate, side: int) -> arb:
    return arb(1) if curve.depth == 2 else abs(curve.base(side))


def _square(first: float, second: float, side: int) -> arb:
    """eta^2 of a two-layer coordinate on a side: (p_1 +- p_2)^2 / 4."""
    return arb((rational(first) + side * rational(second)) ** 2 / 4)


def _spread(values: list[fmpq], columns: Sequence[int], width: int) -> list[fmpq]:
    full = [fmpq(0)] * width
    for j, value in zip(columns, values, strict=True):
        full[j] = value
    return full


def _signs(points: list[list[fmpq]]) -> list[int]:
    """The sign of each coordinate on the face, 0 where it is 0 at all vertices."""
    return [
        (any(rho[j] > 0 for rho in points)) - (any(rho[j] < 0 for rho in points))
        for j in range(len(points[0]))
    ]


def _broken(rows: list[list[fmpq]], target: list[fmpq], signs: list[int], curve) -> list[float]:
    """The point of the face that the next order picks."""
    used = [j for j, sign in enumerate(signs) if sign]
    face = [[row[j] * signs[j] for j in used] for row in rows]
    kept = independent_rows(face, target)
    with digits(WORK):
        curves = [curve(j) for j in used]
    found = follow([face[i] for i in kept], curves, lambda: [arb(target[i]) for i in kept])
    answer = [0.0] * len(signs)
    for j, value in zip(used, found.rho, strict=True):
        answer[j] = signs[j] * to_float(value)
    return answer


def large_end(
    Z: Sequence[Sequence[float]], y: Sequence[float], layers: Sequence[Sequence[float]]
) -> list[float]:
    """The limit as alpha -> infinity where the smallest layer of each coordinate is 0."""
    rows = [[rational(value) for value in row] for row in Z]
    target = [rational(value) for value in y]
    kept = independent_rows(rows, target)
    rows, target = [rows[i] for i in kept], [target[i] for i in kept]
    weights = []
    for j in range(len(layers[0])):
        sizes = sorted(rational(layer[j]) ** 2 for layer in layers)
        if sizes[0] != 0:
            raise NoReferenceError("beta(0) is not 0")
        product = fmpq(1)
        for value in sizes[1:]:
            product *= value
        weights.append(product)
    return [to_float(arb(value)) for value in weighted_least_norm(rows, target, weights)]


def weighted_least_norm(
    rows: list[list[fmpq]], target: list[fmpq], weights: list[fmpq]
) -> list[fmpq]:
    """W Z^T (Z W Z^T)^{-1} y, exact; rows independent."""
    if not rows:
        return [fmpq(0)] * len(weights)
    matrix = fmpq_mat(rows)
    scaled = fmpq_mat([[a * w for a, w in zip(row, weights, strict=True)] for row in rows])
    try:
        nu = (matrix * scaled.transpose()).solve(fmpq_mat([[value] for value in target]))
    except ZeroDivisionError:
        raise NoReferenceError("no solution off the dead coordinates") from None
    found = scaled.transpose() * nu
    return [found[j, 0] for j in range(len(weights))]


def minimum_norm(X: Sequence[Sequence[float]], y: Sequence[float]) -> list[float]:
    """X^+ y."""
    rows = [[rational(value) for value in row] for row in X]
    target = [rational(value) for value in y]
    kept = independent_rows(rows, target)
    found = weighted_least_norm(
        [rows[i] for i in kept], [target[i] for i in kept], [fmpq(1)] * len(rows[0])
    )
    return [to_float(arb(value)) for value in found]


def l1_direction(
    Z: Sequence[Sequence[float]], layers: Sequence[Sequence[float]]
) -> tuple[list[float], bool]:
    """The two-layer direction with smallest margin 1, and whether several points tie.

    Rows y_i x_i^T S^T, layers (2, m). A tie is broken only where all points are on the margin: a
    point off it stops pulling after a while, and its finite part of nu = int exp(-margins) dt moves
    the end on the face, which no limit problem knows.
    """
    rows = [[rational(value) for value in row] for row in Z]
    width = len(rows[0])
    curves = [Coordinate([layer[j] for layer in layers]) for j in range(width)]
    alive = [j for j in range(width) if not curves[j].dead]
    if comb(len(alive) + len(rows), len(rows)) > MOST:
        raise NoReferenceError("too many vertices")

    def cost(rho: list[fmpq]) -> arb | None:
        for curve, value in zip(curves, rho, strict=True):
            if value != 0 and curve.locked and (value > 0) != (curve.side > 0):
                return None
        return arb(sum((abs(value) for value in rho), fmpq(0)))

    best = _best(_margin_vertices(rows, alive, width), cost)
    if len(best) == 1:
        return [to_float(arb(value)) for value in best[0]], False
    if any(_times(row, rho) != 1 for row in rows for rho in best):
        raise NoReferenceError("points off the margin have pulled on the face")

    def curve(j: int) -> Entropy:
        return Entropy(_square(layers[0][j], layers[1][j], signs[j]))

    signs = _signs(best)
    return _broken(rows, [fmpq(1)] * len(rows), signs, curve), True


def _times(row: list[fmpq], rho: list[fmpq]) -> fmpq:
    return sum((a * b for a, b in zip(row, rho, strict=True)), fmpq(0))


def _margin_vertices(rows: list[list[fmpq]], alive: list[int], width: int) -> Iterator[list[fmpq]]:
    """Basic points of Z rho >= 1: as many columns as tight rows."""
    for size in range(1, min(len(rows), len(alive)) + 1):
        for tight in combinations(range(len(rows)), size):
            for chosen in combinations(alive, size):
                found = _solved([rows[i] for i in tight], [fmpq(1)] * size, chosen)
                if found is None:
                    continue
                rho = _spread(found, chosen, width)
                if all(_times(row, rho) >= 1 for row in rows):
                    yield rho


def l2_direction(Z: Sequence[Sequence[float]]) -> list[float]:
    """The point of least norm with all margins at least 1, exact before it is rounded."""
    rows = [[rational(value) for value in row] for row in Z]
    if 2 ** len(rows) > MOST:
        raise NoReferenceError("too many active sets")
    for size in range(1, min(len(rows), len(rows[0])) + 1):
        for tight in combinations(range(len(rows)), size):
            matrix = fmpq_mat([rows[i] for i in tight])
            try:
                a = (matrix * matrix.transpose()).solve(fmpq_mat([[1]] * size))
            except ZeroDivisionError:
                continue
            if any(a[i, 0] < 0 for i in range(size)):
                continue
            found = matrix.transpose() * a
            beta = [found[j, 0] for j in range(len(rows[0]))]
            if all(_times(row, beta) >= 1 for row in rows):
                return [to_float(arb(value)) for value in beta]
    raise NoReferenceError("not separable")
