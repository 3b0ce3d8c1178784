"""Options out of range are refused by name, in every verb that has them, before any work."""

from functools import partial

import numpy as np
import pytest

import implicitbias as ib

PROBLEM = ib.Regression([[1.0, 2.0, 0.5]], [1.0])
NETWORK = ib.DiagonalNetwork(num_features=3, depth=2)
INIT = ib.Initialization.last_layer_zero(NETWORK, np.ones(3), scale=0.1)
THREE = (NETWORK, PROBLEM, INIT)
FLOW = ib.gradient_flow(*THREE)
LIMIT = ib.predict_limit(*THREE)
SEPARABLE = ib.Classification([[1.0, 2.0, 0.5]], [1])

AT_MOST = {
    "predict_limit": (partial(ib.predict_limit, *THREE), "certified_to"),
    "limit_path": (partial(ib.limit_path, *THREE, [1.0]), "certified_to"),
    "explain": (partial(ib.explain, *THREE), "certified_to"),
    "compare": (partial(ib.compare, FLOW, LIMIT), "agreement"),
    "verify": (partial(ib.verify, *THREE), "agreement"),
}


@pytest.mark.parametrize("value", [-1.0, "a", np.nan, -np.inf, None, True, [1e-3], 1j], ids=str)
@pytest.mark.parametrize(("verb", "name"), AT_MOST.values(), ids=AT_MOST)
def test_what_something_may_be_at_most(verb, name, value):
    with pytest.raises(ib.InvalidInputError, match=rf"{name} is .*; expected a number >= 0"):
        verb(**{name: value})


@pytest.mark.parametrize(("verb", "name"), AT_MOST.values(), ids=AT_MOST)
def test_infinity_allows_all(verb, name):
    assert verb(**{name: np.inf}) is not None


@pytest.mark.parametrize("value", [-1, 0, "a", 1.5, None, True])
def test_newton_steps(value):
    with pytest.raises(ib.InvalidInputError, match="max_iterations is"):
        ib.predict_limit(*THREE, max_iterations=value)


@pytest.mark.parametrize("value", [3, "print"])
def test_callbacks(value):
    with pytest.raises(ib.InvalidInputError, match=r"callback is .* number of scales"):
        ib.limit_path(*THREE, [1.0], callback=value)
    with pytest.raises(ib.InvalidInputError, match=r"callback is .* FlowState"):
        ib.gradient_flow(*THREE, callback=value)


@pytest.mark.parametrize("value", [None, 3, (), "dual", ("fourier",), ("dual", None)])
def test_routes_to_verify(value):
    with pytest.raises(ib.InvalidInputError, match=r"routes is .*; expected a list or tuple"):
        ib.verify(*THREE, routes=value)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: ib.compare(LIMIT, FLOW), "flow is a Limit; expected a Flow"),
        (lambda: ib.compare(FLOW, FLOW), "limit is a Flow; expected a Limit"),
        (lambda: ib.theorem_1(NETWORK, SEPARABLE, LIMIT), "a flow of it"),
    ],
)
def test_one_result_in_the_place_of_another(call, said):
    with pytest.raises(ib.InvalidInputError, match=said):
        call()
