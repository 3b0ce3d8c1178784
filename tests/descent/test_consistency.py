"""A dual recorded elsewhere that is not of gradient descent to the end is noticed."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from implicitbias.comparison import compare
from implicitbias.descent import DualRecorder, Run, gradient_descent
from implicitbias.initialization import Initialization
from implicitbias.networks import (
    DiagonalNetwork,
    FullyConnectedNetwork,
    Network,
    TwoSidedDiagonalNetwork,
)
from implicitbias.problems import Regression
from implicitbias.theorems import predict_limit

FAULTS = ("none", "lr", "skipped", "indices", "momentum", "clipping")
KINDS = ["L2", "L3", "L4", "two-sided 2", "two-sided 3", "two-sided 4", "one point"]


def situation(kind, seed=0):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((4, 9)) / 3.0, rng.standard_normal(4)
    if kind == "one point":
        network: Network = FullyConnectedNetwork((9, 3))
        layers = [0.4 * rng.standard_normal(shape) for shape in network.parameter_shapes]
        return network, Regression(X[:1], y[:1]), layers
    size = int(kind[-1])
    network = (DiagonalNetwork if kind[0] == "L" else TwoSidedDiagonalNetwork)(9, size)
    layers = [rng.uniform(0.5, 1.0, 9) for _ in network.parameter_shapes]
    return network, Regression(X, y), layers


def trained(kind, fault, steps=500, dtype=np.float64, seed=0):
    """A loop of one's own, and what goes wrong in it."""
    network, problem, start = situation(kind, seed)
    recorder, rng = DualRecorder(problem.num_points), np.random.default_rng(seed)
    layers = [layer.astype(dtype) for layer in start]
    velocity = [np.zeros_like(layer) for layer in layers]
    start = [layer.astype(float) for layer in layers]
    for k in range(steps):
        points = rng.permutation(problem.num_points)[:2]
        outputs = problem.X[points] @ network.coefficients(layers)
        pulls = outputs - problem.y[points]
        gradients = network.stacked_gradients(
            tuple(layer[None].astype(float) for layer in layers), (pulls @ problem.X[points])[None]
        )
        gradients = [gradient[0] for gradient in gradients]
        if fault != "skipped" or k % 4:
            recorded = points[::-1] if fault == "indices" else points
            recorder.add(pulls, 0.02 * (1.2 if fault == "lr" else 1.0), recorded)
        norm = np.sqrt(sum((gradient**2).sum() for gradient in gradients))
        clip = min(1.0, 0.3 / norm) if fault == "clipping" else 1.0
        for layer, speed, gradient in zip(layers, velocity, gradients, strict=True):
            speed *= 0.7 if fault == "momentum" else 0.0
            speed += (clip * gradient).astype(dtype)
            layer -= dtype(0.02) * speed
    return network, problem, start, layers, recorder.dual


@pytest.mark.parametrize(
    ("kind", "fault"),
    [each for each in product(KINDS, FAULTS) if each != ("one point", "indices")],  # it has one
)
def test_faults_of_recorders_are_noticed(kind, fault):
    network, problem, start, end, dual = trained(kind, fault)
    run = Run.from_weights(network, problem, [start, end], dual)
    if fault == "none":
        assert run.effective.parameters is not None, run.effective.reason
        return
    assert run.effective.parameters is None
    assert "every step was recorded once" in run.effective.reason


@pytest.mark.parametrize("kind", KINDS)
def test_single_precision_is_no_fault(kind):
    for seed in range(2):
        network, problem, start, end, dual = trained(kind, "none", dtype=np.float32, seed=seed)
        run = Run.from_weights(network, problem, [start, end], dual)
        assert run.effective.parameters is not None, run.effective.reason


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 3, 400])
def test_runs_of_gradient_descent_are_never_refused(kind, count):
    for seed, step in enumerate((0.001, 0.01, 0.05, 0.1)):
        network, problem, start = situation(kind, seed)
        init = Initialization(start, 1.0)
        size = None if problem.num_points == 1 else seed % 2 + 1
        run = gradient_descent(
            network,
            problem,
            init,
            step=step,
            batch_size=size,
            label_noise=0.1 * seed,
            max_steps=count,
            seed=seed,
        )
        if run.effective.parameters is None:
            assert step >= 0.05, run.effective.reason
            continue
        again = Run.from_weights(network, problem, [start, run.final_parameters], run.dual)
        assert again.effective.parameters is not None, again.effective.reason


def test_a_comparison_says_so_instead_of_agreeing():
    network, problem, start, end, dual = trained("L3", "momentum", steps=4000)
    limit = predict_limit(network, problem, Initialization(start, 1.0))
    found = compare(Run.from_weights(network, problem, [start, end], dual), limit)
    assert found.verdict == "DISAGREES" and "every step was recorded once" in str(found)


def test_starts_without_offsets_are_not_judged():
    network, problem, _ = situation("L2")
    start = [np.full(9, 0.5), np.full(9, 0.5)]
    run = gradient_descent(network, problem, Initialization(start, 1.0), step=0.05, max_steps=30)
    again = Run.from_weights(network, problem, [start, run.final_parameters], 1.1 * run.dual)
    assert again.effective.parameters is not None


def test_steps_that_take_u_or_v_below_0_have_a_reason():
    network, problem, start = situation("two-sided 3")
    run = gradient_descent(
        network, problem, Initialization(start, 1.0), step=np.array([3.0]), max_steps=1
    )
    assert "in u or v" in run.effective.reason and "D = 3" in run.effective.reason
