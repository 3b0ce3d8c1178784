"""Taking common phases out of complex data and starts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.networks import laws
from implicitbias.coordinates import reduce_to_real
from implicitbias.features import Dense, Spectra

seeds = st.integers(0, 2**32 - 1)


def common_phases(rng, n, m):
    """Features that share a phase in every coordinate, one of them zero."""
    features = rng.normal(size=(n, m)) * np.exp(1j * rng.uniform(-np.pi, np.pi, m))
    features[:, 0] = 0.0
    return features


def complex_normal(rng, *shape):
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


@laws
@given(seed=seeds, depth=st.integers(2, 5), zero=st.booleans())
def test_phases_are_taken_out_and_put_back(seed, depth, zero):
    rng = np.random.default_rng(seed)
    features, start = common_phases(rng, 3, 6), complex_normal(rng, depth, 6)
    start[-1, :3] *= 0.0 if zero else 1.0
    reduction = reduce_to_real(features, start)
    curves = reduction.curves(0.5)
    assert reduction.reduces
    assert not reduction.exact
    np.testing.assert_array_equal(curves.turning[:3], not zero)
    np.testing.assert_allclose(reduction.layers(reduction.start), start, rtol=1e-13)
    scaled = start * np.exp(0.5)
    found = reduction.layers(curves.layers(curves.t0))
    np.testing.assert_allclose(found, scaled, rtol=1e-11, atol=1e-13)
    rho = reduction.spectrum(curves.rho(curves.t0), curves.imaginary)
    size = np.abs(scaled).prod(axis=0)
    assert np.all(np.abs(rho - scaled.prod(axis=0)) <= 1e-13 * size)
    predictions = (features @ rho).real
    assert np.allclose(predictions, reduction.features @ curves.rho(curves.t0), atol=1e-12)
    kept = np.arange(6) > 2
    part = reduction.curves(0.5, kept)
    np.testing.assert_allclose(part.rho(part.t0), curves.rho(curves.t0)[kept], rtol=1e-14)


@laws
@given(seed=seeds, noise=st.floats(-16, -13.5))
def test_starts_that_are_real_up_to_rounding_stay_real(seed, noise):
    rng = np.random.default_rng(seed)
    start = rng.uniform(0.5, 1.5, (3, 6)) * rng.choice([-1, 1 + 0j], (3, 6))
    start += 10.0**noise * 1j * rng.uniform(-1, 1, start.shape) * np.abs(start).max()
    reduction = reduce_to_real(rng.normal(size=(3, 6)), start)
    assert reduction.exact
    assert not np.iscomplexobj(reduction.start)
    assert not reduction.curves(0.0).turning.any()
    start[1, 2] += 1e-11j * np.abs(start).max()
    reduction = reduce_to_real(rng.normal(size=(3, 6)), start)
    assert reduction.start_verdict.fails
    np.testing.assert_array_equal(reduction.curves(0.0).turning, np.arange(6) == 2)


def test_data_without_a_common_phase_are_measured():
    rng = np.random.default_rng(0)
    features = common_phases(rng, 3, 6)
    features[1, 4] *= np.exp(0.3j)
    reduction = reduce_to_real(features, complex_normal(rng, 3, 6))
    assert not reduction.reduces
    assert reduction.data_verdict.value > 1e-3
    assert "phase defect" in str(reduction.data_verdict)


@pytest.mark.parametrize("kind", [np.asarray, Spectra])
@pytest.mark.parametrize("shift", [0, 2])
def test_points_in_small_units_share_a_phase_too(kind, shift):
    """Whether a point is even, or even about the others' axis, its units do not say."""
    even = np.array([[1.0, 2.0, 3.0, 2.0, 3.0, 2.0], [0.5, -1.0, 0.3, 7.0, 0.3, -1.0]])
    rows = np.roll(even[:, [0, 1, 2, 3, 2, 1]], shift, axis=1)
    odd = np.array([0.0, 1.0, -2.0, 0.0, 0.5, -0.3])

    def reduction_of(points):
        spectra = Spectra(Dense(points), 1.0) if kind is Spectra else np.fft.fft(points)
        return reduce_to_real(spectra, np.ones((2, 6)) + 0.0j)

    for unit, size, reduces in ((1e-30, 0.0, True), (1e-12, 1e-3, False), (1.0, 1e-3, False)):
        points = rows * np.array([[1.0], [unit]])
        points[1] += unit * size * odd
        reduction = reduction_of(points)
        assert reduction.data_verdict.holds == reduces
        low, high = (0.0, 1e-14) if reduces else (1e-5, 1e-2)
        assert low <= reduction.data_verdict.value <= high
    points[1] = rows[1] + 1e-11 * odd  # what is dropped is told
    assert 1e-14 < reduction_of(points).data_verdict.value < 1e-10


@pytest.mark.parametrize("depth", [2, 4])
def test_pairs_are_made_equal_at_the_same_sum(depth):
    rng = np.random.default_rng(depth)
    features, start = common_phases(rng, 2, 4)[:, 1:], complex_normal(rng, depth, 3)
    features = np.hstack([features, features.conj(), rng.normal(size=(2, 2))])
    start = np.hstack([start, start.conj(), rng.normal(size=(depth, 2))])
    features[:, 1] *= -1.0  # the other sign of a phase turns the clock around
    start[0, 1] *= -1.0
    reduction = reduce_to_real(features, start)
    curves = reduction.curves(0.0)
    for spread in (1e-9, 3.0):
        t = curves.t0 + spread * rng.uniform(-1, 1, curves.size)
        level = reduction.level(curves, t)
        np.testing.assert_array_equal(level[6:], t[6:])
        before, after = reduction.features @ curves.rho(t), reduction.features @ curves.rho(level)
        np.testing.assert_allclose(after, before, rtol=1e-12)
        moved = reduction.layers(curves.layers(level))
        moved[0, 1] *= -1.0
        np.testing.assert_allclose(moved[:, :3], moved[:, 3:6].conj(), rtol=1e-12)
        kept = np.arange(8) != 7
        np.testing.assert_array_equal(
            reduction.level(curves.take(kept), t[kept], kept), level[kept]
        )
    real = reduce_to_real(features.real, start.real)  # equal columns up to sign, equal starts
    level = real.level(real.curves(0.0), t)
    np.testing.assert_array_equal(np.abs(level[:3]), np.abs(level[3:6]))
    np.testing.assert_array_equal(level[6:], t[6:])
    apart = reduce_to_real(rng.normal(size=(2, 8)), start.real)
    assert apart.level(apart.curves(0.0), t) is t
