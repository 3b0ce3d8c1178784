"""Increments of the clock over short steps, by one Gauss-Legendre panel without cancellation.

    u(x + dx) - u(x) = (du/dx)(x) int_0^dx prod_i f_i(x) / f_i(x + y) dy,
    [f_i(x + y) / f_i(x)]^2 - 1 = sinh y (2 lambda_i cosh y + kappa_i sinh y),

lambda_i = d log f_i / dx and kappa_i = (Q^2 + next^2) / layer_i^2 at x: exact for tiny steps and
for saturated x alike. The integrand is analytic in a strip of width pi around real y.
"""

from __future__ import annotations

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias.coordinates._shape import Shape

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(14)
NODES = 0.5 * (1.0 + _NODES)
WEIGHTS = 0.5 * _WEIGHTS


def panel_length(depth: int) -> float:
    """The longest step one panel integrates to rounding."""
    return min(1.0, 8.0 / depth)


def relative_increment(shape: Shape, x: FloatArray, dx: FloatArray) -> FloatArray:
    """[u(x + dx) - u(x)] / (du/dx)(x)."""
    _, root = _growth(shape, x, NODES[:, None] * dx)
    return dx * np.tensordot(WEIGHTS, 1.0 / root, axes=1)


def relative_remainder(shape: Shape, x: FloatArray, dx: FloatArray) -> FloatArray:
    """[u(x + dx) - u(x)] / (du/dx)(x) - dx."""
    excess, root = _growth(shape, x, NODES[:, None] * dx)
    return -dx * np.tensordot(WEIGHTS, excess / (root * (1.0 + root)), axes=1)


def _growth(shape: Shape, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """P - 1 and sqrt(P), P = prod_i [f_i(x + y) / f_i(x)]^2, each relatively accurate."""
    sinh, cosh = np.sinh(y), np.cosh(y)
    if shape.equal:
        rate = np.tanh(x)
        log_growth = (shape.depth - 2) * np.log1p(
            sinh * (2.0 * rate * cosh + (1.0 + rate**2) * sinh)
        )
        return np.expm1(log_growth), np.exp(0.5 * log_growth)
    excess, product = np.zeros_like(y), np.ones_like(y)
    for smallest, following, rate in zip(*shape.rates(x), strict=True):
        change = sinh * (2.0 * rate * cosh + (smallest + following) * sinh)
        excess += change + change * excess
        product *= 1.0 + change
    return excess, np.sqrt(product)
