"""Equilibration: arrays by blocks of rows give the exponents that their entries give one by one."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from implicitbias.features import _base, _dense, as_features
from implicitbias.problems import _scaling
from implicitbias.problems._scaling import _Blocks, _Entries, equilibration


def drawn(seed):
    """Numbers of many sizes, with zeros among them in two of three."""
    rng = np.random.default_rng(seed)
    n, d = rng.integers(1, 12, 2)
    X = rng.standard_normal((n, d)) * 10.0 ** rng.uniform(-12, 12, d)
    return X * 10.0 ** rng.uniform(-12, 12, (n, 1)) * (rng.random((n, d)) < (0.3, 0.8, 1)[seed % 3])


@pytest.mark.parametrize("block", [1 << 20, 20])
@pytest.mark.parametrize("order", ["C", "F"])
def test_blocks_and_entries_agree_to_the_last_bit(block, order, monkeypatch):
    for module, name in ((_base, "BLOCK"), (_dense, "BLOCK"), (_scaling, "BLOCK_ENTRIES")):
        monkeypatch.setattr(module, name, block)
    for seed in range(60):
        X = as_features(np.asarray(drawn(seed), order=order))
        rng = np.random.default_rng(seed)
        offsets = [rng.standard_normal(size) for size in X.shape]
        whole = [rng.integers(-9, 10, size) for size in X.shape]
        blocks, entries = _Blocks(X), _Entries(X)
        for axis in (0, 1):
            for found, expected in (
                (blocks.counts(axis), entries.counts(axis)),
                (blocks.sums(axis, offsets[1 - axis]), entries.sums(axis, offsets[1 - axis])),
                (blocks.largest(axis, *whole), entries.largest(axis, *whole)),
            ):
                np.testing.assert_array_equal(found, expected, strict=False)


def test_sparse_and_dense_are_scaled_alike():
    for seed in range(60):
        X = drawn(seed)
        found, expected = equilibration(as_features(csr_array(X))), equilibration(as_features(X))
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize("kind", [np.asarray, csr_array])
def test_units_are_found_and_largest_entries_brought_below_one(kind):
    rng = np.random.default_rng(0)
    X = rng.choice([-1.0, 1.0], (6, 9)) * (rng.random((6, 9)) < 0.8)
    lengths, units = 2 ** np.arange(0, 60, 10), 2.0 ** -np.arange(0, 90, 10)
    rows, columns = equilibration(as_features(kind(X * lengths[:, None] * units)))
    np.testing.assert_array_equal(rows - rows[0], np.arange(0, 60, 10))
    np.testing.assert_array_equal(columns - columns[0], -np.arange(0, 90, 10))
    assert rows[0] + columns[0] == 1  # entries of size 1/2
