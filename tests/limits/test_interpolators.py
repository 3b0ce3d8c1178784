"""Interpolators of least norm, against their optimality conditions and another solver."""

import cvxpy as cp
import numpy as np
import pytest

from helpers.draws import normal
from implicitbias.limits import (
    conjugate_groups,
    fourier_groups,
    least_l1_interpolator,
    least_l2_interpolator,
)

(X,), Y = normal(2, (3, 8)), np.array([1.0, 0.0, -2.0])
F = np.fft.fft(np.eye(8)) / np.sqrt(8)


def test_the_least_l2_norm_is_the_pseudo_inverse():
    np.testing.assert_allclose(least_l2_interpolator(X, Y), np.linalg.pinv(X) @ Y, rtol=1e-12)


def test_the_least_l1_norm_is_basis_pursuit():
    found = least_l1_interpolator(X, Y)
    np.testing.assert_allclose(X @ found, Y, atol=1e-12)
    z = cp.Variable(8)
    value = cp.Problem(cp.Minimize(cp.norm1(z)), [X @ z == Y]).solve()
    assert np.abs(found).sum() == pytest.approx(value, rel=1e-7)


@pytest.mark.parametrize("groups", [fourier_groups(8), conjugate_groups(F)])
def test_the_least_l1_norm_of_a_spectrum(groups):
    found = least_l1_interpolator(X @ F.T, Y, groups)
    beta = F.T @ found
    assert np.abs(beta.imag).max() < 1e-12
    np.testing.assert_allclose(X @ beta.real, Y, atol=1e-10)
    z = cp.Variable(8)
    value = cp.Problem(cp.Minimize(cp.norm1(F.conj() @ z)), [X @ z == Y]).solve()
    assert np.abs(found).sum() == pytest.approx(value, rel=1e-7)


def test_spectra_whose_rows_do_not_pair():
    """S^T rho real is then a set of equations."""
    real, imaginary, row = normal(3, (2, 2), (2, 2), (1, 2))
    S, y = real + 1j * imaginary, np.array([1.5])
    found = least_l1_interpolator(row @ S.T, y, conjugate_groups(S))
    assert np.abs((S.T @ found).imag).max() < 1e-9
    rho = cp.Variable(2, complex=True)
    beta = S.T @ rho
    constraints = [cp.imag(beta) == 0, row @ cp.real(beta) == y]
    value = cp.Problem(cp.Minimize(cp.norm1(rho)), constraints).solve()
    assert np.abs(found).sum() == pytest.approx(value, rel=1e-7)


def test_targets_of_zero():
    assert not least_l1_interpolator(X, np.zeros(3)).any()
