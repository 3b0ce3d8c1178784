"""Coordinates of a start that are 0 by rounding: harmless, or refused."""

from __future__ import annotations

import numpy as np
import pytest

from implicitbias._errors import CertificateWarning, NoPredictionError
from implicitbias.initialization import Initialization
from implicitbias.networks import (
    ConvolutionalNetwork,
    DiagonalNetwork,
    FullyConnectedNetwork,
    GroupConvolutionalNetwork,
    OrthogonalNetwork,
    TensorNetwork,
)
from implicitbias.problems import Classification, Regression
from implicitbias.theorems import limit_path, predict_limit
from reference import precise_one_point
from reference.dense_networks import convolutional, group_convolutional

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


def cyclic(order):
    return np.add.outer(np.arange(order), np.arange(order)) % order


@pytest.mark.parametrize("order", [2, 4, 6, 12])
@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e-6, 1e-9])
def test_filters_of_one_character(order, scale):
    """Singular vectors of one point leave 1e-17 of the other characters, which may grow."""
    for seed in range(3):
        x = np.random.default_rng(seed).standard_normal(order)
        for character in (np.ones(order), (-1.0) ** np.arange(order)):
            expected = character / (x @ character)
            init = Initialization([0.3 * character, np.zeros(order)], scale)
            problem = Regression(x[None], [1.0])
            answered = 0
            for network in (
                GroupConvolutionalNetwork(cyclic(order), 2),
                TensorNetwork(group_convolutional(cyclic(order), 2)),
            ):
                try:
                    limit = predict_limit(network, problem, init)
                except NoPredictionError:
                    continue
                answered += 1
                size = np.abs(expected).max()
                error = np.abs(limit.coefficients - expected).max() / size
                assert error <= max(10.0 * limit.certificate.error, 1e-14)
            if order <= 4:  # characters are not rounded, and decide
                assert answered > 0


@pytest.mark.parametrize("scale", [1.0, 1e-1, 1e-3, 1e-6])
def test_balanced_layers_of_one_character_keep_its_sign(scale):
    """They tend to 0, which fits nothing; what is left of other characters would fit."""
    for seed in range(10):
        x = np.random.default_rng(seed).standard_normal(6)
        network = TensorNetwork(group_convolutional(cyclic(6), 2))
        problem = Regression(x[None], [-0.1 * np.sign(x.sum())])
        init = Initialization([np.full(6, 0.17290171709655788)] * 2, scale)
        with pytest.raises(NoPredictionError):
            predict_limit(network, problem, init)


def test_zeros_of_two_layers_beside_one_that_is_none():
    """What rounding leaves of the two counts, not the third."""
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((4, 4)))[0]
    layers = [[1, 0.5, 0, 0.8], [-0.4, 0.5, 0.3, -0.1], [1.8, -1.2, 0.7, -1], [-1.9, -0.3, 0, -0.6]]
    problem = Regression([[-0.3, 0.02, -0.6, -0.3]], [1.1])
    turned = Initialization([basis @ np.array(layer) for layer in layers], 1.0)
    limit = predict_limit(OrthogonalNetwork(np.eye(4), [basis] * 4), problem, turned)
    plain = Initialization([np.array(layer) for layer in layers], 1.0)
    expected = predict_limit(DiagonalNetwork(4, 4), problem, plain).coefficients
    np.testing.assert_allclose(limit.coefficients, expected, rtol=1e-12, atol=1e-14)


def one_layer_in_the_kernel(kind, task):
    """A layer that M(x) does not see, but for the rounding of its singular coordinates."""
    rng = np.random.default_rng(0)
    if kind == "short filters":
        network = ConvolutionalNetwork(4, (2, 4))
        x, layers = np.ones(4), [np.zeros(2), np.array([1.0, -1.0, 1.0, -1.0])]
    elif kind == "centred signal":
        network = ConvolutionalNetwork(6, (3, 6))
        x = rng.standard_normal(6)
        x, layers = x - x.mean(), [np.zeros(3), np.ones(6)]
    elif kind == "fully connected":
        network = FullyConnectedNetwork((6, 2))
        x = rng.standard_normal(6)
        x = x - x.mean()
        layers = [np.tile(rng.standard_normal(2), (6, 1)), np.array([1e-12, 2e-12])]
    else:
        network, x = TensorNetwork(np.ones((2, 1, 1))), np.ones(1)
        layers = [np.array([1.0, -1.0]), np.zeros(1)]
    problem = Regression([x], [1.0]) if task == "regression" else Classification([x], [1.0])
    return network, problem, Initialization(layers, scale=1.0)


@pytest.mark.parametrize(
    ("kind", "task"),
    [
        ("short filters", "regression"),
        ("short filters", "classification"),
        ("centred signal", "regression"),
        ("centred signal", "classification"),
        ("fully connected", "regression"),
        ("one feature", "regression"),
    ],
)
def test_parts_of_a_start_that_are_the_rounding_of_the_rest_certify_nothing(kind, task):
    with pytest.raises(NoPredictionError):
        predict_limit(*one_layer_in_the_kernel(kind, task))


@pytest.mark.parametrize("kind", ["convolution", "group"])
@pytest.mark.parametrize(("size", "scale", "target"), [(1e-15, 1.0, 1e-15), (1e-15, 1e6, 0.1)])
def test_small_layers_are_no_rounding_of_large_ones(kind, size, scale, target):
    table = np.array([[0, 1], [1, 0]])
    network = ConvolutionalNetwork(2, (2, 2))
    if kind == "group":
        network = GroupConvolutionalNetwork(table, 2)
    layers = [np.array([1.0, 0.3]), size * np.array([1.0, -0.2])]
    x = np.array([1.0, 0.5])
    limit = predict_limit(network, Regression([x], [target]), Initialization(layers, scale=scale))
    tensor = convolutional(2, (2, 2))
    exact = np.array(precise_one_point.limit(tensor, x, layers, target, scale), dtype=float)
    assert np.abs(limit.coefficients - exact).max() <= 1e-12 * np.abs(exact).max()


def test_ties_that_rounding_may_have_broken_are_tried_as_ties():
    """Balanced in the singular vectors of nearly even data: which coordinate crosses 0 first."""
    rng = np.random.default_rng(1019)
    d = int(rng.integers(3, 7))
    noise = 10.0 ** rng.integers(-13, -8)
    x = rng.standard_normal(d)
    x = x + x[-np.arange(d) % d] + noise * rng.standard_normal(d)
    matrix = np.array([[x[(i + j) % d] for j in range(d)] for i in range(d)])
    left, _, right = np.linalg.svd(matrix)
    network = TensorNetwork(convolutional(d, (d, d)))
    for seed in range(5):
        c = np.random.default_rng(seed).standard_normal(d)
        for sign in (-1.0, 1.0):
            layers, problem = [left @ c, sign * right.T @ c], Regression([x], [-sign])
            with pytest.raises(NoPredictionError):
                predict_limit(network, problem, Initialization(layers, scale=1e-3))


def test_zero_targets_from_a_start_balanced_to_rounding():
    """That every coordinate tends to 0 is rounding: the exact start ends at [-.78, -.99, ..]."""
    table = np.add.outer(np.arange(4), np.arange(4)) % 4
    layers = [
        np.array(
            [-0.10536200825395226, 1.0769695255976637, 0.0789089749519658, -1.548020254499496]
        ),
        np.array(
            [1.2558936199897268, 0.6678565517324644, -1.2294405866877407, -0.19680582283063197]
        ),
    ]
    network, problem = (
        GroupConvolutionalNetwork(table, 2),
        Regression([[1.4, -1.9, 0.2, 0.9]], [0.0]),
    )
    with pytest.raises(NoPredictionError):
        predict_limit(network, problem, Initialization(layers, scale=1000.0))
