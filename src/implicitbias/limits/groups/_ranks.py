"""Singular values in the blocks of a group: the norm, its largest part, and what is beside it."""

from __future__ import annotations

import numpy as np

from implicitbias._arrays import EPS, FloatArray, worst_of
from implicitbias.networks import GroupConvolutionalNetwork

ROUNDED = 64 * EPS  # of the largest: singular values that are none
CHARGED = 1e-6  # part of the largest singular value of beta, or of its layers, or multiplier
ONE_SIZE = 1e-12  # relative: singular values of a point that rounding does not tell apart


def schatten_sum(network: GroupConvolutionalNetwork, beta: FloatArray) -> float:
    """sum_j m_j ||R_j(beta)||_{2/L}^{2/L} / g, the least of sum_l |w_l|^2 / L with product beta."""
    parts = [np.linalg.svd(block.of(beta), compute_uv=False) for block in network.blocks]
    noise = ROUNDED * max(float(values[0]) for values in parts)
    total = 0.0
    for block, values in zip(network.blocks, parts, strict=True):
        powers = values[values > noise] ** (2.0 / network.depth)
        total += block.multiplicity * float(powers.sum())
    return total / beta.size


def steepest_part(network: GroupConvolutionalNetwork, row: FloatArray) -> tuple[FloatArray, float]:
    """The direction with U V^T at the largest singular value of all R_j(row), and that value.

    Equal ones, which structure makes, all belong to it.
    """
    parts = [np.linalg.svd(block.of(row)) for block in network.blocks]
    largest = max(float(values[0]) for _, values, _ in parts)
    direction = np.zeros(row.size)
    for block, (left, values, right) in zip(network.blocks, parts, strict=True):
        rank = int((values >= largest * (1.0 - ONE_SIZE)).sum())
        direction += block.part(left[:, :rank] @ right[:rank])
    return direction, largest


def on_blocks(
    network: GroupConvolutionalNetwork, layers: FloatArray, beta: FloatArray, driver: FloatArray
) -> tuple[float, float, float]:
    """The violation on the blocks, and the largest singular values of R_j(c) beside beta, and all.

    R_j(beta) = U S V^T of its rank asks for U^T R_j(c) = S^{2/L - 1} V^T, and the same from the
    right; for L = 2 no singular value of R_j(c) may be above 1 either.
    """
    exponent = 2.0 / network.depth
    parts = [np.linalg.svd(block.of(beta)) for block in network.blocks]
    largest = max(float(values[0]) for _, values, _ in parts)
    worst, steepest = 0.0, 0.0
    for block, (left, values, right) in zip(network.blocks, parts, strict=True):
        pull = block.of(driver)
        rank = int((values > CHARGED * largest).sum())
        u, v = left[:, :rank], right[:rank]
        slopes = values[:rank] ** (exponent - 1.0)
        if rank:
            across = u.T @ pull - slopes[:, None] * v
            down = pull @ v.T - u * slopes
            size = float(slopes.max())
            worst = worst_of(worst, np.abs(across).max() / size, np.abs(down).max() / size)
        steepest = max(steepest, float(np.linalg.norm(pull, 2)))
    if network.depth == 2:
        worst = max(worst, steepest - 1.0)
    return worst, _beside(network, layers, driver), steepest


def _beside(network: GroupConvolutionalNetwork, layers: FloatArray, driver: FloatArray) -> float:
    """The largest singular value of R_j(c) off the columns of R_j(w_1) and the rows of R_j(w_L).

    Singular values of two layers are roots of those of beta: they tell small ones from none.
    """
    firsts = [np.linalg.svd(block.of(layers[0])) for block in network.blocks]
    lasts = [np.linalg.svd(block.of(layers[-1])) for block in network.blocks]
    least = CHARGED * max(float(values[0]) for _, values, _ in firsts)
    found = 0.0
    for block, (left, sizes, _), (_, others, right) in zip(
        network.blocks, firsts, lasts, strict=True
    ):
        u, v = left[:, int((sizes > least).sum()) :], right[int((others > least).sum()) :]
        if u.size and v.size:
            found = max(found, float(np.linalg.norm(u.T @ block.of(driver) @ v.T, 2)))
    return found
