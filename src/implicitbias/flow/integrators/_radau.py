"""Radau IIA of order 13 for flows whose stiffness has low rank.

A collocation method: on each step the solution is a polynomial of degree 7 that satisfies the
equation at 7 points, the last of them the end of the step. The velocity has the Jacobian C - A^T B;
that of a network's parameters, for one, C - (X J)^T (X J), J = d beta / d Theta. Only the second
part is stiff, and it has rank n. Newton's method on the 7 stages takes the stiff part at every
stage and leaves C out: by the Sherman-Morrison-Woodbury identity its linear systems have 7 n
unknowns, however many variables there are, and what is left out is contracted by the step itself.

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
from scipy.integrate import DenseOutput
from scipy.linalg import lapack

from implicitbias._arrays import FloatArray
from implicitbias.flow.integrators._landing import OneStepSolver

Factors = Callable[[FloatArray], tuple[FloatArray, FloatArray]]

STAGES = 7
MAX_ITERATIONS = 12
CONVERGED = 1e-14  # last Newton change, relative to the entries' sizes
STAGNANT = 30.0  # times that, where rounding stops the iteration of a well-conditioned flow
SAFETY = 0.85
GROWTH, SHRINK = 3.0, 0.2
HOPELESS = 2.0  # estimated error that rejects a step before Newton's method has converged
WILD = 4.0  # an extrapolation that grows more than this over the previous step is not used
SHORTEST = 1e-250  # step over time: the time may stand still for a while, the state does not
TINY = 1e-300  # a step
FILTER = 1.0 / STAGES
WIDE = 1.5  # variables a point, beyond which the stiff part's rank makes smaller systems
FAR, DEGREE = 1.1, 5  # beyond this part of the last step its polynomial would amplify rounding 1e6
# times: one of lower degree is continued, fitted to the stages


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


@cache
def low_fit() -> FloatArray:
    """Coefficients of x, .., x^DEGREE that fit the values at the nodes best, (DEGREE, s)."""
    return np.asarray(np.linalg.pinv(_powers(tableau()[0])))


def _powers(x: FloatArray) -> FloatArray:
    return np.asarray(x[:, None] ** np.arange(1, DEGREE + 1))


def continued(stages: FloatArray, length: float) -> FloatArray:
    """A step's polynomial less its end, over the next ``length`` steps; zero where it runs away."""
    nodes = tableau()[0]
    if length <= FAR:
        ahead = interpolation(1.0 + nodes * length) @ stages - stages[-1]
    else:
        ahead = (_powers(1.0 + nodes * length) - 1.0) @ (low_fit() @ stages)
    most = WILD * length * np.abs(stages).max()
    return ahead if np.abs(ahead).max() <= most else np.zeros_like(ahead)


def each(function: Callable[[FloatArray], FloatArray]) -> Callable[[FloatArray], FloatArray]:
    """The function of one state as one of a stack of them."""
    return lambda states: np.stack([function(state) for state in states])


def symmetric(factor: Callable[[FloatArray], FloatArray]) -> Factors:
    """The stiff part -F^T F of a gradient flow's Jacobian, from states (s, N) -> F, (s, n, N)."""

    def factors(states: FloatArray) -> tuple[FloatArray, FloatArray]:
        stack = factor(states)
        return stack, stack

    return factors


class LowRankRadau(OneStepSolver):
    """Radau IIA with 7 stages, in the manner of scipy's solvers.

    Parameters
    ----------
    velocities
        States (s, N) -> their velocities, (s, N); the equation is autonomous.
    y0, t_bound, first_step
        Where to begin, where to end at the latest, and the first step to try.
    factors
        States (s, N) -> A and B, (s, n, N) each: -A^T B is the stiff part of the Jacobian.
    tol
        Interior error of a step relative to |y_i| + sizes_i.
    sizes
        The natural size of each entry, (N,).
    floor
        The relative error that rounding of the velocity leaves, one number or one an entry: where
        Newton's method stands still below it, it has arrived.
    """

    def __init__(
        self,
        velocities: Callable[[FloatArray], FloatArray],
        y0: FloatArray,
        t_bound: float,
        *,
        first_step: float,
        factors: Factors,
        tol: float,
        sizes: FloatArray,
        floor: float | FloatArray = STAGNANT * CONVERGED,
    ) -> None:
        super().__init__(lambda _, y: velocities(y[None])[0], 0.0, y0, t_bound, vectorized=False)
        self.velocities, self.factors = velocities, factors
        self.tol, self.sizes, self.floor = tol, sizes, floor
        self.h = first_step
        self.lost = np.zeros_like(y0)
        self.stages = np.zeros((STAGES, y0.size))
        self.previous = first_step, 0.0
        self.h_taken = first_step

    def shorten(self, length: float) -> None:
        """Make the next step this long at most."""
        self.h = min(self.h, length)

    def _step_impl(self) -> tuple[bool, str | None]:
        while True:
            h = min(self.h, self.t_bound - self.t)
            if h < max(SHORTEST * self.t, TINY):
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
        left, right = self._linearised(h, stages)
        if not (np.isfinite(left).all() and np.isfinite(right).all()):
            return None, np.inf, 0
        newton = _Newton(h, matrix, left, right)
        scale = np.abs(self.y) + self.sizes
        last, error = np.inf, np.inf
        for iteration in range(1, MAX_ITERATIONS + 1):
            velocities, expected = self._evaluated(stages)
            self.nfev += STAGES
            if not np.isfinite(expected).all():
                return None, np.inf, iteration
            estimate = newton.filtered(h * (top @ velocities))
            error = float(np.max(np.abs(estimate) / scale)) / self.tol
            if iteration > 1 and error > HOPELESS:
                return None, error, iteration
            change = newton.change(h * (matrix @ expected) - stages)
            stages, settled = stages + change, self._settled(change)
            size = float(np.max(np.abs(change) / scale))
            rate = size / last if iteration > 1 else 1.0
            stands_still = iteration > 3 and rate > 0.9
            rounded = stands_still and bool(np.all(np.abs(change) <= self.floor * scale))
            if settled and (size * min(rate, 1.0) <= CONVERGED or rounded):
                return stages, error, iteration
            if iteration > 4 and rate > 2.0:
                return None, np.inf, iteration
            last = size
        return None, np.inf, MAX_ITERATIONS

    def _predicted(self, h: float) -> FloatArray:
        return continued(self.stages, h / self.h_taken)

    def _linearised(self, h: float, stages: FloatArray) -> tuple[FloatArray, FloatArray]:
        """A and B at the stages predicted."""
        return self.factors(self.y + stages)

    def _evaluated(self, stages: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The velocities, and those that Newton's method linearises."""
        velocities = self.velocities(self.y + stages)
        return velocities, velocities

    def _settled(self, change: FloatArray) -> bool:
        """Whether other unknowns than the stages, moved by ``change``, have arrived too."""
        return True

    def _dense_output_impl(self) -> DenseOutput:
        return _Polynomial(self.t_old, self.t, self.y, self.stages)


class _Newton:
    """(I + h (a x I) diag(A_j^T B_j)) dZ = R, for dZ or for the fewer w_j = B_j dZ_j.

    The second way subtracts what the first divides by: where variables are not many more than the
    points, the first is as fast, and right however much stiffer some are than others.
    """

    def __init__(self, h: float, matrix: FloatArray, left: FloatArray, right: FloatArray) -> None:
        self.h, self.matrix, self.left, self.right = h, matrix, left, right
        stages, points, size = left.shape
        self.direct = size <= WIDE * points
        if self.direct:
            blocks = np.matmul(np.swapaxes(left, 1, 2), right)
            last, coupled = blocks[-1], matrix[:, None, :, None] * blocks.transpose(1, 0, 2)
        else:
            gram = right.reshape(-1, size) @ left.reshape(-1, size).T
            gram = gram.reshape(stages, points, stages, points)
            last, coupled = gram[-1, :, -1], matrix[:, None, :, None] * gram
        self.filtering = _factored(FILTER * h * last)
        self.lu = _factored(h * coupled.reshape(stages * len(last), -1))

    def change(self, residual: FloatArray) -> FloatArray:
        """dZ for the residual R, (s, N)."""
        if self.direct:
            return _solved(self.lu, residual.ravel()).reshape(residual.shape)
        right = np.matmul(self.right, residual[:, :, None]).ravel()
        moved = _solved(self.lu, right).reshape(len(residual), 1, -1)
        back = np.matmul(moved, self.left)[:, 0]
        solution: FloatArray = residual - self.h * (self.matrix @ back)
        return solution

    def filtered(self, error: FloatArray) -> FloatArray:
        """(I + h A^T B / s)^{-1} error: what of it stiff components will not forget."""
        if self.direct:
            return _solved(self.filtering, error)
        inside = _solved(self.filtering, self.right[-1] @ error)
        remembered: FloatArray = error - FILTER * self.h * (inside @ self.left[-1])
        return remembered


def _factored(matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The LU factors of I + matrix, which is overwritten."""
    matrix[np.diag_indices_from(matrix)] += 1.0
    factors, pivots, _ = lapack.dgetrf(matrix, overwrite_a=1)
    return factors, pivots


def _solved(factors: tuple[FloatArray, FloatArray], right: FloatArray) -> FloatArray:
    """The solution of a system that is factored; infinite or NaN where it is singular."""
    return np.asarray(lapack.dgetrs(*factors, right)[0])


class _Polynomial(DenseOutput):  # type: ignore[misc]  # scipy is untyped
    """The collocation polynomial of one step."""

    def __init__(self, t_old: float, t: float, y: FloatArray, stages: FloatArray) -> None:
        super().__init__(t_old, t)
        self.y, self.stages = y, stages

    def _call_impl(self, t: FloatArray) -> FloatArray:
        points = np.atleast_1d((t - self.t_old) / (self.t - self.t_old))
        values: FloatArray = self.y - self.stages[-1] + interpolation(points) @ self.stages
        return values[0] if np.ndim(t) == 0 else values.T
