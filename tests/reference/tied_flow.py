"""Flows of diagonal and two-sided networks by an explicit method, which keeps ties of layers.

Layers that are equal up to signs get velocities that are, bit for bit, and a product with a zero is
zero: signs that exact flows keep are kept, where an implicit method loses them to its linear
algebra.
"""

from __future__ import annotations

import numpy as np
from scipy.integrate import solve_ivp


def diagonal_end(layers, X, y, time):
    """prod_l w_l at the given time."""
    shape = np.shape(layers)

    def velocity(_, state):
        w = state.reshape(shape)
        driver = -X.T @ (X @ w.prod(axis=0) - y)
        return (driver * np.array([np.delete(w, at, axis=0).prod(axis=0) for at in range(len(w))])
                ).ravel()  # fmt: skip

    return _end(velocity, layers, time).prod(axis=0)


def two_sided_end(u, v, power, X, y, time):
    """u^D - v^D at the given time."""

    def velocity(_, state):
        u, v = np.maximum(state.reshape(2, -1), 0.0)
        driver = -power * X.T @ (X @ (u**power - v**power) - y)
        return np.concatenate([driver * u ** (power - 1), -driver * v ** (power - 1)])

    u, v = _end(velocity, [u, v], time)
    return u**power - v**power


def _end(velocity, start, time):
    found = solve_ivp(
        velocity, (0.0, time), np.ravel(start), method="DOP853", rtol=1e-12, atol=1e-18
    )
    assert found.success, found.message
    return found.y[:, -1].reshape(np.shape(start))
