"""Which columns of a table are combinations of others and a constant, and with which weights.

A column x_j = sum_k w_k x_k + b 1 is one whose differences between rows are the same combination
of differences, so the rank is that of the differences, decided as for the rows of a regression:
columns in wildly different units count alike, and small tables of integers are taken at their word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from implicitbias._arrays import EPS, FloatArray, IntArray
from implicitbias.features import Dense
from implicitbias.problems._dependence import exact_row_basis
from implicitbias.problems._offsets import Offsets
from implicitbias.problems._rows import UnitRows

TAKES_PART = 1e-9  # smaller weights of columns at unit length are rounding,
ROUNDINGS = 16  # and those below so many times what is left, magnified by the condition


@dataclass(frozen=True)
class Combination:
    """x_column = sum_k weights[k] x_k + constant, up to rounding.

    Attributes
    ----------
    column
        Its place.
    weights
        By the places of the other columns that take part: none of a constant column.
    constant
        b.
    """

    column: int
    weights: Mapping[int, float]
    constant: float


@dataclass(frozen=True, eq=False)
class Columns:
    """What the columns of a table are to each other.

    Attributes
    ----------
    rank
        How many columns are no combination of others and a constant, up to the rounding of their
        entries as they are.
    combinations
        The constant columns and, where there are enough rows for it to say anything (n > d), one
        entry for every column beyond a basis; in the order of the table.
    condition
        The largest over the smallest singular value of the basis, its differences at unit length;
        None where n <= d.
    """

    rank: int
    combinations: tuple[Combination, ...]
    condition: float | None


def spreads(X: FloatArray) -> FloatArray:
    """Standard deviations sqrt(mean((x_j - mean x_j)^2)) of the columns of X, (n, d), finite.

    Exactly 0 for constant columns; no square over- or underflows.
    """
    low, high = X.min(axis=0), X.max(axis=0)
    units = np.frexp(np.maximum(np.abs(low), np.abs(high)))[1]
    found = np.ldexp(np.ldexp(X, -units).std(axis=0), units)
    return np.asarray(np.where(low < high, found, 0.0))


def columns_of(X: FloatArray) -> Columns:
    """Find the combinations among the columns of X, (n, d), finite."""
    low, high = X.min(axis=0), X.max(axis=0)
    constant = low == high
    found = [Combination(j, {}, float(low[j])) for j in np.flatnonzero(constant).tolist()]
    varying = np.flatnonzero(~constant)
    if not varying.size:
        return Columns(0, tuple(found), None)
    units = np.frexp(np.maximum(np.abs(low), np.abs(high))[varying])[1]
    scaled = np.ldexp(X[:, varying], -units)  # exact, and no difference overflows
    given = Dense(scaled)
    moved = Offsets.of(given).subtracted(given)
    differences = moved.differences(moved.shortest_row()).toarray()
    rows = UnitRows(np.ascontiguousarray(differences.T), equilibrated=True)
    basis = exact_row_basis(rows).rows[: _rank_beside_constant(scaled)]
    if not basis.size:  # they vary by rounding alone
        found += [Combination(j, {}, float(low[j])) for j in varying.tolist()]
        return Columns(0, tuple(sorted(found, key=lambda each: each.column)), None)
    if varying.size >= len(X):
        return Columns(basis.size, tuple(found), None)
    unit = rows.block(slice(0, varying.size))
    lengths = np.ldexp(rows.norms, np.asarray(rows.exponents, dtype=np.int32))
    values = np.linalg.svd(unit[basis], compute_uv=False)
    condition = float(values[0] / values[-1])
    for i in sorted(set(range(varying.size)) - set(basis.tolist())):
        weights = np.linalg.lstsq(unit[basis].T, unit[i])[0]
        left = max(EPS, float(np.linalg.norm(unit[i] - weights @ unit[basis])))
        taking = np.abs(weights) > max(TAKES_PART, ROUNDINGS * left * condition)
        places, own = basis[taking], weights[taking] * lengths[i] / lengths[basis[taking]]
        found.append(_as_given(scaled, varying, units, i, places, own))
    return Columns(basis.size, tuple(sorted(found, key=lambda each: each.column)), condition)


def _rank_beside_constant(X: FloatArray) -> int:
    """How many columns are no combination of others and 1, as far as their last digits tell."""
    rows = UnitRows(np.vstack([np.ones(len(X)), X.T]), equilibrated=True)
    return int(exact_row_basis(rows).rows.size) - 1


def _as_given(
    scaled: FloatArray,
    varying: IntArray,
    units: IntArray,
    column: int,
    places: IntArray,
    weights: FloatArray,
) -> Combination:
    """Weights among columns times 2^{-units} as those of the columns as they are."""
    rest = scaled[0, column] - scaled[0, places] @ weights
    with np.errstate(over="ignore", under="ignore"):
        weights = np.ldexp(weights, units[column] - units[places])
        constant = float(np.ldexp(rest, units[column]))
    pairs = sorted(zip(varying[places].tolist(), weights.tolist(), strict=True))
    return Combination(int(varying[column]), dict(pairs), constant)
