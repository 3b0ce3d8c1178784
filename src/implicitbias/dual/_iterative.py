"""Newton systems by conjugate gradients, where a Gram matrix does not fit or pay.

(Z D Z^T) dnu = r is solved with products by Z and Z^T alone, preconditioned by the diagonal of
Z D Z^T. Newton's method corrects what the iteration leaves: its residuals are those of the data, so
that the certificate is the same.

Source: Hestenes and Stiefel, J. Res. Natl. Bur. Stand. 49 (1952).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias.features import Features, factor_instead

SOLVED, ROUGHLY = 1e-11, 1e-4  # residuals relative to the right-hand side
MOST_ITERATIONS = 1000


@dataclass(frozen=True, eq=False)
class Iteration:
    """Z D Z^T by its products.

    Attributes
    ----------
    features
        Z, (n, m).
    weights
        D over its largest entry, (m,).
    lengths
        The roots of the diagonal of Z D Z^T, (n,).
    tolerance
        Of the residual, relative to the right-hand side at unit diagonal.
    """

    features: Features
    weights: FloatArray
    lengths: FloatArray
    tolerance: float

    def solve(self, right: FloatArray) -> FloatArray:
        """(Z D Z^T)^{-1} r, (n,) or (n, k); NaN where the iteration does not get there."""
        columns = right.reshape(len(right), -1)
        found = self._iterated(columns / self.lengths[:, None]) / self.lengths[:, None]
        return np.asarray(found.reshape(right.shape))

    def _applied(self, x: FloatArray) -> FloatArray:
        lengths = self.lengths[:, None]
        return self.features.normal(self.weights, x / lengths) / lengths

    def _iterated(self, right: FloatArray) -> FloatArray:
        """Every column on its own, products together; those that are solved stand still."""
        x, rest, direction = np.zeros_like(right), right.copy(), right.copy()
        squares = np.einsum("ij,ij->j", rest, rest)
        goal = self.tolerance**2 * squares
        for _ in range(MOST_ITERATIONS):
            if np.all(squares <= goal):
                return x
            moved = self._applied(direction)
            height = np.einsum("ij,ij->j", direction, moved)
            step = np.divide(squares, height, out=np.zeros_like(height), where=height > 0.0)
            step[squares <= goal] = 0.0
            x += step * direction
            rest -= step * moved
            before, squares = squares, np.einsum("ij,ij->j", rest, rest)
            ratio = np.divide(squares, before, out=np.zeros_like(before), where=before > 0.0)
            direction = rest + ratio * direction
        return np.full_like(right, np.nan)


def iteration_of(features: Features, weights: FloatArray, *, rough: bool) -> Iteration | None:
    """The iteration for weights up to 1; None where it does not converge for a generic vector."""
    squares = features.row_squares(weights)
    if np.all(squares > 0.0):
        found = Iteration(features, weights, np.sqrt(squares), ROUGHLY if rough else SOLVED)
        if np.isfinite(found.solve(np.cos(np.arange(1.0, squares.size + 1.0)))).all():
            return found
    factor_instead(features)
    return None
