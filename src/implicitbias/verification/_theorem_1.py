"""Theorem 1: every separable network's layers tend to singular vectors of M(-u).

u is the direction of X^T r, r the derivative of the loss by the outputs; the residual of

    s u_l = M(-u) o (u_1, .., I at l, .., u_L)

is measured at three margins of the same flow. It must fall; no theorem says how fast.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from implicitbias._closing import Closing
from implicitbias.alignment import Theorem1, theorem_1
from implicitbias.flow import gradient_flow
from implicitbias.initialization import Initialization
from implicitbias.networks import (
    ConvolutionalNetwork,
    DiagonalNetwork,
    FullyConnectedNetwork,
    Network,
    TensorNetwork,
)
from implicitbias.problems import Classification
from implicitbias.verification._checks import Check, Measurement

MARGINS = (1e2, 1e4, 1e6)
ALIKE = 0.15  # two exponents within this count as one
FAMILIES = {
    "diagonal": "diagonal, L = 3",
    "convolution": "convolution, filters of length 2, 3 and 6",
    "fully connected": "fully connected, L = 3, widths 3",
    "tensor": "random tensor, 4 x 4 x 4",
}


def checks() -> tuple[Check, ...]:
    """One row a family of networks, all on the same points."""
    return tuple(
        Check("Theorem 1", network, "Gaussian", partial(alignment, family))
        for family, network in FAMILIES.items()
    )


def alignment(family: str) -> Measurement:
    """Five points in six dimensions, random layers."""
    rng = np.random.default_rng(3)
    X, y = rng.standard_normal((5, 6)), np.array([1.0, -1.0, 1.0, 1.0, -1.0])
    problem = Classification(X, y)
    network = _network(family)
    init = Initialization.random(network, 0.5, seed=2)
    flows = [
        gradient_flow(network, problem, init, route="parameters", until_margin=margin)
        for margin in MARGINS
    ]
    on_the_way = [theorem_1(network, problem, flow, max_entries=0) for flow in flows[:-1]]
    end = theorem_1(network, problem, flows[-1])
    residuals = [one.residual for one in (*on_the_way, end)]
    closing = _closing(residuals)
    falling = ", ".join(f"{residual:.1e}" for residual in residuals)
    notes = [flow.message for flow in flows if not flow.outcome.converged]
    notes.append(
        f"residual {falling} at margins 1e2, 1e4, 1e6, falling like margin^-{closing.exponent:.3g}"
        f"; {_reached(end)}"
    )
    return Measurement(
        error=residuals[-1],
        certificate=0.0,
        assumptions=end.assumptions,
        quantity="residual",
        shape=X.shape,
        holds=all(flow.outcome.converged for flow in flows) and end.loss_below_one.holds,
        note="; ".join(notes),
        settings={"depth": 3, "scale": 0.5, "seed of the data": 3, "seed of the start": 2},
        arrays={"margins": np.array(MARGINS), "residuals": np.array(residuals)},
        closings=(closing,),
    )


def _network(family: str) -> Network:
    if family == "diagonal":
        return DiagonalNetwork(6, 3)
    if family == "convolution":
        return ConvolutionalNetwork(6, (2, 3, 6))
    if family == "fully connected":
        return FullyConnectedNetwork((6, 3, 3))
    return TensorNetwork(np.random.default_rng(5).standard_normal((4, 4, 4, 6)))


def _closing(residuals: list[float]) -> Closing:
    before, last = -np.diff(np.log(residuals)) / np.diff(np.log(MARGINS))
    settled = abs(last - before) <= ALIKE * abs(last)
    return Closing(residuals[-1], float(last), bool(settled), None)


def _reached(end: Theorem1) -> str:
    """Which of M(-u)'s singular tuples the layers approach."""
    if end.approached is None:
        return "no singular tuple of M(-u) is approached yet"
    text = f"{end.approached.angle:.2g} radians from the tuple s = {end.approached.value:.4g}"
    if end.candidates is None or end.reached is None:
        return text
    return f"{text}, number {end.reached + 1} of {len(end.candidates)}"
