"""Equations without their intercept, and targets out of reach."""

import numpy as np
import pytest
import scipy.sparse

from helpers.draws import normal
from implicitbias.problems import equations, reachable_part

X, Y = normal(0, (6, 9), 6)
X = X + 5.0


def test_equations_are_the_centred_ones_in_other_coordinates():
    problem = equations(X, Y, True).problem
    centred, target = X - X.mean(axis=0), Y - Y.mean()
    assert problem.X.shape == (5, 9)
    np.testing.assert_allclose(problem.X.T @ problem.X, centred.T @ centred, rtol=0, atol=1e-12)
    np.testing.assert_allclose(problem.X.T @ problem.y, centred.T @ target, rtol=0, atol=1e-12)
    np.testing.assert_allclose(problem.y @ problem.y, target @ target, rtol=1e-13)


@pytest.mark.parametrize("form", [np.asarray, scipy.sparse.csr_array])
def test_intercept_and_dual_belong_to_the_given_rows(form):
    data = equations(form(X), Y, True)
    rows = data.problem.X if form is np.asarray else data.problem.X.toarray()
    beta = np.linalg.lstsq(rows, data.problem.y)[0]
    np.testing.assert_allclose(X @ beta + data.intercept(beta), Y, rtol=0, atol=1e-12)
    (nu,) = normal(1, 5)
    whole = data.dual_as_given(nu)
    np.testing.assert_allclose(X.T @ whole, rows.T @ nu, rtol=0, atol=1e-12)
    assert abs(whole.sum()) < 1e-14


def test_without_intercept_nothing_changes():
    data = equations(X, Y, False)
    assert data.problem.X is X and data.problem.y is Y
    assert data.intercept(np.ones(9)) == 0


def test_one_point_leaves_no_equation():
    data = equations(X[:1], Y[:1], True)
    assert (data.problem.rank, data.reached) == (0, True)
    np.testing.assert_array_equal(data.dual_as_given(np.zeros(0)), [0.0])


@pytest.mark.parametrize("tall", [X.T, np.vstack([X, X])])
def test_targets_out_of_reach_are_projected(tall):
    (y,) = normal(2, len(tall))
    problem, reached = reachable_part(tall, y)
    assert not reached
    np.testing.assert_allclose(problem.y, tall @ (np.linalg.pinv(tall) @ y), atol=1e-11)


def test_targets_orthogonal_to_the_range_become_zero():
    tall = np.ones((2, 1))
    problem, reached = reachable_part(tall, np.array([1.0, -1.0]))
    assert not reached
    np.testing.assert_allclose(problem.y, 0, atol=1e-15)


def test_sparse_targets_out_of_reach_are_projected_as_dense_ones():
    tall = X.T[:, :3] * (np.random.default_rng(3).random((9, 3)) < 0.6)
    (y,) = normal(4, 9)
    dense, sparse = equations(tall, y, True), equations(scipy.sparse.csr_array(tall), y, True)
    np.testing.assert_allclose(sparse.missed, dense.missed, rtol=1e-12)
    fits = []
    for data in (dense, sparse):
        rows = data.problem.X if data is dense else data.problem.X.toarray()
        fits.append(np.linalg.lstsq(rows, data.problem.y)[0])
    np.testing.assert_allclose(*fits, rtol=1e-10)


@pytest.mark.parametrize("isometric", [True, False])
@pytest.mark.parametrize("n", [7, 22])
def test_targets_of_no_correlation_are_projected_to_zero(n, isometric):
    t = (2.0 * np.arange(n) - (n - 1)) / n  # symmetric to the last bit
    for columns in ([t], [2.0 * np.arange(n)], [t, t**3], [1e-8 * t], [np.sin(4.0 * t), t]):
        for weights in (None, 1.0 + t**2):
            for y in (t**2, 0.1 * t**2, np.cos(3.0 * t), np.abs(t)):
                X = np.column_stack(columns)
                found = equations(X, y, True, isometric=isometric, weights=weights)
                assert not found.problem.y.any()
