"""Independent columns of the small-scale program to begin with, with HiGHS's vertex or without it.

A vertex of HiGHS may have fewer positive columns than rows, and its dual point fewer tight ones:
then it moves on along what it leaves free until there are enough.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import qr

from implicitbias._arrays import FloatArray, IntArray
from implicitbias.features import heaviest_columns
from implicitbias.limits.potential._end_program import EndProgram

NOTHING = 1e-13  # entries of x below this, relative to the largest, are rounding of y
PIVOT = 1e-11  # smallest pivot, relative to its column or row
INDEPENDENT = 1e-12  # distance to the span of other columns below which one depends on them


def basis_columns(program: EndProgram, x: FloatArray, nu: FloatArray, tight: IntArray) -> IntArray:
    """n independent columns: those of the vertex, then tight ones, then any."""
    rows = len(program.target)
    chosen = np.flatnonzero(x > NOTHING * float(x.max()))
    chosen = chosen[independent(program.columns(chosen), np.zeros((rows, 0)))]
    while chosen.size < rows:
        span = np.linalg.qr(program.columns(chosen), mode="complete")[0]
        more = tight[~np.isin(tight, chosen)]
        more = more[independent(program.columns(more), span[:, : chosen.size])]
        if more.size == 0:  # nu is not a vertex: move it on until another column is tight
            more, nu = _next_tight(program, nu, span[:, -1], chosen)
        chosen = np.concatenate([chosen, more[: rows - chosen.size]])
    return chosen


def cheapest_basis(program: EndProgram) -> IntArray:
    """n independent columns, those of the smallest costs, with the signs that x >= 0 needs."""
    features = program.columns(np.arange(program.size))
    cost = np.minimum(program.cost[: program.size], program.cost[program.size :])
    norms = np.linalg.norm(features, axis=0)
    with np.errstate(divide="ignore"):
        basis = heaviest_columns(features, norms, np.log(norms) - np.log(cost))
    if basis is None:
        raise ValueError("the rows of X S^T are numerically dependent")
    x = np.linalg.solve(features[:, basis], program.target)
    signed = np.where(x < 0.0, basis + program.size, basis)
    locked = np.isinf(program.cost[signed])
    return np.where(locked, (signed + program.size) % (2 * program.size), signed)


def _next_tight(
    program: EndProgram, nu: FloatArray, along: FloatArray, chosen: IntArray
) -> tuple[IntArray, FloatArray]:
    """The column that gets tight first on the way from nu along a direction, and nu there."""
    slopes, distance = program.slopes(along), program.cost - program.slopes(nu)
    able = (slopes > PIVOT * float(np.abs(slopes).max())) & np.isfinite(distance)
    able[chosen] = False
    if not able.any():
        raise ValueError("the rows of X S^T are numerically dependent")
    ratio = np.where(able, np.maximum(distance, 0.0) / np.where(able, slopes, 1.0), np.inf)
    return np.array([ratio.argmin()]), nu + float(ratio.min()) * along


def independent(columns: FloatArray, span: FloatArray) -> IntArray:
    """Indices of columns independent of a span and of one another, the best first."""
    rest = columns - span @ (span.T @ columns)
    if rest.size == 0:
        return np.zeros(0, dtype=np.intp)
    _, triangle, order = qr(rest, mode="economic", pivoting=True)
    sizes = np.abs(np.diag(triangle))
    return np.asarray(order[: sizes.size][sizes > INDEPENDENT], dtype=np.intp)
