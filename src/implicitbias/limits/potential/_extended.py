"""Linear systems solved to sixty digits and more.

A solution x of B x = b is corrected by B^{-1} (b - B x), the inverse in float64 and the residual
not: every correction wins the digits that one factorisation keeps. In balls of 256 bits that ends
at sixty digits, which tell zero from what rounding leaves of it.

Source: iterative refinement (Wilkinson 1963); ball arithmetic from FLINT.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import lapack

from implicitbias._arrays import FloatArray

PRECISION = 256  # bits of a ball, unless the numbers are far apart
SOLVED = 0.7  # of these bits a solution has,
VANISHES = 0.6  # and a number that is smaller by this share of them is zero
SMALLEST_RCOND = 1e-14
CORRECTIONS = 200


class Basis:
    """A square matrix B of float64 numbers that solves B x = b and B^T x = b in balls.

    Raises
    ------
    ValueError
        B is singular.
    """

    def __init__(self, matrix: FloatArray) -> None:
        from flint import arb_mat

        self.matrix = matrix
        factor, pivots, info = lapack.dgetrf(matrix)
        norm = float(np.abs(matrix).sum(axis=0).max())
        self.rcond = float(lapack.dgecon(factor, norm)[0]) if info == 0 else 0.0
        self._factor = factor, pivots
        self.balls = arb_mat(matrix.tolist())

    def solve(self, right: Any, *, transposed: bool = False) -> Any:
        """B^{-1} b (or B^{-T} b) for an ``arb_mat`` b of one or more columns."""
        balls = self.balls.transpose() if transposed else self.balls
        if self.rcond < SMALLEST_RCOND:
            try:
                return middle(balls.solve(right))
            except ZeroDivisionError:
                raise ValueError("the rows of X S^T are numerically dependent") from None
        return self._refined(balls, right, int(transposed))

    def _refined(self, balls: Any, right: Any, trans: int) -> Any:
        from flint import arb, arb_mat, ctx

        rows, columns = right.nrows(), right.ncols()
        solution, missing = arb_mat(rows, columns), right
        for _ in range(CORRECTIONS):
            floats, size = scaled_floats(missing)
            if size == 0:
                break
            step = lapack.dgetrs(*self._factor, floats, trans=trans)[0]
            solution = middle(solution + arb_mat(step.reshape(rows, columns).tolist()) * size)
            missing = right - balls * solution
            if largest(missing) <= arb(2) ** int(-SOLVED * ctx.prec) * largest(right):
                break
        return solution


def vanishing() -> float:
    """The relative size below which a number is what the balls leave of zero."""
    from flint import ctx

    return float(2.0 ** (-VANISHES * ctx.prec))


def column(values: Any) -> Any:
    """An ``arb_mat`` of one column."""
    from flint import arb_mat

    return arb_mat([[value] for value in values])


def middle(matrix: Any) -> Any:
    """The balls without their radii."""
    from flint import arb_mat

    return arb_mat(matrix.nrows(), matrix.ncols(), [entry.mid() for entry in matrix.entries()])


def largest(matrix: Any) -> Any:
    """The largest magnitude of an entry, as a ball."""
    from flint import arb

    return max((abs(entry.mid()) for entry in matrix.entries()), default=arb(0))


def scaled_floats(matrix: Any) -> tuple[FloatArray, Any]:
    """The entries over the largest one as float64, and that one."""
    size = largest(matrix)
    shape = matrix.nrows(), matrix.ncols()
    if size == 0:
        return np.zeros(shape), size
    return np.array([float((e / size).mid()) for e in matrix.entries()]).reshape(shape), size


def floats_of(matrix: Any) -> FloatArray:
    """The entries rounded to float64; with one column, as a vector."""
    values = np.array([float(entry.mid()) for entry in matrix.entries()])
    return values if matrix.ncols() == 1 else values.reshape(matrix.nrows(), matrix.ncols())
