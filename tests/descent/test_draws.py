"""Draws: batches and noise of each run by its own seed."""

from __future__ import annotations

import numpy as np
import pytest

from implicitbias.descent._draws import BLOCK, Draws


def taken(seeds, count, n=7, size=3, *, replacement=False, noise=True):
    draws = Draws(seeds, n, size, replacement=replacement, noise=noise)
    return draws, [draws.next() for _ in range(count)]


def test_an_epoch_is_an_order_of_the_points():
    draws, found = taken([0, 1], 9)
    assert draws.epoch == 3
    for epoch in range(3):
        batches = [batch for batch, _ in found[3 * epoch : 3 * epoch + 3]]
        assert [batch.shape for batch in batches] == [(2, 3), (2, 3), (2, 1)]
        for run in range(2):
            order = np.concatenate([batch[run] for batch in batches])
            assert sorted(order) == list(range(7))
    first, second = (np.concatenate([b[0] for b, _ in found[k : k + 3]]) for k in (0, 3))
    assert not np.array_equal(first, second)


def test_with_replacement_every_batch_is_whole():
    _, found = taken([0], 400, replacement=True)
    counts = np.bincount(np.concatenate([batch[0] for batch, _ in found]), minlength=7)
    assert {batch.shape for batch, _ in found} == {(1, 3)}
    assert np.abs(counts / counts.mean() - 1.0).max() < 0.2
    assert any(len(set(batch[0])) < 3 for batch, _ in found)


@pytest.mark.parametrize("size", [None, 3])
def test_signs_are_fair_and_one_for_each_point(size):
    _, found = taken([0], 3 * BLOCK, size=size)
    signs = np.concatenate([signs[0] for _, signs in found])
    assert set(signs) == {-1.0, 1.0} and abs(signs.mean()) < 0.15
    for batch, each in found:
        assert each.shape == ((1, 7) if batch is None else batch.shape)


@pytest.mark.parametrize("size", [None, 2, 7])
@pytest.mark.parametrize("replacement", [False, True])
def test_what_runs_beside_does_not_matter(size, replacement):
    options = {"size": size, "replacement": replacement}
    _, alone = taken([5], 2 * BLOCK + 3, **options)
    draws = Draws([9, 5, 2], 7, size, replacement=replacement, noise=True)
    place = 1
    for k, (batch, signs) in enumerate(alone):
        if k == 4:  # in the middle of an epoch
            draws.keep(np.array([1, 2]))
            place = 0
        together = draws.next()
        assert np.array_equal(together[1][place], signs[0])
        if batch is not None:
            assert np.array_equal(together[0][place], batch[0])


def test_nothing_is_drawn_where_nothing_is_asked():
    _, found = taken([0], 5, size=None, noise=False)
    assert found == [(None, None)] * 5
