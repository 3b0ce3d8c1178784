"""The races' common problems, and the flow of their parameters for other integrators."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from inspect import signature
from typing import Literal

import numpy as np

import implicitbias as ib

ACCURACY = 1e-6
FLOW_TOL = 1e-6  # of the dual flow; it is tightened by itself where slacks are small
SCALES = (1e-1, 1e-2, 1e-3)


@dataclass(frozen=True)
class Case:
    """Theorem 5 with eta = 1, on Gaussian data or on quartic features of the diabetes data.

    The latter are correlated: 100 patients, 1000 monomials, each divided by its root mean square,
    y by its own.
    """

    depth: int
    scale: float
    source: Literal["Gaussian", "diabetes"] = "Gaussian"
    num_points: int = 100
    num_features: int = 1000

    @cached_property
    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """X and y."""
        if self.source == "diabetes":
            problem = ib.datasets.diabetes(4, self.num_points)
            return problem.X / _sizes(problem.X), problem.y / _sizes(problem.y)
        rng = np.random.default_rng(0)
        shape = (self.num_points, self.num_features)
        return rng.standard_normal(shape), rng.standard_normal(self.num_points)

    @property
    def X(self) -> np.ndarray:
        """(n, d)."""
        return self.data[0]

    @property
    def y(self) -> np.ndarray:
        """(n,)."""
        return self.data[1]

    @cached_property
    def problem(self) -> ib.Regression:
        """The problem, built beforehand as for every rival."""
        return ib.Regression(self.X, self.y)

    @cached_property
    def network(self) -> ib.DiagonalNetwork:
        """L layers."""
        return ib.DiagonalNetwork(self.num_features, self.depth)

    @cached_property
    def init(self) -> ib.Initialization:
        """Layers of ones, the last one zero."""
        ones = np.ones(self.num_features)
        return ib.Initialization.last_layer_zero(self.network, ones, self.scale)

    def build(self) -> None:
        """Build all three, as is done for every rival, before the clock starts."""
        _ = self.problem, self.network, self.init

    @cached_property
    def start(self) -> np.ndarray:
        """Theta(0), flat."""
        return np.concatenate(self.init.parameters())

    def limit(self) -> ib.Limit:
        """The package's answer."""
        return ib.predict_limit(self.network, self.problem, self.init)

    def dual_flow(self) -> ib.Flow:
        """The package's dual flow, to ACCURACY."""
        # rtol was tol in 0.1, against which this is timed
        rtol = "rtol" if "rtol" in signature(ib.gradient_flow).parameters else "tol"
        goal = {"until_residual": ACCURACY, "until_change": ACCURACY, rtol: FLOW_TOL}
        return ib.gradient_flow(self.network, self.problem, self.init, route="dual", **goal)

    def error(self, beta: np.ndarray, reference: np.ndarray) -> float:
        """|beta - reference|_inf / |reference|_inf; infinite for NaN."""
        found = float(np.abs(beta - reference).max() / np.abs(reference).max())
        return found if np.isfinite(found) else np.inf

    def coefficients(self, state: np.ndarray) -> np.ndarray:
        """prod_l w_l."""
        return np.asarray(state.reshape(self.depth, -1).prod(axis=0))

    def velocity(self, _: float, state: np.ndarray) -> np.ndarray:
        """dw_l/dt = [X^T (y - X beta)] prod_{k != l} w_k."""
        layers = state.reshape(self.depth, -1)
        driver = (self.y - self.X @ layers.prod(axis=0)) @ self.X
        return (driver * self._others(layers)).ravel()

    def jacobian(self, _: float, state: np.ndarray) -> np.ndarray:
        """Its derivative, (L d, L d)."""
        L, d = self.depth, self.num_features
        layers = state.reshape(L, d)
        driver = (self.y - self.X @ layers.prod(axis=0)) @ self.X
        others = self._others(layers)
        result = np.empty((L, d, L, d))
        for i in range(L):
            for j in range(L):
                result[i, :, j] = -self.gram * others[i][:, None] * others[j]
                if i != j:
                    rest = np.delete(layers, (i, j), axis=0).prod(axis=0)
                    result[i, np.arange(d), j, np.arange(d)] += driver * rest
        return result.reshape(L * d, L * d)

    @cached_property
    def gram(self) -> np.ndarray:
        """X^T X."""
        return self.X.T @ self.X

    def _others(self, layers: np.ndarray) -> np.ndarray:
        return np.array([np.delete(layers, i, axis=0).prod(axis=0) for i in range(self.depth)])


def _sizes(array: np.ndarray) -> np.ndarray:
    """Root mean squares of columns."""
    return np.asarray(np.sqrt(np.mean(array**2, axis=0)))
