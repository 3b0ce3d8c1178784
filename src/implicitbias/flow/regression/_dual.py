"""The dual flow: gradient flow of a decomposable network in n dimensions, whatever its depth.

    d nu/dt = y - Z rho(Z^T nu),      nu(0) = 0,      rho_j = psi_j([Z^T nu]_j) = prod_l p_{l,j},

plain gradient flow of the convex dual D(nu), and the same trajectory beta(t) = S^T rho(t) as the
flow in the parameters. What was lost on the way is made good again at the end, because the end is
the one minimiser of D; the conserved quantities hold by construction.

LSODA with the exact Jacobian took fewer evaluations than scipy's BDF and Radau at every depth and
scale tried (L = 2, 3, 4, scales 1e-2 to 1e2; BDF and Radau also left the domain of D for good where
LSODA came back), and less time than the 13th order method of ``_dual_radau``.

LSODA errs relative to nu. Where a coordinate jumps, beta moves by 1/slack while nu moves by its own
size: what is an error of 1e-9 in the time of the jump is 1e-9/slack in beta at a given time.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from scipy.integrate import LSODA, OdeSolver

from implicitbias._arrays import EPS, FloatArray, Parameters, stable_norm
from implicitbias._errors import Outcome
from implicitbias._setting import DualCoordinates
from implicitbias.dual import DualOracle
from implicitbias.flow._decoupled import fits, orientations
from implicitbias.flow._rest import NEGLIGIBLE, SOLVED, Rest
from implicitbias.flow.regression._dual_velocity import velocity_of
from implicitbias.flow.regression._loss import SquaredLoss
from implicitbias.flow.regression._system import FlowSystem, Reading, relative
from implicitbias.initialization import Initialization

RTOL = 1e-10
FINEST = 1e-13
STRIDE = 32  # steps between two looks at the residual: a look costs as much as two steps
ALONG = 1e-11  # over the slack: brings beta to 1e-9 wherever it jumps
OF_SLACK = 1e-3  # the integrator's error over the slack at the end


class DualFlow(FlowSystem):
    """Gradient flow of the squared loss in nu, in units of its natural size."""

    route = "dual"
    method = "LSODA"

    def __init__(
        self,
        loss: SquaredLoss,
        init: Initialization,
        coordinates: DualCoordinates,
        start: Parameters,
        tol: float | None,
        along: bool = False,
    ) -> None:
        self.loss, self.coordinates, self.first_layers = loss, coordinates, start
        self.curves = coordinates.reduction.curves(init.log_scale)
        self.oracle = DualOracle(coordinates.reduction.features, loss.y, self.curves)
        self.start = np.zeros(loss.y.size)
        self.unit = self._natural_size()
        log_unit = float(np.log(self.unit))
        self.log_time_unit = log_unit - (self.curves.depth - 2) * self.oracle.log_unit
        self.slack = self._slack_at_the_end()
        if tol is None:
            tol = max(FINEST, ALONG * self.slack) if along else RTOL
        self.rtol = min(tol, max(FINEST, OF_SLACK * self.slack))
        self.rhs = velocity_of(self.oracle, self.unit)
        self.stride = STRIDE if self.rhs.direct else 1

    def integrator(self, first_step: float, bound: float) -> OdeSolver:
        """LSODA with the velocity y - Z rho and the Jacobian -Z diag(psi') Z^T."""
        return LSODA(
            self.rhs.velocity,
            0.0,
            self.start,
            bound,
            first_step=first_step,
            rtol=self.rtol,
            atol=self.rtol,
            jac=self.rhs.jacobian,
        )

    def read(self, state: FloatArray) -> Reading:
        """Return the loss and the residual."""
        return self.loss.read(self.rhs.predictions(state))

    def coefficients(self, state: FloatArray) -> FloatArray:
        """Compute beta = S^T rho."""
        return self._from_spectrum(self.rhs.spectrum(state), self.curves.imaginary)

    def snapshot(self, state: FloatArray) -> Any:
        """The state itself where it is enough, since few points are kept in the end."""
        return state.copy() if self.rhs.direct else super().snapshot(state)

    def unfolded(self, snapshots: list[Any]) -> tuple[FloatArray, FloatArray]:
        """beta, (T, d), and the logs of the losses, (T,)."""
        if not self.rhs.direct:
            return super().unfolded(snapshots)
        rho = self.rhs.spectra(np.stack(snapshots))
        spectra = self.coordinates.reduction.spectrum(rho, self.curves.imaginary)
        beta = self.coordinates.decomposition.coefficients_of_each(spectra).real
        with np.errstate(over="ignore", invalid="ignore"):
            predictions = rho @ self.oracle.features.toarray().T
        log_losses = [self.loss.read(row).log_loss for row in predictions]
        return np.ascontiguousarray(beta), np.array(log_losses)

    def parameters(self, state: FloatArray) -> Parameters | None:
        """p_l = P_l(Z^T nu) in the network's layers; the rest of them never moves."""
        reduction = self.coordinates.reduction
        t = reduction.level(self.curves, self.oracle.points(self._dual(state)))
        layers = reduction.layers(self.curves.layers(t))
        if not np.isfinite(layers).all():
            return None
        return self.coordinates.decomposition.parameters(layers, remainder_of=self.first_layers)

    def speed(self, state: FloatArray, reading: Reading) -> float:
        """sqrt(r^T Z diag(psi') Z^T r)."""
        driver = reading.residual_vector @ self.oracle.features
        with np.errstate(over="ignore", invalid="ignore"):
            slopes = self.unit * self.oracle.slopes(self._dual(state))
            return stable_norm(np.sqrt(slopes) * driver)

    def fastest_time(self, reading: Reading) -> float:
        """The shorter of the times in which a layer changes by its own size, and the loss too."""
        driver = np.abs(reading.residual_vector @ self.oracle.features)
        fastest = self.unit * float(np.max(driver * self.oracle.weights))
        speed = self.speed(self.start, reading)
        with np.errstate(divide="ignore"):
            log_loss_time = reading.log_loss - 2.0 * float(np.log(speed))
            return float(np.exp(min(log_loss_time, -float(np.log(fastest)))))

    def size(self, state: FloatArray) -> float:
        """Norm of the layers' decoupled coordinates."""
        return stable_norm(self.oracle.layers(self._dual(state)).ravel())

    def rounding(self, state: FloatArray) -> float:
        """What one rounding of Z^T nu and of rho adds to the relative residual."""
        return self.loss.relative(self.oracle.rounding(self._dual(state)))

    def noise(self, state: FloatArray) -> float:
        """A thousand roundings: stiff integration damps its own errors far below its tolerance."""
        return 1e3 * self.rounding(state)

    def newton_change(self, state: FloatArray, reading: Reading) -> FloatArray | None:
        """S^T diag(psi') Z^T dnu for the Newton step Z diag(psi') Z^T dnu = -r."""
        hessian, target = self.oracle.hessian(self._dual(state)), -reading.residual_vector
        if not np.isfinite(hessian).all():
            return None
        step = shortest_solution(hessian, target)
        if stable_norm(hessian @ step - target) > SOLVED * stable_norm(target):
            return None
        return self._from_spectrum(
            self.oracle.slopes(self._dual(state)) * (step @ self.oracle.features)
        )

    def rest(self, state: FloatArray, reading: Reading, size: float) -> Rest | None:
        """Whether every coordinate is undriven, or locked and driven into its lock.

        A coordinate that crosses and is driven will move in the end, however slow it is now; a
        locked one that is driven towards zero only approaches it; a dead one does neither.
        """
        if self.fits:
            return None
        rho = self.oracle.spectrum(self._dual(state))
        driver = -(reading.residual_vector @ self.oracle.features)
        lengths = self.oracle.lengths
        driven = np.abs(driver) > NEGLIGIBLE * lengths * stable_norm(reading.residual_vector)
        closing = self.curves.locked & (orientations(self.curves) * driver <= 0.0)
        if np.any(driven & ~closing & ~self.curves.dead):
            return None
        change = self._from_spectrum(np.where(closing & driven, rho, 0.0))
        left = relative(change, self.coefficients(state), self.coefficients(self.start))
        if left > NEGLIGIBLE:
            return None
        how = (
            f"at rest with {int(np.sum(closing & driven))} coordinates locked at zero and "
            f"{int(np.sum(self.curves.dead))} dead"
        )
        return Rest(Outcome.STATIONARY, how, left)

    @cached_property
    def fits(self) -> bool:
        """Whether the coordinates can fit the data: the flow then ends nowhere else."""
        return fits(self.oracle.features.toarray(), self.loss.y, self.curves)

    def drift(self, state: FloatArray) -> float:
        """Zero: every point of the curves has the start's conserved quantities."""
        return 0.0

    def accepted(self, state: FloatArray) -> None:
        """Measure the clocks from the step just taken."""
        self.oracle.rebase(self._dual(state))

    def _dual(self, state: FloatArray) -> FloatArray:
        """nu, (n,)."""
        return self.unit * state

    def _from_spectrum(self, rho: FloatArray, imaginary: FloatArray | None = None) -> FloatArray:
        spectrum = self.coordinates.reduction.spectrum(rho, imaginary)
        return np.ascontiguousarray(self.coordinates.decomposition.coefficients(spectrum).real)

    def _slack_at_the_end(self) -> float:
        """The clocks' least slack over its range where rho is as large as an interpolator's.

        The integrator errs relative to nu itself: beyond the slack, and the flow is lost.
        """
        features, curves = self.oracle.features, self.curves
        if curves.depth == 2 or not self.loss.y.any():
            return 1.0
        dual = shortest_solution(features.inner(features), self.loss.y)
        size = np.full(curves.size, np.log(np.abs(dual @ features).max()))
        with np.errstate(over="ignore", invalid="ignore"):
            t = curves.t_from_rho(np.ones(curves.size), size)
            left = np.exp(curves.log_slack(t)) / np.subtract(*reversed(curves.u_limits()))
        return float(np.min(left[np.isfinite(left) & (left > 0.0)], initial=1.0))

    def _natural_size(self) -> float:
        """Size of nu: one unit of the fastest clock, or the first Newton step if shorter."""
        hessian = self.oracle.hessian(self.start)
        sizes = [1.0 / float(np.max(self.oracle.lengths * self.oracle.weights, initial=0.0) or 1.0)]
        if np.isfinite(hessian).all():
            step = shortest_solution(hessian, self.oracle.gradient(self.start))
            sizes.append(float(np.abs(step).max(initial=0.0)))
        return min(size for size in sizes if size > 0.0)


def shortest_solution(hessian: FloatArray, target: FloatArray) -> FloatArray:
    """The shortest least-squares solution of a positive semidefinite system of unit diagonal.

    Rows and columns are scaled to that first: the system may be graded.
    """
    if not target.size:
        return target
    sizes = np.sqrt(np.maximum(np.diag(hessian), 0.0))
    sizes[sizes == 0.0] = 1.0
    values, vectors = np.linalg.eigh(hessian / sizes / sizes[:, None])
    kept = values > EPS * values[-1] * len(values)
    solution: FloatArray = vectors[:, kept] @ (vectors[:, kept].T @ (target / sizes) / values[kept])
    return solution / sizes
