"""When a regression's flow has ended.

- The residual has fallen to ``until_residual`` *and* the coefficients have at most ``until_change``
  left to go. The first alone says little about the coefficients where X is ill-conditioned: with
  J = d beta / d Theta and the tangent kernel K = X J J^T X^T, the movement left is
  -J J^T X^T K^{-1} r, the residual times anything up to ||J|| / sqrt(smallest eigenvalue of K).
- The loss has come to ``until_loss``, where that is given instead of these two.
- The residual is at the rounding of beta, or has stopped falling near what the integrator's
  tolerance resolves.
- The loss rises, or the time stands still: the integrator has lost the flow to rounding.
- Every component of the velocity is either noise or has a negligible distance to go while the loss
  is positive: a stationary point.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias._errors import Outcome
from implicitbias.flow._budget import STUCK_LOSS, STUCK_STEPS, STUCK_TIME, End, Goal
from implicitbias.flow._rest import Rest
from implicitbias.flow.regression._system import FlowSystem, Reading, relative

STALLED_STEPS = 200  # steps without progress, near the noise of the integrator
LOOK_EVERY = 10  # looks at the loss between two at rounding and rest
RISE = float(np.log(4.0))  # of the log loss, in one step and above a quarter of the first loss
REST_LOSS = 1e-10  # relative fall of the loss over another doubling of the time
PROGRESS = 0.5


@dataclass(eq=False)
class RegressionRules:
    """The stopping rules, with what they remember of the flow so far."""

    goal: Goal
    start: FloatArray
    remaining: float = float("inf")
    measured_at: float = float("inf")
    best: float = float("inf")
    best_step: int = 0
    first_loss: float = float("inf")
    largest: float = 0.0
    next_rest: float = 0.0
    quiet: tuple[float, float] | None = None  # time and log loss when the flow came to rest
    mark: tuple[int, float, float] = (0, 0.0, float("inf"))  # steps, time and log loss, once
    steps: int = 0
    next_look: int = 1  # the number of steps

    def check(
        self, system: FlowSystem, state: FloatArray, reading: Reading, time: float, taken: int = 1
    ) -> End | None:
        """Return the end if the last of the steps ``taken`` since the last check is one."""
        self.steps += taken
        if self.first_loss == np.inf:
            self.first_loss = reading.log_loss
        if reading.residual < PROGRESS * self.best:
            self.best, self.best_step = reading.residual, self.steps
        if self.goal.log_loss is not None and reading.log_loss <= self.goal.log_loss:
            return End(
                Outcome.LOSS_REACHED,
                f"loss exp({reading.log_loss:.10g}), residual {reading.residual:.1e}.",
            )
        if self.goal.log_loss is None and reading.residual <= self.goal.until_residual:
            return self._reached(system, state, reading)
        if self.steps < self.next_look:
            return None
        self.next_look = self.steps + LOOK_EVERY * system.stride
        self.largest = max(self.largest, system.size(state))
        stuck = self._stalled(system, state) or self._stuck(time, reading.log_loss)
        if stuck or reading.residual <= system.rounding(state):
            return self._floor(system, state, reading)
        return self._rest(system, state, reading, time) if time >= self.next_rest else None

    def lost(
        self, system: FlowSystem, state: FloatArray, before: Reading, after: Reading
    ) -> End | None:
        """Return the end if the loss rose since ``state``, the last one that can be believed."""
        if np.isnan(after.log_loss):
            risen = "is undefined."
        elif after.log_loss > max(before.log_loss, self.first_loss - RISE) + RISE:
            risen = f"has risen to exp({after.log_loss:.4g})."
        else:
            return None
        end = self._floor(system, state, before)
        return End(end.outcome, end.message + " A step further the loss " + risen)

    def gave_up(
        self, system: FlowSystem, state: FloatArray, reading: Reading, complaint: str
    ) -> End:
        """Return the end where the integrator cannot take another step from ``state``."""
        if reading.residual <= system.noise(state):
            end = self._floor(system, state, reading)
            return End(end.outcome, f"{end.message} {system.method}: {complaint}")
        return End(
            Outcome.FAILED,
            f"{system.method} gave up with residual {reading.residual:.1e}: {complaint}",
        )

    def measure(self, system: FlowSystem, state: FloatArray, reading: Reading) -> float:
        """Return the relative change that beta has left, at this state."""
        beta = system.coefficients(state)
        change = system.newton_change(state, reading) if reading.residual > 0 else np.zeros(1)
        self.remaining = relative(change, beta, self.start)
        return self.remaining

    def _reached(self, system: FlowSystem, state: FloatArray, reading: Reading) -> End | None:
        if reading.residual < PROGRESS * self.measured_at or reading.residual == 0.0:
            self.measured_at = reading.residual
            if self.measure(system, state, reading) <= self.goal.until_change:
                return End(
                    Outcome.RESIDUAL_REACHED,
                    f"residual {reading.residual:.1e} <= {self.goal.until_residual:.1e}, and the "
                    f"{system.outputs} have {self.remaining:.1e} of their size left to go.",
                )
        if reading.residual > system.rounding(state) and not self._stalled(system, state):
            return None
        self.measure(system, state, reading)
        return End(
            Outcome.RESIDUAL_REACHED,
            f"residual {reading.residual:.1e} <= {self.goal.until_residual:.1e}; rounding prevents "
            f"more, and the {system.outputs} may still be {self.remaining:.1e} of their size away "
            f"(until_change was {self.goal.until_change:.1e}): the data are ill-conditioned.",
        )

    def _stalled(self, system: FlowSystem, state: FloatArray) -> bool:
        stuck = self.steps - self.best_step > STALLED_STEPS
        return stuck and self.best <= system.noise(state)

    def _stuck(self, time: float, log_loss: float) -> bool:
        """Whether rounding has kept the integrator to steps that lead nowhere."""
        steps, old_time, old_loss = self.mark
        if self.steps - steps <= STUCK_STEPS:
            return False
        self.mark = self.steps, time, log_loss
        return time - old_time <= STUCK_TIME * time and old_loss - log_loss <= STUCK_LOSS

    def _floor(self, system: FlowSystem, state: FloatArray, reading: Reading) -> End:
        self.measure(system, state, reading)
        rounding = f"a rounding is worth {system.rounding(state):.1e}"
        if reading.residual <= system.noise(state):
            why = f"float64 resolves it no further here ({rounding})"
        else:
            why = f"the integrator lost the flow ({rounding}): try a smaller rtol or another route"
        if self.goal.log_loss is None:
            wanted = f"until_residual = {self.goal.until_residual:.1e}"
        else:
            wanted = f"what until_loss = exp({self.goal.log_loss:.4g}) asks for"
        return End(
            Outcome.PRECISION_REACHED,
            f"residual {reading.residual:.1e} is above {wanted}, but {why}; the {system.outputs} "
            f"have {self.remaining:.1e} of their size left to go.",
        )

    def _rest(
        self, system: FlowSystem, state: FloatArray, reading: Reading, time: float
    ) -> End | None:
        speed = system.speed(state, reading)
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            log_fall = np.log(time) + 2.0 * np.log(speed) - reading.log_loss
        if speed > 0 and (time == 0 or not log_fall <= np.log(REST_LOSS)):
            self.quiet = None
            return None
        rest = system.rest(state, reading, self.largest)
        self.next_rest = 2.0 * time
        if rest is None or not self._long_enough(rest, time, reading.log_loss):
            return None
        self.remaining = rest.remaining
        return End(
            rest.outcome,
            f"{rest.how}; residual {reading.residual:.3g}, loss exp({reading.log_loss:.4g}).",
        )

    def _long_enough(self, rest: Rest, time: float, log_loss: float) -> bool:
        """Whether the flow has been at rest here for as long as the verdict asks."""
        if self.quiet is None or self.quiet[1] - log_loss > REST_LOSS:
            self.quiet = time, log_loss
        since = self.quiet[0]
        self.next_rest = min(self.next_rest, since + rest.wait)
        return time >= since + rest.wait
