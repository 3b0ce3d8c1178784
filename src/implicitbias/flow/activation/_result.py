"""What a simulated flow of a network with an activation reports."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from implicitbias._arrays import FloatArray, Parameters
from implicitbias._errors import Outcome
from implicitbias._html import Badge
from implicitbias._results import Record
from implicitbias.flow._result import outcome_badge
from implicitbias.networks import Activation


@dataclass(frozen=True, eq=False, repr=False)
class ActivationFlow(Record):
    """f(x_i; Theta(t)) along gradient flow, and how it ended. No linear coefficients exist.

    Attributes
    ----------
    activation
        phi and its derivative as used, kinks rounded.
    predictions
        f(x_i; Theta) for the points of the problem at the saved times, (T, n).
    final_parameters
        Theta at the end; ``network.predict(final_parameters, X, activation)`` for other inputs.
    times, log_times, log_losses
        As for ``Flow``, (T,).
    residual
        Regression: ||f - y|| / ||y|| at the end; NaN for classification.
    margins, log_margins
        Classification: min_i y_i f(x_i; Theta) and its logarithm, (T,); else None.
    drift
        Worst relative drift of ||v_l||^2 - ||v_{l+1}||^2, which homogeneous activations (ReLU,
        leaky ReLU) conserve, up to the rounding of their kinks; NaN for others, for which no
        conserved quantity is known.
    outcome, message, method, num_steps, num_evaluations, seconds, parameters
        As for ``Flow``.
    """

    activation: Activation
    predictions: FloatArray
    final_parameters: Parameters | None
    times: FloatArray
    log_times: FloatArray
    log_losses: FloatArray
    residual: float
    margins: FloatArray | None
    log_margins: FloatArray | None
    drift: float
    outcome: Outcome
    message: str
    method: str
    num_steps: int
    num_evaluations: int
    seconds: float
    parameters: Parameters = ()

    @property
    def final_predictions(self) -> FloatArray:
        """f(x_i; Theta) at the end, (n,)."""
        final: FloatArray = self.predictions[-1]
        return final

    def __str__(self) -> str:
        progress = (
            f"residual {self.residual:.1e}"
            if self.margins is None
            else f"margin {self.margins[-1]:.6g}"
        )
        conserved = (
            "no conserved quantity is known"
            if np.isnan(self.drift)
            else f"drift of the layers' norms {self.drift:.1e}"
        )
        return (
            f"Flow with activation {self.activation.name} ({self.method}): {self.outcome.value}\n"
            f"  {self.message}\n"
            f"  time {self.times[-1]:.4g}, log loss {self.log_losses[-1]:.4g}, {progress}\n"
            f"  {conserved}; {self.num_steps} steps, "
            f"{self.num_evaluations} evaluations, {self.seconds:.2f} s"
        )

    def _short(self) -> str:
        return f"{self.outcome.name}, activation {self.activation.name}"

    def _badge(self) -> Badge:
        return outcome_badge(self.outcome)
