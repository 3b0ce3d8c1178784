"""Complex coordinates that reduce: even data, common shifts and single points from any start."""

from __future__ import annotations

import numpy as np
import pytest

from implicitbias._errors import NoPredictionError
from implicitbias.flow import gradient_flow
from implicitbias.initialization import Initialization
from implicitbias.networks import ConvolutionalNetwork, DiagonalNetwork, TensorNetwork
from implicitbias.problems import Regression
from implicitbias.theorems import limit_path, predict_limit, sensitivity


def full_convolution(d, depth):
    return ConvolutionalNetwork(d, (d,) * depth)


def data(rng, kind, n, d):
    """Rows that share phases in the Fourier domain, and targets."""
    X = rng.normal(size=(n, d))
    even = X + X[:, -np.arange(d)]
    X = {"even": even, "shifted": np.roll(even, 2, axis=1), "point": X[:1]}[kind]
    return Regression(X, rng.normal(size=len(X)))


def filters(rng, d, depth, scale):
    return Initialization([rng.normal(size=d) for _ in range(depth)], scale)


def assert_same_end(flow, limit, tolerance=1e-9):
    assert flow.outcome.converged, flow.message
    size = np.abs(limit.coefficients).max()
    np.testing.assert_allclose(
        flow.final_coefficients, limit.coefficients, rtol=0, atol=tolerance * size
    )
    for found, expected in zip(flow.final_parameters, limit.parameters, strict=True):
        top = np.abs(expected).max()
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * top)


CASES = [
    (2, 7, "even", 1e-2),
    (2, 5, "shifted", 10.0),
    (3, 8, "even", 1e-2),
    (3, 6, "point", 1.0),
    (4, 7, "shifted", 0.1),
    (4, 12, "even", 1.0),
    (5, 6, "even", 0.3),
    (5, 5, "point", 2.0),
]


@pytest.mark.parametrize(("depth", "d", "kind", "scale"), CASES)
def test_the_parameter_flow_ends_at_the_limit(depth, d, kind, scale):
    rng = np.random.default_rng([depth, d])
    network, problem = full_convolution(d, depth), data(rng, kind, 2, d)
    init = filters(rng, d, depth, scale)
    limit = predict_limit(network, problem, init)
    flow = gradient_flow(
        network, problem, init, route="parameters", until_residual=1e-12, until_change=1e-12
    )
    assert_same_end(flow, limit)
    assert limit.theorem == "beyond Theorem 5"
    phases, start = limit.assumptions[1], limit.assumptions[2]
    assert "phase defect" in str(phases)
    assert phases.value < 1e-12
    assert "imaginary part" in str(start)
    assert start.value > 1e-2
    whole = np.fft.fft(np.stack(limit.parameters)).prod(axis=0)
    np.testing.assert_allclose(np.fft.ifft(whole).real, limit.coefficients, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("depth", [2, 3])
def test_the_dual_flow_is_the_parameter_flow(depth):
    rng = np.random.default_rng(depth)
    network, problem = full_convolution(5, depth), data(rng, "even", 2, 5)
    init = filters(rng, 5, depth, 0.4)
    dual, witness = (
        gradient_flow(network, problem, init, route=route, max_time=0.7)
        for route in ("dual", "parameters")
    )
    for found, expected in zip(dual.final_parameters, witness.final_parameters, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8)
    np.testing.assert_allclose(dual.final_coefficients, witness.final_coefficients, atol=1e-8)
    done = gradient_flow(network, problem, init)
    assert done.route == "dual"
    assert_same_end(done, predict_limit(network, problem, init))


def test_the_imaginary_part_changes_beta_but_no_prediction():
    """Where X beta(0) is almost y, all of beta(0) must come back; its odd part stays for ever."""
    rng = np.random.default_rng(0)
    network, init = full_convolution(6, 3), filters(rng, 6, 3, 0.7)
    X = data(rng, "even", 2, 6).X
    beta = network.coefficients(init.parameters())
    limit = predict_limit(network, Regression(X, X @ beta + 1e-7), init)
    np.testing.assert_allclose(limit.coefficients, beta, atol=1e-6)
    odd = 0.5 * (beta - beta[-np.arange(6)])
    assert np.abs(odd).max() > 0.1 * np.abs(beta).max()
    np.testing.assert_allclose(X @ odd, 0.0, atol=1e-14)
    other = predict_limit(network, Regression(X, X @ beta + 1.0), init).coefficients
    np.testing.assert_allclose(0.5 * (other - other[-np.arange(6)]), odd, atol=1e-13)


def test_equal_filters_lock_the_real_coordinates_only():
    rng = np.random.default_rng(3)
    network, problem = full_convolution(6, 2), data(rng, "even", 2, 6)
    problem = Regression(problem.X, np.abs(problem.y))
    init = Initialization([rng.normal(size=6)] * 2, 0.3)
    limit = predict_limit(network, problem, init)
    assert "2 of 6 coordinates keep their sign" in str(limit)
    assert "stays in 4 of 6 coordinates" in str(limit)
    assert_same_end(gradient_flow(network, problem, init, route="parameters"), limit)


def test_a_decomposition_found_numerically():
    rng = np.random.default_rng(4)
    convolution, problem = full_convolution(5, 3), data(rng, "shifted", 2, 5)
    tensor = np.stack([convolution.data_tensor(e) for e in np.eye(5)], axis=-1)
    init = filters(rng, 5, 3, 0.5)
    found = predict_limit(TensorNetwork(tensor), problem, init)
    expected = predict_limit(convolution, problem, init)
    np.testing.assert_allclose(found.coefficients, expected.coefficients, atol=1e-11)


@pytest.mark.parametrize("depth", [2, 3, 4, 5, 8])
def test_any_scale(depth):
    rng = np.random.default_rng(depth)
    network, problem = full_convolution(12, depth), data(rng, "even", 3, 12)
    init = filters(rng, 12, depth, 1.0)
    scales = [0.0, 1e-300, 1e-14, 1e-6, 1e-2, 1.0]
    path = limit_path(network, problem, init, scales)
    assert max(path.feasibilities.max(), path.gaps.max()) < 1e-10
    np.testing.assert_allclose(path.coefficients[1], path.coefficients[0], atol=1e-2)
    for limit in path.limits[1:]:
        beta = network.coefficients(limit.parameters)
        np.testing.assert_allclose(beta, limit.coefficients, rtol=0, atol=1e-10)
    alone = predict_limit(network, problem, Initialization(init.directions, 1e-6))
    np.testing.assert_allclose(alone.coefficients, path.coefficients[3], atol=1e-11)


def test_derivatives_count_the_part_of_beta_that_stays():
    rng, step = np.random.default_rng(0), 1e-5
    network, problem = full_convolution(6, 3), data(rng, "even", 2, 6)
    directions = filters(rng, 6, 3, 1.0).directions

    def end(log_scale):
        return predict_limit(network, problem, Initialization(directions, log_scale=log_scale))

    found = sensitivity(network, problem, Initialization(directions, log_scale=-0.7))
    rise = (end(-0.7 + step).coefficients - end(-0.7 - step).coefficients) / (2 * step)
    np.testing.assert_allclose(found.by_log_scale, rise, atol=1e-8)
    np.testing.assert_allclose(problem.X @ found.by_target, np.eye(2), atol=1e-12)
    with pytest.raises(NoPredictionError, match="diverges with the scale"):
        limit_path(network, problem, directions, [np.inf])


@pytest.mark.parametrize("depth", [3, 4, 5])
def test_conjugate_pairs_of_corollary_6_share_alike_at_tiny_scales(depth):
    rng = np.random.default_rng(1)
    network, problem = full_convolution(12, depth), data(rng, "even", 3, 12)
    half = rng.uniform(0.5, 1.5, 12)
    init = Initialization.last_layer_zero(
        network, half + half[-np.arange(12)] + np.eye(12)[0], 1e-9
    )
    limit = predict_limit(network, problem, init)
    assert limit.theorem == "Corollary 6"
    np.testing.assert_allclose(
        network.coefficients(limit.parameters), limit.coefficients, atol=1e-11
    )


def test_targets_of_zero_are_reached_at_the_scale_asked_for():
    rng = np.random.default_rng(5)
    for network, X in (
        (full_convolution(6, 3), data(rng, "even", 2, 6).X),
        (DiagonalNetwork(6, 3), rng.normal(size=(2, 6))),
    ):
        problem, init = Regression(X, np.zeros(2)), filters(rng, 6, 3, 0.4)
        flow = gradient_flow(
            network, problem, init, route="parameters", until_residual=1e-12, until_change=1e-12
        )
        assert_same_end(flow, predict_limit(network, problem, init))


def test_coordinates_all_driven_to_zero():
    network, init = DiagonalNetwork(2, 2), Initialization([np.ones(2), np.ones(2)], 0.5)
    limit = predict_limit(network, Regression(np.eye(2), np.zeros(2)), init)
    np.testing.assert_array_equal(limit.coefficients, np.zeros(2))
    np.testing.assert_array_equal(np.stack(limit.parameters), np.zeros((2, 2)))


def test_data_without_a_common_phase_are_refused_with_the_defect_and_the_way_out():
    rng = np.random.default_rng(6)
    network, problem = full_convolution(6, 3), Regression(rng.normal(size=(2, 6)), np.ones(2))
    with pytest.raises(
        NoPredictionError, match=r"share a phase.*\(0\.\d+\); the phase defect"
    ) as e:
        predict_limit(network, problem, filters(rng, 6, 3, 0.4))
    assert "simulate_limit(network, problem, init)" in str(e.value)
