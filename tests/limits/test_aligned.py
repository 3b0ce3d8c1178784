"""Sizes of aligned layers at the end: the root of their equation, at every scale."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from implicitbias.limits import grown_sizes

STARTS = [(0.3, 1.2), (1.0, 1.0, 1.0), (2.0, 0.1, 1.0), (0.0, 0.5, 0.7, 2.0), (1.5, 0.0)]


def exact_sizes(start, log_scale, log_target):
    """sqrt(c_l + tau) by bisection in 60 digits."""
    with mpmath.workdps(60):
        squares = [(mpmath.mpf(s) * mpmath.exp(log_scale)) ** 2 for s in start]
        least, target = min(squares), mpmath.exp(2 * mpmath.mpf(log_target))
        gaps = [c - least for c in squares]
        low, high = mpmath.mpf(0), target ** (mpmath.mpf(1) / len(start))
        for _ in range(400):
            middle = (low + high) / 2
            below = mpmath.fprod(g + middle for g in gaps) < target
            low, high = (middle, high) if below else (low, middle)
        return [mpmath.sqrt(g + high) for g in gaps]


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("log_scale", [-40.0, -1.0, 0.0, 3.0, 40.0])
@pytest.mark.parametrize("log_target", [-5.0, 0.0, 4.0])
def test_sizes_are_the_root_in_60_digits(start, log_scale, log_target):
    found = grown_sizes(np.array(start), log_scale, log_target)
    expected = exact_sizes(start, log_scale, log_target)
    for size, exact in zip(found.sizes, expected, strict=True):
        error = abs(mpmath.mpf(float(size)) * mpmath.exp(found.log_unit) / exact - 1)
        assert error < 5e-14
    assert found.residual < 1e-12


def test_no_target_leaves_the_differences():
    found = grown_sizes(np.array([0.6, 1.0, 0.8]), 2.0, -np.inf)
    expected = np.exp(2.0) * np.sqrt(np.array([0.0, 0.64, 0.28]))
    np.testing.assert_allclose(found.sizes * np.exp(found.log_unit), expected, rtol=1e-14)
    assert grown_sizes(np.array([1.0, 1.0]), 0.0, -np.inf).log_later == -np.inf


@pytest.mark.parametrize("log_scale", [-1e6, -700.0, 700.0, 1e6])
def test_extreme_scales_stay_in_logarithms(log_scale):
    found = grown_sizes(np.array([0.6, 1.0, 0.8]), log_scale, 1.0)
    if log_scale < 0.0:  # all sizes grow to |b|^{1/3}
        np.testing.assert_allclose(found.sizes * np.exp(found.log_unit), np.exp(1 / 3), rtol=1e-13)
    else:
        later = 2 * log_scale + 0.5 * (np.log(0.64) + np.log(0.28))
        np.testing.assert_allclose(found.log_later, later, rtol=1e-13)
