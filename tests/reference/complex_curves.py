"""Complex curves dq_l/ds = conj(prod_{k != l} q_k) in mpmath, slowly and by definition.

Two independent routes: Taylor integration of the equations themselves, and integrals over
Q = sign(R) sqrt(min_l |q_l|^2 - e), with e by bisection.
"""

from __future__ import annotations

from collections.abc import Sequence

import mpmath as mp

Number = mp.mpf
Complex = mp.mpc


def exact(value: complex) -> Complex:
    """The exact value of a complex float."""
    return mp.mpc(float(value.real), float(value.imag))


def integrate_layers(layers: Sequence[complex], s: float) -> list[Complex]:
    """q(s) by mpmath's Taylor method."""
    side, count = (-1 if s < 0 else 1), len(layers)

    def derivative(_: Number, q: list[Number]) -> list[Number]:
        values = [mp.mpc(q[index], q[count + index]) for index in range(count)]
        moves = [
            side * mp.conj(mp.fprod(values[:index] + values[index + 1 :])) for index in range(count)
        ]
        return [move.real for move in moves] + [move.imag for move in moves]

    start = [exact(value).real for value in layers] + [exact(value).imag for value in layers]
    q = mp.odefun(derivative, 0, start)(abs(mp.mpf(s)))
    return [mp.mpc(q[index], q[count + index]) for index in range(count)]


class ComplexCurve:
    """One turning coordinate by its integrals over Q."""

    def __init__(self, layers: Sequence[complex], log_scale: float = 0.0) -> None:
        scale = mp.exp(mp.mpf(log_scale))
        self.layers = [exact(value) * scale for value in layers]
        self.depth = len(layers)
        product = mp.fprod(self.layers)
        self.imaginary = product.imag
        squares = [abs(value) ** 2 for value in self.layers]
        smallest = min(squares)
        offsets = [square - smallest for square in squares]
        low, high = mp.mpf(0), smallest
        for _ in range(2 * mp.mp.prec + 2000):
            middle = mp.sqrt(low * high) if low > 0 else high / 2
            if mp.fprod(middle + offset for offset in offsets) > product.imag**2:
                high = middle
            else:
                low = middle
            if low > 0 and high - low <= high * mp.eps:
                break
        self.squares = [high + offset for offset in offsets]
        self.start = mp.sign(product.real) * mp.sqrt(max(smallest - high, 0))
        self.coefficients = [mp.mpf(1)]  # of prod (z + D_l), the highest power first
        for square in self.squares:
            lifted, fixed = [*self.coefficients, mp.mpf(0)], [mp.mpf(0), *self.coefficients]
            self.coefficients = [a + square * b for a, b in zip(lifted, fixed, strict=True)]

    def parameter(self, x: float) -> Number:
        """Q = C sinh x with C^2 = g(0) / g'(0)."""
        return mp.sqrt(self.coefficients[-2] / self.coefficients[-3]) * mp.sinh(mp.mpf(x))

    def g(self, z: Number) -> Number:
        """[prod (z + D_l) - prod D_l] / z."""
        total = mp.mpf(0)
        for coefficient in self.coefficients[:-1]:
            total = total * z + coefficient
        return total

    def rho(self, q: Number) -> Number:
        """R."""
        return q * mp.sqrt(self.g(q**2))

    def speed(self, q: Number) -> Number:
        """dQ/ds."""
        return mp.sqrt(self.g(q**2))

    def between(self, lower: Number, upper: Number) -> Number:
        """int ds from Q = lower to upper."""
        return mp.quad(lambda v: mp.cosh(v) / self.speed(mp.sinh(v)), self._marks(lower, upper))

    def to_end(self, q: Number) -> Number:
        """int ds from Q = q >= 0 to infinity, L >= 3."""
        return self.between(q, q + 1) + mp.quad(
            lambda w: 1 / (w**2 * self.speed(1 / w)), [0, 1 / (q + 1)]
        )

    def angle(self, layer: int, q: Number) -> Number:
        """arg q_l at Q, from its start."""
        square = self.squares[layer]
        turned = mp.quad(
            lambda v: mp.cosh(v) / (self.speed(mp.sinh(v)) * (mp.sinh(v) ** 2 + square)),
            self._marks(self.start, q),
        )
        return mp.arg(self.layers[layer]) - self.imaginary * turned

    def layer(self, layer: int, q: Number) -> Complex:
        """q_l at Q."""
        return mp.sqrt(q**2 + self.squares[layer]) * mp.expj(self.angle(layer, q))

    def potential(self, q: Number) -> Number:
        """Psi."""
        return (q - self.start) * (q + self.start) / 2

    def divergence(self, q: Number, other: Number) -> Number:
        """Psi*(R(q)) + Psi(s(other)) - R(q) s(other)."""
        return self.rho(q) * self.between(other, q) - (q - other) * (q + other) / 2

    def _marks(self, lower: Number, upper: Number) -> list[Number]:
        lower, upper = mp.asinh(lower), mp.asinh(upper)
        count = int(mp.ceil(abs(upper - lower) * 2)) or 1
        return [lower + (upper - lower) * index / count for index in range(count + 1)]
