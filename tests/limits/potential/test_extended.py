"""Linear systems beyond float64, against arithmetic in fractions."""

from fractions import Fraction

import numpy as np
import pytest
from flint import arb_mat, ctx

from implicitbias.features import exact_sum
from implicitbias.limits.potential._extended import Basis, column, floats_of, vanishing


@pytest.mark.parametrize("spread", [1.0, 1e-12, 1e-40])
def test_solutions_have_the_digits_of_the_balls(spread):
    """Rows nearly parallel, down to where float64 sees a singular matrix."""
    rng = np.random.default_rng(0)
    matrix = rng.integers(-9, 10, (4, 4)).astype(float)
    matrix[1] = matrix[0]
    matrix[:2, 0] = 0.0, spread
    right = [1.0, -2.0, 3.0, 5.0]
    with ctx.workprec(1000):
        for transposed in (False, True):
            given = matrix.T if transposed else matrix
            solution = Basis(matrix).solve(column(right), transposed=transposed)
            missing = arb_mat(given.tolist()) * solution - column(right)
            assert np.abs(floats_of(missing)).max() < vanishing()


def test_a_singular_matrix_is_refused():
    with pytest.raises(ValueError, match="dependent"):
        Basis(np.ones((2, 2))).solve(column([1.0, 2.0]))


def test_zero_is_told_from_what_rounding_leaves():
    with ctx.workprec(256):
        third = Basis(np.array([[3.0]])).solve(column([1.0]))[0, 0]
        assert abs(float((3 * third - 1).mid())) < vanishing() < 1e-40


def test_sums_keep_what_rounding_loses():
    a, b = np.array([1.0, 1e16, -3.0]), np.array([1e-20, 1.0, 1e-17])
    total, rest = exact_sum(a, b)
    for parts in zip(a, b, total, rest, strict=True):
        first, second, whole, missed = (Fraction(float(v)) for v in parts)
        assert first + second == whole + missed
