"""Two layers on whitened data, X^T X = c Q Q^T: the trajectory of a chain in closed form.

z = (v, a) obeys z' = c M z - (c / 2) |z|^2 z, M = [[-k/2 I, b], [b^T, k/2]], k = a^2 - |v|^2
conserved; so z = x / sqrt(1 + c int |x|^2) with x = exp(c M t) z(0).
"""

import numpy as np


def whitened_chain(v, a, b, c, times):
    """v(t) (T, d) and a(t) (T,) from v(0), a(0), b = X^+ y."""
    v, b = np.asarray(v, dtype=float), np.asarray(b, dtype=float)
    kappa, d = a**2 - v @ v, v.size
    matrix = np.zeros((d + 1, d + 1))
    matrix[:d, :d] = -kappa / 2 * np.eye(d)
    matrix[:d, d] = matrix[d, :d] = b
    matrix[d, d] = kappa / 2
    rates, basis = np.linalg.eigh(c * matrix)
    start = basis.T @ np.append(v, a)
    growth = rates[:, None] * np.asarray(times)
    grown = start[:, None] * np.exp(growth)
    with np.errstate(divide="ignore", invalid="ignore"):
        integrals = np.where(
            rates[:, None] == 0, times, np.expm1(2 * growth) / (2 * rates[:, None])
        )
    size = 1 + c * (start**2) @ integrals
    z = (basis @ grown / np.sqrt(size)).T
    return z[:, :d], z[:, d]
