"""Woodworth et al.'s two-layer potential, computed without this package's limits.

beta = u^2 - v^2 (elementwise), u(0) = v(0) = a 1, ends at the minimiser of

    a^2 sum_j q_2(beta_j / a^2) s.t. X beta = y,    q_2(z) = 2 - sqrt(4 + z^2) + z arcsinh(z / 2).

With u, v = (w_1 +- w_2) / 2 this is the diagonal network of two layers started from w_1 = 2 a 1,
w_2 = 0, and q_2(4 t) = 8 H_2(t): Corollary 5 for L = 2 at scale 2 a.

Source: Woodworth et al., "Kernel and rich regimes in overparametrized models", COLT 2020.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import root

from implicitbias import datasets
from implicitbias._arrays import FloatArray
from implicitbias.coordinates import lemma4
from implicitbias.initialization import Initialization
from implicitbias.limits import relative_difference
from implicitbias.networks import DiagonalNetwork
from implicitbias.problems import Regression
from implicitbias.theorems import predict_limit
from implicitbias.verification._checks import Check, Measurement

LAST_TIME = 1e4  # the flow is at rest, to rounding, long before


def checks() -> tuple[Check, ...]:
    """The rows on what Corollary 5 subsumes."""
    return tuple(
        Check(
            "Woodworth et al., two layers",
            f"beta = u^2 - v^2, as diagonal, L = 2, scale {2 * a:g}",
            "sparse, s = 3",
            partial(potential, a),
        )
        for a in (1.0, 0.1)
    )


def potential(a: float) -> Measurement:
    """The flow of u^2 - v^2, the minimiser of q_2 and Corollary 5's limit, pair by pair."""
    problem = datasets.sparse(20, 40, 3, seed=2)
    network = DiagonalNetwork(problem.num_features, 2)
    init = Initialization.last_layer_zero(network, np.ones(problem.num_features), scale=2 * a)
    limit = predict_limit(network, problem, init)
    start = np.full(problem.num_features, a)
    flow, minimiser = flow_end(problem, start, start, 2), _minimiser(problem, a)
    errors = (
        relative_difference(flow, limit.coefficients),
        relative_difference(minimiser, limit.coefficients),
        relative_difference(flow, minimiser),
        _potential_mismatch(),
    )
    return Measurement(
        max(errors),
        limit.certificate.worst,
        limit.assumptions,
        problem.X.shape,
        note=f"flow - minimiser {errors[2]:.1e}, minimiser - Corollary 5 {errors[1]:.1e}, "
        f"q_2(4 t) - 8 H_2(t) {errors[3]:.1e}",
        settings={"depth": 2, "scale": 2 * a, "seed of the data": 2},
        arrays={"limit": limit.coefficients, "flow": flow, "minimiser of q_2": minimiser},
    )


def q_2(z: FloatArray) -> FloatArray:
    """2 - sqrt(4 + z^2) + z arcsinh(z / 2)."""
    # 2 - sqrt(4 + z^2) without cancellation
    return np.asarray(z * np.arcsinh(z / 2) - z**2 / (2 + np.sqrt(4 + z**2)))


def _potential_mismatch() -> float:
    t = np.geomspace(1e-3, 1e6, 200)
    return float(np.max(np.abs(q_2(4 * t) / (8 * lemma4.H(t, 2)) - 1)))


def _minimiser(problem: Regression, a: float) -> FloatArray:
    """beta = 2 a^2 sinh(X^T nu) with X beta = y, since q_2'(z) = arcsinh(z / 2)."""
    X, y = problem.X, problem.y

    def missing(nu: FloatArray, squared: float) -> tuple[FloatArray, FloatArray]:
        s = X.T @ nu
        return 2 * squared * X @ np.sinh(s) - y, 2 * squared * (X * np.cosh(s)) @ X.T

    nu = np.zeros(y.size)
    # Continued from a = 1: from nu = 0 the first step at a small a is of order 1 / a^2.
    for squared in np.geomspace(1.0, a**2, 1 + int(np.ceil(4 * abs(np.log(a))))):
        nu = root(missing, nu, args=(squared,), jac=True, method="hybr", tol=1e-14).x
    return np.asarray(2 * a**2 * np.sinh(X.T @ nu))


def flow_end(problem: Regression, u: FloatArray, v: FloatArray, power: int) -> FloatArray:
    """Where gradient flow of 1/2 ||X (u^D - v^D) - y||^2 in u and v ends."""
    X, y = problem.X, problem.y
    d = problem.num_features
    signs = np.concatenate([-np.ones(d), np.ones(d)])

    def slope(state: FloatArray) -> FloatArray:
        beta = state[:d] ** power - state[d:] ** power
        return np.tile(power * X.T @ (X @ beta - y), 2)

    def velocity(_: float, state: FloatArray) -> FloatArray:
        return signs * state ** (power - 1) * slope(state)

    def jacobian(_: float, state: FloatArray) -> FloatArray:
        change = signs * state ** (power - 1)
        columns = np.hstack([X, X]) * (-power * change)
        moved = change[:, None] * (power * np.vstack([X.T, X.T]) @ columns)
        own = signs * (power - 1) * state ** (power - 2) * slope(state)
        return np.asarray(moved + np.diag(own))

    solution = solve_ivp(
        velocity,
        (0.0, LAST_TIME),
        np.concatenate([u, v]),
        "LSODA",
        [LAST_TIME],
        jac=jacobian,
        rtol=1e-12,
        atol=1e-14,
    )
    end = solution.y[:, -1]
    return np.asarray(end[:d] ** power - end[d:] ** power)
