"""The rank of large problems by products: a bound that holds, and dependence that is not missed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, random_array

import implicitbias as ib
from helpers.draws import normal
from implicitbias.features import Blocks, as_features
from implicitbias.problems._lanczos import _bound, exceeds
from implicitbias.problems._scaling import equilibration


@pytest.fixture
def large(monkeypatch):
    monkeypatch.setattr("implicitbias.features._large.MOST_ALWAYS", 5)


def least(X):
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    return np.linalg.eigvalsh(unit @ unit.T)[0]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from([2, 40, 90, 150]),
    st.floats(0.0, 6.0),
    st.floats(0.2, 4.0),
)
def test_what_is_proved_is_true(seed, n, spread, share):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 300)) * np.exp(-spread * rng.random(300))
    smallest = least(X)
    proved = exceeds(as_features(X), np.zeros(n, dtype=int), None, share * smallest)
    assert not (proved and share > 1.0 + 1e-9)


def test_well_conditioned_rows_are_proved_independent():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 2000)) * np.ldexp(1.0, rng.integers(-30, 30, 200))[:, None]
    features = as_features(X)
    assert exceeds(features, *equilibration(features), 0.3)
    assert not exceeds(features, *equilibration(features), 0.9)
    scaled = features.scaled(None, np.ldexp(1.0, rng.integers(-30, 30, 2000)))
    assert exceeds(scaled, *equilibration(scaled), 0.3)


def test_too_few_steps_prove_nothing():
    assert _bound(np.ones(8), np.zeros(7), 100) == -np.inf
    assert _bound(np.ones(200), np.zeros(199), 100) == 1.0


def test_dependent_rows_are_not_proved():
    X = normal(0, (200, 2000))[0]
    X[7] = X[3] - 2.0 * X[4]
    assert not exceeds(as_features(X), np.zeros(200, dtype=int), None, 0.0)
    X[7] = 0.0
    assert not exceeds(as_features(X), np.zeros(200, dtype=int), None, 0.0)


@pytest.mark.parametrize("kind", ["dense", "sparse", "blocks"])
def test_ranks(large, kind):
    rng = np.random.default_rng(0)
    X = random_array((40, 900), density=0.3, rng=rng, data_sampler=rng.standard_normal).toarray()
    made = {"dense": np.asarray, "sparse": csr_array, "blocks": Blocks}[kind]
    assert ib.Regression(made(X), rng.standard_normal(40)).rank == 40
    X[7] = X[3] - 2.0 * X[4]
    assert ib.Regression(made(X), X @ rng.standard_normal(900)).rank == 39
    with pytest.raises(ib.InfeasibleProblemError, match=r"row \d of X is a combination"):
        ib.Regression(made(X), rng.standard_normal(40))
