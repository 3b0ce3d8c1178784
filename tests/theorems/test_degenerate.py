"""Unremarkable ends that are degenerate: no equation left, one unknown, directions near 1e17."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy.sparse import csr_array

from implicitbias._errors import InvalidInputError
from implicitbias.flow import gradient_flow
from implicitbias.initialization import Initialization
from implicitbias.networks import DiagonalNetwork, FullyConnectedNetwork, TensorNetwork
from implicitbias.problems import Classification, Regression
from implicitbias.theorems import explain, limit_path, predict_limit
from reference import precise_potential


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("first", [[1.0, 1.0, 1.0], [1.0, 0.0, 1.0], [2.0, -1.0, 0.0]])
@pytest.mark.parametrize("points", [1, 2])
def test_features_of_zeros_leave_the_start_as_it_is(depth, first, points):
    """Sign-locked, dead and free coordinates alike: training has no gradient."""
    network, layers = DiagonalNetwork(3, depth), [np.array(first)] + [np.ones(3)] * (depth - 1)
    problem, init = Regression(np.zeros((points, 3)), np.zeros(points)), Initialization(layers, 0.5)
    limit = predict_limit(network, problem, init)
    np.testing.assert_allclose(limit.coefficients, 0.5**depth * np.array(first), rtol=1e-14)
    assert limit.certificate.worst < 1e-14
    assert "beyond Theorem 5" in str(explain(network, problem, init))


def test_features_of_zeros_where_some_coordinates_never_start():
    path = limit_path(
        DiagonalNetwork(2, 2), Regression(np.zeros((1, 2)), [0.0]), [[1.0, 0.0], [0.0, 0.0]], [0, 1]
    )
    np.testing.assert_array_equal(path.coefficients, np.zeros((2, 2)))


@pytest.mark.parametrize("depth", [2, 4])
def test_sparse_features_of_zeros(depth):
    network, problem = DiagonalNetwork(3, depth), Regression(csr_array((2, 3)), np.zeros(2))
    init = Initialization.last_layer_zero(network, np.ones(3), 0.5)
    np.testing.assert_array_equal(predict_limit(network, problem, init).coefficients, np.zeros(3))
    path = limit_path(network, problem, init.directions, [0, 1.0, np.inf])
    np.testing.assert_array_equal(path.coefficients, np.zeros((3, 3)))


@pytest.mark.parametrize("route", ["dual", "parameters"])
@pytest.mark.parametrize("last", [0.0, 0.5, -2.0])
def test_a_flow_without_an_equation_rests_at_its_start(route, last):
    network, layers = DiagonalNetwork(3, 2), [np.array([1.0, 2.0, -1.0]), np.array([1.0, last, 1])]
    problem = Regression(np.zeros((2, 3)), np.zeros(2))
    flow = gradient_flow(network, problem, Initialization(layers, 0.5), route=route)
    np.testing.assert_allclose(flow.final_coefficients, layers[0] * layers[1] / 4, rtol=1e-14)


def one_feature(kind):
    if kind == "diagonal":
        return DiagonalNetwork(1, 2), [[1.4], [-0.9]]
    if kind == "fully connected":
        return FullyConnectedNetwork((1, 3)), [[[1.0, 2.0, -0.5]], [0.4, -0.2, 0.3]]
    tensor = np.random.default_rng(3).standard_normal((2, 3, 1))
    return TensorNetwork(tensor), [[1.4, 0.3], [-0.9, 0.2, 0.5]]


@pytest.mark.parametrize("kind", ["diagonal", "fully connected", "tensor"])
@pytest.mark.parametrize("scale", [1e-200, 1e-3, 1.0, 1e3, 1e6])
@pytest.mark.parametrize("target", [0.0, 3.0, -1e9])
def test_one_feature_has_one_solution_however_large_the_start(kind, scale, target):
    network, layers = one_feature(kind)
    limit = predict_limit(network, Regression([[2.0]], [target]), Initialization(layers, scale))
    np.testing.assert_allclose(limit.coefficients, [target / 2], rtol=1e-15)
    assert limit.certificate.worst < 1e-10


@pytest.mark.parametrize("target", [0.0, 1e-14, 3.0])
def test_one_coordinate_that_moves_is_exact_beside_one_that_rests(target):
    network, problem = DiagonalNetwork(2, 2), Regression([[2.0, 0.0]], [target])
    limit = predict_limit(network, problem, Initialization([[1.4, 1.0], [-0.9, 0.0]], 1e4))
    np.testing.assert_allclose(limit.coefficients, [target / 2, 0.0], rtol=1e-15)
    first, second = limit.parameters
    np.testing.assert_allclose(first[0] * second[0], target / 2, rtol=1e-15)


@pytest.mark.parametrize("log_scale", [720.0, 5000.0])
def test_layers_that_overflow_are_left_out_without_a_warning(log_scale):
    network, problem = DiagonalNetwork(3, 4), Regression([[1.0, 2.0, -1.0]], [1.0])
    init = Initialization.last_layer_zero(network, np.ones(3), log_scale=log_scale)
    limit = predict_limit(network, problem, init)
    assert limit.parameters is None
    np.testing.assert_allclose(limit.coefficients, np.array([1.0, 2.0, -1.0]) / 6, rtol=1e-14)


MILLISECONDS = [
    [1699999999998.0, -1.0, -1.0, -2.0, -1.0, 1.0, -1699999999998.0],
    [1699999999997.0, 3.0, 2.0, 2.0, -2.0, 0.0, -1699999999997.0],
]
UNITS = [
    [0.0, 0.0, -3e-05, -100.0, 0.0],
    [-1e-07, -3000.0, 3e-05, -100.0, -5e-08],
    [-2e-07, -1000.0, -3e-05, 200.0, -1e-07],
    [3e-07, 0.0, -2e-05, -200.0, 1.5e-07],
]
MIXED = [[1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 1.0], [1.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0]]


@pytest.mark.parametrize(
    ("X", "y", "layers", "scale"),
    [
        (MILLISECONDS, [0.0, 0.0], [*MIXED, [2.0, 1.0, 1.0, 2.0, 2.0, 1.0, 1.0]], 10.0),
        (
            UNITS,
            [158.33694950649436, -1273.2607069214455, -793.8731733199583, 316.67391905956424],
            [[-2.0, 0.0, -2.0, -1.0, 2.0], [2.0, -3.0, 3.0, 3.0, 0.0]],
            1.0,
        ),
    ],
)
def test_a_gap_that_is_rho_rounded_refuses_nothing(X, y, layers, scale):
    """nu^T (Z rho - y) is 1e-4 and 1e-7 of the objective at the best float64 rho."""
    network = DiagonalNetwork(len(X[0]), len(layers))
    limit = predict_limit(network, Regression(X, y), Initialization(layers, scale))
    expected = precise_potential.limit(X, y, layers, scale)
    np.testing.assert_allclose(limit.coefficients, expected, rtol=1e-12)
    assert limit.certificate.worst < 1e-12


STAMPS = np.array(
    [
        [1699999999.0, -2.0, 1700000000.7],
        [1700000002.0, -2.0, 1700000003.7],
        [1699999998.0, 2.0, 1699999999.7],
        [1699999999.0, 0.0, 1700000000.7],
    ]
)


def test_a_direction_whose_margins_float64_cannot_add_up_keeps_its_sign():
    """Terms are 1e19 times the margins: summed in float64 the smallest one is negative."""
    labels = np.array([-1.0, 1.0, -1.0, 1.0])
    network = DiagonalNetwork(3, 2)
    init = Initialization.last_layer_zero(network, np.ones(3), 0.1)
    limit = predict_limit(network, Classification(STAMPS, labels), init)
    beta = [Fraction(value) for value in limit.coefficients.tolist()]
    margins = [
        label * sum(Fraction(x) * b for x, b in zip(row, beta, strict=True))
        for row, label in zip(STAMPS.tolist(), map(int, labels), strict=True)
    ]
    assert abs(float(min(margins)) - 1) < 1e-3


def test_a_face_in_units_far_apart_is_found():
    """Features 0 and 4 are equal, from equal starts: by exact rationals they share 0.008."""
    X = np.array(
        [
            [-1000.0, 1e-06, 300000.0, 0.0001, -1000.0],
            [0.0, 1e-06, 100000.0, 0.0001, 0.0],
            [0.0, 2e-06, 100000.0, 0.0, 0.0],
            [3000.0, 0.0, -100000.0, -0.0002, 3000.0],
        ]
    )
    network, problem = DiagonalNetwork(5, 2), Classification(X, [1.0, 1.0, -1.0, 1.0])
    init = Initialization.last_layer_zero(network, [1.0, 1.0, 3.0, 1.0, 1.0], 0.1)
    found = predict_limit(network, problem, init).coefficients
    np.testing.assert_allclose(found, [0.004, 0.0, -1e-5, 1.2e5, 0.004], rtol=1e-13)


def test_scales_that_no_start_has_stay_refused():
    with pytest.raises(InvalidInputError, match="no flow can start"):
        Initialization([np.ones(1)] * 2, 0)
