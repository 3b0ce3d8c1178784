"""The coordinates in which a linear program meets the points, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias.problems._evidence import SignedRows
from implicitbias.problems._rows import RowBasis, UnitRows, row_basis
from implicitbias.problems._scaling import equilibration


@dataclass(frozen=True, eq=False)
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
    """Rows and features scaled by powers of two, then rows to unit length; no zero features."""
    exponents, columns = equilibration(data.X)
    rows = data.dense(slice(None))
    used = np.flatnonzero(rows.any(axis=0))
    units = np.zeros(used.size, dtype=np.intp) if columns is None else columns[used]
    further = exponents - data.exponents
    rows = np.ldexp(rows[:, used], -(further[:, None] + units))
    norms = np.linalg.norm(rows, axis=1)

    def lift(vector: FloatArray) -> FloatArray:
        lifted = np.zeros(data.X.shape[1])
        with np.errstate(under="ignore"):
            lifted[used] = np.ldexp(vector, units.min() - units)
        return lifted

    return Coordinates(rows / norms[:, None], np.ldexp(norms, further), lift)


def compressed(data: SignedRows) -> Coordinates:
    """Points in n <= d coordinates, by a QR factorisation that never copies X whole."""
    units = UnitRows(data.X, equilibrated=True)
    basis = row_basis(units)
    rows = units.block(slice(None)) * data.y[:, None]

    def lift(vector: FloatArray) -> FloatArray | None:
        return _interpolating(data, units, basis, rows @ vector)

    return Coordinates(rows, np.ldexp(units.norms, units.exponents - data.exponents), lift)


def _interpolating(
    data: SignedRows, units: UnitRows, basis: RowBasis, targets: FloatArray
) -> FloatArray | None:
    """Shortest F^{-1} z with z_i^T z = targets_i ||F x_i|| on the basis rows.

    Seminormal equations, (R^T R) u = targets and z = F^2 sum_i u_i z_i / ||F x_i||, corrected once.
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
            step = weights @ data.X
            vector = vector + (
                step if units.columns is None else np.ldexp(step, -2 * units.columns)
            )
        if not np.isfinite(vector).all():
            return None
        reached = data.products(vector)[chosen] / units.norms[chosen]
        reached = np.ldexp(reached, (data.exponents - units.exponents)[chosen])
        missing = signs * (targets[chosen] - reached)
    return vector
