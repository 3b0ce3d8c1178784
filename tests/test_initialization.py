"""Initialization: directions and scale kept apart."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mpmath import mp

from helpers.draws import normal
from helpers.networks import cases, laws, orthonormal
from implicitbias._errors import InvalidInputError
from implicitbias.initialization import Initialization
from implicitbias.networks import (
    ConvolutionalNetwork,
    DiagonalNetwork,
    FullyConnectedNetwork,
    OrthogonalNetwork,
    TensorNetwork,
)

TENSOR = TensorNetwork(*normal(0, (4, 4, 3, 5)))
ORTHOGONAL = OrthogonalNetwork(
    *normal(1, (5, 4)), [orthonormal(np.random.default_rng(k), k, 5) for k in (5, 7, 6)]
)
NETWORKS = [
    DiagonalNetwork(4, 3),
    ConvolutionalNetwork(5, (5, 5, 5)),
    ConvolutionalNetwork(2, (2, 2)),
    ConvolutionalNetwork(6, (2, 6)),
    FullyConnectedNetwork((4, 3, 2)),
    TENSOR,
    ORTHOGONAL,
]


@laws
@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=5), st.floats(-300, 300))
@example([1e-20, 0.0], -300.0)
@example([0.0, 1.0], -300.0)
def test_parameters_are_scale_times_directions(values, decades):
    scale = 10.0**decades
    init = Initialization([values, values], scale)
    with np.errstate(under="ignore"):
        expected = scale * np.array(values)
    if np.any(values) and np.abs(expected).max() < np.finfo(float).tiny:
        with pytest.raises(InvalidInputError, match="underflows"):
            init.parameters()
        return
    for layer in init.parameters():
        np.testing.assert_allclose(layer, expected, rtol=1e-15, atol=5e-324)
    assert init.scale == scale
    assert init.log_scale == math.log(scale)


@laws
@given(st.floats(-700, 700), st.floats(0.1, 10))
def test_log_scale_gives_the_same_parameters(log_scale, value):
    init = Initialization([[value], [-value]], log_scale=log_scale)
    exact = float(mp.exp(mp.mpf(log_scale)) * mp.mpf(value))
    np.testing.assert_allclose(init.parameters(), [[exact], [-exact]], rtol=1e-13)
    assert init.scale == pytest.approx(float(mp.exp(mp.mpf(log_scale))), rel=1e-13)
    assert init.log_scale == log_scale


def test_a_product_may_fit_where_the_scale_does_not():
    large = Initialization([[1e-300], [1e-290]], log_scale=1000 * math.log(2) + 100)
    assert large.scale == np.inf
    exact = mp.mpf(2) ** 1000 * mp.exp(100)
    np.testing.assert_allclose(
        large.parameters(),
        [[float(exact * mp.mpf(1e-300))], [float(exact * mp.mpf(1e-290))]],
        rtol=1e-12,
    )
    small = Initialization([[1e300], [1e200]], log_scale=-1000.0)
    assert small.scale == 0.0
    np.testing.assert_allclose(small.parameters()[0], [float(mp.exp(-1000) * 1e300)], rtol=1e-12)
    assert repr(small) == "Initialization(directions of shapes (1,), (1,); log_scale=-1000.0)"


def test_directions_are_copied_and_read_only():
    given_layers = [np.ones(3), np.ones((3, 2))]
    init = Initialization(given_layers, 0.5)
    given_layers[0][0] = 7
    assert init.directions[0][0] == 1
    with pytest.raises(ValueError, match="read-only"):
        init.directions[1][0, 0] = 2
    with pytest.raises(AttributeError):
        init.scale = 1.0
    init.parameters()[0][0] = 9  # fresh arrays each time
    assert init.parameters()[0][0] == 0.5
    assert repr(init) == "Initialization(directions of shapes (3,), (3, 2); scale=0.5)"


@pytest.mark.parametrize("network", NETWORKS, ids=repr)
def test_random_fits_repeats_and_differs(network):
    first = Initialization.random(network, 0.1, 3)
    first.check(network)
    for layer, same, other in zip(
        first.directions,
        Initialization.random(network, 0.1, 3).directions,
        Initialization.random(network, 0.1, 4).directions,
        strict=True,
    ):
        np.testing.assert_array_equal(layer, same)
        assert not np.array_equal(layer, other)
    assert Initialization.random(network, seed=3, log_scale=-2000.0).log_scale == -2000.0


def dense_coordinates(network, directions):
    """U_l^T v_l with the bases written out."""
    bases = network.orthogonal_decomposition().bases
    return [basis.T @ layer.ravel() for basis, layer in zip(bases, directions, strict=True)]


@pytest.mark.parametrize("gap", [1e-8, 0.5, 40.0])
@pytest.mark.parametrize("network", [*NETWORKS[:3], ORTHOGONAL], ids=repr)
def test_gap_is_theorem_2s_condition(network, gap):
    worst = math.inf
    for seed in range(20):
        init = Initialization.random(network, 0.1, seed, gap)
        init.check(network)
        *first, last = dense_coordinates(network, init.directions)
        for p in first:
            worst = min(worst, (np.abs(p) ** 2 - np.abs(last) ** 2).min())
    assert worst >= gap
    assert worst <= gap * (1 + 1e-11) + 1e-10  # only as much as is needed


def test_gap_leaves_what_is_long_enough_and_the_last_layer_alone():
    network = DiagonalNetwork(50, 3)
    plain = Initialization.random(network, 1.0, 0)
    widened = Initialization.random(network, 1.0, 0, gap=0.1)
    p = np.array(plain.directions)
    enough = p[:-1] ** 2 >= p[-1] ** 2 + 0.11
    assert 0 < enough.sum() < enough.size
    np.testing.assert_array_equal(np.array(widened.directions)[:-1][enough], p[:-1][enough])
    np.testing.assert_array_equal(widened.directions[-1], p[-1])


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (DiagonalNetwork(4, 3), (4,)),
        (ConvolutionalNetwork(5, (5, 5, 5)), (5,)),
        (ConvolutionalNetwork(2, (2, 2)), (2,)),
        (ConvolutionalNetwork(6, (2, 6)), (2,)),
        (FullyConnectedNetwork((4, 3)), (4, 3)),
        (FullyConnectedNetwork((3, 3, 3)), (3, 3)),
        (TENSOR, (4,)),
    ],
    ids=repr,
)
def test_last_layer_zero_repeats_one_direction(network, shape):
    direction = np.random.default_rng(1).standard_normal(shape)
    init = Initialization.last_layer_zero(network, direction, 0.1)
    init.check(network)
    for layer in init.directions[:-1]:
        np.testing.assert_array_equal(layer, direction)
    assert not init.directions[-1].any()


def test_last_layer_zero_in_the_coordinates_of_an_orthogonal_network():
    eta = np.arange(1.0, 6.0)
    init = Initialization.last_layer_zero(ORTHOGONAL, eta, log_scale=-3.0)
    for layer, basis in zip(init.directions[:-1], ORTHOGONAL.bases, strict=False):
        np.testing.assert_allclose(layer, basis @ eta, atol=1e-14)
    assert not init.directions[-1].any()


def test_last_layer_zero_from_the_first_layers_themselves():
    network = FullyConnectedNetwork((4, 3, 2))
    first = [np.ones((4, 3)), np.full((3, 2), 2.0)]
    init = Initialization.last_layer_zero(network, first, 0.1)
    for layer, given_layer in zip(init.directions, [*first, np.zeros(2)], strict=True):
        np.testing.assert_array_equal(layer, given_layer)


def test_an_even_direction_has_real_equal_coordinates_in_a_convolution():
    network = ConvolutionalNetwork(5, (5, 5, 5))
    init = Initialization.last_layer_zero(network, [3.0, 1, 0.5, 0.5, 1], 1.0)
    first, second, last = dense_coordinates(network, init.directions)
    np.testing.assert_allclose(first, np.fft.fft([3.0, 1, 0.5, 0.5, 1]) / math.sqrt(5), atol=1e-14)
    np.testing.assert_allclose(first, second, atol=1e-15)
    assert not last.any()


@laws
@given(cases())
def test_balanced_starts_have_no_conserved_quantity(case):
    init = Initialization.balanced(case.network, 1.0, seed=2)
    found = case.network.conserved(init.directions)
    assert np.all(np.abs(found) <= 1e-12 * case.network.conserved_scale(init.directions))
    again = Initialization.balanced(case.network, 1.0, seed=2)
    for left, right in zip(init.directions, again.directions, strict=True):
        np.testing.assert_array_equal(left, right)
