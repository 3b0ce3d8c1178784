"""The least-squares fit under signs that no interpolator has, exactly.

A guess of which columns carry it, by nonnegative least squares in floats; the fit of these in
rationals, and its optimality checked in them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from flint import arb, fmpq, fmpq_mat
from scipy.optimize import nnls

from reference.precise_curves import Coordinate, rational
from reference.precise_potential import NoReferenceError, independent_rows, to_float

CARRIES = 1e-9


def signed_fit(
    Z: Sequence[Sequence[float]], y: Sequence[float], layers: Sequence[Sequence[float]]
) -> tuple[list[fmpq], list[int]]:
    """Z rho_fit, (n,), and the coordinates that are not 0 in every rho with that fit.

    Raises
    ------
    NoReferenceError
        y is met under the signs, or by none at all, or the guess is not the answer.
    """
    rows = [[rational(value) for value in row] for row in Z]
    target = [rational(value) for value in y]
    independent_rows(rows, target)  # what contradicts itself is refused for that
    curves = [Coordinate([layer[j] for layer in layers]) for j in range(len(layers[0]))]
    moves = [j for j, curve in enumerate(curves) if not curve.dead]
    locked = {j: curves[j].side for j in moves if curves[j].locked}
    used = _guessed(rows, target, moves, locked)
    residual = (
        _residual(fmpq_mat([[row[j] for j in used] for row in rows]), target) if used else target
    )
    if not any(residual):
        raise NoReferenceError("some interpolator has the signs")
    pulls = {
        j: sum((row[j] * r for row, r in zip(rows, residual, strict=True)), fmpq(0)) for j in moves
    }
    if any(pulls[j] * side > 0 for j, side in locked.items()):
        raise NoReferenceError("the guess is not the fit")
    fitted = [value - r for value, r in zip(target, residual, strict=True)]
    return fitted, [j for j in moves if j not in locked or pulls[j] == 0]


def _guessed(
    rows: list[list[fmpq]], target: list[fmpq], moves: list[int], locked: dict[int, int]
) -> list[int]:
    """The columns that carry the fit: all that are free, and of the others those with a part."""
    if not moves:
        return []
    table = np.array([[to_float(arb(row[j])) for j in moves] for row in rows])
    lengths = np.linalg.norm(table, axis=0)
    table = table / np.where(lengths > 0.0, lengths, 1.0)
    free = np.array([j not in locked for j in moves])
    signs = np.array([float(locked.get(j, 1)) for j in moves])
    columns = np.hstack([table * signs, -table[:, free]])
    right = np.array([to_float(arb(value)) for value in target])
    shares = nnls(columns, right / (np.abs(right).max() or 1.0))[0][: len(moves)]
    return [
        j for j, share, open_ in zip(moves, shares, free, strict=True) if open_ or share > CARRIES
    ]


def _residual(columns: fmpq_mat, target: list[fmpq]) -> list[fmpq]:
    """y less its projection on the span of the columns."""
    reduced, rank = columns.rref()
    pivots = [next(j for j in range(reduced.ncols()) if reduced[i, j] != 0) for i in range(rank)]
    if not pivots:
        return target
    table = columns.tolist()
    basis = fmpq_mat([[row[j] for j in pivots] for row in table])
    right = fmpq_mat([[value] for value in target])
    shares = (basis.transpose() * basis).solve(basis.transpose() * right)
    return [row[0] for row in (right - basis * shares).tolist()]
