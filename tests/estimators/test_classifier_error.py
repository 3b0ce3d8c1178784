"""FlowLimitClassifier.error_ is never more than ten times too small, for coef_ and intercept_."""

from __future__ import annotations

import numpy as np
import pytest

from implicitbias.estimators import FlowLimitClassifier
from reference.precise_faces import l1_direction, l2_direction

ROUNDING = 1e-15


def angle(found, expected):
    return np.linalg.norm(found / np.linalg.norm(found) - expected / np.linalg.norm(expected))


def check(X, labels, network):
    model = FlowLimitClassifier(network, free_intercept=False).fit(X, labels)
    rows = labels[:, None] * np.column_stack([X, np.ones(len(X))])
    layers = [np.ones(rows.shape[1]), np.zeros(rows.shape[1])]
    if network == "diagonal":
        expected = np.array(l1_direction(rows.tolist(), layers)[0])
    else:
        expected = np.array(l2_direction(rows.tolist()))
    allowed = max(10 * model.error_, ROUNDING)
    assert model.converged_
    assert angle(model.coef_[0], expected[:-1]) <= allowed
    assert angle(np.append(model.coef_, model.intercept_), expected) <= allowed


@pytest.mark.parametrize("network", ["diagonal", "fully_connected"])
@pytest.mark.parametrize("seed", range(12))
def test_an_intercept_far_larger_than_the_coefficients(seed, network):
    """Of the two as one direction the certificate says nothing of the smaller part."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((4, 3)) * 10.0 ** rng.integers(-4, 5, (4, 1))
    labels = np.sign((X - X.mean(axis=0)) @ rng.standard_normal(3))
    check(X, labels, network)


@pytest.mark.parametrize("network", ["diagonal", "fully_connected"])
@pytest.mark.parametrize("seed", range(12))
def test_features_with_an_offset(seed, network):
    """b = level - c^T beta would lose the digits that b has where the level is as it was found."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((3, 4)) + np.array([1e4, 0.0, 1e6, 0.0])
    labels = np.sign((X - X.mean(axis=0)) @ rng.standard_normal(4))
    check(X, labels, network)
