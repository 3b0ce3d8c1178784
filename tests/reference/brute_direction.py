"""Directions of classification flows in decoupled coordinates, by integrating all layers.

dp_l/dtau = (Z^T a) * prod_{k != l} p_k, a = softmax(-margins), d tau = loss dt: the parameters' own
equations in a clock that does not stop as the loss falls.
"""

from __future__ import annotations

import numpy as np
from scipy.integrate import LSODA


def directions(rows, layers, margins, *, most=200_000):
    """rho / max|rho| where the smallest margin reaches each of the margins; those it reached.

    Parameters
    ----------
    rows
        y_i x_i^T S^T, (n, m).
    layers
        p_l(0), (L, m).
    margins
        Ascending.
    """
    rows, layers = np.asarray(rows, dtype=float), np.asarray(layers, dtype=float)
    shape = layers.shape

    def velocity(_, state):
        p = state.reshape(shape)
        found = rows @ p.prod(axis=0)
        weights = np.exp(-(found - found.min()))
        pull = rows.T @ (weights / weights.sum())
        return np.concatenate([pull * np.delete(p, k, 0).prod(axis=0) for k in range(shape[0])])

    solver = LSODA(velocity, 0.0, layers.ravel(), np.inf, rtol=1e-11, atol=1e-13)
    reached = []
    for _ in range(most):
        if len(reached) == len(margins) or solver.status != "running":
            break
        solver.step()
        rho = solver.y.reshape(shape).prod(axis=0)
        if (rows @ rho).min() >= margins[len(reached)]:
            reached.append(rho / np.abs(rho).max())
    return reached
