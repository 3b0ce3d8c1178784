"""Rank and solvability in rational arithmetic, for small matrices."""

from __future__ import annotations

from fractions import Fraction


def exact_rank(matrix):
    """Rank of a matrix of floats, taken as the rationals they are."""
    rows = [[Fraction(float(value)) for value in row] for row in matrix]
    rank = 0
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((i for i in range(rank, len(rows)) if rows[i][column] != 0), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for i in range(rank + 1, len(rows)):
            factor = rows[i][column] / rows[rank][column]
            rows[i] = [a - factor * b for a, b in zip(rows[i], rows[rank], strict=True)]
        rank += 1
    return rank


def solvable(X, y):
    """Whether X z = y has a solution."""
    augmented = [[*row, value] for row, value in zip(X, y, strict=True)]
    return exact_rank(augmented) == exact_rank(X)
