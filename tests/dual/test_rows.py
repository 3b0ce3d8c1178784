"""Rows combined for weights of any range."""

from __future__ import annotations

import numpy as np
import pytest
from flint import fmpq, fmpq_mat

from implicitbias.dual._newton import Slopes, newton_system, weighted_gram
from implicitbias.dual._rows import as_given, heaviest_rows, sharpened
from implicitbias.features import as_features


def test_combined_rows_are_the_same_system():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(6, 20))
    log_weights = rng.uniform(-400, 0, 20)
    rows = heaviest_rows(as_features(features), log_weights)
    np.testing.assert_array_equal(rows.features.columns(rows.basis), np.eye(6))
    np.testing.assert_allclose(
        features[:, rows.basis] @ rows.features.toarray(), features, atol=1e-12
    )
    y, nu = rng.normal(size=6), rng.normal(size=6)
    np.testing.assert_allclose(features[:, rows.basis] @ rows.target(y), y, atol=1e-12)
    back = rows.dual_as_given(rows.dual_from_given(nu, as_features(features)))
    np.testing.assert_allclose(back, nu, atol=1e-12)


def test_the_basis_is_the_heaviest_independent_set():
    features = np.array([[1.0, 1.0, 0.0, 1.0], [0.0, 0.0, 1.0, 1.0]])
    weights = np.array([0.0, -1.0, -900.0, -2000.0])  # columns 0 and 1 are equal
    assert set(heaviest_rows(as_features(features), weights).basis) == {0, 2}


def test_dependent_rows_are_refused():
    features = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    assert heaviest_rows(as_features(features), np.array([0.0, -50.0, -100.0])) is None


def test_gram_in_blocks(monkeypatch):
    rng = np.random.default_rng(1)
    features, weights = rng.normal(size=(5, 33)), rng.uniform(size=33)
    monkeypatch.setattr("implicitbias.features._dense.GRAM_BLOCK", 35)
    np.testing.assert_allclose(
        weighted_gram(as_features(features), weights), (features * weights) @ features.T, rtol=1e-13
    )


@pytest.mark.parametrize("spread", [1.0, 20.0, 60.0, 500.0])
def test_newton_step_solves_the_linearised_equations(spread):
    rng = np.random.default_rng(2)
    features = rng.normal(size=(4, 15))
    slopes = Slopes(rng.uniform(-spread, 0, 15), rng.uniform(-5, 0, 15), rng.uniform(-1, 0, 15))
    rise = np.exp(slopes.log_rho)
    missing, mismatch = (features * rise) @ rng.normal(size=15), rng.normal(size=15)
    system = newton_system(as_features(features), as_given(as_features(features)), slopes)
    dt, dnu = system.solve(system.rows.target(missing), mismatch)
    size = np.max(np.abs(features * rise) @ np.abs(dt))
    np.testing.assert_allclose((features * rise) @ dt, missing, atol=1e-9 * size)
    nu = system.rows.dual_as_given(dnu)
    ratio = np.exp(slopes.log_u - slopes.log_a)
    expected = features.T @ nu + ratio * mismatch
    scale = np.abs(features.T) @ np.abs(nu)
    np.testing.assert_allclose(ratio * dt, expected, atol=1e-9 * scale.max())


def test_sharpened_rows_have_all_digits():
    """B^{-1} Z of time stamps, against rationals."""
    rng = np.random.default_rng(2)
    features = np.round(rng.standard_normal((4, 7)) * 16) / 16
    features[:, :3] = 1.7e12 + 16e3 * rng.permutation(12).reshape(4, 3)
    given = as_features(features)
    rows = heaviest_rows(given, np.zeros(7))
    square = fmpq_mat([[fmpq(*v.as_integer_ratio()) for v in row] for row in features.tolist()])
    part = fmpq_mat([[row[int(j)] for j in rows.basis] for row in square.tolist()])
    exact = [[int(v.p) / int(v.q) for v in row] for row in part.solve(square).tolist()]
    assert np.abs(rows.features.toarray() - exact).max() > 1e-12
    sharp = sharpened(rows, given, given.precise)
    np.testing.assert_allclose(sharp.features.toarray(), exact, rtol=1e-12, atol=1e-15)
    assert sharp.sharp
    assert sharpened(sharp, given, given.precise).features is sharp.features
