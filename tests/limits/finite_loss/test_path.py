"""Events on the way: held against multipliers that never fall, followed event by event."""

import numpy as np
import pytest

import implicitbias as ib
from reference.margin_walk import Walk, one_sided


def drawn(seed, n, d, near):
    """Points of which half, at a distance ``near``, are about the others; any if 0."""
    rng = np.random.default_rng(seed)
    X, half = rng.standard_normal((n, d)), n // 2
    if near:
        X[half : 2 * half] = X[:half] + near * rng.standard_normal((half, d))
    return X, np.sign(X @ rng.standard_normal(d))


def path_of(X, y, depth, ratios):
    d = X.shape[1]
    start = [np.ones(d)] * (depth - 1) + [np.zeros(d)]
    network = ib.DiagonalNetwork(d, depth)
    return ib.margin_path(network, ib.Classification(X, y), start, ratios)


CASES = [
    (7, 6, 6, 0.0, 3),
    (13, 6, 7, 0.0, 3),
    (24, 5, 8, 0.0, 2),
    (14, 7, 8, 1e-2, 4),
    (28, 9, 7, 1e-4, 3),
    (29, 10, 8, 1e-5, 4),
    (41, 10, 5, 1e-5, 4),
]


@pytest.mark.parametrize(("seed", "n", "d", "near", "depth"), CASES)
def test_right_after_departures_and_further_on(seed, n, d, near, depth):
    X, y = drawn(seed, n, d, near)
    Z = y[:, None] * X
    ahead = Walk(Z, one_sided(depth))
    ahead.to(1e-2)
    left = np.exp(-np.array(ahead.left))
    assert left.size
    ratios = np.sort(np.concatenate([0.9995 * left, 0.5 * left]))[::-1]
    walk = Walk(Z, one_sided(depth))
    path = path_of(X, y, depth, ratios)
    for ratio, limit in zip(ratios, path.limits, strict=True):
        expected = walk.to(ratio)
        expected = expected / (Z @ expected).min()
        apart = np.abs(limit.coefficients - expected).max() / np.abs(expected).max()
        assert apart <= 5.0 * limit.certificate.error + 1e-12, ratio
    assert path.errors.max() <= 1e-9
    gaps = np.abs(path.departures[:, None] / np.exp(-np.array(walk.left)) - 1.0)
    assert gaps.min(axis=0).max() <= 1e-4  # of near copies the place is not well determined
    if not near:
        assert path.departures == pytest.approx(np.exp(-np.array(walk.left)), rel=1e-8)


def test_the_answer_does_not_depend_on_the_other_ratios():
    X, y = drawn(13, 6, 7, 0.0)
    alone = path_of(X, y, 3, [0.01])
    along = path_of(X, y, 3, [*np.geomspace(3.0, 0.0101, 15), 0.01])
    assert along.coefficients[-1] == pytest.approx(alone.coefficients[0], abs=1e-12)
    assert along.departures == pytest.approx(alone.departures, rel=1e-8)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_points_whose_margins_hang_together(depth):
    """z_1 + z_2 = z_3 + z_4: all four share the smallest margin, and one is superfluous."""
    corners = np.array([[1.0, 1, 0, 0], [0, 0, 1, 1], [1, 0, 1, 0], [0, 1, 0, 1]])
    X = np.vstack([corners, corners[::-1], [[2.0, 1.0, 0.0, 3.0]]])
    path = path_of(X, np.ones(9), depth, [10.0, 0.3, 1e-3])
    assert path.coefficients == pytest.approx(np.full((3, 4), 0.5), abs=1e-13)
    assert path.departures.size == 0
