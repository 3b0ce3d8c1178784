"""Directions of two-sided networks, and what is said of their results."""

import numpy as np
import pytest

import implicitbias as ib
from implicitbias import (
    Classification,
    Initialization,
    NoPredictionError,
    Regression,
    TwoSidedDiagonalNetwork,
)

ONE = Regression([[1.0, 2.0]], [1.0])


def predicted(problem, power, u, v, scale):
    network = TwoSidedDiagonalNetwork(problem.num_features, power)
    return ib.predict_limit(network, problem, Initialization([u, v], scale=scale))


CLASSES = Classification([[1.0, 2.0, -0.5], [2.0, -1.0, 1.5]], [1, 1])


@pytest.mark.parametrize(
    ("power", "expected", "kind"),
    [
        (2, [0.6, 0.2, 0.0], "direction"),
        (2.5, [1.0, 0.0, 0.0], "stationary direction"),
        (4, [1.0, 0.0, 0.0], "stationary direction"),
    ],
)
def test_max_margin_directions_from_equal_starts(power, expected, kind):
    found = predicted(CLASSES, power, np.ones(3), np.ones(3), 0.1)
    assert found.kind == kind and found.theorem == "two-sided, max margin"
    assert np.allclose(found.coefficients, expected, atol=1e-14)
    network, init = TwoSidedDiagonalNetwork(3, power), Initialization([np.ones(3)] * 2, 0.1)
    for route in ("parameters", "dual"):
        flow = ib.gradient_flow(network, CLASSES, init, route=route, until_margin=1e6)
        assert np.allclose(flow.final_direction, expected, atol=2e-4)
    assert ib.verify(network, CLASSES, init).agrees


@pytest.mark.parametrize("v", [[1.0, 2.0, 1.0], [3.0, 0.5, 1.0], [0.0, 4.0, 1.0]])
def test_the_start_decides_between_equal_columns(v):
    # from u = (1, 2, .) equal columns stay as u^2: 1 to 4, whatever v on their other side
    problem = Classification([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]], [1, -1])
    found = predicted(problem, 2, [1.0, 2.0, 1.0], v, 0.5)
    assert np.allclose(found.coefficients, [0.2, 0.8, -1.0], atol=1e-14)
    network, init = TwoSidedDiagonalNetwork(3, 2), Initialization([[1.0, 2.0, 1.0], v], 0.5)
    assert ib.verify(network, problem, init).agrees
    mirrored = Classification([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]], [-1, 1])
    swapped = predicted(mirrored, 2, v, [1.0, 2.0, 1.0], 0.5)
    assert np.array_equal(swapped.coefficients, -found.coefficients)


def test_many_points_are_followed_in_multipliers():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((70, 80))
    problem = Classification(X, np.sign(X[:, 0] - X[:, 1]))
    network, init = TwoSidedDiagonalNetwork(80, 2), Initialization([np.ones(80)] * 2, 0.1)
    flows = [
        ib.gradient_flow(network, problem, init, route=route, until_margin=1e3)
        for route in ("parameters", "dual")
    ]
    assert np.allclose(*(flow.final_direction for flow in flows), atol=1e-6)
    assert np.isclose(*(flow.log_times[-1] for flow in flows), rtol=1e-7)


@pytest.mark.parametrize("power", [2, 2.5, 4])
def test_both_flows_of_a_classification_are_one(power):
    network, init = TwoSidedDiagonalNetwork(3, power), Initialization([[1, 2, 1], [1, 1, 3]], 0.3)
    flows = [
        ib.gradient_flow(network, CLASSES, init, route=route, until_margin=50.0)
        for route in ("parameters", "dual")
    ]
    assert np.allclose(*(flow.final_direction for flow in flows), rtol=0, atol=1e-8)
    assert np.isclose(*(flow.log_times[-1] for flow in flows), rtol=1e-6)
    for layers in zip(*(flow.final_parameters for flow in flows), strict=True):
        assert np.allclose(*layers, rtol=1e-6)


@pytest.mark.parametrize("power", [2.5, 4])
def test_directions_may_be_negative(power):
    mirrored = Classification(-CLASSES.X, CLASSES.y)
    found = predicted(mirrored, power, np.ones(3), np.ones(3), 0.1)
    assert np.allclose(found.coefficients, [-1.0, 0.0, 0.0], atol=1e-14)


def test_signs_that_a_start_keeps_are_kept():
    problem = Classification([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]], [1, 1])
    with pytest.raises(
        NoPredictionError, match="the signs that the start's locked coordinates keep"
    ):
        predicted(problem, 2, [1.0, 2.0, 0.0], [3.0, 0.5, 1.0], 0.5)
    kept = Classification([[1.0, 0.9]], [1])
    found = predicted(kept, 2, [0.0, 1.0], [1.0, 1.0], 0.5)
    assert np.allclose(found.coefficients, [0.0, 1 / 0.9], atol=1e-14)


# results


def test_results_are_saved_and_explained(tmp_path):
    network, init = TwoSidedDiagonalNetwork(2, 2.5), Initialization([np.ones(2)] * 2, 0.1)
    found = [
        ib.predict_limit(network, ONE, init),
        ib.verify(network, ONE, init),
        ib.explain(network, ONE, init),
        ib.gradient_flow(network, ONE, init),
    ]
    for result in found:
        ib.save(result, tmp_path / "result.npz")
        assert str(ib.load(tmp_path / "result.npz")) == str(result)
    explained = found[2]
    assert explained.answer.result == "two-sided, from u = v"
    standing = {finding.result: finding.standing for finding in explained.findings}
    assert standing["two-sided, from every start"] == "applies"
    assert {standing[name] for name in ("Corollary 5", "Theorem 5", "Theorem 6")} == {
        "does not apply"
    }


@pytest.mark.parametrize("power", [2, 2.5])
def test_simulations_speak_without_theorem_1(power):
    network, init = TwoSidedDiagonalNetwork(3, power), Initialization([np.ones(3)] * 2, 0.1)
    found = ib.simulate_limit(network, CLASSES, init)
    assert found.ended and found.covered_by == "two-sided, max margin"
    assert found.theorem_1 is None and len(found.references) == 2


@pytest.mark.parametrize("power", [2, 3])
def test_results_about_tensors_do_not_apply(power):
    network, init = TwoSidedDiagonalNetwork(2, power), Initialization([np.ones(2)] * 2, 0.1)
    own = ("two-sided", "finite loss, two-sided", "Saddles", "Theorem 1", "Lemma 4")
    own += ("ties", "momentum")
    for problem in (ONE, Classification([[1.0, 2.0]], [1])):
        explained = ib.explain(network, problem, init)
        for finding in explained.findings:
            if finding.standing != "does not apply":
                assert finding.result.startswith(own)
