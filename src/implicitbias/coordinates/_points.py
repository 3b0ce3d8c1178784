"""What a step from one t asks for, each number once: rho, its slope, the clock's, their rates.

For steps whose errors are corrected later. Where all offsets are equal and nothing overflows, all
of it follows from S = sinh t and C = cosh t:

    rho = A S C^{L-1},   rho' = A C^{L-2} (1 + L S^2),   u' = C^{-(L-2)}.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias.coordinates._gauss import gauss

if TYPE_CHECKING:
    from implicitbias.coordinates._scalar_curves import ScalarCurves

RULES = [(longest, gauss(nodes)) for longest, nodes in ((0.02, 3), (0.1, 4), (0.5, 6), (1.6, 10))]
DEEP = (5, 9)  # depths for which these rules leave eight digits
LARGEST = 300.0  # L |t| up to which no power of C, and no square of one, overflows


class Point:
    """m coordinates at t, (m,), which must stay as it is; every number is an array (m,)."""

    def __init__(self, curves: ScalarCurves, t: FloatArray) -> None:
        self.curves, self.t = curves, t

    @cached_property
    def rho(self) -> FloatArray:
        """rho; 0 or inf on under- or overflow."""
        return self.curves.rho(self.t)

    @cached_property
    def log_rho_slope(self) -> FloatArray:
        """log d rho / dt."""
        return self.curves.log_rho_slope(self.t)

    @cached_property
    def log_u_slope(self) -> FloatArray:
        """log du / dt."""
        return self.curves.log_u_slope(self.t)

    @cached_property
    def rates(self) -> tuple[FloatArray, FloatArray]:
        """d log rho' / dt and d log u' / dt, to some digits."""
        return self.curves.slope_rates(self.t)

    def increment(self, dt: FloatArray) -> FloatArray:
        """(u(t + dt) - u(t)) / u'(t)."""
        return self.curves.u_increment(self.t, dt, relative=True)


class EqualPoint(Point):
    """The same where all coordinates cross with equal offsets; ``unit`` is A."""

    def __init__(
        self, curves: ScalarCurves, t: FloatArray, unit: FloatArray, log_unit: FloatArray
    ) -> None:
        super().__init__(curves, t)
        self._unit, self._log_unit, self._depth = unit, log_unit, int(curves.depth)
        self._sinh = np.sinh(t)
        self._square = self._sinh * self._sinh

    @cached_property
    def _cosh(self) -> FloatArray:
        return np.asarray(np.sqrt(1.0 + self._square))

    @cached_property
    def _twice_log_cosh(self) -> FloatArray:
        return np.asarray(np.log1p(self._square))

    @cached_property
    def rho(self) -> FloatArray:
        """A S C^{L-1}."""
        power = self._cosh
        for _ in range(self._depth - 2):
            power = power * self._cosh
        return np.asarray(self._unit * self._sinh * power)

    @cached_property
    def log_rho_slope(self) -> FloatArray:
        """log A + (L - 2) log C + log(1 + L S^2)."""
        slope: FloatArray = np.log1p(self._depth * self._square) + self._log_unit
        if self._depth > 2:
            slope += (0.5 * self._depth - 1.0) * self._twice_log_cosh
        return slope

    @cached_property
    def log_u_slope(self) -> FloatArray:
        """-(L - 2) log C."""
        if self._depth == 2:
            return np.zeros_like(self.t)
        return np.asarray((1.0 - 0.5 * self._depth) * self._twice_log_cosh)

    def increment(self, dt: FloatArray) -> FloatArray:
        """By few nodes, to eight digits at least, where there is no closed form."""
        longest = float(np.abs(dt).max(initial=0.0))
        if not DEEP[0] <= self._depth <= DEEP[1] or longest > RULES[-1][0]:
            return super().increment(dt)
        nodes, weights = next(rule for size, rule in RULES if longest <= size)
        sinh = np.sinh(nodes[:, None] * dt)  # C(t + y) / C = cosh y + tanh t sinh y
        growth = np.sqrt(1.0 + sinh * sinh) + (self._sinh / self._cosh) * sinh
        power = growth
        for _ in range(self._depth - 3):
            power = power * growth
        return np.asarray(dt * (weights @ (1.0 / power)))

    @cached_property
    def rates(self) -> tuple[FloatArray, FloatArray]:
        """As for all curves, from S and C."""
        depth, tanh = self._depth, self._sinh / self._cosh
        rho = tanh * (2.0 * depth * (1.0 + self._square) / (1.0 + depth * self._square))
        clock = -(depth - 2.0) * tanh
        return rho - clock, clock
