"""The dual flow that carries the curves' parameters, for ends closer than nu resolves.

Where the slack at the end is small beside the clock's range (L = 4 from scale 1e-3 on, L = 5 from
1e-2 on), a rounding of nu would move rho by more than what the flow promises.
"""

from __future__ import annotations

import numpy as np
from scipy.integrate import OdeSolver

from implicitbias._arrays import EPS, FloatArray, Parameters, stable_norm
from implicitbias._setting import DualCoordinates
from implicitbias.flow.regression._dual import ALONG, FINEST, DualFlow
from implicitbias.flow.regression._dual_radau import DualRadau
from implicitbias.flow.regression._dual_velocity import DualVelocity
from implicitbias.flow.regression._loss import SquaredLoss
from implicitbias.flow.regression._system import Reading
from implicitbias.initialization import Initialization

CARRIED_RTOL = 1e-5  # of t, by an estimate of lower order than the method
CARRIED_ALONG = 1e-7  # the same where beta on the way is asked for
FEW_POINTS = 150  # up to which factors of 7 n rows are worth the digits
MOST_EVALUATIONS, POINTS = 6e4, 100.0
CARRIED_FROM = 1e-5  # slack at the end over the range of the clock
CARRIED_TO = 1e-16  # where the increments of nu in one step resolve it no more, either


class CarriedDualFlow(DualFlow):
    """The same with the curves' t as part of the state, for ends closer than nu resolves."""

    method = "Radau IIA, order 13"

    def __init__(
        self,
        loss: SquaredLoss,
        init: Initialization,
        coordinates: DualCoordinates,
        start: Parameters,
        tol: float | None,
        along: bool = False,
    ) -> None:
        super().__init__(loss, init, coordinates, start, tol, along)
        default = CARRIED_ALONG if along else CARRIED_RTOL
        self.rtol, self.stride = default if tol is None else tol, 1
        self.most_evaluations = int(MOST_EVALUATIONS / (1.0 + (loss.y.size / POINTS) ** 3))
        self.rhs = DualVelocity(self.oracle, self.unit)
        self.start = np.concatenate([self.start, self.curves.t0])

    def integrator(self, first_step: float, bound: float) -> OdeSolver:
        """Radau IIA for nu and t."""
        return DualRadau(
            self.oracle.features.toarray(),
            self.loss.y,
            self.unit * self.oracle.weights,
            self.curves,
            bound,
            first_step=first_step,
            tol=self.rtol,
        )

    def read(self, state: FloatArray) -> Reading:
        """Return the loss and the residual."""
        return self.loss.read(self.oracle.gradient(self._dual(state)) + self.loss.y)

    def coefficients(self, state: FloatArray) -> FloatArray:
        """Compute beta = S^T rho."""
        return self._from_spectrum(self.oracle.spectrum(self._dual(state)), self.curves.imaginary)

    def rounding(self, state: FloatArray) -> float:
        """What one rounding of t and of rho adds to the relative residual."""
        t = self.oracle.points(self._dual(state))
        with np.errstate(over="ignore", invalid="ignore"):
            error = np.abs(self.curves.rho(t)) + np.exp(self.curves.log_rho_slope(t)) * np.abs(t)
            return self.loss.relative(EPS * stable_norm(self.oracle.lengths * error))

    def accepted(self, state: FloatArray) -> None:
        """Nothing: t is the state's own."""

    def _dual(self, state: FloatArray) -> FloatArray:
        """nu, (n,), after t has been left with the oracle."""
        nu = self.unit * state[: self.loss.y.size]
        self.oracle.place(nu, state[self.loss.y.size :])
        return nu


def dual_flow(
    loss: SquaredLoss,
    init: Initialization,
    coordinates: DualCoordinates,
    start: Parameters,
    tol: float | None,
    along: bool,
    goal: float,
) -> DualFlow:
    """The dual flow that resolves its end, and what is before it where ``along`` asks for that.

    ``goal``: to what part the end is asked for. A rounding of nu moves rho by EPS over the slack.
    """
    flow = DualFlow(loss, init, coordinates, start, tol, along)
    closely = along and tol is None and loss.y.size <= FEW_POINTS
    coarsest = FINEST / ALONG if closely else min(CARRIED_FROM, EPS / (2.0 * goal))
    if not CARRIED_TO <= flow.slack < coarsest:
        return flow
    return CarriedDualFlow(loss, init, coordinates, start, tol, along)
