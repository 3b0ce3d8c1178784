"""Regression: rank, independent rows, consistency, loss."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from helpers.networks import laws
from implicitbias._errors import InfeasibleProblemError
from implicitbias.problems import Regression, _scaling
from reference.exact_rank import exact_rank, solvable

integers = st.integers(-3, 3)


@st.composite
def low_rank(draw):
    """Integer X = A B of rank at most 3, and integer z: everything is exact in floats."""
    n, d, r = draw(st.integers(1, 7)), draw(st.integers(1, 7)), draw(st.integers(1, 3))
    left = [[draw(integers) for _ in range(r)] for _ in range(n)]
    right = [[draw(integers) for _ in range(d)] for _ in range(r)]
    return np.array(left) @ np.array(right), np.array([draw(integers) for _ in range(d)])


@laws
@given(low_rank())
def test_rank_and_rows_are_those_of_exact_arithmetic(case):
    X, z = case
    problem = Regression(X, X @ z)
    assert problem.rank == len(problem.rows) == exact_rank(X)
    assert exact_rank(X[problem.rows]) == problem.rank
    assert problem.inconsistency < 1e-14


@laws
@given(low_rank(), st.lists(st.integers(-400, 400), min_size=7, max_size=7))
def test_rows_of_wildly_different_length_count_alike(case, exponents):
    X, z = case
    lengths = 2.0 ** np.array(exponents[: len(X)])
    problem = Regression(X * lengths[:, None], (X @ z) * lengths)
    assert problem.rank == exact_rank(X)


@laws
@given(low_rank(), st.lists(integers, min_size=7, max_size=7))
def test_inconsistent_targets_are_refused_with_the_residual(case, targets):
    X, y = case[0].astype(float), np.array(targets[: len(case[0])], dtype=float)
    if solvable(X, y):
        assert Regression(X, y).rank == exact_rank(X)
        return
    with pytest.raises(InfeasibleProblemError) as caught:
        Regression(X, y)
    residual = caught.value.evidence
    expected = y - X @ np.linalg.lstsq(X, y)[0]
    np.testing.assert_allclose(residual, expected, rtol=0, atol=1e-13 * np.abs(y).max())
    assert Regression(X, y - residual).rank == exact_rank(X)


@pytest.mark.parametrize(
    ("distance", "rank"), [(1e-6, 2), (1e-9, 2), (1e-12, 2), (1e-14, 2), (2e-16, 1), (0.0, 1)]
)
def test_nearly_parallel_rows(distance, rank):
    # a Gram matrix would lose the second row from 1e-8 on
    assert Regression([[1.0, 1.0], [1.0, 1.0 + distance]], [1.0, 1.0]).rank == rank
    assert Regression([[1.0, 0.0], [1.0, distance]], [1.0, 1.0]).rank == 1 + (distance > 0)


@pytest.mark.parametrize("shape", [(30, 500), (500, 30), (40, 40)])
def test_blocks_change_nothing(shape, monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((shape[0], 20)) @ rng.standard_normal((20, shape[1]))
    y = X @ rng.standard_normal(shape[1])
    monkeypatch.setattr(_scaling, "BLOCK_ENTRIES", 300)
    problem = Regression(X, y)
    assert problem.rank == 20
    values = np.linalg.svd(X[problem.rows], compute_uv=False)
    assert values[-1] > 1e-3 * values[0]
    with pytest.raises(InfeasibleProblemError) as caught:
        Regression(X, y + np.arange(len(y)))
    left = np.linalg.svd(X)[0][:, :20]
    expected = np.arange(len(y)) - left @ (left.T @ np.arange(len(y)))
    np.testing.assert_allclose(caught.value.evidence, expected, rtol=0, atol=1e-10)


def test_features_are_kept_by_reference_and_never_copied_whole(monkeypatch):
    monkeypatch.setattr(_scaling, "BLOCK_ENTRIES", 1 << 15)
    X = np.random.default_rng(0).standard_normal((50, 40_000))
    y = np.ones(50)
    tracemalloc.start()
    problem = Regression(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert problem.X is X
    assert peak < 0.2 * X.nbytes


@pytest.mark.parametrize("order", ["C", "F"])
def test_memory_layout_does_not_matter(order):
    X = np.asarray(np.random.default_rng(0).standard_normal((4, 9)), order=order)
    assert Regression(X, np.ones(4)).rank == 4


def test_real_data_of_known_rank():
    datasets = pytest.importorskip("sklearn.datasets")
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    measurements, y = datasets.load_diabetes(return_X_y=True)
    X = preprocessing.PolynomialFeatures(3, include_bias=False).fit_transform(measurements[:100])
    assert Regression(X, y[:100]).rank == 100
    X = preprocessing.StandardScaler().fit_transform(X)
    assert Regression(X, y[:100] - y[:100].mean()).rank == 99  # centring costs one
    with pytest.raises(InfeasibleProblemError) as caught:
        Regression(X, y[:100])
    np.testing.assert_allclose(caught.value.evidence, y[:100].mean(), rtol=1e-9)


@pytest.mark.parametrize(
    ("X", "y", "rank"),
    [
        (np.zeros((3, 2)), np.zeros(3), 0),
        ([[0, 0], [1, 2]], [0, 1], 1),
        ([[1, 2], [1, 2]], [3, 3], 1),
        ([[2.0]], [5.0], 1),
        ([[1], [2], [-1]], [2, 4, -2], 1),
        ([[1e-300, 0], [0, 1e300]], [1, 1], 2),
        ([[5e-324, 0]], [0.0], 1),
        (np.array([[True, False], [True, True]]), [1, 0], 2),
    ],
)
def test_edges(X, y, rank):
    problem = Regression(X, y)
    assert problem.rank == rank
    assert problem.X.dtype == problem.y.dtype == np.float64


@pytest.mark.parametrize("tiny", [1.0, 1e-12])
def test_contradicting_duplicates_are_found_beside_huge_targets(tiny):
    with pytest.raises(InfeasibleProblemError, match=r"forces y\[2\] = .*but y\[2\] = 2"):
        Regression([[tiny, 0], [0, 1], [0, 1]], [1.0, 1.0, 2.0])


def test_loss_and_residual():
    problem = Regression([[1.0, 0.0], [0.0, 1.0]], [1.0, -2.0])
    predictions = np.array([3.0, -1.5])
    assert problem.loss(predictions) == (2.0**2 + 0.5**2) / 2
    np.testing.assert_array_equal(problem.residual(predictions), [2.0, 0.5])
    assert problem.loss(np.array([1e200, 0.0])) == np.inf
    assert (problem.num_points, problem.num_features) == (2, 2)
    assert repr(problem) == "Regression(num_points=2, num_features=2, rank=2)"


def test_it_is_frozen():
    with pytest.raises(AttributeError):
        Regression([[1.0]], [1.0]).y = np.zeros(1)


@pytest.mark.parametrize(
    ("X", "distance"),
    [
        ([[1.0, 2.0, 0.0], [0.1, 0.2, 0.0]], 0.0),
        ([[0.3, 0.7, 0.1], [0.3, 0.7, 0.1], [1.0, 0.0, 2.0]], 0.0),
        ([[0.3, 0.3 * (1 + 1e-7)], [0.7, 0.7 * (1 + 1e-7)]], 1e-15),
        (np.arange(12.0).reshape(4, 3), 0.0),
        (np.outer([0.1, 0.2, 0.7, 1.3], [1.0, 0.3, 0.7]), 1e-15),
        (np.vander([0.1, 0.2, 0.3, 0.7, 1.1], 3), 0.0),  # as many columns as the rank
    ],
)
@pytest.mark.parametrize("kind", [np.asarray, csr_array])
def test_dropped_rows_tell_whether_they_are_combinations(kind, X, distance):
    X = np.asarray(X)
    problem = Regression(kind(X), X @ np.ones(X.shape[1]))
    assert problem.rank < problem.num_points
    found = problem.dropped_distance
    assert found == 0.0 if distance == 0.0 else 0.0 < found <= distance


@pytest.mark.parametrize("size", [5e-324, 1e-300, 1.7e308])
def test_targets_of_any_size_are_taken(size):
    X = np.array([[0.001, 0.0], [0.0, 3.0], [0.001, 0.0]])
    assert Regression(X, size * np.array([1.0, 1.0, 1.0])).rank == 2
    with pytest.raises(InfeasibleProblemError, match="row"):
        Regression(X, size * np.array([1.0, 0.0, -1.0]))
