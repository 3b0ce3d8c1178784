"""Saddles of gradient flow at vanishing scale in rational numbers, by trying all active sets.

With budgets w^- and w^+ of the clocks S = Z^T N, N(0) = 0: dN/dT = y - Z rho, rho the least squares
among the rho_j >= 0 where S_j = w_j^+, <= 0 where S_j = -w_j^-, and 0 elsewhere. Every subset of
independent columns is tried; the one that satisfies the optimality conditions gives the fit, which
is unique, and with it the velocity.
"""

from fractions import Fraction
from itertools import combinations


def solved(matrix, right):
    """The solution of a square system of Fractions; None where it is singular."""
    size = len(matrix)
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for k in range(size):
        pivot = next((i for i in range(k, size) if rows[i][k] != 0), None)
        if pivot is None:
            return None
        rows[k], rows[pivot] = rows[pivot], rows[k]
        for i in range(size):
            if i != k and rows[i][k] != 0:
                factor = rows[i][k] / rows[k][k]
                rows[i] = [a - factor * b for a, b in zip(rows[i], rows[k], strict=True)]
    return [rows[k][size] / rows[k][k] for k in range(size)]


def dot(a, b):
    return sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0))


def velocity(columns, target, tight):
    """y - Z rho for the signs {j: sign} of tight clocks."""
    indices = sorted(tight)
    for size in range(len(indices) + 1):
        for chosen in combinations(indices, size):
            gram = [[dot(columns[i], columns[j]) for j in chosen] for i in chosen]
            rho = solved(gram, [dot(columns[i], target) for i in chosen])
            if rho is None or any(r * tight[j] < 0 for r, j in zip(rho, chosen, strict=True)):
                continue
            left = [
                y - sum((columns[j][i] * r for j, r in zip(chosen, rho, strict=True)), Fraction(0))
                for i, y in enumerate(target)
            ]
            if all(tight[j] * dot(columns[j], left) <= 0 for j in indices):
                return left
    raise AssertionError("no active set is optimal")


def saddles(X, y, below, above):
    """Times, N and velocities after each jump, lists of Fractions; None for a budget: endless."""
    columns = [[Fraction(float(v)) for v in column] for column in zip(*X, strict=True)]
    target = [Fraction(float(v)) for v in y]
    time, dual, left, found = Fraction(0), [Fraction(0)] * len(target), target, []
    while True:
        clocks = [dot(column, dual) for column in columns]
        slopes = [dot(column, left) for column in columns]
        waits = []
        for clock, slope, low, high in zip(clocks, slopes, below, above, strict=True):
            end = high if slope > 0 else low
            if slope != 0 and end is not None:
                wait = ((end - clock) if slope > 0 else (end + clock)) / abs(slope)
                waits.append(wait)
        positive = [wait for wait in waits if wait > 0]
        if not positive:
            return found
        time += min(positive)
        dual = [a + min(positive) * b for a, b in zip(dual, left, strict=True)]
        clocks = [dot(column, dual) for column in columns]
        tight = {}
        for j, clock in enumerate(clocks):
            if clock == above[j]:
                tight[j] = 1
            elif below[j] is not None and clock == -below[j]:
                tight[j] = -1
        left = velocity(columns, target, tight)
        found.append((time, dual, left))
