"""Radau IIA of order 13 for the dual flow, with the curves' parameters t carried along.

    d nu/dtau = y - Z rho(t),      u(t) = u(t_0) + a Z^T nu.

Near the end of its clock rho changes by as much as it likes while Z^T nu stays within a rounding.
So t is an unknown of its own: the stages' nu and t are iterated together, both equations
linearised, and what is left of the second one at the end of a step is carried into the next. No
slack is ever formed from nu. Errors and tolerances are those of t, that is relative ones of rho.

Newton's matrices are I + h (A x I) diag(Z rho'(t_k) a / u'(t_k) Z^T), 7 n unknowns.
"""

from __future__ import annotations

import numpy as np
from scipy.integrate import DenseOutput
from scipy.linalg.lapack import dgetrf, dgetrs

from implicitbias._arrays import EPS, FloatArray, stable_norm
from implicitbias.coordinates import ScalarCurves
from implicitbias.flow.integrators._landing import OneStepSolver
from implicitbias.flow.integrators._radau import FILTER, STAGES, continued, interpolation, tableau

MAX_ITERATIONS = 12
SAFETY, GROWTH, SHRINK, AGAIN = 0.85, 3.0, 0.1, 0.35
ARRIVED = 1e-11  # last change of t by Newton's method
NOISE = 1e-2  # the tolerance's part below which rounding of Z^T nu may stop that method earlier
WORTH = 0.3  # a change of t from which on its error is estimated; of contraction, a new matrix
FARTHEST = 2.0  # change of t in one iteration, as linearised
LOST = 50.0  # a change of t that says that the step is hopeless
HOPELESS = 10.0  # estimated error that rejects a step before Newton's method has converged
AHEAD = 0.5  # of the time to the end of a clock, the longest step
UNSEEN = 1e-6  # what a column adds to I in Newton's matrix, below which it is left out
SHORTEST = 1e-290
BENT = 0.03  # change of t from which on it is bent to move rho, or u, as linearised
LEAST_RATE, MOST_BACK = 1e-3, -0.9


class DualRadau(OneStepSolver):
    """Its state is nu, (n,), then t, (m,).

    Parameters
    ----------
    features, target, rates
        Z, (n, m), y, (n,), and a, (m,).
    curves
        The m coordinates.
    t_bound, first_step, tol
        Where to stop, the first step in tau, and the error allowed in t.
    """

    def __init__(
        self,
        features: FloatArray,
        target: FloatArray,
        rates: FloatArray,
        curves: ScalarCurves,
        t_bound: float,
        *,
        first_step: float,
        tol: float,
    ) -> None:
        points, size = features.shape
        start = np.concatenate([np.zeros(points), curves.t0])
        super().__init__(lambda _, y: y, 0.0, start, t_bound, vectorized=False)
        self.features, self.target, self.rates, self.curves = features, target, rates, curves
        self.staged = curves.take(np.tile(np.arange(size), STAGES))
        self.lengths = np.linalg.norm(features, axis=0)
        self.points, self.tol, self.h, self.h_taken = points, tol, first_step, first_step
        self.stages = np.zeros((STAGES, points + size))
        self.mismatch = self.before = np.zeros(size)  # of u, over du/dt: now, and a step ago
        self.lost = np.zeros(points + size)

    def shorten(self, length: float) -> None:
        """Make the next step this long at most."""
        self.h = min(self.h, length)

    def _step_impl(self) -> tuple[bool, str | None]:
        self.h = min(self.h, AHEAD * self._time_to_an_end())
        while True:
            h = min(self.h, self.t_bound - self.t)
            if h < SHORTEST:
                return False, "the step size fell far below the rounding of the time"
            with np.errstate(all="ignore"):
                stages, carried, error, iterations = self._solve(h)
            if stages is not None and error <= 1.0:
                break
            hopeful = np.isfinite(error) and error > 1.0
            shrink = SAFETY * error ** (-1.0 / STAGES) if hopeful else AGAIN
            self.h = h * float(np.clip(shrink, SHRINK, 0.9))
        self.before, self.mismatch = self.mismatch, carried
        self.stages, self.h_taken = stages, h
        change = stages[-1] + self.lost
        new = self.y + change
        self.lost = change - (new - self.y)
        self.y, self.t = new, self.t_bound if h == self.t_bound - self.t else self.t + h
        factor = SAFETY * max(error, 1e-30) ** (-1.0 / STAGES)
        self.h = h * min(factor, 1.0 if iterations > MAX_ITERATIONS // 2 else GROWTH)
        return True, None

    def _time_to_an_end(self) -> float:
        """Until a clock is over at its present rate: t runs away there, faster than polynomials."""
        t = self.y[self.points :]
        with np.errstate(all="ignore"):
            rho = self.curves.rho(t)
            driver = (self.target - self.features @ rho) @ self.features
            noise = EPS * self.lengths * (stable_norm(self.target) + self.lengths @ np.abs(rho))
            left = np.exp(self.curves.log_slack(t)) / np.abs(self.rates * driver)
        ending = (driver * t > 0.0) & (np.abs(driver) > noise) & (left > 0.0)
        return float(np.min(left[ending], initial=np.inf))

    def _solve(self, h: float) -> tuple[FloatArray | None, FloatArray, float, int]:
        """Solve the stage equations: changes of nu and t, what u is off by, error, iterations."""
        matrix, top, n = tableau()[1], tableau()[2], self.points
        ahead = continued(self.stages, h / self.h_taken)
        if not np.abs(ahead[:, n:]).max() <= FARTHEST:
            ahead = np.zeros_like(ahead)
        nu, t0 = ahead[:, :n].copy(), self.y[n:]
        t, span = t0 + ahead[:, n:], self._spans(t0[None])
        relative = self._increments(np.tile(t0, (STAGES, 1)), ahead[:, n:])
        spans, newton, last, error = self._spans(t), None, np.inf, np.inf
        off = (self.rates * (nu @ self.features) * span + (self.mismatch - relative)) * (
            spans / span
        )
        for iteration in range(1, MAX_ITERATIONS + 1):
            rho, slopes = self.curves.rho(t), np.exp(self.curves.log_rho_slope(t))
            self.nfev += STAGES
            if not (np.isfinite(rho).all() and np.isfinite(slopes * spans).all()):
                break
            velocities = self.target - rho @ self.features.T
            weights = slopes * spans * self.rates
            newton = newton or _Newton(h, matrix, self.features, self.lengths, weights)
            residual = h * (matrix @ (velocities - (slopes * off) @ self.features.T)) - nu
            change = newton.change(residual)
            pulled = self.rates * (change @ self.features) * spans
            size = float(np.abs(off + pulled).max())
            if not size < LOST:
                break
            part = min(1.0, FARTHEST / size)
            step = part * (off + pulled)
            step = self._bent(t, step) if size > BENT else step
            relative = self._increments(t, step)
            t, nu, before = t + step, nu + part * change, spans
            spans = self._spans(t)
            off = (off + part * pulled - relative) * (spans / before)
            if size < WORTH:
                estimate = newton.filtered(h * (top @ velocities))
                moved = self.rates * (estimate @ self.features) * spans[-1]
                error = float(np.abs(moved).max()) / self.tol
                if error > HOPELESS:
                    break
            rate = size / last if last < np.inf else 1.0
            stands_still = rate > WORTH and size < NOISE * self.tol
            if part == 1.0 and (size * min(rate, 1.0) < ARRIVED or stands_still):
                return np.hstack([nu, t - t0]), off[-1], error, iteration
            slow = part < 1.0 or not size <= WORTH * last
            last, newton = (np.inf, None) if part < 1.0 else (size, None if slow else newton)
        return None, off[-1], error, MAX_ITERATIONS

    def _spans(self, t: FloatArray) -> FloatArray:
        """dt/du, of any stack of t."""
        return np.exp(-self.curves.log_u_slope(t))

    def _increments(self, t: FloatArray, step: FloatArray) -> FloatArray:
        """u(t + step) - u(t) over du/dt at t, (s, m)."""
        increment = self.staged.u_increment(t.ravel(), step.ravel(), relative=True)
        return increment.reshape(t.shape)

    def _bent(self, t: FloatArray, step: FloatArray) -> FloatArray:
        """The step that changes rho, or u where that grows slower, by what was linearised."""
        of_rho, of_u = self.staged.slope_rates(t.ravel())
        rates = np.where(step * t >= 0.0, of_rho.reshape(t.shape), of_u.reshape(t.shape))
        rates = np.where(np.abs(rates) < LEAST_RATE, LEAST_RATE, rates)
        return np.asarray(np.log1p(np.maximum(rates * step, MOST_BACK)) / rates)

    def _dense_output_impl(self) -> DenseOutput:
        return _Between(self)


class _Newton:
    """The factors of I + h (A x I) diag(Z D_k Z^T), and of I + h Z D_s Z^T / s for the error."""

    def __init__(
        self,
        h: float,
        matrix: FloatArray,
        features: FloatArray,
        lengths: FloatArray,
        weights: FloatArray,
    ) -> None:
        weights = h * weights
        seen = np.flatnonzero(weights.max(axis=0) * lengths**2 > UNSEEN)
        roots = features[:, seen] * np.sqrt(weights[:, seen])[:, None, :]
        grams = np.matmul(roots, roots.transpose(0, 2, 1))
        size = grams.shape[0] * grams.shape[1]
        # blocks a_ik G_k, transposed: in Fortran's order nothing is copied
        whole = (matrix.T[:, None, :, None] * grams[:, :, None, :]).reshape(size, size)
        whole.flat[:: size + 1] += 1.0  # in no copy, whatever the order
        self.lu = dgetrf(whole.T, overwrite_a=1)[:2]
        filtering = FILTER * grams[-1]
        filtering.flat[:: len(filtering) + 1] += 1.0
        self.filtering = dgetrf(filtering.T, overwrite_a=1)[:2]

    def change(self, residual: FloatArray) -> FloatArray:
        """Of nu at the stages, (s, n)."""
        return np.asarray(dgetrs(*self.lu, residual.ravel())[0].reshape(residual.shape))

    def filtered(self, error: FloatArray) -> FloatArray:
        """What of an error of nu stiff components will not forget, (n,)."""
        return np.asarray(dgetrs(*self.filtering, error)[0])


class _Between(DenseOutput):  # type: ignore[misc]  # scipy is untyped
    """nu by the polynomial of the last step; t by it, then by u(t) = u(t_old) + a Z^T dnu."""

    def __init__(self, solver: DualRadau) -> None:
        super().__init__(solver.t_old, solver.t)
        self.solver, self.stages = solver, solver.stages
        self.start, self.mismatch = solver.y - solver.stages[-1], solver.before

    def _call_impl(self, t: float) -> FloatArray:
        solver, n = self.solver, self.solver.points
        part = np.array([(t - self.t_old) / (self.t - self.t_old)])
        change = (interpolation(part) @ self.stages)[0]
        start, levels, curves = self.start[n:], self.start[n:] + change[n:], solver.curves
        pulled = solver.rates * (change[:n] @ solver.features)
        slope = np.exp(curves.log_u_slope(start))
        with np.errstate(all="ignore"):
            for _ in range(MAX_ITERATIONS):
                moved = curves.u_increment(start, levels - start, relative=True)
                off = (pulled + (self.mismatch - moved) * slope) * solver._spans(levels)
                levels = levels + np.clip(off, -1.0, 1.0)
                if not np.abs(off).max() > ARRIVED:
                    break
        return np.concatenate([self.start[:n] + change[:n], levels])
