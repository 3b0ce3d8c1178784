"""Increments of the clock over short steps, by one Gauss-Legendre panel without cancellation.

    u(x + dx) - u(x) = (du/dx)(x) int_0^dx prod_i f_i(x) / f_i(x + y) dy,
    [f_i(x + y) / f_i(x)]^2 - 1 = sinh y (2 lambda_i cosh y + kappa_i sinh y),

lambda_i = d log f_i / dx and kappa_i = (Q^2 + next^2) / layer_i^2 at x: exact for tiny steps and
for saturated x alike. The integrand is analytic in a strip of width pi around real y.
"""

from __future__ import annotations

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias.coordinates._gauss import gauss
from implicitbias.coordinates._shape import Shape

NODES, WEIGHTS = gauss(14)
SHORTER = ((0.02, gauss(4)), (0.25, gauss(8)))  # up to these parts of a panel, fewer suffice
MULTIPLIED = 8  # depth up to which products beat powers


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
    longest = float(np.abs(dx).max(initial=0.0)) / panel_of(shape)
    for part, rule in SHORTER:
        if longest <= part:
            return rule
    return NODES, WEIGHTS


def _growth(shape: Shape, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """P - 1 and sqrt(P), P = prod_i [f_i(x + y) / f_i(x)]^2, each relatively accurate."""
    sinh = np.sinh(y)
    cosh = np.sqrt(1.0 + sinh * sinh)
    if shape.equal:
        return _equal_growth(shape.depth, np.tanh(x), sinh, cosh)
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


def _equal_growth(
    depth: int, rate: FloatArray, sinh: FloatArray, cosh: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The same where all f_i = cosh."""
    change = sinh * (2.0 * rate * cosh + (1.0 + rate * rate) * sinh)
    if depth > MULTIPLIED:
        log_growth = (depth - 2) * np.log1p(change)
        return np.expm1(log_growth), np.exp(0.5 * log_growth)
    excess, product = change, 1.0 + change
    for _ in range(depth - 3):
        excess = excess + change + change * excess
        product = product * (1.0 + change)
    return excess, np.sqrt(product)


def _increment_of_three(x: FloatArray, dx: FloatArray) -> FloatArray:
    """relative_increment for du/dx = 1 / cosh x, u = arctan sinh x."""
    cosh, there = np.cosh(x), x + dx
    opposite = 2.0 * np.sinh(0.5 * dx) * np.cosh(x + 0.5 * dx) / cosh
    return np.asarray(cosh * np.arctan2(opposite, 1.0 / cosh + np.tanh(x) * np.sinh(there)))


def _increment_of_four(x: FloatArray, dx: FloatArray) -> FloatArray:
    """relative_increment for du/dx = 1 / cosh^2 x, u = tanh x."""
    return np.asarray(np.sinh(dx) * (np.cosh(x) / np.cosh(x + dx)))


CLOSED = {3: _increment_of_three, 4: _increment_of_four}  # depths, where all f_i = cosh
