"""Least squares on a cone: where fast training comes to rest with some clocks at their ends.

    min 1/2 ||y - B x||^2 s.t. x >= 0,

B the signed columns whose clocks are tight. The fit B x is unique, and so is the pull y - B x, on
which all that follows depends: it is computed to all its digits, however small it is against y.

Source: Lawson and Hanson, Solving Least Squares Problems (1974), chapter 23, from a warm start;
Bjorck, BIT 7 (1967), for the refinement of both the solution and the residual.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from implicitbias._arrays import BoolArray, FloatArray, IntArray, stable_norm
from implicitbias.features import Dense, Features

NOTHING = 1e-13  # relative: shares this small are 0, residuals this small are rounding
FLAT = 1e-12  # slopes below this, relative to |z| |pull|, are 0
REFINED = 3


class NoRestError(Exception):
    """The fit on a cone was not found."""


@dataclass(frozen=True, eq=False)
class Rest:
    """Where training rests while the clocks of some coordinates are tight.

    Attributes
    ----------
    chosen
        Coordinates that are not 0, their columns independent, ascending, (k,).
    values
        rho there, (k,).
    pull
        Minus the derivative of the loss by the outputs, (n,): dN/dT.
    change
        What the last correction did to the values, (k,).
    pull_error
        An estimate of the norm of what the pull is off by.
    bounded
        False where the loss has no minimum on the cone: rho grows for ever.
    """

    chosen: IntArray
    values: FloatArray
    pull: FloatArray
    change: FloatArray
    pull_error: float = 0.0
    bounded: bool = True


@dataclass(frozen=True, eq=False)
class SquaredLoss:
    """1/2 ||y - Z rho||^2.

    Attributes
    ----------
    features, target
        Z (n, m), its columns of norm near 1, and y (n,).
    rounding
        Residuals that are this part of y, or of the terms that add up to it, are none.
    """

    features: Features
    target: FloatArray
    rounding: float = NOTHING

    def start(self) -> Rest:
        """At rho = 0."""
        nobody = np.zeros(0, dtype=np.intp)
        return Rest(nobody, np.zeros(0), self.target, np.zeros(0))

    def rest(self, tight: IntArray, signs: FloatArray, last: Rest) -> Rest:
        """The fit on the cone of the columns ``tight``, ascending, from an earlier one inside.

        Raises
        ------
        NoRestError
            Columns enter and leave without end.
        """
        columns = self.features.columns(tight) * signs
        lengths = np.linalg.norm(columns, axis=0)
        passive = np.isin(tight, last.chosen)
        x = np.zeros(tight.size)
        x[passive] = np.abs(last.values)
        blocked, newcomer = np.zeros(tight.size, dtype=bool), -1
        for _ in range(10 * (tight.size + len(columns)) + 10):
            x, passive = _descend(columns, self.target, x, passive)
            if newcomer >= 0 and not passive[newcomer]:
                blocked[newcomer] = True  # its slope was rounding
            else:
                blocked[:] = False
            fit = self._refined(columns[:, passive])
            slopes = columns.T @ fit.pull
            able = ~passive & ~blocked & (slopes > FLAT * lengths * stable_norm(fit.pull))
            if not able.any():
                break
            newcomer = int(np.where(able, slopes / lengths, -np.inf).argmax())
            passive[newcomer] = True
        else:
            raise NoRestError("least squares with signs came to no end")
        chosen = np.flatnonzero(passive)
        sides = signs[chosen]
        return Rest(
            tight[chosen], sides * fit.values, fit.pull, sides * fit.change, fit.pull_error
        )

    def _refined(self, columns: FloatArray) -> Rest:
        """The least-squares fit by independent columns, both of its parts to all digits."""
        q, r = np.linalg.qr(columns)
        precise, pull = Dense(columns).precise, self.target
        x = np.zeros(columns.shape[1])
        step, error = x, 0.0
        for _ in range(REFINED if x.size else 0):
            missing = precise.residual(x, self.target - pull) if x.any() else np.zeros_like(pull)
            slopes = precise.transposed_residual(pull, np.zeros_like(x))
            own = solve_triangular(r, slopes, trans="T")
            inside = q.T @ missing
            step = solve_triangular(r, inside - own)
            change = missing - q @ (inside - own)
            pull, x = pull + change, x + step
            error = stable_norm(own)
        size = stable_norm(self.target) + float(np.abs(x) @ np.linalg.norm(columns, axis=0))
        if stable_norm(pull) <= self.rounding * size:
            pull, error = np.zeros_like(pull), 0.0
        return Rest(np.arange(x.size), x, pull, step, error)


def _descend(
    columns: FloatArray, target: FloatArray, x: FloatArray, passive: BoolArray
) -> tuple[FloatArray, BoolArray]:
    """x >= 0 with the least residual among the passive columns, and those of them with x > 0."""
    x, passive = x.copy(), passive.copy()
    while passive.any():
        inside = np.flatnonzero(passive)
        q, r = np.linalg.qr(columns[:, inside])
        wanted = solve_triangular(r, q.T @ target)
        low = wanted <= NOTHING * float(np.abs(wanted).max())
        if not low.any():
            x[inside] = wanted
            break
        here = x[inside]
        shrinks = low & (here > wanted)
        parts = np.where(shrinks, here / np.where(shrinks, here - wanted, 1.0), 0.0)
        part = min(float(parts[low].min()), 1.0)
        x[inside] = here + part * (wanted - here)
        gone = inside[low & (parts <= part)]
        x[gone], passive[gone] = 0.0, False
    return x, passive
