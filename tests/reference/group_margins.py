"""Ground truths for convolutions over groups, on the whole matrix [beta(g h)]: cvxpy, and SVDs."""

import warnings

import cvxpy as cp
import numpy as np

TIGHT = {"tol_gap_abs": 1e-11, "tol_gap_rel": 1e-11, "tol_feas": 1e-11}


def least_nuclear(table, rows):
    """Value and point of min ||[beta(g h)]||_* s.t. rows beta >= 1."""
    order = len(table)
    beta = cp.Variable(order)
    entries = np.zeros((order * order, order))
    entries[np.arange(order * order), np.asarray(table).T.ravel()] = 1.0  # columns first
    matrix = cp.reshape(entries @ beta, (order, order), order="F")
    problem = cp.Problem(cp.Minimize(cp.norm(matrix, "nuc")), [rows @ beta >= 1])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Solution may be inaccurate", UserWarning)
        problem.solve(solver=cp.CLARABEL, **TIGHT)
    return float(problem.value), beta.value


def stationarity(table, beta, driver, power):
    """Violation of U^T [c(g h)] = S^{power - 1} V^T, and from the right, c fitted by a factor."""
    left, values, right = np.linalg.svd(np.asarray(beta)[table])
    rank = int((values > 1e-9 * values[0]).sum())
    u, v, slopes = left[:, :rank], right[:rank], values[:rank] ** (power - 1.0)
    matrix = np.asarray(driver)[table]
    across, down = u.T @ matrix, matrix @ v.T
    factor = np.vdot(across, slopes[:, None] * v) / (slopes @ slopes)
    worst = max(
        np.abs(across - factor * slopes[:, None] * v).max(),
        np.abs(down - factor * u * slopes).max(),
    )
    return worst / (factor * slopes.max())
