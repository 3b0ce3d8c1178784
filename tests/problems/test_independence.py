"""Full row rank by a Gram matrix: what it proves, what it leaves to QR, what it reads."""

import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array

from implicitbias.features import as_features
from implicitbias.features._sparse import Sparse
from implicitbias.problems import (
    Classification,
    Regression,
    _classification,
    _independence,
    _regression,
    _scaling,
)
from implicitbias.problems._independence import clearly_independent
from implicitbias.problems._rows import CLEAR_GRAM
from implicitbias.problems._scaling import equilibration


def gaussian(rng, n, d):
    return rng.standard_normal((n, d))


def integers(rng, n, d):
    return rng.integers(-2, 3, (n, d)).astype(float)


def centred(rng, n, d):
    X = gaussian(rng, n, d)
    return X - X.mean(axis=0)


def one_row_twice(rng, n, d):
    X = gaussian(rng, n, d)
    X[-1] = 0.1 * X[0]
    return X


def nearly_twice(rng, n, d):
    X = gaussian(rng, n, d)
    X[-1] = X[0] + 10.0 ** -rng.uniform(6, 16) * rng.standard_normal(d)
    return X


def offsets(rng, n, d):
    X = gaussian(rng, n, d)
    X[:, ::3] += 10.0 ** rng.uniform(6, 12, X[:, ::3].shape[1])
    return X


def time_stamps(rng, n, d):
    X = gaussian(rng, n, d)
    X[:, ::2] = 1.7e12 + 1000.0 * rng.integers(0, 100, X[:, ::2].shape)
    return X


def units(rng, n, d):
    return gaussian(rng, n, d) * 10.0 ** rng.uniform(-12, 12, d) * 10.0 ** rng.uniform(-12, 12)


def decaying(rng, n, d):
    left, right = (np.linalg.qr(gaussian(rng, size, min(n, d)))[0] for size in (n, d))
    return (left * 10.0 ** -np.linspace(0, rng.uniform(0, 17), min(n, d))) @ right.T


def indicators(rng, n, d):
    X = np.zeros((n, d))
    X[np.arange(n), rng.permutation(d)[np.arange(n) % d]] = 1.0
    return X


def nothing(rng, n, d):
    return np.zeros((n, d))


KINDS = [
    gaussian,
    integers,
    centred,
    one_row_twice,
    nearly_twice,
    offsets,
    time_stamps,
    units,
    decaying,
    indicators,
    nothing,
]
SHAPES = [(1, 1), (1, 7), (5, 1), (3, 4), (6, 6), (5, 20), (9, 4), (20, 300), (20, 900)]


def smallest_eigenvalue(X):
    """Of the Gram matrix of equilibrated unit rows."""
    rows, columns = equilibration(as_features(X))
    scaled = np.ldexp(X, -(rows[:, None] + (0 if columns is None else columns)))
    scaled /= np.maximum(np.linalg.norm(scaled, axis=1, keepdims=True), np.finfo(float).tiny)
    values = np.linalg.svd(scaled, compute_uv=False)
    return values[-1] ** 2 if len(X) <= X.shape[1] else 0.0


def proved(X):
    features = as_features(X)
    return clearly_independent(features, *equilibration(features))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_proved_is_true_and_what_qr_decides(kind, shape, monkeypatch):
    for seed in range(3):
        rng = np.random.default_rng([seed, *shape])
        X = kind(rng, *shape)
        y = X @ (1 / np.maximum(np.abs(X).max(axis=0), 1e-300))
        labels = np.where(np.arange(len(X)) % 2, 1.0, -1.0)
        problem, rows = Regression(X, y), Classification(X, labels).rows
        sparse = Regression(csr_array(X), y)
        if proved(X):
            assert smallest_eigenvalue(X) > CLEAR_GRAM / X.shape[1]
        with monkeypatch.context() as patch:
            for module in (_regression, _classification):
                patch.setattr(module, "clearly_independent", lambda *_: False)
            expected = Regression(X, y)
            np.testing.assert_array_equal(Classification(X, labels).rows, expected.rows)
        for found in (problem, sparse):
            assert found.rank == expected.rank
            assert found.inconsistency == pytest.approx(expected.inconsistency, abs=1e-15)
        np.testing.assert_array_equal(problem.rows, expected.rows)
        np.testing.assert_array_equal(rows, expected.rows)


@pytest.mark.parametrize("kind", [gaussian, units, time_stamps, indicators])
@pytest.mark.parametrize("order", ["C", "F"])
def test_common_data_are_never_factored(kind, order, monkeypatch):
    for module in (_regression, _classification):
        monkeypatch.setattr(module, "UnitRows", None)
    X = np.asarray(kind(np.random.default_rng(1), 30, 2000), order=order)
    assert Regression(X, np.ones(30)).inconsistency == 0.0
    np.testing.assert_array_equal(Classification(X, np.arange(30) % 2).rows, np.arange(30))
    assert Regression(csr_array(X), np.ones(30)).rank == 30


@pytest.mark.parametrize("exponent", [-1000, -600, 600, 1000])
def test_lengths_beyond_squares_are_no_obstacle(exponent):
    X = gaussian(np.random.default_rng(0), 20, 1000)
    X[::2] = np.ldexp(X[::2], exponent)
    assert proved(X)
    X[3] = X[5]
    assert not proved(X)


@pytest.mark.parametrize("distance", [1e-5, 1e-7, 1e-9, 1e-12, 0.0])
def test_close_rows_are_left_to_qr(distance):
    rng = np.random.default_rng(0)
    X = gaussian(rng, 20, 1000)
    X[7] = X[3] + X[5] + distance * rng.standard_normal(1000)
    assert not proved(X)
    assert Regression(X, X @ np.ones(1000)).rank == 19 + (distance > 0)


@pytest.mark.parametrize(
    ("n", "d"), [(1, 5), (2, 9), (7, 29), (20, 1000), (333, 5000), (3000, 12001)]
)
def test_few_columns_are_disjoint_and_enough(n, d):
    parts = _independence._few_columns(n, d)
    taken = np.concatenate([np.arange(d)[part] for part in parts])
    assert np.unique(taken).size == taken.size >= 2 * n
    assert all(n * (part.stop - part.start) <= max(n, _scaling.BLOCK_ENTRIES) for part in parts)
    assert taken[0] == 0
    assert taken[-1] == d - 1


@pytest.fixture
def grams(monkeypatch):
    """Numbers of columns of the Gram matrices that are made."""
    widths = []

    class Counted(_independence._Gram):
        def __init__(self, *given):
            super().__init__(*given)
            widths.append(self._width)

    monkeypatch.setattr(_independence, "_Gram", Counted)
    return widths


@pytest.mark.parametrize(
    ("kind", "expected", "widths"),
    [
        (gaussian, True, [80]),
        (centred, False, [80]),
        (one_row_twice, False, [80]),
        (time_stamps, True, [80]),
        (indicators, True, [80, 2000]),  # a few columns leave rows of zeros
    ],
)
def test_no_more_columns_are_read_than_tell(kind, expected, widths, grams):
    assert proved(kind(np.random.default_rng(0), 40, 2000)) is expected
    assert grams == widths


def test_what_vanishes_on_few_columns_alone_does_not_decide(grams):
    X = gaussian(np.random.default_rng(0), 40, 2000)
    for part in _independence._few_columns(40, 2000):
        X[7, part] = X[3, part] - X[5, part]
    assert proved(X)
    assert grams == [80, 2000]


def test_sparse_data_are_never_dense(monkeypatch):
    rng = np.random.default_rng(0)
    X = random_array(
        (50, 100_000), density=1e-3, rng=rng, format="csr", data_sampler=rng.standard_normal
    )

    def refuse(self, *_):
        raise AssertionError("dense")

    for name in ("toarray", "columns"):
        monkeypatch.setattr(Sparse, name, refuse)
    assert Regression(X, np.ones(50)).rank == 50


def test_memory_is_one_block(monkeypatch):
    monkeypatch.setattr(_scaling, "BLOCK_ENTRIES", 1 << 15)
    X = indicators(np.random.default_rng(0), 50, 40_000) + 1e-3  # all columns are read
    features = as_features(X)
    scaling = equilibration(features)
    tracemalloc.start()
    assert clearly_independent(features, *scaling)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * 8 * (1 << 15)  # with a vector of length d, and some of 50 x 50
