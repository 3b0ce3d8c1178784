"""The points' shares of a late loss: of several multipliers the one of largest entropy."""

import numpy as np
import pytest
from scipy.optimize import LinearConstraint, minimize

from helpers.draws import normal
from implicitbias.limits import late_shares


def gram(rows):
    lengths = np.linalg.norm(rows, axis=1)
    unit = rows / lengths[:, None]
    return lambda points: (unit[points] @ unit[points].T, lengths[points])


def test_independent_rows_leave_no_choice():
    rows, multipliers = normal(0, (3, 5))[0], np.array([1.0, 3.0, 0.0, 4.0])
    found = late_shares(multipliers, np.array([0, 1, 3]), gram(np.insert(rows, 2, 1.0, axis=0)))
    np.testing.assert_allclose(found.parts, multipliers / 8.0, rtol=1e-15)
    assert found.entropy_error == 0.0
    assert found.entropy == pytest.approx(1.5 * np.log(2) - 3 / 8 * np.log(3 / 4) - np.log(2) / 4)


@pytest.mark.parametrize("unit", [1e-120, 1.0, 1e120])
def test_equal_points_have_equal_shares(unit):
    rows = normal(1, (3, 6))[0][[0, 1, 0, 2, 0]] * unit
    found = late_shares(np.array([0.0, 1.0, 2.0, 3.0, 0.0]), np.arange(5), gram(rows))
    expected = np.array([2 / 3, 1.0, 2 / 3, 3.0, 2 / 3]) / 6.0
    np.testing.assert_allclose(found.parts, expected, rtol=1e-10)
    assert found.entropy_error == 0.0


@pytest.mark.parametrize("seed", range(5))
def test_the_largest_entropy_by_another_solver(seed):
    """Seven points at height 1 in three dimensions, which meet the plane in a polytope."""
    rows = np.column_stack([np.ones(7), normal(seed, (7, 2))[0]])
    start = np.random.default_rng(seed).dirichlet(np.ones(7))
    found = late_shares(start, np.arange(7), gram(rows))
    known = minimize(
        lambda p: p @ np.log(np.maximum(p, 1e-300)),
        start,
        jac=lambda p: np.log(np.maximum(p, 1e-300)) + 1.0,
        bounds=[(0.0, 1.0)] * 7,
        constraints=LinearConstraint(rows.T, *[rows.T @ start] * 2),
        options={"ftol": 1e-15, "maxiter": 500},
        method="SLSQP",
    )
    np.testing.assert_allclose(rows.T @ found.parts, rows.T @ start, atol=1e-12)
    assert found.entropy == pytest.approx(-known.fun, abs=1e-7)
    assert found.entropy >= -known.fun - 1e-12


def test_shares_that_no_multiplier_has_tend_to_zero():
    """The second column, 0 on average, holds no point at 1 or 2."""
    rows = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
    found = late_shares(np.array([1.0, 0.0, 0.0, 0.0]), np.arange(4), gram(rows))
    np.testing.assert_allclose(found.parts, [0.5, 0.5, 0.0, 0.0], atol=1e-5)
    assert found.entropy == pytest.approx(np.log(2.0), abs=1e-10)


def test_what_the_start_decides_is_said():
    """Of [1, t] only the ones move: the second column tells the points apart."""
    rows = np.array([[1.0, 0.5], [1.0, 0.7]])
    found = late_shares(np.array([1.0, 0.0]), np.arange(2), gram(rows[:, :1]), gram(rows))
    assert found.entropy == pytest.approx(np.log(2.0), abs=1e-12)
    assert found.entropy_error == pytest.approx(np.log(2.0), abs=1e-12)
    same = late_shares(np.array([1.0, 0.0]), np.arange(2), gram(rows[:, :1]), gram(rows[[0, 0]]))
    assert same.entropy_error == 0.0
