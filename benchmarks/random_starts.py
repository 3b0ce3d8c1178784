"""Predictions from any start against SciPy's own stiff integration of the parameters.

Diagonal networks, L = 2..5, layers drawn at random: unequal, signed, any of them the smallest.

    python -m benchmarks.random_starts [COUNT]
"""

from __future__ import annotations

import sys

import numpy as np
from scipy.integrate import solve_ivp

import implicitbias as ib


def trained(X: np.ndarray, y: np.ndarray, layers: np.ndarray) -> np.ndarray:
    """Where dv_l/dt = -grad_l 1/2 ||X prod_k v_k - y||^2 ends, by LSODA in stretches of time."""
    shape = layers.shape

    def velocity(_: float, state: np.ndarray) -> np.ndarray:
        v = state.reshape(shape)
        pull = -X.T @ (X @ v.prod(axis=0) - y)
        others = [np.delete(v, i, axis=0).prod(axis=0) for i in range(len(v))]
        return (pull * np.array(others)).ravel()

    def jacobian(_: float, state: np.ndarray) -> np.ndarray:
        v = state.reshape(shape)
        depth, d = shape
        pull = -X.T @ (X @ v.prod(axis=0) - y)
        others = np.array([np.delete(v, i, axis=0).prod(axis=0) for i in range(depth)])
        gram = X.T @ X
        result = np.empty((depth, d, depth, d))
        for i in range(depth):
            for j in range(depth):
                block = -gram * others[i][:, None] * others[j]
                if i != j:
                    rest = np.delete(v, (i, j), axis=0).prod(axis=0)
                    block = block + np.diag(pull * rest)
                result[i, :, j] = block
        return result.reshape(depth * d, depth * d)

    state, horizon = layers.ravel(), 1.0
    for _ in range(60):
        state = solve_ivp(
            velocity, (0.0, horizon), state, method="LSODA", jac=jacobian, rtol=1e-12, atol=1e-14
        ).y[:, -1]
        beta = state.reshape(shape).prod(axis=0)
        if np.linalg.norm(X @ beta - y) <= 1e-12 * np.linalg.norm(y):
            break
        horizon *= 2.0
    return beta


def main() -> int:
    """Print the worst error per depth."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    worst: dict[int, float] = {}
    for seed in range(count):
        rng = np.random.default_rng(seed)
        depth = 2 + seed % 4
        n, d = int(rng.integers(1, 4)), int(rng.integers(4, 8))
        X, y = rng.normal(size=(n, d)), rng.normal(size=n)
        directions = rng.normal(size=(depth, d))
        scale = 10 ** rng.uniform(-0.7, 0.5)
        network = ib.DiagonalNetwork(d, depth)
        init = ib.Initialization(list(directions), scale)
        limit = ib.predict_limit(network, ib.Regression(X, y), init)
        found = trained(X, y, scale * directions)
        error = np.abs(found - limit.coefficients).max() / np.abs(limit.coefficients).max()
        worst[depth] = max(worst.get(depth, 0.0), float(error))
        if error > 1e-8:
            print(f"seed {seed}: L = {depth}, scale {scale:.3g}: error {error:.1e}")
    for depth, error in sorted(worst.items()):
        print(f"L = {depth}: worst error {error:.1e}")
    return int(max(worst.values()) > 1e-8)


if __name__ == "__main__":
    raise SystemExit(main())
