"""What a simulated flow reports: while it runs, and when it has ended."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from implicitbias._arrays import FloatArray, IntArray, Parameters
from implicitbias._errors import Outcome
from implicitbias._html import Badge
from implicitbias._results import Record


@dataclass(frozen=True, repr=False)
class FlowState(Record):
    """One step of a running flow, as its callback sees it.

    Attributes
    ----------
    time, log_time
        t and log t; the logarithm also where t is beyond float64.
    log_loss
        Logarithm of the training loss.
    residual
        ||X beta - y|| / ||y||; NaN for classification.
    num_steps
        Integration steps so far.
    margin, log_margin
        Classification: min_i y_i x_i^T beta and its logarithm (-inf where it is not positive).
    share
        The part of the way to the nearest end that is done, 0 to 1: in the logarithm of the
        residual, loss or margin, or in time or steps. ``ProgressBar`` shows it.
    """

    time: float
    log_time: float
    log_loss: float
    residual: float
    num_steps: int
    margin: float | None = None
    log_margin: float | None = None
    share: float = 0.0

    def _short(self) -> str:
        return f"step {self.num_steps}, log t={self.log_time:.6g}, log loss={self.log_loss:.6g}"


@dataclass(frozen=True, eq=False, repr=False)
class SlideReport(Record):
    """How a classification flow went on where margins differ by less than rounding.

    Attributes
    ----------
    log_handover
        Log of the margin from which on the support was kept at one level, gamma_i + log w_i.
    num_steps, num_events, num_evaluations
        Steps, points that left or entered the support, and evaluations of the velocity.
    violation
        Largest relative difference of the support's levels at any step.
    support
        Indices of the points of smallest margin at the end, one of each set of equal points.
    weights
        Their parts of -X^T r, in that order; they sum to 1.
    """

    log_handover: float
    num_steps: int
    num_events: int
    violation: float
    num_evaluations: int
    support: IntArray
    weights: FloatArray

    def _short(self) -> str:
        return (
            f"from log margin {self.log_handover:.4g} on, {self.support.size} smallest margins "
            f"of one level, {self.num_events} events"
        )


@dataclass(frozen=True, eq=False, repr=False)
class Flow(Record):
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
        "parameters", "dual" or "fourier", and the integrator.
    num_steps, num_evaluations
        Integration steps, and evaluations of the velocity.
    seconds
        Wall time.
    directions, final_direction, margins, log_margins
        Classification only: beta scaled to min_i y_i x_i^T beta = 1 (to unit length where that
        margin is not positive), and that margin. Coefficients and margins are infinite, and
        log_losses -inf, where they leave float64; directions and log_margins never do.
    slide
        Classification by the dual route past the hand-over: how that went; else None.
    rtol
        The integrator's relative tolerance.
    parameters
        With ``save_parameters``: Theta at the saved times, one array (T, ...) a layer, NaN where
        they overflow; else empty.
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
    slide: SlideReport | None = None
    rtol: float | None = None
    parameters: Parameters = ()

    @property
    def final_coefficients(self) -> FloatArray:
        """beta at the end, (d,)."""
        final: FloatArray = self.coefficients[-1]
        return final

    @property
    def final_direction(self) -> FloatArray | None:
        """The last of ``directions``; None for regression."""
        final: FloatArray | None = None if self.directions is None else self.directions[-1]
        return final

    def __str__(self) -> str:
        return (
            f"Flow by the {self.route} ({self.method}): {self.outcome.value}\n"
            f"  {self.message}\n"
            f"  time {self._last_time()}, log loss {self.log_losses[-1]:.4g}, {self._progress()}\n"
            f"  drift of the conserved quantities {self.drift:.1e}; {self.num_steps} steps, "
            f"{self.num_evaluations} evaluations, {self.seconds:.2f} s"
        )

    def _short(self) -> str:
        if self.log_margins is None:
            progress = f"residual {self.residual:.1e}"
        else:
            progress = f"log margin {self.log_margins[-1]:.6g}"
        return (
            f"{self.outcome.name}, route={self.route!r}, d={self.coefficients.shape[1]}, "
            f"time={self._last_time()}, {progress}"
        )

    def _badge(self) -> Badge:
        return outcome_badge(self.outcome)

    def _progress(self) -> str:
        if self.log_margins is None:
            return f"residual {self.residual:.1e}, remaining change {self.remaining_change:.1e}"
        text = f"log margin {self.log_margins[-1]:.6g}"
        if self.slide is not None:
            text += (
                f"; from {self.slide.log_handover:.4g} on {self.slide.support.size} smallest "
                f"margins of one level, to {self.slide.violation:.1e}, "
                f"{self.slide.num_events} events"
            )
        return text

    def _last_time(self) -> str:
        time = float(self.times[-1])
        if 0.0 < time < float("inf") or self.log_times[-1] == -float("inf"):
            return f"{time:.4g}"
        return f"exp({self.log_times[-1]:.6g})"


def stacked(saved: list[Parameters | None]) -> Parameters:
    """Theta at T times as one array a layer, NaN for None; empty where nothing was saved."""
    known = next((layers for layers in saved if layers is not None), None)
    if known is None:
        return ()
    lost = tuple(np.full_like(layer, np.nan) for layer in known)
    columns = zip(*(lost if layers is None else layers for layers in saved), strict=True)
    return tuple(np.stack(column) for column in columns)


def outcome_badge(outcome: Outcome) -> Badge:
    """How a flow ended, in two words."""
    word = outcome.name.lower().replace("_", " ")
    failed = outcome in (Outcome.FAILED, Outcome.UNSTABLE)
    return Badge(word, "good" if outcome.converged else "bad" if failed else "open")
