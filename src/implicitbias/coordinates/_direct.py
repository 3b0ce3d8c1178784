"""rho as a function of the clock itself, where all coordinates cross with equal offsets.

    r(u) = sinh t cosh^{L-1} t,      dr/du = (1 + L sinh^2 t) cosh^{2(L-2)} t,

at u = int_0^t cosh^{-(L-2)}, with no t in between: what a flow evaluates thousands of times costs
a handful of elementary functions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias.coordinates._equal_clock import total_clock, unit_clock


@dataclass(frozen=True)
class Direct:
    """r and dr/du for one depth L >= 2, of arrays of any shape.

    NaN everywhere where any u is beyond the clock's range: a flow rejects such a step as a whole.
    """

    depth: int

    def r(self, u: FloatArray) -> FloatArray:
        """r(u)."""
        if self.depth == 2:
            return np.asarray(0.5 * np.sinh(2.0 * u))
        size = np.abs(u)
        slack = total_clock(self.depth)[0] - size
        if not np.minimum.reduce(slack, axis=None, initial=np.inf) > 0.0:
            return np.full_like(u, np.nan)
        if self.depth == 3:  # sinh t = tan u
            sinh = np.tan(u)
            return np.asarray(sinh * (1.0 + sinh * sinh))
        if self.depth == 4:  # tanh t = u
            cos_squared = slack * (1.0 + size)
            return np.asarray(u / (cos_squared * cos_squared))
        return np.copysign(unit_clock(self.depth).r_from(size, slack), u)

    def slope(self, u: FloatArray) -> FloatArray:
        """dr/du."""
        if self.depth == 2:
            return np.asarray(np.cosh(2.0 * u))
        size = np.abs(u)
        slack = total_clock(self.depth)[0] - size
        if not np.minimum.reduce(slack, axis=None, initial=np.inf) > 0.0:
            return np.full_like(u, np.nan)
        z = unit_clock(self.depth).sech_squared_from(size, slack)
        return np.asarray((1.0 + self.depth * (1.0 / z - 1.0)) / z ** (self.depth - 2))
