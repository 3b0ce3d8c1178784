"""Arithmetic beyond float64 for max-margin problems: exact ties, and residuals that do not cancel.

Data are binary fractions. Whether a reduced cost is zero is decided by rational numbers on the few
tight columns; a residual b - A x by error-free transformations, x being a sum of two floats.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import lstsq, qr

from implicitbias._arrays import EPS, FloatArray, worst_of
from implicitbias.features import Features

BLOCK = 1 << 13  # entries whose exact products are held at a time
RESOLVED = 1e6  # roundings above which a margin is as float64 computes it
CONSISTENT = 1e-12  # what equations that have a solution may be missed by
SPLIT = 134217729.0  # 2^27 + 1: halves of 26 digits, whose products are exact


def independent(matrix: FloatArray, tolerance: float = 1e-9) -> np.ndarray:
    """Columns of a largest independent set, found by pivoting on rows of one size; ascending."""
    if matrix.size == 0:
        return np.zeros(0, dtype=np.intp)
    heights = np.abs(matrix).max(axis=1, keepdims=True)
    matrix = matrix / np.where(heights > 0, heights, 1.0)
    lengths = np.linalg.norm(matrix, axis=0)
    unit = matrix / np.where(lengths > 0, lengths, 1.0)
    _, r, order = qr(unit, mode="economic", pivoting=True, check_finite=False)
    diagonal = np.abs(np.diag(r))
    return np.sort(order[: diagonal.size][diagonal > tolerance * max(diagonal[0], 1e-300)])


def reduced_costs(columns: FloatArray, multipliers: FloatArray) -> tuple[FloatArray, float]:
    """1 - B^T a and how far B's columns are from the span of a basis of them, exactly.

    a solves 1 = B^T a on the basis; rows that it does not need keep their multiplier. Rational
    arithmetic throughout, rounded once at the end.

    Parameters
    ----------
    columns
        B, (n, s): the tight columns, signed.
    multipliers
        a, (n,), approximate.

    Returns
    -------
    The costs (s,), zero on the basis, and the largest |B_j - B_basis c_j| relative to |B_j|.
    """
    basis = independent(columns)
    rest = np.setdiff1d(np.arange(columns.shape[1]), basis)
    rows = independent(columns[:, basis].T)
    costs = np.zeros(columns.shape[1])
    if rest.size == 0:
        return costs, 0.0
    others = np.setdiff1d(np.arange(columns.shape[0]), rows)
    square = _rational(columns[np.ix_(rows, basis)])
    goal = _rational(np.ones((1, basis.size)))
    known = _rational(multipliers[others][None, :])
    if others.size:
        goal -= known * _rational(columns[np.ix_(others, basis)])
    a = square.transpose().solve(goal.transpose()).transpose()
    outside = _rational(columns[np.ix_(rows, rest)])
    left = _rational(np.ones((1, rest.size))) - a * outside
    if others.size:
        beyond = _rational(columns[np.ix_(others, rest)])
        left -= known * beyond
        missed = beyond - _rational(columns[np.ix_(others, basis)]) * square.solve(outside)
        sizes = np.abs(columns[:, rest]).max(axis=0)
        defect = float((np.abs(_floats(missed)) / sizes).max())
    else:
        defect = 0.0
    costs[rest] = _floats(left)[0]
    return costs, defect


def _rational(array: FloatArray) -> Any:
    """The entries as rational numbers: a flint.fmpq_mat."""
    import flint

    entries = [flint.fmpq(*value.as_integer_ratio()) for value in array.ravel().tolist()]
    return flint.fmpq_mat(array.shape[0], array.shape[1], entries)


def _floats(matrix: Any) -> FloatArray:
    numbers = [int(entry.p) / int(entry.q) for entry in matrix.entries()]
    return np.array(numbers, dtype=np.float64).reshape(matrix.nrows(), matrix.ncols())


def residual(matrix: FloatArray, high: FloatArray, low: FloatArray, goal: FloatArray) -> FloatArray:
    """goal - A (high + low), each row as if in twice the digits, (n,)."""
    if len(matrix) > 1 and matrix.size > BLOCK:
        size = max(1, BLOCK // matrix.shape[1])
        blocks = [slice(start, start + size) for start in range(0, len(matrix), size)]
        return np.concatenate([residual(matrix[one], high, low, goal[one]) for one in blocks])
    product, error = _products(matrix, high)
    terms = np.hstack([goal[:, None], -product])
    rest = -(error + matrix * low).sum(axis=1)
    while terms.shape[1] > 1:
        if terms.shape[1] % 2:
            terms = np.hstack([terms, np.zeros((len(terms), 1))])
        one, other = terms[:, ::2], terms[:, 1::2]
        terms = one + other
        back = terms - one
        rest += ((one - (terms - back)) + (other - back)).sum(axis=1)  # what each sum rounds off
    return np.asarray(terms[:, 0] + rest)


def refined(matrix: FloatArray, x: FloatArray, goal: FloatArray) -> tuple[FloatArray, float]:
    """x corrected towards A x = goal in least squares, and the length of its last correction.

    Relative to the length of x; at least one rounding.
    """
    low, error = np.zeros_like(x), np.inf
    for _ in range(3):
        step, *_ = lstsq(
            matrix, residual(matrix, x, low, goal), lapack_driver="gelsy", check_finite=False
        )
        error = float(np.linalg.norm(step) / np.linalg.norm(x))
        moved = x + (low + step)
        x, low = moved, (x - moved) + (low + step)
        if error < EPS:
            break
    return x, worst_of(error, EPS, unmet(residual(matrix, x, low, goal), goal))


def smallest_margin(rows: Features, rho: FloatArray) -> float:
    """min_i (Z rho)_i of real rows, beyond float64 where its terms are far larger."""
    margins = np.asarray(rows @ rho)
    least, rounding = float(margins.min()), EPS * float(rows.absolute(rho).max())
    if least > RESOLVED * rounding:
        return least
    return -float(rows.precise.residual(rho, np.zeros(margins.size)).max())


def unmet(missing: FloatArray, goal: FloatArray) -> float:
    """What is left of equations A x = g, relative to g: infinite where they have no solution."""
    left = float(np.abs(missing / goal).max(initial=0.0))
    return left if left <= CONSISTENT else np.inf


def _products(matrix: FloatArray, vector: FloatArray) -> tuple[FloatArray, FloatArray]:
    """A_ij x_j as a float and its rounding error (Veltkamp, Dekker), free of overflow."""
    rows = np.frexp(np.abs(matrix).max(axis=1, initial=0.0))[1]
    scaled = np.ldexp(matrix, -rows[:, None])
    power = np.frexp(np.abs(vector).max(initial=0.0))[1]
    unit = np.ldexp(vector, -power)
    first, second = _halves(scaled), _halves(unit)
    product = scaled * unit
    error = ((first[0] * second[0] - product) + first[0] * second[1] + first[1] * second[0]) + (
        first[1] * second[1]
    )
    back = (rows + power)[:, None]
    with np.errstate(over="ignore", under="ignore"):
        return np.ldexp(product, back), np.ldexp(error, back)


def _halves(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    big = SPLIT * values
    upper = big - (big - values)
    return upper, values - upper
