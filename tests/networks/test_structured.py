"""Decompositions by structure: the identity, the DFT, disjoint paths."""

import numpy as np
import pytest

import implicitbias as ib
from helpers.networks import assert_near, random_parameters
from implicitbias import networks
from reference import dense_networks as dense


def residual(found, tensor):
    """max_e ||M(e) - rebuilt||_F / max_e ||M(e)||_F, by explicit loops."""
    left = (dense.orthogonal(found.S, found.bases) - tensor).reshape(-1, tensor.shape[-1])
    whole = tensor.reshape(left.shape)
    return np.linalg.norm(left, axis=0).max() / np.linalg.norm(whole, axis=0).max()


def test_identity_hands_out_what_it_is_given():
    found = networks.DiagonalNetwork(1_000_000, 3).orthogonal_decomposition()
    X = np.ones((2, 1_000_000))
    assert found.features(X) is X
    assert found.coefficients(X) is X
    assert found.size == found.num_features == 1_000_000
    assert found.is_real


def test_fourier_needs_no_matrix():
    found = networks.ConvolutionalNetwork(100_000, (100_000,) * 2).orthogonal_decomposition()
    x = np.zeros(100_000)
    x[0] = 1.0
    assert_near(found.features(x), np.ones(100_000), 1.0)
    assert not found.is_real


@pytest.mark.parametrize("d", [1, 2])
def test_the_shortest_convolutions_are_real(d):
    found = networks.ConvolutionalNetwork(d, (d,) * 3).orthogonal_decomposition()
    assert found.is_real
    assert_near(dense.orthogonal(found.S, found.bases), dense.convolutional(d, (d,) * 3), 1.0)


def test_fourier_matrices_are_the_unitary_dft():
    d, depth = 5, 4
    found = networks.ConvolutionalNetwork(d, (d,) * depth).orthogonal_decomposition()
    grid = np.arange(d)
    F = np.exp(-2j * np.pi * np.outer(grid, grid) / d) / np.sqrt(d)
    assert_near(found.S, d**1.5 * F, d**1.5)
    assert_near(found.bases[0], F.conj(), 1.0)


@pytest.mark.parametrize(
    ("widths", "status"),
    [
        ((1, 1), "holds"),
        ((1, 4), "holds"),
        ((1, 1, 1), "holds"),
        ((1, 1, 1, 1), "holds"),
        ((2, 1), "fails"),
        ((2, 4), "fails"),
        ((3, 2), "fails"),
        ((1, 2, 1), "fails"),
        ((1, 2, 2), "fails"),
        ((2, 3, 4), "fails"),
        ((1, 1, 2, 1), "fails"),
    ],
)
def test_fully_connected_along_disjoint_paths(widths, status):
    network = networks.FullyConnectedNetwork(widths)
    found = network.orthogonal_decomposition()
    assert found.verdict.status == status
    assert found.residual == pytest.approx(residual(found, dense.fully_connected(widths)))
    for basis in found.bases:
        assert np.array_equal(basis.T @ basis, np.eye(found.size))
    layers = random_parameters(network, np.random.default_rng(0))
    p = found.coordinates(layers)
    assert np.array_equal(p[-1], layers[-1][: found.size])
    for row, basis, v in zip(p, found.bases, layers, strict=True):
        assert np.array_equal(row, basis.T @ v.ravel())
    assert_near(found.coefficients(p[0]), found.S.T @ p[0], np.linalg.norm(p) + 1.0)
    assert np.array_equal(found.features(np.eye(widths[0])), found.S.T)
    back = found.parameters(p, remainder_of=layers)
    for layer, given in zip(back, layers, strict=True):
        assert_near(layer, given, 1.0)
    for layer, basis, row in zip(found.parameters(p), found.bases, p, strict=True):
        assert np.array_equal(layer.ravel(), basis @ row)


def test_large_fully_connected_networks_are_judged_at_once():
    found = networks.FullyConnectedNetwork((200, 200, 200, 200)).orthogonal_decomposition()
    assert found.verdict.fails
    assert found.residual == pytest.approx(np.sqrt(1 - 200.0**-3))
    assert repr(found).startswith("SelectionDecomposition(m=200, d=200, depth=4, real; fails")


@pytest.mark.parametrize("depth", [345, 700, 10_000])
def test_more_full_length_filters_than_float64_holds_are_refused(depth):
    network = ib.ConvolutionalNetwork(8, (8,) * depth)
    init = ib.Initialization.last_layer_zero(network, np.ones(8), 0.1)
    for problem in (ib.Regression(np.ones((1, 8)), [1.0]), ib.Classification(np.ones((1, 8)), [1])):
        with pytest.raises(ib.InvalidInputError, match="Choose fewer layers"):
            ib.predict_limit(network, problem, init)
