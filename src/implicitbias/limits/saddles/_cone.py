"""Least squares on a cone: where fast training comes to rest with some clocks at their ends.

    min 1/2 ||y - B x||^2 s.t. x >= 0,

B the signed columns whose clocks are tight. The fit B x is unique, and so is the pull y - B x, on
which all that follows depends: it is computed to all its digits, however small it is against y.

Source: Lawson and Hanson, Solving Least Squares Problems (1974), chapter 23, from a warm start;
Bjorck, BIT 7 (1967), for the refinement of both the solution and the residual.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg.lapack import dtrtrs

from implicitbias._arrays import EPS, BoolArray, FloatArray, IntArray, stable_norm
from implicitbias.features import Dense, Features

NOTHING = 1e-13  # relative: shares this small are 0, residuals this small are rounding
FLAT = 1e-12  # slopes below this, relative to |z| |pull|, are 0
PRECISE = 2.0**-74  # of the terms of a residual evaluated beyond float64
REFINED = 2


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
    nothing
        What was left of a pull that counts as 0, (n,), though fewer columns than points fit y.
    """

    chosen: IntArray
    values: FloatArray
    pull: FloatArray
    change: FloatArray
    pull_error: float = 0.0
    bounded: bool = True
    nothing: FloatArray | None = None

    @classmethod
    def at_zero(cls, pull: FloatArray) -> Rest:
        """rho = 0."""
        return cls(np.zeros(0, dtype=np.intp), np.zeros(0), pull, np.zeros(0))

    def among(self, tight: IntArray) -> tuple[FloatArray, BoolArray]:
        """|rho| of coordinates ``tight``, ascending, that hold all of it; and where it is not 0."""
        x, passive = np.zeros(tight.size), np.zeros(tight.size, dtype=bool)
        passive[np.searchsorted(tight, self.chosen)] = True
        x[passive] = np.abs(self.values)
        return x, passive


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
        return Rest.at_zero(self.target)

    def rest(self, tight: IntArray, signs: FloatArray, last: Rest) -> Rest:
        """The fit on the cone of the columns ``tight``, ascending, from an earlier one inside.

        Raises
        ------
        NoRestError
            Columns enter and leave without end.
        """
        columns = self.features.columns(tight) * signs
        lengths = np.linalg.norm(columns, axis=0)
        x, passive = last.among(tight)
        fit, blocked = last, np.zeros(tight.size, dtype=bool)
        for _ in range(10 * (tight.size + len(columns)) + 10):
            able = ~passive & ~blocked
            slopes = np.where(able, columns.T @ fit.pull, 0.0) / lengths
            newcomer = int(slopes.argmax())
            if not slopes[newcomer] > FLAT * stable_norm(fit.pull):
                break
            passive[newcomer] = True
            x, passive, factors = _descend(columns, self.target, x, passive)
            blocked[:] = False
            blocked[newcomer] = not passive[newcomer]  # its slope was rounding
            fit = self._refined(columns[:, passive], factors, x[passive])
        else:
            raise NoRestError("least squares with signs came to no end")
        chosen = np.flatnonzero(passive)
        sides = signs[chosen]
        if fit is last:
            return last
        values, change = sides * fit.values, sides * fit.change
        return replace(fit, chosen=tight[chosen], values=values, change=change)

    def _refined(
        self, columns: FloatArray, factors: tuple[FloatArray, FloatArray], x: FloatArray
    ) -> Rest:
        """The least-squares fit x by independent columns = q r, both of its parts to all digits."""
        q, r = factors
        precise, pull = Dense(columns).precise, self.target - columns @ x
        step, error, nothing = np.zeros_like(x), 0.0, None
        for _ in range(REFINED if x.size else 0):
            missing = precise.residual(x, self.target) - pull  # y - pull would be rounded
            slopes = precise.transposed_residual(pull, np.zeros_like(x))
            own = dtrtrs(r, slopes, trans=1)[0]
            inside = q.T @ missing
            step = dtrtrs(r, inside - own)[0]
            pull, x = pull + missing - q @ (inside - own), x + step
            error = stable_norm(own)
        size = stable_norm(self.target) + float(np.abs(x) @ np.linalg.norm(columns, axis=0))
        error += PRECISE * size + 4.0 * EPS * stable_norm(pull)
        if stable_norm(pull) <= self.rounding * size:
            nothing = pull if x.size < pull.size and pull.any() else None
            pull, error = np.zeros_like(pull), 0.0
        return Rest(np.arange(x.size), x, pull, step, error, nothing=nothing)


def _descend(
    columns: FloatArray, target: FloatArray, x: FloatArray, passive: BoolArray
) -> tuple[FloatArray, BoolArray, tuple[FloatArray, FloatArray]]:
    """x >= 0 with the least residual among the passive columns, those with x > 0, and their QR."""
    x, passive = x.copy(), passive.copy()
    while True:
        inside = np.flatnonzero(passive)
        q, r = np.linalg.qr(columns[:, inside])
        if not inside.size:
            return x, passive, (q, r)
        wanted = dtrtrs(r, q.T @ target)[0]
        low = wanted <= NOTHING * float(np.abs(wanted).max())
        if not low.any():
            x[inside] = wanted
            return x, passive, (q, r)
        here = x[inside]
        shrinks = low & (here > wanted)
        parts = np.where(shrinks, here / np.where(shrinks, here - wanted, 1.0), 0.0)
        part = min(float(parts[low].min()), 1.0)
        x[inside] = here + part * (wanted - here)
        gone = inside[low & (parts <= part)]
        x[gone], passive[gone] = 0.0, False
