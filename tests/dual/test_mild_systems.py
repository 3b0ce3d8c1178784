"""Systems of mild weights: by single precision, and with what data alone decide remembered."""

from __future__ import annotations

import numpy as np
import pytest

from implicitbias.dual import Slopes, mild_system
from implicitbias.features import Dense


def system_of(Z, weights, **rough):
    none = np.zeros(weights.size)
    return mild_system(Z, Slopes(np.log(weights), none, none), **rough)


def data(seed=0):
    rng = np.random.default_rng(seed)
    return Dense(rng.standard_normal((40, 500))), rng.uniform(0.1, 1.0, 500), rng


def test_single_precision_solves_to_some_digits():
    Z, weights, rng = data()
    target, none = rng.standard_normal(40), np.zeros(500)
    exact = system_of(Z, weights).solve(target, none)
    rough = system_of(Z, weights, rough=True).solve(target, none)
    for found, expected in zip(rough, exact, strict=True):
        apart = np.abs(found - expected).max() / np.abs(expected).max()
        assert 1e-10 < apart < 1e-4


@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_data_beyond_single_precision_are_factored_in_double(unit):
    Z, weights, _ = data()
    assert Dense(Z.toarray() * unit).rough_gram(weights) is None


def test_ill_conditioned_rows_are_factored_in_double():
    Z, weights, rng = data()
    near = Z.toarray().copy()
    near[1] = near[0] + 1e-3 * rng.standard_normal(500)
    exact, rough = system_of(Dense(near), weights), system_of(Dense(near), weights, rough=True)
    assert rough.rcond == exact.rcond < 3e-6


def test_the_gram_matrix_of_the_data_is_made_once(monkeypatch):
    Z, _, rng = data(1)
    calls, gram = [], Dense.gram
    monkeypatch.setattr(Dense, "gram", lambda self, w: (calls.append(1), gram(self, w))[1])
    target, none = rng.standard_normal(40), np.zeros(500)
    first, second = (system_of(Z, np.full(500, c)).solve(target, none) for c in (1.0, 1e-30))
    assert len(calls) == 1
    np.testing.assert_allclose(second[1] * 1e-30, first[1], rtol=1e-12)


def test_large_targets_and_weights_are_multiplied_by_their_logarithms():
    Z, weights, rng = data(2)
    target, none = rng.standard_normal(40), np.zeros(500)
    log_top = 600.0
    far = mild_system(Z, Slopes(np.log(weights) + log_top, none, none))
    near = system_of(Z, weights)
    np.testing.assert_allclose(
        far.solve(target * np.exp(log_top), none)[1], near.solve(target, none)[1], rtol=1e-10
    )
