"""Equations without their intercept, and targets out of reach."""

import numpy as np
import pytest

from implicitbias.problems import equations, reachable_part

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((6, 9)) + 5.0, RNG.standard_normal(6)


def test_equations_are_the_centred_ones_in_other_coordinates():
    data = equations(X, Y, True)
    centred, target = X - X.mean(axis=0), Y - Y.mean()
    assert data.X.shape == (5, 9)
    np.testing.assert_allclose(data.X.T @ data.X, centred.T @ centred, rtol=0, atol=1e-12)
    np.testing.assert_allclose(data.X.T @ data.y, centred.T @ target, rtol=0, atol=1e-12)
    np.testing.assert_allclose(data.y @ data.y, target @ target, rtol=1e-13)


def test_intercept_and_dual_belong_to_the_given_rows():
    data = equations(X, Y, True)
    beta = np.linalg.lstsq(data.X, data.y)[0]
    np.testing.assert_allclose(X @ beta + data.intercept(beta), Y, rtol=0, atol=1e-12)
    nu = RNG.standard_normal(5)
    whole = data.dual_as_given(nu)
    np.testing.assert_allclose(X.T @ whole, data.X.T @ nu, rtol=0, atol=1e-12)
    assert abs(whole.sum()) < 1e-14


def test_without_intercept_nothing_changes():
    data = equations(X, Y, False)
    assert data.X is X and data.y is Y
    assert data.intercept(np.ones(9)) == 0


def test_one_point_leaves_no_equation():
    data = equations(X[:1], Y[:1], True)
    problem, reached = reachable_part(data.X, data.y)
    assert (problem.rank, reached) == (0, True)
    np.testing.assert_array_equal(data.dual_as_given(np.zeros(0)), [0.0])


@pytest.mark.parametrize("tall", [X.T, np.vstack([X, X])])
def test_targets_out_of_reach_are_projected(tall):
    y = RNG.standard_normal(len(tall))
    problem, reached = reachable_part(tall, y)
    assert not reached
    np.testing.assert_allclose(problem.y, tall @ (np.linalg.pinv(tall) @ y), atol=1e-11)


def test_targets_orthogonal_to_the_range_become_zero():
    tall = np.ones((2, 1))
    problem, reached = reachable_part(tall, np.array([1.0, -1.0]))
    assert not reached
    np.testing.assert_allclose(problem.y, 0, atol=1e-15)
