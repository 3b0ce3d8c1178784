"""Several l1 max-margin points, and starts that keep signs: where two-layer flows end."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from implicitbias._closing import angle_between
from implicitbias._errors import InvalidInputError, NoPredictionError
from implicitbias.comparison import verify
from implicitbias.flow import gradient_flow
from implicitbias.initialization import Initialization
from implicitbias.limits import UNIQUE, l1_max_margin
from implicitbias.networks import (
    ConvolutionalNetwork,
    DiagonalNetwork,
    FullyConnectedNetwork,
    OrthogonalNetwork,
)
from implicitbias.problems import Classification
from implicitbias.theorems import predict_limit
from implicitbias.theorems._one_point import one_point_svd

FACE = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
TRACES = np.array([[1.0, 1.0, 0.0], [2.0, 5.0, 0.0], [0.0, 0.0, 1.0]])


def diagonal(X, first, second=None, scale=1.0):
    network = DiagonalNetwork(X.shape[1], len([first, second]))
    second = np.zeros_like(first) if second is None else second
    problem = Classification(X, np.ones(len(X)))
    return network, problem, Initialization([first, second], scale)


def late(situation, log_margin):
    return gradient_flow(*situation, route="dual", until_log_margin=log_margin).final_direction


@pytest.mark.parametrize("scale", [1e-200, 1e-8, 1.0, 1e8])
def test_the_start_decides_on_the_face(scale):
    limit = predict_limit(*diagonal(FACE, np.array([1.0, 2.0, 1.0]), scale=scale))
    np.testing.assert_allclose(limit.coefficients, [0.2, 0.8, 1.0], rtol=1e-14)
    assert limit.certificate.worst < 1e-14
    assert "1 dimensions" in limit.note
    assert any("tied exactly" in verdict.assumption for verdict in limit.assumptions)


@pytest.mark.parametrize("signs", [(1.0, 1.0), (1.0, -1.0), (-1.0, -1.0)])
def test_the_weights_are_those_of_the_growing_halves(signs):
    """(p_1 + sign p_2)^2, not the offsets, where the last layer does not start at 0."""
    X = FACE * np.array([*signs, 1.0])
    first, second = np.array([1.0, 2.0, 1.0]), np.array([0.5, -0.7, 0.1])
    situation = diagonal(X, first, second)
    weights = (first[:2] + np.array(signs) * second[:2]) ** 2
    limit = predict_limit(*situation)
    np.testing.assert_allclose(limit.coefficients[:2], signs * weights / weights.sum(), rtol=1e-13)
    assert angle_between(late(situation, 40.0), limit.coefficients) < 1e-13


def test_equal_columns_from_equal_starts_are_equal_to_the_last_digit():
    rng = np.random.default_rng(2)
    X = rng.integers(-3, 4, (3, 4)).astype(float)
    X = np.column_stack([X, X[:, 1], -X[:, 1]])
    limit = predict_limit(*diagonal(X, np.ones(6)))
    assert limit.coefficients[1] == limit.coefficients[4] == -limit.coefficients[5] != 0.0


def test_points_off_the_margin_leave_traces():
    """What they pulled early on is never undone: the end depends on the scale."""
    ends = []
    for scale in (1.0, 0.1):
        situation = diagonal(TRACES, np.ones(3), scale=scale)
        limit = predict_limit(*situation)
        assert angle_between(late(situation, 50.0), limit.coefficients) < 1e-9
        assert "early on" in limit.note
        ends.append(limit.coefficients[0])
    np.testing.assert_allclose(ends, [0.404024, 0.07401], atol=1e-5)


def test_random_integer_designs_against_long_flows():
    """Ties of every kind, starts of every sign; slow ones are left to benchmarks."""
    rng = np.random.default_rng(5)
    faces = 0
    for _ in range(30):
        n, d = rng.integers(1, 4), rng.integers(2, 6)
        X = rng.integers(-1, 2, (n, d)).astype(float)
        first = rng.uniform(0.5, 2.0, d) * rng.choice([-1, 1], d)
        situation = diagonal(X, first, rng.uniform(-2, 2, d))
        if not situation[1].separability().verdict.holds:
            continue
        limit = predict_limit(*situation)
        if "face" not in limit.note or "early" in limit.note or limit.rate < 0.4:
            continue
        found = late(situation, 20 / limit.rate + 5)
        assert angle_between(found, limit.coefficients) < 1e-7
        faces += 1
    assert faces >= 4


@pytest.mark.parametrize("digits", [6, 10, 13, 15])
def test_nearly_equal_columns_are_no_tie(digits):
    X = np.array([[1.0, 1.0 + 10.0**-digits, 0.0], [0.0, 0.0, 1.0]])
    limit = predict_limit(*diagonal(X, np.array([30.0, 1.0, 1.0])))
    np.testing.assert_allclose(limit.coefficients, [0.0, 1 / X[0, 1], 1.0], rtol=1e-15)
    assert limit.rate < 2 * 10.0**-digits


def test_tied_coordinates_that_are_zero_on_the_whole_face():
    """Both of the last two columns are at the dual bound of one dual point, and never used."""
    X = np.array([[1.0, 1.0, 0.0, 1.0], [1.0, 1.0, 1.0, 0.0]])
    situation = diagonal(X, np.array([1.0, 2.0, 1.0, 1.0]))
    limit = predict_limit(*situation)
    np.testing.assert_allclose(limit.coefficients, [0.2, 0.8, 0.0, 0.0], atol=1e-14)
    np.testing.assert_allclose(limit.rate, 0.5)
    assert angle_between(late(situation, 60.0), limit.coefficients) < 1e-11


def test_faces_of_other_real_decompositions():
    rng = np.random.default_rng(0)
    bases = [np.linalg.qr(rng.standard_normal((6, 3)))[0] for _ in range(2)]
    network = OrthogonalNetwork(np.eye(3), bases)
    first = bases[0] @ np.array([1.0, 2.0, 1.0])
    problem = Classification(FACE, np.ones(2))
    limit = predict_limit(network, problem, Initialization([first, np.zeros(6)], 0.1))
    np.testing.assert_allclose(limit.coefficients, [0.2, 0.8, 1.0], rtol=1e-12)


def test_complex_faces_are_refused():
    """Frequencies 1 and 2 are alike in both points, and turn between them."""
    k = 2 * np.pi * np.arange(8) / 8
    one = np.cos(k + 0.3) + np.cos(2 * k + 0.9)
    other = np.cos(3 * k + 0.2) + 0.3 * np.cos(k + 1.3) + 0.3 * np.cos(2 * k + 1.9)
    network = ConvolutionalNetwork(8, (8, 8))
    problem = Classification([one, other], [1.0, 1.0])
    with pytest.raises(NoPredictionError, match="complex"):
        predict_limit(network, problem, Initialization.random(network, 0.1, gap=0.1))


def test_equal_columns_do_not_agree_at_a_rate_of_zero():
    columns = [[2.0, -1.0, 1.5], [2.0, -1.0, 1.5], [0.3, 0.5, -0.2]]
    network = DiagonalNetwork(3, 2)
    init = Initialization.last_layer_zero(network, [1.0, 30.0, 1.0], scale=0.3)
    found = verify(network, Classification(np.column_stack(columns), [1, -1, 1]), init)
    assert found.agrees
    assert found.error < 1e-8


# Signs


def test_u_equal_v_is_the_l1_direction():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((4, 6)), np.array([1.0, -1.0, 1.0, 1.0])
    network = DiagonalNetwork(12, 2)
    init = Initialization([np.ones(12)] * 2, scale=0.1)
    problem = Classification(np.hstack([X, -X]), y)
    limit = predict_limit(network, problem, init)
    pair = limit.coefficients[:6] - limit.coefficients[6:]
    np.testing.assert_allclose(pair, l1_max_margin(y[:, None] * X).rho, atol=1e-13)
    assert limit.theorem == "beyond Theorem 2, locked signs"
    flow = gradient_flow(network, problem, init, route="dual", until_log_margin=80.0)
    assert angle_between(flow.final_direction, limit.coefficients) < 1e-11


def test_locked_signs_bind():
    """Without its sign the second coordinate alone would do."""
    X = np.array([[1.0, -4.0], [1.0, -3.0]])
    free = predict_limit(*diagonal(X, np.ones(2)))
    situation = diagonal(X, np.ones(2), np.array([0.0, 1.0]))
    kept = predict_limit(*situation)
    np.testing.assert_allclose(free.coefficients, [0.0, -1 / 3], atol=1e-14)
    np.testing.assert_allclose(kept.coefficients, [1.0, 0.0], atol=1e-14)
    assert angle_between(late(situation, 40.0), kept.coefficients) < 1e-9


def test_signs_that_cannot_separate_are_refused_with_evidence():
    situation = diagonal(np.array([[-1.0, -2.0], [-2.0, 1.0]]), np.ones(2), np.ones(2))
    with pytest.raises(NoPredictionError, match="keep their sign") as caught:
        predict_limit(*situation)
    assert "points 0" in str(caught.value)
    assert not gradient_flow(*situation, until_margin=1e3).outcome.converged


def test_locked_signs_of_three_layers():
    rng = np.random.default_rng(3)
    X = np.abs(rng.standard_normal((3, 5)))
    network = DiagonalNetwork(5, 3)
    init = Initialization([rng.uniform(0.5, 1.5, 5)] * 3, 0.5)
    problem = Classification(X, np.ones(3))
    limit = predict_limit(network, problem, init)
    flow = gradient_flow(network, problem, init, route="dual", until_margin=1e20)
    assert (limit.coefficients >= 0).all()
    assert angle_between(flow.final_direction, limit.coefficients) < 1e-6


# One point, by structure


def test_one_point_of_large_networks():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, 5000))
    for network in (
        ConvolutionalNetwork(5000, (5000, 5000)),
        DiagonalNetwork(5000, 2),
        FullyConnectedNetwork((5000, 60)),
    ):
        init = Initialization.random(
            network, 0.1, gap=0.1 if network.num_parameters < 2e4 else None
        )
        limit = predict_limit(network, Classification(x, [1.0]), init)
        assert limit.certificate.worst < 1e-10


@pytest.mark.parametrize("d", [1, 2, 5, 8])
def test_the_structured_svd_of_a_convolution_is_the_dense_one(d):
    x = np.random.default_rng(d).standard_normal(d)
    network = ConvolutionalNetwork(d, (d, d))
    svd = one_point_svd(network, x, 1.0, (x, x))
    left, right = (np.array([lift(e) for e in np.eye(d)]).T for lift in svd.lift)
    np.testing.assert_allclose((left * svd.values) @ right.T, network.data_tensor(x), atol=1e-14)
    for basis, project in zip((left, right), svd.project, strict=True):
        np.testing.assert_allclose(basis.T @ basis, np.eye(d), atol=1e-14)
        np.testing.assert_allclose([project(e) for e in np.eye(d)], basis, atol=1e-14)


@pytest.mark.parametrize(
    "network",
    [
        DiagonalNetwork(6, 2),
        FullyConnectedNetwork((6, 3)),
        ConvolutionalNetwork(6, (6, 6)),
        OrthogonalNetwork(
            np.random.default_rng(1).standard_normal((7, 6)),
            [np.linalg.qr(np.random.default_rng(k).standard_normal((8, 7)))[0] for k in (2, 3)],
        ),
    ],
)
def test_structure_gives_what_the_dense_svd_gives(network):
    x = np.random.default_rng(0).standard_normal(6)
    init = Initialization.random(network, 1.0, seed=2)
    svd = one_point_svd(network, x, 1.0, init.directions)
    left, values, right = np.linalg.svd(network.data_tensor(x), full_matrices=False)
    np.testing.assert_allclose(svd.values, values[: svd.values.size], rtol=1e-12)
    left, right = left[:, : svd.values.size], right[: svd.values.size]
    both = left @ (left.T @ init.directions[0].ravel() + right @ init.directions[1].ravel())
    found = svd.layers(svd.first + svd.second, svd.second)[0]
    np.testing.assert_allclose(found, both, atol=1e-12)


def test_nearly_tied_top_values_of_one_point():
    network = DiagonalNetwork(2, 2)
    init = Initialization.last_layer_zero(network, [1.0, 1.0], 1.0)
    limit = predict_limit(network, Classification([[1.0, 1.0 + 1e-12]], [1.0]), init)
    assert limit.coefficients[0] == 0.0


@pytest.mark.parametrize(
    "build",
    [
        lambda: DiagonalNetwork(3, 10**9),
        lambda: ConvolutionalNetwork(3, (3,) * 10**5),
        lambda: FullyConnectedNetwork((3,) * 10**5),
    ],
)
def test_absurd_depths_are_refused_at_once(build):
    with pytest.raises(InvalidInputError, match="at most 10000"):
        build()


def test_unique_is_what_compare_looks_for():
    found = l1_max_margin(FACE)
    assert found.unique.assumption == UNIQUE


@pytest.mark.parametrize("scale", [0.1, 1.0, 2.0])
def test_equal_columns_of_deep_networks_stay_equal(scale):
    """Though the point that uses one of them only has a smaller norm, and is a minimum."""
    X = np.array([[2.0, -1.0, 3.0, 3.0], [2.0, -1.0, 2.0, 2.0]])
    network, problem = DiagonalNetwork(4, 3), Classification(X, [1.0, 1.0])
    init = Initialization([np.ones(4), np.ones(4), np.zeros(4)], scale)
    limit = predict_limit(network, problem, init)
    np.testing.assert_allclose(limit.coefficients, [0.0, 0.0, 0.25, 0.25], atol=1e-14)
    assert limit.rate > 0.0
    flow = gradient_flow(network, problem, init, until_margin=1e12)
    np.testing.assert_allclose(flow.final_direction, limit.coefficients, atol=1e-5)


@pytest.mark.filterwarnings("error")
def test_a_face_on_which_flows_close_in_slowly():
    """kappa = 0.9995: at log margin 1016, where beta overflows, the flow is not near its end."""
    X = np.array([[1002.0, -1, -2, 998, 1], [1002, 0, -2, 1002, 1], [1000, 0, 0, 999, 1]])
    X = np.vstack([X, [999.0, 2, -2, 998, 1]])
    problem = Classification(X, [1, 1, 1, -1])
    init = Initialization([np.ones(5), np.zeros(5)], scale=1.0)
    found = predict_limit(DiagonalNetwork(5, 2), problem, init)
    expected = np.array([0.001, -0.9985, 0.001, 0.0, 0.0])  # points 2, 3 and 4 are tight
    np.testing.assert_allclose(found.coefficients, expected, rtol=1e-12, atol=1e-15)
    assert found.rate == pytest.approx(0.0005)


def test_equal_coordinates_share_what_is_hard_to_solve_for():
    """Rows of S that are equal have one sum, which near-parallel points leave few digits of."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2, 2)) + 1e6
    S = rng.standard_normal((2, 2))[[0, 1, 0]]
    y, eta = np.array([-1.0, 1.0]), np.array([1.1, 1.9, 1.3])
    network = OrthogonalNetwork(S, [np.eye(3)] * 2)
    init = Initialization([eta, np.zeros(3)], scale=0.1)
    found = predict_limit(network, Classification(X, y), init)
    first, second = [[Fraction(value) for value in row] for row in X]
    determinant = first[0] * second[1] - first[1] * second[0]
    expected = [-(second[1] + first[1]) / determinant, (first[0] + second[0]) / determinant]
    np.testing.assert_allclose(found.coefficients, np.array(expected, float), rtol=1e-8)
    shares = found.spectrum[[0, 2]] / eta[[0, 2]] ** 2
    np.testing.assert_allclose(shares[0], shares[1], rtol=1e-12)


def test_ties_that_rounding_alone_makes_are_no_locks():
    """Sums of filters that differ by one bit: from them the flow ends elsewhere than from a tie."""
    first = np.array([2.3113239773131626, 0.5044259842438971, 0.9070566851214442])
    second = np.array([2.1869250683834327, 0.28976270218113087, 1.2461188761139401])
    network = ConvolutionalNetwork(3, (3, 3))
    problem = Classification([[1.0, 0.0, 1.0]], [-1.0])
    with pytest.raises(NoPredictionError, match="tie, or vanish, in some coordinates to rounding"):
        predict_limit(network, problem, Initialization([first, second], scale=1e-6))
    given = predict_limit(network, problem, Initialization([first, first], scale=1e-6))
    np.testing.assert_allclose(given.coefficients, [-0.5, 1.0, -0.5], atol=1e-12)


def test_a_point_that_is_added_to_a_face_and_weighs_nothing():
    """0 / 0 on the way between two weights of 0."""
    X = [
        [-1.0, -1.0, 1.0, -1.0, -1.0, 1.0, 1.0],
        [-1.0, -1.0, 1.0, 1.0, -1.0, 1.0, -1.0],
        [-1.0, -1.0, -1.0, -1.0, 1.0, -1.0, 1.0],
        [-1.0, 1.0, -1.0, 1.0, 1.0, -1.0, 1.0],
    ]
    first = [-0.958, 1.695, 0.797, -1.382, -0.496, 1.528, -0.723]
    init = Initialization([np.array(first)] * 5 + [np.zeros(7)], scale=28817.43522048345)
    found = predict_limit(DiagonalNetwork(7, 6), Classification(X, [1, 1, -1, -1]), init)
    np.testing.assert_allclose(found.coefficients, [0, 0, 0, 0, 0, 1, 0], atol=1e-12)
