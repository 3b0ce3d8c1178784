"""Time along a flow that is integrated in another clock: t = int exp(b(sigma)) dsigma.

b = log(dt/dsigma) may grow by millions while the margin grows by a per mille, so that sums of
exp(b) at a few points are off by whole powers of e. So b itself is interpolated over a step, at
Chebyshev points of as many pieces as it takes, and the integral is that of the interpolant: by
Gauss's rule on parts over which b changes by 1 at most; where b is steeper, nearly all of it lies
within a few 1/|b'| of one end, and Gauss and Laguerre's rule there does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from math import log

import numpy as np
from numpy.polynomial import chebyshev, laguerre, legendre

from implicitbias._arrays import FloatArray

_NODES, _WEIGHTS = legendre.leggauss(6)
NODES, WEIGHTS = 0.5 * (1.0 + _NODES), 0.5 * _WEIGHTS
DEPTHS, SHARES = laguerre.laggauss(12)
STEEP = 50.0  # change of b over a piece from which on its end is all that counts
MOST_PARTS, MOST_PIECES = 400, 40
RESOLVED = 1e-10  # of t, or of log t: what the last coefficients of all pieces may amount to
BROKEN = 1e-2  # of b's change: last coefficients from which on it is linear between its points

Looks = Callable[[FloatArray], FloatArray]


class Clock:
    """The times within a step of the integrator, as functions of the part of it.

    Parameters
    ----------
    look
        Parts of the step, increasing -> b there.
    first, last
        b at the ends.
    degree
        Of interpolation.
    log_before
        Log of the time before the step, in units of it.
    """

    def __init__(
        self, look: Looks, first: float, last: float, degree: int, log_before: float
    ) -> None:
        self.pieces = [_piece(look, 0.0, 1.0, first, last, degree)]
        while len(self.pieces) < MOST_PIECES:
            logs = np.array([piece.log_total for piece in self.pieces])
            until = np.logaddexp.accumulate(np.append(log_before, logs))[1:]  # log t
            with np.errstate(under="ignore"):
                errors = np.exp(logs - until) * [min(piece.tail, 1.0) for piece in self.pieces]
                errors /= np.maximum(1.0, np.abs(until))
            worst = int(np.argmax(errors))
            if not errors[worst] > RESOLVED:
                break
            self.pieces[worst : worst + 1] = self.pieces[worst].halves(look)

    def log_elapsed(self, begin: float, end: float) -> float:
        """log int_begin^end exp(b(x)) dx, in units of the step."""
        logs = [
            piece.log_integral(max(begin, piece.begin), min(end, piece.end))
            for piece in self.pieces
            if piece.begin < end and piece.end > begin
        ]
        return float(np.logaddexp.reduce(logs)) if logs else -np.inf


@dataclass(frozen=True, eq=False)
class _Piece:
    """b between two parts of the step, by its values at Chebyshev points."""

    begin: float
    end: float
    values: FloatArray

    @cached_property
    def series(self) -> FloatArray:
        """Coefficients of Chebyshev's polynomials on [-1, 1]."""
        return np.asarray(_to_series(self.values.size - 1) @ self.values)

    @cached_property
    def tail(self) -> float:
        """The size of the last two coefficients; infinity where b is."""
        found = float(np.abs(self.series[-2:]).max())
        return found if np.isfinite(found) else np.inf

    @cached_property
    def broken(self) -> bool:
        """Whether the polynomial would run out of its values."""
        return not self.tail <= BROKEN * float(np.ptp(self.values))

    @cached_property
    def log_total(self) -> float:
        """The log of the integral over all of it."""
        return self.log_integral(self.begin, self.end)

    def halves(self, look: Looks) -> list[_Piece]:
        """Both, looked at anew."""
        degree = self.values.size - 1
        middle = 0.5 * (self.begin + self.end)
        first, at_middle, last = (float(self.values[k]) for k in (0, degree // 2, degree))
        return [
            _piece(look, self.begin, middle, first, at_middle, degree),
            _piece(look, middle, self.end, at_middle, last, degree),
        ]

    def log_integral(self, begin: float, end: float) -> float:
        """log int_begin^end exp(b(x)) dx."""
        length = end - begin
        if not length > 0.0:
            return -np.inf
        tops = self._at(begin + length * _points(self.values.size - 1))
        change = float(tops.max() - tops.min())
        if change > STEEP and not self.broken:
            at_end = bool(tops[-1] >= tops[0])
            edge, sign = (end, -1.0) if at_end else (begin, 1.0)
            slope = -sign * self._slope(edge)
            if slope * length > STEEP:
                top = float(tops[-1] if at_end else tops[0])
                rest = self._at(edge + sign * DEPTHS / slope) - top + DEPTHS
                return top - log(slope) + log(SHARES @ np.exp(rest))
        parts = min(max(int(np.ceil(change)), 1), MOST_PARTS) if change < np.inf else 1
        logs = self._at(begin + length / parts * (np.arange(parts)[:, None] + NODES).ravel())
        top = float(logs.max())
        if not np.isfinite(top):
            return top
        total = float(np.exp(logs - top).reshape(parts, -1).sum(axis=0) @ WEIGHTS)
        return top + log(total * length / parts)

    def _at(self, x: FloatArray) -> FloatArray:
        """b at parts x of the step."""
        places = (x - self.begin) / (self.end - self.begin)
        if self.broken:
            return np.interp(places, _points(self.values.size - 1), self.values)
        return np.asarray(chebyshev.chebval(2.0 * places - 1.0, self.series))

    def _slope(self, x: float) -> float:
        place = 2.0 * (x - self.begin) / (self.end - self.begin) - 1.0
        inner = float(chebyshev.chebval(place, chebyshev.chebder(self.series)))
        return 2.0 * inner / (self.end - self.begin)


def _piece(
    look: Looks, begin: float, end: float, first: float, last: float, degree: int
) -> _Piece:
    inner = look(begin + (end - begin) * _points(degree)[1:-1])
    return _Piece(begin, end, np.array([first, *inner, last]))


@cache
def _points(degree: int) -> FloatArray:
    """Chebyshev's points on [0, 1], both ends included."""
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.arange(degree + 1) / degree))


@cache
def _to_series(degree: int) -> FloatArray:
    """Values at these points -> coefficients of Chebyshev's polynomials."""
    return np.linalg.inv(chebyshev.chebvander(2.0 * _points(degree) - 1.0, degree))
