"""b - A x beyond float64 against exact rationals."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy.sparse import csr_array

from implicitbias.features import as_features, precise_residual


def exactly(A, x, b):
    rows = [[Fraction(float(value)) for value in row] for row in A]
    vector = [Fraction(float(value)) for value in x]
    products = [sum(a * v for a, v in zip(row, vector, strict=True)) for row in rows]
    return np.array([float(Fraction(float(t)) - p) for t, p in zip(b, products, strict=True)])


def terms(A, x):
    """The largest term that equal sizes of the columns would give each row, (n,)."""
    columns = np.abs(A).max(axis=0)
    columns[columns == 0.0] = 1.0
    return np.abs(A / columns).max(axis=1) * np.abs(x * columns).max()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("units", [0.0, 8.0])
@pytest.mark.parametrize("kind", [np.asarray, csr_array])
def test_what_rounding_hides(seed, units, kind):
    rng = np.random.default_rng(seed)
    n, d = rng.integers(1, 40), rng.integers(1, 90)
    A = rng.standard_normal((n, d)) * 10.0 ** rng.uniform(-units, units, d)
    A[rng.random((n, d)) < 0.2] = 0.0
    x = rng.standard_normal(d) * 10.0 ** rng.uniform(-3, 3, d)
    b, zero = A @ x, np.zeros(d)
    missed = np.abs(precise_residual(kind(A), x, b) - exactly(A, x, b))
    assert np.all(missed <= 2.0**-70 * terms(A, x))
    missed = np.abs(
        as_features(kind(A)).precise.transposed_residual(b, zero) - exactly(A.T, b, zero)
    )
    assert np.all(missed <= 2.0**-70 * terms(A.T, b))


def test_blocks_add_up(monkeypatch):
    rng = np.random.default_rng(0)
    A, x = rng.standard_normal((7, 90)), rng.standard_normal(90)
    b = A @ x
    monkeypatch.setattr("implicitbias.features._base.BLOCK", 50)
    whole, zero = as_features(A).precise, np.zeros(90)
    assert np.all(np.abs(whole.residual(x, b) - exactly(A, x, b)) <= 2.0**-70 * terms(A, x))
    missed = np.abs(whole.transposed_residual(b, zero) - exactly(A.T, b, zero))
    assert np.all(missed <= 2.0**-70 * terms(A.T, b))


def test_extreme_sizes():
    A = np.array([[1e-300, 1e300], [0.0, 0.0]])
    x = np.array([1e300, 1e-300])
    found = precise_residual(A, x, np.array([2.0, 0.0]))
    np.testing.assert_allclose(found, exactly(A, x, np.array([2.0, 0.0])), rtol=1e-6)
