"""What the loop around a classification flow needs to know of it, whatever its variables."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from scipy.integrate import OdeSolver

from implicitbias._arrays import EPS, FloatArray, Parameters
from implicitbias._errors import InvalidInputError
from implicitbias.flow._rest import Rest

LARGEST = 600.0  # log of the sizes that are held below overflow
ROUNDINGS = 16.0  # in a margin


def check_size(log_size: float) -> None:
    """Refuse starts whose margins change too fast for float64 by exp(log_size).

    Raises
    ------
    InvalidInputError
        The initialization is too large.
    """
    if log_size > LARGEST:
        raise InvalidInputError(
            f"the initialization is so large, exp({log_size:.4g}) in the units of beta, that the "
            "layers change by less than float64 resolves before the margin is of order 1: this is "
            "the linear model with the network's first features. Use a smaller scale."
        )


@dataclass(frozen=True, eq=False)
class MarginPoint:
    """One state of a flow, with beta and the margins as exp(log_size) times numbers of order 1.

    Attributes
    ----------
    margins
        y_i x_i^T beta over exp(log_size), (n,).
    terms
        The largest sum_j |x_ij beta_j| in the same units: what the margins are differences of.
    log_size
        -inf where beta = 0.
    log_loss
        Log of the training loss; -inf where the margin itself is beyond float64.
    log_rate
        Log of d tau / dt, tau the loss clock.
    log_clock
        Log of d tau / d sigma, sigma the variable of integration.
    """

    margins: FloatArray
    terms: float
    log_size: float
    log_loss: float
    log_rate: float
    log_clock: float

    @property
    def log_margin(self) -> float:
        """Log of the smallest margin; -inf where it is not positive."""
        smallest = float(self.margins.min())
        return self.log_size + float(np.log(smallest)) if smallest > 0 else -float("inf")

    @property
    def margin(self) -> float:
        """The smallest margin; inf where it overflows."""
        with np.errstate(over="ignore", under="ignore"):
            return float(np.exp(self.log_size) * self.margins.min())

    @property
    def rounding(self) -> float:
        """The error of a margin over its size, or over 1 where it is smaller."""
        size = float(np.exp(min(self.log_size, LARGEST)))
        return ROUNDINGS * EPS * size * self.terms / max(1.0, size * float(self.margins.min()))

    @property
    def log_speed(self) -> float:
        """Log of dt / dsigma."""
        return self.log_clock - self.log_rate


class MarginSystem(ABC):
    """dz/dsigma = velocity(z): gradient flow of a margin loss in variables z and a clock sigma.

    Laws: ``jacobian`` is the derivative of ``velocity``; beta along z(sigma) is that of
    dTheta/dt = -grad L at dt/dsigma = exp(log_speed). The clock keeps both growth and rest finite.

    Attributes
    ----------
    start
        z(0), (N,).
    rtol, atol
        Local error control of the integrator: |error_i| <= rtol |z_i| + atol_i.
    margin_tol
        The relative error of a margin that these amount to.
    route
        "parameters", "dual" or "fourier".
    method
        The name of the integrator.
    most_evaluations
        Of the velocity, where no number of steps is given.
    """

    start: FloatArray
    rtol: float
    atol: FloatArray
    margin_tol: float
    route: str
    method: str = "LSODA"
    most_evaluations: int = 13_000

    def integrator(self, state: FloatArray, first_step: float) -> OdeSolver | None:
        """A solver at sigma = 0 (first step 0: its own choice); None for LSODA."""
        return None

    @abstractmethod
    def velocity(self, state: FloatArray) -> FloatArray:
        """dz/dsigma, (N,)."""

    @abstractmethod
    def jacobian(self, state: FloatArray) -> FloatArray:
        """Derivative of ``velocity``, (N, N)."""

    @abstractmethod
    def look(self, state: FloatArray) -> MarginPoint:
        """Margins, loss and clocks."""

    def looks(self, states: FloatArray) -> list[MarginPoint]:
        """The same for each of a stack, (s, N)."""
        return [self.look(state) for state in states]

    @abstractmethod
    def shape_of(self, state: FloatArray) -> FloatArray:
        """beta over exp(log_size), (d,)."""

    @abstractmethod
    def parameters(self, state: FloatArray) -> Parameters | None:
        """Theta, or None where it overflows."""

    @abstractmethod
    def rest(self, state: FloatArray, point: MarginPoint, log_time: float) -> Rest | None:
        """Return how the flow is at rest with positive loss at time t; None where it moves."""

    @abstractmethod
    def drift(self, state: FloatArray) -> float:
        """Relative drift of the conserved quantities since the start."""

    def instability(self, state: FloatArray, least: float) -> float:
        """Rate at which errors across the velocity grow, at most; 0 below ``least``."""
        return 0.0

    def finer(self) -> MarginSystem:
        """The same flow with a smaller tolerance."""
        return self
