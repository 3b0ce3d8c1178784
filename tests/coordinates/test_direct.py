"""rho straight from the clock, and its slope, against the parameter in between."""

import numpy as np
import pytest

from implicitbias.coordinates._direct import Direct
from implicitbias.coordinates._equal_clock import unit_clock


@pytest.mark.parametrize("depth", [2, 3, 4, 5, 8])
def test_r_and_its_slope(depth):
    t = np.concatenate([np.linspace(-1.5, 1.5, 61), [1e-9, 2.5, -3.0]])
    u = t if depth == 2 else unit_clock(depth).u(t)
    r = np.sinh(t) * np.cosh(t) ** (depth - 1)
    slope = (1.0 + depth * np.sinh(t) ** 2) * np.cosh(t) ** (2 * (depth - 2))
    lost = 1.0 if depth == 2 else np.cosh(t) ** (depth - 2)  # a rounding of u, in t
    direct = Direct(depth)
    assert np.all(np.abs(direct.r(u) - r) <= 1e-14 * depth * lost * np.abs(r))
    assert np.all(np.abs(direct.slope(u) - slope) <= 2e-14 * depth * lost * slope)
    stacked = np.stack([u, -u])
    np.testing.assert_allclose(direct.r(stacked)[1], -direct.r(u), rtol=1e-15)


@pytest.mark.parametrize("depth", [3, 4, 6])
def test_nowhere_defined_beyond_the_range(depth):
    u = np.array([0.1, 1.01 * unit_clock(depth).total])
    assert np.isnan(Direct(depth).r(u)).all()
    assert np.isnan(Direct(depth).slope(u)).all()
