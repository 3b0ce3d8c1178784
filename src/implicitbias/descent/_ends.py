"""Why a run ends, and the sentence that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from implicitbias._arrays import EPS, BoolArray, FloatArray, Parameters, stable_norm
from implicitbias._errors import Outcome
from implicitbias.descent._losses import Look, Sample
from implicitbias.descent._model import LinearModel
from implicitbias.descent._plan import Stop

if TYPE_CHECKING:
    from implicitbias.descent._loop import Stack
    from implicitbias.descent._result import Run

ROUNDINGS = 4.0  # of X beta, below which a residual says nothing
UNDERFLOW = -700.0  # log of a loss whose gradients underflow


def undecided(stop: Stop, k: int, look: Look) -> BoolArray:
    """Which runs ``outcome_of`` may end, at the cost of a comparison each."""
    ended = ~look.finite
    if k >= stop.max_steps:
        ended[:] = True
    if stop.residual is not None:
        ended |= look.residual <= stop.residual
    if stop.log_loss is not None:
        ended |= look.log_loss <= stop.log_loss
    if stop.margin is not None:
        ended |= look.margin >= stop.margin
    return ended


def outcome_of(stop: Stop, k: int, look: Look, run: int) -> Outcome | None:
    """How a run ends at step k, None while it goes on."""
    if not look.finite[run]:
        return Outcome.DIVERGED
    if stop.residual is not None and look.residual[run] <= stop.residual:
        return Outcome.RESIDUAL_REACHED
    if stop.margin is not None and look.margin[run] >= stop.margin:
        return Outcome.MARGIN_REACHED
    if stop.log_loss is not None and look.log_loss[run] <= stop.log_loss:
        return Outcome.LOSS_REACHED
    return Outcome.STEP_LIMIT if k >= stop.max_steps else None


def at_rest(stack: Stack, k: int, look: Look, run: int) -> Outcome | None:
    """PRECISION_REACHED or STATIONARY where a run has nowhere to go, asked at saved steps.

    Its residual is a few roundings of X beta, or all steps to come would leave its layers bit for
    bit; of a step that changes and of a batch or noise that may bring it on, nothing is said.
    """
    model, layers = stack.model, tuple(layer[run] for layer in stack.layers)
    if stack.plan.stop.residual is not None and isinstance(model, LinearModel):
        sizes = np.abs(model.X) @ np.abs(model.network.coefficients(layers))
        norm = float(np.exp(0.5 * (look.log_loss[run] + np.log(2.0))))
        if norm <= ROUNDINGS * EPS * stable_norm(sizes):
            return Outcome.PRECISION_REACHED
    before = stack.traces[run].layers
    still = bool(before) and all(map(np.array_equal, layers, before[-1]))
    if not still or stack.plan.batch_size is not None or stack.draws.noise:
        return None
    changes = _changes_to_come(stack, run)
    if not any(change.any() for change in changes):
        zero = look.log_loss[run] > UNDERFLOW
        return Outcome.STATIONARY if zero else Outcome.PRECISION_REACHED
    step = stack.steps[run]
    if isinstance(step, float) and all(map(_rounds_off, layers, changes, [step] * len(layers))):
        return Outcome.PRECISION_REACHED
    return None


def _changes_to_come(stack: Stack, run: int) -> Parameters:
    """The most that a step to come moves the layers by if the gradient stays, over its size.

    Velocities tend to grad / (1 - mu), each from where it is, without a detour.
    """
    plan, layers = stack.plan, tuple(layer[run : run + 1] for layer in stack.layers)
    loss = stack.loss.keep(np.array([run]))
    weight = 1.0 / stack.points if plan.reduction == "mean" else 1.0
    predictions = stack.model.predictions(layers, None)
    pulls, _ = loss.pulls(predictions, Sample(np.ones(1), weight))
    gradients = stack.model.gradients(layers, pulls, None)
    mu = plan.momentum
    return tuple(
        np.maximum(np.abs(gradient[0] + mu * velocity[run]), np.abs(gradient[0]) / (1.0 - mu))
        for gradient, velocity in zip(gradients, stack.velocity, strict=True)
    )


def _rounds_off(layer: FloatArray, change: FloatArray, step: float) -> bool:
    moved = step * change
    return np.array_equal(layer + moved, layer) and np.array_equal(layer - moved, layer)


def sentence(run: Run, stop: Stop) -> str:
    """Why the run ended, with its numbers."""
    k = run.num_steps
    size = "" if np.isnan(run.residual) else f"residual {run.residual:.3g}, "
    log_loss = float(run.log_losses[-1])
    match run.outcome:
        case Outcome.RESIDUAL_REACHED:
            return f"residual {run.residual:.3g} <= {stop.residual:.3g} after {k} steps."
        case Outcome.MARGIN_REACHED if run.margins is not None:
            return f"margin {run.margins[-1]:.6g} >= {stop.margin:.6g} after {k} steps."
        case Outcome.LOSS_REACHED:
            return f"log loss {log_loss:.6g} <= {stop.log_loss:.6g} after {k} steps."
        case Outcome.STEP_LIMIT:
            return f"{size}log loss {log_loss:.6g} after {k} steps, the last that were allowed."
        case Outcome.DIVERGED if run.margins is not None and run.margins[run.best] > 0.0:
            return (
                f"float64 does not hold step {k}; the margin was {run.margins[run.best]:.6g} at "
                f"step {run.steps[run.best]}. Stop there (until_margin), or let the steps fall."
            )
        case Outcome.DIVERGED if run.trained_on and not run.trained_on[0].is_multilinear:
            return (
                f"step {k} leaves float64, or the layers for which the network is defined; the "
                f"last step that was saved is {run.steps[-1]}. Try smaller steps."
            )
        case Outcome.DIVERGED:
            stable, best = run.largest_stable_step, run.best
            return (
                f"float64 does not hold step {k}. The smallest loss was saved at step "
                f"{run.steps[best]}; the sharpness there is {run.sharpness:.4g}, and constant "
                f"steps are stable up to 2 / sharpness = {stable:.4g}."
            )
        case Outcome.STATIONARY:
            return f"{size}the gradient is exactly zero at step {k}."
        case Outcome.PRECISION_REACHED:
            return f"{size}log loss {log_loss:.6g} at step {k}: rounding allows no less."
        case _:
            return f"{size}log loss {log_loss:.6g} at step {k}."
