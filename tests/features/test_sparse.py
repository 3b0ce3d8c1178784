"""Combined rows of sparse data: the same algebra as dense ones, and never dense."""

import numpy as np
import pytest
import scipy.sparse

from implicitbias.dual._newton import Slopes, newton_system, weighted_gram
from implicitbias.dual._rows import as_given, heaviest_rows
from implicitbias.features import Sparse, as_features


def sparse(shape, density, seed=0):
    rng = np.random.default_rng(seed)
    return scipy.sparse.random_array(
        shape, density=density, rng=rng, format="csr", data_sampler=rng.standard_normal
    )


@pytest.mark.parametrize("spread", [1.0, 100.0, 400.0])
@pytest.mark.parametrize(("shape", "density"), [((6, 40), 0.5), ((20, 3000), 0.02)])
def test_rows_are_combined_by_the_inverse_of_heavy_columns(shape, density, spread):
    features = sparse(shape, density)
    weights = -spread * np.random.default_rng(1).random(shape[1])
    rows = heaviest_rows(Sparse(features), weights)
    assert isinstance(rows.features, Sparse)
    np.testing.assert_array_equal(rows.features.columns(rows.basis), np.eye(shape[0]))
    dense = features.toarray()
    expected = np.linalg.solve(dense[:, rows.basis], dense)
    light = weights[None, :] > weights[rows.basis][:, None]
    kept = ~(light & (np.abs(expected) < 1e-10 * np.abs(expected).max(axis=0)))
    np.testing.assert_allclose(rows.features.toarray()[kept], expected[kept], atol=1e-10)
    heights = 0.5 * weights
    with np.errstate(divide="ignore"):
        sizes = np.log(np.abs(rows.features.toarray()))
    assert np.max(sizes + heights - heights[rows.basis][:, None]) < 6.0


@pytest.mark.parametrize("spread", [5.0, 300.0])
def test_newton_steps_are_those_of_dense_data(spread):
    features = sparse((8, 60), 0.3)
    rng = np.random.default_rng(2)
    slopes = Slopes(-spread * rng.random(60), np.zeros(60), np.zeros(60))
    target, mismatch = rng.standard_normal(8), rng.standard_normal(60)
    found = []
    for given in map(as_features, (features, features.toarray())):
        system = newton_system(given, as_given(given), slopes)
        found.append(system.solve(system.rows.combined(target), mismatch)[0])
    np.testing.assert_allclose(*found, rtol=1e-6, atol=1e-8 * np.abs(found[0]).max())


def test_weighted_gram():
    features, weights = sparse((5, 50), 0.2), np.linspace(0, 1, 50)
    dense = features.toarray()
    np.testing.assert_allclose(
        weighted_gram(Sparse(features), weights), (dense * weights) @ dense.T, atol=1e-14
    )


def test_dependent_rows_and_rows_that_fill_up_are_given_up(monkeypatch):
    features = sparse((5, 50), 0.3)
    twice = scipy.sparse.vstack([features, features[:1]], format="csr")
    assert heaviest_rows(Sparse(twice), np.zeros(50)) is None
    monkeypatch.setattr("implicitbias.features._sparse." + "MOST_ENTRIES", 10)
    assert heaviest_rows(Sparse(features), np.zeros(50)) is None
