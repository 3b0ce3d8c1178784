"""compare: runs of gradient descent and plain coefficients against limits."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.draws import normal
from implicitbias import load, save
from implicitbias._errors import InvalidInputError, Outcome
from implicitbias.comparison import compare
from implicitbias.descent import Run, gradient_descent
from implicitbias.flow import gradient_flow
from implicitbias.initialization import Initialization
from implicitbias.networks import DiagonalNetwork, FullyConnectedNetwork
from implicitbias.problems import Classification, Regression
from implicitbias.theorems import predict_limit

X, Y = normal(0, (3, 6), 3)
PROBLEM, NETWORK = Regression(X, Y), DiagonalNetwork(6, 3)
CLASSES = Classification(X, np.sign(X @ np.arange(1.0, 7.0)))
INIT = Initialization([np.full(6, 0.8), np.full(6, 0.6), np.full(6, 0.3)], 1.0)
LIMIT = predict_limit(NETWORK, PROBLEM, INIT)
RUN = gradient_descent(NETWORK, PROBLEM, INIT, step=0.05)
CONNECTED = FullyConnectedNetwork((6, 5, 4))
SMALL = Initialization.random(CONNECTED, 0.1)


def test_a_run_agrees_through_its_effective_limit():
    found = compare(RUN, LIMIT)
    assert found.agrees and found.verdict == "agrees" and found.error <= 1e-11
    assert list(found.pairs) == ["descent - effective limit"]
    apart = np.abs(RUN.final_coefficients - LIMIT.coefficients).max()
    assert found.distance == pytest.approx(apart / np.abs(LIMIT.coefficients).max())
    assert found.distance > 1e-4 and "distance to the flow's own limit" in str(found)
    assert found.effective is RUN.effective and found.flow is RUN


def test_a_run_agrees_with_the_limit_of_its_effective_start_itself():
    found = compare(RUN, predict_limit(NETWORK, PROBLEM, RUN.effective_start))
    assert found.agrees and list(found.pairs) == ["descent - limit"] and found.distance is None


def test_a_limit_of_another_start_disagrees():
    other = predict_limit(NETWORK, PROBLEM, Initialization(INIT.directions, 1.5))
    found = compare(RUN, other)
    assert found.verdict == "DISAGREES" and found.error > 1e-3
    assert list(found.pairs) == ["descent - limit"] and "run.effective_start" in str(found)


def test_the_tolerance_is_asked_for():
    assert not compare(RUN, LIMIT, agreement=1e-14).agrees
    assert compare(RUN, LIMIT, agreement=0.5).distance is None


def test_runs_that_did_not_end_disagree():
    early = gradient_descent(NETWORK, PROBLEM, INIT, step=0.05, max_steps=9)
    assert compare(early, LIMIT).verdict == "DISAGREES"
    wild = gradient_descent(NETWORK, PROBLEM, INIT, step=9.0)
    found = compare(wild, LIMIT)
    assert wild.outcome is Outcome.DIVERGED and found.verdict == "DISAGREES"
    assert "too large" in str(found)


def test_a_run_that_fits_has_ended_whatever_stopped_it():
    steps = np.full(RUN.num_steps - 1, 0.05)
    run = gradient_descent(NETWORK, PROBLEM, INIT, step=steps)
    assert run.outcome is Outcome.STEP_LIMIT and run.fits and compare(run, LIMIT).agrees
    assert not gradient_descent(NETWORK, PROBLEM, INIT, step=steps[:50]).fits
    classes = gradient_descent(NETWORK, CLASSES, INIT, step=0.1, max_steps=5)
    assert not classes.fits


def test_runs_without_an_effective_start_say_why():
    heavy = gradient_descent(NETWORK, PROBLEM, INIT, step=0.02, momentum=0.5)
    found = compare(heavy, LIMIT)
    assert found.verdict == "DISAGREES" and "momentum = 0.5 mixes" in str(found)
    assert found.distance is None and found.error > 1e-4


def test_a_run_with_an_activation_is_refused():
    init = Initialization.random(CONNECTED, 0.5)
    run = gradient_descent(CONNECTED, PROBLEM, init, step=0.01, activation="relu", max_steps=5)
    with pytest.raises(InvalidInputError, match="activation"):
        compare(run, LIMIT)


def test_a_run_of_small_scale():
    run = gradient_descent(CONNECTED, PROBLEM, SMALL, step=0.02)
    limit = predict_limit(CONNECTED, PROBLEM, SMALL)
    assert limit.kind == "small-scale limit"
    found = compare(run, limit)
    assert found.agrees and found.distance > 1e-3
    plain = compare(run.final_coefficients, limit)
    assert not plain.agrees and plain.error > 1e-3
    assert compare(run.final_coefficients, limit, agreement=0.5).agrees


def test_a_run_of_a_classification():
    run = gradient_descent(NETWORK, CLASSES, INIT, step=0.1, over_loss=True, until_margin=1e6)
    limit = predict_limit(NETWORK, CLASSES, INIT)
    found = compare(run, limit)
    assert found.agrees and found.error <= 1e-5
    plain = compare(7.0 * run.final_coefficients, limit)
    assert plain.error == pytest.approx(found.error, rel=1e-3)
    assert not plain.agrees and compare(plain.flow.final_coefficients, limit, agreement=1e-4).agrees
    with pytest.raises(InvalidInputError, match="no direction"):
        compare(np.zeros(6), limit)
    with pytest.raises(InvalidInputError, match="different problems"):
        compare(run, LIMIT)
    with pytest.raises(InvalidInputError, match="different problems"):
        compare(RUN, limit)


@pytest.mark.parametrize("given", [np.asarray, list, lambda beta: beta.astype(np.float32)])
def test_plain_coefficients(given):
    found = compare(given(LIMIT.coefficients), LIMIT, agreement=1e-6)
    assert found.agrees and found.trained and list(found.pairs) == ["coefficients - limit"]
    assert found.flow.outcome is Outcome.GIVEN and found.effective is None
    moved = LIMIT.coefficients + 1e-3
    assert compare(given(moved), LIMIT).verdict == "DISAGREES"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (np.ones(5), "5 coefficients and the limit 6"),
        (np.full(6, np.nan), "flow contains nan"),
        (np.ones((6, 1)), "flow has shape"),
        ("a", "flow"),
        (LIMIT, "flow is a Limit"),
    ],
)
def test_what_is_no_end_of_training(given, told):
    with pytest.raises(InvalidInputError, match=told):
        compare(given, LIMIT)


def test_coefficients_given_are_not_kept():
    beta = LIMIT.coefficients.copy()
    found = compare(beta, LIMIT)
    beta[:] = 0.0
    assert found.flow.final_coefficients.any()


def test_a_round_trip_keeps_effective_start_and_sharpness(tmp_path):
    save(RUN, tmp_path / "run.json")
    again = load(tmp_path / "run.json")
    assert isinstance(again, Run) and again.sharpness == RUN.sharpness
    for one, other in zip(again.effective.parameters, RUN.effective.parameters, strict=True):
        assert np.array_equal(one, other)
    assert np.array_equal(again.effective.offset_factors, RUN.effective.offset_factors)
    assert np.array_equal(again.dual, RUN.dual) and np.array_equal(again.steps, RUN.steps)
    assert again.trained_on is None
    found = compare(again, LIMIT)
    assert found.verdict == "undecided" and not found.agrees
    assert "does not know its network" in str(found) and "run.effective_start" in str(found)
    save(found, tmp_path / "undecided.json")
    assert str(load(tmp_path / "undecided.json")) == str(found)
    assert compare(again, predict_limit(NETWORK, PROBLEM, again.effective_start)).agrees
    comparison = compare(RUN, LIMIT)
    save(comparison, tmp_path / "comparison.json")
    kept = load(tmp_path / "comparison.json")
    assert kept.verdict == "agrees" and kept.distance == comparison.distance


def test_a_loaded_run_without_an_effective_start_keeps_the_reason(tmp_path):
    heavy = gradient_descent(NETWORK, PROBLEM, INIT, step=0.02, momentum=0.5, max_steps=5)
    save(heavy, tmp_path / "run.json")
    assert load(tmp_path / "run.json").effective.reason == heavy.effective.reason


def test_a_loaded_run_that_has_not_come_to_its_end_disagrees(tmp_path):
    save(gradient_descent(NETWORK, PROBLEM, INIT, step=0.02, max_steps=5), tmp_path / "run.json")
    assert compare(load(tmp_path / "run.json"), LIMIT).verdict == "DISAGREES"


def test_smaller_steps_tend_to_the_flow():
    distances = []
    for step in (0.08, 0.04, 0.02):
        run = gradient_descent(NETWORK, PROBLEM, INIT, step=step)
        distances.append(compare(run, LIMIT).distance)
    ratios = np.array(distances[:-1]) / distances[1:]
    assert np.all((ratios > 1.7) & (ratios < 2.4))
    flow = gradient_flow(NETWORK, PROBLEM, INIT)
    assert compare(flow, LIMIT).agrees and compare(flow, LIMIT).effective is None
