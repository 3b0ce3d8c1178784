"""Gradient flow by the definition: dense data tensors, explicit contractions, DOP853."""

from __future__ import annotations

import numpy as np
from scipy.integrate import solve_ivp


def beta_of(tensor, layers):
    """beta_i = T[j_1, .., j_L, i] v_1[j_1] .. v_L[j_L] for a tensor (k_1, .., k_L, d)."""
    for layer in layers:
        tensor = np.tensordot(layer, tensor, axes=(0, 0))
    return tensor


def regression_flow(tensor, X, y, layers, times):
    """beta at the given times of dv_l/dt = -grad_l 1/2 ||X beta - y||^2; (T, d)."""
    sizes = [layer.size for layer in layers]
    cuts = np.cumsum(sizes)[:-1]

    def velocity(_, state):
        parts = np.split(state, cuts)
        driver = -X.T @ (X @ beta_of(tensor, parts) - y)
        pulled = tensor @ driver
        return np.concatenate([_all_but_one(pulled, parts, index) for index in range(len(parts))])

    solution = solve_ivp(
        velocity,
        (0.0, float(times[-1])),
        np.concatenate(layers),
        method="DOP853",
        t_eval=times,
        rtol=1e-12,
        atol=1e-14,
    )
    return np.array([beta_of(tensor, np.split(state, cuts)) for state in solution.y.T])


def regression_flow_to_loss(tensor, X, y, layers, loss):
    """Time and beta where 1/2 ||X beta - y||^2 has fallen to ``loss``."""
    cuts = np.cumsum([layer.size for layer in layers])[:-1]

    def velocity(_, state):
        parts = np.split(state, cuts)
        driver = -X.T @ (X @ beta_of(tensor, parts) - y)
        pulled = tensor @ driver
        return np.concatenate([_all_but_one(pulled, parts, index) for index in range(len(parts))])

    def arrived(_, state):
        residual = X @ beta_of(tensor, np.split(state, cuts)) - y
        return np.log(residual @ residual / 2.0) - np.log(loss)

    arrived.terminal = True
    solution = solve_ivp(
        velocity, (0.0, 1e30), np.concatenate(layers), method="DOP853", events=arrived,
        rtol=1e-13, atol=1e-15,
    )  # fmt: skip
    return float(solution.t[-1]), beta_of(tensor, np.split(solution.y[:, -1], cuts))


def diagonal_flow(X, y, layers, times):
    """beta at the given times of a diagonal network's flow, (T, d)."""
    shape = np.shape(layers)

    def velocity(_, state):
        layers = state.reshape(shape)
        driver = -X.T @ (X @ layers.prod(axis=0) - y)
        others = [np.delete(layers, index, axis=0).prod(axis=0) for index in range(shape[0])]
        return (driver * np.array(others)).ravel()

    solution = solve_ivp(
        velocity, (0.0, float(times[-1])), np.ravel(layers), method="DOP853", t_eval=times,
        rtol=3e-14, atol=1e-16,
    )  # fmt: skip
    return np.array([state.reshape(shape).prod(axis=0) for state in solution.y.T])


def _all_but_one(pulled, parts, index):
    for layer in reversed(parts[index + 1 :]):
        pulled = pulled @ layer
    for layer in parts[:index]:
        pulled = np.tensordot(layer, pulled, axes=(0, 0))
    return pulled
