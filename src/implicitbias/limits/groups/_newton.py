"""Newton's method on the conditions of a stationary point, for given ranks and points that hold."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from implicitbias._arrays import EPS, FloatArray, IntArray
from implicitbias.limits.groups._exact import exact_residuals
from implicitbias.networks import GroupConvolutionalNetwork

FREE = 1e-9  # relative; eigenvalues of the conditions' derivative that are zero
STEPS = 40
LOST = 1e-3  # a norm of beta below which its margins cannot be near 1
SETTLED = 8 * EPS


class Margins(NamedTuple):
    """Rows over powers of 2 that make them of one size, with the targets that this gives them."""

    rows: FloatArray
    targets: FloatArray
    exponent: int  # beta is 2^-exponent times what has these margins


class Polished(NamedTuple):
    layers: FloatArray
    a: FloatArray
    beta: FloatArray
    error: float
    driver_error: float  # what the last step leaves of c, relative
    determined: float
    moves: float


def scaled(rows: FloatArray) -> Margins:
    exponents = np.frexp(np.linalg.norm(rows, axis=1))[1]
    least = int(exponents.min())
    return Margins(np.ldexp(rows, -exponents[:, None]), np.ldexp(1.0, least - exponents), least)


def pulls_of(
    network: GroupConvolutionalNetwork, layers: FloatArray, rows: FloatArray
) -> FloatArray:
    """Derivatives of all margins by the layers, (L g, n)."""
    return np.asarray((rows @ network.coefficient_jacobian(tuple(layers))).T)


def newton(
    network: GroupConvolutionalNetwork,
    margins: Margins,
    layers: FloatArray,
    a: FloatArray,
    active: IntArray,
) -> Polished | None:
    rows, targets = margins.rows[active], margins.targets[active]
    held, before = a[active], np.inf
    for _ in range(STEPS):
        left = exact_residuals(network, layers, held, rows, targets)
        size = float(np.linalg.norm(left.beta))
        if size < LOST:  # rows are of about unit length, and one margin is 1
            return None
        values, vectors = np.linalg.eigh(_derivative(network, layers, held, rows))
        kept = np.abs(values) > FREE * np.abs(values).max()
        residual = np.concatenate([left.layers.ravel(), left.margins])
        step = -vectors[:, kept] @ ((vectors[:, kept].T @ residual) / values[kept])
        jacobian = network.coefficient_jacobian(tuple(layers))
        change = jacobian @ step[: layers.size]
        error = float(np.linalg.norm(change)) / size
        if not np.isfinite(error) or error > 1e3:
            return None
        if error <= SETTLED or (error >= 0.5 * before and error <= np.sqrt(EPS)):
            free = jacobian @ vectors[: layers.size, ~kept]
            moves = np.linalg.norm(free, axis=0) * np.linalg.norm(layers)
            whole = np.zeros_like(a)
            whole[active] = held
            return Polished(
                layers,
                whole,
                left.beta,
                max(error, EPS),
                float(np.linalg.norm(step[layers.size :] @ rows) / np.linalg.norm(held @ rows)),
                float(np.abs(values[kept]).min() / np.abs(values).max()),
                float(moves.max(initial=0.0)) / size,
            )
        before = error
        layers = layers + step[: layers.size].reshape(layers.shape)
        held = held + step[layers.size :]
    return None


def _derivative(
    network: GroupConvolutionalNetwork, layers: FloatArray, held: FloatArray, rows: FloatArray
) -> FloatArray:
    """Of the residuals by (w, a): [[1 - D^2 c^T beta, -P], [-P^T, 0]]."""
    pulls = pulls_of(network, layers, rows)
    size, count = pulls.shape
    whole = np.zeros((size + count, size + count))
    whole[:size, :size] = np.eye(size) - network.second_derivative(tuple(layers), held @ rows)
    whole[:size, size:] = -pulls
    whole[size:, :size] = -pulls.T
    return whole
