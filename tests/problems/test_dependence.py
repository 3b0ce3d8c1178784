"""Rows and columns near each other: copies that were rounded, or data."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.sparse import csr_array

from implicitbias import DiagonalNetwork, Initialization, NoPredictionError, Regression
from implicitbias.problems import Classification, reachable_part
from implicitbias.theorems import predict_limit

KINDS = [np.asarray, csr_array]
ROUNDED = [1.0, 0.1, 2.54, 1 / 3, -7.3e-9]


def near_columns(rng, apart, size=3):
    X = rng.standard_normal((size, size))
    X[:, 1] = X[:, 0] + apart * rng.standard_normal(size)
    return X


def rank(X, kind):
    X = kind(X)
    problem = Regression(X, X @ np.ones(X.shape[1]))
    labels = np.where(np.arange(X.shape[0]) % 2, 1.0, -1.0)
    np.testing.assert_array_equal(Classification(X, labels).rows, problem.rows)
    return problem.rank


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("factor", ROUNDED)
@pytest.mark.parametrize("shape", [(3, 3), (3, 8), (8, 3)])
def test_rounded_copies_depend(kind, factor, shape):
    for seed in range(5):
        X = np.random.default_rng(seed).standard_normal(shape)
        columns = X.copy()
        columns[:, 1] = factor * X[:, 0]
        rows = X.copy()
        rows[1] = factor * X[0]
        assert rank(rows, kind) == (3 if shape == (8, 3) else 2)
        assert rank(columns, kind) == (3 if shape == (3, 8) else 2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("apart", [1e-12, 1e-13, 1e-14])
def test_what_is_near_but_no_copy_does_not(kind, apart):
    for seed in range(10):
        X = near_columns(np.random.default_rng(seed), apart)
        assert rank(X, kind) == 3
        assert rank(X.T, kind) == 3
        assert rank(np.hstack([X.T, np.ones((3, 9))]), kind) == 3
        twice = np.vstack([X.T, X[:, 0] + 1e-14 * np.ones(3)])
        assert rank(np.hstack([twice, np.eye(4)[:, :1]]), kind) == 4


@pytest.mark.parametrize("kind", KINDS)
def test_sums_and_means_depend_however_often_they_were_rounded(kind):
    rng = np.random.default_rng(0)
    table = np.round(rng.normal(300.0, 10.0, (12, 20)), 1)
    for X in (table - table.mean(axis=0), (table - table.mean(axis=0)) / table.std(axis=0)):
        near = X.copy()
        near[:, 1] = near[:, 0] + 1e-14 * rng.standard_normal(12)  # n < d: no matter of rows
        assert rank(near, kind) == rank(X, kind)
    wide = rng.standard_normal((4, 3)) @ rng.standard_normal((3, 9))
    assert rank(wide, kind) == 3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [5, 6, 20, 100])
def test_columns_in_other_units_are_copies_in_a_table(kind, n):
    rng = np.random.default_rng(n)
    celsius = np.round(rng.normal(15.0, 8.0, n), 1)
    others = np.round(rng.normal(50.0, 10.0, (n, 2)), 2)
    table = np.column_stack([celsius, 1.8 * celsius + 32.0, others])
    centred = table - table.mean(axis=0)
    y = rng.standard_normal(n)
    for X in (centred, centred / table.std(axis=0)):
        assert rank(X, kind) == 3
        assert reachable_part(kind(X), y - y.mean())[0].rank == 3
    assert reachable_part(kind(table[:4] - table[4]), y[:4] - y[4])[0].rank == 3  # square


def exact_solution(X, y):
    rows = [[Fraction(v) for v in (*row, t)] for row, t in zip(X.tolist(), y.tolist(), strict=True)]
    for j in range(len(rows)):
        pivot = next(i for i in range(j, len(rows)) if rows[i][j])
        rows[j], rows[pivot] = rows[pivot], rows[j]
        rows[j] = [v / rows[j][j] for v in rows[j]]
        for i in range(len(rows)):
            if i != j:
                rows[i] = [a - rows[i][j] * b for a, b in zip(rows[i], rows[j], strict=True)]
    return np.array([float(row[-1]) for row in rows])


@pytest.mark.parametrize("apart", [1e-13, 1e-14, 3e-15])
@pytest.mark.parametrize("depth", [2, 3])
def test_the_one_interpolator_of_near_columns_is_right_or_refused(apart, depth):
    network = DiagonalNetwork(3, depth)
    init = Initialization.last_layer_zero(network, np.ones(3), 0.1)
    for seed in range(10):
        X = near_columns(np.random.default_rng(seed), apart)
        y = X @ np.array([3.0, 1.0, 0.0])
        try:
            found = predict_limit(network, Regression(X, y), init)
        except NoPredictionError:
            continue
        if any(each.status == "undecided" for each in found.assumptions):
            assert apart < 1e-14  # one rounding
            continue
        expected = exact_solution(X, y)
        error = np.abs(found.coefficients - expected).max() / np.abs(expected).max()
        assert error <= max(1e-12, 10 * found.certificate.error)
