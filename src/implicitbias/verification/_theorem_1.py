"""Theorem 1: every separable network's layers tend to singular vectors of M(-u).

u is the direction of X^T r, r the derivative of the loss by the outputs; the residual of

    s u_l = M(-u) o (u_1, .., I at l, .., u_L)

is measured at three margins of the same flow. It must fall; no theorem says how fast.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias.comparison import Closing, angle_between
from implicitbias.flow import Flow, gradient_flow
from implicitbias.initialization import Initialization
from implicitbias.limits import tensor_singular_vectors
from implicitbias.limits._singular_vectors import singular_residual_of_network
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
SEARCHED = 200  # entries of the data tensor up to which its singular vectors are listed
FAMILIES = {
    "diagonal": "diagonal, L = 3",
    "convolution": "convolution, filters of length 2, 3 and 6",
    "fully connected": "fully connected, L = 3, widths 3",
    "tensor": "random tensor, 4 x 4 x 4",
}


def checks() -> tuple[Check, ...]:
    """One row a family of networks, all on the same points."""
    return tuple(
        Check("Theorem 1", network, "Gaussian", partial(theorem_1, family))
        for family, network in FAMILIES.items()
    )


def theorem_1(family: str) -> Measurement:
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
    residuals = [_residual(network, problem, flow) for flow in flows]
    closing = _closing(residuals)
    losses = flows[-1].log_losses[-1]
    falling = ", ".join(f"{residual:.1e}" for residual in residuals)
    notes = [flow.message for flow in flows if not flow.outcome.converged]
    notes.append(
        f"residual {falling} at margins 1e2, 1e4, 1e6, falling like margin^-{closing.exponent:.3g}"
        f"; log loss {losses:.3g}; {_reached(network, problem, flows[-1])}"
    )
    return Measurement(
        error=residuals[-1],
        certificate=0.0,
        shape=X.shape,
        holds=all(flow.outcome.converged for flow in flows),
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


def _normal(network: Network, problem: Classification, flow: Flow) -> FloatArray:
    """-X^T r up to its length: the points weighted by softmax(-margins)."""
    beta = network.coefficients(flow.final_parameters or ())
    margins = problem.y * (problem.X @ beta)
    weights = np.exp(margins.min() - margins)
    return np.asarray((weights * problem.y) @ problem.X)


def _residual(network: Network, problem: Classification, flow: Flow) -> float:
    if flow.final_parameters is None:
        return np.inf
    normal = _normal(network, problem, flow)
    return singular_residual_of_network(network, normal, flow.final_parameters)


def _closing(residuals: list[float]) -> Closing:
    before, last = -np.diff(np.log(residuals)) / np.diff(np.log(MARGINS))
    settled = abs(last - before) <= ALIKE * abs(last)
    return Closing(residuals[-1], float(last), bool(settled), None)


def _reached(network: Network, problem: Classification, flow: Flow) -> str:
    """Which of M(-u)'s singular vectors the layers are nearest to, where the tensor is small."""
    tensor = network.data_tensor(_normal(network, problem, flow))
    if tensor.size > SEARCHED or flow.final_parameters is None:
        return "singular vectors not listed"
    layers = [layer.ravel() for layer in flow.final_parameters]
    found = tensor_singular_vectors(tensor, num_starts=256)
    distances = [
        # The signs of two layers may be exchanged: directions up to sign.
        max(
            min(angle_between(layer, u), angle_between(layer, -u))
            for layer, u in zip(layers, each.vectors, strict=True)
        )
        for each in found
    ]
    nearest = int(np.argmin(distances))
    return (
        f"nearest to number {nearest + 1} of {len(found)} singular tuples, at an angle of "
        f"{distances[nearest]:.1e}"
    )
