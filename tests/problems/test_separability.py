"""Separability: real data, edges, and verdicts that do not believe the solver."""

import numpy as np
import pytest
import scipy.sparse

from helpers.separable import around_origin, with_margin
from implicitbias._errors import InfeasibleProblemError
from implicitbias.problems import Classification, _classification, _margin_lp, _separability
from reference.exact_separability import exact_separability


def decided(X, y):
    return Classification(X, y).separability()


@pytest.mark.parametrize(
    ("X", "y", "status"),
    [
        ([[1.0, 2.0]], [1], "holds"),
        ([[1.0, 2.0]], [-1], "holds"),
        ([[0.0, 0.0]], [1], "fails"),
        ([[1.0], [0.0]], [1, -1], "fails"),
        ([[1, 2], [1, 2]], [1, 1], "holds"),
        ([[1, 2], [1, 2]], [1, -1], "fails"),
        ([[1, 2], [3, 6]], [1, -1], "fails"),
        ([[1], [-1]], [1, 1], "fails"),
        ([[0, 0], [0, 1], [1, 0], [1, 1]], [-1, 1, 1, -1], "fails"),
        ([[1, 0], [1, 1], [1, 2]], [1, -1, 1], "fails"),
        ([[1, 0, 1], [0, 1, 1], [1, 0, 1]], [1, -1, 1], "holds"),
        ([[1e-200, 0], [0, 1e200]], [1, -1], "holds"),
        ([[1, 1e-20], [1, -1e-20]], [1, -1], "holds"),
        ([[1, 1e-20, 0], [1, -1e-20, 0], [2, 1e-20, 0], [3, 1e-20, 0]], [1, -1, 1, 1], "holds"),
    ],
)
def test_edges(X, y, status):
    assert decided(X, y).verdict.status == status
    assert decided(scipy.sparse.csr_array(np.array(X, float)), y).verdict.status == status
    expected = "separable" if status == "holds" else "not separable"
    assert exact_separability(np.array(X), np.array(y))[0] == expected


def test_evidence_of_a_simple_case():
    found = decided([[3.0, 4.0]], [-1])
    np.testing.assert_allclose(found.separator, [-0.6, -0.8], rtol=1e-15)
    assert found.margin == pytest.approx(5.0)
    assert found.verdict.value == pytest.approx(1.0)
    assert str(found).startswith("holds: the classes are linearly separable (1)")


def test_dependent_features_are_proved_in_integers():
    # every row sums to 1 in both halves: the points never surround the origin in R^7
    rng = np.random.default_rng(0)
    X = np.eye(5)[rng.integers(0, 5, 60)]
    X = np.column_stack([X, 1 - X[:, 0], np.ones(60)])
    y = np.where(X[:, 0] > 0, 1, rng.choice([-1, 1], 60))
    found = decided(X, y)
    assert found.verdict.fails
    assert np.count_nonzero(found.farkas) <= 7


def test_centred_points_of_one_class_are_undecided_with_the_number():
    X = np.random.default_rng(0).standard_normal((12, 3))
    X -= X.mean(axis=0)
    wide = np.random.default_rng(0).standard_normal((12, 40))
    wide -= wide.mean(axis=0)
    assert decided(X, np.ones(12)).verdict.fails  # the origin is well inside
    found = decided(wide, np.ones(12))  # the mean is 0 to rounding: the sign is noise
    assert found.verdict.status == "undecided"
    assert 0 < found.verdict.value < 1e-15
    np.testing.assert_allclose(found.farkas, 1 / 12, rtol=1e-12)
    assert Classification(wide, np.ones(12)).require_separable().verdict.status == "undecided"


def test_points_in_one_dimension_too_few_for_the_features():
    rng = np.random.default_rng(1)
    X = rng.standard_normal((30, 2000))
    X[-1] = X[:-1].mean(axis=0)
    y = rng.choice([-1, 1], 30)
    found = decided(X, y)
    assert found.verdict.holds
    assert (y * (X @ found.separator)).min() == pytest.approx(found.margin, rel=1e-10)
    X[-1] = 2 * X[0]
    y[-1] = -y[0]
    assert decided(X, y).verdict.fails


def test_compressed_coordinates_give_the_same_verdicts(monkeypatch):
    monkeypatch.setattr(_separability, "DIRECT_ENTRIES", 0)
    rng = np.random.default_rng(2)
    rank = 6
    for _ in range(10):
        Z, y = with_margin(rng, 20, rank, 1e-6)
        X = Z @ np.linalg.qr(rng.standard_normal((40, rank)))[0].T
        found = decided(X, y)
        assert found.verdict.holds
        Z, y = around_origin(rng, rank, 1e-3, 10)
        X = np.column_stack([Z, np.zeros((len(Z), 30))])
        assert decided(X, y).verdict.fails


@pytest.mark.parametrize("seed", range(5))
def test_a_solver_that_lies_changes_no_verdict(seed, monkeypatch):
    rng = np.random.default_rng(seed)

    def lie(rows, *_):
        weights = rng.exponential(size=len(rows))
        return _margin_lp.MarginSolution(rng.standard_normal(rows.shape[1]), weights)

    monkeypatch.setattr(_separability, "largest_margin", lie)
    monkeypatch.setattr(_separability, "zoom", lie)
    for X, y in (with_margin(rng, 12, 3, 1e-3), around_origin(rng, 3, 1e-3, 6)):
        found = decided(X, y)
        truth = exact_separability(X, y)[0]
        assert found.verdict.status in (
            ("holds", "undecided") if truth == "separable" else ("fails", "undecided")
        )


def test_a_solver_that_fails_is_survived(monkeypatch):
    monkeypatch.setattr(_margin_lp, "_solve", lambda *_: None)
    rng = np.random.default_rng(0)
    assert decided(*around_origin(rng, 3, 1e-3, 6)).verdict.fails
    assert not decided(*with_margin(rng, 12, 3, 1e-3)).verdict.fails


def test_scaling_leaves_the_verdict_alone():
    rng = np.random.default_rng(3)
    for X, y in (with_margin(rng, 12, 3, 1e-4), around_origin(rng, 3, 1e-4, 6)):
        expected = decided(X, y).verdict.status
        for points, features in ((1e-150, 1.0), (1e150, 1.0), (1.0, 1e-100), (1.0, 1e100)):
            scaled = X * (points ** rng.uniform(0, 1, (len(X), 1)))
            scaled = scaled * features ** rng.uniform(0, 1, 3)
            assert decided(scaled, y).verdict.status == expected


def test_it_is_computed_once_and_only_when_asked_for(monkeypatch):
    problem = Classification([[1.0], [-1.0]], [1, -1])
    assert problem.separability() is problem.separability()
    monkeypatch.setattr(_classification, "decide", None)
    Classification([[1.0], [2.0], [3.0]], [1, -1, 1])  # not separable, and nobody asked


def test_entries_lost_in_scaling_prove_nothing():
    # separable by (0, 1), which double precision cannot see beside entries 1e600 times larger
    assert decided([[1e300, 1e-300], [-1e300, 1e-300]], [1, 1]).verdict.status == "undecided"


def test_require_separable():
    assert Classification([[1.0], [-1.0]], [1, -1]).require_separable().verdict.holds
    X, y = np.array([[1.0], [2.0], [3.0]]), np.array([1, -1, 1])
    with pytest.raises(InfeasibleProblemError, match="not linearly separable") as caught:
        Classification(X, y).require_separable()
    weights = caught.value.evidence
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1)
    assert np.abs((weights * y) @ X).max() <= 1e-16


def test_real_data():
    datasets = pytest.importorskip("sklearn.datasets")
    images, digits = datasets.load_digits(return_X_y=True)
    for first, second in ((3, 8), (1, 7)):
        chosen = np.isin(digits, (first, second))
        assert decided(images[chosen], digits[chosen]).verdict.holds
    assert decided(images, digits == 8).verdict.fails
    spread = images.std(axis=0)
    standardized = (images - images.mean(axis=0)) / np.where(spread > 0, spread, 1)
    assert decided(standardized, digits == 5).verdict.fails  # the vertex alone does not prove it
    flowers, species = datasets.load_iris(return_X_y=True)
    assert [decided(flowers, species == k).verdict.status for k in range(3)] == [
        "holds",
        "fails",
        "fails",
    ]
    cells, malignant = datasets.load_breast_cancer(return_X_y=True)
    cells = (cells - cells.mean(axis=0)) / cells.std(axis=0)
    found = decided(np.column_stack([cells, np.ones(len(cells))]), malignant)
    assert found.verdict.holds
    assert 0 < found.margin <= 0.0024
