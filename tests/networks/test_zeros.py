"""Coordinates of a layer that are 0: by exact sums, where products leave some rounding."""

from __future__ import annotations

import numpy as np
import pytest

from implicitbias.networks import ConvolutionalNetwork, OrthogonalNetwork
from implicitbias.networks._zeros import vanishing_frequencies, vanishing_projections


@pytest.mark.parametrize("size", range(1, 31))
def test_frequencies_of_integers(size):
    """Against the FFT, which leaves less than 1e-9 of what is 0."""
    rng = np.random.default_rng(0)
    for _ in range(5):
        values = rng.integers(-2, 3, size).astype(float)
        expected = np.abs(np.fft.fft(values)) < 1e-9
        np.testing.assert_array_equal(vanishing_frequencies(values), expected)


@pytest.mark.parametrize("size", [3, 5, 6, 7, 100])
def test_constants_have_one_frequency(size):
    assert np.flatnonzero(~vanishing_frequencies(np.full(size, 0.1))).tolist() == [0]


def test_one_rounding_is_seen():
    values = np.full(5, 0.1)
    values[2] = np.nextafter(0.1, 1.0)
    assert not vanishing_frequencies(values).any()


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_frequencies_have_no_unit(scale):
    expected = [False, True, True, False, True, True]
    assert vanishing_frequencies(scale * np.array([1.0, 0, 0, 1, 0, 0]))[[1, 3, 5]].all()
    assert vanishing_frequencies(scale * np.array([3.0, 1, 3, 1, 3, 1])).tolist() == expected


def test_projections_are_summed_exactly():
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    layer = basis[:, 0] + basis[:, 1]
    assert not vanishing_projections(basis, layer).any()
    halves = np.array([[1.0, 1.0], [1.0, -1.0]]) * np.sqrt(0.5)
    assert vanishing_projections(halves, np.array([0.3, 0.3])).tolist() == [False, True]
    assert vanishing_projections(basis, np.zeros(4)).all()


def test_layers_of_networks():
    rng = np.random.default_rng(0)
    layers = [np.full(5, 0.1), np.zeros(5)]
    known = ConvolutionalNetwork(5, [5, 5]).decoupling().vanish(layers)
    np.testing.assert_array_equal(known, [[False] + [True] * 4, [True] * 5])
    bases = [np.linalg.qr(rng.standard_normal((3, 3)))[0] for _ in range(2)]
    vanish = OrthogonalNetwork(np.eye(3), bases).decoupling().vanish([bases[0][:, 0], np.zeros(3)])
    np.testing.assert_array_equal(vanish[1], True)
    assert not vanish[0].all()
