"""The limit at scale 0 by definition: an exact linear program, then Newton's method in mpmath.

min sum_j w_j |rho_j| s.t. Z rho = y by the simplex method on fractions (Bland's rule); which
coordinates can be positive on the optimal face by maximising each of them there; then, over those,
max sum_j rho_j^{2/L} (L >= 3) or min sum_j rho_j (log rho_j - 2 log eta_j) (L = 2) by damped Newton
on a null space in fractions.
"""

from __future__ import annotations

from fractions import Fraction

import mpmath as mp
import numpy as np


def end(features, target, weights, depth, eta, digits=50):
    """rho as float64 (m,), and the least weighted norm as a Fraction.

    ``weights`` are numbers that are exact as Fractions; locked signs are not covered.
    """
    z = [[Fraction(float(v)) for v in row] for row in features]
    rows = [[*row, *(-v for v in row)] for row in z]
    right = [Fraction(float(v)) for v in target]
    cost = [Fraction(w) for w in weights] * 2
    value, _, reduced = simplex(rows, right, cost)
    tight = [j for j, d in enumerate(reduced) if d == 0]
    face = [[row[j] for j in tight] for row in rows]
    corners = []
    for place in range(len(tight)):
        top = simplex(face, right, [Fraction(-(k == place)) for k in range(len(tight))])
        if top[0] < 0:
            corners.append((place, top[1]))
    keep = [place for place, _ in corners]
    inside = [sum(c[place] for _, c in corners) / len(corners) for place in keep]
    part = [[row[place] for place in keep] for row in face]
    with mp.workdps(digits):
        logs = [mp.log(abs(mp.mpf(float(eta[tight[p] % len(weights)])))) for p in keep]
        x = _interior(part, inside, depth, logs)
    rho = np.zeros(len(weights))
    for place, size in zip(keep, x, strict=True):
        j = tight[place]
        rho[j % len(weights)] = float(size) * (1 if j < len(weights) else -1)
    return rho, value


def simplex(rows, right, cost):
    """min c^T x, A x = b, x >= 0 on fractions: value, a vertex, and the reduced costs."""
    n, m = len(rows), len(cost)
    signs = [-1 if b < 0 else 1 for b in right]
    table = [
        [s * v for v in row] + [Fraction(int(i == k)) for k in range(n)] + [s * b]
        for i, (row, b, s) in enumerate(zip(rows, right, signs, strict=True))
    ]
    basis = list(range(m, m + n))
    _optimise(table, basis, [Fraction(0)] * m + [Fraction(1)] * n, m + n)
    if _value(table, basis, [Fraction(0)] * m + [Fraction(1)] * n) != 0:
        raise ValueError("infeasible")
    for i in range(n):  # artificial variables at 0 leave, or their row is redundant
        if basis[i] >= m:
            able = [j for j in range(m) if table[i][j] != 0]
            if able:
                _pivot(table, basis, i, able[0])
    whole = [*cost, *([Fraction(0)] * n)]
    reduced = _optimise(table, basis, whole, m)
    x = [Fraction(0)] * (m + n)
    for i, j in enumerate(basis):
        x[j] = table[i][-1]
    return _value(table, basis, whole), x[:m], reduced[:m]


def _value(table, basis, cost):
    return sum(cost[j] * row[-1] for j, row in zip(basis, table, strict=True))


def _optimise(table, basis, cost, allowed):
    while True:
        reduced = [
            cost[j] - sum(cost[b] * row[j] for b, row in zip(basis, table, strict=True) if row[j])
            for j in range(len(cost))
        ]
        entering = next((j for j in range(allowed) if reduced[j] < 0), None)
        if entering is None:
            return reduced
        ratios = [
            (row[-1] / row[entering], basis[i], i)
            for i, row in enumerate(table)
            if row[entering] > 0
        ]
        _pivot(table, basis, min(ratios)[2], entering)


def _pivot(table, basis, row, column):
    pivot = table[row][column]
    table[row] = [v / pivot for v in table[row]]
    for i, other in enumerate(table):
        factor = other[column]
        if i != row and factor:
            table[i] = [v - factor * p for v, p in zip(other, table[row], strict=True)]
    basis[row] = column


def null_space(rows):
    """A basis of {x: A x = 0} in fractions, one vector a list."""
    table, pivots, size = [list(row) for row in rows], [], len(rows[0])
    for column in range(size):
        count = len(pivots)
        row = next((i for i in range(count, len(table)) if table[i][column]), None)
        if row is None:
            continue
        table[count], table[row] = table[row], table[count]
        _pivot(table, [0] * len(table), count, column)
        pivots.append(column)
    vectors = []
    for free in (j for j in range(size) if j not in pivots):
        vector = [Fraction(int(j == free)) for j in range(size)]
        for i, column in enumerate(pivots):
            vector[column] = -table[i][free]
        vectors.append(vector)
    return vectors


def _interior(rows, inside, depth, logs):
    """The tie-break from an interior point, by damped Newton along the null space."""
    x = [mp.mpf(v.numerator) / v.denominator for v in inside]
    null = [[mp.mpf(v.numerator) / v.denominator for v in vector] for vector in null_space(rows)]
    if not null:
        return x
    power = mp.mpf(2) / depth
    for _ in range(300):
        if depth == 2:
            slope = [mp.log(v) - 2 * e for v, e in zip(x, logs, strict=True)]
            bend = [1 / v for v in x]
        else:
            slope = [-(v ** (power - 1)) for v in x]
            bend = [(1 - power) * v ** (power - 2) for v in x]
        gradient = mp.matrix([mp.fdot(vector, slope) for vector in null])
        curvature = mp.matrix(
            [
                [mp.fsum(a * b * h for a, b, h in zip(v, w, bend, strict=True)) for w in null]
                for v in null
            ]
        )
        step = mp.lu_solve(curvature, -gradient)
        dx = [mp.fsum(step[k] * null[k][j] for k in range(len(null))) for j in range(len(x))]
        length = max(abs(d / v) for d, v in zip(dx, x, strict=True))
        width = min(mp.mpf(1), 1 / (1 + length) if length > mp.mpf("0.1") else 1)
        x = [v + width * d for v, d in zip(x, dx, strict=True)]
        if length < mp.mpf(10) ** (10 - mp.mp.dps):
            return x
    raise RuntimeError("no convergence")
