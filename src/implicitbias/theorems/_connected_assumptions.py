"""What the direction of fully connected networks assumes about the saddle at 0."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from implicitbias._verdicts import Verdict
from implicitbias.theorems._aligned_assumptions import leaves_zero
from implicitbias.theorems._assumptions import ROUNDING, fully_connected, needs
from implicitbias.theorems._situation import Situation

AWAY = "the start neither rests at a saddle nor tends to the one at 0"


@needs(fully_connected)
def away_from_saddles(situation: Situation) -> Verdict:
    """The start neither rests at a saddle nor tends to the one at 0.

    One point: at every scale the flow is that of k^T beta in another clock, the one near 0. Several
    points: where beta = 0 the residuals are equal, and the first gradient is that of k^T beta.
    """
    if situation.problem.rank == 1:
        return _of_one_point(situation)
    return _of_rest(situation)


def _of_one_point(situation: Situation) -> Verdict:
    found = leaves_zero(situation)
    told = found.value > ROUNDING  # else it is at a saddle, or tends to one, to rounding
    return replace(found, assumption=AWAY, status="holds" if told else "fails")


def _of_rest(situation: Situation) -> Verdict:
    network, problem = situation.network, situation.problem
    largest = max(float(np.abs(layer).max()) for layer in situation.init.directions)
    if largest == 0.0:
        return Verdict(AWAY, "fails", 0.0, "the largest entry")
    layers = tuple(np.asarray(layer) / largest for layer in situation.init.directions)
    drive = problem.features.T @ problem.y
    drive = drive / float(np.abs(drive).max())
    beta = float(np.abs(network.coefficients(layers)).max())
    pull = max(float(np.abs(each).max()) for each in network.layer_gradients(layers, drive))
    moving = max(beta, pull)
    text = "the largest entry of beta and of its gradients along X^T y, the layers' being 1"
    return Verdict(AWAY, "holds" if moving > ROUNDING else "fails", moving, text)
