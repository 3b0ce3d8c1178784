"""The two ends of the path, against linear algebra, another linear program, and the path."""

from __future__ import annotations

from dataclasses import replace

import mpmath as mp
import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.sparse import csr_array

from helpers.potentials import random_problem, theorem5_start
from implicitbias.coordinates import Curves
from implicitbias.limits import (
    PotentialProblem,
    certify,
    large_scale_end,
    small_scale_end,
    solve,
)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_large_scale_end_is_weighted_least_squares(depth):
    problem, eta = random_problem(5, depth, 1.0, 4, 12)
    weights = eta ** (2 * depth - 2)
    z = problem.features.toarray()
    expected = weights * (z.T @ np.linalg.solve((z * weights) @ z.T, problem.target))
    end = large_scale_end(problem)
    np.testing.assert_allclose(end.rho, expected, rtol=1e-12)
    assert end.gap < 1e-13


@pytest.mark.parametrize("depth", [2, 3, 4, 7])
def test_small_scale_end_is_weighted_basis_pursuit(depth):
    problem, eta = random_problem(6, depth, 1.0, 5, 15)
    weights = eta ** (2.0 - depth)
    z = problem.features.toarray()
    answer = linprog(
        np.concatenate([np.zeros(15), weights]),
        A_eq=np.hstack([z, 0 * z]),
        b_eq=problem.target,
        A_ub=np.block([[np.eye(15), -np.eye(15)], [-np.eye(15), -np.eye(15)]]),
        b_ub=np.zeros(30),
        bounds=[(None, None)] * 15 + [(0, None)] * 15,
        method="highs-ipm",
    )
    end = small_scale_end(problem)
    np.testing.assert_allclose(end.rho, answer.x[:15], atol=1e-7)
    np.testing.assert_allclose(z @ end.rho, problem.target, atol=1e-13)
    assert end.gap < 1e-12
    assert not end.tied


@pytest.mark.parametrize(("depth", "expected"), [(2, [0.2, 0.8, 0.0]), (3, [0.5, 0.5, 0.0])])
def test_ties_are_broken_by_the_next_order(depth, expected):
    """Two equal columns: L = 2 splits like eta^2; L = 3, with equal weights, evenly."""
    features = np.array([[1.0, 1.0, 0.5]])
    eta = np.array([1.0, 2.0, 1.0]) if depth == 2 else np.ones(3)
    curves = Curves.from_start(theorem5_start(eta, depth), 0.0)
    problem = PotentialProblem(features, np.array([1.0]), curves)
    end = small_scale_end(problem)
    assert end.tied
    np.testing.assert_allclose(end.rho, expected, atol=1e-12)
    tiny, state = solve(problem.shifted(np.log(1e-40)))
    state = certify(tiny, state).state
    np.testing.assert_allclose(tiny.curves.rho(state.t), end.rho, atol=1e-9)


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("seed", range(3))
def test_path_tends_to_the_small_scale_end_from_any_start(depth, seed):
    rng = np.random.default_rng(seed)
    curves = Curves.from_start(rng.normal(size=(depth, 12)), np.log(1e-60))
    problem = PotentialProblem(rng.normal(size=(3, 12)), rng.normal(size=3), curves)
    problem, state = solve(problem)
    found = problem.curves.rho(certify(problem, state).state.t)
    expected = small_scale_end(problem).rho
    error = np.abs(found - expected).max() / np.abs(expected).max()
    assert error < (1e-12 if depth > 2 else 2e-2)  # L = 2 closes in like a power set by the gap


def test_zero_target_ends_at_zero():
    problem, _ = random_problem(7, 3, 1.0)
    still = PotentialProblem(problem.features, np.zeros(3), problem.curves)
    assert not small_scale_end(still).rho.any()
    assert not large_scale_end(still).rho.any()


@pytest.mark.parametrize("depth", [2, 3])
def test_large_scale_end_of_nearly_dependent_rows(depth):
    """Condition 1e10: sixteen digits all the same."""
    features = 1.0 / (np.arange(9)[:, None] + np.arange(20) + 1.0)
    rng = np.random.default_rng(0)
    target, eta = rng.standard_normal(9), rng.uniform(0.5, 2.0, 20)
    curves = Curves.from_start(theorem5_start(eta, depth), 0.0)
    end = large_scale_end(PotentialProblem(features, target, curves))
    with mp.workdps(60):
        z = mp.matrix(features.tolist())
        weights = mp.diag([mp.mpf(e) ** (2 * depth - 2) for e in eta])
        nu = mp.lu_solve(z * weights * z.T, mp.matrix(target.tolist()))
        expected = np.array([float(v) for v in weights * z.T * nu])
    error = np.abs(end.rho - expected).max() / np.abs(expected).max()
    assert error < 1e-12
    assert error / 10 < end.error < 1e-10
    assert end.gap < 1e-10


def test_sparse_data_have_the_same_ends():
    rng = np.random.default_rng(1)
    features = rng.integers(-2, 3, (6, 14)) * (rng.random((6, 14)) < 0.6)
    both = np.hstack([features, features]).astype(float)
    start = theorem5_start(np.ones(28), 3)
    curves, target = Curves.from_start(start, 0.0), both.sum(axis=1)
    for end in (small_scale_end, large_scale_end):
        dense, sparse = (
            end(PotentialProblem(z, target, curves, start=start)) for z in (both, csr_array(both))
        )
        np.testing.assert_allclose(sparse.rho, dense.rho, rtol=1e-13, atol=1e-15)
        assert sparse.error < 1e-12


def test_signs_that_no_interpolator_has():
    start = np.ones((2, 2))
    problem = PotentialProblem(
        np.array([[1.0, 2.0]]), np.array([-1.0]), Curves.from_start(start, 0.0), start=start
    )
    with pytest.raises(ValueError, match="infeasible"):
        small_scale_end(problem)


@pytest.mark.parametrize("size", [1e-304, 1e-250, 1e160, 1e304])
@pytest.mark.parametrize("end", [small_scale_end, large_scale_end])
def test_ends_do_not_depend_on_the_unit_of_the_targets(end, size):
    problem, _ = random_problem(5, 3, 1.0, 4, 12)
    expected, found = end(problem), end(replace(problem, target=size * problem.target))
    np.testing.assert_allclose(found.rho / size, expected.rho, rtol=1e-13, atol=1e-15)
    assert max(found.gap, found.error) < 1e-13


def test_columns_far_apart_have_a_dual_point_in_twice_the_digits():
    rng = np.random.default_rng(0)
    Z, y = rng.standard_normal((6, 15)), rng.standard_normal(6)
    Z[:, 0] = 1.7e12 + 1000.0 * np.arange(6)
    start = np.array([np.ones(15), np.zeros(15)])
    end = large_scale_end(PotentialProblem(Z, y, Curves.from_start(start, 0.0), start=start))
    with mp.workdps(60):
        exact = mp.matrix(Z.tolist())
        nu = mp.lu_solve(exact * exact.T, mp.matrix(y.tolist()))
        expected = np.array([float(value) for value in exact.T * nu])
    np.testing.assert_allclose(end.rho, expected, rtol=0, atol=1e-15 * np.abs(expected).max())
    assert end.gap < 1e-13


def test_weights_too_far_apart_at_infinity_are_refused():
    start = np.array([[1.0, 1e-60], [0.0, 0.0]])
    problem = PotentialProblem(np.ones((1, 2)), np.ones(1), Curves.from_start(start, 0.0))
    with pytest.raises(ValueError, match="further apart than float64 holds"):
        large_scale_end(problem)
