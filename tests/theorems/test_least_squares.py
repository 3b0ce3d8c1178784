"""Starts whose signs no interpolator has: the limit of the least-squares fit, and its refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from implicitbias._errors import NoPredictionError, Outcome
from implicitbias.comparison import compare, verify
from implicitbias.descent import gradient_descent
from implicitbias.flow import gradient_flow
from implicitbias.initialization import Initialization
from implicitbias.limits import Certificate, Limit
from implicitbias.networks import DiagonalNetwork, OrthogonalNetwork, TwoSidedDiagonalNetwork
from implicitbias.problems import Regression
from implicitbias.theorems import explain, limit_path, predict_limit, sensitivity
from implicitbias.theorems._least_squares import _with_sway
from reference import precise_potential
from reference.tied_flow import diagonal_end, two_sided_end

DIAGONAL, TWO_SIDED = "beyond Theorem 5, least squares", "two-sided, least squares"
ENDS = [(2, 60.0, 1e-9), (2.5, 4e3, 1e-5), (3, 4e3, 1e-5)]  # D, a time, and what it leaves to go
TWINS = np.array([[1.0, 1.0, 2.0, 0.0], [0.0, 0.0, 0.0, 1.0]]), np.array([2.0, -3.0])


def expected_of_twins(weights):
    """rho >= 0 with rho_1 + rho_2 + 2 rho_3 = 2, and rho_4 = 0, rho_j = w_j e^{2 z_j nu}."""
    root = np.roots([2.0 * weights[2], weights[0] + weights[1], -2.0]).max()
    return np.array([weights[0] * root, weights[1] * root, weights[2] * root**2, 0.0])


@pytest.mark.parametrize("scale", [1.0, 1e-2, 1e-150])
def test_two_layers_in_closed_form(scale):
    layers = np.array([0.5, 1.0, 0.8, 1.0])
    limit = predict_limit(
        DiagonalNetwork(4, 2), Regression(*TWINS), Initialization([layers, layers], scale)
    )
    with np.errstate(under="ignore"):
        root = 2.0 * np.log(scale)
    weights = layers**2
    if scale > 1e-100:
        expected = expected_of_twins(weights * np.exp(root))
    else:  # e^{2 nu} alpha^2 = u: the one of slope 2 takes alpha^{-2} times more
        expected = np.array([0.0, 0.0, 1.0, 0.0])
    np.testing.assert_allclose(limit.coefficients, expected, rtol=1e-12, atol=1e-14)
    assert limit.theorem == DIAGONAL and limit.kind == "point"
    np.testing.assert_array_equal(limit.fitted, [2.0, 0.0])
    assert "the residual tends to 0.83205 of |y|" in limit.note
    assert limit.dual is None and limit.certificate.kkt_residual < 1e-15
    assert limit.coefficients[3] == 0.0 and not np.any([v[3] for v in limit.parameters])


@pytest.mark.parametrize("seed", [1, 2, 3, 5])
def test_flows_with_exact_ties_end_there(seed):
    """Two layers, some locked, one free, some dead; columns that depend on each other."""
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((4, 6)), 2.0 * rng.standard_normal(4)
    X[:, 1] = 2.0 * X[:, 0]
    first = rng.uniform(0.5, 1.2, 6)
    last = first * rng.choice([-1.0, 1.0], 6)
    first[2] *= 1.3
    if seed % 2:
        first[5] = last[5] = 0.0
    init = Initialization([first, last], 1.0)
    limit = predict_limit(DiagonalNetwork(6, 2), Regression(X, y), init)
    assert limit.theorem == DIAGONAL
    end = diagonal_end([first, last], X, y, 150.0)
    np.testing.assert_allclose(limit.coefficients, end, rtol=0, atol=1e-9)
    np.testing.assert_allclose(X @ limit.coefficients, limit.fitted, rtol=0, atol=1e-14)
    assert limit.certificate.worst < 1e-13


@pytest.mark.parametrize(
    ("power", "time", "off"), [(2, 60.0, 1e-9), (2.5, 4e3, 1e-5), (3, 4e3, 1e-5)]
)
def test_pairs_with_zeros_end_there(power, time, off):
    u, v = np.array([1.0, 0.7, 0.0, 1.0]), np.array([0.0, 0.0, 0.9, 0.0])
    X, y = TWINS
    network, init = TwoSidedDiagonalNetwork(4, power), Initialization([u, v], 1.0)
    limit = predict_limit(network, Regression(X, y), init)
    assert limit.theorem == TWO_SIDED and limit.coefficients[3] == 0.0
    end = two_sided_end(u, v, power, X, y, time)
    np.testing.assert_allclose(limit.coefficients, end, rtol=0, atol=off)
    assert limit.certificate.worst < 1e-13


@pytest.mark.parametrize("depth", [3, 4])
def test_coordinates_that_never_move_leave_the_projection(depth):
    """(3, 0, 0): nothing moves but the second coordinate, towards X_2^T y / |X_2|^2."""
    layers = [np.array([3.0, 1.0]), np.array([0.0, 0.5]), *([np.array([0.0, 0.2])] * (depth - 2))]
    X, y = np.array([[1.0, 2.0], [3.0, 1.0]]), np.array([1.0, 2.0])
    network, init = DiagonalNetwork(2, depth), Initialization(layers, 1.0)
    limit = predict_limit(network, Regression(X, y), init)
    np.testing.assert_allclose(limit.coefficients, [0.0, 0.8], rtol=1e-14)
    np.testing.assert_allclose(limit.coefficients, diagonal_end(layers, X, y, 60.0), atol=1e-10)


def of_equal_layers(X, y):
    network, layers = DiagonalNetwork(np.shape(X)[1], 2), np.ones(np.shape(X)[1])
    return predict_limit(network, Regression(X, y), Initialization([layers, layers], 1.0))


def test_dependent_rows_count_as_often_as_they_are_given():
    """rho_2 = 2 and 3 rho_1 + rho_2 = 0 would be met at rho_1 < 0; one row more than once."""
    rows, targets = np.array([[0.0, 1.0], [3.0, 1.0]]), np.array([2.0, 0.0])
    for times in (1, 3):
        count = [1, times]
        found = of_equal_layers(np.repeat(rows, count, axis=0), np.repeat(targets, count))
        np.testing.assert_allclose(found.coefficients, [0.0, 2.0 / (1 + times)], rtol=1e-15)
        np.testing.assert_allclose(found.fitted, np.full(1 + times, 2.0 / (1 + times)), rtol=1e-15)
    found = of_equal_layers([[1.0], [1.0], [2.0]], [-1.0, -1.0, -2.0])
    np.testing.assert_array_equal(found.fitted, np.zeros(3))


def test_features_without_entries_stay_at_the_start():
    layers = np.array([1.0, 0.5, 1.0])
    X, y = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), np.array([2.0, -1.0])
    limit = predict_limit(
        DiagonalNetwork(3, 2), Regression(X, y), Initialization([layers, layers], 1.0)
    )
    np.testing.assert_allclose(limit.coefficients, [2.0, 0.25, 0.0], rtol=1e-12)


def test_nothing_is_fitted_where_all_signs_are_wrong():
    network, init = DiagonalNetwork(1, 2), Initialization([[1.0], [1.0]], 1.0)
    limit = predict_limit(network, Regression([[1.0]], [-1.0]), init)
    assert limit.coefficients == 0.0 and limit.certificate.worst == 0.0
    found = verify(network, Regression([[1.0]], [-1.0]), init)
    assert found.agrees and "the limit does not fit the data" in str(found)


def test_paths_and_both_ends():
    layers, scales = np.array([0.5, 1.0, 0.8, 1.0]), np.array([10.0, 0.0, 1e-8, 1.0])
    told = []
    path = limit_path(
        DiagonalNetwork(4, 2), Regression(*TWINS), [layers, layers], scales, callback=told.append
    )
    assert told == [1, 2, 3, 4] and path.theorem == DIAGONAL
    for scale, beta in zip(scales[[0, 2, 3]], path.coefficients[[0, 2, 3]], strict=True):
        expected = expected_of_twins(layers**2 * scale**2)
        np.testing.assert_allclose(beta, expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(path.coefficients[1], [0.0, 0.0, 1.0, 0.0])
    assert path.gaps.max() < 1e-12 and path.errors.max() < 1e-12
    with pytest.raises(NoPredictionError, match="diverges with the scale"):
        limit_path(DiagonalNetwork(4, 2), Regression(*TWINS), [layers, layers], [np.inf])


def test_the_kernel_end_leaves_what_never_moves():
    """vbar_L = 0: free coordinates, one dead, and targets that it alone would reach."""
    first = np.array([1.0, 1.0, 0.0])
    X, y = np.array([[1.0, 2.0, 0.0], [0.0, 0.0, 1.0]]), np.array([1.0, 1.0])
    path = limit_path(DiagonalNetwork(3, 2), Regression(X, y), [first, np.zeros(3)], [0.0, np.inf])
    np.testing.assert_allclose(path.coefficients, [[0.0, 0.5, 0.0], [0.2, 0.4, 0.0]], atol=1e-15)


def refusal(network, problem, init):
    with pytest.raises(NoPredictionError) as caught:
        predict_limit(network, problem, init)
    return str(caught.value)


def test_what_is_not_known_is_refused_with_its_number():
    ones = np.ones(3)
    X, y = np.array([[1.0, 2.0, 0.5], [0.5, -1.0, 1.0]]), np.array([-1.0, -2.0])
    text = refusal(DiagonalNetwork(3, 2), Regression(X, y), Initialization([ones, ones], 1.0))
    assert "least-squares fit under these signs is strictly complementary (0)" in text
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((2, 2)))[0]
    network = OrthogonalNetwork(np.eye(2), [turn, np.eye(2)])
    init = Initialization([turn @ np.ones(2), np.ones(2)], 1.0)
    found = explain(network, Regression(np.eye(2), [1.0, -1.0]), init)
    if found["beyond Theorem 5"].standing == "does not apply":
        assert "do so exactly" in refusal(network, Regression(np.eye(2), [1.0, -1.0]), init)


def test_reached_targets_are_not_its_business():
    layers, problem = np.ones(2), Regression([[1.0, 2.0]], [1.0])
    finding = explain(DiagonalNetwork(2, 2), problem, Initialization([layers, layers], 1.0))
    assert finding.limit.theorem == "beyond Theorem 5" and finding.limit.fitted is None
    assert finding[DIAGONAL].standing == "does not apply"
    with pytest.raises(NoPredictionError, match="no interpolator has the start's signs"):
        predict_limit(
            DiagonalNetwork(2, 2), problem, Initialization([layers, layers], 1.0), theorem=DIAGONAL
        )


def test_sensitivities_are_refused():
    layers = np.ones(4)
    with pytest.raises(NoPredictionError, match="does not fit the targets"):
        sensitivity(
            DiagonalNetwork(4, 2), Regression(*TWINS), Initialization([layers, layers], 1.0)
        )


def test_flows_and_runs_agree_or_are_not_there_yet():
    u, v = np.array([1.0, 0.7, 0.0, 1.0]), np.array([0.0, 0.0, 0.9, 0.0])
    network, problem = TwoSidedDiagonalNetwork(4, 2), Regression(*TWINS)
    init = Initialization([u, v], 1.0)
    limit = predict_limit(network, problem, init)
    found = verify(network, problem, init)
    assert found.agrees and found.flow.outcome is Outcome.STATIONARY
    early = compare(gradient_flow(network, problem, init, max_time=0.1), limit)
    assert early.verdict == "undecided" and "the limit does not fit the data" in str(early)
    run = gradient_descent(network, problem, init, step=0.02, max_steps=3000)
    assert run.outcome is not Outcome.RESIDUAL_REACHED and compare(run, limit).agrees
    elsewhere = np.array([2.0, 0.0, 0.0, -3.0])
    assert compare(elsewhere, limit).verdict == "DISAGREES"


def beside(seed, depth):
    """Data (A, y) that kept signs reach, and with columns B that a further row drives to 0.

    Of (A B; 0 b) with b > 0 and (y; -1) the residual is (0; 1): B has multipliers b.
    """
    rng = np.random.default_rng(seed)
    A, B = rng.integers(-3, 4, (2, 4)).astype(float), rng.integers(-3, 4, (2, 2)).astype(float)
    layers = rng.integers(2, 9, (depth, 6)) / 8.0
    layers[1, :3] = layers[0, :3] = layers[:, :3].min(axis=0)
    layers[1, 4:] = layers[0, 4:] = layers[:, 4:].min(axis=0)
    y = A @ rng.uniform(0.2, 2.0, 4)
    whole = np.block([[A, B], [np.zeros((1, 4)), np.array([[1.0, 2.0]])]])
    return A, y, layers, Regression(whole, [*y, -1.0])


@pytest.mark.parametrize("scale", [1.0, 1e-2, 1e-6])
@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_errors_against_newtons_method_in_many_digits(seed, depth, scale):
    A, y, layers, problem = beside(seed, depth)
    limit = predict_limit(DiagonalNetwork(6, depth), problem, Initialization(list(layers), scale))
    assert limit.theorem == DIAGONAL
    np.testing.assert_allclose(limit.fitted, [*y, 0.0], rtol=0, atol=1e-15 * np.abs(y).max())
    expected = precise_potential.limit(A, y, [list(layer[:4]) for layer in layers], scale)
    error = np.abs(limit.coefficients - [*expected, 0.0, 0.0]).max() / np.abs(expected).max()
    assert error <= 1e-13 and error <= 10.0 * limit.certificate.error


@pytest.mark.parametrize("size", [1e-150, 1e159, 1e195])
def test_targets_whose_squares_do_not_fit_float64(size):
    """A fit of 0 has error 0; without a warning."""
    found = of_equal_layers([[1.0, 1.0]], [-size])
    np.testing.assert_array_equal(found.coefficients, [0.0, 0.0])
    assert "the residual tends to 1 of |y|" in found.note


@pytest.mark.parametrize("lost", [0, 1])
def test_a_draw_that_is_not_solved_leaves_no_certificate(lost):
    """Its coefficients are NaN, whichever of the draws it is."""
    limit = Limit(np.ones(2), "point", "", Certificate(0.0, 0.0, error=1e-12))
    drawn = [replace(limit, coefficients=np.full(2, 1.0 + 1e-9)) for _ in range(2)]
    drawn[lost] = replace(limit, coefficients=np.full(2, np.nan))
    assert _with_sway(limit, drawn) == np.inf
