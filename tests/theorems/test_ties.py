"""Limits that a small gap does not decide: ties, locked signs, starts that fit, any size."""

from __future__ import annotations

import numpy as np
import pytest

from implicitbias._errors import CertificateWarning, NoPredictionError
from implicitbias.initialization import Initialization
from implicitbias.networks import (
    ConvolutionalNetwork,
    DiagonalNetwork,
    FullyConnectedNetwork,
    OrthogonalNetwork,
)
from implicitbias.problems import Regression
from implicitbias.theorems import limit_path, predict_limit
from reference.precise_potential import limit

MIXING = np.array([[-1.0, -2.0], [0.0, 1.0], [2.0, -2.0], [1.0, 2.0]])  # S
HALVES = np.array([[1, -1, -1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [1, 1, 1, 1]]) / 2.0  # U
WIND = np.array([[1.0, 1.0, 1.0], [3.0, 0.0, 1.0]]), np.array([3.0, 3.0])


def predicted(X, y, layers, scale):
    layers = np.asarray(layers, dtype=float)
    network = DiagonalNetwork(layers.shape[1], len(layers))
    return predict_limit(network, Regression(X, y), Initialization(list(layers), scale))


def is_right(X, y, layers, scale, tol=1e-11):
    """The prediction against the reference, and its own error against the true one."""
    found = predicted(X, y, layers, scale)
    expected = np.array(limit(np.asarray(X).tolist(), list(y), np.asarray(layers).tolist(), scale))
    error = np.abs(found.coefficients - expected).max() / np.abs(expected).max()
    assert error <= tol
    assert error <= 10 * found.certificate.error <= 10 * tol


@pytest.mark.parametrize("depth", [2, 3, 4, 6, 8])
@pytest.mark.parametrize("scale", [1e-2, 1e-10])
def test_the_tie_of_wind_antun_and_hansen(depth, scale):
    layers = np.ones((depth, 3))
    layers[-1] = 0.0
    is_right(*WIND, layers, scale)


@pytest.mark.parametrize("depth", [2, 3, 5])
@pytest.mark.parametrize("apart", [1e-5, 1e-9, 1e-13])
@pytest.mark.parametrize("scale", [1e-3, 1e-9])
def test_columns_that_are_nearly_equal(depth, apart, scale):
    rng = np.random.default_rng(depth)
    X = rng.standard_normal((2, 4))
    X[:, 3] = -X[:, 0] * (1.0 + apart)
    layers = np.tile(rng.integers(1, 4, 4).astype(float), (depth, 1))
    layers[-1] = 0.0
    is_right(X, X[:, 0] + 0.5 * X[:, 1], layers, scale)


@pytest.mark.parametrize("depth", [3, 4, 7])
@pytest.mark.parametrize("scale", [1e-2, 1e-7])
def test_ties_between_unlike_starts(depth, scale):
    """z_4 = z_1 + z_2 and, for L = 3, lengths of the clock that add up: |eta|^{2-L} = 1, 1, 2."""
    X = np.array([[1.0, 0.0, 2.0, 1.0], [0.0, 1.0, -1.0, 1.0]])
    layers = np.ones((depth, 4))
    layers[:, 3] = 0.5 if depth == 3 else 1.0
    layers[-1] = (0.0, 0.0, 0.25, 0.0)
    is_right(X, [1.0, 1.0], layers, scale)


@pytest.mark.parametrize("depth", [2, 4, 6])
def test_equal_columns_end_equal_to_the_last_bit(depth):
    rng = np.random.default_rng(depth)
    X = rng.standard_normal((4, 7))
    X, signs = np.hstack([X, X, -X]), np.repeat([1.0, 1.0, -1.0], 7)
    layers = np.ones((depth, 21))
    layers[-1] = 0.0
    for scale in (1.0, 1e-6):
        halves = predicted(X, rng.standard_normal(4), layers, scale).coefficients * signs
        np.testing.assert_array_equal(*halves.reshape(3, 7)[:2])
        np.testing.assert_array_equal(*halves.reshape(3, 7)[1:])


@pytest.mark.parametrize(
    "x, start, scale, depth",
    [((1.0, -2.0), (1.0, 4.0), 3.0, 6), ((1.0, -1.0), (1.0, 3.0), 10.0, 4),
     ((1.0, 0.0), (1.0, 1.0), 52.0, 7), ((1.0, 2.0), (3.0, 1.0), 1e-5, 3)],
)  # fmt: skip
def test_layers_that_start_equal_keep_their_sign(x, start, scale, depth):
    is_right([x], [1.0], np.tile(start, (depth, 1)), scale)


def test_locked_signs_are_no_rest():
    """With t0 = 0 and rho(0) != 0 the limit grows with the scale for ever."""
    with pytest.raises(NoPredictionError, match="diverges"):
        limit_path(
            DiagonalNetwork(2, 2), Regression([[1.0, -2.0]], [1.0]), [np.ones(2)] * 2, [np.inf]
        )


@pytest.mark.parametrize("depth", [2, 3, 5])
@pytest.mark.parametrize("moved", [0.0, 1e-13, 1e-9, 1e-4])
def test_starts_that_fit_already(depth, moved):
    rng = np.random.default_rng(depth)
    X, layers = rng.standard_normal((2, 4)), rng.standard_normal((depth, 4))
    y = X @ np.prod(layers, axis=0) * (1.0 + moved)
    is_right(X, y, layers, 1.0)


@pytest.mark.parametrize("size", [1e-250, 6e-194, 1e-100, 1e100, 1e200])
@pytest.mark.parametrize("network", [DiagonalNetwork(2, 2), FullyConnectedNetwork((2, 2))])
def test_targets_of_any_size(size, network):
    init = Initialization.last_layer_zero(network, np.ones(network.parameter_shapes[0]), 1.0)
    problem = Regression([[-0.66, 1.07]], [size])
    found = predict_limit(network, problem, init)
    assert found.certificate.worst < 1e-11
    np.testing.assert_allclose(problem.X @ found.coefficients / size, 1.0, rtol=1e-11)


def test_rounding_of_the_features_counts():
    """Time stamps under a Fourier transform: no float64 spectrum of X tells the answer."""
    network = ConvolutionalNetwork(5, (5,) * 4)
    x = [[1.0, stamp, 1.7e12 + t, 1.7e12 + t, stamp] for stamp, t in ((132.9, 76e3), (132.3, 45e3))]
    filters = [[1.2, 0.7, -0.2, -0.2, 0.7], [0.1, 1.4, -1.4, -1.4, 1.4]] * 2
    init = Initialization([np.array(each) for each in filters], 1e-60)
    with pytest.raises(NoPredictionError, match="error") as caught:
        predict_limit(network, Regression(x, np.array(x)[:, 2]), init)
    assert caught.value.certificate.error > 1e-6


def test_signs_are_kept_where_products_underflow():
    """rho(0) = p^5 at scale 1e-237 is no float64, its sign is."""
    X = np.array([[-1.0, 1.0, 1.0, -1.0], [1.0, 1.0, -1.0, -1.0]])
    found = predicted(X, [0.0, 2.0], np.ones((5, 4)), 1e-237)
    np.testing.assert_allclose(found.coefficients, [1.0, 1.0, 0.0, 0.0], atol=1e-11)


def test_a_path_marks_what_is_refused():
    network, problem = DiagonalNetwork(4, 2), Regression([[1.0, 2.0, -1.0, -2.0]], [1.0])
    with pytest.warns(CertificateWarning, match="1 of 2 scales .* 1e\\+08"):
        path = limit_path(network, problem, [np.ones(4)] * 2, [1e8, 1.0])
    np.testing.assert_array_equal(path.refused, [True, False])
    assert np.isnan(path.coefficients[0]).all() and path.limits[0].certificate.worst > 1e-8
    assert path.errors[1] < 1e-12 and "1 refused" in str(path)
    beta = path.coefficients[1]
    alone = predict_limit(network, problem, Initialization([np.ones(4)] * 2, 1.0))
    np.testing.assert_allclose(beta, alone.coefficients, rtol=1e-12)


def of_mixed_features(basis, scale):
    """Z = (-3, 1, 0, 3) at one point, and weights 1 / |eta| that make its first two columns tie."""
    network = OrthogonalNetwork(MIXING, [basis] * 3)
    eta = basis @ np.array([-1.0, 3.0, 3.0, 0.5])
    init = Initialization([eta, eta, np.zeros(4)], scale)
    return predict_limit(network, Regression([[1.0, 1.0]], [-3.0]), init)


@pytest.mark.parametrize("scale", [1e-8, 1e-12, 7.5e-22, 1e-100])
def test_products_that_cannot_round_leave_ties_exact(scale):
    """max |rho_1|^{2/3} + |rho_2|^{2/3} on 3 |rho_1| + |rho_2| = 3: |rho_2| = 27 |rho_1|."""
    found = of_mixed_features(HALVES, scale)
    np.testing.assert_allclose(found.coefficients, [-0.1, -2.9], rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-8, 1e-12, 7.5e-22, 1e-100])
def test_ties_that_rounding_hides_are_refused(scale):
    turn = np.kron(np.eye(2), np.array([[0.6, -0.8], [0.8, 0.6]]))
    with pytest.raises(NoPredictionError, match="certified only to"):
        of_mixed_features(turn, scale)


@pytest.mark.parametrize("scale", [1e-9, 1.0])
def test_layers_far_smaller_than_others_are_kept_by_unit_vectors(scale):
    layers = [np.array([1.0, 1.0]), np.array([1.0, 1e-20]), np.array([0.5, 1e-22])]
    problem, init = Regression([[1.0, -2.0]], [1.0]), Initialization(layers, scale)
    same = OrthogonalNetwork(np.eye(2), [np.eye(2)] * 3)
    found, expected = (predict_limit(n, problem, init) for n in (same, DiagonalNetwork(2, 3)))
    np.testing.assert_allclose(found.coefficients, expected.coefficients, rtol=1e-12)


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("scale", [1e-300, 1e-217, 1.0, 1e60])
def test_zero_targets_at_every_scale(depth, scale):
    """rho ends where x^T rho = 0; warnings are errors here."""
    layers = np.array([[1.5, -0.5, 2.0], *np.ones((depth - 2, 3)), [-0.5, 0.25, 1.0]])
    found = predicted([[1.0, 2.0, -1.0]], [-0.0], layers, scale)
    assert abs(found.coefficients @ [1.0, 2.0, -1.0]) <= 1e-12 * np.abs(found.coefficients).max()


@pytest.mark.parametrize("last", [(1.0, 1.0, 1.0), (1.0, -0.0, 0.5)])
@pytest.mark.parametrize("depth", [2, 3])
def test_without_data_locked_coordinates_stay_where_they_start(depth, last):
    layers = np.array([*np.ones((depth - 1, 3)), last])
    found = predicted(np.zeros((2, 3)), np.zeros(2), layers, 0.5)
    np.testing.assert_allclose(found.coefficients, np.prod(0.5 * layers, axis=0), rtol=1e-12)


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("apart", [1e-9, 1e-12])
def test_zero_targets_of_a_square_system_end_at_zero(depth, apart):
    """Though a linear program takes the second row for the first, and (1, 1) for an answer."""
    found = predicted([[1.0, -1.0], [1.0, -1.0 - apart]], np.zeros(2), np.ones((depth, 2)), 0.5)
    np.testing.assert_array_equal(found.coefficients, 0.0)


@pytest.mark.parametrize("second", [0.25, 0.875, -1.5])
def test_shares_of_a_tie_of_two_layers_have_all_digits(second):
    """At scale 0 two equal columns share y like (p_1 + p_2)^2: to rounding, as the error says."""
    start = [np.array([0.875, 1.5, 0.625]), np.array([second, 0.25, 0.625])]
    path = limit_path(DiagonalNetwork(3, 2), Regression([[1.0] * 3], [1.0]), start, [0.0])
    weights = (start[0] + start[1]) ** 2  # exact in binary
    found = path.coefficients[0]
    np.testing.assert_allclose(found, weights / weights.sum(), rtol=4e-16)
    assert path.errors[0] < 1e-15


NEAR = [
    [1.6444284774872857, 0.43812890296698176, 0.43812890296697377],
    [-0.8185987028912012, 2.1276945553230155, 2.127694555323015],
]


@pytest.mark.parametrize("scale", [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 2.4e-7, 1e-8])
@pytest.mark.parametrize("fitting", [1, 2])
def test_nearly_equal_columns_of_which_the_targets_are_one(fitting, scale):
    """A part of y of 4e-15 decides which of them: what rounds in B^{-1} y is not rounding here."""
    y, layers = -np.array(NEAR)[:, fitting], [[-1.0, -1.0, 1.0]] * 6 + [[0.0] * 3]
    try:
        is_right(NEAR, y, layers, scale, tol=1e-8)
    except NoPredictionError as error:
        assert "certified only to" in str(error) and scale <= 1e-4


def test_nearly_equal_columns_that_the_end_cannot_tell_apart():
    network, problem = DiagonalNetwork(3, 7), Regression(NEAR, -np.array(NEAR)[:, 2])
    directions = [np.array([-1.0, -1.0, 1.0])] * 6 + [np.zeros(3)]
    with pytest.warns(CertificateWarning, match="decides between them"):
        path = limit_path(network, problem, directions, [0.0])
    assert np.isnan(path.coefficients).all()


def test_a_system_whose_coordinates_are_all_at_their_end():
    """Weights of 0 throughout have no largest one to divide by."""
    rows = [[1.0, 0.875], [1.0, 0.375], [1.0, -0.125]]
    even = np.array([-0.9328155492032463, -0.5834698854072232])
    init = Initialization([even, even[::-1], -even], scale=12.398344249886522)
    found = predict_limit(ConvolutionalNetwork(2, [2, 2, 2]), Regression(rows, [0.0] * 3), init)
    np.testing.assert_array_equal(found.coefficients, np.zeros(2))
