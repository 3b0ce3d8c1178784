"""Networks given by S and U_l: special cases, activations, bad input."""

import numpy as np
import pytest

from helpers.networks import (
    assert_near,
    conjugate_pairs,
    orthonormal,
    paired_rows,
    random_parameters,
)
from implicitbias import networks
from implicitbias._arrays import exact_product
from implicitbias._errors import InvalidInputError
from implicitbias.networks import OrthogonalNetwork
from reference import dense_networks as dense

BASES = [orthonormal(np.random.default_rng(k), k, 3) for k in (4, 3)]
PAIRED = [conjugate_pairs(np.random.default_rng(k), k, 4) for k in (5, 4)]


def test_identity_is_the_diagonal_network():
    network = OrthogonalNetwork(np.eye(3), [np.eye(3)] * 3)
    diagonal = networks.DiagonalNetwork(3, 3)
    layers = random_parameters(network, np.random.default_rng(1))
    assert_near(network.coefficients(layers), diagonal.coefficients(layers), 1.0, 1e-15)


def test_fourier_is_the_full_length_convolution():
    convolution = networks.ConvolutionalNetwork(6, (6, 6, 6))
    fourier = convolution.orthogonal_decomposition()
    network = OrthogonalNetwork(fourier.S, fourier.bases)
    layers = random_parameters(network, np.random.default_rng(1))
    assert_near(network.coefficients(layers), convolution.coefficients(layers), 20.0)
    assert_near(network.data_tensor(np.arange(6.0)), convolution.data_tensor(np.arange(6.0)), 20.0)


def test_conserved_are_norms_and_coordinates():
    S = paired_rows(np.random.default_rng(1), 4, 2)
    network = OrthogonalNetwork(S, PAIRED)
    v, w = layers = random_parameters(network, np.random.default_rng(2))
    p, q = v @ PAIRED[0], w @ PAIRED[1]
    expected = [v @ v - w @ w, *(np.abs(p) ** 2 - np.abs(q) ** 2)]
    assert_near(network.conserved(layers), expected, v @ v + w @ w)
    assert_near(network.conserved_scale(layers), [v @ v + w @ w] * 5, v @ v + w @ w)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_any_activation_is_the_general_definition(depth):
    rng = np.random.default_rng(depth)
    bases = [conjugate_pairs(rng, k, 2) for k in (3, 2, 3, 2)[:depth]]
    S = paired_rows(rng, 2, 2)
    network = OrthogonalNetwork(S, bases)
    layers = random_parameters(network, rng)
    x = rng.standard_normal(2)
    expected = dense.forward(dense.orthogonal(S, bases).real, layers, x, np.cos)
    assert network.predict(layers, x[None], np.cos)[0] == pytest.approx(expected, rel=1e-12)


def test_large_networks_predict_without_a_tensor_and_refuse_an_activation():
    network = OrthogonalNetwork(np.eye(30), [np.eye(30)] * 6)
    layers = [np.full(30, 2.0)] * 6
    assert network.predict(layers, np.eye(30)[:1]) == pytest.approx(64.0)
    with pytest.raises(InvalidInputError, match="hidden tensor H_1"):
        network.predict(layers, np.eye(30)[:1], np.tanh)


def test_arrays_are_copied_kept_from_change_and_made_real_where_they_are():
    S = np.eye(3)
    network = OrthogonalNetwork(S + 0j, BASES)
    assert network.S.dtype == np.float64
    S[0, 0] = 5.0
    assert network.S[0, 0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        network.bases[0][0, 0] = 1.0


@pytest.mark.parametrize(
    ("S", "bases", "text"),
    [
        (np.ones(3), BASES, r"S has shape \(3,\)"),
        (np.eye(3), BASES[:1], "at least two matrices"),
        (np.eye(3), 7, "sequence of at least two matrices"),
        (np.eye(2), BASES, r"bases, entry 1, has shape \(4, 3\); expected \(k, 2\)"),
        (np.eye(4), [np.eye(4), np.eye(4)[:3]], r"entry 2, has shape \(3, 4\)"),
        (np.eye(3), [BASES[0], 2 * BASES[1]], "entry 2, has columns that are not orthonormal"),
        (np.ones((3, 2)), BASES, "has rank 1; expected full column rank 2"),
        (np.ones((3, 4)), BASES, "expected full column rank 4"),
        (np.full((3, 3), np.nan), BASES, "S contains"),
        (1j * np.eye(3), BASES, "data tensor that is not real"),
        (np.eye(4), PAIRED, "data tensor that is not real"),
    ],
)
def test_bad_input(S, bases, text):
    with pytest.raises(InvalidInputError, match=text):
        OrthogonalNetwork(S, bases)


def test_products_are_exact_where_they_cannot_round():
    third = np.array([[1.0 / 3.0, -0.1], [2.0, 0.7]])
    assert exact_product(third, np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]]))
    assert exact_product(np.array([0.5, -3.0, 2.0**-40]), np.ones((3, 2)) / 4.0)
    assert exact_product(np.zeros((1, 2)), third)
    assert not exact_product(third, np.ones((2, 2)))
    assert not exact_product(third, 3.0 * np.eye(2))
    assert not exact_product(np.array([1.0, 2.0**-53]), np.ones((2, 1)))
    assert not exact_product(np.array([2.0**-600]), np.array([[2.0**-600]]))
    assert not exact_product(1j * np.eye(2), np.eye(2))
