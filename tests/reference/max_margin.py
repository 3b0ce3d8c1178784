"""Ground truths for max-margin problems: cvxpy with clarabel, and exhaustive vertex enumeration."""

from __future__ import annotations

import warnings
from itertools import combinations

import cvxpy as cp
import numpy as np

TIGHT = {"tol_gap_abs": 1e-11, "tol_gap_rel": 1e-11, "tol_feas": 1e-11}


def _solved(objective, constraints):
    problem = cp.Problem(cp.Minimize(objective), constraints)
    with warnings.catch_warnings():  # on hard margins clarabel stops short of TIGHT and says so
        warnings.filterwarnings("ignore", "Solution may be inaccurate", UserWarning)
        problem.solve(solver=cp.CLARABEL, **TIGHT)
    return float(problem.value)


def l2(A):
    """Value and point of min ||z||_2 s.t. A z >= 1."""
    z = cp.Variable(A.shape[1])
    return _solved(cp.norm(z, 2), [A @ z >= 1]), z.value


def l1(A, weights=None):
    """Value and point of min sum w |rho| s.t. A rho >= 1."""
    rho = cp.Variable(A.shape[1])
    w = np.ones(A.shape[1]) if weights is None else weights
    return _solved(w @ cp.abs(rho), [A @ rho >= 1]), rho.value


def complex_l1_square(rows, S):
    """Value and z of min ||S^{-T} z||_1 over real z s.t. rows z >= 1, for square S."""
    inverse = np.linalg.inv(S.T)
    z = cp.Variable(rows.shape[1])
    return _solved(cp.norm(inverse @ z, 1), [rows @ z >= 1]), z.value


def complex_l1_tall(rows, S):
    """Value and rho of min ||rho||_1 over complex rho with S^T rho real s.t. rows S^T rho >= 1."""
    u, v = cp.Variable(S.shape[0]), cp.Variable(S.shape[0])
    real = S.real.T @ u - S.imag.T @ v
    imaginary = S.imag.T @ u + S.real.T @ v
    size = cp.sum(cp.norm(cp.vstack([u, v]), 2, axis=0))
    value = _solved(size, [rows @ real >= 1, imaginary == 0])
    return value, u.value + 1j * v.value


def vertices(A, tolerance=1e-9):
    """Every vertex of {A rho >= 1} within an orthant: all square subsystems of A rho = 1."""
    n, m = A.shape
    found = []
    for k in range(1, min(n, m) + 1):
        for points in combinations(range(n), k):
            for support in combinations(range(m), k):
                block = A[np.ix_(points, support)]
                if abs(np.linalg.det(block)) < 1e-12:
                    continue
                rho = np.zeros(m)
                rho[list(support)] = np.linalg.solve(block, np.ones(k))
                if (A @ rho).min() >= 1 - tolerance:
                    found.append(rho)
    return found


def least_quasi_norm(A, exponent):
    """The global minimum of (sum |rho|^p)^{1/p} s.t. A rho >= 1, p <= 1, over all vertices.

    The objective is concave in each orthant, so a vertex is minimal.
    """
    candidates = vertices(A)
    values = [np.sum(np.abs(rho) ** exponent) ** (1 / exponent) for rho in candidates]
    best = int(np.argmin(values))
    return values[best], candidates[best]


def saddle(A, depth):
    """A stationary point that is no minimum: p-norm stationary with one margin charged.

    For one margin A_i rho = 1 the point rho_j ~ sign(A_ij) |A_ij|^{1/(p-1)} is stationary (and a
    maximum along the margin); the first one at which the other margins exceed 1 is returned.
    """
    p = 2 / depth
    for row in A:
        for size in range(2, row.size + 1):
            for support in combinations(range(row.size), size):
                rho = np.zeros(row.size)
                chosen = list(support)
                rho[chosen] = np.sign(row[chosen]) * np.abs(row[chosen]) ** (1 / (p - 1))
                rho /= row @ rho
                if (A @ rho).min() > 1 - 1e-9:
                    return rho
    raise ValueError("no such point")


def closing_rate(A, S, rho, a, depth):
    """The margin's exponent in a flow's distance to rho, by finite differences of the late flow.

    rho' = |rho|^{2-p} conj(A^T w), p = 2/L, with w on the charged points keeping margins equal;
    deviations are those of the support that keep margins and S^T rho real.
    """
    p = 2 / depth
    on, points = np.abs(rho) > 0, a > 1e-9 * a.max()
    rows, frame, centre = A[np.ix_(points, on)], S[on], rho[on] / np.linalg.norm(rho)

    def velocity(z):
        """Growth of z, less its own part along margins, at a smallest margin kept fixed."""
        spread = np.abs(z) ** (2 - p)
        w = np.linalg.lstsq(
            ((rows * spread) @ rows.conj().T).real, np.ones(len(rows)), rcond=1e-12
        )[0]
        return spread * (rows.conj().T @ w)

    def joined(z):
        return np.concatenate([z.real, z.imag])

    keep = np.vstack(
        [
            np.hstack([rows.real, -rows.imag]),
            np.hstack([frame.imag.T, frame.real.T]),
        ]
    )
    _, singular, right = np.linalg.svd(keep)
    free = right[int(np.sum(singular > 1e-10 * singular[0])) :].T
    if free.shape[1] == 0:
        return np.inf
    margin = (rows @ centre).real.mean()
    step, k = 1e-6, centre.size
    images = []
    for direction in free.T:
        delta = step * (direction[:k] + 1j * direction[k:])
        change = (velocity(centre + delta) - velocity(centre - delta)) / (2 * step)
        images.append(joined(change) * margin)
    return 1 - np.linalg.eigvals(free.T @ np.array(images).T).real.max()
