"""predict_limit: which result speaks, what it says, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.draws import normal
from implicitbias._errors import InvalidInputError, NoPredictionError
from implicitbias.initialization import Initialization
from implicitbias.networks import (
    ConvolutionalNetwork,
    DiagonalNetwork,
    FullyConnectedNetwork,
    OrthogonalNetwork,
    TensorNetwork,
)
from implicitbias.problems import Regression
from implicitbias.theorems import predict_limit
from reference.dual_newton import limit as exact_limit

X, Y = normal(0, (3, 8), 3)
PROBLEM = Regression(X, Y)
ONE_POINT = Regression(X[:1], Y[:1])
EVEN = Regression(X + X[:, -np.arange(8)], Y)
ETA = np.random.default_rng(1).uniform(0.5, 1.5, 8)
EVEN_ETA = ETA + ETA[-np.arange(8)] + 8 * (np.arange(8) == 0)


def orthogonal_network(depth, rng):
    bases = [np.linalg.qr(rng.normal(size=(9, 8)))[0] for _ in range(depth)]
    return OrthogonalNetwork(rng.normal(size=(8, 8)), bases)


def theorem5(network, direction, scale=0.1):
    return Initialization.last_layer_zero(network, direction, scale)


CASES = [
    ("Corollary 5", DiagonalNetwork(8, 3), PROBLEM, lambda n: theorem5(n, ETA)),
    (
        "Theorem 5",
        orthogonal_network(3, np.random.default_rng(2)),
        PROBLEM,
        lambda n: theorem5(n, ETA),
    ),
    ("Corollary 6", ConvolutionalNetwork(8, (8, 8)), EVEN, lambda n: theorem5(n, EVEN_ETA)),
    (
        "Theorem 6",
        ConvolutionalNetwork(8, (3, 8)),
        ONE_POINT,
        lambda n: Initialization([np.array([1.0, 0.5, -0.3]), np.zeros(8)], 0.3),
    ),
    (
        "Theorem 6",
        FullyConnectedNetwork((8, 4)),
        ONE_POINT,
        lambda n: Initialization([np.ones((8, 4)), np.zeros(4)], 0.3),
    ),
    ("beyond Theorem 5", DiagonalNetwork(8, 4), PROBLEM, lambda n: Initialization.random(n, 0.2)),
    (
        "beyond Theorem 5",
        ConvolutionalNetwork(8, (8, 8, 8)),
        ONE_POINT,
        lambda n: Initialization([ETA, ETA[::-1], np.zeros(8)], 0.2),
    ),
    (
        "beyond Theorem 6",
        TensorNetwork(*normal(3, (3, 4, 8))),
        ONE_POINT,
        lambda n: Initialization.random(n, 0.2, seed=4),
    ),
    (
        "fully connected, small scale",
        FullyConnectedNetwork((8, 5, 4)),
        PROBLEM,
        lambda n: Initialization.random(n, 1e-3),
    ),
]


@pytest.mark.parametrize(("theorem", "network", "problem", "start"), CASES)
def test_the_most_specific_result_speaks_and_is_certified(theorem, network, problem, start):
    limit = predict_limit(network, problem, start(network))
    assert limit.theorem == theorem
    assert limit.certificate.worst < 1e-12
    assert limit.assumptions
    assert not any(verdict.fails for verdict in limit.assumptions)
    np.testing.assert_allclose(problem.X @ limit.coefficients, problem.y, rtol=1e-11)
    if limit.kind == "point":
        np.testing.assert_allclose(
            network.coefficients(limit.parameters), limit.coefficients, atol=1e-11
        )
        assert tuple(v.shape for v in limit.parameters) == network.parameter_shapes
    assert limit.theorem in str(limit)


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("scale", [10.0, 0.1, 1e-3])
def test_corollary_5_is_the_exact_minimiser(depth, scale):
    network = DiagonalNetwork(8, depth)
    found = predict_limit(network, PROBLEM, theorem5(network, ETA, scale)).coefficients
    np.testing.assert_allclose(found, exact_limit(X, Y, ETA, scale, depth), rtol=1e-11)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_corollary_6_needs_the_factor_that_the_deck_omits(depth):
    """min sum eta^2 H_L(d^{-(L-1)/2} F z / (alpha |eta|)^L) over even z, from its definition."""
    d, scale = 8, 0.1
    network = ConvolutionalNetwork(d, (d,) * depth)
    found = predict_limit(network, EVEN, theorem5(network, EVEN_ETA, scale)).coefficients
    fourier = np.fft.fft(np.eye(d)) / np.sqrt(d)
    eta = (fourier @ EVEN_ETA).real
    for factor, agrees in ((d ** (-(depth - 1) / 2), True), (1.0, False)):
        # With rho = factor F z, the constraint X z = y reads X F^H rho / factor = y.
        rho = exact_limit((EVEN.X @ fourier.conj().T).real / factor, Y, eta, scale, depth)
        z = (fourier.conj().T @ rho).real / factor
        error = np.abs(found - z).max() / np.abs(z).max()
        assert (error < 1e-12) if agrees else (error > 1e-3)


def test_theorem_5_follows_an_orthogonal_change_of_coordinates():
    network = orthogonal_network(3, np.random.default_rng(1))
    found = predict_limit(network, PROBLEM, theorem5(network, ETA)).coefficients
    rho = exact_limit(X @ network.orthogonal_decomposition().S.T, Y, ETA, 0.1, 3)
    expected = network.orthogonal_decomposition().S.T @ rho
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_theorem_6_closed_form_at_scales_from_tiny_to_huge():
    network = TensorNetwork(np.random.default_rng(2).normal(size=(4, 5, 8)))
    for log_scale in (-300.0, -5.0, 0.0, 5.0):
        init = Initialization([np.ones(4), np.zeros(5)], log_scale=log_scale)
        limit = predict_limit(network, ONE_POINT, init)
        assert limit.certificate.worst < 1e-10


def test_dependent_rows_and_a_zero_problem():
    network = DiagonalNetwork(8, 3)
    init = theorem5(network, ETA)
    twice = Regression(np.vstack([X, X[:1]]), np.append(Y, Y[0]))
    np.testing.assert_allclose(
        predict_limit(network, twice, init).coefficients,
        predict_limit(network, PROBLEM, init).coefficients,
        rtol=1e-12,
    )
    still = predict_limit(network, Regression(np.zeros((2, 8)), np.zeros(2)), init)
    np.testing.assert_array_equal(still.coefficients, np.zeros(8))
    assert still.certificate.worst == 0.0


def test_refusals_name_the_assumption_and_its_number():
    network = ConvolutionalNetwork(8, (8, 8, 8))
    with pytest.raises(NoPredictionError, match=r"share a phase.*0\.\d+") as caught:
        predict_limit(network, PROBLEM, Initialization.random(network, 0.1))
    assert any(verdict.fails for verdict in caught.value.assumptions)
    short = ConvolutionalNetwork(8, (3, 8))
    with pytest.raises(NoPredictionError, match="simulate_limit"):
        predict_limit(short, PROBLEM, Initialization.random(short, 0.1))


def test_signs_that_no_interpolator_has_end_at_what_they_fit():
    """Theory's example: p(0) = (1, 1), x = 1, y = -1 ends at (0, 0) with loss 1/2."""
    network = DiagonalNetwork(2, 2)
    init = Initialization([np.ones(2), np.ones(2)], 1.0)
    limit = predict_limit(network, Regression(np.eye(2), [1.0, -1.0]), init)
    np.testing.assert_allclose(limit.coefficients, [1.0, 0.0], rtol=1e-13)
    np.testing.assert_array_equal(limit.fitted, [1.0, 0.0])


def test_arguments_in_the_wrong_order_or_size_are_refused():
    network = DiagonalNetwork(8, 3)
    init = theorem5(network, ETA)
    with pytest.raises(InvalidInputError, match="network, problem, init"):
        predict_limit(PROBLEM, network, init)
    with pytest.raises(InvalidInputError, match="8 features and the problem has 5"):
        predict_limit(network, Regression(X[:, :5], Y), init)
    with pytest.raises(InvalidInputError, match="layer"):
        predict_limit(DiagonalNetwork(8, 4), PROBLEM, init)


def test_coordinates_driven_to_zero_are_named_and_the_rest_is_solved():
    """x_1 sees a locked coordinate alone and asks for 0; x_2 sees the other two."""
    rows = np.array([[1.0, 0.0, 0.0], [0.5, 1.0, 2.0]])
    network = DiagonalNetwork(3, 2)
    init = Initialization([[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]], 0.5)
    limit = predict_limit(network, Regression(rows, [0.0, 1.0]), init)
    rest = predict_limit(
        DiagonalNetwork(2, 2),
        Regression(rows[1:, 1:], [1.0]),
        Initialization([[1.0, 1.0], [0.0, 0.0]], 0.5),
    )
    np.testing.assert_allclose(limit.coefficients, [0.0, *rest.coefficients], rtol=1e-13)
    assert "tend to 0" in str(limit)
    np.testing.assert_allclose(limit.parameters[0][0], 0.0, atol=1e-300)
    dead = Initialization([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]], 0.5)
    rest = predict_limit(network, Regression(np.eye(3), [1.0, 1.0, 1.0]), dead)
    np.testing.assert_array_equal(rest.fitted, [1.0, 1.0, 0.0])
    moved = predict_limit(network, Regression(np.eye(3)[:2], [1.0, 1.0]), dead)
    np.testing.assert_allclose(moved.coefficients, [1.0, 1.0, 0.0], rtol=1e-13)


def test_signs_locked_up_to_the_rounding_of_a_projection_are_locked():
    """p_1 = p_2 in an orthogonal network: U_l^T v_l rounds, and must not unlock the sign."""
    rng = np.random.default_rng(5)
    bases = [np.linalg.qr(rng.normal(size=(6, 3)))[0] for _ in range(2)]
    network = OrthogonalNetwork(np.eye(3), bases)
    eta = rng.normal(size=3)
    init = Initialization([basis @ eta for basis in bases], 0.5)
    with pytest.raises(NoPredictionError, match="signs"):
        predict_limit(network, Regression(np.eye(3), [1.0, -1.0, 1.0]), init)
    limit = predict_limit(network, Regression(np.eye(3), [1.0, 2.0, 1.0]), init)
    np.testing.assert_allclose(limit.coefficients, [1.0, 2.0, 1.0], rtol=1e-12)


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("scale", [1e-8, 0.5, 1e6])
@pytest.mark.parametrize("rows", [[[1.0, 2.0], [3.0, 1.0]], [[1.0, 2.0], [3.0, 1.0], [1.0, 1.0]]])
def test_zero_targets_with_a_single_interpolator(rows, scale, depth):
    network = DiagonalNetwork(2, depth)
    limit = predict_limit(
        network,
        Regression(rows, np.zeros(len(rows))),
        Initialization.random(network, scale, seed=0),
    )
    np.testing.assert_array_equal(limit.coefficients, 0.0)
    assert limit.certificate.worst < 1e-12


def test_dropped_rows_have_a_verdict():
    name = "the dropped rows are combinations of the others"
    rows = np.array([[0.3, 0.7, 1.0], [1.0, 2.0, -1.0]])
    network = DiagonalNetwork(3, 2)
    init = Initialization.last_layer_zero(network, np.ones(3), 0.1)
    for X, status in (
        (rows, None),
        (np.vstack([rows, 2 * rows[:1]]), "holds"),
        (np.vstack([rows, rows[:1] + 0.1 * rows[1:]]), "undecided"),
    ):
        limit = predict_limit(network, Regression(X, X @ np.ones(3)), init)
        verdicts = [each for each in limit.assumptions if each.assumption == name]
        assert [each.status for each in verdicts] == ([] if status is None else [status])
        assert all((each.value > 0) == (status == "undecided") for each in verdicts)


@pytest.mark.parametrize(
    ("units", "match"),
    [
        ((1e160, 1.0, 1.0), "a column of X is of size"),
        ((1e-160, 1.0, 1.0), "a column of X is of size"),
        ((1.0, 1e307, 1.0), "y is of size"),
        ((1.0, 1e-320, 1.0), "y is of size"),
        ((1.0, 1.0, 1e200), "the initial directions is of size"),
    ],
)
def test_units_beyond_float64_are_refused(units, match):
    X, y = units[0] * np.array([[1.0, 2.0], [0.5, -1.0]]), units[1] * np.array([1.0, 0.5])
    network = DiagonalNetwork(2, 2)
    init = Initialization.last_layer_zero(network, units[2] * np.ones(2), 1.0)
    with pytest.raises(InvalidInputError, match=match):
        predict_limit(network, Regression(X, y), init)


def test_a_zero_of_the_start_that_rounding_left_is_undecided():
    basis = np.linalg.qr(np.random.default_rng(3).standard_normal((3, 3)))[0]
    network = OrthogonalNetwork(np.eye(3), [basis, basis])
    layers = [basis @ np.array([1.0, 2.0, 0.0]), basis @ np.array([2.0, 1.0, 0.0])]
    given = [basis.T @ layer for layer in layers]
    assert any(each[2] != 0.0 for each in given)
    found = predict_limit(
        network, Regression([[1.0, 2.0, 3.0]], [1.0]), Initialization(layers, 1.0)
    )
    assert found.coefficients[2] == 0.0
    told = [one for one in found.assumptions if "stay at 0" in one.detail]
    assert [one.status for one in told] == ["undecided"] and "rounding leaves" in told[0].detail
    plain = DiagonalNetwork(3, 2)
    exact = Initialization([np.array([1.0, 2.0, 0.0]), np.array([2.0, 1.0, 0.0])], 1.0)
    again = predict_limit(plain, Regression([[1.0, 2.0, 3.0]], [1.0]), exact)
    assert all(one.status == "holds" for one in again.assumptions)
    np.testing.assert_allclose(found.coefficients, again.coefficients, atol=1e-12)
