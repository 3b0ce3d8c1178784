"""The squared loss as both flows of a regression see it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import qr

from implicitbias._arrays import FloatArray, stable_norm
from implicitbias.flow.regression._system import Reading
from implicitbias.problems import Regression

GRADED = 1e-4  # smallest over largest row of R below which rows are rotated


@dataclass(frozen=True, eq=False)
class SquaredLoss:
    """1/2 ||X beta - y||^2 on independent rows.

    Attributes
    ----------
    X, y
        (rank, d) and (rank,).
    size
        What residuals are relative to.
    """

    X: FloatArray
    y: FloatArray
    size: float

    def read(self, predictions: FloatArray) -> Reading:
        """Residual and loss of the predictions X beta, (rank,)."""
        residual = predictions - self.y
        norm = stable_norm(residual)
        with np.errstate(divide="ignore"):
            log_loss = 2.0 * float(np.log(norm)) - float(np.log(2.0))
        return Reading(residual, self.relative(norm), log_loss)

    def relative(self, norm: float) -> float:
        """A norm of residuals over ||y||; 0/0 = 0."""
        if norm == 0.0:
            return 0.0
        return norm / self.size if self.size > 0 else float("inf")


def squared_loss(problem: Regression, start: FloatArray) -> SquaredLoss:
    """The loss of ``problem``, its residuals relative to ||y||, or to the start's where y = 0.

    Dependent rows are rotated away: with X = Q R, Q^T Q = I, the gradient X^T (X beta - y) is
    R^T (R beta - Q^T y), so the flow on (R, Q^T y) is the same flow, at the same times. What
    rounding put into y outside of the range of X adds a constant to the loss, and is left out. Rows
    that are nearly dependent, or dominated by a few columns, are rotated too: the rows of R are as
    different in size as X is ill-conditioned, and what belongs to the small ones does not drown.

    Parameters
    ----------
    problem
        X, y and the rank.
    start
        beta(0), (d,).
    """
    X, y = problem.X, problem.y
    descending = np.argsort(-np.abs(X).max(axis=1, initial=0.0), kind="stable")
    basis, triangle, order = qr(X[descending], mode="economic", pivoting=True, check_finite=False)
    sizes = np.abs(np.diag(triangle)[: problem.rank])
    if problem.rank < problem.num_points or np.any(sizes < GRADED * sizes.max(initial=0.0)):
        rotated = np.empty((problem.rank, X.shape[1]))
        rotated[:, order] = triangle[: problem.rank]
        X, y = rotated, basis[:, : problem.rank].T @ y[descending]
    size = stable_norm(y)
    if size == 0.0:
        size = stable_norm(X @ start)
    return SquaredLoss(X, y, size)
