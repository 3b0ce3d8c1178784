"""Interpolators of least norm, to hold an end of training against: l2, l1, l1 of a spectrum.

    min N(rho) s.t. X S^T rho = y (and S^T rho real), N the l2 or the l1 norm.

With u = y / ||y|| and Q an orthonormal basis of what is orthogonal to u, the constraints are
Q^T X S^T rho = 0 and u^T X S^T rho / ||y|| = 1. In the least norm "= 1" may be ">= 1": the program
that finds max-margin points of one point also finds these.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from implicitbias._arrays import FloatArray, NumericArray
from implicitbias._errors import NoPredictionError
from implicitbias._verdicts import CERTIFIED
from implicitbias.coordinates import Curves
from implicitbias.features import Dense, Features, Lost, as_features
from implicitbias.limits.margin._groups import Groups
from implicitbias.limits.margin._l1 import GroupedProblem, solve_l1
from implicitbias.limits.potential._ends import EndPoint, large_scale_end, small_scale_end
from implicitbias.limits.potential._extended import floats_of, largest
from implicitbias.limits.potential._problem import PotentialProblem

MOST_ROWS = 128  # of a system solved in balls: a tenth of a second
PRECISIONS = 256, 1024, 4096  # bits
DIGITS = 2.0**-60  # proved, relative to the largest entry: more than float64 has


def least_l2_interpolator(X: FloatArray | Features, y: FloatArray) -> FloatArray:
    """X^+ y, (d,); the rows of X, (n, d), are independent.

    Raises
    ------
    NoPredictionError
        The rows are too close to dependent.
    """
    return least_l2_end(X, y).rho


def least_l2_end(X: FloatArray | Features, y: FloatArray, lost: Lost | None = None) -> EndPoint:
    """The same with its dual point and certificate, refused as there.

    X may be sparse. ``lost``: what rounding took from X and y before, which is not refused here.
    """
    return _least(X, y, large_scale_end, "l2", lost)


def only_interpolator(X: FloatArray, y: FloatArray) -> FloatArray | None:
    """X^{-1} y of a square X, (d,), to 2^-60 of its largest entry, then rounded once.

    In balls, whatever units and offsets the columns have. None where X is singular or has more
    than 128 rows.
    """
    from flint import arb_mat, ctx

    if len(y) > MOST_ROWS:
        return None
    precision = ctx.prec
    try:
        for ctx.prec in PRECISIONS:
            try:
                found = arb_mat(X.tolist()).solve(arb_mat(y[:, None].tolist()))
            except ZeroDivisionError:
                continue
            if max(entry.rad() for entry in found.entries()) <= largest(found) * DIGITS:
                return floats_of(found)
    finally:
        ctx.prec = precision
    return None


def least_l1_interpolator(
    features: NumericArray, y: FloatArray, groups: Groups | None = None
) -> NumericArray:
    """argmin ||rho||_1 s.t. Z rho = y (and S^T rho real), shape (m,).

    Parameters
    ----------
    features
        Z = X S^T, shape (n, m), rows independent.
    y
        Targets, (n,).
    groups
        How complex coordinates make S^T rho real; None for real ones.

    Raises
    ------
    NoPredictionError
        The convex solver found nothing.
    """
    size = float(np.linalg.norm(y))
    if size == 0.0:
        return np.zeros(features.shape[1])
    if groups is None:
        return _least(np.asarray(features.real), y, small_scale_end, "l1").rho
    unit = y / size
    rest = np.linalg.qr(np.column_stack([unit, np.eye(y.size)]))[0][:, 1:]
    rows = groups.rows(as_features(features)).toarray()
    found = solve_l1(
        GroupedProblem(
            Dense((unit @ rows / size)[None]),
            np.vstack([groups.equations, rest.T @ rows / size]),
            groups.labels,
            groups.group_weights(None),
        )
    )
    if found is None:
        raise NoPredictionError("the convex solver found no interpolator of least l1 norm.")
    return groups.rho(found.r)


def _least(
    features: FloatArray | Features,
    y: FloatArray,
    end: Callable[[PotentialProblem], EndPoint],
    name: str,
    lost: Lost | None = None,
) -> EndPoint:
    """An end of the path for two layers that start at 1 and 0: all weights are equal there."""
    start = np.array([np.ones(features.shape[1]), np.zeros(features.shape[1])])
    try:
        found = end(
            PotentialProblem(
                as_features(features), y, Curves.from_start(start, 0.0), start=start, lost=lost
            )
        )
    except ValueError as error:
        text = f"no interpolator of least {name} norm was found: {error}"
        raise NoPredictionError(text) from None
    if lost is None and not found.error <= CERTIFIED:
        raise NoPredictionError(
            f"the interpolator of least {name} norm is known only to {found.error:.1e} of its "
            "largest entry."
        )
    return found
