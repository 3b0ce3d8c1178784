"""The two losses as a stack of runs sees them: what is read, and what pulls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from implicitbias._arrays import BoolArray, FloatArray, IntArray, stable_norm
from implicitbias.flow import LossName, MarginLoss
from implicitbias.problems import Classification, Regression

FINITE = 1e300  # residuals beyond are those of a run that diverged


@dataclass(frozen=True, eq=False)
class Look:
    """R runs looked at, each entry (R,).

    Attributes
    ----------
    log_loss, residual, margin
        As in a ``FlowState``; residual is NaN for classification, margin for regression.
    finite
        Whether float64 still holds the run.
    """

    log_loss: FloatArray
    residual: FloatArray
    margin: FloatArray
    finite: BoolArray


@dataclass(frozen=True, eq=False)
class SquaredDescent:
    """1/2 sum_i r_i^2, r = f - y, measured against ||y|| (the start's where y = 0)."""

    y: FloatArray
    sizes: FloatArray

    @classmethod
    def of(cls, problem: Regression | Classification, first: FloatArray) -> SquaredDescent:
        """The loss of runs whose first predictions are ``first``, (R, n)."""
        size = stable_norm(problem.y)
        own = [size or stable_norm(row - problem.y) or 1.0 for row in first]
        return cls(problem.y, np.array(own))

    def keep(self, runs: IntArray) -> SquaredDescent:
        """The loss of some of the runs."""
        return SquaredDescent(self.y, self.sizes[runs])

    def look(self, predictions: FloatArray) -> Look:
        """Loss and residual of all points, (R, n)."""
        residuals = predictions - self.y
        squares = np.einsum("rn,rn->r", residuals, residuals)
        norms = np.sqrt(squares)
        for run in np.flatnonzero(~((squares > 1e-290) & (squares < 1e290))):
            norms[run] = stable_norm(residuals[run])
        logs = 2.0 * np.log(norms) - float(np.log(2.0))
        nothing = np.full(len(norms), np.nan)
        return Look(logs, norms / self.sizes, nothing, norms < FINITE)

    def pulls(
        self,
        predictions: FloatArray,
        steps: FloatArray,
        weight: float,
        batch: IntArray | None,
        noise: FloatArray | None,
    ) -> tuple[FloatArray, FloatArray]:
        """gamma_k r_k of the points of a batch (all if None), (R, b), and log gamma_k, (R,)."""
        residuals = predictions - (self.y if batch is None else self.y[batch])
        if noise is not None:
            residuals -= noise
        return (weight * steps)[:, None] * residuals, np.log(steps)


@dataclass(frozen=True, eq=False)
class MarginDescent:
    """sum_i l(y_i f_i), r_i = y_i l'(y_i f_i); gamma r in logarithms, which never underflow.

    Attributes
    ----------
    over_loss
        Whether steps are divided by the loss of the batch, times its weight.
    """

    y: FloatArray
    loss: MarginLoss
    over_loss: bool

    @classmethod
    def of(cls, problem: Classification, loss: LossName, over_loss: bool) -> MarginDescent:
        """The loss of a classification."""
        return cls(problem.y, MarginLoss(loss), over_loss)

    def keep(self, runs: IntArray) -> MarginDescent:
        """The loss of some of the runs: the same."""
        return self

    def look(self, predictions: FloatArray) -> Look:
        """Loss and smallest margin of all points, (R, n)."""
        margins = self.y * predictions
        finite = np.asarray(np.isfinite(margins).all(axis=1))
        logs = np.full(len(margins), np.nan)
        logs[finite] = [self.loss.log_loss(row) for row in margins[finite]]
        nothing = np.full(len(margins), np.nan)
        return Look(logs, nothing, margins.min(axis=1), finite)

    def pulls(
        self,
        predictions: FloatArray,
        steps: FloatArray,
        weight: float,
        batch: IntArray | None,
        noise: FloatArray | None,
    ) -> tuple[FloatArray, FloatArray]:
        """gamma_k r_k of the points of a batch (all if None), (R, b), and log gamma_k, (R,)."""
        labels = self.y if batch is None else self.y[batch]
        margins = labels * predictions
        logs = np.log(steps)
        if self.over_loss:
            logs = logs - [self.loss.log_loss(row) + np.log(weight) for row in margins]
        sizes = self.loss.log_pulls(margins) + logs[:, None] + np.log(weight)
        return -labels * np.exp(sizes), logs
