"""What a simulated flow reports: while it runs, and when it has ended."""

from __future__ import annotations

from dataclasses import dataclass

from implicitbias._arrays import FloatArray, Parameters
from implicitbias._errors import Outcome


@dataclass(frozen=True)
class FlowState:
    """One step of a running flow, as its callback sees it.

    Attributes
    ----------
    time, log_time
        t and log t; the logarithm also where t is beyond float64.
    log_loss
        Logarithm of the training loss.
    residual
        ||X beta - y|| / ||y||.
    num_steps
        Integration steps so far.
    """

    time: float
    log_time: float
    log_loss: float
    residual: float
    num_steps: int


@dataclass(frozen=True, eq=False, repr=False)
class Flow:
    """beta(t) along gradient flow, and how it ended.

    Attributes
    ----------
    coefficients
        beta at the saved times, (T, d); the first is the initialization, the last is the end.
    final_parameters
        Theta at the end, in the network's ``parameter_shapes``; None only where it overflows.
    times, log_times
        The saved times, (T,), log-spaced after t = 0; log_times[0] is -inf.
    log_losses
        Logarithm of the training loss there, (T,).
    residual
        ||X beta - y|| / ||y|| at the end; 0/0 = 0, and relative to the start where y = 0.
    remaining_change
        How far beta still has to go, |beta(infinity) - beta|_inf / |beta|_inf, by one Newton step
        on the flow linearised at its end. Infinity where that says nothing.
    drift
        Worst relative drift of the network's conserved quantities over all steps: what the
        integration lost. 0.0 where they hold by construction (the dual route).
    outcome, message
        Why the flow ended: one of a few kinds, and the sentence with the numbers.
    route, method
        "parameters" or "dual", and the integrator.
    num_steps, num_evaluations
        Integration steps, and evaluations of the velocity.
    seconds
        Wall time.
    directions, final_direction, margins, log_margins
        Classification only: beta scaled to min_i y_i x_i^T beta = 1, and that margin.
    """

    coefficients: FloatArray
    final_parameters: Parameters | None
    times: FloatArray
    log_times: FloatArray
    log_losses: FloatArray
    residual: float
    remaining_change: float
    drift: float
    outcome: Outcome
    message: str
    route: str
    method: str
    num_steps: int
    num_evaluations: int
    seconds: float
    directions: FloatArray | None = None
    margins: FloatArray | None = None
    log_margins: FloatArray | None = None

    @property
    def final_coefficients(self) -> FloatArray:
        """Beta at the end, (d,)."""
        return self.coefficients[-1]

    @property
    def final_direction(self) -> FloatArray | None:
        """The last of ``directions``; None for regression."""
        return None if self.directions is None else self.directions[-1]

    def __str__(self) -> str:
        return (
            f"Flow by the {self.route} ({self.method}): {self.outcome.value}\n"
            f"  {self.message}\n"
            f"  time {self._last_time()}, log loss {self.log_losses[-1]:.4g}, residual "
            f"{self.residual:.1e}, remaining change {self.remaining_change:.1e}\n"
            f"  drift of the conserved quantities {self.drift:.1e}; {self.num_steps} steps, "
            f"{self.num_evaluations} evaluations, {self.seconds:.2f} s"
        )

    def __repr__(self) -> str:
        return (
            f"Flow({self.outcome.name}, route={self.route!r}, d={self.coefficients.shape[1]}, "
            f"time={self._last_time()}, residual={self.residual:.1e})"
        )

    def _last_time(self) -> str:
        time = float(self.times[-1])
        if 0.0 < time < float("inf") or self.log_times[-1] == -float("inf"):
            return f"{time:.4g}"
        return f"exp({self.log_times[-1]:.6g})"
