"""Pivoting on active points, held against nonnegative least squares."""

import numpy as np
import pytest
from scipy.optimize import nnls

from implicitbias.features import Dense
from implicitbias.limits.finite_loss._active_points import (
    Held,
    PivotError,
    Tolerance,
    _one_at_a_time,
    active_points,
    independent,
)

FINE = Tolerance(1e-10, 1e-10)


def least_norm_on(Z):
    """argmin |rho|^2 / 2 s.t. Z_A rho = 1, with its multipliers."""

    def solve(active):
        nu = np.linalg.solve(Z[active] @ Z[active].T, np.ones(active.size))
        return Held(active, Z[active].T @ nu, nu)

    return solve


def by_nnls(Z):
    """The same under Z rho >= 1: the shortest rho from the nearest point of a cone."""
    weights, _ = nnls(np.vstack([Z.T, np.ones(len(Z))]), np.append(np.zeros(Z.shape[1]), 1.0))
    rho = Z.T @ weights
    return rho / (Z @ rho).min()


def separable(seed, n=12, d=6):
    rng = np.random.default_rng(seed)
    Z = rng.standard_normal((n, d))
    Z *= np.sign(Z @ rng.standard_normal(d))[:, None]
    return Z / np.linalg.norm(Z, axis=1)[:, None]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("first", [[0], [0, 1, 2, 3, 4, 5]])
def test_both_ways_find_the_least_norm(seed, first):
    Z = separable(seed)
    rows, goal, solve = Dense(Z), np.ones(len(Z)), least_norm_on(Z)
    expected = by_nnls(Z)
    found = active_points(rows, goal, np.array(first), solve, FINE)
    assert np.abs(found.rho - expected).max() <= 1e-8 * np.abs(expected).max()
    singly = _one_at_a_time(rows, goal, solve(np.array(first)), solve, FINE)
    assert np.abs(singly.rho - expected).max() <= 1e-8 * np.abs(expected).max()


def test_a_dependent_point_enters_in_exchange():
    Z = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.2]])
    found = active_points(Dense(Z), np.ones(3), np.array([0, 1]), least_norm_on(Z), FINE)
    assert np.abs(found.rho - by_nnls(Z)).max() <= 1e-12


def test_independent_points_in_their_order():
    rows = Dense(np.array([[1.0, 0.0], [2.0, 0.0], [1.0, 1.0], [0.0, 3.0]]))
    assert independent(rows, np.array([1, 0, 3, 2])).tolist() == [1, 3]


def test_data_that_are_not_separable_end():
    Z = np.array([[1.0, 0.0], [-1.0, 0.0]])
    with pytest.raises(PivotError, match="vanishes"):
        active_points(Dense(Z), np.ones(2), np.array([0]), least_norm_on(Z), FINE)
