"""Scalar curves dp_l/ds = prod_{k != l} p_k in mpmath, slowly and by definition.

Two independent routes: integrals over the smallest layer (``ScalarCurve``) and Taylor integration
of the differential equations themselves (``integrate_layers``). Lemma 4 by root finding.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import mpmath as mp

from reference.stored import stored

Number = mp.mpf


def exact(value: float | Number) -> Number:
    """The exact value of a float; mpmath numbers as they are."""
    return value if isinstance(value, mp.mpf) else mp.mpf(float(value))


def integrate_layers(layers: Sequence[float], s: float) -> list[Number]:
    """p(s) from dp_l/ds = prod_{k != l} p_k by mpmath's Taylor method."""

    def derivative(_: Number, p: list[Number]) -> list[Number]:
        return [side * mp.fprod(p[:index] + p[index + 1 :]) for index in range(len(p))]

    side = -1 if s < 0 else 1  # mpmath integrates forwards only
    solution = mp.odefun(derivative, 0, [exact(value) for value in layers])
    return list(solution(abs(exact(s))))


class ScalarCurve:
    """One coordinate, by the integrals over its smallest layer Q.

    ``Q(t)`` is C sinh t (crossing, C^2 the smallest offset) or +-|Q(0)| e^{+-t} (locked).
    """

    def __init__(self, layers: Sequence[float], log_scale: float = 0.0) -> None:
        scale = mp.exp(exact(log_scale))
        values = [exact(value) * scale for value in layers]
        smallest = min(range(len(values)), key=lambda index: abs(values[index]))
        others = values[:smallest] + values[smallest + 1 :]
        sign = mp.fprod(mp.sign(value) for value in others)
        q = values[smallest]
        self.depth = len(values)
        self.start = sign * q
        self.offsets = sorted((abs(value) - abs(q)) * (abs(value) + abs(q)) for value in others)
        self.locked = self.offsets[0] == 0 and q != 0
        self.unit = abs(q) if self.locked else mp.sqrt(self.offsets[0])
        rest = self.offsets[1:]
        base = q**2 if self.locked else 0
        self.clock_unit = mp.fprod(mp.sqrt(offset + base) for offset in rest)

    def smallest_layer(self, t: float | Number) -> Number:
        """Q(t)."""
        if self.locked:
            side = mp.sign(self.start)
            return side * self.unit * mp.exp(side * exact(t))
        return self.unit * mp.sinh(exact(t))

    def product(self, q: Number) -> Number:
        """ds/dQ inverted: the product of the other layers."""
        return mp.fprod(mp.sqrt(q**2 + offset) for offset in self.offsets)

    def rho(self, q: Number) -> Number:
        """rho as a function of Q."""
        return q * self.product(q)

    def rho_slope(self, q: Number) -> Number:
        """d rho / dQ."""
        return self.product(q) * (1 + mp.fsum(q**2 / (q**2 + offset) for offset in self.offsets))

    def _from_zero(self, q: Number) -> Number:
        """int_0^Q dx / product: the clock from 0 (crossing only)."""
        size = abs(q)
        marks = [mark for mark in self._marks() if mark < size]
        first = marks[0] if marks else size
        unit = 1 / self.product(mp.mpf(0))  # mp.quad's tolerance is absolute: integrate units
        total = first * unit * mp.quad(lambda x: 1 / (unit * self.product(first * x)), [0, 1])
        return mp.sign(q) * (total + (self._log_integral([*marks, size]) if marks else 0))

    def _to_end(self, q: Number) -> Number:
        """int_Q^inf dx / product for Q >= 0 (> 0 where locked), L >= 3."""
        marks = [mark for mark in self._marks() if mark > q]
        total = mp.mpf(0)
        if marks:
            total += self._between(q, marks[0]) + self._log_integral(marks)
        last, n = max([q, *marks]), self.depth - 2

        def inverted(w: Number) -> Number:
            return w ** (n - 1) / mp.fprod(
                mp.sqrt(1 + offset * (w / last) ** 2) for offset in self.offsets
            )

        return total + last ** (-n) * mp.quad(inverted, [0, 1])

    def _between(self, lower: Number, upper: Number) -> Number:
        """int_lower^upper dx / product."""
        if lower > upper:
            return -self._between(upper, lower)
        if lower < 0 and upper <= 0:
            return self._between(-upper, -lower)
        if lower < 0:
            return self._from_zero(-lower) + self._from_zero(upper)
        if lower == 0:
            return self._from_zero(upper)
        marks = [mark for mark in self._marks() if lower < mark < upper]
        return self._log_integral([lower, *marks, upper])

    from_zero, to_end, between = map(stored, (_from_zero, _to_end, _between))

    def clock(self, q: Number) -> Number:
        """s: 0 at the start."""
        return self.between(self.start, q)

    def potential(self, q: Number) -> Number:
        """(Q^2 - Q(0)^2) / 2."""
        return (q - self.start) * (q + self.start) / 2

    def divergence(self, q: Number, other: Number) -> Number:
        """Psi*(rho(q)) + Psi(s(other)) - rho(q) s(other)."""
        return self.rho(q) * self.between(other, q) - (q - other) * (q + other) / 2

    def _marks(self) -> list[Number]:
        return sorted({mp.sqrt(offset) for offset in self.offsets if offset > 0})

    def _log_integral(self, ends: list[Number]) -> Number:
        """int dx / product in y = log x, in panels of at most 2."""
        total = mp.mpf(0)
        logs = [mp.log(end) for end in ends]
        for lower, upper in pairwise(logs):
            count = int(mp.ceil((upper - lower) / 2)) or 1
            width = (upper - lower) / count
            for left in (lower + width * index for index in range(count)):
                total += self._panel(left, width)
        return total

    def _panel(self, left: Number, width: Number) -> Number:
        unit = mp.exp(left) / self.product(mp.exp(left))

        def integrand(y: Number) -> Number:
            x = mp.exp(left + width * y)
            return x / (unit * self.product(x))

        return width * unit * mp.quad(integrand, [0, 1])


def lemma4_clock(q: Number, depth: int) -> Number:
    """int_0^q (1 + x^2)^{-(L-1)/2} dx for q >= 0."""
    return q * mp.hyp2f1(mp.mpf(1) / 2, mp.mpf(depth - 1) / 2, mp.mpf(3) / 2, -(q**2))


def lemma4_slack(q: Number, depth: int) -> Number:
    """int_q^inf (1 + x^2)^{-(L-1)/2} dx for q > 0, L >= 3."""
    n = depth - 2
    series = mp.hyp2f1(mp.mpf(n + 1) / 2, mp.mpf(n) / 2, mp.mpf(n + 2) / 2, -1 / q**2)
    return q ** (-n) / n * series


def lemma4_total(depth: int) -> Number:
    """c_L."""
    return mp.inf if depth == 2 else mp.beta(mp.mpf(1) / 2, mp.mpf(depth - 2) / 2) / 2


def lemma4_q_of_time(time: float, depth: int) -> Number:
    """q(time) for time >= 0 inside the existence time."""
    t, total = exact(time), lemma4_total(depth)
    if depth == 2:
        return mp.sinh(t)
    if t < total / 2:
        q = t
        for _ in range(200):
            step = (t - lemma4_clock(q, depth)) * (1 + q**2) ** (mp.mpf(depth - 1) / 2)
            q += step
            if abs(step) <= abs(q) * mp.mpf(10) ** (5 - mp.mp.dps):
                return q
    slack, y = total - t, mp.mpf(0)
    for _ in range(200):
        q = mp.exp(y)
        here = lemma4_slack(q, depth)
        step = mp.log(here / slack) * here * (1 + q**2) ** (mp.mpf(depth - 1) / 2) / q
        y += step
        if abs(step) <= mp.mpf(10) ** (5 - mp.mp.dps):
            return mp.exp(y)
    raise ArithmeticError("Newton's method did not converge")


def lemma4_q_of_tau(tau: float, depth: int) -> Number:
    """q with q (1 + q^2)^{(L-1)/2} = tau > 0."""
    target, y = mp.log(exact(tau)), mp.log(exact(tau))
    for _ in range(2000):
        square = mp.exp(2 * y)
        value = y + mp.mpf(depth - 1) / 2 * mp.log1p(square)
        step = (target - value) / (1 + (depth - 1) * square / (1 + square))
        y += step
        if abs(step) <= mp.mpf(10) ** (5 - mp.mp.dps):
            return mp.exp(y)
    raise ArithmeticError("Newton's method did not converge")
