"""How the limit moves with the targets, the scale and the directions: one factorisation for all.

Differentiating Z rho(t) = y and u(t) - u(t_0) = a Z^T nu gives the Newton system at the solution:

    d rho = rho' dt + L rho dlog A,    u' dt = a Z^T dnu + (L - 2) (u - u(t_0)) dlog A,

with A_j = alpha |eta_j| the unit of coordinate j. Columns that saturate would cancel in dt: their
part of d rho is read off Z d rho = dy instead.

Source: the implicit function theorem on Theorem 5's optimality conditions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias.dual import NewtonSystem
from implicitbias.limits.potential._problem import (
    PathError,
    PotentialProblem,
    PotentialState,
    linearise,
)


@dataclass(frozen=True)
class PotentialSensitivity:
    """Derivatives of rho and the dual point at a solved potential problem."""

    problem: PotentialProblem
    state: PotentialState

    @cached_property
    def _system(self) -> NewtonSystem:
        found = linearise(self.problem, self.problem.curves, self.state)
        if found is None:
            raise PathError("the rows of X S^T are numerically dependent", self.state)
        return found[0]

    def _moved(
        self, target: FloatArray, growth: FloatArray, mismatch: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """d rho (m, k) and dnu (n, k) for dy = target, rho's explicit growth and a mismatch."""
        system = self._system
        rows, features = system.rows, system.rows.features
        wanted = rows.combined(target)
        dt, dnu = system.solve(wanted - features @ growth, mismatch)
        with np.errstate(under="ignore"):
            moved = np.exp(system.slopes.log_rho)[:, None] * dt + growth
        if rows.basis is not None:
            rest = np.ones(self.problem.curves.size, dtype=bool)
            rest[rows.basis] = False
            moved[rows.basis] = wanted - features.columns(rest) @ moved[rest]
        return moved, dnu

    def by_target(self) -> tuple[FloatArray, FloatArray]:
        """d rho / dy, (m, n), for y as asked for, and d nu / dy, (n, n), in the system's rows."""
        n, m = self.problem.features.shape
        zero, given = np.zeros((m, n)), self.problem.dual_as_given(np.ones(n))
        rho, nu = self._moved(np.eye(n), zero, zero)
        return rho * given, nu

    def by_log_scale(self) -> FloatArray:
        """d rho / d log alpha, (m,)."""
        n, m = self.problem.features.shape
        if self.problem.log_excess > 0.0 and self.problem.target.any():
            return np.zeros(m)
        # Scaling all units alike leaves a, and with it the second equation, unchanged.
        growth = self.problem.curves.depth * self.problem.curves.rho(self.state.t)[:, None]
        return self._moved(np.zeros((n, 1)), growth, np.zeros((m, 1)))[0][:, 0]

    def by_log_units(self) -> FloatArray:
        """d rho_i / d log A_j, (m, m), for equal first layers and a last layer of zero."""
        curves, t = self.problem.curves, self.state.t
        n, m = self.problem.features.shape
        growth = np.diag(curves.depth * curves.rho(t))
        moved_clock = (curves.depth - 2) * (curves.u(t) - curves.u(curves.t0))
        mismatch = np.diag(moved_clock * np.exp(-curves.log_u_slope(t)))
        return self._moved(np.zeros((n, m)), growth, mismatch)[0]

    def leave_one_out(self) -> FloatArray:
        """Prediction at each point without it, (n,), to first order: y_i - nu_i / [dnu/dy]_ii.

        Exact where the potential is quadratic (a large scale).
        """
        rows = self._system.rows
        _, dnu = self.by_target()
        given = rows.dual_as_given(dnu)
        nu = self.state.rows.dual_as_given(self.state.nu)
        return self.problem.as_given(self.problem.target - nu / np.diag(given))
