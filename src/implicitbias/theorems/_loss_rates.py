"""The loss against time of limit directions: the squares of their layers, their points' shares."""

from __future__ import annotations

import numpy as np

from implicitbias._arrays import FloatArray, NumericArray
from implicitbias.limits import LossRate
from implicitbias.theorems._situation import Situation

SHARED = 1e-9  # relative: margins that are the smallest


def loss_rate(situation: Situation, squares: float, shares: FloatArray) -> LossRate:
    """From ||Theta||^2 where the smallest margin is 1, and multipliers of the points, (n,)."""
    degree = situation.network.degree
    parts = shares[shares > 0.0] / shares.sum()
    entropy = -float((parts * np.log(parts)).sum())
    return LossRate(degree, float(np.log(squares)) - 2.0 * float(np.log(degree)), max(entropy, 0.0))


def chain_squares(situation: Situation, beta: FloatArray) -> float:
    """sum_l ||W_l||^2 of aligned layers of rank one: L ||beta||^{2/L}."""
    depth = situation.network.depth
    return float(depth * float(np.linalg.norm(beta)) ** (2.0 / depth))


def coordinate_squares(situation: Situation, rho: NumericArray) -> float:
    """sum_l ||v_l||^2 = L sum_j |rho_j|^{2/L} of balanced layers; once for u^D - v^D."""
    degree = situation.network.degree
    layers = 1.0 if situation.decomposition.power is not None else degree
    return layers * float((np.abs(rho) ** (2.0 / degree)).sum())


def smallest_margins(situation: Situation, beta: FloatArray) -> FloatArray:
    """1 for the points of smallest margin, 0 for the others."""
    margins = situation.problem.y * (situation.problem.features @ beta)
    return np.asarray(margins <= margins.min() * (1.0 + SHARED), dtype=np.float64)
