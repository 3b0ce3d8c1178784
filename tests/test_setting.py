"""What a network, a problem and a start give rise to is checked and derived once."""

import inspect

import numpy as np
import pytest

from helpers.draws import normal
from helpers.networks import planted
from implicitbias import (
    Classification,
    DiagonalNetwork,
    Initialization,
    Regression,
    TensorNetwork,
    explain,
    gradient_flow,
    simulate_limit,
    verify,
)
from implicitbias import _setting as setting_module
from implicitbias._setting import setting_of
from implicitbias.flow import request
from implicitbias.flow.classification import _run as classification_run
from implicitbias.networks import _tensor

X, SQUARE, *SIDES = normal(0, (4, 5), (5, 5), (6, 5), (6, 5), (6, 5))
LABELS = [1.0, -1.0, 1.0, -1.0]
TENSOR = planted(SQUARE, [np.linalg.qr(side)[0] for side in SIDES])


@pytest.fixture
def counts(monkeypatch):
    """How often a decomposition is searched, coordinates reduced and a classification followed."""
    called = {}

    def counting(module, name):
        original = getattr(module, name)

        def counted(*args, **kwargs):
            called[name] = called.get(name, 0) + 1
            return original(*args, **kwargs)

        monkeypatch.setattr(module, name, counted)

    counting(_tensor, "search_decomposition")
    counting(setting_module, "reduce_to_real")
    counting(classification_run, "follow")
    return called


@pytest.mark.parametrize("scale", [0.1, 2.0])
def test_verify_of_a_classification_derives_once_and_follows_two_flows(counts, scale):
    """The dual flow passes where the basin is chosen, and where the parameters' flow ended."""
    network = TensorNetwork(TENSOR)
    init = Initialization.random(network, scale, seed=1)
    comparison = verify(network, Classification(X, LABELS), init)
    assert comparison.limit.kind == "stationary direction"
    assert set(comparison.pairs) == {"parameters - limit", "dual - limit", "parameters - dual"}
    assert counts == {"search_decomposition": 1, "reduce_to_real": 1, "follow": 2}


@pytest.mark.parametrize("verb", [verify, explain, simulate_limit, gradient_flow])
def test_every_verb_derives_once(counts, verb):
    network = TensorNetwork(TENSOR)
    init = Initialization.random(network, 0.5, seed=1)
    verb(network, Regression(X, LABELS), init)
    assert counts == {"search_decomposition": 1, "reduce_to_real": 1}


def test_explain_follows_one_flow(counts):
    network = TensorNetwork(TENSOR)
    init = Initialization.random(network, 0.1, seed=1, gap=0.1)
    found = explain(network, Classification(X, LABELS), init)
    assert found["Theorem 2"].limit is not None
    assert found["beyond Theorem 2"].limit is not None
    assert counts["follow"] == 1


def test_coordinates_of_other_rows_are_their_own():
    network = DiagonalNetwork(5, 2)
    init = Initialization.random(network, 1.0)
    problem, dependent = Regression(X, LABELS), Regression(np.vstack([X, X[:1]]), [*LABELS, 1.0])
    setting = setting_of(network, problem, init)
    assert setting.decoupled(problem.X).reduction is setting.reduction
    setting = setting_of(network, dependent, init)
    assert setting.decoupled(dependent.X).reduction.features.shape == (5, 5)
    assert setting.rows.shape == (4, 5)


def test_defaults_inside_are_those_of_gradient_flow():
    shown, used = inspect.signature(gradient_flow), inspect.signature(request)
    for name, parameter in used.parameters.items():
        if name != "problem":
            assert parameter.default == shown.parameters[name].default, name
