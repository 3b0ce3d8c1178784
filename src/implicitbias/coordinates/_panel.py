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


def _gauss(count: int) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes and weights on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return 0.5 * (1.0 + nodes), 0.5 * weights


NODES, WEIGHTS = _gauss(14)
FEW = _gauss(8)
FEW_SUFFICE = 0.25  # up to this part of a panel


def panel_length(depth: int) -> float:
    """The longest step one panel integrates to rounding."""
    return min(1.0, 8.0 / depth)


def panel_of(shape: Shape) -> float:
    """The same for a shape: singularities of turning coordinates are half as far away."""
    return panel_length(shape.depth) * (1.0 if shape.turning is None else 0.5)


def relative_increment(shape: Shape, x: FloatArray, dx: FloatArray) -> FloatArray:
    """[u(x + dx) - u(x)] / (du/dx)(x)."""
    nodes, weights = _rule(shape, dx)
    _, root = _growth(shape, x, nodes[:, None] * dx)
    return dx * np.tensordot(weights, 1.0 / root, axes=1)


def relative_remainder(shape: Shape, x: FloatArray, dx: FloatArray) -> FloatArray:
    """[u(x + dx) - u(x)] / (du/dx)(x) - dx."""
    nodes, weights = _rule(shape, dx)
    excess, root = _growth(shape, x, nodes[:, None] * dx)
    return -dx * np.tensordot(weights, excess / (root * (1.0 + root)), axes=1)


def _rule(shape: Shape, dx: FloatArray) -> tuple[FloatArray, FloatArray]:
    short = float(np.abs(dx).max(initial=0.0)) <= FEW_SUFFICE * panel_of(shape)
    return FEW if short else (NODES, WEIGHTS)


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
    root = np.sqrt(product)
    if shape.turning is not None:
        columns = shape.turning.columns
        turned = shape.turning.growth(x[columns], y[:, columns])
        excess[:, columns], root[:, columns] = turned
    return excess, root
