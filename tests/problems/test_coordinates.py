"""Coordinates of linear programs: equivalent rows, and separators that carry over."""

import numpy as np
import pytest

from implicitbias.problems._coordinates import compressed, equilibrated
from implicitbias.problems._evidence import SignedRows


def nearly_dependent(rng, num_points, num_features, distance):
    X = rng.standard_normal((num_points, num_features))
    X[-1] = X[:-1].mean(axis=0) + distance * rng.standard_normal(num_features)
    return X


@pytest.mark.parametrize("coordinates", [compressed, equilibrated])
@pytest.mark.parametrize("distance", [1.0, 1e-5])
def test_margins_carry_over(coordinates, distance):
    rng = np.random.default_rng(0)
    X = nearly_dependent(rng, 12, 30, distance) * 10.0 ** rng.uniform(-3, 3, 30)
    X *= 10.0 ** rng.uniform(-90, 90, (12, 1))
    y = rng.choice([-1.0, 1.0], 12)
    space = coordinates(SignedRows(X, y))
    np.testing.assert_allclose(np.linalg.norm(space.rows, axis=1), 1, rtol=1e-14)
    wanted = rng.uniform(1, 2, 12)
    vector = np.linalg.lstsq(space.rows, wanted)[0]
    lifted = space.lift(vector)
    margins = y * (X @ lifted) / np.linalg.norm(X, axis=1)
    # lengths are those of rows scaled by powers of two
    ratios = margins / (wanted * space.lengths)
    ratios /= np.ldexp(1.0, SignedRows(X, y).exponents) / np.linalg.norm(X, axis=1)
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-9)


@pytest.mark.parametrize("coordinates", [compressed, equilibrated])
def test_null_weights_carry_over(coordinates):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((5, 8)) * 10.0 ** rng.uniform(-3, 3, 8)
    weights = rng.uniform(0.1, 1, 5)
    X[-1] = -(weights[:-1] @ X[:-1]) / weights[-1]
    space = coordinates(SignedRows(X, np.ones(5)))
    left = np.linalg.svd(space.rows.T)[2][-1]
    raw = left / space.lengths * np.ldexp(1.0, -SignedRows(X, np.ones(5)).exponents)
    np.testing.assert_allclose(raw / raw.sum(), weights / weights.sum(), rtol=1e-9)
