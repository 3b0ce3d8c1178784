"""Radau IIA of order 13 for gradient flows, whose stiffness has low rank.

A collocation method: on each step the solution is a polynomial of degree 7 that satisfies the
equation at 7 points, the last of them the end of the step. The velocity of a network's parameters
has the Jacobian C - (X J)^T (X J), J = d beta / d Theta. Only its second part is stiff, and that
has rank n. Newton's method on the 7 stages takes the stiff part at every stage and leaves C out: by
the Sherman-Morrison-Woodbury identity its linear systems have 7 n unknowns, however many parameters
there are, and what is left out is contracted by the step size itself.

Why this order: conserved quantities decide where the parameters end, and Radau IIA's error in them
is of the order of the square of its interior error, so that steps chosen for a smooth trajectory
keep them to rounding. The state is summed with compensation (Kahan), so that rounding does not
accumulate either.

Source: Hairer and Wanner, Solving Ordinary Differential Equations II, sections IV.5 and IV.8.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.polynomial import legendre
from scipy.integrate import DenseOutput, OdeSolver
from scipy.linalg import lu_factor, lu_solve

from implicitbias._arrays import FloatArray

STAGES = 7
MAX_ITERATIONS = 12
CONVERGED = 1e-14  # last Newton change, relative to the entries' sizes
STAGNANT = 30.0  # times that, where rounding stops the iteration
SAFETY = 0.85
GROWTH, SHRINK = 3.0, 0.2
HOPELESS = 2.0  # estimated error that rejects a step before Newton's method has converged
WILD = 4.0  # an extrapolation that grows more than this over the previous step is not used
SHORTEST = 1e-250  # step over time: the time may stand still for a while, the state does not
FILTER = 1.0 / STAGES


@cache
def tableau() -> tuple[FloatArray, FloatArray, FloatArray]:
    """Nodes c, (s,), the matrix a_ij = int_0^{c_i} l_j, (s, s), and a linear form, (s,).

    The form is the highest Legendre coefficient of the polynomial through values at the nodes.
    """
    polynomial = np.zeros(STAGES + 1)
    polynomial[-2:] = -1.0, 1.0  # P_s - P_{s-1} on [-1, 1]
    x = np.sort(legendre.legroots(polynomial).real)
    for _ in range(2):
        slope = legendre.legval(x, legendre.legder(polynomial))
        x = x - legendre.legval(x, polynomial) / slope
    x[-1] = 1.0
    to_coefficients = np.linalg.inv(legendre.legvander(x, STAGES - 1))
    integrals = np.stack(
        [legendre.legval(x, legendre.legint(row, lbnd=-1)) / 2 for row in np.eye(STAGES)], axis=1
    )
    return (x + 1.0) / 2.0, integrals @ to_coefficients, to_coefficients[-1]


def interpolation(points: FloatArray) -> FloatArray:
    """Values at ``points`` of the polynomial that is 0 at 0, from its values at the nodes."""
    nodes = np.concatenate([[0.0], tableau()[0]])
    differences = nodes[:, None] - nodes + np.eye(len(nodes))
    barycentric = 1.0 / differences.prod(axis=1)
    gaps = points[:, None] - nodes
    hit = gaps == 0.0
    weights = barycentric / np.where(hit, 1.0, gaps)
    weights = np.where(hit.any(axis=1)[:, None], hit, weights)
    values: FloatArray = weights / weights.sum(axis=1)[:, None]
    return values[:, 1:]


class LowRankRadau(OdeSolver):  # type: ignore[misc]  # scipy is untyped
    """Radau IIA with 7 stages, in the manner of scipy's solvers.

    Parameters
    ----------
    fun
        velocity(t, y), (N,).
    y0, t_bound, first_step
        Where to begin, where to end at the latest, and the first step to try.
    factor
        y -> F, (n, N): -F^T F is the stiff part of the Jacobian.
    tol
        Interior error of a step relative to |y_i| + sizes_i.
    sizes
        The natural size of each entry, (N,).
    """

    t: float
    y: FloatArray

    def __init__(
        self,
        fun: Callable[[float, FloatArray], FloatArray],
        y0: FloatArray,
        t_bound: float,
        *,
        first_step: float,
        factor: Callable[[FloatArray], FloatArray],
        tol: float,
        sizes: FloatArray,
    ) -> None:
        super().__init__(fun, 0.0, y0, t_bound, vectorized=False)
        self.factor, self.tol, self.sizes = factor, tol, sizes
        self.h = first_step
        self.lost = np.zeros_like(y0)
        self.stages = np.zeros((STAGES, y0.size))
        self.previous = first_step, 0.0
        self.h_taken = first_step

    def _step_impl(self) -> tuple[bool, str | None]:
        while True:
            h = min(self.h, self.t_bound - self.t)
            if h < SHORTEST * self.t:
                return False, "the step size fell far below the rounding of the time"
            stages, error, iterations = self._solve(h)
            if stages is not None and error <= 1.0:
                break
            shrink = SAFETY * error ** (-1.0 / STAGES) if np.isfinite(error) and error > 1 else 0.4
            self.h = h * float(np.clip(shrink, SHRINK, 0.9))
        self._accept(h, stages, max(error, 1e-30), iterations)
        return True, None

    def _accept(self, h: float, stages: FloatArray, error: float, iterations: int) -> None:
        """Move on, and predict the next step from this error and the last (Gustafsson)."""
        change = stages[-1] + self.lost
        new = self.y + change
        self.lost = change - (new - self.y)
        self.y, self.stages, self.h_taken = new, stages, h
        self.t = self.t_bound if h == self.t_bound - self.t else self.t + h
        factor = SAFETY * error ** (-1.0 / STAGES)
        old_h, old_error = self.previous
        if old_error > 0.0:
            factor *= min(1.0, h / old_h * (old_error / error) ** (1.0 / STAGES))
        if iterations > MAX_ITERATIONS - 4:
            factor = min(factor, 1.0)
        self.previous = h, error
        self.h = h * min(factor, GROWTH)

    def _solve(self, h: float) -> tuple[FloatArray | None, float, int]:
        """Solve the stage equations; (None, error, ...) where that failed or is hopeless."""
        _, matrix, top = tableau()
        stages = self._predicted(h)
        factors = np.stack([self.factor(self.y + stage) for stage in stages])
        if not np.isfinite(factors).all():
            return None, np.inf, 0
        newton = _Newton(h, matrix, factors)
        scale = np.abs(self.y) + self.sizes
        last, error = np.inf, np.inf
        for iteration in range(1, MAX_ITERATIONS + 1):
            velocities = np.stack([self.fun(self.t, self.y + stage) for stage in stages])
            if not np.isfinite(velocities).all():
                return None, np.inf, iteration
            estimate = newton.filtered(h * (top @ velocities))
            error = float(np.max(np.abs(estimate) / scale)) / self.tol
            if iteration > 1 and error > HOPELESS:
                return None, error, iteration
            change = newton.change(h * (matrix @ velocities) - stages)
            stages = stages + change
            size = float(np.max(np.abs(change) / scale)) / CONVERGED
            rate = size / last if iteration > 1 else 1.0
            if size * min(rate, 1.0) <= 1.0 or (iteration > 3 and rate > 0.9 and size <= STAGNANT):
                return stages, error, iteration
            if iteration > 4 and rate > 2.0:
                return None, np.inf, iteration
            last = size
        return None, np.inf, MAX_ITERATIONS

    def _predicted(self, h: float) -> FloatArray:
        """The previous step's polynomial, continued; zero where it runs away."""
        nodes = tableau()[0]
        ahead = interpolation(1.0 + nodes * h / self.h_taken) @ self.stages - self.stages[-1]
        most = WILD * h / self.h_taken * np.abs(self.stages).max()
        return ahead if np.abs(ahead).max() <= most else np.zeros_like(ahead)

    def _dense_output_impl(self) -> DenseOutput:
        return _Polynomial(self.t_old, self.t, self.y, self.stages)


class _Newton:
    """(I + h (A x I) diag(F_j^T F_j)) dZ = R by the 7 n equations for w_j = F_j dZ_j."""

    def __init__(self, h: float, matrix: FloatArray, factors: FloatArray) -> None:
        self.h, self.matrix, self.factors = h, matrix, factors
        stages, points, size = factors.shape
        rows = factors.reshape(stages * points, size)
        gram = (rows @ rows.T).reshape(stages, points, stages, points)
        self.values, self.vectors = np.linalg.eigh(gram[-1, :, -1])
        coupled = h * matrix[:, None, :, None] * gram
        system = coupled.reshape(stages * points, -1)
        system[np.diag_indices_from(system)] += 1.0
        self.lu = lu_factor(system, check_finite=False, overwrite_a=True)

    def change(self, residual: FloatArray) -> FloatArray:
        """dZ for the residual R, (s, N)."""
        stages, points, _ = self.factors.shape
        right = np.matmul(self.factors, residual[:, :, None]).ravel()
        moved = lu_solve(self.lu, right, check_finite=False).reshape(stages, 1, points)
        back = np.matmul(moved, self.factors)[:, 0]
        solution: FloatArray = residual - self.h * (self.matrix @ back)
        return solution

    def filtered(self, error: FloatArray) -> FloatArray:
        """(I + h F^T F / s)^{-1} error: what of it stiff components will not forget."""
        last = self.factors[-1]
        length = FILTER * self.h
        damping = length / (1.0 + length * np.maximum(self.values, 0.0))
        inside = self.vectors @ (damping * (self.vectors.T @ (last @ error)))
        remembered: FloatArray = error - inside @ last
        return remembered


class _Polynomial(DenseOutput):  # type: ignore[misc]  # scipy is untyped
    """The collocation polynomial of one step."""

    def __init__(self, t_old: float, t: float, y: FloatArray, stages: FloatArray) -> None:
        super().__init__(t_old, t)
        self.y, self.stages = y, stages

    def _call_impl(self, t: FloatArray) -> FloatArray:
        points = np.atleast_1d((t - self.t_old) / (self.t - self.t_old))
        values: FloatArray = self.y - self.stages[-1] + interpolation(points) @ self.stages
        return values[0] if np.ndim(t) == 0 else values.T
