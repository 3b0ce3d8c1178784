"""Ties, label noise and momentum in explain's list, and that what they say is so."""

import numpy as np
import pytest

from implicitbias import (
    Classification,
    DiagonalNetwork,
    FullyConnectedNetwork,
    Initialization,
    Regression,
    TwoSidedDiagonalNetwork,
    compare,
    explain,
    gradient_descent,
    limit_path,
    predict_limit,
)

NETWORK = DiagonalNetwork(3, 2)
TIED = Classification([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]], [1.0, 1.0])
START = Initialization([[1.0, 2.0, 1.0], [0.0, 0.0, 0.0]], scale=1.0)
TARGETS = Regression([[1.0, 2.0, 0.0], [0.0, 1.0, 1.0]], [1.0, 0.5])


def test_several_max_margin_points():
    """eta = (1, 2, 1) ends at (.2, .8, 1): equal columns keep the ratio of their offsets."""
    finding = explain(NETWORK, TIED, START)["ties of max margins"]
    assert finding.standing == "applies"
    limit = predict_limit(NETWORK, TIED, START)
    np.testing.assert_allclose(limit.coefficients, [0.2, 0.8, 1.0], rtol=1e-12)
    alone = Classification([[1.0, 0.5, 0.0], [0.0, 0.3, 1.0]], [1.0, 1.0])
    finding = explain(NETWORK, alone, START)["ties of max margins"]
    assert finding.standing == "does not apply"
    assert finding.assumptions[-1].fails


@pytest.mark.parametrize(
    ("network", "start"),
    [
        (DiagonalNetwork(3, 3), Initialization([np.ones(3)] * 2 + [np.zeros(3)], 1.0)),
        (FullyConnectedNetwork((3, 2)), Initialization([np.ones((3, 2)), np.ones(2)], 1.0)),
    ],
)
def test_ties_are_of_networks_of_degree_two_that_decouple(network, start):
    assert explain(network, TIED, start)["ties of max margins"].standing == "does not apply"


def test_classes_that_no_point_separates():
    problem = Classification([[1.0, 0.0, 0.0], [2.0, 0.0, 0.0]], [1.0, -1.0])
    finding = explain(NETWORK, problem, START)["ties of max margins"]
    assert finding.assumptions[-1].detail == "no point separates the classes"


def test_two_sided_networks_too():
    network = TwoSidedDiagonalNetwork(3, 2)
    start = Initialization([np.ones(3), np.ones(3)], 0.5)
    assert explain(network, TIED, start)["ties of max margins"].standing == "applies"
    told = explain(network, TARGETS, start)
    assert told["ties at scale 0"].standing == told["momentum"].standing == "applies"
    assert told["label noise"].standing == "does not apply"  # the offsets of products of layers


def test_ties_at_scale_zero():
    """X = [[1, 2]], y = 2, L = 3, eta = (1, 1/2) ends at (1.6, 0.2)."""
    network = DiagonalNetwork(2, 3)
    problem = Regression([[1.0, 2.0]], [2.0])
    start = Initialization([[1.0, 0.5], [1.0, 0.5], [0.0, 0.0]], scale=0.1)
    assert explain(network, problem, start)["ties at scale 0"].standing == "applies"
    end = limit_path(network, problem, start, [0.0]).coefficients[0]
    np.testing.assert_allclose(end, [1.6, 0.2], rtol=1e-12)


def test_label_noise_of_small_steps_shrinks_the_offsets():
    """By exp(-gamma int g^2 dt), to the order of the steps."""
    assert explain(NETWORK, TARGETS, START)["label noise"].standing == "applies"
    start = Initialization(START.directions, scale=0.5)
    off = []
    for step in (4e-3, 1e-3):
        steps = round(4e-3 / step**2)
        rng = np.random.default_rng(0)
        u, v = (np.array(layer) for layer in start.parameters())
        offsets, logs = u**2 - v**2, np.zeros(3)
        for _ in range(steps):
            r = TARGETS.X @ (u * v) - TARGETS.y - 0.5 * rng.standard_normal(2)
            g = TARGETS.X.T @ r
            u, v = u - step * g * v, v - step * g * u
            logs -= step**2 * g**2
        off.append(np.abs(np.log((u**2 - v**2) / offsets) / logs - 1.0).max())
    assert off[1] < 0.5 * off[0]
    assert off[1] < 1e-4


def test_momentum_of_small_steps_ends_at_the_flow_s_limit():
    assert explain(NETWORK, TARGETS, START)["momentum"].standing == "applies"
    limit = predict_limit(NETWORK, TARGETS, START)
    errors = []
    for step in (4e-3, 1e-3):
        run = gradient_descent(NETWORK, TARGETS, START, step=step, momentum=0.8)
        errors.append(compare(run, limit).error)
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.2)
    assert errors[1] < 0.05
