"""certificate.error is that of beta = S^T rho: coordinates that cancel, rows of S far apart."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from flint import arb, ctx, fmpq, fmpq_mat

from implicitbias._errors import NoPredictionError
from implicitbias.initialization import Initialization
from implicitbias.networks import (
    ConvolutionalNetwork,
    DiagonalNetwork,
    FullyConnectedNetwork,
    OrthogonalNetwork,
    TensorNetwork,
    TwoSidedDiagonalNetwork,
)
from implicitbias.problems import Regression
from implicitbias.theorems import limit_path, predict_limit
from reference.precise_curves import WORK
from reference.precise_faces import weighted_least_norm
from reference.precise_potential import precise_limit, to_float

ROUNDING = 1e-15


def rational(value):
    return fmpq(*float(value).as_integer_ratio())


def rationals(values):
    return fmpq_mat([[rational(value) for value in row] for row in np.atleast_2d(values)])


def features(X, S):
    """X S^T, exactly."""
    return (rationals(X) * rationals(S).transpose()).tolist()


def seen(S, rho):
    """S^T rho of numbers with all digits, rounded once."""
    with ctx.workdps(WORK):
        return np.array(
            [
                to_float(
                    sum(
                        (arb(rational(s)) * arb(r) for s, r in zip(column, rho, strict=True)),
                        arb(0),
                    )
                )
                for column in S.T
            ]
        )


def least_l1(rows, target):
    """The vertex of least l1 norm, exactly."""
    n, m, best = len(rows), len(rows[0]), None
    for chosen in combinations(range(m), n):
        part = fmpq_mat([[row[j] for j in chosen] for row in rows])
        if part.det() == 0:
            continue
        found = part.solve(fmpq_mat([[value] for value in target]))
        rho = [fmpq(0)] * m
        for place, j in enumerate(chosen):
            rho[j] = found[place, 0]
        norm = sum((abs(value) for value in rho), fmpq(0))
        if best is None or norm < best[0]:
            best = norm, rho
    return best[1]


def starts(m, depth, first=1.0):
    return [np.full(m, first)] * (depth - 1) + [np.zeros(m)]


def check(beta, error, expected, at_most=1e-9):
    true = np.abs(beta - expected).max() / np.abs(expected).max()
    assert true <= max(10 * error, ROUNDING)
    assert true <= at_most
    assert error <= 1e-8


def end(S, X, y, depth, scale):
    layers = starts(len(S), depth)
    network = OrthogonalNetwork(S, [np.eye(len(S))] * depth)
    path = limit_path(network, Regression(X, y), layers, [scale])
    rows, target = features(X, S), [rational(value) for value in y]
    if scale == 0.0:
        return path, seen(S, least_l1(rows, target))
    return path, seen(S, weighted_least_norm(rows, target, [fmpq(1)] * len(S)))


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("scale", [0.0, np.inf])
def test_square_data_have_one_solution(depth, scale):
    """rho = (1e6, -1e6), beta of about 1: the error was said to be 2e-16, and was 2e-10."""
    S = np.array([[1.0, 1000001], [2, 1000000]])
    path, _ = end(S, np.array([[3.0, 3], [-2, 1]]), np.array([1.0, -3]), depth, scale)
    check(path.coefficients[0], path.errors[0], np.array([10 / 9, -7 / 9]), 1e-15)


@pytest.mark.parametrize("family", ["diagonal", "two-sided"])
@pytest.mark.parametrize("depth", [2, 3, 5])
@pytest.mark.parametrize("scale", [0.0, 1e-5, 0.0115, 1.0, np.inf])
def test_square_data_with_an_offset_have_one_solution(family, depth, scale):
    """A column of time stamps: no sum over coordinates has the digits, X^{-1} y has them all."""
    X = np.array([[1.0, 274.2804831719094], [1.0, 266.8216592550804], [1.0, 293.3461718498197]])
    X = np.column_stack([X, 1.7e12 + np.array([60000.0, 39000.0, 4000.0])])
    for y in (-2.0 * X[:, 2], X[:, 0] + 2.0 * X[:, 1]):
        if family == "diagonal":
            network, layers = DiagonalNetwork(3, depth), [np.ones(3)] * (depth - 1) + [np.zeros(3)]
        else:
            network, layers = TwoSidedDiagonalNetwork(3, depth), [np.ones(3)] * 2
        path = limit_path(network, Regression(X, y), layers, [scale])
        solved = rationals(X).solve(rationals(y).transpose())
        expected = np.array([int(entry.p) / int(entry.q) for entry in solved.entries()])
        check(path.coefficients[0], path.errors[0], expected, 1e-13)
        parameters = path.limits[0].parameters
        if parameters is not None:
            made = network.coefficients(parameters)
            np.testing.assert_allclose(made, expected, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("depth", [2, 3])
def test_coordinates_that_cancel_at_scale_zero(depth):
    S = np.array([[-2.0, 1001, 1002], [0, 998, 998], [-1, 1000, 999]])
    X, y = np.array([[2.0, 1001, 1002], [0, 1002, 1001]]), np.array([1.0, 0])
    path, expected = end(S, X, y, depth, 0.0)
    check(path.coefficients[0], path.errors[0], expected, 1e-12)
    assert path.gaps[0] < 1e-15


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("scale", [0.0, np.inf])
def test_coordinates_that_cancel_at_the_ends(seed, scale):
    """Two equal columns of S but for small integers: a sum of coordinates of 1e6 that is 1."""
    rng = np.random.default_rng(seed)
    S = rng.integers(-2, 3, (5, 4)) + np.array([1e6, 0.0, 0.0, 1e6])
    X, y = rng.integers(-2, 3, (2, 4)).astype(float), rng.integers(1, 4, 2).astype(float)
    assert np.linalg.matrix_rank(S) == 4 and np.linalg.matrix_rank(X) == 2
    path, expected = end(S, X, y, 2, scale)
    if not path.refused[0] and "tie" not in path.limits[0].note:
        check(path.coefficients[0], path.errors[0], expected)


def test_rows_in_units_far_apart():
    """The error of rho is relative to its largest entry, and a small one has a long row of S."""
    g = np.random.default_rng(67)
    X, y = g.standard_normal((2, 2)), g.standard_normal(2)
    S = g.standard_normal((2, 2)) * 10.0 ** g.integers(-6, 7, (2, 1))
    network = OrthogonalNetwork(S, [np.eye(2)] * 2)
    found = predict_limit(network, Regression(X, y), Initialization(starts(2, 2), scale=0.01))
    expected = rationals(X).solve(rationals(y).transpose())
    expected = np.array([int(expected[k, 0].p) / int(expected[k, 0].q) for k in range(2)])
    check(found.coefficients, found.certificate.error, expected, 1e-15)


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("scale", [0.01, 100.0])
@pytest.mark.parametrize("seed", range(12))
def test_rows_in_units_far_apart_of_more_coordinates(seed, depth, scale):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((2, 3)), rng.standard_normal(2)
    S = rng.standard_normal((4, 3)) * 10.0 ** rng.integers(-6, 7, (4, 1))
    X[:, 0] += 10.0 ** rng.integers(0, 5)
    layers = [rng.uniform(0.3, 3.0, 4)] * (depth - 1) + [rng.uniform(-2.0, 2.0, 4) * (depth == 2)]
    network = OrthogonalNetwork(S, [np.eye(4)] * depth)
    try:
        found = predict_limit(network, Regression(X, y), Initialization(layers, scale=scale))
    except NoPredictionError:
        return
    rho = precise_limit(features(X, S), y, layers, scale)
    check(found.coefficients, found.certificate.error, seen(S, rho))


def test_rows_that_a_search_leaves_out():
    """A term of 5e-11 of the tensor, from a start that makes it a fifth of beta."""
    rng = np.random.default_rng(600224)
    S = rng.standard_normal((5, 4)) * 10.0 ** np.array([3.0, -6.0, 5.0, -6.0, -5.0])[:, None]
    tensor = np.zeros((5, 5, 4))
    tensor[np.arange(5), np.arange(5)] = S
    network = TensorNetwork(tensor)
    assert network.orthogonal_decomposition().size == 4
    problem = Regression(rng.standard_normal((2, 4)), rng.standard_normal(2))
    init = Initialization([np.ones(5), np.full(5, -1.5)], scale=100.0)
    with pytest.raises(NoPredictionError) as caught:
        predict_limit(network, problem, init)
    assert caught.value.certificate.error > 1e-3
    still = Initialization([np.ones(5), np.zeros(5)], scale=100.0)
    assert predict_limit(network, problem, still).certificate.error < 1e-8


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.filterwarnings("ignore::implicitbias.CertificateWarning")
def test_zeros_that_only_rounding_forces_on_a_path(seed):
    """They are judged at each scale of the path, not at scale 1."""
    network, mirror = ConvolutionalNetwork(4, [4, 4]), -np.arange(4) % 4
    layers = [(v + v[mirror]) / 2 for v in Initialization.balanced(network, 1.0, seed).directions]
    problem = Regression(np.array([[1.0, 0.5, 1.0, 0.5]]), np.zeros(1))
    whole = limit_path(network, problem, layers, [1e-4], certified_to=np.inf)
    one = predict_limit(
        network, problem, Initialization(layers, scale=1e-4), certified_to=np.inf
    ).certificate
    np.testing.assert_allclose(whole.errors[0], one.error, rtol=0.5, atol=1e-14)


def test_rows_that_offsets_hide_beyond_float64():
    """The second feature counts 4e-25 of a prediction: residuals to 75 bits do not see it."""
    X = np.array([[1.0, 0.75, 1700000046000.0], [1.0, -0.1875, 1700000017000.0]])
    y = np.array([850000023000.0, 850000008500.0])
    network = FullyConnectedNetwork((3, 2, 2, 1))
    init = Initialization.random(network, 1e-5, seed=1)
    found = predict_limit(network, Regression(X, y), init)
    rows = rationals(X)
    expected = rows.transpose() * (rows * rows.transpose()).solve(rationals(y).transpose())
    expected = np.array([int(expected[k, 0].p) / int(expected[k, 0].q) for k in range(3)])
    missed = np.abs(found.coefficients - expected).max() / 0.5
    assert missed <= found.certificate.error <= 1e-8


@pytest.mark.parametrize("depth", [2, 3, 4, 6])
@pytest.mark.parametrize("rows", [2, 3])
def test_time_stamps_beside_ones(depth, rows):
    """A solve rounds by more than exact residuals show: rho_1 = 0 beside 1e-12 is 1e-24."""
    stamps = np.array([1700000072000.0, 1700000002000.0, 1700000092000.0])[:rows]
    targets = np.array([-2.319211587746395, -2.319211492249451, -2.319211615031236])[:rows]
    X = np.column_stack([np.ones(rows), stamps])
    solved = rationals(X[:2]).solve(rationals(targets[:2]).transpose())
    exact = np.array([int(entry.p) / int(entry.q) for entry in solved.entries()])
    init = Initialization(
        [np.array([-0.316, -1.823])] * (depth - 1) + [np.zeros(2)], scale=40.78315426225683
    )
    limit = predict_limit(DiagonalNetwork(2, depth), Regression(X, targets), init)
    error = np.abs(limit.coefficients - exact).max() / np.abs(exact).max()
    assert error <= max(10 * limit.certificate.error, ROUNDING)
    assert limit.certificate.error < 1e-13
