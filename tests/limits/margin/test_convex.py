"""l2 and real l1 max-margin points against cvxpy, by hand, and by their own certificates."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.margin_cases import REAL, separable
from helpers.separable import with_margin
from implicitbias._errors import InvalidInputError
from implicitbias.limits.margin._convex import l1_max_margin, l2_max_margin
from implicitbias.limits.margin._kkt import best_multipliers, kkt_residuals
from reference import max_margin as reference

SHAPES = [(1, 7), (5, 3), (20, 100), (60, 20), (100, 20)]


def certified(found, tolerance=1e-12):
    assert found.kkt.worst <= max(tolerance, 3 * found.kkt.rounding), str(found)
    assert found.value == pytest.approx(found.multipliers.sum(), rel=1e-9)
    assert found.margin == 1 / found.value


@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_l2_agrees_with_cvxpy(n, d):
    A = separable(np.random.default_rng(n), n, d)
    found = l2_max_margin(A)
    value, z = reference.l2(A)
    certified(found)
    assert found.value == pytest.approx(value, rel=1e-7)
    np.testing.assert_allclose(found.rho, z, atol=1e-5 * np.abs(z).max())


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_l1_agrees_with_cvxpy(n, d, weighted):
    rng = np.random.default_rng(n)
    A = separable(rng, n, d)
    weights = 10 ** rng.uniform(-2, 2, d) if weighted else None
    found = l1_max_margin(A, weights)
    certified(found)
    assert found.value == pytest.approx(reference.l1(A, weights)[0], rel=1e-7)
    assert found.unique.holds
    assert found.curvature == np.inf


@pytest.mark.parametrize(("n", "d"), [(5, 3), (20, 300), (30, 20)])
def test_sparse_rows_give_what_dense_ones_do(n, d):
    rng = np.random.default_rng(d)
    rows = separable(rng, n, d) * (rng.random((n, d)) < 0.5)
    rows = rows[(rows @ (z := rng.standard_normal(d))) != 0]
    rows *= np.sign(rows @ z)[:, None]
    weights = 10 ** rng.uniform(-1, 1, d)
    for solve in (l2_max_margin, l1_max_margin, lambda A: l1_max_margin(A, weights)):
        dense, sparse = solve(rows), solve(scipy.sparse.csr_array(rows))
        certified(sparse)
        scale = np.abs(dense.rho).max()
        np.testing.assert_allclose(sparse.rho, dense.rho, rtol=0, atol=1e-11 * scale)
        assert sparse.kappa == (dense.kappa and pytest.approx(dense.kappa, rel=1e-9))
        assert str(sparse.unique)[:5] == str(dense.unique)[:5]


@pytest.mark.parametrize("name", REAL)
def test_real_data(name):
    A = REAL[name]()
    for solve, check in ((l2_max_margin, reference.l2), (l1_max_margin, reference.l1)):
        found = solve(A)
        certified(found)
        assert found.value == pytest.approx(check(A)[0], rel=1e-7)
    assert found.unique.holds


def test_breast_cancer_is_the_hard_one():
    assert l2_max_margin(REAL["breast cancer"]()).margin == pytest.approx(1.393e-3, rel=1e-3)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(
    n=st.integers(1, 12),
    d=st.integers(2, 12),
    seed=st.integers(0, 99),
    spread=st.sampled_from([0.0, 2.0]),
)
def test_certificates_hold_whatever_the_shape_and_scale(n, d, seed, spread):
    rng = np.random.default_rng(seed)
    A = separable(rng, n, d) * 10 ** rng.uniform(-spread, spread, d)
    certified(l2_max_margin(A), 1e-11)
    certified(l1_max_margin(A), 1e-11)


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_scaling_rows_scales_the_point(scale):
    A = separable(np.random.default_rng(3), 20, 30)
    for solve in (l2_max_margin, l1_max_margin):
        np.testing.assert_allclose(solve(A * scale).rho * scale, solve(A).rho, rtol=1e-10)


@pytest.mark.parametrize("margin", [1e-4, 1e-6, 1e-8])
def test_small_margins_are_resolved_to_rounding(margin):
    X, y = with_margin(np.random.default_rng(5), 20, 5, margin)
    A = y[:, None] * X
    for solve in (l2_max_margin, l1_max_margin):
        found = solve(A)
        assert found.kkt.worst <= 2 * found.kkt.rounding
        assert found.kkt.rounding < 1e-14 / margin
    assert l2_max_margin(A).margin == pytest.approx(margin, rel=1e-6)


def test_duplicate_points_change_nothing():
    A = separable(np.random.default_rng(1), 15, 25)
    doubled = np.vstack([A, A[:4], A[:4]])
    for solve in (l2_max_margin, l1_max_margin):
        certified(solve(doubled))
        np.testing.assert_allclose(solve(doubled).rho, solve(A).rho, atol=1e-12)
    assert l1_max_margin(doubled).kappa == pytest.approx(l1_max_margin(A).kappa)


def test_rank_deficient_rows_and_zero_columns():
    rng = np.random.default_rng(2)
    A = np.column_stack([separable(rng, 10, 3) @ rng.normal(size=(3, 6)), np.zeros((10, 2))])
    for solve, check in ((l2_max_margin, reference.l2), (l1_max_margin, reference.l1)):
        found = solve(A)
        certified(found)
        assert found.value == pytest.approx(check(A)[0], rel=1e-7)
        np.testing.assert_array_equal(found.rho[-2:], 0)


def test_one_point_by_hand():
    x = np.array([[1.0, -4.0, 2.0]])
    np.testing.assert_allclose(l2_max_margin(x).rho, x[0] / 21)
    found = l1_max_margin(x)
    np.testing.assert_allclose(found.rho, [0, -0.25, 0])
    assert found.kappa == pytest.approx(0.5)
    assert found.rate == pytest.approx(0.5)
    np.testing.assert_allclose(found.multipliers, [0.25])


def test_wide_data_go_through_few_columns():
    A = np.random.default_rng(0).normal(size=(20, 3000))
    found = l1_max_margin(A)
    certified(found)
    assert found.kappa < 1


@pytest.mark.parametrize("columns", [[2, 2], [2, -2]])
def test_tied_coordinates_make_the_solution_not_unique(columns):
    found = l1_max_margin(np.array([[1.0, *columns], [1.0, *columns]]))
    certified(found)
    assert found.kappa == pytest.approx(1.0)
    assert found.unique.fails


def test_a_tie_that_the_margins_forbid_leaves_it_unique():
    # the third column is at the dual bound but would spoil the third margin, active without charge
    A = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.5, 0.5, -5.0]])
    found = l1_max_margin(A)
    np.testing.assert_allclose(found.rho, [1, 1, 0], atol=1e-12)
    assert found.unique.holds
    B = np.array([[1.0, 1.0], [2.0, 0.5]])
    assert l1_max_margin(B).unique.fails  # the second margin has room


def test_residuals_see_every_kind_of_violation():
    A = separable(np.random.default_rng(4), 8, 6)
    found = l1_max_margin(A)
    rho, a = found.rho, found.multipliers
    assert kkt_residuals(A, 0.9 * rho, a, 1).primal == pytest.approx(0.1)
    assert kkt_residuals(A, rho, -a, 1).dual == pytest.approx(1.0)
    assert kkt_residuals(A, rho, 1.1 * a, 1).stationarity == pytest.approx(0.1)
    assert kkt_residuals(A, rho, 1.1 * a, 1).alignment == pytest.approx(0.1)
    assert kkt_residuals(A, 2 * rho, a, 1).complementarity > 0.1
    assert kkt_residuals(A, 2 * rho, a, 1).gap == pytest.approx(0.0, abs=1e-12)
    other = l2_max_margin(A)
    assert kkt_residuals(A, other.rho, other.multipliers, 1).gap > 0.01
    weights = np.full(6, 2.0)
    assert kkt_residuals(A, rho, 2 * a, 1, weights=weights).worst < 1e-12
    with pytest.raises(InvalidInputError, match="zero"):
        kkt_residuals(A, 0 * rho, a, 1)


def test_multipliers_of_a_direction_are_recovered():
    A = separable(np.random.default_rng(6), 12, 8)
    for solve, exponent in ((l2_max_margin, 2), (l1_max_margin, 1)):
        found = solve(A)
        a = best_multipliers(A, found.rho, exponent)
        assert kkt_residuals(A, found.rho, a, exponent).worst < 1e-8
    with pytest.raises(InvalidInputError, match="smallest margin 5"):
        best_multipliers(A, 5 * found.rho, 1)


def test_malformed_input_is_refused():
    A = np.ones((2, 3))
    with pytest.raises(InvalidInputError, match="weights"):
        l1_max_margin(A, np.array([1.0, 0.0, 1.0]))
    with pytest.raises(InvalidInputError, match="shape"):
        l1_max_margin(A, np.ones(2))
    with pytest.raises(InvalidInputError, match="groups"):
        l1_max_margin(A + 1j)
    with pytest.raises(InvalidInputError, match="complex"):
        l2_max_margin(A + 1j)
    with pytest.raises(InvalidInputError, match="nan"):
        l2_max_margin(A * np.nan)


def test_results_print_what_matters():
    text = str(l1_max_margin(np.array([[1.0, 2.0]])))
    assert "margin 2" in text
    assert "kappa" in text
    assert "gap" in text
