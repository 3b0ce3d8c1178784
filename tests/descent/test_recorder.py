"""DualRecorder and Run.from_weights: runs that were made elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.descents import regression, separable
from implicitbias._errors import InvalidInputError, NoPredictionError, Outcome
from implicitbias.descent import DualRecorder, Run, gradient_descent
from implicitbias.initialization import Initialization


def elsewhere(family="diagonal", batch=2, steps=400):
    """A loop of one's own: its snapshots and what it recorded, beside the same run."""
    network, problem, init = regression(family)
    layers = [layer.copy() for layer in init.parameters()]
    recorder, snapshots = DualRecorder(problem.num_points), [layers]
    rng = np.random.default_rng(0)
    for _ in range(steps):
        points = [int(i) for i in rng.permutation(problem.num_points)[:batch]]
        outputs = problem.X[points] @ network.coefficients(layers)
        pulls = 2.0 * (outputs - problem.y[points]) / batch
        gradients = network.stacked_gradients(
            tuple(layer[None] for layer in layers), (pulls @ problem.X[points])[None]
        )
        recorder.add(pulls, 0.02, points)
        layers = [v - 0.02 * g[0] for v, g in zip(layers, gradients, strict=True)]
        snapshots.append(layers)
    return network, problem, snapshots, recorder


def test_a_recorded_loop_has_its_effective_start():
    network, problem, init = regression("diagonal")
    run = gradient_descent(network, problem, init, step=0.05, max_steps=6000)
    recorder = DualRecorder(4)
    layers = list(init.parameters())
    for _ in range(run.num_steps):
        residuals = problem.X @ np.prod(layers, axis=0) - problem.y
        recorder.add(residuals[:, None], 0.05)
        driver = problem.X.T @ residuals
        layers = [
            v - 0.05 * driver * np.delete(layers, at, axis=0).prod(axis=0)
            for at, v in enumerate(layers)
        ]
    assert recorder.num_steps == run.num_steps
    np.testing.assert_allclose(recorder.dual, run.dual, rtol=1e-11)
    made = Run.from_weights(network, problem, [init.parameters(), layers], recorder.dual)
    for one, other in zip(
        made.effective_start.parameters(), run.effective_start.parameters(), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(
        made.effective.offset_factors, run.effective.offset_factors, rtol=1e-10
    )
    assert made.outcome is run.outcome is Outcome.RESIDUAL_REACHED
    assert made.sharpness == pytest.approx(run.sharpness, rel=1e-8)
    assert made.residual == pytest.approx(run.residual, abs=1e-13)


@pytest.mark.parametrize(
    "batch", [[2, 0], (2, 0), np.array([2, 0]), np.array([2, 0], np.uint8), [[2], [0]], [2.0, 0.0]]
)
def test_batches_of_any_kind(batch):
    recorder = DualRecorder(3)
    recorder.add([1.0, 2.0], 0.5, batch)
    assert recorder.dual.tolist() == [-1.0, 0.0, -0.5]
    recorder.add([1.0, 1.0], 1.0, [1, 1])
    assert recorder.dual.tolist() == [-1.0, -2.0, -0.5] and recorder.num_steps == 2


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (([1.0, 1.0], 0.1, [0, 3]), "expected indices from 0 to 2"),
        (([1.0, 1.0], 0.1, [-1, 0]), "expected indices from 0 to 2"),
        (([1.0, 1.0], 0.1, [0.5, 0]), "expected indices"),
        (([1.0, 1.0], 0.1, [True, False]), "expected indices"),
        (([1.0, 1.0], 0.1), "2 entries for 3 points"),
        (([1.0], 0.1, [0, 1]), "1 entries for 2 points"),
        (([np.nan] * 3, 0.1), "nan at index 0"),
        (([1.0] * 3, -0.1), "step is -0.1"),
        (([1.0] * 3, np.nan), "step is nan"),
        (([[1.0], [1.0, 2.0]], 0.1), "not a rectangular array"),
        (("a", 0.1), "not numeric"),
    ],
)
def test_what_a_recorder_refuses(given, told):
    recorder = DualRecorder(3)
    with pytest.raises(InvalidInputError, match=told):
        recorder.add(*given)
    assert not recorder.dual.any() and recorder.num_steps == 0


def test_sums_are_compensated_and_not_shared():
    recorder = DualRecorder(1)
    for _ in range(1000):
        recorder.add([0.1], 1.0)
    exact = -1000 * 0.1
    assert abs(recorder.dual[0] - exact) <= 2e-14
    recorder.dual[:] = 7.0
    assert abs(recorder.dual[0] - exact) <= 2e-14


def test_batches_recorded_elsewhere():
    network, problem, snapshots, recorder = elsewhere()
    run = Run.from_weights(
        network, problem, snapshots[::50], recorder.dual, steps=range(0, 401, 50)
    )
    assert run.num_steps == 400 and run.steps.tolist() == list(range(0, 401, 50))
    assert run.outcome is Outcome.STEP_LIMIT and run.times.tolist() == run.steps.tolist()
    assert np.all(run.effective.offset_factors[~np.isnan(run.effective.offset_factors)] < 1.0)
    np.testing.assert_allclose(run.parameters[1][-1], snapshots[-1][1])
    assert "made elsewhere" in str(run)


def test_what_is_given_is_copied():
    network, problem, snapshots, recorder = elsewhere(steps=10)
    dual = recorder.dual
    run = Run.from_weights(network, problem, [snapshots[0], snapshots[-1]], dual)
    kept = run.dual.copy(), run.parameters[0].copy(), run.effective.offset_factors.copy()
    again = Run.from_weights(network, problem, [snapshots[0], snapshots[-1]], dual)
    dual[:] = 0.0
    for layer in (*snapshots[0], *snapshots[-1]):
        layer[:] = 9.0
    assert np.array_equal(again.dual, kept[0]) and np.array_equal(again.parameters[0], kept[1])
    np.testing.assert_array_equal(again.effective.offset_factors, kept[2])


def test_without_a_dual_or_with_an_obstacle_there_is_no_effective_start():
    network, problem, snapshots, recorder = elsewhere(steps=5)
    run = Run.from_weights(network, problem, snapshots)
    with pytest.raises(NoPredictionError, match="was not recorded"):
        _ = run.effective_start
    run = Run.from_weights(
        network, problem, snapshots, recorder.dual, obstacle="Adam mixes velocities"
    )
    with pytest.raises(NoPredictionError, match="Adam mixes velocities"):
        _ = run.effective_start
    assert run.outcome is Outcome.STEP_LIMIT


def test_classes_from_elsewhere():
    network, problem, init = separable("diagonal")
    run = gradient_descent(network, problem, init, step=0.01, max_steps=500, loss="logistic")
    sets = [[layer[at] for layer in run.parameters] for at in (0, -1)]
    made = Run.from_weights(network, problem, sets, run.dual, loss="logistic", reduction="mean")
    assert made.outcome is Outcome.MARGIN_REACHED and "margin" in made.message
    assert made.margins[-1] == run.margins[-1]
    assert made.log_losses[-1] == pytest.approx(run.log_losses[-1])
    assert made.sharpness == pytest.approx(run.sharpness / 4, rel=1e-6)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"snapshots": []}, "0 sets"),
        ({"snapshots": 5}, "snapshots is 5"),
        ({"snapshots": [[np.ones(6)] * 3]}, "1 sets"),
        ({"snapshots": [[np.ones(6)] * 3, [np.ones(6)] * 2]}, r"snapshots\[1\] has 2 layers"),
        ({"snapshots": [[np.ones(6)] * 3, [np.full(6, np.nan)] * 3]}, "contains nan"),
        ({"dual": np.ones(3)}, r"dual has shape \(3,\)"),
        ({"dual": np.full(4, np.nan)}, "dual contains nan"),
        ({"steps": [0, 1, 2]}, "steps has 3 entries"),
        ({"steps": [1, 0]}, "steps is"),
        ({"loss": "hinge"}, "loss is 'hinge'"),
        ({"reduction": "max"}, "reduction is 'max'"),
        ({"network": 3}, "network is a int"),
    ],
)
def test_what_from_weights_refuses(change, told):
    network, problem, _ = regression("diagonal")
    options = {"network": network, "problem": problem, "snapshots": [[np.ones(6)] * 3] * 2} | change
    with pytest.raises(InvalidInputError, match=told):
        Run.from_weights(**options)


def test_a_gradient_that_was_not_retained():
    with pytest.raises(
        InvalidInputError, match=r"output_gradient is None.*output\.retain_grad\(\)"
    ):
        DualRecorder(3).add(None, 0.1)


def test_a_recorder_says_how_far_it_is():
    recorder = DualRecorder(3)
    recorder.add([1.0, 1.0, 1.0], 0.1)
    assert repr(recorder) == "DualRecorder(num_points=3, num_steps=1)"


def test_the_recorder_itself_and_starts_may_be_given():
    network, problem, snapshots, recorder = elsewhere(steps=50)
    plain = Run.from_weights(network, problem, [snapshots[0], snapshots[-1]], recorder.dual)
    start, end = (Initialization(snapshots[at], 1.0) for at in (0, -1))
    named = {f"layers.{at}": layer for at, layer in enumerate(snapshots[-1])}
    for last in (end, named):
        run = Run.from_weights(network, problem, [start, last], recorder)
        np.testing.assert_array_equal(run.effective.scales, plain.effective.scales)
