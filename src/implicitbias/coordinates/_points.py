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
TINY = 5e-5  # L times a step up to which two terms leave eight digits
CLOSED = (3, 4)
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
        """To eight digits at least: by two terms, in closed form or by few nodes."""
        depth, longest = self._depth, float(np.abs(dt).max(initial=0.0))
        if depth == 2:
            return dt
        if longest <= TINY / depth:
            return np.asarray(dt * (1.0 - (0.5 * depth - 1.0) * (self._sinh / self._cosh) * dt))
        if longest <= RULES[-1][0] and depth in CLOSED:
            return self._closed_increment(dt)
        if longest > RULES[-1][0] or not DEEP[0] <= depth <= DEEP[1]:
            return super().increment(dt)
        nodes, weights = next(rule for size, rule in RULES if longest <= size)
        sinh = np.sinh(nodes[:, None] * dt)  # C(t + y) / C = cosh y + tanh t sinh y
        growth = np.sqrt(1.0 + sinh * sinh) + (self._sinh / self._cosh) * sinh
        power = growth
        for _ in range(depth - 3):
            power = power * growth
        return np.asarray(dt * (weights @ (1.0 / power)))

    def _closed_increment(self, dt: FloatArray) -> FloatArray:
        """C [arctan sinh] and C^2 [tanh] from t to t + dt, sums of arguments resolved."""
        half = np.sinh(0.5 * dt)
        both = 2.0 * half * np.sqrt(1.0 + half * half)  # sinh dt
        if self._depth == 4:
            tanh = self._sinh / self._cosh
            return np.asarray(both / (1.0 + 2.0 * half * half + tanh * both))
        rise = both + 2.0 * (self._sinh / self._cosh) * half * half  # (sinh(t + dt) - S) / C
        return np.asarray(self._cosh * np.arctan2(rise, self._cosh + self._sinh * rise))

    @cached_property
    def rates(self) -> tuple[FloatArray, FloatArray]:
        """As for all curves, from S and C."""
        depth, tanh = self._depth, self._sinh / self._cosh
        rho = tanh * (2.0 * depth * (1.0 + self._square) / (1.0 + depth * self._square))
        clock = -(depth - 2.0) * tanh
        return rho - clock, clock
