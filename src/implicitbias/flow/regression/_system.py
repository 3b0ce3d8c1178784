"""What the integration loop needs to know of a flow, whatever its variables."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.integrate import OdeSolver

from implicitbias._arrays import FloatArray, Parameters
from implicitbias.flow._rest import Rest


@dataclass(frozen=True, eq=False)
class Reading:
    """The loss at one state.

    Attributes
    ----------
    residual_vector
        r = X beta - y, (n,).
    residual
        ||r|| / ||y||.
    log_loss
        log(1/2 ||r||^2).
    """

    residual_vector: FloatArray
    residual: float
    log_loss: float


class FlowSystem(ABC):
    """Gradient flow in some variables z and a time tau with t = exp(log_time_unit) tau.

    Law: along the flow the loss falls at the rate ``speed``^2.

    Attributes
    ----------
    start
        z(0), (N,).
    route, method
        What it is called, and the integrator that wins on it.
    rtol
        Relative tolerance of the integrator.
    log_time_unit
        log(t / tau): keeps tau within float64 at extreme scales.
    outputs
        What ``coefficients`` are called in messages.
    most_evaluations
        Of the velocity, where no number of steps is given: seconds at n <= 100, and many times what
        an ordinary flow needs. Four times as many while the loss falls or the
        state grows.
    stride
        Steps between two looks at the loss, fewer where a point is to be saved.
    """

    start: FloatArray
    route: str
    method: str
    rtol: float
    log_time_unit: float = 0.0
    outputs: str = "coefficients"
    most_evaluations: int = 40_000
    stride: int = 1

    @abstractmethod
    def integrator(self, first_step: float, bound: float) -> OdeSolver:
        """Return a solver at tau = 0, to be stepped up to tau = bound at most."""

    @abstractmethod
    def read(self, state: FloatArray) -> Reading:
        """Return the loss and the residual."""

    @abstractmethod
    def coefficients(self, state: FloatArray) -> FloatArray:
        """beta, (d,)."""

    def snapshot(self, state: FloatArray) -> Any:
        """What ``unfolded`` needs to know of a state later on."""
        return self.coefficients(state), self.read(state).log_loss

    def unfolded(self, snapshots: list[Any]) -> tuple[FloatArray, FloatArray]:
        """beta, (T, d), and the logs of the losses, (T,), of T snapshots."""
        coefficients, log_losses = zip(*snapshots, strict=True)
        return np.stack(coefficients), np.array(log_losses)

    @abstractmethod
    def parameters(self, state: FloatArray) -> Parameters | None:
        """Theta, or None where it overflows."""

    @abstractmethod
    def speed(self, state: FloatArray, reading: Reading) -> float:
        """Square root of the rate at which the loss falls."""

    @abstractmethod
    def size(self, state: FloatArray) -> float:
        """||Theta||."""

    @abstractmethod
    def fastest_time(self, reading: Reading) -> float:
        """Shortest tau in which Theta, or the loss, changes by its own size at the start."""

    @abstractmethod
    def rounding(self, state: FloatArray) -> float:
        """What one rounding of beta, or of what it comes from, adds to ``Reading.residual``."""

    @abstractmethod
    def noise(self, state: FloatArray) -> float:
        """Below which ``Reading.residual`` may be the integrator's own noise."""

    @abstractmethod
    def newton_change(self, state: FloatArray, reading: Reading) -> FloatArray | None:
        """beta(infinity) - beta by the flow linearised at ``state``; None where it is singular."""

    @abstractmethod
    def rest(self, state: FloatArray, reading: Reading, size: float) -> Rest | None:
        """Return how the flow is at rest with positive loss; None where it still moves.

        ``size`` is the largest ||Theta|| so far.
        """

    @abstractmethod
    def drift(self, state: FloatArray) -> float:
        """Relative drift of the conserved quantities since the start."""

    def instability(self, state: FloatArray, least: float) -> float:
        """Rate at which errors across the velocity grow, at most; 0 below ``least``."""
        return 0.0

    def finer(self) -> FlowSystem:
        """The same flow with a smaller tolerance."""
        return self

    def accepted(self, state: FloatArray) -> None:
        """Take note that the integration has come to ``state``."""
        return


def relative(change: FloatArray | None, *sizes: FloatArray) -> float:
    """|change|_inf over the largest |size|_inf; 0/0 = 0, infinity for no change known."""
    if change is None or not np.isfinite(change).all():
        return float("inf")
    top = float(np.abs(change).max(initial=0.0))
    if top == 0.0:
        return 0.0
    size = max(float(np.abs(one).max(initial=0.0)) for one in sizes)
    return top / size if size > 0 else float("inf")
