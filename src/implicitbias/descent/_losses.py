"""The two losses as a stack of runs sees them: what is read, and what pulls."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

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


class Sample(NamedTuple):
    """What one step of R runs takes.

    Attributes
    ----------
    steps
        gamma_k, (R,).
    weight
        Of the loss of a point.
    batch
        The points of each run, (R, b); all if None.
    noise
        What is added to their targets, (R, b), or None.
    """

    steps: FloatArray
    weight: float = 1.0
    batch: IntArray | None = None
    noise: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class DescentLoss(ABC):
    """What a stack of R runs asks of its loss, of targets or labels y, (n,)."""

    y: FloatArray

    @abstractmethod
    def keep(self, runs: IntArray) -> Self:
        """The loss of some of the runs."""

    @abstractmethod
    def look(self, predictions: FloatArray) -> Look:
        """What predictions at all points, (R, n), say."""

    @abstractmethod
    def pulls(self, predictions: FloatArray, sample: Sample) -> tuple[FloatArray, FloatArray]:
        """gamma_k r_k of the sample's points, (R, b), and log gamma_k, (R,)."""

    def _at(self, batch: IntArray | None) -> FloatArray:
        """y at the points of each run's batch."""
        return self.y if batch is None else self.y[batch]


@dataclass(frozen=True, eq=False)
class SquaredDescent(DescentLoss):
    """1/2 sum_i r_i^2, r = f - y, measured against ||y|| (the start's where y = 0)."""

    sizes: FloatArray

    @classmethod
    def of(cls, problem: Regression | Classification, first: FloatArray) -> SquaredDescent:
        """The loss of runs whose first predictions are ``first``, (R, n)."""
        size = stable_norm(problem.y)
        own = [size or stable_norm(row - problem.y) or 1.0 for row in first]
        return cls(problem.y, np.array(own))

    def keep(self, runs: IntArray) -> Self:
        """With the sizes of these runs."""
        return replace(self, sizes=self.sizes[runs])

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

    def pulls(self, predictions: FloatArray, sample: Sample) -> tuple[FloatArray, FloatArray]:
        """Residuals times the steps; noise moves the targets."""
        residuals = predictions - self._at(sample.batch)
        if sample.noise is not None:
            residuals -= sample.noise
        return (sample.weight * sample.steps)[:, None] * residuals, np.log(sample.steps)


@dataclass(frozen=True, eq=False)
class MarginDescent(DescentLoss):
    """sum_i l(y_i f_i), r_i = y_i l'(y_i f_i); gamma r in logarithms, which never underflow.

    Attributes
    ----------
    over_loss
        Whether steps are divided by the loss of the batch, times its weight.
    """

    loss: MarginLoss
    over_loss: bool

    @classmethod
    def of(cls, problem: Classification, loss: LossName, over_loss: bool) -> MarginDescent:
        """The loss of a classification."""
        return cls(problem.y, MarginLoss(loss), over_loss)

    def keep(self, runs: IntArray) -> Self:
        """The same."""
        return self

    def look(self, predictions: FloatArray) -> Look:
        """Loss and smallest margin of all points, (R, n)."""
        margins = self.y * predictions
        finite = np.asarray(np.isfinite(margins).all(axis=1))
        logs = np.full(len(margins), np.nan)
        logs[finite] = [self.loss.log_loss(row) for row in margins[finite]]
        nothing = np.full(len(margins), np.nan)
        return Look(logs, nothing, margins.min(axis=1), finite)

    def pulls(self, predictions: FloatArray, sample: Sample) -> tuple[FloatArray, FloatArray]:
        """In logarithms, over the loss of the batch where asked for."""
        labels, log_weight = self._at(sample.batch), np.log(sample.weight)
        margins = labels * predictions
        logs = np.log(sample.steps)
        if self.over_loss:
            logs = logs - [self.loss.log_loss(row) + log_weight for row in margins]
        sizes = self.loss.log_pulls(margins) + logs[:, None] + log_weight
        return -labels * np.exp(sizes), logs
