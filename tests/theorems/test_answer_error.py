"""certificate.error is never more than ten times too small: one test for each kind it once was."""

from __future__ import annotations

import numpy as np
import pytest
from flint import fmpq, fmpq_mat
from mpmath import mp
from scipy.sparse import csr_array

from implicitbias import datasets
from implicitbias._errors import NoPredictionError
from implicitbias.initialization import Initialization
from implicitbias.networks import (
    ConvolutionalNetwork,
    DiagonalNetwork,
    FullyConnectedNetwork,
    OrthogonalNetwork,
)
from implicitbias.problems import Classification, Regression
from implicitbias.theorems import limit_path, predict_limit, sensitivity
from reference import precise_one_point
from reference.dense_networks import fully_connected
from reference.precise_faces import large_end, small_end
from reference.precise_potential import limit as exact_limit

ROUNDING = 1e-15


def true_error(found, expected):
    return np.abs(found.coefficients - expected).max() / np.abs(expected).max()


def check(found, expected, at_most):
    """The answer is right to ``at_most``, and its certificate says how right."""
    error = true_error(found, expected)
    assert error <= max(10 * found.certificate.error, ROUNDING)
    assert error <= at_most
    assert found.certificate.error <= 1e-9


@pytest.mark.parametrize("depth", [3, 4, 6])
@pytest.mark.parametrize("scale", [1e-12, 1e-4, 0.05, 20.0])
def test_targets_of_zero(depth, scale):
    """t does not depend on the scale then, rho does: the Newton system has to follow."""
    rng = np.random.default_rng(depth)
    X, layers = rng.standard_normal((2, 6)), rng.standard_normal((depth, 6))
    network, problem = DiagonalNetwork(6, depth), Regression(X, np.zeros(2))
    expected = exact_limit(X, problem.y, layers, scale)
    check(predict_limit(network, problem, Initialization(layers, scale=scale)), expected, 1e-13)
    check(limit_path(network, problem, layers, [scale, 0.3]).limits[0], expected, 1e-13)


def test_how_targets_of_zero_move_with_the_scale():
    rng = np.random.default_rng(1)
    X, layers = rng.standard_normal((2, 6)), rng.standard_normal((3, 6))
    found = sensitivity(
        DiagonalNetwork(6, 3), Regression(X, [0.0, 0.0]), Initialization(layers, scale=0.02)
    )
    np.testing.assert_allclose(found.by_log_scale, 3 * found.limit.coefficients, rtol=1e-12)


OFFSETS = 1.7e12 + 32e3 * np.array([2.0, 1.0, 0.0, 3.0])


def with_time_stamps(rng, n, d):
    """Dyadic features beside time stamps and years."""
    X = np.round(rng.standard_normal((n, d)) * 16) / 16
    X[:, 0], X[:, 1], X[:, 4] = 1.0, OFFSETS[:n], 2000.0 + rng.integers(-20, 20, n)
    return X


@pytest.mark.parametrize("depth", [2, 3, 5])
@pytest.mark.parametrize("seed", range(4))
def test_time_stamps(depth, seed):
    """Residuals to 75 bits, and B^{-1} Z by LU, lose what the other columns are decided by."""
    rng = np.random.default_rng(seed)
    X, eta = with_time_stamps(rng, 3, 7), rng.uniform(0.5, 2.0, 7)
    layers, y = [eta] * (depth - 1) + [np.zeros(7)], np.array([3.0, -1.0, 2.0])
    network, init = DiagonalNetwork(7, depth), Initialization(layers, scale=0.01)
    check(predict_limit(network, Regression(X, y), init), exact_limit(X, y, layers, 0.01), 1e-13)
    if depth == 2:
        y = -2.0 * X[:, 1]
        found = predict_limit(network, Regression(X, y), init)
        check(found, exact_limit(X, y, layers, 0.01), 1e-13)


@pytest.mark.parametrize("depth", [2, 4, 8])
def test_targets_that_are_a_column_beside_its_near_duplicate(depth):
    """Combined targets of exact zeros: the columns they leave out are no rounding."""
    rng = np.random.default_rng(depth)
    X = np.vstack([rng.standard_normal((2, 5)), np.zeros(5)])
    X[2] = X[0] + 1e-8 * rng.standard_normal(5)
    eta = np.array([3.0, 3.0, 0.5, -1.0, 1.0])
    layers = [eta] * (depth - 1) + [np.zeros(5)]
    found = predict_limit(
        DiagonalNetwork(5, depth), Regression(X, X[:, 1]), Initialization(layers, scale=0.01)
    )
    check(found, exact_limit(X, X[:, 1], layers, 0.01), 1e-13)


@pytest.mark.parametrize("depth", [2, 3, 5])
@pytest.mark.parametrize("scale", [1e250, 1e120])
def test_scales_whose_logarithm_is_large(depth, scale):
    """alpha eta is rounded to 600 eps: what it does to the answer is counted."""
    layers = [np.array([3.0, -1.0, 0.5, 0.7])] * (depth - 1) + [np.zeros(4)]
    X, y = np.array([[1.0, 2.0, -1.0, 3.0]]), np.array([0.5])
    found = predict_limit(
        DiagonalNetwork(4, depth), Regression(X, y), Initialization(layers, scale=scale)
    )
    check(found, exact_limit(X, y, layers, scale), 1e-12)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", [np.asarray, csr_array])
def test_several_time_stamps_beside_one_another(seed, kind):
    """B^{-1} Z by LU is wrong by a millionth of what decides between the light columns."""
    rng = np.random.default_rng(seed)
    X = np.round(rng.standard_normal((5, 9)) * 16) / 16
    X[:, 0] = 1.0
    for column, step in zip((1, 2, 3), (16e3, 32e3, 8e3), strict=True):
        X[:, column] = 1.7e12 + step * rng.permutation(5)
    X[:, 4] = 2000.0 + rng.integers(-30, 30, 5)
    y = X @ np.where(np.arange(9) > 4, rng.integers(-2, 3, 9), 0.0)
    layers = [np.ones(9)] * 3 + [np.zeros(9)]
    found = predict_limit(
        DiagonalNetwork(9, 4), Regression(kind(X), y), Initialization(layers, scale=0.1)
    )
    check(found, exact_limit(X, y, layers, 0.1), 1e-13)


def even_balanced(X, depth, seed):
    """A balanced start of even filters, whose spectra tie up to rounding of the Fourier transform.

    Z, layers and the S of beta = S^T rho are those of the floats as given, to 80 digits.
    """
    d = X.shape[1]
    network, mirror = ConvolutionalNetwork(d, [d] * depth), -np.arange(d) % d
    layers = [(v + v[mirror]) / 2 for v in Initialization.balanced(network, 1.0, seed).directions]
    with mp.workdps(80):
        F = mp.matrix(d, d)
        for j in range(d):
            for k in range(d):
                F[j, k] = mp.cos(2 * mp.pi * j * k / d) / mp.sqrt(d)
        gain = mp.sqrt(d) ** (depth - 1)
        Z = [[_rational(gain * v) for v in F * mp.matrix(row.tolist())] for row in X]
        starts = [[_rational(v) for v in F * mp.matrix(v.tolist())] for v in layers]
    S = np.array([[float(gain * F[j, k]) for k in range(d)] for j in range(d)])
    return network, layers, Z, starts, S


def check_balanced(X, y, depth, seed, scale):
    """Right for the floats given, or refused with what their rounding does."""
    network, layers, Z, starts, S = even_balanced(X, depth, seed)
    try:
        found = predict_limit(network, Regression(X, y), Initialization(layers, scale=scale))
    except NoPredictionError as error:
        assert error.certificate.error > 1e-8
    else:
        check(found, S @ exact_limit(Z, y, starts, scale), 1e-8)


def _rational(value):
    mantissa, exponent = value.man_exp
    return fmpq(int(mantissa) * int(mp.sign(value))) * fmpq(2) ** int(exponent)


@pytest.mark.parametrize("seed", [1, 4, 8, 9, 10])
@pytest.mark.parametrize("scale", [1.0, 1e-2, 1e-5])
@pytest.mark.parametrize("depth", [2, 3])
def test_balanced_filters_tie_by_rounding_alone(seed, scale, depth):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((2, 6))
    check_balanced((X + X[:, -np.arange(6) % 6]) / 2, rng.standard_normal(2), depth, seed, scale)


@pytest.mark.parametrize("seed", range(4))
def test_zeros_that_only_rounding_forces(seed):
    """Z = (3, 0, 1, 0): two coordinates of one sign that cancel, unless they cross zero."""
    check_balanced(np.array([[1.0, 0.5, 1.0, 0.5]]), np.zeros(1), 2, seed, 1e-4)


@pytest.mark.parametrize("seed", [*range(4), 20])  # 20: the largest sum is 0 before rounding
@pytest.mark.parametrize("scale", [1e-3, 3e-8, 1e-12])
def test_one_point_from_balanced_filters(seed, scale):
    """Differences of the two spectra are rounding, and the clock makes them the answer."""
    X = np.array([[1.0, 0.5, 1.0, 0.0, 1.0, 0.0, 1.0, 0.5]])
    check_balanced(X, np.array([-0.5]), 2, seed, scale)
    check_balanced(X, np.array([0.5]), 2, seed, scale)


@pytest.mark.parametrize("seed", [0, 4, 6, 7])
@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.filterwarnings("ignore::implicitbias.CertificateWarning")
def test_balanced_filters_at_scale_zero(seed, depth):
    """Of two layers, coordinates that keep their sign by rounding alone have both signs there."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((2, 6))
    X, y = (X + X[:, -np.arange(6) % 6]) / 2, rng.standard_normal(2)
    network, layers, Z, starts, S = even_balanced(X, depth, seed)
    path = limit_path(network, Regression(X, y), layers, [0.0])
    if path.refused[0]:
        assert path.errors[0] > 1e-8
    else:
        check(path.limits[0], S @ np.array(small_end(Z, y, starts)), 1e-12)


@pytest.mark.parametrize("n", [1, 2])
def test_ties_in_bases_of_unit_vectors_are_exact(n):
    """U_l^T v_l is not rounded there: a coordinate that keeps its sign does, however long."""
    rng = np.random.default_rng(0)
    bases = [np.eye(4)[:, rng.permutation(4)] * rng.choice([-1.0, 1.0], 4) for _ in range(2)]
    X = np.array([[-3.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 2.0]])[:n]
    p, y = rng.uniform(0.5, 2.0, 4), np.ones(n)
    found = predict_limit(
        OrthogonalNetwork(np.eye(4), bases),
        Regression(X, y),
        Initialization([basis @ p for basis in bases], scale=1e-9),
    )
    check(found, exact_limit(X, y, [p, p], 1e-9), 1e-12)


@pytest.mark.parametrize("scale", [1e3, 1e-8])
def test_limits_of_zero_and_of_almost_nothing(scale):
    """Sizes that over- and underflow are no warnings and no doubt."""
    X = np.array([[-3955.9, 1e-3, 1.5e-8], [-218129.4, 9e-4, -4.3e-8]])
    layers = [np.ones(3)] * 3 + [np.zeros(3)]
    found = limit_path(DiagonalNetwork(3, 4), Regression(X, [0.0, 0.0]), layers, [scale])
    assert not found.coefficients.any()
    assert found.errors[0] == 0.0


@pytest.mark.parametrize(("depth", "scale"), [(4, 0.000314716935742), (6, 0.00415183772485)])
def test_layers_of_light_coordinates_are_settled_too(depth, scale):
    """Coefficients are right before the layers of their smallest ones are."""
    problem = datasets.sparse(20, 60, 5, seed=1)
    network = DiagonalNetwork(60, depth)
    init = Initialization.last_layer_zero(network, np.ones(60), scale)
    assert predict_limit(network, problem, init).certificate.worst < 1e-10


@pytest.mark.parametrize("depth", [3, 4])
@pytest.mark.parametrize("scale", [1e-4, 1e-5, 1e-6])
def test_clocks_near_their_end(depth, scale):
    """Z rho = y to 75 bits, but u(t) - u(t_0) in float64 leaves few digits of t there."""
    X, y, layers = np.array([[1.0, 1, 1], [1, -2, 4]]), [0.5, 0.5], [np.ones(3)] * (depth - 1)
    layers = [*layers, np.zeros(3)]
    found = predict_limit(
        DiagonalNetwork(3, depth), Regression(X, y), Initialization(layers, scale=scale)
    )
    check(found, exact_limit(X, y, layers, scale), 1e-13)


@pytest.mark.parametrize("end", [0.0, np.inf])
@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("seed", range(6))
def test_ends_from_features_that_are_rounded(end, depth, seed):
    """X S^T in units far apart: its last digits are what the small columns are decided by."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((3, 6)) * 10.0 ** rng.integers(-2, 5, 6)
    S = rng.integers(-2, 3, (7, 6)).astype(float)
    layers, y = [np.ones(7)] * (depth - 1) + [np.zeros(7)], rng.standard_normal(3)
    Z = fmpq_matrix(X) * fmpq_matrix(S).transpose()
    rho = (large_end if end else small_end)(Z.tolist(), y, np.vectorize(fmpq_of)(layers).tolist())
    network = OrthogonalNetwork(S, [np.eye(7)] * depth)
    path = limit_path(network, Regression(X, y), layers, [end])
    expected = S.T @ np.array([float(value) for value in rho])
    error = true_error(path.limits[0], expected)
    assert error <= max(10 * path.errors[0], ROUNDING)
    assert error <= 1e-8


def fmpq_of(value):
    return fmpq(*float(value).as_integer_ratio())


def fmpq_matrix(values):
    return fmpq_mat([[fmpq_of(value) for value in row] for row in values])


@pytest.mark.parametrize("depth", [2, 4])
@pytest.mark.parametrize("y", [[0.5, -2.0], [0.0, 0.0]])
@pytest.mark.parametrize("seed", range(4))
def test_scales_far_apart_on_one_path(depth, y, seed):
    """From a large log alpha back to 0: sums of changes would keep the rounding of the first."""
    rng = np.random.default_rng(seed)
    X, layers = rng.standard_normal((2, 5)), [rng.uniform(0.5, 2.0, 5) for _ in range(depth)]
    first = 10.0 ** (280 / depth)
    if y[0]:
        first, layers = 5.3e251, [layers[0]] * (depth - 1) + [np.zeros(5)]
    path = limit_path(DiagonalNetwork(5, depth), Regression(X, y), layers, [first, 1.3, 0.07])
    for limit, scale in zip(path.limits[1:], path.scales[1:], strict=True):
        check(limit, exact_limit(X, y, layers, scale), 1e-13)


@pytest.mark.parametrize("seed", range(8))
def test_one_point_from_large_scales(seed):
    """exp(log alpha) is off by |log alpha| eps, which no clock makes up for."""
    rng = np.random.default_rng(seed)
    layers, x = [rng.standard_normal((4, 3)), rng.standard_normal(3)], rng.standard_normal(4)
    network, scale = FullyConnectedNetwork([4, 3]), 5.6e91
    found = predict_limit(
        network,
        Regression(x[None], [0.3]),
        Initialization(layers, scale=scale),
        certified_to=np.inf,
    )
    flat = [np.ravel(layer) for layer in layers]
    expected = precise_one_point.limit(fully_connected(network.widths), x, flat, 0.3, scale)
    error = true_error(found, np.array(expected))
    assert error <= max(4 * found.certificate.error, ROUNDING)


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("exact", [True, False])
def test_scale_zero_of_targets_that_few_columns_reach_up_to_rounding(seed, depth, exact):
    """The other columns carry what rounding of y leaves, and near-duplicate rows make it large."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((3, 6))
    X[1] = X[0] + 1e-4 * rng.standard_normal(6)
    S = np.eye(6) if exact else np.vstack([rng.integers(-2, 3, (2, 6)), np.eye(6)])
    layers = [np.ones(len(S))] * (depth - 1) + [np.zeros(len(S))]
    y = X @ S[0] * rng.standard_normal()
    rho = small_end(
        (fmpq_matrix(X) * fmpq_matrix(S).transpose()).tolist(),
        y,
        np.vectorize(fmpq_of)(layers).tolist(),
    )
    network = OrthogonalNetwork(S, [np.eye(len(S))] * depth)
    if exact:
        network = DiagonalNetwork(6, depth)
    path = limit_path(network, Regression(X, y), layers, [0.0])
    check(path.limits[0], S.T @ np.array([float(value) for value in rho]), 1e-9)


def test_clocks_that_stop_near_zero():
    """t = t_0 - .. loses the digits of t_0 where layers nearly tie and y = 0."""
    first = np.array([-1.8557559568932833, -1.148697647895974, 0.24340612258086455])
    first = np.append(first, [-2.0756301960040746, -2.0917596225113666, 0.9067487690937811])
    second = np.array([-1.8557559568937672, -1.1486976478962736, 0.243406122580928])
    second = np.append(second, [-2.0756301960046155, -2.091759622511912, 0.9067487690940175])
    X, y, layers = np.ones((1, 6)), np.zeros(1), [first, second]
    expected = exact_limit(X, y, np.array(layers), 1e-8)
    found = predict_limit(DiagonalNetwork(6, 2), Regression(X, y), Initialization(layers, 1e-8))
    check(found, expected, 1e-11)


def stationary(rows, rho, depth):
    """The point of min ||rho||_{2/L} s.t. rows @ rho >= 1 on the support of one near it."""
    support = np.flatnonzero(np.abs(rho) > 1e-9 * np.abs(rho).max())
    margins = rows @ rho
    tight = np.flatnonzero(margins < (1 + 1e-4) * margins.min())
    part = mp.matrix([[mp.mpf(rows[i, j]) for j in support] for i in tight])
    r, s = mp.matrix(rho[support] / margins.min()), tight.size
    if depth == 2:
        assert s == support.size
        return support, mp.lu_solve(part, mp.ones(s, 1))
    power = mp.mpf(2) / depth - 1

    def slope(x):
        return mp.sign(x) * abs(x) ** power

    goal = mp.matrix([slope(x) for x in r])
    a = mp.lu_solve(part * part.T, part * goal)

    def conditions(*unknowns):
        x, b = mp.matrix(unknowns[:-s]), mp.matrix(unknowns[-s:])
        left = [slope(x[j]) - value for j, value in enumerate(part.T * b)]
        return [*left, *(part * x - mp.ones(s, 1))]

    found = mp.findroot(conditions, [*r, *a], tol=1e-40, maxsteps=40)
    return support, found[: support.size]


def exactly(array):
    return np.array([[mp.mpf(x) for x in row] for row in array])


@pytest.mark.parametrize(("depth", "offset"), [(2, 3.0), (2, 2e3), (2, 1e6), (3, 3.0), (3, 2e3)])
def test_directions_where_features_are_rounded(depth, offset):
    """X S^T loses the digits of an offset, which no residual in the rounded rows can see."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        d, n = 5, 3
        X, S = rng.standard_normal((n, d)), rng.standard_normal((d, d))
        X[:, 0], X[:, 1], y = 1.0, X[:, 1] + offset, np.array([1.0, -1.0, 1.0])
        layers = [rng.uniform(0.5, 1.0, d) for _ in range(depth - 1)] + [np.zeros(d)]
        network = OrthogonalNetwork(S, [np.eye(d)] * depth)
        found = predict_limit(network, Classification(X, y), Initialization(layers, scale=0.01))
        with mp.workdps(60):
            rows = y[:, None] * (exactly(X) @ exactly(S).T)
            support, r = stationary(rows, found.spectrum, depth)
            beta = exactly(S[support]).T @ np.array(list(r))
            error = max(abs(mp.mpf(x) - b) for x, b in zip(found.coefficients, beta, strict=True))
            error = float(error / max(abs(beta)))
        assert error <= max(10 * found.certificate.error, ROUNDING)
        assert found.certificate.error <= 1e-8
