"""The exponential loss on a cone: where training of a classifier rests while clocks are tight.

    min sum_i exp(-y_i [B x]_i) s.t. x >= 0,

B the signed columns whose clocks are tight. It has a minimum unless some x >= 0 has margins
y_i [B x]_i >= 0, not all 0: then the loss of these points tends to 0, and x grows for ever. By
Newton's method on the loss, each step a weighted least-squares problem.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from implicitbias._arrays import EPS, BoolArray, FloatArray, IntArray, stable_norm
from implicitbias.features import Features
from implicitbias.limits._linear_program import linprog
from implicitbias.limits.saddles._cone import FLAT, NOTHING, NoRestError, Rest

SETTLED = 1e-6  # change of a margin below which steps that shrink no more are rounding
ASKED = 60  # steps after which it is asked whether the loss has a minimum
MAX_STEPS = 1000
ROUNDED = 8 * EPS  # of a sum of losses
MAX_HALVINGS, LEAST_GAIN = 60, 0.1  # of a step, and of what its slope promises
OPTIONS = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}


@dataclass(frozen=True, eq=False)
class ExponentialLoss:
    """sum_i exp(-y_i [Z rho]_i).

    Attributes
    ----------
    features, labels
        Z (n, m), its columns of norm near 1, and y = +-1, (n,).
    """

    features: Features
    labels: FloatArray

    def start(self) -> Rest:
        """At rho = 0."""
        return Rest.at_zero(self.labels)

    def rest(self, tight: IntArray, signs: FloatArray, last: Rest) -> Rest:
        """The minimiser on the cone of the columns ``tight``, ascending, from one inside.

        Raises
        ------
        NoRestError
            Newton's method did not converge, and no direction has margins >= 0.
        """
        rows = self.labels[:, None] * self.features.columns(tight) * signs
        lengths = np.linalg.norm(rows, axis=0)
        x, passive = last.among(tight)
        change = np.zeros(tight.size)
        for _ in range(10 * (tight.size + len(rows)) + 10):
            found = _newton(rows, x, passive)
            if found is None:
                return Rest(tight, x * signs, self.labels, x, bounded=False)
            x, passive, change, losses = found
            slopes = rows.T @ losses
            able = ~passive & (slopes > FLAT * lengths * stable_norm(losses))
            if not able.any():
                break
            passive[int(np.where(able, slopes / lengths, -np.inf).argmax())] = True
        else:
            raise NoRestError("columns entered and left the loss of a face without end")
        chosen = np.flatnonzero(passive)
        sides, rounding = signs[chosen], EPS * (np.abs(rows) @ x)
        error = losses * (np.square(rows @ change) + rounding)
        return Rest(
            tight[chosen],
            sides * x[chosen],
            self.labels * losses,
            sides * change[chosen],
            stable_norm(error),
        )


def _newton(
    rows: FloatArray, x: FloatArray, passive: BoolArray
) -> tuple[FloatArray, BoolArray, FloatArray, FloatArray] | None:
    """x, which of it is not 0, the last step, and the losses there; None where it grows for ever.

    The step to margins m + dm minimises sum_i exp(-m_i) (dm_i - 1)^2. It has converged once no
    margin moves, whatever its loss: those that grow for ever do so by 1 a step.

    Raises
    ------
    NoRestError
        It did not converge.
    """
    x, passive, previous = x.copy(), passive.copy(), np.inf
    losses = np.exp(-(rows @ x))
    for count in range(MAX_STEPS):
        if count == ASKED and _grows(rows):
            return None
        inside = np.flatnonzero(passive)
        change = np.zeros_like(x)
        if inside.size == 0:
            return x, passive, change, losses
        root = np.sqrt(losses)
        q, r = np.linalg.qr(root[:, None] * rows[:, inside])
        change[inside] = solve_triangular(r, q.T @ root)
        moved = float(np.abs(rows @ change).max())
        if not np.isfinite(moved):
            raise NoRestError("columns of a face depend on each other")
        if moved == 0.0 or 0.5 * previous <= moved <= SETTLED:
            return x, passive, change, losses * (1.0 - rows @ change)  # orthogonal to columns
        previous = moved
        x, losses, gone = _along(rows, x, change, losses)
        passive[gone] = False
    raise NoRestError("Newton's method on the loss of a face did not converge")


def _along(
    rows: FloatArray, x: FloatArray, change: FloatArray, losses: FloatArray
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """A step that lowers the loss and keeps x >= 0, the losses there, and what has become 0.

    Raises
    ------
    NoRestError
        None does.
    """
    falls = (change < 0.0) & (x + change <= NOTHING * float(np.abs(x).max()))
    ratios = np.where(falls, x / np.where(falls, -change, 1.0), np.inf)
    step, gained = min(1.0, float(ratios.min())), float(losses @ (rows @ change))
    size = float(losses.sum())
    for _ in range(MAX_HALVINGS):
        gone = ratios <= step
        at = np.where(gone, 0.0, x + step * change)
        with np.errstate(over="ignore"):
            there = np.exp(-(rows @ at))
        if float(there.sum()) <= size * (1.0 + ROUNDED) - LEAST_GAIN * step * gained:
            return at, there, gone
        step *= 0.5
    raise NoRestError("no step lowers the loss of a face")


def _grows(rows: FloatArray) -> bool:
    """Whether some x >= 0 has margins >= 0, not all of them 0: max sum t, 0 <= t <= 1, t <= M x."""
    sizes = np.linalg.norm(rows, axis=1)
    scaled = rows[sizes > 0.0] / sizes[sizes > 0.0, None]
    n, k = scaled.shape
    answer = linprog(
        np.concatenate([np.zeros(k), -np.ones(n)]),
        A_ub=np.hstack([-scaled, np.eye(n)]),
        b_ub=np.zeros(n),
        bounds=[(0, None)] * k + [(0, 1)] * n,
        method="highs",
        options=OPTIONS,
    )
    return bool(answer.status == 0 and -answer.fun > 0.5)
