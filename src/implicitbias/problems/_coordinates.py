"""The coordinates in which a linear program meets the points, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias.problems._evidence import SignedRows
from implicitbias.problems._rows import RowBasis, UnitRows, rank_tolerance, row_basis


@dataclass(frozen=True)
class Coordinates:
    """Unit rows equivalent to z_i = y_i x_i as far as separability goes.

    Attributes
    ----------
    rows
        (n, k), of unit length.
    lengths
        Of the scaled rows 2^{-e_i} z_i in these coordinates: weights a of ``rows`` are weights
        a / lengths of those.
    lift
        Takes a separator of ``rows`` to one of z_i, or None where floats cannot hold it.
    """

    rows: FloatArray
    lengths: FloatArray
    lift: Callable[[FloatArray], FloatArray | None]


def equilibrated(data: SignedRows) -> Coordinates:
    """Features scaled by powers of two to largest entry about 1; zero features dropped."""
    rows = data.dense(slice(None))
    largest = np.abs(rows).max(axis=0)
    used = np.flatnonzero(largest)
    exponents = np.frexp(largest[used])[1]
    rows = np.ldexp(rows[:, used], -exponents)
    lengths = np.linalg.norm(rows, axis=1)

    def lift(vector: FloatArray) -> FloatArray:
        lifted = np.zeros(data.X.shape[1])
        with np.errstate(under="ignore"):
            lifted[used] = np.ldexp(vector, exponents.min() - exponents)
        return lifted

    return Coordinates(rows / lengths[:, None], lengths, lift)


def compressed(data: SignedRows) -> Coordinates:
    """Points in n <= d coordinates, by a QR factorisation that never copies X whole."""
    units = UnitRows(data.X)
    basis = row_basis(units, rank_tolerance(data.X.shape))
    rows = units.block(slice(None)) * data.y[:, None]

    def lift(vector: FloatArray) -> FloatArray | None:
        return _interpolating(data, units, basis, rows @ vector)

    return Coordinates(rows, units.norms, lift)


def _interpolating(
    data: SignedRows, units: UnitRows, basis: RowBasis, targets: FloatArray
) -> FloatArray | None:
    """Shortest z with z_i^T z = targets_i ||x_i|| on the basis rows.

    Seminormal equations, (R^T R) u = targets and z = sum_i u_i z_i / ||x_i||, corrected once.
    """
    chosen = basis.rows
    signs = data.y[chosen]
    vector = np.zeros(data.X.shape[1])
    missing = signs * targets[chosen]
    for _ in range(2):
        weights = np.zeros(len(targets))
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            weights[chosen] = np.ldexp(
                basis.solve(basis.solve_transposed(missing)) / units.norms[chosen],
                -units.exponents[chosen],
            )
            vector = vector + weights @ data.X
        if not np.isfinite(vector).all():
            return None
        reached = data.products(vector)[chosen] / units.norms[chosen]
        missing = signs * (targets[chosen] - reached)
    return vector
