"""Gordan vectors in integers."""

from fractions import Fraction

import numpy as np
import pytest

from implicitbias.problems._exact import MAX_POINTS, exact_gordan_vector, null_vector


@pytest.mark.parametrize("size", [1, 2, 5, 12])
def test_null_vector_is_exact(size):
    rng = np.random.default_rng(size)
    matrix = [[int(value) for value in row] for row in rng.integers(-9, 10, (size, size + 1))]
    vector = null_vector([list(row) for row in matrix])
    assert any(vector)
    assert all(sum(a * b for a, b in zip(row, vector, strict=True)) == 0 for row in matrix)


def test_null_vector_refuses_dependent_columns():
    assert null_vector([[0, 1, 1], [0, 1, 2]]) is None


def test_floats_that_cancel_exactly():
    rows = np.array([[0.1, 3e-7], [1e9, 0.3], [-0.1 * 4, -3e-7 * 4], [-1e9, -0.3]])
    np.testing.assert_array_equal(exact_gordan_vector(rows[[0, 2]]), [0.8, 0.2])
    assert exact_gordan_vector(rows) is None  # two circuits: the vector is not unique


def test_three_points_on_a_line_cancel_but_for_rounding():
    rows = np.array([[0.1, 0.2, 0.7], [1.1, 0.3, -0.9], [0.0, 0.0, 0.0]])
    rows[2] = -(rows[0] + 2 * rows[1]) / 5
    weights = [Fraction(1), Fraction(2), Fraction(5)]
    left = [sum(a * Fraction(z) for a, z in zip(weights, c, strict=True)) for c in rows.T.tolist()]
    assert any(left)
    assert exact_gordan_vector(rows) is None
    rows[2] = -(rows[0] + rows[1]) / 2  # exact but for the sum, which rounds here as well
    assert exact_gordan_vector(rows) is None
    whole = np.round(rows * 1000) * 10
    whole[2] = -(whole[0] + 2 * whole[1]) / 5
    np.testing.assert_array_equal(exact_gordan_vector(whole), np.array([1, 2, 5]) / 8)


@pytest.mark.parametrize(
    "rows",
    [
        [[1.0, 2.0], [1.0, 2.0]],  # the null vector has both signs
        [[1.0, 0.0], [0.0, 1.0]],  # independent
        [[1.0, 1e-300], [-1.0, -1e-300 * 1.5]],  # a spread that is not exactly dependent
        np.vstack([np.eye(MAX_POINTS), -np.ones(MAX_POINTS)]),  # too large for integers
    ],
)
def test_nothing_is_proved_where_nothing_holds(rows):
    assert exact_gordan_vector(np.array(rows)) is None


def test_a_simplex():
    rows = np.vstack([np.eye(10), -np.ones(10)])
    np.testing.assert_array_equal(exact_gordan_vector(rows), np.full(11, 1 / 11))
