"""The one loop: look, save, ask whether a run is done, step; for a stack of runs at once.

    Theta_{k+1} = Theta_k - gamma_k v_k,   v_k = mu v_{k-1} + (n / b) sum_{i in batch} r_i grad f_i.

nu = -sum_k gamma_k r_k, with zeros outside the batch and its weight n / b within, is summed with
compensation: the effective start needs its digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from implicitbias._arrays import FloatArray, IntArray, Parameters, compensated
from implicitbias._errors import InvalidInputError, Outcome
from implicitbias.descent._draws import Draws
from implicitbias.descent._ends import at_rest, outcome_of, undecided
from implicitbias.descent._losses import DescentLoss, Look, Sample
from implicitbias.descent._model import Model
from implicitbias.descent._plan import Plan, Schedule, value_at
from implicitbias.flow import FlowState


@dataclass(frozen=True, eq=False)
class Start:
    """What each run of a stack has for itself."""

    layers: Parameters
    step: Schedule
    noise: Schedule
    seed: int


@dataclass(eq=False)
class Trace:
    """One run as it goes: what is saved, and how it ended."""

    index: int
    layers: list[Parameters] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    log_times: list[float] = field(default_factory=list)
    log_losses: list[float] = field(default_factory=list)
    residual: float = float("nan")
    dual: FloatArray = field(default_factory=lambda: np.zeros(0))
    num_steps: int = 0
    outcome: Outcome | None = None


class Stack:
    """R runs of one network on one problem."""

    def __init__(
        self,
        model: Model,
        loss: DescentLoss,
        plan: Plan,
        starts: Sequence[Start],
    ) -> None:
        self.model, self.loss, self.plan = model, loss, plan
        self.points, count = len(loss.y), len(starts)
        self.layers = tuple(
            np.stack(layer) for layer in zip(*(start.layers for start in starts), strict=True)
        )
        self.velocity = tuple(map(np.zeros_like, self.layers))
        self.dual, self.lost = np.zeros((2, count, self.points))
        self.time, self.log_time = np.zeros(count), np.full(count, -np.inf)
        self.steps = [start.step for start in starts]
        self.noises = [start.noise for start in starts]
        self.draws = Draws(
            [start.seed for start in starts],
            self.points,
            plan.batch_size,
            replacement=plan.replacement,
            noise=any(callable(noise) or np.any(noise) for noise in self.noises),
        )
        self.traces = [Trace(index) for index in range(count)]
        self.constant = all(isinstance(step, float) for step in self.steps)
        self.gammas = np.array([value_at(step, 0) for step in self.steps])

    def run(self) -> list[Trace]:
        """Step until every run is done."""
        traces, saved, k = list(self.traces), set(self.plan.saved.tolist()), 0
        with np.errstate(all="ignore"):
            while True:
                predictions = None
                last = k >= self.plan.stop.max_steps
                if k % self.draws.epoch == 0 or k in saved or last:
                    predictions = self.model.predictions(self.layers, None)
                    look = self.loss.look(predictions)
                    inside = self.model.inside(self.layers)
                    look = replace(look, finite=look.finite & inside)
                    going = self._look(k, look, k in saved)
                    if not going.size:
                        return traces
                    if going.size < len(self.traces):
                        self._keep(going)
                        predictions = predictions[going]
                self._step(k, predictions)
                k += 1

    def _step(self, k: int, predictions: FloatArray | None) -> None:
        plan = self.plan
        batch, signs = self.draws.next()
        if batch is not None or predictions is None:
            predictions = self.model.predictions(self.layers, batch)
        if not self.constant:
            self.gammas = np.array([value_at(step, k) for step in self.steps])
        noise = None
        if signs is not None:
            noise = signs * np.array([value_at(each, k) for each in self.noises])[:, None]
        weight = 1.0 if batch is None else self.points / batch.shape[1]
        if plan.reduction == "mean":
            weight /= self.points
        steps = np.ones_like(self.gammas) if plan.momentum else self.gammas
        pulls, logs = self.loss.pulls(predictions, Sample(steps, weight, batch, noise))
        self._count(pulls * self.gammas[:, None] if plan.momentum else pulls, batch)
        if plan.over_loss:
            logs = logs + np.log(self.gammas) if plan.momentum else logs
            self.log_time = np.logaddexp(self.log_time, logs)
        else:
            self.time = self.time + self.gammas
        gradients = self.model.gradients(self.layers, pulls, batch)
        if plan.momentum:
            gradients = self._velocity(gradients)
        for layer, gradient in zip(self.layers, gradients, strict=True):
            layer -= gradient

    def _velocity(self, gradients: Parameters) -> Parameters:
        """gamma_k v_k, v of gradients and not of steps: schedules act as in PyTorch's SGD."""
        for velocity, gradient in zip(self.velocity, gradients, strict=True):
            velocity *= self.plan.momentum
            velocity += gradient
        return tuple(
            velocity * self.gammas.reshape(-1, *[1] * (velocity.ndim - 1))
            for velocity in self.velocity
        )

    def _count(self, pulls: FloatArray, batch: IntArray | None) -> None:
        """nu -= gamma_k r_k, and what rounding loses of it."""
        if batch is not None:
            whole = np.zeros_like(self.dual)
            np.add.at(whole, (np.arange(len(batch))[:, None], batch), pulls)
            pulls = whole
        self.dual, self.lost = compensated(self.dual, self.lost, -pulls)

    def _look(self, k: int, look: Look, save: bool) -> IntArray:
        """Save what is due, tell the callback, and return the places of the runs that go on."""
        if not k and not look.finite.all():
            raise InvalidInputError(
                "the start's predictions f(x_i) do not fit float64. Choose a smaller scale."
            )
        stop, going = self.plan.stop, np.ones(len(self.traces), dtype=bool)
        due = range(len(going)) if save else np.flatnonzero(undecided(stop, k, look)).tolist()
        for run in due:
            outcome = outcome_of(stop, k, look, run)
            if outcome is None and save and k and self.plan.activation is None:
                outcome = at_rest(self, k, look, run)
            if look.finite[run]:
                self._save(run, k, look)
            self._end(run, k, outcome)
            going[run] = outcome is None
        if self.plan.callback is not None:
            for run in np.flatnonzero(going).tolist():
                if self.plan.callback(self._state(run, k, look)):
                    self._save(run, k, look)
                    self._end(run, k, Outcome.STOPPED_BY_CALLBACK)
                    going[run] = False
        return np.flatnonzero(going)

    def _state(self, run: int, k: int, look: Look) -> FlowState:
        log_time, margin = self._log_time(run), float(look.margin[run])
        known = None if np.isnan(margin) else margin
        return FlowState(
            time=float(np.exp(log_time)),
            log_time=log_time,
            log_loss=float(look.log_loss[run]),
            residual=float(look.residual[run]),
            num_steps=k,
            margin=known,
            log_margin=None if known is None else float(np.log(max(known, 0.0))),
        )

    def _log_time(self, run: int) -> float:
        return float(self.log_time[run] if self.plan.over_loss else np.log(self.time[run]))

    def _save(self, run: int, k: int, look: Look) -> None:
        trace = self.traces[run]
        if trace.steps and trace.steps[-1] == k:
            return
        trace.layers.append(tuple(layer[run].copy() for layer in self.layers))
        trace.steps.append(k)
        trace.log_times.append(self._log_time(run))
        trace.log_losses.append(float(look.log_loss[run]))
        trace.residual = float(look.residual[run])
        trace.dual = self.dual[run] - self.lost[run]

    def _end(self, run: int, k: int, outcome: Outcome | None) -> None:
        self.traces[run].outcome, self.traces[run].num_steps = outcome, k

    def _keep(self, going: IntArray) -> None:
        """Go on with some of the runs."""
        self.traces = [self.traces[run] for run in going]
        self.steps = [self.steps[run] for run in going]
        self.noises = [self.noises[run] for run in going]
        self.layers = tuple(layer[going] for layer in self.layers)
        self.velocity = tuple(layer[going] for layer in self.velocity)
        self.dual, self.lost = self.dual[going], self.lost[going]
        self.time, self.log_time = self.time[going], self.log_time[going]
        self.gammas, self.loss = self.gammas[going], self.loss.keep(going)
        self.draws.keep(going)
