"""Columns that nearly tie for the l1 max-margin: the exact optimum among them, in integers.

Where zero coordinates are within 1e-7 of their bound, ten digits of a linear program do not tell
which of them the optimum uses, and its points may be far apart. The program on the coordinates
near their bound and the points near the margin is small; what it leaves out is checked at its
solution, clear of its bound, so that the whole program has the same solutions.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias._verdicts import Verdict
from implicitbias.features import Features, as_features
from implicitbias.limits.margin._convex import MaxMargin
from implicitbias.limits.margin._faces import UNIQUE
from implicitbias.limits.margin._kkt import kkt_residuals
from implicitbias.limits.margin._rational import ExactPoint, exact_l1

NEAR = 1e-6  # of its bound: taken along at once
CLEAR = 1e-9  # of its bound: taken along in the next round
ROUNDS = 6
MAX_ENTRIES = 6_000  # of a tableau


def exactly(rows: FloatArray | Features, found: MaxMargin) -> tuple[MaxMargin, np.ndarray | None]:
    """``found`` made exact, and which coordinates are at their bound there (a mask).

    As it was, and None, where the near ties are too many.

    Parameters
    ----------
    rows
        Z, (n, m), real.
    found
        Of ``l1_max_margin(rows, signs=..)``.
    """
    rho, a = np.asarray(found.rho, dtype=np.float64), found.multipliers
    rows = as_features(rows)
    fixed = np.zeros(rho.size) if found.signs is None else found.signs
    kept = _room(rows, rho) < NEAR
    up, down = _at_bound(rows, a, fixed, NEAR)
    up, down = up | (rho > 0), down | (rho < 0)
    for _ in range(ROUNDS):
        columns = np.flatnonzero(up | down)
        if (up.sum() + down.sum() + 1) * (kept.sum() + 1) > MAX_ENTRIES:
            break
        part = rows.rows(np.flatnonzero(kept)).columns(columns)
        point = exact_l1(part, np.ones(columns.size), (up[columns], down[columns]))
        if point is None:
            break
        r, a = np.zeros(rho.size), np.zeros(kept.size)
        r[columns], a[kept] = point.r, point.a
        near = _at_bound(rows, a, fixed, CLEAR)
        close = _room(rows, r) < CLEAR
        if not ((near[0] & ~up) | (near[1] & ~down)).any() and not (close & ~kept).any():
            tight = np.zeros(rho.size, dtype=bool)
            tight[columns] = point.tight
            return _measured(rows, found, r, a, point), tight
        up, down, kept = up | near[0], down | near[1], kept | close
    return found, None


def _room(rows: Features, rho: FloatArray) -> FloatArray:
    return np.asarray((rows @ rho - 1.0) / np.maximum(1.0, rows.absolute(rho)))


def _at_bound(
    rows: Features, a: FloatArray, fixed: FloatArray, near: float
) -> tuple[np.ndarray, np.ndarray]:
    """Where Z^T a >= 1 - near, and <= -(1 - near), for the signs that coordinates may have."""
    driver = np.asarray(rows.T @ a)
    return (driver >= 1 - near) & (fixed >= 0), (driver <= near - 1) & (fixed <= 0)


def _measured(
    rows: Features, found: MaxMargin, rho: FloatArray, a: FloatArray, point: ExactPoint
) -> MaxMargin:
    value = float(np.abs(rho).sum())
    driver = np.asarray(rows.T @ a)
    pull = np.abs(driver)
    if found.signs is not None:
        pull = np.where(found.signs == 0, pull, np.maximum(found.signs * driver, 0.0))
    unique = found.unique
    if point.unique:
        unique = Verdict(UNIQUE, "holds", 1.0, "in integers: the dual vertex is not degenerate")
    return replace(
        found,
        rho=rho,
        multipliers=a,
        value=value,
        margin=1.0 / value,
        kkt=kkt_residuals(rows, rho, a, 1, signs=found.signs),
        support=np.flatnonzero(rho),
        support_points=np.flatnonzero(a),
        kappa=float(min(1.0, pull[rho == 0].max(initial=0.0))),
        curvature=np.inf,
        unique=unique,
        correction=np.zeros(rho.size),
    )
