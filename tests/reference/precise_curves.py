"""Scalar curves dp_l/ds = prod_{k != l} p_k with exact starts, in python-flint's ball arithmetic.

Q is the smallest layer, oriented so that rho = Q prod sqrt(Q^2 + d_l), s = int_{Q(0)}^Q dx / prod
sqrt(x^2 + d_l), d_l = p_l(0)^2 - Q(0)^2 exact rationals. A point of the curve is given by t:
Q = a sinh t (a^2 = min d_l > 0, it crosses zero) or +-|Q(0)| e^t (it keeps its sign).

s is the sum of a base, known to any number of digits, and of a part known to WORK digits relative
to ds/dt: near an end of s it is the slack that is integrated, never a difference from the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache

from flint import arb, ctx, fmpq

WORK = 60  # digits of integrals
GUARD = 15
NODES = 56  # Gauss-Legendre on panels of PANEL in log x, or up to the first mark
PANEL = 1.5
NEAR = 35  # within 10^-NEAR of a point, s is taken as linear: wrong by 10^-70


@contextmanager
def digits(number: int) -> Iterator[None]:
    """Work with so many decimal digits."""
    before = ctx.prec
    ctx.dps = number
    try:
        yield
    finally:
        ctx.prec = before


def rational(value: float | int | fmpq) -> fmpq:
    """The exact value of a float."""
    if isinstance(value, fmpq):
        return value
    return fmpq(*float(value).as_integer_ratio())


def middle(value: arb) -> arb:
    """The centre of a ball, as an exact number."""
    return value.mid()


@cache
def nodes() -> list[tuple[arb, arb]]:
    """Nodes and weights on [0, 1]."""
    with digits(WORK + GUARD):
        pairs = [arb.legendre_p_root(NODES, k, weight=True) for k in range(NODES)]
        return [(middle((1 + x) / 2), middle(w / 2)) for x, w in pairs]


class Slack:
    """int_x^inf dv / prod_l sqrt(v^2 + e_l), and int_0^x where no e_l is 0; sizes e_l in units.

    Panels in log v between the smallest and the largest mark sqrt(e_l), whose sums are kept; beyond
    them v = 1/u, below them a power series (some e_l = 0) or one panel from 0.
    """

    def __init__(self, squares: Sequence[fmpq]) -> None:
        self.squares = [arb(value) for value in squares]
        self.depth = len(squares) + 1
        self.zeros = sum(value == 0 for value in squares)
        marks = sorted(value.sqrt() for value in self.squares if value != 0)
        self.bounds = self._bounds(marks) if marks else [arb(1)]
        pieces = [self._panel(*pair) for pair in zip(self.bounds, self.bounds[1:], strict=False)]
        self.above = [self._tail(self.bounds[-1])]
        for piece in reversed(pieces):
            self.above.insert(0, self.above[0] + piece)
        if self.zeros:
            self.series = self._series()
        else:
            self.below = [self._first(self.bounds[0])]
            for piece in pieces:
                self.below.append(self.below[-1] + piece)

    def slack(self, x: arb) -> arb:
        """int_x^inf, x > 0."""
        if x >= self.bounds[-1]:
            return self._tail(x)
        if x < self.bounds[0]:
            rest = self._power(x) if self.zeros else self.below[0] - self._first(x)
            return self.above[0] + rest
        k = self._place(x)
        return self.above[k + 1] + self._panel(x, self.bounds[k + 1])

    def from_zero(self, x: arb) -> arb:
        """int_0^x, x >= 0, up to the largest mark."""
        if x < self.bounds[0]:
            return self._first(x)
        if x >= self.bounds[-1]:
            return self.below[-1] + self.above[-1] - self._tail(x)
        k = self._place(x)
        return self.below[k] + self._panel(self.bounds[k], x)

    def _place(self, x: arb) -> int:
        return max(k for k, bound in enumerate(self.bounds[:-1]) if bound <= x)

    def _bounds(self, marks: list[arb]) -> list[arb]:
        first, last = marks[0] / 2, marks[-1] * 2
        count = int(((last / first).log() / PANEL).upper().ceil().unique_fmpz())
        ratio = (last / first).log() / count
        return [middle(first * (ratio * k).exp()) for k in range(count + 1)]

    def _panel(self, lower: arb, upper: arb) -> arb:
        width = (upper / lower).log()
        total = arb(0)
        for node, weight in nodes():
            x = middle(lower * (width * node).exp())
            total += weight * x / self._product(x)
        return middle(width * total)

    def _first(self, x: arb) -> arb:
        return middle(sum((w * x / self._product(x * node) for node, w in nodes()), arb(0)))

    def _tail(self, x: arb) -> arb:
        scaled, power = [value / x**2 for value in self.squares], self.depth - 3
        total = arb(0)
        for u, weight in nodes():
            product = arb(1)
            for value in scaled:
                product *= 1 + value * u**2
            total += weight * u**power / product.sqrt()
        return middle(total * x ** (2 - self.depth))

    def _product(self, x: arb) -> arb:
        square, product = x**2, arb(1)
        for value in self.squares:
            product *= square + value
        return product.sqrt()

    def _series(self) -> list[arb]:
        """Coefficients of prod_{e > 0} (v^2 + e)^{-1/2} in v^2, |v| <= half the least mark."""
        count = 2 * WORK
        total = [arb(1)] + [arb(0)] * (count - 1)
        for value in self.squares:
            if value == 0:
                continue
            factor, term = [], value.rsqrt()
            for k in range(count):
                factor.append(term)
                term = -term * (2 * k + 1) / (2 * (k + 1)) / value
            total = [
                sum((total[i] * factor[k - i] for i in range(k + 1)), arb(0)) for k in range(count)
            ]
        return [middle(value) for value in total]

    def _power(self, x: arb) -> arb:
        """int_x^bound v^{-zeros} sum_k c_k v^{2k} dv."""
        bound, total = self.bounds[0], arb(0)
        for k, value in enumerate(self.series):
            power = 2 * k - self.zeros + 1
            rise = (bound / x).log() if power == 0 else (bound**power - x**power) / power
            total += value * rise
        return middle(total)


@lru_cache(maxsize=4096)
def slack_of(squares: tuple[fmpq, ...]) -> Slack:
    """One for each shape: equal shapes have equal ends, digit by digit."""
    return Slack(squares)


@lru_cache(maxsize=4096)
def _end(squares: tuple[fmpq, ...], square: fmpq, side: int) -> arb:
    """int_{Q(0)}^inf in units, Q(0) = side sqrt(square): the slack of the start."""
    curve, start = slack_of(squares), arb(square).sqrt()
    if side == 0:
        return middle(curve.below[0] + curve.above[0])
    if side > 0:
        return middle(curve.slack(start))
    return middle(curve.below[0] + curve.above[0] + curve.from_zero(start))


@dataclass
class Point:
    """rho and s at t, and their derivatives there; s = base(side) + part."""

    rho: arb
    rho_slope: arb
    side: int
    part: arb
    s_slope: arb


class Coordinate:
    """The curve of one coordinate from layers p_1(0), ..., p_L(0), floats taken as they are."""

    def __init__(self, layers: Sequence[float]) -> None:
        values = [rational(value) for value in layers]
        smallest = min(range(len(values)), key=lambda index: abs(values[index]))
        q = values.pop(smallest)
        sign = -1 if sum(value < 0 for value in values) % 2 else 1
        self.depth = len(layers)
        self.start = sign * q
        self.squares = sorted(value**2 - q**2 for value in values)
        self.locked = self.squares[0] == 0
        self.dead = self.locked and q == 0
        if self.dead:
            return
        self.unit = self.squares[-1] if self.squares[-1] != 0 else q**2  # squared
        shape = tuple(value / self.unit for value in self.squares)
        self.side = (self.start > 0) - (self.start < 0)
        with digits(WORK + GUARD):
            if self.depth > 2:
                self.curve = slack_of(shape)
            ratio = q**2 / self.unit
            self.sizes = {  # in units of unit^{-(L-2)/2}
                side: _end(shape, ratio, side * self.side) if self.depth > 2 else None
                for side in ((self.side,) if self.locked else (1, -1))
            }
            self.zero = None
            if not self.locked and self.depth > 2:
                part = self.curve.from_zero(arb(ratio).sqrt()) if self.side else arb(0)
                self.zero = middle(-self.side * part)
        self._last: tuple[arb, int, arb, arb] | None = None

    def start_t(self) -> arb:
        """T at Q(0), at the digits in force."""
        if self.locked:
            return arb(0)
        return middle((arb(self.start) / arb(self.squares[0]).sqrt()).asinh())

    def base(self, side: int) -> arb:
        """The end of s on a side, or s of Q = 0 where side is 0, at the digits in force."""
        if self.depth == 2:
            return arb(0)
        size = side * self.sizes[side] if side else self.zero
        return size * arb(self.unit).sqrt() ** (2 - self.depth)

    def layer(self, t: arb) -> arb:
        """Q(t)."""
        if self.locked:
            return arb(self.start) * t.exp()
        return arb(self.squares[0]).sqrt() * t.sinh()

    def rho(self, t: arb) -> arb:
        """rho(t)."""
        q = self.layer(t)
        product = arb(1)
        for value in self.squares:
            product *= q**2 + value
        return q * product.sqrt()

    def point(self, t: arb) -> Point:
        """All at t; rho at the digits in force, s to WORK digits of its slope."""
        q = self.layer(t)
        speed = abs(q) if self.locked else (q**2 + self.squares[0]).sqrt()
        growth, product = arb(1), arb(1)
        for value in self.squares:
            growth += q**2 / (q**2 + value)
            product *= q**2 + value
        product = product.sqrt()
        direction = self.side if self.locked else 1
        rho_slope = direction * speed * product * growth
        side, part, slope = self._clock(t)
        return Point(middle(q * product), middle(rho_slope), side, part, slope)

    def _clock(self, t: arb) -> tuple[int, arb, arb]:
        if self.depth == 2:
            sign = self.side if self.locked else 1
            return 0, sign * t if self.locked else middle(t - self.start_t()), arb(sign)
        if self._last is not None:
            at, side, part, slope = self._last
            if abs(t - at) < arb(10) ** -NEAR:
                return side, middle(part + slope * (t - at)), slope
        with digits(WORK + GUARD):
            q = self.layer(t)
            unit = arb(self.unit).sqrt()
            x, sign = middle(abs(q) / unit), 1 if q > 0 else -1
            rest = arb(1)
            for value in self.squares[1:]:
                rest *= q**2 + value
            slope = middle((sign if self.locked else 1) / rest.sqrt())
            near_zero = not self.locked and abs(q) < 8 * arb(self.squares[0]).sqrt()
            if near_zero:
                side, part = 0, sign * self.curve.from_zero(x)
            else:
                side, part = sign, -sign * self.curve.slack(x)
            part = middle(part * unit ** (2 - self.depth))
        self._last = (t, side, part, slope)
        return side, part, slope
