"""max t subject to Z w >= t, |w_j| <= 1, and its dual min ||Z^T a||_1, a >= 0, sum a = 1.

HiGHS meets constraints to 1e-10, so a smaller optimum is out of its sight. ``zoom`` solves the
same problem in the variable K (w - w_0) around a point w_0, on the rows that can become active:
what was 1e-13 is then 1e-13 K.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy.optimize

from implicitbias._arrays import FloatArray
from implicitbias._nonnegative import nnls

TOLERANCES = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
INTERIOR_POINT_ENTRIES = 1 << 19  # from here on it is faster, crossover to a vertex included
ZOOM_RADIUS = 1e3  # |K (w - w_0)|_inf


@dataclass(frozen=True, eq=False)
class MarginSolution:
    """w (k,) and a (n,) as the solver claims them; nothing here is verified."""

    vector: FloatArray
    weights: FloatArray


def largest_margin(rows: FloatArray) -> MarginSolution:
    """Solve the pair for unit rows Z, (n, k); w = 0 and equal weights if the solver fails."""
    num_rows, size = rows.shape
    nothing = MarginSolution(np.zeros(size), np.full(num_rows, 1 / num_rows))
    return _solve(rows, np.zeros(num_rows), np.ones(size)) or nothing


def zoom(rows: FloatArray, solution: MarginSolution) -> MarginSolution | None:
    """Improve a solution below the solver's tolerance; None if there is nothing to improve on.

    Zooms in on the solver's w and on the shortest point of the hull of the rows, whose direction
    is right where the solver could not tell w from -w.
    """
    weights = nonnegative_null_vector(rows, np.ones(len(rows)))
    shortest = weights @ rows
    steps = [
        _zoom_around(rows, center / np.abs(center).max(), float(np.abs(shortest).sum()))
        for center in (solution.vector, shortest)
        if center.any()
    ]
    found = [step for step in steps if step is not None]
    if not found:
        return None
    return max(found, key=lambda step: float(_extended_product(rows, step.vector).min()))


def _zoom_around(rows: FloatArray, center: FloatArray, bound: float) -> MarginSolution | None:
    """Solve for K (w - center); no margin exceeds ``bound``.

    The largest entry of w is held, or w would shrink to 0, where every margin is 0.
    """
    margins = _extended_product(rows, center)
    lowest = float(margins.min())
    factor = 1.0 / min(max(bound - lowest, 1e-14), 1e-3)
    slack = factor * (margins - lowest)
    near = np.flatnonzero(slack <= 2 * ZOOM_RADIUS * rows.shape[1])
    radii = np.full(rows.shape[1], ZOOM_RADIUS)
    radii[np.abs(center).argmax()] = 0.0
    step = _solve(rows[near], slack[near], radii)
    if step is None:
        return None
    weights = np.zeros(len(rows))
    weights[near] = step.weights
    return MarginSolution(center + step.vector / factor, weights)


def _extended_product(rows: FloatArray, vector: FloatArray) -> FloatArray:
    product = rows.astype(np.longdouble) @ vector.astype(np.longdouble)
    return np.asarray(product, dtype=np.float64)


def _solve(rows: FloatArray, slack: FloatArray, radii: FloatArray) -> MarginSolution | None:
    """max t subject to Z w + slack >= t, |w_j| <= radii_j."""
    num_rows, size = rows.shape
    result = scipy.optimize.linprog(
        np.append(np.zeros(size), -1.0),
        A_ub=np.column_stack([-rows, np.ones(num_rows)]),
        b_ub=slack,
        bounds=[*zip(-radii, radii, strict=True), (None, None)],
        method="highs-ipm" if rows.size > INTERIOR_POINT_ENTRIES else "highs-ds",
        options=TOLERANCES,
    )
    if result.x is None or not result.ineqlin.marginals.any():
        return None
    weights = np.maximum(-result.ineqlin.marginals, 0.0)
    return MarginSolution(result.x[:-1], weights / weights.sum())


def null_weights(rows: FloatArray, solution: MarginSolution) -> Iterator[FloatArray]:
    """Candidates for a >= 0 with Z^T a = 0, the cheapest first, each with a new support.

    The solver's own, sharpened; then one with as many positive entries as possible, since a
    vertex may have too few points to surround the origin; then one found without the solver.
    """
    proposals: list[Callable[[], FloatArray]] = [
        lambda: nonnegative_null_vector(rows, solution.weights),
        lambda: _central_weights(rows),
        lambda: nonnegative_null_vector(rows, np.ones(len(rows))),
    ]
    supports: list[bytes] = []
    for propose in proposals:
        weights = propose()
        support = (weights > 0).tobytes()
        if weights.any() and support not in supports:
            supports.append(support)
            yield weights


def _central_weights(rows: FloatArray) -> FloatArray:
    """max s subject to Z^T a = 0, sum a = 1, a >= s; all zero if there is no such a."""
    total = np.append(rows.sum(axis=0), float(len(rows)))
    result = scipy.optimize.linprog(
        np.append(np.zeros(len(rows)), -1.0),
        A_eq=np.column_stack([np.vstack([rows.T, np.ones(len(rows))]), total]),
        b_eq=np.append(np.zeros(rows.shape[1]), 1.0),
        method="highs",
        options=TOLERANCES,
    )
    if result.x is None:
        return np.zeros(len(rows))
    return np.asarray(np.maximum(result.x[:-1] + result.x[-1], 0.0))


def nonnegative_null_vector(rows: FloatArray, weights: FloatArray) -> FloatArray:
    """Sharpen a to argmin ||Z^T a||^2 + (sum a - 1)^2 over a >= 0 on the support of the guess."""
    support = np.flatnonzero(weights > 1e-14)
    matrix = np.vstack([rows[support].T, np.ones(support.size)])
    goal = np.append(np.zeros(rows.shape[1]), 1.0)
    try:
        found = nnls(matrix, goal)[0]
    except RuntimeError:  # it ran out of iterations
        return weights
    if not found.any():
        return weights
    sharpened = np.zeros_like(weights)
    sharpened[support] = found / found.sum()
    return sharpened
