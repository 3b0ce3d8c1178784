"""Two-sided models beta = u^D - v^D: Woodworth et al. at D = 2, 3, 4, and Azulay et al.'s shapes.

The flow of u and v is integrated here, by an independent loop, and the minimiser of
alpha^2 sum_j q_D(beta_j / alpha^D) found by a root of beta_j = alpha^D h_D(x_j^T nu).

Source: Woodworth et al., "Kernel and rich regimes in overparametrized models", COLT 2020; Azulay et
al., "On the implicit bias of initialization shape", ICML 2021.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy.optimize import root

from implicitbias import datasets
from implicitbias._arrays import FloatArray
from implicitbias.coordinates import two_sided
from implicitbias.initialization import Initialization
from implicitbias.limits import relative_difference
from implicitbias.networks import DiagonalNetwork, TwoSidedDiagonalNetwork
from implicitbias.problems import Regression
from implicitbias.theorems import predict_limit
from implicitbias.verification._checks import Check, Measurement
from implicitbias.verification._woodworth import flow_end

STARTS = ((2, 0.5), (3, 0.7), (4, 0.8))  # (D, alpha)
SHAPE = 0.6


def checks() -> tuple[Check, ...]:
    """The rows on u^D - v^D."""
    return (
        *(
            Check(
                f"Woodworth et al., D = {power}",
                f"u^{power} - v^{power}, scale {scale:g}",
                "sparse, s = 3",
                partial(potential, power, scale),
            )
            for power, scale in STARTS
        ),
        Check(
            "Azulay et al., unequal starts",
            "u^3 - v^3, random u and v",
            "sparse, s = 3",
            unequal,
        ),
        Check(
            "Azulay et al., shape of the start",
            f"u^2 - v^2 for diagonal, L = 2, on (X, -X), shape {SHAPE:g}",
            "sparse, s = 3",
            shape,
        ),
    )


def potential(power: int, scale: float) -> Measurement:
    """The flow of u and v, the minimiser of q_D and the limit, pair by pair."""
    problem = datasets.sparse(20, 40, 3, seed=2)
    network, ones = TwoSidedDiagonalNetwork(40, power), np.ones(40)
    limit = predict_limit(network, problem, Initialization([ones, ones], scale=scale))
    flow = flow_end(problem, scale * ones, scale * ones, power)
    minimiser = _minimiser(problem, power, scale)
    errors = (
        relative_difference(flow, limit.coefficients),
        relative_difference(minimiser, limit.coefficients),
    )
    return Measurement(
        max(errors),
        limit.certificate.worst,
        limit.assumptions,
        problem.X.shape,
        note=f"flow - limit {errors[0]:.1e}, minimiser of q_{power} - limit {errors[1]:.1e}",
        settings={"depth": power, "scale": scale, "seed of the data": 2},
        arrays={"limit": limit.coefficients, "flow": flow, "minimiser": minimiser},
        certificates=(limit.certificate,),
    )


def _minimiser(problem: Regression, power: int, scale: float) -> FloatArray:
    """beta = alpha^D h_D(X^T nu) with X beta = y, continued from small targets."""
    X, y = problem.X, problem.y

    def beta(nu: FloatArray) -> FloatArray:
        s = X.T @ nu
        if power > 2:  # beyond its range a root is no root
            s = np.clip(s, -1.0 + 1e-9, 1.0 - 1e-9)
        return np.asarray(scale**power * two_sided.h(s, power))

    nu = np.zeros(y.size)
    for part in np.linspace(0.1, 1.0, 10):

        def missing(nu: FloatArray, goal: FloatArray = part * y) -> FloatArray:
            return np.asarray(X @ beta(nu) - goal)

        nu = root(missing, nu, method="hybr", tol=1e-14).x
    return beta(nu)


def unequal() -> Measurement:
    """u(0) != v(0) entry by entry: the flow against the limit."""
    problem = datasets.sparse(20, 40, 3, seed=2)
    u, v = np.random.default_rng(4).uniform(0.6, 0.9, (2, 40))
    network = TwoSidedDiagonalNetwork(40, 3)
    limit = predict_limit(network, problem, Initialization([u, v], scale=1.0))
    flow = flow_end(problem, u, v, 3)
    return Measurement(
        relative_difference(flow, limit.coefficients),
        limit.certificate.worst,
        limit.assumptions,
        problem.X.shape,
        settings={"depth": 3, "scale": 1.0, "seed of the start": 4},
        arrays={"limit": limit.coefficients, "flow": flow},
        certificates=(limit.certificate,),
    )


def shape() -> Measurement:
    """Both halves from layers u v = alpha, s = (u - v) / (u + v): q_k of u^2 - v^2.

    sqrt(k) = 4 alpha (1 + s^2) / (1 - s^2).

    The same q_k is that of u^2 - v^2 from u = v = k^{1/4} / 2.
    """
    problem, alpha = datasets.sparse(20, 40, 3, seed=2), 0.09
    doubled = Regression(np.hstack([problem.X, -problem.X]), problem.y)
    sides = np.sqrt(alpha) * np.array([1.0 + SHAPE, 1.0 - SHAPE]) / np.sqrt(1.0 - SHAPE**2)
    layers = [np.full(80, side) for side in sides]
    both = predict_limit(DiagonalNetwork(80, 2), doubled, Initialization(layers, scale=1.0))
    beta = both.coefficients[:40] - both.coefficients[40:]
    root_k = 4.0 * alpha * (1.0 + SHAPE**2) / (1.0 - SHAPE**2)
    start = [np.ones(40), np.ones(40)]
    limit = predict_limit(
        TwoSidedDiagonalNetwork(40, 2), problem, Initialization(start, scale=np.sqrt(root_k) / 2.0)
    )
    return Measurement(
        relative_difference(beta, limit.coefficients),
        max(limit.certificate.worst, both.certificate.worst),
        limit.assumptions,
        problem.X.shape,
        note=f"sqrt(k) = {root_k:.6g}",
        settings={"depth": 2, "alpha": alpha, "shape": SHAPE},
        arrays={"limit": limit.coefficients, "both halves": beta},
        certificates=(limit.certificate, both.certificate),
    )
