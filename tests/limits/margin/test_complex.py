"""l1 max-margin over complex coordinates with S^T rho real, against cvxpy and the late flow."""

import numpy as np
import pytest

from helpers.margin_cases import REAL, fourier, separable
from implicitbias._errors import InvalidInputError
from implicitbias.limits.margin._convex import l1_max_margin
from implicitbias.limits.margin._groups import conjugate_groups, fourier_groups
from reference import max_margin as reference


def solved(rows, S, groups=None):
    """The certified solution, S^T rho checked to be real and margins to be met."""
    groups = conjugate_groups(S) if groups is None else groups
    found = l1_max_margin(rows @ S.T, groups=groups)
    assert found.kkt.worst <= max(1e-12, 3 * found.kkt.rounding), str(found)
    beta = S.T @ found.rho
    assert np.abs(beta.imag).max() <= 1e-12 * np.abs(S).max() * np.abs(found.rho).sum()
    assert (rows @ beta.real).min() >= 1 - 1e-11
    return found


def tied_phases(rng, pairs, singles, d):
    """A tall S whose rows pair up to phases: conj(S_j) = psi S_k, some with k = j."""
    base = rng.normal(size=(pairs, d)) + 1j * rng.normal(size=(pairs, d))
    turn = np.exp(2j * np.pi * rng.random((pairs, 1)))
    alone = rng.normal(size=(singles, d)) * np.exp(2j * np.pi * rng.random((singles, 1)))
    S = np.vstack([base, turn * base.conj(), alone])
    return S[rng.permutation(len(S))]


@pytest.mark.parametrize(("n", "d"), [(1, 8), (3, 5), (10, 31), (20, 100), (60, 16)])
def test_fourier_agrees_with_cvxpy(n, d):
    rows, S = separable(np.random.default_rng(n), n, d), fourier(d)
    found = solved(rows, S)
    assert found.value == pytest.approx(reference.complex_l1_square(rows, S)[0], rel=1e-6)
    assert found.realness == 0.0
    by_structure = solved(rows, S, fourier_groups(d))
    np.testing.assert_allclose(by_structure.rho, found.rho, atol=1e-10 * np.abs(found.rho).max())


@pytest.mark.parametrize("name", ["digits 3/8", "digits 1/7", "wine 1", "iris setosa"])
def test_fourier_on_real_data(name):
    rows = REAL[name]()
    S = fourier(rows.shape[1])
    found = solved(rows, S)
    assert found.value == pytest.approx(reference.complex_l1_square(rows, S)[0], rel=1e-6)
    assert found.unique.holds


def test_fourier_on_the_hard_margin():
    rows = REAL["breast cancer"]()
    assert solved(rows, fourier(31)).kkt.worst < 1e-11


@pytest.mark.parametrize(("pairs", "singles", "d"), [(3, 2, 5), (5, 0, 8), (4, 3, 11)])
def test_conjugate_pairs_up_to_phases_are_found(pairs, singles, d):
    rng = np.random.default_rng(d)
    S, rows = tied_phases(rng, pairs, singles, d), separable(rng, 4, d)
    groups = conjugate_groups(S)
    assert groups.members.size == pairs + singles
    assert groups.equations.shape[0] == 0
    found = solved(rows, S)
    assert found.value == pytest.approx(reference.complex_l1_tall(rows, S)[0], rel=1e-6)


def test_repeated_pairs_are_matched_one_to_one():
    rng = np.random.default_rng(0)
    base = rng.normal(size=(1, 6)) + 1j * rng.normal(size=(1, 6))
    S = np.vstack([base, base, base, base.conj(), base.conj(), base.conj()])
    groups = conjugate_groups(S)
    np.testing.assert_array_equal(groups.members, [2.0, 2.0, 2.0])
    rho = groups.rho(rng.normal(size=6))
    np.testing.assert_allclose((S.T @ rho).imag, 0, atol=1e-14)
    np.testing.assert_allclose(groups.rho(groups.unknowns(rho)), rho)


@pytest.mark.parametrize("extra", [0, 4])
def test_any_complex_S(extra):
    rng = np.random.default_rng(extra)
    d = 8
    S = rng.normal(size=(d + extra, d)) + 1j * rng.normal(size=(d + extra, d))
    rows = separable(rng, 10, d)
    found = solved(rows, S)
    check = reference.complex_l1_square if extra == 0 else reference.complex_l1_tall
    assert found.value == pytest.approx(check(rows, S)[0], rel=1e-6)
    assert found.realness > 0.1  # such an S is no real network's: the flow's own condition fails


def test_real_coordinates_need_no_cones():
    S = np.random.default_rng(1).normal(size=(9, 6))
    rows = separable(np.random.default_rng(2), 5, 6)
    plain = l1_max_margin(rows @ S.T)
    np.testing.assert_array_equal(
        plain.rho, l1_max_margin(rows @ S.T, None, conjugate_groups(S)).rho
    )
    rotated = solved(rows, S * np.exp(1j * np.arange(9))[:, None])
    assert rotated.value == pytest.approx(plain.value, rel=1e-10)


def test_duplicates_shifts_and_single_frequencies():
    rng = np.random.default_rng(3)
    rows, S = separable(rng, 6, 12), fourier(12)
    plain = solved(rows, S)
    doubled = solved(np.vstack([rows, rows[:3]]), S)
    np.testing.assert_allclose(doubled.rho, plain.rho, atol=1e-10)
    shifted = solved(np.roll(rows, 5, axis=1), S)
    np.testing.assert_allclose(np.abs(shifted.rho), np.abs(plain.rho), atol=1e-10)
    wave = np.cos(2 * np.pi * 3 * np.arange(12) / 12)[None, :]
    np.testing.assert_array_equal(solved(wave, S).support, [3, 9])


def test_a_delta_ties_all_frequencies():
    found = solved(np.eye(6)[:1], fourier(6))
    assert found.unique.fails
    assert found.rate == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_the_rate_is_that_of_the_late_flow(seed):
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(3, 7)), int(rng.integers(7, 16))
    rows, S = separable(rng, n, d), fourier(d)
    found = solved(rows, S)
    on_support = reference.closing_rate(rows @ S.T, S, found.rho, found.multipliers, 2)
    assert found.rate == pytest.approx(min(on_support, 1 - found.kappa), abs=1e-5)


def test_weights_must_agree_within_a_pair():
    rows, S = separable(np.random.default_rng(0), 3, 5), fourier(5)
    weights = np.array([1.0, 2.0, 3.0, 3.0, 2.0])
    found = l1_max_margin(rows @ S.T, weights, conjugate_groups(S))
    assert found.kkt.worst < 1e-12
    assert found.value == pytest.approx(np.sum(weights * np.abs(found.rho)))
    with pytest.raises(InvalidInputError, match="partner"):
        l1_max_margin(rows @ S.T, np.arange(1.0, 6.0), conjugate_groups(S))
    with pytest.raises(InvalidInputError, match="columns"):
        l1_max_margin(rows @ S.T, groups=fourier_groups(6))
