"""Separability decided in rational arithmetic, for small problems. Slow on purpose.

Floats are rationals, so Gordan's alternative has an exact answer: a simplex method over
``fractions.Fraction`` with Bland's rule either finds a >= 0, sum a = 1, Z^T a = 0, or ends with
multipliers that give z with Z z > 0. Both are checked exactly before they are returned.
"""

from __future__ import annotations

from fractions import Fraction


def rational_rows(X, y):
    """Rows y_i x_i as lists of fractions."""
    return [
        [Fraction(float(value)) * (1 if label > 0 else -1) for value in row]
        for row, label in zip(X, y, strict=True)
    ]


def exact_separability(X, y):
    """Return ("separable", z) or ("not separable", a), exact fractions."""
    rows = rational_rows(X, y)
    size = len(rows[0])
    # minimise the sum of artificials s in [Z^T; 1^T] a + s = e, a, s >= 0
    table = [[row[j] for row in rows] for j in range(size)] + [[Fraction(1)] * len(rows)]
    goal = [Fraction(0)] * size + [Fraction(1)]
    weights, multipliers = _phase_one(table, goal)
    if weights is not None:
        assert min(weights) >= 0
        assert sum(weights) == 1
        assert all(
            sum(a * row[j] for a, row in zip(weights, rows, strict=True)) == 0 for j in range(size)
        )
        return "not separable", weights
    vector = [-m for m in multipliers[:size]]
    assert min(margins(rows, vector)) > 0
    return "separable", vector


def margins(rows, vector):
    """Exact z_i^T vector."""
    return [sum(z * v for z, v in zip(row, vector, strict=True)) for row in rows]


def _phase_one(table, goal):
    """Feasible a of table a = goal >= 0, or the multipliers that prove there is none."""
    height, width = len(table), len(table[0])
    body = [
        row + [Fraction(int(i == k)) for k in range(height)] + [value]
        for i, (row, value) in enumerate(zip(table, goal, strict=True))
    ]
    basis = list(range(width, width + height))
    cost = [-sum(row[j] for row in body) for j in range(width)] + [Fraction(0)] * height
    cost.append(-sum(row[-1] for row in body))
    while True:
        entering = next((j for j in range(width) if cost[j] < 0), None)
        if entering is None:
            break
        candidates = [i for i in range(height) if body[i][entering] > 0]
        leaving = min(candidates, key=lambda i: (body[i][-1] / body[i][entering], basis[i]))
        _pivot(body, cost, leaving, entering)
        basis[leaving] = entering
    if cost[-1] == 0:
        weights = [Fraction(0)] * width
        for i, j in enumerate(basis):
            if j < width:
                weights[j] = body[i][-1]
        return weights, None
    # reduced cost of artificial k is 1 - multiplier_k (it started at 0 with basis cost 1)
    return None, [-cost[width + k] + 1 for k in range(height)]


def _pivot(body, cost, leaving, entering):
    pivot = body[leaving][entering]
    body[leaving] = [value / pivot for value in body[leaving]]
    for row in [*(r for i, r in enumerate(body) if i != leaving), cost]:
        factor = row[entering]
        if factor != 0:
            row[:] = [
                value - factor * above for value, above in zip(row, body[leaving], strict=True)
            ]
