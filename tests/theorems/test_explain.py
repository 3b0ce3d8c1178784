"""explain: every result with its verdicts, whatever the situation."""

from __future__ import annotations

import json

import numpy as np
import pytest

from helpers.draws import normal
from implicitbias._errors import InvalidInputError, NoPredictionError
from implicitbias.initialization import Initialization
from implicitbias.networks import (
    ConvolutionalNetwork,
    DiagonalNetwork,
    FullyConnectedNetwork,
    TensorNetwork,
)
from implicitbias.problems import Classification, Regression
from implicitbias.theorems import explain, predict_limit
from implicitbias.theorems._catalogue import CLASSIFICATION, FOUNDATIONS, REGRESSION

X, Y, ENTRIES = normal(0, (3, 8), 3, (3, 4, 5, 8))
REGRESS, ONE_POINT = Regression(X, Y), Regression(X[:1], Y[:1])
EVEN = Regression(X + X[:, -np.arange(8)], Y)
CLASSIFY = Classification(X, [1, -1, 1])
DIAGONAL, CONVOLUTION = DiagonalNetwork(8, 3), ConvolutionalNetwork(8, (8, 8))
CONNECTED, TENSOR = FullyConnectedNetwork((8, 5, 4)), TensorNetwork(ENTRIES)
SHORT = ConvolutionalNetwork(8, (3, 8))
DECK = (
    {"Lemma 4"}
    | {f"Theorem {n}" for n in (1, 2, 3, 5, 6)}
    | {f"Corollary {n}" for n in range(1, 7)}
)


def random(network):
    return Initialization.random(network, 0.1, seed=1)


def zero_last(network):
    return Initialization.last_layer_zero(network, np.ones(8), 0.1)


SITUATIONS = [
    (DIAGONAL, REGRESS, zero_last, "Corollary 5"),
    (CONVOLUTION, EVEN, lambda network: zero_last(network), None),  # F wbar has zeros
    (CONVOLUTION, REGRESS, random, None),
    (CONNECTED, REGRESS, random, "fully connected, small scale"),
    (
        CONNECTED,
        REGRESS,
        lambda n: Initialization.balanced(n, 1.0, seed=1),
        "fully connected, aligned layers",
    ),
    (
        FullyConnectedNetwork((8, 1)),
        REGRESS,
        lambda n: Initialization.random(n, 2.0, seed=1),
        "fully connected, aligned layers",
    ),
    (CONNECTED, CLASSIFY, random, "Corollary 1"),
    (TENSOR, REGRESS, random, None),
    (TENSOR, CLASSIFY, random, None),
    (SHORT, ONE_POINT, random, "beyond Theorem 6"),
    (DIAGONAL, CLASSIFY, lambda n: Initialization.random(n, 0.1, gap=0.1), "Corollary 2"),
    (
        DIAGONAL,
        REGRESS,
        lambda n: Initialization([np.ones(8)] * 3, log_scale=-2000.0),
        "beyond Theorem 5, least squares",
    ),
]


@pytest.mark.parametrize(("network", "problem", "start", "answer"), SITUATIONS)
def test_it_lists_every_result_and_answers_as_predict_limit_does(network, problem, start, answer):
    init = start(network)
    found = explain(network, problem, init)
    names = [finding.result for finding in found.findings]
    assert len(names) == len(set(names))
    assert {*names, *found.elsewhere} >= DECK
    assert (found.limit and found.limit.theorem) == answer
    assert (found.answer and found.answer.result) == answer
    if answer is None:
        with pytest.raises(
            NoPredictionError, match=r"theorem covers (?s:.*)simulate_limit(?s:.*)gradient_flow"
        ):
            predict_limit(network, problem, init)
    else:
        limit = predict_limit(network, problem, init)
        np.testing.assert_array_equal(found.limit.coefficients, limit.coefficients)
        assert found.limit.assumptions == limit.assumptions
    json.dumps(found.to_dict(), allow_nan=False)
    text = str(found)
    assert all(name in text for name in (*names, *found.elsewhere))
    assert max(map(len, text.splitlines())) <= 80


def test_long_names_of_classes_and_shapes_are_broken_at_spaces():
    network = FullyConnectedNetwork((8,) + (12,) * 20)
    problem = Classification(X, ["of the first kind", "of the second kind", "of the first kind"])
    text = str(explain(network, problem, random(network)))
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(("network", "problem", "start", "answer"), SITUATIONS)
def test_a_result_applies_where_its_assumptions_hold(network, problem, start, answer):
    for finding in explain(network, problem, start(network)).findings:
        fails = any(verdict.fails for verdict in finding.assumptions) or finding.unmeasured
        assert (finding.standing == "does not apply") == bool(fails)
        assert (finding.limit is None) == bool(fails or finding.refusal)


def test_verdicts_go_on_past_the_first_that_fails():
    finding = explain(CONVOLUTION, REGRESS, random(CONVOLUTION))["Corollary 6"]
    failed = [verdict.assumption for verdict in finding.assumptions if verdict.fails]
    assert failed == ["all x_i are even", "wbar is even", "vbar_L = 0"]
    assert not finding.unmeasured


def test_of_what_does_not_apply_only_what_is_in_its_way_is_listed():
    found = explain(CONVOLUTION, REGRESS, random(CONVOLUTION))
    finding = found["Corollary 6"]
    assert finding.brief() in str(found)
    assert "fails: wbar is even" in finding.brief()
    assert "holds: all filters" in str(finding) and "holds:" not in finding.brief()
    unknown = explain(CONNECTED, CLASSIFY, random(CONNECTED))["Theorem 2"]
    assert "fails: Assumption 1" in unknown.brief() and "not measured" not in unknown.brief()
    applies = explain(DIAGONAL, REGRESS, zero_last(DIAGONAL)).answer
    assert applies.brief() == str(applies)


def test_what_cannot_be_measured_says_what_it_needs():
    finding = explain(CONNECTED, CLASSIFY, random(CONNECTED))["Theorem 2"]
    assert "(it needs: Assumption 1" in finding.unmeasured[0]


def test_data_without_a_solution_are_a_verdict():
    network = DiagonalNetwork(1, 2)
    problem = Classification([[1.0], [2.0]], [1, -1])
    found = explain(network, problem, random(network))
    assert found.data.fails
    assert found.limit is None
    able = [each.result for each in found.findings if each.standing != "does not apply"]
    assert able == ["Saddles, classification"]  # the loss has a minimum
    assert "The data have no solution" in str(found)


def test_a_limit_that_cannot_be_certified_is_a_refusal():
    init = zero_last(DIAGONAL)
    found = explain(DIAGONAL, REGRESS, init, certified_to=1e-300)
    assert found.answer.result == "Corollary 5"
    assert found.limit is None
    assert "Corollary 5 applies, but predict_limit refuses" in str(found)
    with pytest.raises(NoPredictionError, match="Corollary 5 applies"):
        predict_limit(DIAGONAL, REGRESS, init, certified_to=1e-300)


def test_every_result_says_what_it_needs():
    for result in (*REGRESSION, *CLASSIFICATION, *FOUNDATIONS):
        assert "network" in result.remedy.lower(), result.name


def test_wrong_input_is_refused():
    with pytest.raises(InvalidInputError, match="order of the arguments"):
        explain(REGRESS, DIAGONAL, random(DIAGONAL))
    with pytest.raises(InvalidInputError, match="there are Corollary 5"):
        explain(DIAGONAL, REGRESS, random(DIAGONAL))["Theorem 7"]


def test_rows_that_depend_by_rounding():
    """What predict_limit says of them, or refuses, stands here too."""
    X = np.random.default_rng(0).standard_normal((3, 6))
    init = Initialization.last_layer_zero(DiagonalNetwork(6, 2), np.ones(6), 0.1)
    X[2] = X[0] + 0.1 * X[1]
    found = explain(DiagonalNetwork(6, 2), Regression(X, X @ np.ones(6)), init).limit
    assert "undecided" in [one.status for one in found.assumptions]
    X[2] = 0.1 * X[1]
    said = explain(DiagonalNetwork(6, 2), Regression(X, X @ np.ones(6)), init)
    assert said.limit is None
    assert "predict_limit refuses: row 2 of X is a multiple of row 1" in " ".join(str(said).split())
