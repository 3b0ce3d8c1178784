"""Full row rank of large problems, by products alone.

Let H = U U^T be the Gram matrix of the unit rows and theta_1, theta_k the extreme eigenvalues that
k steps of Lanczos's method find from a random start. The Krylov space does not change if a multiple
of I is added to H, so that the bound for one end of the spectrum holds for both: but for a
probability of 2 * 1.648 sqrt(n) exp(-sqrt(eps) (2 k - 1)),

    theta_1 - lambda_min <= eps (lambda_max - lambda_min) <= eps (theta_k - theta_1) / (1 - 2 eps).

Source: Kuczynski and Wozniakowski, SIAM J. Matrix Anal. Appl. 13 (1992), Theorem 4.1.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import eigvalsh_tridiagonal

from implicitbias._arrays import FloatArray, IntArray
from implicitbias.features import Features

ODDS = 1e-15  # of a wrong bound
STEPS = (32, 64, 128, 256)  # after which the bound is looked at


def exceeds(X: Features, rows: IntArray, columns: IntArray | None, least: float) -> bool:
    """Whether the smallest eigenvalue of the Gram matrix of unit rows is above ``least``.

    X is scaled by 2^{-rows} and 2^{-columns} first. False proves nothing.
    """
    scaled = X.shifted(-rows, None if columns is None else -columns)
    lengths = scaled.row_norms()
    if not lengths.all():
        return False

    ones = np.ones(scaled.shape[1])

    def applied(vector: FloatArray) -> FloatArray:
        return scaled.normal(ones, vector / lengths) / lengths

    n = len(lengths)
    diagonal, beside = np.zeros(STEPS[-1]), np.zeros(STEPS[-1])
    last, here = np.zeros(n), np.random.default_rng(0).standard_normal(n)
    here /= np.linalg.norm(here)
    length = 0.0
    for step in range(min(STEPS[-1], n)):
        moved = applied(here) - length * last
        diagonal[step] = here @ moved
        moved -= diagonal[step] * here
        length = beside[step] = float(np.linalg.norm(moved))
        if step + 1 in STEPS and _bound(diagonal[: step + 1], beside[:step], n) > least:
            return True
        if length == 0.0:
            return False
        last, here = here, moved / length
    return False


def _bound(diagonal: FloatArray, beside: FloatArray, n: int) -> float:
    """What the smallest eigenvalue exceeds but for ``ODDS``; -inf where k is too small to tell."""
    values = eigvalsh_tridiagonal(diagonal, beside)
    root = math.log(2.0 * 1.648 * math.sqrt(n) / ODDS) / (2 * diagonal.size - 1)
    eps = root * root
    if eps >= 0.25:
        return -math.inf
    return float(values[0] - eps * (values[-1] - values[0]) / (1.0 - 2.0 * eps))
