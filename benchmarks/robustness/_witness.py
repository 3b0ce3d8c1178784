"""Stationary directions (L > 2) against the layers' own equations, as far as those can be followed.

The direction at a late margin is no limit: it must come closer to the prediction with the margin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
LONGER = 1e-6
Array = np.ndarray


@dataclass(frozen=True)
class Followed:
    """Late directions rho of the layers' own flow, their points y_i z_i, and beta of a rho."""

    late: list[Array]
    rows: Array
    back: Callable[[list[float]], Array]

    def angles(self, found: Array) -> list[float]:
        """Between the prediction and the flow, a decade of the margin apart."""
        return [angle(self.back(list(rho)), found) for rho in self.late]

    def is_longer(self, rho: Array) -> bool:
        """Whether the last direction has a larger l1 norm, at margin 1, than the prediction has.

        Two layers end at the least l1 norm of the coordinates that move: such a flow is on its way,
        or passes a saddle.
        """
        last = self.late[-1]
        if (self.rows @ rho).min() <= 0.0 or np.any(rho[last == 0.0] != 0.0):
            return False
        return self._norm(last) > (1.0 + LONGER) * self._norm(rho)

    def _norm(self, rho: Array) -> float:
        return float(np.abs(rho).sum() / (self.rows @ rho).min())


def followed(problem: Problem) -> Followed | None:
    """The flow, a decade of the margin apart; None where it is not followed."""
    if not SCALES[0] <= problem.scale <= SCALES[1]:
        return None
    known = coordinates(problem)
    if known is None or len(known[1][0]) > MOST:
        return None
    Z, layers, back = known
    rows = np.array([[to_float(arb(value)) for value in row] for row in Z]) * problem.y[:, None]
    start = (
        np.array([[to_float(arb(value)) for value in layer] for layer in layers]) * problem.scale
    )
    unit = float((np.abs(rows) @ np.abs(start).max(axis=0) ** len(start)).max())
    late = directions(rows, start, max(unit, 1.0) * MARGINS)
    return Followed(late, rows, back) if late else None


def disagrees(found: list[float], closing: float = CLOSING) -> bool:
    """Whether the flow has settled elsewhere."""
    return len(found) == MARGINS.size and found[-1] > NEAR and found[-1] > closing * found[-2]


def angle(first: Array, second: Array) -> float:
    """In radians, whatever their sizes."""
    a, b = first / np.abs(first).max(), second / np.abs(second).max()
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    return float(2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b)))
