"""Circular convolutions against sums over shifts, direct and by FFT."""

import numpy as np
import pytest

from helpers.networks import assert_near, random_parameters, size_of
from implicitbias._errors import InvalidInputError
from implicitbias.networks import ConvolutionalNetwork, _convolutional
from reference import dense_networks as dense


def correlate(a, b):
    """Write out sum_j a_{(i+j) mod d} b_j."""
    return sum(weight * np.roll(a, -shift) for shift, weight in enumerate(b))


def test_hidden_layers_follow_the_index_formula():
    network = ConvolutionalNetwork(4, (2, 3, 4))
    x = np.array([1.0, 10.0, 100.0, 1000.0])
    layers = ([1.0, 2.0], [1.0, 0.0, 3.0], np.ones(4))
    first, second = network.hidden_layers(layers, x[None])
    assert np.array_equal(first[0], [21.0, 210.0, 2100.0, 1002.0])
    assert np.array_equal(second[0], [6321.0, 3216.0, 2163.0, 1632.0])


def test_full_length_coefficients_in_the_fourier_domain():
    # F beta = d^((L-1)/2) prod_l F w_l, F the unitary DFT written out.
    d, depth = 5, 3
    network = ConvolutionalNetwork(d, (d,) * depth)
    layers = random_parameters(network, np.random.default_rng(3))
    grid = np.arange(d)
    F = np.exp(-2j * np.pi * np.outer(grid, grid) / d) / np.sqrt(d)
    expected = d ** ((depth - 1) / 2) * np.prod([F @ layer for layer in layers], axis=0)
    assert_near(F @ network.coefficients(layers), expected, size_of(1.0, *layers))


SIZES = [
    (2, (1, 2)),
    (5, (5, 5)),
    (6, (2, 3, 6)),
    (6, (6, 1, 6, 6)),
    (40, (30, 40)),
    (60, (60, 17, 60)),
    (59, (59, 59, 59, 59)),
]


@pytest.mark.parametrize("by_fft", [False, True])
@pytest.mark.parametrize(("d", "sizes"), SIZES)
def test_direct_and_fft_are_the_written_out_correlations(d, sizes, by_fft, monkeypatch):
    monkeypatch.setattr(_convolutional, "_fft_is_faster", lambda *_, **__: by_fft)
    network = ConvolutionalNetwork(d, sizes)
    rng = np.random.default_rng(d)
    layers = random_parameters(network, rng)
    c = rng.standard_normal(d)
    size = size_of(c, *(np.abs(layer).sum() for layer in layers))
    for index, gradient in enumerate(network.layer_gradients(layers, c)):
        rest = c
        for other in layers[:index] + layers[index + 1 :]:
            rest = correlate(rest, other)
        assert_near(gradient, rest[: sizes[index]], size)
    assert_near(c @ network.coefficients(layers), gradient @ layers[-1], size)


def test_the_faster_way_is_taken():
    assert not _convolutional._fft_is_faster(1000, (3, 1000))
    assert not _convolutional._fft_is_faster(64, (64, 64))
    assert _convolutional._fft_is_faster(1000, (1000, 1000))
    assert not _convolutional._fft_is_faster(1009, (200, 1009))
    assert _convolutional._fft_is_faster(1000, (200, 1000))


@pytest.mark.parametrize(("d", "size"), [(40, 16), (40, 17), (53, 17), (53, 53)])
def test_rows_are_correlated_one_by_one(d, size):
    rng = np.random.default_rng(size)
    X, weights = rng.standard_normal((3, d)), rng.standard_normal(size)
    expected = np.array([correlate(x, weights) for x in X])
    assert_near(_convolutional._correlate_rows(X, weights), expected, size_of(X, weights))


def test_conserved_spectra_of_the_full_length_filters():
    network = ConvolutionalNetwork(4, (4, 2, 4))
    rng = np.random.default_rng(1)
    layers = random_parameters(network, rng)
    powers = [np.abs(np.fft.fft(layer)[:3]) ** 2 / 4 for layer in (layers[0], layers[2])]
    norms = [layer @ layer for layer in layers]
    expected = [norms[0] - norms[1], norms[1] - norms[2], *(powers[0] - powers[1])]
    assert_near(network.conserved(layers), expected, sum(norms))
    scale = [norms[0] + norms[1], norms[1] + norms[2], *(3 * [norms[0] + norms[2]])]
    assert_near(network.conserved_scale(layers), scale, sum(norms))


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_any_activation_is_the_general_definition(depth):
    sizes = (*range(1, depth), 4)
    network = ConvolutionalNetwork(4, sizes)
    rng = np.random.default_rng(depth)
    layers = random_parameters(network, rng)
    x = rng.standard_normal(4)
    expected = dense.forward(dense.convolutional(4, sizes), layers, x, np.cos)
    found = network.predict(layers, x[None], np.cos)[0]
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((4, (4,)), "at least two"),
        ((4, 4), "filter_sizes is 4; expected"),
        ((4, (5, 4)), r"filter_sizes is \(5, 4\); expected sizes of at most num_features = 4"),
        ((4, (2, 3)), "the last one exactly 4"),
        ((4, (0, 4)), "filter_sizes, entry 1, is 0"),
        ((4, (2.5, 4)), "filter_sizes, entry 1, is 2.5"),
        ((-1, (1, 1)), "num_features is -1"),
    ],
)
def test_bad_sizes(arguments, text):
    with pytest.raises(InvalidInputError, match=text):
        ConvolutionalNetwork(*arguments)
