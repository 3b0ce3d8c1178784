"""Limits of two-sided regressions: numbers, references in 120 digits, both ends of the scale."""

import numpy as np
import pytest
import scipy.sparse

import implicitbias as ib
from implicitbias import (
    Classification,
    Initialization,
    InvalidInputError,
    NoPredictionError,
    Regression,
    TwoSidedDiagonalNetwork,
    two_sided,
)
from reference.two_sided_limits import limit

ONE = Regression([[1.0, 2.0]], [1.0])
WIND = Regression([[1.0, 1.0, 1.0], [3.0, 0.0, 1.0]], [3.0, 3.0])


def predicted(problem, power, u, v, scale):
    network = TwoSidedDiagonalNetwork(problem.num_features, power)
    return ib.predict_limit(network, problem, Initialization([u, v], scale=scale))


def ends(problem, power, eta, scales=(0.0, np.inf)):
    network = TwoSidedDiagonalNetwork(problem.num_features, power)
    return ib.limit_path(network, problem, [eta, eta], scales).coefficients


@pytest.mark.parametrize(
    ("power", "scale", "expected"),
    [
        (3, 0.1, (0.0052636275, 0.4973681863)),
        (3, 1.0, (0.1982670626, 0.4008664687)),
        (4, 0.1, (0.0003440537, 0.4998279731)),
    ],
)
def test_known_limits(power, scale, expected):
    found = predicted(ONE, power, np.ones(2), np.ones(2), scale)
    assert np.allclose(found.coefficients, expected, rtol=0, atol=5.1e-11)
    assert found.theorem == "two-sided, from u = v"
    assert found.certificate.error < 1e-13


@pytest.mark.parametrize("power", [2, 2.5, 3, 4, 6.5, 50])
def test_the_kernel_end_does_not_cancel(power):
    found = predicted(ONE, power, np.ones(2), np.ones(2), 1e6)
    assert np.allclose(found.coefficients, [0.2, 0.4], rtol=1e-14)
    assert found.certificate.worst < 1e-12


def draw(rng):
    n = int(rng.integers(1, 6))
    d, power = int(rng.integers(n, 13)), float(rng.choice([2, 2.5, 3, 4, 6.5]))
    X = rng.standard_normal((n, d))
    if rng.random() < 0.3:
        X = np.round(2 * X)
    u = np.exp(0.5 * rng.standard_normal(d))
    kind = rng.integers(4)
    v = u.copy() if kind < 2 else np.exp(0.5 * rng.standard_normal(d))
    if kind == 0:
        u = v = np.ones(d)
    if kind == 3:
        v[rng.random(d) < 0.2] = 0.0
    largest = 6 if kind < 2 else 1
    scale = 10.0 ** rng.uniform(-6, largest)
    return X, X @ (rng.standard_normal(d) * (rng.random(d) < 0.5)), power, u, v, scale


@pytest.mark.parametrize("seed", range(30))
def test_limits_and_their_errors_against_newtons_method_in_120_digits(seed):
    rng = np.random.default_rng(100 + seed)
    X, y, power, u, v, scale = draw(rng)
    while np.linalg.matrix_rank(X) < len(X) or not y.any():
        X, y, power, u, v, scale = draw(rng)
    found = predicted(Regression(X, y), power, u, v, scale)
    if found.fitted is not None:
        assert not v.all()  # test_least_squares.py has these
        return
    expected = np.array(limit(X, y, u, v, power, scale), dtype=float)
    error = np.abs(found.coefficients - expected).max() / np.abs(expected).max()
    assert error <= 5e-13
    assert error <= 10 * found.certificate.error


@pytest.mark.parametrize("power", [2, 2.5, 4])
def test_it_is_the_point_of_least_q(power):
    # alpha^2 eta^2 q_D(beta / (alpha eta)^D): its gradient is in the range of X^T
    rng = np.random.default_rng(1)
    X, eta, scale = rng.standard_normal((3, 6)), rng.uniform(0.5, 1.5, 6), 0.4
    y = X[:, 0] - X[:, 1]
    found = predicted(Regression(X, y), power, eta, eta, scale)
    units = (scale * eta) ** power
    gradient = (scale * eta) ** (2 - power) * two_sided.h_inverse(found.coefficients / units, power)
    left = gradient - X.T @ np.linalg.lstsq(X.T, gradient, rcond=None)[0]
    assert np.abs(left).max() < 1e-12 * np.abs(gradient).max()


def test_power_two_is_the_potential_of_azulay_et_al():
    # q_k(z) = sqrt(k)/4 (1 - sqrt(1 + 4 z^2 / k) + 2 z / sqrt(k) arcsinh(2 z / sqrt(k)))
    alpha, z = 0.7, np.linspace(-3, 3, 13)
    root = 4 * alpha**2
    theirs = 1 - np.sqrt(1 + 4 * z**2 / root**2) + 2 * z / root * np.arcsinh(2 * z / root)
    assert np.allclose(root / 4 * theirs, alpha**2 / 2 * two_sided.q(z / alpha**2, 2), atol=1e-15)


@pytest.mark.parametrize("power", [2, 2.5, 3, 4, 6.5])
@pytest.mark.parametrize("kind", ["equal", "unequal", "zeros"])
def test_both_flows_end_there(power, kind):
    rng = np.random.default_rng(3)
    X = rng.standard_normal((3, 7))
    y = X[:, :3] @ rng.standard_normal(3)
    u, v = np.exp(0.5 * rng.standard_normal((2, 7)))
    if kind == "equal":
        v = u.copy()
    if kind == "zeros":
        v[4] = u[5] = u[6] = v[6] = 0.0
    network, problem = TwoSidedDiagonalNetwork(7, power), Regression(X, y)
    init = Initialization([u, v], scale=0.5)
    found = ib.predict_limit(network, problem, init)
    for route in ("parameters", "dual"):
        flow = ib.gradient_flow(network, problem, init, route=route)
        assert flow.outcome is ib.Outcome.RESIDUAL_REACHED and flow.route == route
        assert flow.drift < 1e-9
        assert np.abs(flow.final_coefficients - found.coefficients).max() < 1e-9
        for layer, expected in zip(flow.final_parameters, found.parameters, strict=True):
            assert np.abs(layer - expected).max() < 1e-8
    assert ib.verify(network, problem, init).agrees
    if kind == "zeros":
        assert found.coefficients[6] == 0.0
        assert found.coefficients[4] > 0.0 > found.coefficients[5]


@pytest.mark.parametrize(
    ("power", "first"),
    [(2, 0.65396506), (2.5, 1 - 0.3435870926), (3, 0.65807718), (4, 0.660189)],
)
def test_the_small_scale_end_of_wind_et_al_breaks_the_tie(power, first):
    at_zero, small = ends(WIND, power, np.ones(3), [0.0, 1e-10])
    assert np.isclose(at_zero[0], first, rtol=0, atol=6e-7 if power == 4 else 6e-9)
    assert np.allclose(small, at_zero, rtol=0, atol=1e-4 if power == 2.5 else 1e-8)


@pytest.mark.parametrize("power", [2, 2.5, 3, 6.5])
def test_the_ends_are_weighted_by_the_start(power):
    rng = np.random.default_rng(5)
    X, eta = rng.standard_normal((2, 5)), rng.uniform(0.5, 2.0, 5)
    problem = Regression(X, rng.standard_normal(2))
    network = TwoSidedDiagonalNetwork(5, power)
    path = ib.limit_path(network, problem, [eta, eta], [0.0, 1e-9, 1e5, np.inf])
    assert np.allclose(path.coefficients[0], path.coefficients[1], atol=1e-3)
    assert np.allclose(path.coefficients[2], path.coefficients[3], rtol=1e-9)
    weights = eta ** (2 * power - 2)
    kernel = weights * (X.T @ np.linalg.solve((X * weights) @ X.T, problem.y))
    assert np.allclose(path.coefficients[3], kernel, rtol=1e-12)
    size = eta ** (2.0 - power)
    least = (size * np.abs(path.coefficients[0])).sum()
    dual = path.limits[0].dual
    assert np.all(np.abs(X.T @ dual) <= size * (1 + 1e-12) * np.abs(X.T @ dual / size).max())
    assert least <= (size * np.abs(kernel)).sum()


def test_exact_weights_tie_at_whole_powers():
    assert np.allclose(ends(Regression([[1, 2]], [2]), 3, [1, 0.5])[0], [1.6, 0.2], atol=1e-15)
    assert np.array_equal(ends(Regression([[1, 2]], [2]), 2.5, [1, 0.5])[0], [0.0, 1.0])


def test_unequal_starts_decide_ties_by_their_own_side():
    # D = 2: sum beta (log beta - 2 log u) where beta > 0, v where beta < 0
    problem = Regression([[1, 1, 0, 0], [0, 0, 1, 1]], [1, -1])
    network = TwoSidedDiagonalNetwork(4, 2)
    u, v = [1.0, 2.0, 5.0, 1.0], [7.0, 3.0, 1.0, 3.0]
    path = ib.limit_path(network, problem, [u, v], [0.0, 1e-8])
    for row in path.coefficients:
        assert np.allclose(row, [0.2, 0.8, -0.1, -0.9], atol=1e-12)


@pytest.mark.parametrize("seed", range(12))
def test_power_two_is_the_diagonal_network_of_u_plus_v_and_u_minus_v(seed):
    # beta = (u + v) (u - v), at half of the speed; equal columns tie
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 5))
    X = rng.integers(-2, 3, (n, 8)).astype(float)
    X[:, 1] = X[:, 0]
    u, v = rng.integers(1, 4, (2, 8)).astype(float)
    scale = 10.0 ** rng.uniform(-4, 0.5)
    problems = [Regression(X, X @ rng.integers(-2, 3, 8))]
    problems.append(Classification(X, np.where(X @ rng.standard_normal(8) > 0, 1, -1)))
    for problem in problems:
        if np.unique(problem.y).size == 1 and not problem.y.any():
            continue
        found = predicted(problem, 2, u, v, scale)
        diagonal = ib.DiagonalNetwork(8, 2)
        same = ib.predict_limit(diagonal, problem, Initialization([u + v, u - v], scale=scale))
        size = np.abs(same.coefficients).max()
        assert np.allclose(found.coefficients, same.coefficients, rtol=0, atol=1e-12 * size)


@pytest.mark.parametrize("power", [2, 3, 4])
@pytest.mark.parametrize("scale", [1.0, 0.1])
def test_it_ends_where_the_diagonal_network_on_features_and_their_negatives_does(power, scale):
    rng = np.random.default_rng(power)
    X, (u, v) = rng.standard_normal((3, 6)), rng.uniform(0.5, 1.5, (2, 6))
    y = rng.standard_normal(3)
    doubled = ib.predict_limit(
        ib.DiagonalNetwork(12, power),
        Regression(np.hstack([X, -X]), y),
        Initialization([np.concatenate([u, v])] * power, scale=scale),
    ).coefficients
    found = predicted(Regression(X, y), power, u, v, scale)
    assert np.allclose(found.coefficients, doubled[:6] - doubled[6:], rtol=0, atol=1e-12)


def test_no_limit_at_infinity_from_unequal_starts():
    network = TwoSidedDiagonalNetwork(2, 3)
    with pytest.raises(NoPredictionError, match="u = v"):
        ib.limit_path(network, ONE, [[1.0, 2.0], [2.0, 1.0]], [np.inf])


@pytest.mark.parametrize("power", [2, 3, 2.5])
def test_columns_and_their_negatives_stay_mirror_images(power):
    x = np.array([[1.0, -1.0, 0.7], [0.3, -0.3, 2.0]])
    u, v = [1.0, 3.0, 1.0], [3.0, 1.0, 1.0]
    found = predicted(Regression(x, [1.0, 2.0]), power, u, v, 1e-4)
    assert found.coefficients[0] == -found.coefficients[1]


def test_even_powers_take_either_sign():
    signed = predicted(ONE, 4, [1.0, -2.0], [-1.0, 1.0], 0.5)
    plain = predicted(ONE, 4, [1.0, 2.0], [1.0, 1.0], 0.5)
    assert np.array_equal(signed.coefficients, plain.coefficients)
    assert np.array_equal(np.sign(signed.parameters), [[1, -1], [-1, 1]])


def test_odd_powers_refuse_negative_entries_by_name():
    with pytest.raises(NoPredictionError, match=r"the largest entry below 0: u\[1\]"):
        predicted(ONE, 3, [1.0, -1.0], [1.0, 1.0], 0.5)


def test_unreachable_signs_end_at_what_they_fit():
    found = predicted(Regression([[1.0, 2.0]], [-1.0]), 3, [1.0, 1.0], [0.0, 0.0], 0.5)
    assert found.theorem == "two-sided, least squares"
    np.testing.assert_array_equal(found.coefficients, np.zeros(2))


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e30, 1e300])
def test_any_scale(scale):
    found = predicted(ONE, 2.5, np.ones(2), np.ones(2), scale)
    expected = [0.0, 0.5] if scale < 1 else [0.2, 0.4]
    assert np.allclose(found.coefficients, expected, rtol=0, atol=1e-11)


def test_extreme_entries_of_a_start():
    u, v, scale = [1e-250, 1e99], [1.0, 1.0], 0.1
    found = predicted(ONE, 3, u, v, scale)
    expected = np.array(limit([[1, 2]], [1], u, v, 3, scale, digits=900), dtype=float)
    assert np.allclose(found.coefficients, expected, rtol=1e-12)


WIDE = [  # starts whose weights span 1e78 and more: D = 30, limits by Newton's method, 900 digits
    (
        [[-1.0, 2.0, -1.0], [-1.0, -2.0, 1.0]],
        [0.0, -2.0],
        [0.23499304952441377, 0.743811091408969, 0.5468303903036583],
        1e3,
        [1.0, 0.49999999777397735, -4.4520453000540208e-9],
    ),
    (
        [
            [2.0, 1.0, -1.0, 1.0, 0.0],
            [0.0, -2.0, 0.0, -2.0, -2.0],
            [-2.0, 2.0, -2.0, 0.0, 1.0],
        ],
        [0.0, -3.0, 3.0],
        [67.14771048911503, 0.0426461870274009, 0.3312020343431564, 49.2504160610275, 7.1928073481],
        1.0,
        [-1.0, 0.0, -0.5, 1.5, 0.0],
    ),
]


@pytest.mark.parametrize(("X", "y", "start", "scale", "expected"), WIDE)
def test_clocks_near_their_start_keep_their_digits(X, y, start, scale, expected):
    problem, network = ib.Regression(X, y), ib.TwoSidedDiagonalNetwork(len(start), 30)
    limit = ib.predict_limit(network, problem, ib.Initialization([start, start], scale=scale))
    assert np.abs(limit.coefficients - expected).max() <= 1e-12
    assert limit.certificate.error < 1e-12


def test_sensitivities_are_differences():
    network, eta, h = TwoSidedDiagonalNetwork(2, 2.5), np.array([1.0, 1.3]), 1e-5

    def at(eta, scale=0.3):
        return predicted(ONE, 2.5, eta, eta, scale).coefficients

    found = ib.sensitivity(network, ONE, Initialization([eta, eta], scale=0.3))
    columns = [(at(eta + h * e) - at(eta - h * e)) / (2 * h) for e in np.eye(2)]
    assert np.allclose(found.by_direction, np.transpose(columns), atol=1e-8)
    slope = (at(eta, 0.3 * np.exp(h)) - at(eta, 0.3 * np.exp(-h))) / (2 * h)
    assert np.allclose(found.by_log_scale, slope, atol=1e-8)
    unequal = ib.sensitivity(network, ONE, Initialization([eta, eta + 1], scale=0.3))
    with pytest.raises(NoPredictionError, match=r"u\(0\) = v\(0\)"):
        _ = unequal.by_direction


def test_sparse_data_give_the_dense_limits():
    X = scipy.sparse.random_array((5, 60), density=0.2, rng=0, format="csr")
    y = X @ np.r_[1.0, -1.0, np.zeros(57), 2.0] + np.arange(5)
    sparse, dense = Regression(X, y), Regression(X.toarray(), y)
    eta = np.ones(60)
    for power in (2, 2.5):
        found = [predicted(each, power, eta, eta, 0.1).coefficients for each in (sparse, dense)]
        assert np.allclose(*found, rtol=0, atol=1e-13)
    labels = np.sign(y + 0.1)
    with pytest.raises(InvalidInputError, match="several limit directions"):
        predicted(Classification(X, labels), 3, eta, eta, 0.1)
    directions = [
        predicted(Classification(each, labels), 2, eta, eta, 0.1).coefficients
        for each in (X, X.toarray())
    ]
    assert np.allclose(*directions, atol=1e-12)
