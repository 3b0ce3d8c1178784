"""Random classification problems whose answer is known by construction."""

import numpy as np


def unit(rng, size):
    vector = rng.standard_normal(size)
    return vector / np.linalg.norm(vector)


def with_margin(rng, num_points, num_features, margin):
    """Separable, best l2 margin within rounding of at most ``margin`` (d >= 2, n >= 3).

    All heights over a hyperplane are at least ``margin``; two points at that height lie opposite
    to each other in the hyperplane.
    """
    normal = unit(rng, num_features)
    Z = rng.standard_normal((num_points, num_features))
    Z[1] = -Z[0]
    heights = margin * (1 + rng.exponential(size=num_points))
    far = rng.random(num_points) < 0.5
    heights[far] += np.abs(rng.standard_normal(int(far.sum())))
    heights[:2] = margin
    for _ in range(2):  # twice, to rounding
        Z += np.outer(heights - Z @ normal, normal)
    return _labelled(rng, Z)


def around_origin(rng, num_features, depth, extra):
    """Not separable: a simplex with the origin at about ``depth`` inside one of its faces."""
    simplex = rng.standard_normal((num_features + 1, num_features))
    weights = rng.uniform(0.1, 1.1, num_features + 1)
    weights[0] *= depth
    weights /= weights.sum()
    for _ in range(2):
        simplex -= weights @ simplex
    return _labelled(rng, np.vstack([simplex, rng.standard_normal((extra, num_features))]))


def flat_around_origin(rng, num_features, depth):
    """Not separable: points on both sides of a hyperplane, all within about ``depth`` of it."""
    count = 4 * num_features + 4
    normal = unit(rng, num_features)
    Z = rng.standard_normal((count, num_features))
    heights = depth * rng.uniform(0.1, 1, count)
    Z, heights = (
        np.vstack([Z, -Z]),
        np.concatenate([heights, -heights * rng.uniform(0.5, 2, count)]),
    )
    for _ in range(2):
        Z += np.outer(heights - Z @ normal, normal)
    return _labelled(rng, Z)


def _labelled(rng, Z):
    y = rng.choice([-1.0, 1.0], len(Z))
    order = rng.permutation(len(Z))
    return (y[:, None] * Z)[order], y[order]
