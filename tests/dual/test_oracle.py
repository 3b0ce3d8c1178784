"""The dual oracle: value, gradient and Hessian of one convex function."""

import tracemalloc

import numpy as np
import pytest

from implicitbias.coordinates import Curves
from implicitbias.dual import DualOracle


def random_oracle(depth, equal, seed=0, n=3, m=8, scale=0.7):
    rng = np.random.default_rng(seed)
    start = rng.standard_normal((depth, m))
    if equal:
        start[:] = start[0]
        start[-1] = 0.0
    return DualOracle(
        rng.standard_normal((n, m)), rng.standard_normal(n), Curves.from_start(start, np.log(scale))
    )


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
@pytest.mark.parametrize("equal", [True, False])
def test_derivatives(depth, equal):
    oracle = random_oracle(depth, equal)
    nu, h = 0.05 * np.array([1.0, -0.6, 0.3]), 1e-6
    steps = h * np.eye(3)
    slopes = [(oracle.value(nu + e) - oracle.value(nu - e)) / (2 * h) for e in steps]
    rows = [(oracle.gradient(nu + e) - oracle.gradient(nu - e)) / (2 * h) for e in steps]
    np.testing.assert_allclose(oracle.gradient(nu), slopes, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(oracle.hessian(nu), rows, rtol=1e-5, atol=1e-6)
    assert np.linalg.eigvalsh(oracle.hessian(nu))[0] > 0


@pytest.mark.parametrize("scale", [0.7, 1e-70, 1e70])
@pytest.mark.parametrize("equal", [True, False])
def test_spectrum_is_the_product_of_the_layers(equal, scale):
    oracle = random_oracle(4, equal, scale=scale)
    nu = np.array([0.02, 0.1, -0.05])
    np.testing.assert_allclose(oracle.layers(nu).prod(axis=0), oracle.spectrum(nu), rtol=1e-12)
    assert oracle.value(np.zeros(3)) == 0.0


def test_measuring_from_another_point_changes_nothing():
    oracle, again = random_oracle(3, False), random_oracle(3, False)
    nu = np.array([0.1, -0.02, 0.05])
    again.rebase(0.7 * nu)
    np.testing.assert_allclose(again.points(nu), oracle.points(nu), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("depth", [3, 4, 5])
def test_outside_of_the_domain_everything_is_nan(depth):
    oracle = random_oracle(depth, True)
    far = np.full(3, 1e3)
    assert np.isnan(oracle.gradient(far)).all()
    assert np.isnan(oracle.value(far))
    assert not np.isnan(oracle.gradient(np.zeros(3))).any()
    ends = np.stack(oracle.curves.u_limits())
    assert np.isnan(oracle.curves.rho_from_u(ends[0])).all()
    assert np.isnan(oracle.curves.rho_from_u(ends[1])).all()


def test_hessian_is_summed_over_blocks_of_features(monkeypatch):
    oracle = random_oracle(2, False)
    nu = np.array([0.3, -0.1, 0.2])
    whole = oracle.hessian(nu)
    monkeypatch.setattr("implicitbias.features._dense.GRAM_BLOCK", 6)
    np.testing.assert_allclose(oracle.hessian(nu), whole, rtol=1e-13)


def test_no_copy_of_the_features_is_made():
    oracle = random_oracle(2, True, n=50, m=20_000)
    nu = np.full(50, 1e-3)
    oracle.gradient(nu)
    tracemalloc.start()
    oracle.gradient(2 * nu)
    oracle.rounding(nu)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < oracle.features.toarray().nbytes / 3
