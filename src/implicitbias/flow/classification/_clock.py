"""Time along a flow that is integrated in another clock: t = int exp(b(sigma)) dsigma.

b = log(dt/dsigma) is smooth, but may grow by millions while the margin grows by a per mille, so
that sums of exp(b) at a few points are off by whole powers of e. So b itself is interpolated over a
step, at as many Chebyshev points as it takes, and the integral is that of the interpolant: by
Gauss's rule on pieces over which b changes by 1 at most; where b is steeper, nearly all of it lies
within a few 1/|b'| of one end, and Gauss and Laguerre's rule there does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.polynomial import chebyshev, laguerre, legendre

from implicitbias._arrays import FloatArray

_NODES, _WEIGHTS = legendre.leggauss(6)
NODES, WEIGHTS = 0.5 * (1.0 + _NODES), 0.5 * _WEIGHTS
DEPTHS, SHARES = laguerre.laggauss(12)
STEEP = 50.0  # change of b over a piece from which on its end is all that counts
MOST_PIECES = 400
ROUGH, FINE, FINEST = 4, 8, 32  # degrees of interpolation: to begin with, and at most
RESOLVED = 1e-9  # of b, or of 1: its last coefficients


class Clock:
    """The times within a step of the integrator, as functions of the part of it.

    Parameters
    ----------
    look
        Parts of the step, increasing -> b there.
    first, last
        b at the ends.
    degree
        That of the first interpolation to try: 4 or 8.
    """

    def __init__(
        self, look: Callable[[FloatArray], FloatArray], first: float, last: float, degree: int
    ) -> None:
        values = np.array([first, *look(points(degree)[1:-1]), last])
        while True:
            self.series = to_series(degree) @ values
            size = max(1.0, float(np.abs(values).max()))
            if degree >= FINEST or not np.abs(self.series[-2:]).max() > RESOLVED * size:
                break
            degree *= 2
            finer = np.empty(degree + 1)
            finer[::2], finer[1::2] = values, look(points(degree)[1::2])
            values = finer
        self.slope = 2.0 * chebyshev.chebder(self.series)

    def log_elapsed(self, begin: float, end: float) -> float:
        """log int_begin^end exp(b(x)) dx, in units of the step."""
        length = end - begin
        if length <= 0.0:
            return -np.inf
        tops = self._at(np.linspace(begin, end, FINE + 1))
        change = float(tops.max() - tops.min())
        at_end = tops[-1] >= tops[0]
        edge, sign = (end, -1.0) if at_end else (begin, 1.0)
        slope = -sign * float(chebyshev.chebval(2.0 * edge - 1.0, self.slope))
        if change > STEEP and slope * length > STEEP:
            top = float(tops[-1] if at_end else tops[0])
            rest = self._at(edge + sign * DEPTHS / slope) - top + DEPTHS
            return top - float(np.log(slope)) + float(np.log(SHARES @ np.exp(rest)))
        pieces = min(max(int(np.ceil(change)), 1), MOST_PIECES)
        x = (np.arange(pieces)[:, None] + NODES).ravel() / pieces
        logs = self._at(begin + length * x)
        top = float(logs.max())
        total = float(np.exp(logs - top).reshape(pieces, -1).sum(axis=0) @ WEIGHTS)
        return top + float(np.log(total * length / pieces))

    def _at(self, x: FloatArray) -> FloatArray:
        """b at parts x."""
        return np.asarray(chebyshev.chebval(2.0 * x - 1.0, self.series))


@cache
def points(degree: int) -> FloatArray:
    """The parts of a step at which b is looked at, both ends included; each second is coarser's."""
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.arange(degree + 1) / degree))


@cache
def to_series(degree: int) -> FloatArray:
    """Values at ``points`` -> coefficients of Chebyshev's polynomials."""
    return np.linalg.inv(chebyshev.chebvander(2.0 * points(degree) - 1.0, degree))
