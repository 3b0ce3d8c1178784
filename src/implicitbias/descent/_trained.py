"""What a run was of, and what is read of its saved layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from implicitbias._arrays import TINY, FloatArray, Parameters, stable_norm
from implicitbias.descent._losses import DescentLoss, Look, MarginDescent, SquaredDescent
from implicitbias.descent._model import model_of
from implicitbias.descent._sharpness import sharpness
from implicitbias.flow import LossName
from implicitbias.initialization import Initialization
from implicitbias.networks import Activation, Network
from implicitbias.problems import Classification, Regression


@dataclass(frozen=True, eq=False)
class Trained:
    """What a run was of, which a loaded one no longer knows.

    Attributes
    ----------
    mean
        Whether the loss was averaged over the points.
    obstacle
        Why steps like these keep no identity; empty where they do.
    elsewhere
        Whether the dual was recorded by others, and has to be checked.
    """

    network: Network
    problem: Regression | Classification
    init: Initialization
    loss: LossName = "exponential"
    mean: bool = False
    activation: Activation | None = None
    obstacle: str = ""
    elsewhere: bool = False

    def sharpness(self, layers: Parameters) -> float:
        """lambda_max of the Hessian of the loss that the steps descend."""
        model = model_of(self.network, self.problem.X, self.activation)
        return sharpness(model, self._loss(np.ones(1)), layers, mean=self.mean)

    def looks(self, outputs: FloatArray) -> Look:
        """Losses, residuals and margins of the outputs f(x_i) at saved steps, (T, n)."""
        with np.errstate(all="ignore"):
            first = SquaredDescent.of(self.problem, outputs[:1]).sizes
            return self._loss(np.repeat(first, len(outputs))).look(outputs)

    def _loss(self, sizes: FloatArray) -> DescentLoss:
        if isinstance(self.problem, Regression):
            return SquaredDescent(self.problem.y, sizes)
        return MarginDescent.of(self.problem, self.loss, over_loss=False)


def read(trained: Trained, parameters: Parameters) -> dict[str, Any]:
    """What a ``Run`` shows of its saved layers (T, ...), by name."""
    network, problem = trained.network, trained.problem
    count = len(parameters[0])
    found: dict[str, Any] = {
        "parameters": parameters,
        "final_parameters": tuple(layer[-1] for layer in parameters),
        "remaining_change": float("nan"),
        "route": "descent",
    }
    if trained.activation is None:
        with np.errstate(over="ignore", invalid="ignore"):
            beta = network.stacked_coefficients(parameters)
            outputs = beta @ problem.X.T
        found["drift"] = _drift(network, parameters)
    else:
        beta = np.full((count, network.num_features), np.nan)
        runs = zip(*parameters, strict=True)
        outputs = np.stack(
            [network.prediction_jacobian(run, problem.X, trained.activation)[0] for run in runs]
        )
        found |= {"predictions": outputs, "drift": float("nan")}
    found["coefficients"] = beta
    if isinstance(problem, Classification):
        margins = (problem.y * outputs).min(axis=1)
        lengths = np.array([stable_norm(row) for row in beta])
        units = np.where(margins > 0, margins, np.where(lengths > 0, lengths, 1.0))
        found |= {"margins": margins, "directions": beta / units[:, None]}
        with np.errstate(divide="ignore"):
            found["log_margins"] = np.log(np.maximum(margins, 0.0))
    return found


def _drift(network: Network, parameters: Parameters) -> float:
    """Largest |change| of a conserved quantity over its natural size; 0/0 = 0."""
    worst, first = 0.0, None
    for layers in zip(*parameters, strict=True):
        now, sizes = network.conserved(layers), network.conserved_scale(layers)
        first = now if first is None else first
        change = np.abs(now - first)
        held = (sizes > TINY) & np.isfinite(sizes)
        ratio = np.divide(change, sizes, where=held, out=np.zeros_like(change))
        worst = max(worst, float(ratio.max(initial=0.0)))
    return worst
