"""Growth of Q^2 and the Fenchel-Young gap between two points of one coordinate.

In units of C^2, with s the clock (u in units) and r = rho in units, from a to a + dx:

    growth     (Q(a + dx)^2 - Q(a)^2) / 2,
    divergence int_a^{a + dx} (u(y) - u(a)) r'(y) dy = r(a + dx) [u(a + dx) - u(a)] - growth >= 0.

Over short steps the integral is taken, over long ones the difference, where little cancels.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias.coordinates._clock import Clock
from implicitbias.coordinates._integrals import blocks
from implicitbias.coordinates._scalars import LOG2, log_sinh
from implicitbias.coordinates._shape import Shape
from implicitbias.coordinates._short_steps import NODES, WEIGHTS, panel_of


class Rates(Protocol):
    """Coordinates whose clock and rho have derivatives that are known by their logarithms."""

    def log_factors(self, x: FloatArray) -> FloatArray:
        """-log du/dx."""

    def log_r_slope(self, x: FloatArray) -> FloatArray:
        """log dr/dx."""


MODERATE = 40.0  # exponents
BLOCK = 1024  # coordinates treated together: bounds the memory of the nodes


def _triangle() -> FloatArray:
    """M[b, a] with sum M[b, a] f(y_b) g(y_a) = int_0^1 f(y) int_0^y g(z) dz dy."""
    vandermonde = NODES[:, None] ** np.arange(NODES.size)
    powers = np.arange(1, NODES.size + 1)
    primitives = NODES[:, None] ** powers / powers
    return WEIGHTS[:, None] * np.linalg.solve(vandermonde.T, primitives.T).T


TRIANGLE = _triangle()


def log_growth(shape: Shape, a: FloatArray, dx: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Sign and logarithm of the growth."""
    middle = 2.0 * a + dx
    crossing = log_sinh(dx) + log_sinh(middle) - LOG2
    with np.errstate(divide="ignore"):  # dx = -inf, rho = 0, is legitimate where locked
        locked = 2.0 * (a + np.maximum(dx, 0.0)) + np.log(-np.expm1(-2.0 * np.abs(dx))) - LOG2
    sign = np.where(shape.locked, np.sign(dx), np.sign(dx) * np.sign(middle))
    return sign, np.where(shape.locked, locked, crossing)


def log_divergence(clock: Clock, a: FloatArray, dx: FloatArray) -> FloatArray:
    """Logarithm of the divergence, -inf for dx = 0."""
    near = np.abs(dx) <= panel_of(clock.shape)
    result = np.empty_like(a)
    for part in blocks(np.flatnonzero(near), BLOCK):
        result[part] = near_divergence(clock.shape.take(part), a[part], dx[part])
    if not near.all():
        result[~near] = _far(clock.take(~near), a[~near], dx[~near])
    return result


def are_moderate(*arrays: FloatArray) -> bool:
    """Whether products of a few exponentials of these fit float64."""
    return all(np.abs(values).max(initial=0.0) < MODERATE for values in arrays)


def log_divergence_from_rest(clock: Clock, x: FloatArray) -> FloatArray:
    """The same from 0 to x where all offsets are equal: log (r u - sinh^2 / 2).

    At least half of r u, since r is convex in u > 0: nothing cancels.
    """
    sinh = np.sinh(x)
    square = sinh * sinh
    r = sinh * np.exp(0.5 * (clock.shape.depth - 1) * np.log1p(square))
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(r * clock.u(x) - 0.5 * square))


def near_divergence(shape: Rates, a: FloatArray, dx: FloatArray) -> FloatArray:
    """The logarithm of the divergence over a step of at most a panel."""
    y = a + NODES[:, None] * dx
    log_u, log_r = -shape.log_factors(y), shape.log_r_slope(y)
    top_u, top_r = log_u.max(axis=0), log_r.max(axis=0)
    inner = TRIANGLE @ np.exp(log_u - top_u)
    total = (np.exp(log_r - top_r) * inner).sum(axis=0)
    with np.errstate(divide="ignore"):
        return np.asarray(2.0 * np.log(np.abs(dx)) + top_u + top_r + np.log(total))


def _far(clock: Clock, a: FloatArray, dx: FloatArray) -> FloatArray:
    shape = clock.shape
    limit = np.isinf(dx)
    step = np.where(limit, 1.0, dx)
    end = a + step
    sign, log_square = log_growth(shape, a, step)
    log_product = shape.log_r(end) + clock.log_increment(a, step)
    product_sign = np.where(shape.locked, 1.0, np.sign(end)) * np.sign(step)
    top = np.maximum(log_square, log_product)
    gap = product_sign * np.exp(log_product - top) - sign * np.exp(log_square - top)
    # rho -> 0 where locked leaves Q(a)^2 / 2
    at_limit = np.where(shape.locked & (dx < 0.0), 2.0 * a - LOG2, np.inf)
    return np.where(limit, at_limit, top + np.log(gap))
