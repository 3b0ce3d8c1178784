"""Max-margin points in integers: the answers of float64 where that has them, and where not."""

import numpy as np
import pytest

from implicitbias.limits.margin import _l1, _l2
from implicitbias.limits.margin._convex import l1_max_margin, l2_max_margin
from implicitbias.limits.margin._l1 import GroupedProblem
from implicitbias.limits.margin._rational import exact_l1, exact_l2


@pytest.mark.parametrize("shape", [(6, 3), (20, 5), (8, 12)])
def test_float64_agrees_on_ordinary_data(shape):
    rng = np.random.default_rng(sum(shape))
    A = rng.standard_normal(shape)
    A *= np.sign(A @ rng.standard_normal(shape[1]))[:, None]
    weights = rng.uniform(0.5, 2, shape[1])
    none, labels = np.zeros((0, shape[1])), np.arange(shape[1])
    expected = _l1.solve_l1(GroupedProblem(A, none, labels, weights))
    found = exact_l1(A, weights)
    np.testing.assert_allclose(found.r, expected.r, rtol=0, atol=1e-8 * np.abs(found.r).max())
    assert found.unique
    assert found.a.sum() == pytest.approx(weights @ np.abs(found.r), rel=1e-14)
    hull, other = exact_l2(A), _l2.least_norm(A)
    np.testing.assert_allclose(hull.z, other.z, rtol=0, atol=1e-12 * np.abs(hull.z).max())
    np.testing.assert_allclose(A.T @ hull.multipliers, hull.z, rtol=0, atol=1e-12)


@pytest.mark.parametrize("offset", [1e6, 1e9, 1e13])
@pytest.mark.parametrize("solve", [l1_max_margin, l2_max_margin])
def test_nearly_parallel_rows(solve, offset):
    t = offset + np.arange(10.0)
    A = np.column_stack([t, np.ones(10)]) * np.where(t > offset + 4.5, 1.0, -1.0)[:, None]
    found = solve(A)
    np.testing.assert_allclose(found.rho, [2.0, -1.0 - 2.0 * (offset + 4)], rtol=1e-12)


def test_what_is_not_separable_has_no_point():
    A = np.array([[1e9 + 1, 1.0], [-1e9, -1.0], [1e9 - 1, 1.0]])
    assert exact_l1(A, np.ones(2)) is None
    assert exact_l2(A) is None


def test_ties_are_seen():
    assert not exact_l1(np.array([[1.0, 1.0]]), np.ones(2)).unique
