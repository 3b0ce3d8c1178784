"""Stationary directions (L > 2) against the layers' own equations, as far as those can be followed.

The direction at a late margin is no limit: it must come closer to the prediction with the margin.
"""

from __future__ import annotations

import numpy as np
from benchmarks.robustness._problems import Problem
from benchmarks.robustness._truth import coordinates
from flint import arb

from reference.brute_direction import directions
from reference.precise_potential import to_float

SCALES = (1e-3, 10.0)
MOST = 40  # coordinates
MARGINS = 10.0 ** np.arange(1, 6)
NEAR = 1e-2
CLOSING = 0.9  # of the angle a decade earlier
AT_REST = 0.998
Array = np.ndarray


def angles(problem: Problem, found: Array) -> list[float]:
    """Between the prediction and the flow, a decade of the margin apart; [] where not followed."""
    if not SCALES[0] <= problem.scale <= SCALES[1]:
        return []
    known = coordinates(problem)
    if known is None or len(known[1][0]) > MOST:
        return []
    Z, layers, back = known
    rows = np.array([[to_float(arb(value)) for value in row] for row in Z]) * problem.y[:, None]
    start = (
        np.array([[to_float(arb(value)) for value in layer] for layer in layers]) * problem.scale
    )
    unit = float((np.abs(rows) @ np.abs(start).max(axis=0) ** len(start)).max())
    late = directions(rows, start, max(unit, 1.0) * MARGINS)
    return [angle(back(list(rho)), found) for rho in late]


def disagrees(found: list[float], closing: float = CLOSING) -> bool:
    """Whether the flow has settled elsewhere."""
    return len(found) == MARGINS.size and found[-1] > NEAR and found[-1] > closing * found[-2]


def angle(first: Array, second: Array) -> float:
    """In radians, whatever their sizes."""
    a, b = first / np.abs(first).max(), second / np.abs(second).max()
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    return float(2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b)))
