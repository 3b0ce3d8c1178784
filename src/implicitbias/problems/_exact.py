"""What integer arithmetic decides: Gordan vectors, and which rows depend on which."""

from __future__ import annotations

import numpy as np
import scipy.linalg

from implicitbias._arrays import FloatArray, IntArray

MAX_POINTS = 64  # integers grow to about points x digits of the data
MAX_SPREAD = 500  # binary digits between the largest and smallest entry of a feature
MAX_ENTRIES = 1 << 20
SHORT_DIGITS = 50  # binary digits of a column that leave no room for rounding to the 53 of a float
# A minor that it divides by chance has odds of about 1e-18; near no power of 2, which data are of.
PRIME = 3141592653589793239


def exact_gordan_vector(rows: FloatArray) -> FloatArray | None:
    """Return a > 0 with sum_i a_i rows_i = 0 exactly, rounded to floats of sum 1, if provable.

    The rows of a minimal dependent set have a one-dimensional left null space; its vector is
    computed in integers and checked against every feature.

    Parameters
    ----------
    rows
        (m, k), every point of the set and no other.

    Returns
    -------
    (m,) weights, or None: no such vector, more than one, or too large for integer arithmetic.
    """
    rows = rows[:, np.any(rows != 0, axis=0)]
    points, features = rows.shape
    if not 2 <= points <= min(MAX_POINTS, features + 1) or rows.size > MAX_ENTRIES:
        return None
    if max(int(np.ptp(np.frexp(column[column != 0])[1])) for column in rows.T) > MAX_SPREAD:
        return None
    equations = [_integers(column) for column in rows.T]
    order = scipy.linalg.qr(rows / np.abs(rows).max(axis=0), mode="r", pivoting=True)[1]
    weights = null_vector([list(equations[j]) for j in order[: points - 1]])
    if weights is None or not (min(weights) > 0 or max(weights) < 0):
        return None
    if any(sum(a * z for a, z in zip(weights, row, strict=True)) != 0 for row in equations):
        return None
    total = sum(weights)
    return np.array([a / total for a in weights])


def _integers(values: FloatArray) -> list[int]:
    """Return the values times one power of two, as integers."""
    shift = 53 - int(np.frexp(values[values != 0])[1].min())
    ratios = [float(value).as_integer_ratio() for value in values]
    return [numerator << shift + 1 - size.bit_length() for numerator, size in ratios]


def null_vector(matrix: list[list[int]]) -> list[int] | None:
    """Integer vector that spans the null space of an (m, m + 1) integer matrix.

    Fraction-free Gauss-Jordan elimination: after step k every entry is a minor of order k, so the
    division by the previous pivot is exact. None if the first m columns are dependent.
    """
    previous, size = 1, len(matrix)
    for step in range(size):
        pivot_row = next((i for i in range(step, size) if matrix[i][step]), None)
        if pivot_row is None:
            return None
        matrix[step], matrix[pivot_row] = matrix[pivot_row], matrix[step]
        base = matrix[step]
        pivot = base[step]
        for i in range(size):
            if i != step:
                factor = matrix[i][step]
                matrix[i] = [
                    (pivot * entry - factor * above) // previous
                    for entry, above in zip(matrix[i], base, strict=True)
                ]
        previous = pivot
    return [-row[size] for row in matrix] + [previous]


def short_integers(matrix: FloatArray) -> IntArray | None:
    """Return 2^50 A if all its entries are integers, for A with entries below 1 in size; else None.

    Rounded numbers use all of their 53 digits, so these are data as they were meant.
    """
    shifted = np.ldexp(matrix, SHORT_DIGITS)
    integers = shifted.astype(np.int64)
    return integers if (integers == shifted).all() else None


def independent_rows(matrix: IntArray, first: IntArray) -> IntArray:
    """Indices of independent rows of an integer matrix, those of ``first`` being tried first.

    Modulo a prime of 62 binary digits, so that a rank is never too large.
    """
    order = np.concatenate([first, np.setdiff1d(np.arange(len(matrix)), first)])
    return np.asarray(order[_pivots(matrix[order].T)])


def exact_rank(matrix: FloatArray) -> int:
    """Rank of the floats as binary fractions, modulo a prime as above."""
    import flint

    mantissas, exponents = np.frexp(matrix)
    whole = np.ldexp(mantissas, 53).astype(np.int64).ravel().tolist()
    powers = {e: pow(2, e, PRIME) for e in np.unique(exponents).tolist()}
    places = exponents.ravel().tolist()
    entries = [m * powers[e] % PRIME for m, e in zip(whole, places, strict=True)]
    num_rows, num_columns = matrix.shape
    return int(flint.nmod_mat(num_rows, num_columns, entries, PRIME).rank())


def combinations(matrix: IntArray, rows: IntArray) -> FloatArray:
    """C (n, r) with A = C A[rows] for independent rows of an integer matrix, rounded once."""
    import flint

    columns = _pivots(matrix[rows])
    known = flint.fmpz_mat(matrix[np.ix_(rows, columns)].T.tolist())
    found = known.solve(flint.fmpz_mat(matrix[:, columns].T.tolist()))
    ratios = [int(entry.p) / int(entry.q) for entry in found.entries()]
    return np.array(ratios).reshape(len(rows), len(matrix)).T


def _pivots(matrix: IntArray) -> IntArray:
    """Columns that do not depend on those before them, modulo the prime."""
    import flint

    num_rows, num_columns = matrix.shape
    entries = matrix.ravel().tolist()
    reduced, rank = flint.nmod_mat(num_rows, num_columns, entries, PRIME).rref()
    echelon = np.array([int(entry) for entry in reduced.entries()]).reshape(matrix.shape)
    return np.asarray((echelon[:rank] != 0).argmax(axis=1), dtype=np.intp)
