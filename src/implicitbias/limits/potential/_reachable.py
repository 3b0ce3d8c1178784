"""Which interpolators a start can reach at all, when some coordinates keep their sign.

A locked coordinate has rho_j of one sign for ever, a dead one rho_j = 0. The flow can reach zero
loss exactly when y = Z rho has a solution under these signs, and the limit's coordinates that are
zero in every such solution are approached but never reached.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias._nonnegative import nnls
from implicitbias.coordinates import ScalarCurves
from implicitbias.features import Dense, Features
from implicitbias.limits._equilibrating import equilibrating
from implicitbias.limits._linear_program import linprog
from implicitbias.limits.potential._end_program import OPTIONS

CONSISTENT = 1e-9
LARGEST_GROWTH = 1e9


@dataclass(frozen=True, eq=False)
class Reachable:
    """Whether Z rho = y has a solution under the signs, and which coordinates it forces to 0.

    Attributes
    ----------
    residual
        The smallest ||Z rho - y|| / ||y|| under the signs, in rows and columns of size one.
    forced
        Boolean (m,): zero in every solution (dead coordinates included).
    """

    residual: float
    forced: np.typing.NDArray[np.bool_]

    @property
    def holds(self) -> bool:
        """Whether some interpolator has the right signs."""
        return self.residual <= CONSISTENT


def reachable(features: Features, target: FloatArray, curves: ScalarCurves) -> Reachable:
    """Solve the sign-constrained least squares, then a linear program for the forced zeros."""
    locked, dead = curves.locked, curves.dead
    if not (locked.any() or dead.any()) or target.size == 0:  # or nothing is asked for
        return Reachable(0.0, dead)
    free = ~(locked | dead)
    signs = curves.orientation
    columns = np.hstack(
        [
            features.columns(free),
            -features.columns(free),
            features.columns(locked) * signs[locked],
        ]
    )
    rows, units = equilibrating(Dense(columns))
    columns = np.ldexp(columns, rows[:, None] + units)
    size = int(np.frexp(np.abs(np.ldexp(target, rows)).max(initial=0.0))[1])
    target = np.ldexp(target, rows - size)
    residual = _least_residual(columns, target)
    forced = dead.copy()
    if residual <= CONSISTENT and locked.any():
        forced[np.flatnonzero(locked)] = ~_positive_part(columns, target, int(locked.sum()))
    return Reachable(residual, forced)


def _least_residual(columns: FloatArray, target: FloatArray) -> float:
    """min_{v >= 0} ||C v - y|| / ||y||; 0 where y = 0."""
    size = float(np.linalg.norm(target))
    if size == 0.0:
        return 0.0
    try:
        return float(nnls(columns, target)[1]) / size
    except RuntimeError:  # out of iterations, which no program of the second kind runs out of
        count, identity = columns.shape[1], np.eye(target.size)
        answer = linprog(
            np.concatenate([np.zeros(count), np.ones(2 * target.size)]),
            A_eq=np.hstack([columns, identity, -identity]),
            b_eq=target,
            method="highs-ds",
            options=OPTIONS,
        )
        return float(answer.fun) / size if answer.status == 0 else np.inf


def _positive_part(
    columns: FloatArray, target: FloatArray, num_locked: int
) -> np.typing.NDArray[np.bool_]:
    """Which of the last ``num_locked`` nonnegative variables can be positive in C v = y.

    max sum_j w_j over C v = tau y, v >= w, 0 <= w <= 1, tau >= 1: homogeneous, so that one solution
    has w = 1 wherever positive is possible. tau is bounded: what could only be positive by less
    than 1 / tau relative to y is zero up to rounding.
    """
    rows, total = columns.shape
    picks = np.zeros((num_locked, total))
    picks[np.arange(num_locked), total - num_locked + np.arange(num_locked)] = 1.0
    answer = linprog(
        np.concatenate([np.zeros(total), -np.ones(num_locked), [0.0]]),
        A_eq=np.hstack([columns, np.zeros((rows, num_locked)), -target[:, None]]),
        b_eq=np.zeros(rows),
        A_ub=np.hstack([-picks, np.eye(num_locked), np.zeros((num_locked, 1))]),
        b_ub=np.zeros(num_locked),
        bounds=[(0, None)] * total + [(0, 1)] * num_locked + [(1, LARGEST_GROWTH)],
        method="highs-ds",
        options=OPTIONS,
    )
    if answer.status != 0:
        return np.ones(num_locked, dtype=bool)
    return np.asarray(answer.x[total:-1] > 0.5)
