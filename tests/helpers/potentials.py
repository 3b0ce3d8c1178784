"""Random potential problems shared by the tests of limits/."""

from __future__ import annotations

import numpy as np

from implicitbias.coordinates import Curves
from implicitbias.limits import PotentialProblem


def theorem5_start(eta, depth):
    """v_l = eta for l < L and v_L = 0, as an (L, m) array."""
    start = np.tile(eta, (depth, 1))
    start[-1] = 0.0
    return start


def random_problem(seed, depth, scale, num_rows=3, num_coordinates=8):
    """Gaussian Z and y with Theorem 5's start of uneven eta; returns the problem and eta."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(num_rows, num_coordinates))
    target = rng.normal(size=num_rows)
    eta = rng.uniform(0.3, 2.0, num_coordinates)
    curves = Curves.from_start(theorem5_start(eta, depth), np.log(scale))
    return PotentialProblem(features, target, curves), eta
