"""simulate_limit: the flow's own end, labelled, beside the points of least norm."""

import json

import numpy as np
import pytest

from helpers.draws import normal
from implicitbias import gradient_flow, predict_limit, simulate_limit
from implicitbias._errors import InfeasibleProblemError, InvalidInputError, Outcome
from implicitbias.initialization import Initialization
from implicitbias.networks import (
    ConvolutionalNetwork,
    DiagonalNetwork,
    FullyConnectedNetwork,
    TensorNetwork,
)
from implicitbias.problems import Classification, Regression

X, Y, ENTRIES = normal(0, (2, 8), 2, (3, 4, 5, 8))
REGRESS, CLASSIFY = Regression(X, Y), Classification(X, [1, -1])
CONVOLUTION, CONNECTED = ConvolutionalNetwork(8, (8, 8)), FullyConnectedNetwork((8, 5))
TENSOR = TensorNetwork(ENTRIES)


def start(network, scale=0.5):
    return Initialization.random(network, scale, seed=1)


def rows(found):
    return {one.name: one for one in found.references}


@pytest.mark.parametrize("depth", [2, 3])
def test_a_full_convolution_on_two_points_ends_where_its_flow_ends(depth):
    network = ConvolutionalNetwork(8, (8,) * depth)
    found = simulate_limit(network, REGRESS, start(network))
    assert found.covered_by is None
    assert found.ended
    flow = gradient_flow(network, REGRESS, start(network), route="parameters", until_residual=1e-12)
    np.testing.assert_allclose(found.coefficients, flow.final_coefficients, rtol=0, atol=1e-10)
    np.testing.assert_allclose(X @ found.coefficients, Y, rtol=0, atol=1e-10)
    spectrum = np.abs(np.fft.fft(found.coefficients)).sum() / 8 ** (depth / 2)  # |F beta|_1 c
    assert rows(found)["l1 norm of rho"].value == pytest.approx(spectrum, rel=1e-9)
    least = np.linalg.norm(np.linalg.pinv(X) @ Y)
    assert rows(found)["l2 norm of beta"].least == pytest.approx(least, rel=1e-12)
    assert all(one.excess > 0.0 for one in found.references)
    assert str(found).startswith("Found by simulation: no theorem names the end of training here.")


def test_small_scales_come_near_the_least_norms():
    sparse = rows(simulate_limit(CONVOLUTION, REGRESS, start(CONVOLUTION, 1e-3)))
    assert sparse["l1 norm of rho"].excess < 0.03 < sparse["l2 norm of beta"].excess
    short = simulate_limit(CONNECTED, REGRESS, start(CONNECTED, 1e-3))
    assert short.covered_by == "fully connected, small scale"
    assert rows(short)["l2 norm of beta"].distance < 1e-2


def test_a_result_that_covers_is_named():
    network = DiagonalNetwork(8, 2)
    init = Initialization.last_layer_zero(network, np.ones(8), 0.1)
    found = simulate_limit(network, REGRESS, init)
    assert found.covered_by == "Corollary 5"
    assert "Corollary 5 covers this" in str(found)
    limit = predict_limit(network, REGRESS, init).coefficients
    np.testing.assert_allclose(found.coefficients, limit, atol=1e-9)
    assert list(rows(found)) == ["l2 norm of beta", "l1 norm of beta"]


def test_a_flow_that_did_not_end_says_so():
    found = simulate_limit(CONVOLUTION, REGRESS, start(CONVOLUTION), max_steps=5)
    assert not found.ended
    assert found.flow.outcome is Outcome.STEP_LIMIT
    assert not found.references
    assert "NOT the end of training" in str(found)


def test_rest_at_a_positive_loss_is_an_end():
    network = DiagonalNetwork(1, 2)
    init = Initialization([[1.0], [1.0]], scale=1.0)
    found = simulate_limit(network, Regression([[1.0]], [-1.0]), init)
    assert found.ended
    assert not found.references
    assert "comes to rest and does not fit the data" in str(found)


def test_classification_adds_theorem_1():
    found = simulate_limit(TENSOR, CLASSIFY, start(TENSOR))
    assert found.covered_by is None
    assert (CLASSIFY.y * (X @ found.coefficients)).min() == pytest.approx(1.0)
    assert found.theorem_1.residual < 0.2
    assert all(one.excess > 0.0 for one in found.references)
    known = simulate_limit(CONNECTED, CLASSIFY, start(CONNECTED))
    assert known.covered_by == "Corollary 1"
    assert rows(known)["l2 norm of beta"].distance < 1e-2
    early = simulate_limit(TENSOR, Classification(X, [-1, -1]), start(TENSOR), max_steps=1)
    assert early.theorem_1 is None
    assert not early.references


def test_an_activation_has_predictions_only():
    found = simulate_limit(CONVOLUTION, REGRESS, start(CONVOLUTION), activation="tanh")
    assert found.ended
    assert found.coefficients is None
    np.testing.assert_allclose(found.flow.final_predictions, Y, rtol=1e-9)
    assert "nan" not in str(found)


@pytest.mark.parametrize(
    ("network", "problem", "arguments"),
    [
        (CONVOLUTION, REGRESS, {}),
        (CONVOLUTION, CLASSIFY, {}),
        (TENSOR, CLASSIFY, {"max_steps": 1}),
        (CONVOLUTION, REGRESS, {"activation": "relu", "max_time": 1.0}),
    ],
)
def test_it_prints_in_eighty_columns_and_as_json(network, problem, arguments):
    found = simulate_limit(network, problem, start(network), **arguments)
    assert max(map(len, str(found).splitlines())) <= 80
    back = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert back["found"] == "by simulation"
    assert back["outcome"] == found.flow.outcome.name


def test_refusals():
    with pytest.raises(InvalidInputError, match="order of the arguments"):
        simulate_limit(REGRESS, CONVOLUTION, start(CONVOLUTION))
    network = DiagonalNetwork(1, 2)
    with pytest.raises(InfeasibleProblemError):
        simulate_limit(network, Classification([[1.0], [2.0]], [1, -1]), start(network))
