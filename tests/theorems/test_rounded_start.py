"""Coordinates of a start that are 0 by rounding: harmless, or refused."""

from __future__ import annotations

import numpy as np
import pytest

from implicitbias._errors import CertificateWarning, NoPredictionError
from implicitbias.initialization import Initialization
from implicitbias.networks import ConvolutionalNetwork, OrthogonalNetwork
from implicitbias.problems import Classification, Regression
from implicitbias.theorems import limit_path, predict_limit

ROTATIONS = [
    np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    for angle in (0.7, 1.9)
]
TURNED = OrthogonalNetwork(np.eye(2), ROTATIONS)
SHARES = 1.0, 0.3  # of the first coordinate; the second is 0


def start(scale, second=0.0):
    layers = [basis @ [share, second] for basis, share in zip(ROTATIONS, SHARES, strict=True)]
    return Initialization(layers, scale)


def test_a_zero_that_does_not_matter_is_one():
    """At scale 1, 1e-16 of the second coordinate grows to nothing before the target is met."""
    limit = predict_limit(TURNED, Regression([[1.0, 10.0]], [1.0]), start(1.0))
    np.testing.assert_allclose(limit.coefficients, [1.0, 0.0], rtol=1e-14, atol=1e-14)
    assert limit.certificate.error < 1e-13
    assert any(one.status == "undecided" for one in limit.assumptions)


@pytest.mark.parametrize("scale", [1e-3, 1e-6, 1e-12])
def test_a_zero_that_decides_is_refused(scale):
    """From 1e-10 of the first, the second coordinate overtakes: which, is not known."""
    problem = Regression([[1.0, 10.0]], [1.0])
    assert predict_limit(TURNED, problem, start(scale, 1e-10)).coefficients[1] > 0.09
    with pytest.raises(NoPredictionError, match=r"undecided: .*stay at 0, where rounding leaves"):
        predict_limit(TURNED, problem, start(scale))


def test_a_zero_that_decides_at_scale_0():
    with pytest.warns(CertificateWarning):
        path = limit_path(TURNED, Regression([[1.0, 10.0]], [1.0]), start(1.0), [1.0, 0.0])
    assert np.isnan(path.coefficients[1]).all()
    assert path.limits[1].certificate.error > 0.5


@pytest.mark.parametrize("other", [10.0, 1.0 + 1e-12])
def test_directions_with_a_point_as_good(other):
    """Of nearly equal columns the one at 0 by rounding wins: no l1 norm tells that."""
    with pytest.raises(NoPredictionError, match="tie, or vanish, in some coordinates to rounding"):
        predict_limit(TURNED, Classification([[1.0, other]], [1.0]), start(1.0))


def test_directions_with_no_point_as_good():
    limit = predict_limit(TURNED, Classification([[1.0, 0.9]], [1.0]), start(1.0))
    np.testing.assert_allclose(limit.coefficients, [1.0, 0.0], atol=1e-15)
    assert limit.certificate.error < 1e-13


@pytest.mark.parametrize("size", [2, 3, 5, 6])
@pytest.mark.parametrize("scale", [1.0, 1e-6])
def test_constant_filters_stay_constant(size, scale):
    """Their DFT is 0 but at frequency 0, which its floats are not."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal(size)
    init = Initialization([np.full(size, 0.1), np.full(size, 0.2)], scale)
    network = ConvolutionalNetwork(size, [size, size])
    limit = predict_limit(network, Regression(x[None], [1.0]), init)
    np.testing.assert_allclose(limit.coefficients, 1.0 / x.sum(), rtol=1e-13)
    assert all(one.holds for one in limit.assumptions)
    direction = predict_limit(network, Classification(x[None], [1.0]), init)
    np.testing.assert_allclose(direction.coefficients, 1.0 / x.sum(), rtol=1e-13)
