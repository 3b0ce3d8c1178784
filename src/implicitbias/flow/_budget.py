"""What a flow may use, when it is done, and why it ended: the same for every loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from implicitbias._arrays import FloatArray
from implicitbias._errors import Outcome
from implicitbias.flow._result import FlowState

PATIENCE = 4  # times as many evaluations while a flow moves
STUCK_STEPS = 1000  # steps in which neither the time nor the loss has moved
STUCK_TIME, STUCK_LOSS = 1e-2, 1e-8  # relative
LOST = 1e-3  # drift from which on rounding, not the flow, may have decided where it ended
Callback = Callable[[FlowState], object]


@dataclass(frozen=True, eq=False)
class Budget:
    """What a flow may use.

    Attributes
    ----------
    max_time
        Largest t, or None.
    max_steps
        Integration steps; None for as many as take seconds.
    num_points
        Saved points.
    times
        The times to save instead, or None.
    save_parameters
        Whether Theta is saved, too.
    """

    max_time: float | None
    max_steps: int | None
    num_points: int
    times: FloatArray | None = None
    save_parameters: bool = False

    def spent(
        self, steps: int, evaluations: int, most_evaluations: int, moving: bool = False
    ) -> str | None:
        """What is used up, in words; the evaluations count where no steps are given.

        A flow that was ``moving`` in the second half of its steps is worth waiting for.
        """
        if self.max_steps is not None:
            return f"max_steps = {self.max_steps} used up" if steps >= self.max_steps else None
        if evaluations < most_evaluations * (PATIENCE if moving else 1):
            return None
        return (
            f"stopped after {steps} steps and {evaluations} evaluations of the velocity (max_steps "
            "was not given)"
        )


@dataclass(frozen=True)
class Goal:
    """Where a regression's flow is done: see ``gradient_flow``.

    ``log_loss``, log of the loss to stop at, counts instead of the others where it is given.
    """

    until_residual: float
    until_change: float
    log_loss: float | None = None


@dataclass(frozen=True)
class End:
    """Why a flow ended."""

    outcome: Outcome
    message: str


def with_drift(end: End, drift: float) -> End:
    """The end with what a drift of the conserved quantities says of it."""
    if not drift > LOST:  # NaN where nothing is conserved
        return end
    return End(
        Outcome.UNSTABLE if end.outcome.converged else end.outcome,
        f"{end.message} But conserved quantities have drifted by {drift:.1e} of their size: "
        "where the flow passed a saddle, rounding decided how it went on.",
    )
