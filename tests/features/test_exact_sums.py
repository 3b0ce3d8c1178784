"""b - A x rounded once, against exact rationals."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy.sparse import csr_array

from implicitbias.features import ExactSums, as_features


def exactly(A, x, b):
    products = [
        sum(Fraction(float(a)) * Fraction(float(v)) for a, v in zip(row, x, strict=True))
        for row in A
    ]
    return np.array([float(Fraction(float(t)) - p) for t, p in zip(b, products, strict=True)])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", [np.asarray, csr_array])
def test_residuals_are_rounded_once(seed, kind):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((7, 11)) * 10.0 ** rng.uniform(-9, 9, 11)
    A[rng.random((7, 11)) < 0.3] = 0.0
    x = rng.standard_normal(11) * 10.0 ** rng.uniform(-150, 150)
    b = A @ x
    np.testing.assert_array_equal(ExactSums(as_features(kind(A))).residual(x, b), exactly(A, x, b))
    found = ExactSums(as_features(kind(A))).transposed_residual(b, x)
    np.testing.assert_array_equal(found, exactly(A.T, b, x))


def test_sizes_at_the_ends_of_the_range():
    A = np.array([[1e-300, 1e300, 5e-324], [0.0, 0.0, 0.0], [1e300, -1e300, 0.0]])
    x, b = np.array([1e300, 1e-300, 1e200]), np.array([2.0, 0.0, 1e308])
    with np.errstate(over="ignore"):
        expected = exactly(A[:2], x, b[:2])
    np.testing.assert_array_equal(ExactSums(as_features(A[:2])).residual(x, b[:2]), expected)
    np.testing.assert_array_equal(ExactSums(as_features(A[:2])).residual(np.zeros(3), b[:2]), b[:2])
