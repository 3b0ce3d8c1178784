"""Certificates: what of a residual the rounding of the coefficients explains."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from helpers.draws import normal
from implicitbias.limits import Certificate, relative_residual


@pytest.mark.parametrize("kind", [np.asarray, csr_array])
@pytest.mark.parametrize("offset", [1e6, 1e9, 1e12])
def test_rounding_of_coefficients_is_no_fault_of_theirs(kind, offset):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((4, 9)) + offset
    beta = rng.standard_normal(9)
    beta -= beta.mean()
    exact = np.array([[int(8 * entry) for entry in row] for row in X], dtype=object)
    X = np.array(exact, dtype=float) / 8
    whole = np.array([int(2**40 * entry) for entry in beta], dtype=object)
    y = np.array([float(row @ whole) for row in exact]) / 2.0**43
    rounded = np.array(whole, dtype=float) / 2.0**40 * (1 + 2**-52 * rng.choice([-1, 1], 9))
    assert relative_residual(kind(X), rounded, y) <= 1e-11
    wrong = rounded + 1e-9 * rng.standard_normal(9)
    expected = np.linalg.norm(X @ wrong - y) / np.linalg.norm(y)
    np.testing.assert_allclose(relative_residual(kind(X), wrong, y), expected, rtol=0.05)


def test_residuals_of_plain_data_are_stated_as_they_are():
    X, beta = normal(0, (5, 8), 8)
    for change in (1e-14, 1e-12, 1e-8, 1.0):
        y = X @ beta
        y[0] += change
        expected = np.linalg.norm(X @ beta - y) / np.linalg.norm(y)
        np.testing.assert_allclose(relative_residual(X, beta, y), expected, rtol=1e-2)


@pytest.mark.parametrize("place", ["feasibility", "gap", "kkt_residual", "error"])
def test_a_number_of_which_nothing_is_known_is_infinite(place):
    numbers = {"feasibility": 1e-16, "gap": 1e-15, "kkt_residual": 1e-14, "error": -1e-13}
    assert Certificate(**numbers).worst == 1e-13
    assert Certificate(**(numbers | {place: np.nan})).worst == np.inf
