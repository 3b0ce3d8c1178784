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
from math import exp, inf, isfinite, log

import numpy as np
from numpy.polynomial import chebyshev, laguerre, legendre

from implicitbias._arrays import EPS, FloatArray

_NODES, _WEIGHTS = legendre.leggauss(6)
NODES, WEIGHTS = 0.5 * (1.0 + _NODES), 0.5 * _WEIGHTS
DEPTHS, SHARES = laguerre.laggauss(12)
STEEP = 50.0  # change of b over a piece from which on its end is all that counts
STRAIGHT = 1.0  # how far b may bend up from its tangent at that end
ROUNDED = 1e-2  # rounding of b, beyond which all of the integral that is known is its largest value
MOST_HALVINGS = 200
MOST_PARTS, MOST_PIECES = 400, 40
RESOLVED = 1e-9  # of t, or of log t: the coefficients that follow those of a piece
PARABOLA = 2
FAR = 1e200  # stands for infinity
LOOKED_AT = (8, 16, 32)  # numbers of pieces at which to ask what dividing them has gained
SPREAD, GAINED = 0.02, 0.2  # of the largest last coefficients before: their median, the largest
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
        Of the first interpolation to try, 2 or more.
    log_before
        Log of the time before the step, in units of it.

    Attributes
    ----------
    spent
        Looks at b, where the last of the pieces allowed were not enough; else 0.
    """

    def __init__(
        self, look: Looks, first: float, last: float, degree: int, log_before: float
    ) -> None:
        self.spent = 0
        self.pieces = [_piece(look, 0.0, 1.0, first, last, degree)]
        roughest = self.pieces[0].tail
        while len(self.pieces) < MOST_PIECES:
            if len(self.pieces) in LOOKED_AT:
                tails, before = [piece.tail for piece in self.pieces], roughest
                roughest = max(tails)
                if min(float(np.median(tails)) / SPREAD, roughest / GAINED) > before:
                    break  # as rough everywhere as before it was divided: no curve but rounding
            worst, most, until = 0, 0.0, log_before
            for index, piece in enumerate(self.pieces):
                until = _log_add(until, piece.log_total)
                error = piece.tail / max(1.0, abs(until)) * exp(min(piece.log_total - until, 0.0))
                if error > most:
                    worst, most = index, error
            if not most > RESOLVED:
                break
            self.pieces[worst : worst + 1] = self.pieces[worst].finer(look)
        else:
            self.spent = sum(piece.values.size for piece in self.pieces)

    def log_elapsed(self, edges: FloatArray) -> FloatArray:
        """log int_0^x exp(b), in units of the step, at each of the increasing parts x."""
        found, until, done = np.full(edges.size, -inf), -inf, 0
        for piece in self.pieces:
            here = int(np.searchsorted(edges, piece.end))
            if here > done:
                stops = np.concatenate([[piece.begin], edges[done:here]])
                logs = np.logaddexp.accumulate(piece.log_integrals(stops))
                found[done:here] = np.logaddexp(until, logs)
            until, done = _log_add(until, piece.log_total), here
        found[done:] = until
        return np.asarray(np.maximum.accumulate(found))  # also where b is too rough to resolve


def _log_add(first: float, second: float) -> float:
    return float(np.logaddexp(first, second))


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
    def change(self) -> float:
        """By how much b changes."""
        return float(self.values.max() - self.values.min())

    @cached_property
    def rounding(self) -> float:
        """How far b's polynomial is off by it, and by that of the parts of the step."""
        slopes = np.diff(self.values) / (
            np.diff(_points(self.values.size - 1)) * (self.end - self.begin)
        )
        return EPS * float(np.abs(self.values).max() + np.abs(slopes).max())

    @cached_property
    def tail(self) -> float:
        """How large the next coefficients are to be expected: infinite where b is."""
        sizes = np.abs(self.series).tolist()
        if self.values.size == PARABOLA + 1:
            last, before = sizes[2], sizes[1]
        else:
            last, before = max(sizes[-2:]), max(sizes[-4:-2])
        if not isfinite(last):
            return inf
        return float(last * last / before if before > last else last)

    @cached_property
    def broken(self) -> bool:
        """Whether the polynomial would run out of its values."""
        return not self.tail <= BROKEN * self.change

    @cached_property
    def log_total(self) -> float:
        """The log of the integral over all of it."""
        if self.change <= 1.0 and not self.broken:
            logs = _to_nodes(self.values.size - 1) @ self.values
            top = float(logs.max())
            return top + log(float(WEIGHTS @ np.exp(logs - top)) * (self.end - self.begin))
        return float(self.log_integrals(np.array([self.begin, self.end]))[0])

    def finer(self, look: Looks) -> list[_Piece]:
        """Both halves, looked at anew; a parabola is bent more first."""
        degree, begin, end, values = self.values.size - 1, self.begin, self.end, self.values
        if degree == PARABOLA:
            left, right = look(begin + (end - begin) * _points(2 * degree)[1::2])
            return [_Piece(begin, end, np.array([values[0], left, values[1], right, values[2]]))]
        middle, between = 0.5 * (begin + end), float(values[degree // 2])
        return [
            _piece(look, begin, middle, float(values[0]), between, degree),
            _piece(look, middle, end, between, float(values[-1]), degree),
        ]

    def log_integrals(self, edges: FloatArray) -> FloatArray:
        """log int exp(b(x)) dx between each two edges, increasing ones within the piece."""
        begin, length = edges[:-1, None], np.diff(edges)[:, None]
        looks = self._at(begin + length * _points(4))
        change = looks.max(axis=1) - looks.min(axis=1)
        tops = self._at(begin + length * NODES)
        with np.errstate(divide="ignore"):
            found = _log_mean(tops) + np.log(length[:, 0])
        for index in np.flatnonzero((change > 1.0) & (length[:, 0] > 0.0)):
            found[index] = self._steep(edges[index], edges[index + 1])
        return np.asarray(found)

    def _steep(self, begin: float, end: float) -> float:
        """The same between two parts over which b changes much, halved where b turns within."""
        total, parts, halvings = -inf, [(begin, end)], MOST_HALVINGS
        while parts:
            begin, end = parts.pop()
            found = self._straight(begin, end)
            if found is None and halvings > 0:
                middle, halvings = 0.5 * (begin + end), halvings - 1
                parts += [(begin, middle), (middle, end)]
                continue
            if found is None:
                found = self._highest(begin, end) + log(end - begin)
            total = _log_add(total, found)
        return total

    def _straight(self, begin: float, end: float) -> float | None:
        """The same where b changes little, or is straight at the end at which it is largest."""
        length, looks = end - begin, self._at(begin + (end - begin) * _points(4))
        change, first, last = float(looks.max() - looks.min()), float(looks[0]), float(looks[-1])
        if self.broken or not change > STEEP:
            parts = min(int(np.ceil(change)), MOST_PARTS) if 1.0 < change < inf else 1
            x = begin + length / parts * (np.arange(parts)[:, None] + NODES)
            return float(np.logaddexp.reduce(_log_mean(self._at(x)))) + log(length / parts)
        if self.rounding > ROUNDED:
            return self._highest(begin, end) + log(length)
        edge, sign, top = (end, -1.0, last) if last >= first else (begin, 1.0, first)
        slope = -sign * self._slope(edge)
        if not slope * length > STEEP:
            return None
        rest = self._at(edge + sign * DEPTHS / slope) - top + DEPTHS
        return top - log(slope) + log(SHARES @ np.exp(rest)) if rest.max() < STRAIGHT else None

    def _at(self, x: FloatArray) -> FloatArray:
        """b at parts x of the step."""
        places = (x - self.begin) / (self.end - self.begin)
        if self.broken:
            return np.asarray(np.interp(places, _points(self.values.size - 1), self.values))
        return np.asarray(chebyshev.chebval(2.0 * places - 1.0, self.series))

    def _highest(self, begin: float, end: float) -> float:
        """The largest value of b between two parts."""
        turns = chebyshev.chebroots(chebyshev.chebder(self.series)).real
        inner = self.begin + 0.5 * (self.end - self.begin) * (1.0 + turns)
        return float(self._at(np.clip([begin, end, *inner], begin, end)).max())

    def _slope(self, x: float) -> float:
        place = 2.0 * (x - self.begin) / (self.end - self.begin) - 1.0
        inner = float(chebyshev.chebval(place, chebyshev.chebder(self.series)))
        return 2.0 * inner / (self.end - self.begin)


def _log_mean(logs: FloatArray) -> FloatArray:
    """Log of Gauss's rule for exp, of logs at ``NODES``, (k, 6)."""
    top = logs.max(axis=1)
    with np.errstate(invalid="ignore", under="ignore"):
        found = top + np.log(np.exp(logs - top[:, None]) @ WEIGHTS)
    return np.asarray(np.where(np.isfinite(top), found, top))


def _piece(look: Looks, begin: float, end: float, first: float, last: float, degree: int) -> _Piece:
    inner = look(begin + (end - begin) * _points(degree)[1:-1])
    return _Piece(begin, end, np.clip([first, *inner, last], -FAR, FAR))


@cache
def _points(degree: int) -> FloatArray:
    """Chebyshev's points on [0, 1], both ends included."""
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.arange(degree + 1) / degree))


@cache
def _to_series(degree: int) -> FloatArray:
    """Values at these points -> coefficients of Chebyshev's polynomials."""
    return np.asarray(np.linalg.inv(chebyshev.chebvander(2.0 * _points(degree) - 1.0, degree)))


@cache
def _to_nodes(degree: int) -> FloatArray:
    """Values at these points -> values at Gauss's nodes."""
    return np.asarray(chebyshev.chebvander(2.0 * NODES - 1.0, degree) @ _to_series(degree))
