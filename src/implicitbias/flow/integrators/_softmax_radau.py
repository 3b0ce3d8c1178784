"""Radau IIA for flows driven by softmax weights, with the weights as unknowns of their own.

Where margins are large, w = softmax(-margins) is all or nothing a hair's breadth off the solution,
and Newton's method on the state alone sees no slope there. Its logarithm is nearly linear. So, as
interior point methods do, the stages' log weights are iterated too,

    z = h (a x I) f(z, w),    log w = log softmax(-margins(z)),

both linearised at once: the linear systems stay what they are, and weights vary as slowly from
step to step as the flow does.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias.flow.integrators._radau import STAGES, LowRankRadau, continued

AGREED = 1e-2  # of weights, once the state has arrived to rounding
SMALL = float(np.log(1e-2))  # log of a weight up to which it may grow in one iteration


class SoftmaxFlow(Protocol):
    """dz/dsigma = f(z, w), linear in w but for a common factor, at w = softmax(-margins(z))."""

    def log_weights(self, states: FloatArray) -> FloatArray:
        """log softmax(-margins), (s, n)."""

    def driven(self, states: FloatArray, log_weights: FloatArray) -> FloatArray:
        """f(z, w), (s, N)."""

    def rounding(self, state: FloatArray) -> float | FloatArray:
        """What rounding of the margins leaves uncertain of z, relatively, in all or each entry."""

    def factors(self, states: FloatArray, log_weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """A = (df / d log w)^T and B = -d log w / dz, less its mean by w, (s, n, N) each."""


class SoftmaxRadau(LowRankRadau):
    """Radau IIA with 7 stages for z and log w.

    Parameters
    ----------
    flow
        f, the weights and their derivatives.
    y0, first_step, tol, sizes, floor
        As for ``LowRankRadau``.
    """

    def __init__(
        self,
        flow: SoftmaxFlow,
        y0: FloatArray,
        *,
        first_step: float,
        tol: float,
        sizes: FloatArray,
        floor: float,
    ) -> None:
        super().__init__(
            lambda states: flow.driven(states, flow.log_weights(states)),
            y0,
            np.inf,
            first_step=first_step,
            factors=lambda states: flow.factors(states, flow.log_weights(states)),
            tol=tol,
            sizes=sizes,
            floor=floor,
        )
        self.flow, self.least_floor = flow, floor
        self.log_weights = flow.log_weights(y0[None])[0]
        self.moved = np.zeros((STAGES, self.log_weights.size))

    def _accept(self, h: float, stages: FloatArray, error: float, iterations: int) -> None:
        self.moved = self.logs - self.log_weights
        self.log_weights = self.logs[-1]
        super()._accept(h, stages, error, iterations)
        self.floor = np.maximum(self.least_floor, self.flow.rounding(self.y))

    def _linearised(self, h: float, stages: FloatArray) -> tuple[FloatArray, FloatArray]:
        ahead = continued(self.moved, h / self.h_taken)
        self.logs = _normalised(self.log_weights + ahead)
        self.left, self.right = self.flow.factors(self.y + stages, self.logs)
        return self.left, self.right

    def _evaluated(self, stages: FloatArray) -> tuple[FloatArray, FloatArray]:
        states = self.y + stages
        self.softmax = self.flow.log_weights(states)
        self.mismatch = self.logs - self.softmax
        self.mismatch -= (np.exp(self.logs) * self.mismatch).sum(axis=1, keepdims=True)
        velocities = self.flow.driven(states, self.logs)
        return velocities, velocities - np.matmul(self.mismatch[:, None], self.left)[:, 0]

    def _settled(self, change: FloatArray) -> bool:
        agreed = np.abs(np.exp(self.logs) - np.exp(self.softmax)).max() <= AGREED
        grown = -self.mismatch - np.matmul(self.right, change[:, :, None])[:, :, 0]
        slowly = self.logs + np.log1p(np.maximum(grown, 0.0))
        rising = np.maximum(slowly, np.minimum(self.logs + grown, SMALL))
        self.logs = _normalised(np.where(grown > 0.0, rising, self.logs + grown))
        return bool(agreed)


def _normalised(logs: FloatArray) -> FloatArray:
    """log w with sum w = 1."""
    return np.asarray(logs - np.logaddexp.reduce(logs, axis=1, keepdims=True))
