"""Combinations among columns: planted ones are found, with their weights, in any units."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from implicitbias.problems import columns_of, spreads

WIDE = np.random.default_rng(3).standard_normal((4, 9))
BASE = np.random.default_rng(1).standard_normal((40, 4))


def rebuilt(X, found):
    """The column that a combination says it is."""
    total = np.full(len(X), found.constant)
    for j, weight in found.weights.items():
        total += weight * X[:, j]
    return total


def test_independent_columns_have_no_combination():
    found = columns_of(BASE)
    assert found.rank == 4
    assert found.combinations == ()
    centred = BASE - BASE[np.argmin(np.abs(BASE).max(axis=1))]
    values = np.linalg.svd(centred / np.linalg.norm(centred, axis=0), compute_uv=False)
    assert 0.1 < found.condition / (values[0] / values[-1]) < 10


@given(
    seed=st.integers(0, 10**6),
    logs=st.lists(st.integers(-8, 8), min_size=6, max_size=6),
    offset=st.sampled_from([0.0, 1.0, 1e6]),
)
def test_planted_combinations_are_found_in_any_units(seed, logs, offset):
    rng = np.random.default_rng(seed)
    base = rng.standard_normal((30, 4)) + offset
    weights = rng.uniform(0.5, 2.0, 2) * rng.choice([-1, 1], 2)
    mixed = base[:, :2] @ weights + 3.0
    X = np.column_stack([base, mixed, np.full(30, -2.5)]) * 10.0 ** np.array(logs)
    found = columns_of(X)
    assert found.rank == 4 == np.linalg.matrix_rank(base - base.mean(axis=0))
    assert [one.column for one in found.combinations][-1] == 5
    (combined,) = (one for one in found.combinations if one.column != 5)
    assert {combined.column, *combined.weights} == {0, 1, 4}
    size = np.abs(X[:, combined.column]).max()
    for j, weight in combined.weights.items():
        size = max(size, np.abs(weight * X[:, j]).max())
    np.testing.assert_allclose(rebuilt(X, combined), X[:, combined.column], atol=1e-9 * size)


def test_temperatures_and_the_dummy_trap():
    rng = np.random.default_rng(2)
    celsius = rng.uniform(0, 40, 40).round(1)
    group = rng.integers(0, 3, 40)
    X = np.column_stack([celsius, 1.8 * celsius + 32, *(group == k for k in range(3))])
    first, second = columns_of(X).combinations
    assert (first.column, set(first.weights)) in [(1, {0}), (0, {1})]
    slope, constant = (1.8, 32.0) if first.column == 1 else (1 / 1.8, -32 / 1.8)
    assert next(iter(first.weights.values())) == pytest.approx(slope, rel=1e-12)
    assert first.constant == pytest.approx(constant, rel=1e-11)
    assert {second.column, *second.weights} == {2, 3, 4}
    np.testing.assert_allclose(list(second.weights.values()), [-1.0, -1.0])
    assert second.constant == pytest.approx(1.0)


def test_time_stamps_are_told_apart_from_their_multiples():
    days = np.arange(20.0)
    found = columns_of(np.column_stack([1.7e9 + 86400 * days, days, days**2]))
    assert found.rank == 2
    assert [set(one.weights) | {one.column} for one in found.combinations] == [{0, 1}]


def test_sizes_at_the_ends_of_float64():
    X = np.array([[1e308, 1.0, 1e-320], [-1e308, 2.0, 2e-320], [3.0, 4.0, 0.0], [5.0, 1.0, 1e-321]])
    assert columns_of(X).rank == 3
    assert columns_of(X).combinations == ()
    (double,) = columns_of(np.column_stack([X[:, 2], 2 * X[:, 2]])).combinations
    assert double.weights[1 - double.column] == pytest.approx(2.0 if double.column else 0.5)


def test_little_data():
    assert columns_of(np.array([[1.0, 2.0]])).rank == 0
    assert columns_of(np.zeros((3, 2))).condition is None
    wide = columns_of(WIDE)
    assert (wide.rank, wide.combinations) == (3, ())
    constant = columns_of(np.column_stack([WIDE, np.full(4, 7.0)]))
    assert [(one.column, one.constant) for one in constant.combinations] == [(9, 7.0)]


def test_what_is_given_is_not_changed():
    X = np.asfortranarray(BASE)
    X.flags.writeable = False
    before = X.copy()
    columns_of(X)
    np.testing.assert_array_equal(X, before)


@given(seed=st.integers(0, 10**6), log=st.integers(-300, 300))
def test_spreads_are_standard_deviations_at_any_size(seed, log):
    X = np.random.default_rng(seed).standard_normal((6, 3)) + np.array([0.0, 1.0, 1e6])
    X[:, 2] = X[0, 2]
    exact = X.std(axis=0)
    found = spreads(X * 10.0**log)
    np.testing.assert_allclose(found[:2] / 10.0**log, exact[:2], rtol=1e-14)
    assert found[2] == 0.0


def test_columns_that_vary_in_their_last_digits_alone_are_constant():
    X = np.column_stack([np.zeros(4), 1e8 + np.array([1.0, 1.0, 4.0, -7.0]) * 1e-8])
    assert X[:, 1].min() < X[:, 1].max()
    found = columns_of(X)
    assert (found.rank, found.condition) == (0, None)
    assert [each.column for each in found.combinations] == [0, 1]
    assert all(not each.weights for each in found.combinations)
    np.testing.assert_allclose(rebuilt(X, found.combinations[1]), X[:, 1], rtol=1e-14)
