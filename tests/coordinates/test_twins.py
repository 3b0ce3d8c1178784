"""Columns that are equal bit by bit, up to sign, with like starts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from implicitbias.coordinates import _twins
from implicitbias.coordinates._twins import exact_twins


@pytest.mark.parametrize("kind", [np.asarray, csr_array])
def test_twins_and_only_twins(kind):
    Z = np.array([[1.0, -1.0, 1.0, 2.0, 0.0, 1.0], [0.0, -0.0, 0.5, 4.0, 0.0, 0.0]])
    start = np.array([[1.0, 1.0, 1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]])
    labels, signs = exact_twins(kind(Z), start)
    assert labels[0] == labels[1] == labels[5]
    assert np.unique(labels).size == 4
    np.testing.assert_array_equal(signs, [1, -1, 1, 1, 1, 1])


@pytest.mark.parametrize("kind", [np.asarray, csr_array])
def test_simple_numbers_do_not_collide(kind):
    grid = np.array(np.meshgrid([0.0, 1.0, 2.0, 0.5], [0.0, 1.0, -2.0], [1.0, 3.0])).reshape(3, -1)
    labels, _ = exact_twins(kind(grid[::-1]), np.ones((2, grid.shape[1])))
    assert np.unique(labels).size == grid.shape[1]


def test_starts_of_opposite_sides_are_no_twins():
    Z = np.array([[1.0, -1.0, 1.0]])
    labels, _ = exact_twins(Z, np.array([[1.0, 1.0, 2.0], [1.0, 1.0, 0.5]]))
    assert np.unique(labels).size == 3


def test_columns_of_one_hash_are_compared(monkeypatch):
    rng = np.random.default_rng(0)
    Z = rng.integers(-1, 2, (4, 60)) * rng.integers(1, 3, 60) / 2.0
    start = np.array([rng.integers(1, 3, 60), np.zeros(60)])
    keys = {}
    expected = [
        keys.setdefault((*max(tuple(z), tuple(-z)), p), j)
        for j, (z, p) in enumerate(zip(Z.T + 0.0, start[0], strict=True))
    ]
    monkeypatch.setattr("implicitbias.features._base.BLOCK", 16)
    monkeypatch.setattr(_twins, "_mixed", lambda values: (0 * values).astype(np.uint64))
    for kind in (np.asarray, csr_array):
        labels, _ = exact_twins(kind(Z), start)
        first = np.unique(labels, return_index=True)[1]
        same = labels == labels[0]  # all have one hash: equals of the first are told
        np.testing.assert_array_equal(same, np.array(expected) == 0)
        assert first.size == 61 - same.sum()


def test_without_rows_all_columns_are_equal():
    labels, _ = exact_twins(np.zeros((0, 3)), np.ones((2, 3)))
    np.testing.assert_array_equal(labels, 0)


def test_pairs_trade_places_with_the_sign_of_their_column():
    features = np.array([[1.0, -1.0, 1.0, 1.0, -1.0], [2.0, -2.0, 2.0, 2.0, -2.0]])
    start = np.array([[1.0, 3.0, 3.0, 1.0, 1.0], [3.0, 1.0, 1.0, 3.0, 3.0]])
    labels, signs = exact_twins(features, start, mirrored=True)
    assert labels[0] == labels[1] == labels[3]
    assert labels[2] == labels[4] != labels[0]
    assert signs.tolist() == [1.0, -1.0, 1.0, 1.0, -1.0]
