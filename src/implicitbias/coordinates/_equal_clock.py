"""The clock of equal offsets, u(x) = int_0^x cosh^{-n}, n = L - 2, and its inverse, at any L.

With w = tanh x: u = w E(w^2) near 0, and total - u = cosh^{-n}(x) K(w) in the tail. E and K are
smooth, and so are the inverse maps: w = u G(u^2) near 0, and sech^2 x = y F(y) in the tail, where
y = (n (total - u))^{2/n}; and so is r = sinh x cosh^{n+1} x over u and over y^{-L/2} there. All are
tabulated once a depth as piecewise polynomials, correct to rounding; evaluating one costs no more
than a few elementary functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from math import comb
from typing import Any

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial, chebyshev
from scipy.interpolate import PPoly

from implicitbias._arrays import FloatArray
from implicitbias.coordinates._integrals import reach
from implicitbias.coordinates._scalars import LOG2, MAX_NEWTON, QUADRATIC, log_cosh

PI = Fraction("3.14159265358979323846264338327950288419716939937510582097494459")
CLOSED_UP_TO = 300.0  # of x: from here on nothing but rounding is left
DEGREE = 11
PIECES = 16
POINTS = 0.5 * (1.0 + chebyshev.chebpts1(DEGREE + 1))


@lru_cache(maxsize=64)
def total_clock(depth: int) -> tuple[float, float]:
    """c_L = B(1/2, (L-2)/2) / 2 as a float and what the float misses; infinite for L = 2."""
    if depth == 2:
        return float("inf"), 0.0
    k, odd = divmod(depth - 2, 2)
    middle = Fraction(comb(2 * k, k), 4**k)
    exact = PI / 2 * middle if odd else 1 / (2 * k * middle)
    return float(exact), float(exact - Fraction(float(exact)))


def log_q_of(log_tau: FloatArray, depth: int) -> FloatArray:
    """log q with q (1 + q^2)^{(L-1)/2} = tau: Newton's method on a convex function, from above."""
    log_q = np.minimum(log_tau, log_tau / depth)
    with np.errstate(invalid="ignore"):  # infinite and NaN targets stay what they are
        for _ in range(MAX_NEWTON):
            smaller = np.exp(-2.0 * np.abs(log_q))
            value = log_q + (depth - 1) * (np.maximum(log_q, 0.0) + 0.5 * np.log1p(smaller))
            share = np.where(log_q > 0.0, 1.0, smaller) / (1.0 + smaller)
            step = (log_tau - value) / (1.0 + (depth - 1) * share)
            step = np.where(np.isnan(step), 0.0, step)
            log_q = log_q + step
            if np.all(np.abs(step) <= QUADRATIC):
                break
    return log_q


@dataclass(frozen=True, eq=False)
class UnitClock:
    """u, the slack total - u and their inverses for one depth L >= 3.

    Attributes
    ----------
    n
        L - 2.
    total, total_rest
        c_L and the part of it below float64.
    split
        Where tanh x changes from "near 0" to "in the tail".
    """

    n: int
    total: float
    total_rest: float
    split: float
    near: Callable[[FloatArray], Any]
    tail: Callable[[FloatArray], Any]
    near_inverse: Callable[[FloatArray], Any]
    tail_inverse: Callable[[FloatArray], Any]
    near_r: Callable[[FloatArray], Any]
    tail_r: Callable[[FloatArray], Any]
    u_split: float

    def u(self, x: FloatArray) -> FloatArray:
        """u(x), odd."""
        if self.n == 1:
            return np.asarray(np.arctan(np.sinh(np.clip(x, -CLOSED_UP_TO, CLOSED_UP_TO))))
        if self.n == 2:
            return np.tanh(x)
        w = np.tanh(np.abs(x))
        near = w * self.near(np.minimum(w, self.split) ** 2)
        far = self.total - (np.exp(self.log_slack(np.abs(x))) - self.total_rest)
        return np.copysign(np.where(w <= self.split, near, far), x)

    def log_slack(self, x: FloatArray) -> FloatArray:
        """log(total - u(x)) for x >= 0."""
        return self.log_reach(x) - self.n * log_cosh(x)

    def log_reach(self, x: FloatArray) -> FloatArray:
        """log K: the slack over the slope, x >= 0."""
        if self.n == 1:  # arctan(1 / sinh x) cosh x
            sinh = np.sinh(np.minimum(x, CLOSED_UP_TO))
            return np.asarray(np.log(np.arctan2(1.0, sinh) * np.sqrt(1.0 + sinh * sinh)))
        if self.n == 2:
            return np.asarray(np.log1p(np.exp(-2.0 * x)) - LOG2)
        return np.asarray(np.log(self.tail(np.tanh(x))))

    def x_from(self, u: FloatArray, log_slack: FloatArray) -> FloatArray:
        """x >= 0 with u(x) = u, from u and log(total - u): the one that is accurate decides."""
        small = np.minimum(u, self.u_split)
        w = np.minimum(small * self.near_inverse(small**2), self.split)
        log_y = 2.0 / self.n * (np.log(self.n) + log_slack)
        y = np.exp(log_y)
        factor = self.tail_inverse(np.minimum(y, self.y_split))
        sech_squared = np.minimum(y * factor, 1.0)
        far = -0.5 * (log_y + np.log(factor)) + np.log1p(np.sqrt(1.0 - sech_squared))
        return np.asarray(np.where(u <= self.u_split, np.arctanh(w), far))

    def r_from(self, u: FloatArray, slack: FloatArray) -> FloatArray:
        """r(x) >= 0 with u(x) = u, from u and total - u > 0."""
        if self.n == 1:  # sin u = tanh x
            return np.asarray(np.sin(u) / np.sin(slack) ** 3)
        if self.n == 2:  # u = tanh x
            return np.asarray(u / (slack * (2.0 - slack)) ** 2)
        near = u <= self.u_split
        r, small = np.empty_like(u), u[near]
        r[near] = small * self.near_r(small**2)
        y = (self.n * slack[~near]) ** (2.0 / self.n)
        r[~near] = y ** (-0.5 * self.n - 1.0) * self.tail_r(y)
        return r

    def sech_squared_from(self, u: FloatArray, slack: FloatArray) -> FloatArray:
        """sech^2 x with u(x) = u >= 0, from u and total - u > 0."""
        if self.n == 1:
            return np.asarray(1.0 / (1.0 + np.tan(u) ** 2))
        if self.n == 2:
            return np.asarray(slack * (2.0 - slack))
        small = np.minimum(u, self.u_split)
        w = small * self.near_inverse(small**2)
        y = np.minimum((self.n * slack) ** (2.0 / self.n), self.y_split)
        return np.asarray(np.where(u <= self.u_split, 1.0 - w * w, y * self.tail_inverse(y)))

    @cached_property
    def y_split(self) -> float:
        """The largest y of the tail's table."""
        return float((self.n * (self.total - self.u_split)) ** (2.0 / self.n))


@lru_cache(maxsize=64)
def unit_clock(depth: int) -> UnitClock:
    """Build the tables of one depth L >= 3."""
    n = depth - 2
    total, rest = total_clock(depth)
    split = min(0.7, 1.15 / np.sqrt(n))
    near = _piecewise(lambda y: _near(y, n), np.linspace(0.0, split**2, PIECES + 1))
    scale = 1.0 / np.sqrt(n)
    w_knots = np.geomspace(scale, 1.0 + scale, 2 * PIECES + 1) - scale
    tail = _piecewise(lambda w: _tail(w, n), w_knots)
    u_split = split * float(near(split**2))
    last, edge = ((n * slack) ** (2.0 / n) for slack in (total - u_split, total))
    v_knots, y_knots = _graded(u_split**2, total**2), _graded(last, edge)
    return UnitClock(
        n,
        total,
        rest,
        split,
        near,
        tail,
        near_inverse=_piecewise(lambda v: _invert_near(v, n), v_knots),
        tail_inverse=_piecewise(lambda y: _invert_tail(y, n, split), y_knots),
        near_r=_piecewise(lambda v: _near_r(v, n), v_knots),
        tail_r=_piecewise(lambda y: _tail_r(y, n, split), y_knots),
        u_split=u_split,
    )


def _graded(last: float, singular: float) -> FloatArray:
    """Knots from 0 to ``last``, finer towards a singularity beyond it."""
    return singular - np.geomspace(singular, singular - last, PIECES + 1)


def _piecewise(
    function: Callable[[FloatArray], FloatArray], knots: FloatArray
) -> Callable[[FloatArray], Any]:
    """Interpolate at Chebyshev points on each piece."""
    knots[0] = 0.0
    width = np.diff(knots)
    to_values, to_powers = _bases()
    values = function((knots[:-1, None] + width[:, None] * POINTS).ravel())
    powers = to_powers @ np.linalg.solve(to_values, values.reshape(width.size, -1).T)
    local = powers / width ** np.arange(DEGREE + 1)[:, None]
    pieces: Callable[[FloatArray], Any] = PPoly(local[::-1], knots)
    return pieces


@lru_cache(maxsize=1)
def _bases() -> tuple[FloatArray, FloatArray]:
    """Shifted Chebyshev polynomials at POINTS, and in powers of x, as columns."""
    columns = [
        Chebyshev.basis(k, domain=(0.0, 1.0)).convert(kind=Polynomial).coef
        for k in range(DEGREE + 1)
    ]
    to_powers = np.stack([np.pad(c, (0, DEGREE + 1 - c.size)) for c in columns], axis=1)
    to_values = chebyshev.chebvander(2.0 * POINTS - 1.0, DEGREE)
    return np.asarray(to_values, dtype=float), np.asarray(to_powers, dtype=float)


def _near(y: FloatArray, n: int) -> FloatArray:
    """E(y) = int_0^1 (1 - y v^2)^{n/2 - 1} dv."""
    nodes, weights = np.polynomial.legendre.leggauss(96)
    v_squared = (0.5 * (1.0 + nodes)) ** 2
    return np.asarray((1.0 - y[:, None] * v_squared) ** (0.5 * n - 1.0) @ (0.5 * weights))


def _tail(w: FloatArray, n: int) -> FloatArray:
    """K as a function of w = tanh x."""
    return reach(w**2, np.zeros((n, w.size)))


def _invert_near(v: FloatArray, n: int) -> FloatArray:
    """w / u where w E(w^2) = u = sqrt(v): Newton's method, monotone from w = u."""
    u = np.sqrt(v)
    w = u.copy()
    for _ in range(MAX_NEWTON):
        step = (u - w * _near(w**2, n)) / (1.0 - w**2) ** (0.5 * n - 1.0)
        w = w + step
        if np.all(np.abs(step) <= QUADRATIC * w):
            break
    return w / u


def _invert_tail(y: FloatArray, n: int, split: float) -> FloatArray:
    """z / y where z = sech^2 x and y = z (n K)^{2/n}: Newton's method on log z."""
    largest = 1.0 - 0.5 * split**2  # beyond the table's end
    z = np.minimum(y, largest)
    for _ in range(MAX_NEWTON):
        w = np.sqrt(1.0 - z)
        tail = _tail(w, n)
        step = n * tail * w * (np.log(y / z) - 2.0 / n * np.log(n * tail))
        z = np.minimum(z * np.exp(step), largest)
        if np.all(np.abs(step) <= QUADRATIC):
            break
    return z / y


def _near_r(v: FloatArray, n: int) -> FloatArray:
    """r / u with r = w (1 - w^2)^{-L/2}."""
    ratio = _invert_near(v, n)
    return np.asarray(ratio * (1.0 - v * ratio**2) ** (-0.5 * n - 1.0))


def _tail_r(y: FloatArray, n: int, split: float) -> FloatArray:
    """r y^{L/2} with r = sqrt(1 - z) z^{-L/2}."""
    ratio = _invert_tail(y, n, split)
    return np.asarray(np.sqrt(1.0 - y * ratio) * ratio ** (-0.5 * n - 1.0))
