"""Other people's solvers of Theorem 5's limit problem, each as it would be called by a user.

    min alpha^2 sum_j H_L(beta_j / alpha^L)   s.t.   X beta = y        (eta = 1)

Each is a generator of ever better beta: the clock of ``benchmarks.rivals._race`` runs between them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from benchmarks.rivals._case import Case
from scipy.optimize import LinearConstraint, linprog, minimize
from scipy.sparse import dia_array, diags_array

import implicitbias as ib


def clarabel(case: Case) -> Iterator[np.ndarray]:
    """The dual problem for L = 2 in exponential cones, cvxpy with Clarabel at its defaults."""
    yield _exponential_cones(case, "CLARABEL", {})


def scs(case: Case) -> Iterator[np.ndarray]:
    """The same with SCS, at the tolerances that a user would try in turn."""
    for eps in (1e-6, 1e-8, 1e-10):
        yield _exponential_cones(case, "SCS", {"eps": eps, "max_iters": 20_000})


def _exponential_cones(case: Case, solver: str, options: dict[str, float]) -> np.ndarray:
    """Psi_j(s) = alpha^2 (cosh 2 s - 1) / 4 as two exponential cones, scaled so that both fit."""
    import cvxpy as cp

    nu = cp.Variable(len(case.y))
    clock, shift = 2.0 * (case.X.T @ nu), 2.0 * np.log(case.scale) - np.log(8.0)
    potential = cp.sum(cp.exp(clock + shift) + cp.exp(shift - clock))
    cp.Problem(cp.Minimize(potential - case.y @ nu)).solve(solver=solver, **options)
    if nu.value is None:
        return np.full(case.X.shape[1], np.nan)
    return np.asarray(0.5 * case.scale**2 * np.sinh(2.0 * (case.X.T @ nu.value)))


def trust_constr(case: Case) -> Iterator[np.ndarray]:
    """scipy.optimize trust-constr on the limit problem itself, exact gradient and Hessian.

    alpha^{L-2} times the objective, so that its gradient is of order 1; from beta = X^+ y, and
    looked at every so often.
    """
    unit = case.scale**case.depth
    start = np.linalg.lstsq(case.X, case.y, rcond=None)[0]
    found: list[np.ndarray] = [start]

    def value(beta: np.ndarray) -> float:
        return unit * float(ib.lemma4.H(beta / unit, case.depth).sum())

    def slope(beta: np.ndarray) -> np.ndarray:
        return np.asarray(ib.lemma4.h_inverse(beta / unit, case.depth))

    def curvature(beta: np.ndarray) -> dia_array:
        square = _smallest_layer(beta / unit, case.depth) ** 2
        growth = (1.0 + case.depth * square) * (1.0 + square) ** (case.depth - 2)
        return diags_array(1.0 / (unit * growth))

    for rounds in (20, 40, 80, 160, 320, 640, 1280):
        solution = minimize(
            value,
            found[-1],
            jac=slope,
            hess=curvature,
            method="trust-constr",
            constraints=LinearConstraint(case.X, case.y, case.y),
            options={"maxiter": rounds, "gtol": 1e-12, "xtol": 1e-14},
        )
        found.append(solution.x)
        yield solution.x


def _smallest_layer(tau: np.ndarray, depth: int) -> np.ndarray:
    """Q with q (1 + q^2)^{(L - 1) / 2} = tau: by Newton on log q."""
    size = np.abs(tau)
    log_q = np.log(np.maximum(size, 1e-300))
    log_q = np.minimum(log_q, log_q / depth)
    for _ in range(100):
        square = np.exp(2.0 * log_q)
        step = log_q + 0.5 * (depth - 1) * np.log1p(square) - np.log(np.maximum(size, 1e-300))
        log_q = log_q - step / (1.0 + (depth - 1) * square / (1.0 + square))
    return np.asarray(np.exp(log_q))


def highs(case: Case) -> Iterator[np.ndarray]:
    """Basis pursuit, the limit at scale 0, by HiGHS: how far it is from the limit at this scale."""
    X = case.X
    solution = linprog(
        np.ones(2 * X.shape[1]), A_eq=np.hstack([X, -X]), b_eq=case.y, method="highs"
    )
    yield np.asarray(solution.x[: X.shape[1]] - solution.x[X.shape[1] :])
