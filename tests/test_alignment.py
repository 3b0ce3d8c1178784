"""Theorem 1 at a flow's end: hypotheses, residual, and the singular tuple that is approached."""

from dataclasses import replace

import numpy as np
import pytest

from helpers.draws import normal
from implicitbias import NoPredictionError, gradient_flow, predict_limit, theorem_1
from implicitbias._errors import InvalidInputError
from implicitbias.initialization import Initialization
from implicitbias.limits import tensor_singular_residual
from implicitbias.networks import (
    ConvolutionalNetwork,
    DiagonalNetwork,
    FullyConnectedNetwork,
    TensorNetwork,
)
from implicitbias.problems import Classification, Regression

(X,), LABELS = normal(3, (5, 6)), np.array([1.0, -1.0, 1.0, 1.0, -1.0])
PROBLEM = Classification(X, LABELS)
OUTSIDE = [
    ConvolutionalNetwork(6, (2, 3, 6)),
    TensorNetwork(np.random.default_rng(5).standard_normal((2, 3, 4, 6))),
]


def flow_of(network, **stop):
    return gradient_flow(network, PROBLEM, Initialization.random(network, 0.5, seed=2), **stop)


@pytest.mark.parametrize("network", [*OUTSIDE, FullyConnectedNetwork((6, 3))], ids=repr)
def test_layers_align_with_singular_vectors_of_the_dense_tensor(network):
    flow = flow_of(network, until_margin=1e5)
    found = theorem_1(network, PROBLEM, flow)
    pulls = np.exp(-LABELS * (X @ flow.final_coefficients) + flow.margins[-1])
    normal = (pulls * LABELS) @ X / np.linalg.norm((pulls * LABELS) @ X)
    np.testing.assert_allclose(found.direction, normal, atol=1e-9)
    tensor = network.data_tensor(normal)
    layers = [layer.ravel() / np.linalg.norm(layer) for layer in flow.final_parameters]
    value = tensor
    for layer in reversed(layers):
        value = value @ layer
    defect = tensor_singular_residual(tensor, layers) * np.linalg.norm(tensor) / value
    np.testing.assert_allclose(found.residual, defect, rtol=1e-6)
    assert found.loss_below_one.holds
    assert found.residual < theorem_1(network, PROBLEM, flow_of(network, until_margin=1e2)).residual
    near, listed = found.approached, found.candidates[found.reached]
    assert tensor_singular_residual(tensor, near.vectors) < 1e-10
    assert near.angle < 0.5
    np.testing.assert_allclose(listed.value, near.value, rtol=1e-9)
    text = str(found)
    assert text.count("* s = ") == 1
    assert "holds: the loss falls below 1" in text


def test_the_direction_settles_or_stays_undecided():
    network = FullyConnectedNetwork((6, 3))
    late = theorem_1(network, PROBLEM, flow_of(network, until_margin=1e6)).direction_settled
    assert late.holds
    assert late.value < 1e-3
    early = theorem_1(network, PROBLEM, flow_of(network, until_margin=10.0)).direction_settled
    assert early.status == "undecided"
    assert np.isnan(early.value)


def test_past_the_hand_over_the_slide_gives_the_weights():
    """The slide's weights tend to the l1 problem's dual: largest |x_j^T a| on the support."""
    network = DiagonalNetwork(6, 2)
    found = theorem_1(network, PROBLEM, flow_of(network, until_log_margin=300.0))
    assert found.residual < 1e-4
    sizes = np.sort(np.abs(found.direction))[::-1]
    np.testing.assert_allclose(sizes[:3], sizes[0], rtol=1e-4)
    assert found.approached.angle < 1e-3
    np.testing.assert_allclose(found.approached.value, sizes[0], rtol=1e-9)
    assert "since margin" in found.direction_settled.detail


@pytest.mark.parametrize("network", OUTSIDE, ids=repr)
def test_networks_that_no_limit_covers_are_sent_here(network):
    with pytest.raises(NoPredictionError, match=r"theorem_1\(network, problem, flow\)"):
        predict_limit(network, PROBLEM, Initialization.random(network, 0.5, seed=2))


def test_refusals():
    network = DiagonalNetwork(6, 2)
    flow = flow_of(network, until_margin=10.0)
    with pytest.raises(InvalidInputError, match="about classification"):
        theorem_1(network, Regression(X, LABELS), flow)
    with pytest.raises(InvalidInputError, match="other data"):
        theorem_1(network, Classification(2.0 * X, LABELS), flow)
    with pytest.raises(InvalidInputError, match="another network"):
        theorem_1(DiagonalNetwork(6, 3), PROBLEM, flow)
    with pytest.raises(InvalidInputError, match="overflow"):
        theorem_1(network, PROBLEM, replace(flow, final_parameters=None))
    early = flow_of(network, max_steps=1)
    with pytest.raises(InvalidInputError, match="not separated"):
        theorem_1(network, PROBLEM, early)
