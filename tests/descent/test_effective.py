"""Effective starts: the laws of offsets, closed forms, limits, and why there is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from helpers.draws import normal
from helpers.networks import laws
from implicitbias._errors import NoPredictionError, Outcome
from implicitbias.descent import gradient_descent
from implicitbias.descent._draws import Draws
from implicitbias.initialization import Initialization
from implicitbias.networks import (
    ConvolutionalNetwork,
    DiagonalNetwork,
    FullyConnectedNetwork,
    OrthogonalNetwork,
    TwoSidedDiagonalNetwork,
)
from implicitbias.problems import Classification, Regression
from implicitbias.theorems import predict_limit
from reference import brute_descent as brute
from reference import precise_descent as precise

X3, Y3 = np.array([[1.0, 2.0, -1.0], [0.5, -1.0, 1.0]]), np.array([1.0, 0.5])
FAMILIES = ["diagonal", "orthogonal", "convolutional"]


def decoupled(family, depth, n, d, seed):
    """Network, X, y, start; its layers p (L, m) and data Z in decoupled coordinates."""
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.7, 1.2, (depth, d)) * rng.choice([-1, 1], (depth, d))
    X, beta = rng.standard_normal((n, d)) / np.sqrt(d), rng.standard_normal(d)
    if family == "diagonal":
        return DiagonalNetwork(d, depth), X, X @ beta, Initialization(list(p), 1.0), p, X
    if family == "orthogonal":
        *turns, S = (np.linalg.qr(rng.standard_normal((d, d)))[0] for _ in range(depth + 1))
        layers = [turn @ each for turn, each in zip(turns, p, strict=True)]
        network = OrthogonalNetwork(S, turns)
        return network, X, X @ beta, Initialization(layers, 1.0), p, X @ S.T
    mirror = -np.arange(d)
    p, X = p[:, np.minimum(np.arange(d), mirror % d)], (X + X[:, mirror]) / 2
    y = X @ beta
    X = X / d ** ((depth - 1) / 2)
    layers = list(np.fft.fft(p, axis=1, norm="ortho").real)
    Z = np.fft.fft(X, axis=1, norm="ortho").real * d ** ((depth - 1) / 2)
    return ConvolutionalNetwork(d, (d,) * depth), X, y, Initialization(layers, 1.0), p, Z


def coordinates(family, network, layers):
    """p_l of layers, by the definition."""
    if family == "diagonal":
        return np.array(layers)
    if family == "orthogonal":
        return np.array([U.T @ v for U, v in zip(network.bases, layers, strict=True)])
    return np.fft.fft(np.array(layers), axis=1, norm="ortho").real


def drawn(n, count, seed, size, delta):
    """The batches and the label noise of a run."""
    draws = Draws([seed], n, size, replacement=False, noise=bool(delta))
    found = [draws.next() for _ in range(count)]
    batches = None if size is None else [batch[0] for batch, _ in found]
    return batches, [delta * signs[0] for _, signs in found] if delta else None


def path_of(p, Z, y, step, count, seed, size, delta):
    """The layers p after every step, and gamma_k g_k, by plain loops."""
    n = len(y)
    batches, shifts = drawn(n, count, seed, size, delta)
    steps = np.full(count, step)
    path = brute.descend("diagonal", p, Z, y, steps, batches=batches, shifts=shifts)
    layers, pulls = np.array(path.layers), []
    for k, before in enumerate(layers[:-1]):
        points = np.arange(n) if batches is None else batches[k]
        moved = y[points] + (0.0 if shifts is None else shifts[k])
        residuals = Z[points] @ before.prod(axis=0) - moved
        pulls.append(step * n / len(points) * residuals @ Z[points])
    return layers, np.array(pulls)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("depth", [2, 3, 4, 6])
@pytest.mark.parametrize(("size", "delta"), [(None, 0.0), (2, 0.3)])
def test_every_offset_shrinks_by_its_factors(family, depth, size, delta):
    network, X, y, init, p, Z = decoupled(family, depth, 3, 7, depth)
    run = gradient_descent(
        network, Regression(X, y), init, step=0.02, batch_size=size, label_noise=delta, max_steps=60
    )
    batches, shifts = drawn(3, 60, 0, size, delta)
    law, expected = precise.offset_factors(p, Z, y, 0.02, batches, shifts, count=60)
    np.testing.assert_allclose(law, expected, rtol=1e-15)
    assert np.abs(1.0 - law).max() > 1e-4
    np.testing.assert_allclose(run.effective.offset_factors, law, rtol=1e-12, atol=0)
    np.testing.assert_allclose(
        run.effective.scales, np.prod(np.abs(law), axis=0) ** (0.5 / (depth - 1)), rtol=1e-12
    )


@pytest.mark.parametrize("power", [2, 2.5, 3, 4])
def test_offsets_of_pairs_shrink_by_their_factors(power):
    X, y = X3, Y3
    u, v = np.array([1.0, 0.8, 0.6]), np.array([1.0, 0.5, 0.9])
    network, init = TwoSidedDiagonalNetwork(3, power), Initialization([u, v], 1.0)
    run = gradient_descent(network, Regression(X, y), init, step=0.01, max_steps=60)
    assert run.num_steps == 60
    expected = precise.pair_factors(u, v, power, X, y, 0.01, 60)
    assert np.abs(1.0 - expected).max() > 1e-4
    np.testing.assert_allclose(run.effective.offset_factors[0], expected, rtol=1e-12)


@settings(laws, max_examples=25)
@given(
    depth=st.integers(2, 5),
    n=st.integers(1, 4),
    size=st.sampled_from([None, 1]),
    delta=st.sampled_from([0.0, 0.5]),
    step=st.sampled_from([0.001, 0.03]),
    seed=st.integers(0, 10_000),
)
def test_a_step_multiplies_offsets_and_moves_the_clock(depth, n, size, delta, step, seed):
    network, X, y, init, p, Z = decoupled("diagonal", depth, n, 8, seed)
    count = 25
    run = gradient_descent(
        network,
        Regression(X, y),
        init,
        step=step,
        seed=seed,
        batch_size=size,
        label_noise=delta,
        max_steps=count,
        until_residual=1e-300,
    )
    layers, pulls = path_of(p, Z, y, step, count, seed, size, delta)
    for before, after, pull in zip(layers[:-1], layers[1:], pulls, strict=True):
        for index in range(depth - 1):
            others = np.delete(before, (index, depth - 1), axis=0).prod(axis=0)
            offset = before[index] ** 2 - before[-1] ** 2
            moved = after[index] ** 2 - after[-1] ** 2
            sizes = 1.0 + (before**2).max(axis=0)
            law = offset * (1.0 - (pull * others) ** 2)
            assert np.abs(moved - law).max() <= 1e-12 * sizes.max()
    np.testing.assert_allclose(Z.T @ run.dual, -pulls.sum(axis=0), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("family", FAMILIES)
def test_two_layers_in_closed_form(family):
    network, X, y, init, p, Z = decoupled(family, 2, 3, 7, 1)
    run = gradient_descent(
        network, Regression(X, y), init, step=0.1, batch_size=2, label_noise=0.2, max_steps=100
    )
    _, pulls = path_of(p, Z, y, 0.1, 100, 0, 2, 0.2)
    found = coordinates(family, network, run.effective_start.parameters())
    for sign in (1.0, -1.0):
        shrunk = np.prod((1.0 - sign * pulls) * np.exp(sign * pulls), axis=0)
        expected = (p[0] + sign * p[1]) * shrunk
        np.testing.assert_allclose(found[0] + sign * found[1], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("depth", [3, 5])
def test_the_end_lies_on_the_flow_of_the_same_clock(family, depth):
    network, X, y, init, p, Z = decoupled(family, depth, 3, 7, 2)
    run = gradient_descent(network, Regression(X, y), init, step=0.05, max_steps=80)
    start = coordinates(family, network, run.effective_start.parameters())
    end = coordinates(family, network, run.final_parameters)
    clock = -_clock(p, Z, y, 0.05, 80)

    def velocity(_, state):
        each = state.reshape(depth, -1)
        others = [np.delete(each, at, axis=0).prod(axis=0) for at in range(depth)]
        return (clock * np.array(others)).ravel()

    forward = solve_ivp(
        velocity, (0.0, 1.0), start.ravel(), method="DOP853", rtol=1e-12, atol=1e-14
    ).y[:, -1]
    np.testing.assert_allclose(forward, end.ravel(), atol=1e-10)


def _clock(p, Z, y, step, count):
    """sum_k gamma_k g_k; s = -that."""
    return path_of(p, Z, y, step, count, 0, None, 0.0)[1].sum(axis=0)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0.2, (0.9137264412, 0.1294103382, 0.1725471176)),
        (0.3, (0.9132300022, 0.1301549966, 0.1735399955)),
    ],
)
def test_known_numbers(step, expected):
    network, problem = DiagonalNetwork(3, 2), Regression(X3, Y3)
    init = Initialization([np.full(3, np.sqrt(2.0) / 2.0), np.zeros(3)], 1.0)
    run = gradient_descent(network, problem, init, step=step, reduction="mean")
    reached = predict_limit(network, problem, run.effective_start).coefficients
    np.testing.assert_allclose(run.final_coefficients, expected, atol=6e-11)
    np.testing.assert_allclose(reached, expected, atol=6e-11)
    flow = predict_limit(network, problem, init).coefficients
    known = (0.9149482442, 0.1275776337, 0.1701035116)
    np.testing.assert_allclose(flow, known, atol=6e-11)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("depth", [2, 3, 4, 5, 6])
def test_runs_end_at_the_limit_of_their_effective_start(family, depth):
    for seed, (size, delta) in enumerate([(None, 0.0), (2, 0.0), (None, 0.2), (1, 0.2)]):
        network, X, _, init, p, Z = decoupled(family, depth, 2, 9, 10 * depth + seed)
        move = np.random.default_rng(seed).uniform(-0.4, 0.4, 9)
        y = Z @ ((1.0 + (move + move[-np.arange(9)]) / 2) * p.prod(axis=0))
        run = gradient_descent(
            network,
            Regression(X, y),
            init,
            step=(0.2 if size is None else 0.1) * (1.0 + np.cos(0.01 * np.arange(4000))),
            label_noise=np.full(50, delta * np.abs(y).max()),
            batch_size=size,
            replacement=bool(size == 2),
            until_residual=1e-11,
        )
        assert run.outcome is Outcome.RESIDUAL_REACHED
        limit = predict_limit(network, Regression(X, y), run.effective_start)
        largest = np.abs(limit.coefficients).max()
        assert np.abs(run.final_coefficients - limit.coefficients).max() <= 1e-10 * largest


def test_one_point_of_a_fully_connected_network():
    (X, W, w) = normal(3, (1, 5), (5, 4), 4)
    network, problem = FullyConnectedNetwork((5, 4)), Regression(X, [2.0])
    init = Initialization([0.5 * W, 0.5 * w], 1.0)
    run = gradient_descent(network, problem, init, step=0.05)
    path = brute.descend(
        "fully connected", init.parameters(), X, problem.y, np.full(run.num_steps, 0.05)
    )
    length = np.linalg.norm(X)
    unit = X[0] / length
    pulls = 0.05 * length * np.array([X[0] @ one @ two - 2.0 for one, two in path.layers[:-1]])
    start = run.effective_start.parameters()
    for sign in (1.0, -1.0):
        shrunk = np.prod((1.0 - sign * pulls) * np.exp(sign * pulls))
        expected = (unit @ init.parameters()[0] + sign * init.parameters()[1]) * shrunk
        np.testing.assert_allclose(unit @ start[0] + sign * start[1], expected, atol=1e-12)
    across = np.eye(5) - np.outer(unit, unit)
    np.testing.assert_allclose(across @ start[0], across @ init.parameters()[0], atol=1e-12)
    limit = predict_limit(network, problem, run.effective_start)
    np.testing.assert_allclose(run.final_coefficients, limit.coefficients, atol=1e-11)


@pytest.mark.parametrize("points", [1, 3])
def test_one_point_of_a_convolution_that_is_not_even(points):
    x, one, two = normal(4, 5, 5, 5)
    multiples = np.array([1.0, -0.5, 2.0])[:points]
    network = ConvolutionalNetwork(5, (5, 5))
    problem = Regression(np.outer(multiples, x), 1.5 * multiples)
    init = Initialization([0.6 * one, 0.6 * two], 1.0)
    run = gradient_descent(network, problem, init, step=0.01)
    assert run.outcome is Outcome.RESIDUAL_REACHED
    path = brute.descend(
        "convolutional", init.parameters(), problem.X, problem.y, np.full(run.num_steps, 0.01)
    )
    M = np.array([[x[(i + j) % 5] for j in range(5)] for i in range(5)])
    start = run.effective_start.parameters()
    for sign in (1.0, -1.0):
        expected, total = init.parameters()[0] + sign * init.parameters()[1], 0.0
        for a, b in path.layers[:-1]:
            pull = 0.01 * multiples @ (problem.X @ brute.convolutional([a, b], x)[0] - problem.y)
            expected, total = expected - sign * pull * M @ expected, total + pull
        expected = expm(sign * total * M) @ expected
        np.testing.assert_allclose(start[0] + sign * start[1], expected, rtol=0, atol=1e-12)
    limit = predict_limit(network, problem, run.effective_start)
    np.testing.assert_allclose(run.final_coefficients, limit.coefficients, atol=1e-10)


def test_small_steps_with_noise_shrink_offsets_as_the_loss_says():
    """-log factor / gamma -> int (1/n) sum_i x_ij^2 (r_i^2 + delta^2) dt, batches of one point.

    Pesme et al.: exp(-2 gamma diag(X^T X / n) int loss) where squares r_i^2 + delta^2 are alike.
    """
    rng = np.random.default_rng(0)
    X, p, T, delta = rng.standard_normal((3, 5)), rng.uniform(0.5, 1.0, (2, 5)), 2.0, 1.0
    y = X @ rng.standard_normal(5)
    network, problem, init = DiagonalNetwork(5, 2), Regression(X, y), Initialization(list(p), 1.0)
    fine = brute.descend("diagonal", p, X, y, np.full(2000, T / 2000), mean=True)
    squares = np.array([(X @ (a * b) - y) ** 2 for a, b in fine.layers[:-1]])
    integral = ((squares + delta**2).mean(axis=0) * T) @ X**2 / 3
    errors = []
    for step in (0.04, 0.01, 0.004):
        runs = gradient_descent(
            network,
            problem,
            [init] * 60,
            step=step,
            seed=list(range(60)),
            reduction="mean",
            batch_size=1,
            replacement=True,
            label_noise=delta,
            max_steps=round(T / step),
            until_residual=1e-300,
            num_points=2,
        )
        rates = np.array([-np.log(run.effective.offset_factors[0]) / step for run in runs])
        errors.append(np.abs(rates.mean(axis=0) / integral - 1.0).max())
    assert errors[2] <= 0.03 and errors[2] < errors[1] < errors[0], errors


def test_a_classification_ends_on_the_flow_of_its_effective_start():
    network, X, _, init, p, Z = decoupled("diagonal", 2, 3, 7, 5)
    labels = np.sign(X @ np.arange(1.0, 8.0))
    run = gradient_descent(network, Classification(X, labels), init, step=0.3, max_steps=200)
    start, end = (
        np.array(each) for each in (run.effective_start.parameters(), run.final_parameters)
    )
    clock = Z.T @ run.dual
    for sign in (1.0, -1.0):
        expected = (start[0] + sign * start[1]) * np.exp(sign * clock)
        np.testing.assert_allclose(end[0] + sign * end[1], expected, rtol=1e-12, atol=1e-13)
    assert not np.allclose(start, p)


def test_a_step_that_turns_an_offset_over_is_carried_back():
    network, problem = DiagonalNetwork(1, 2), Regression([[1.0]], [1.0])
    init = Initialization([[1.5], [0.1]], 1.0)
    run = gradient_descent(network, problem, init, step=np.array([1.3, *[0.3] * 200]))
    assert run.outcome is Outcome.RESIDUAL_REACHED
    factor = 1.0 - (1.3 * (0.15 - 1.0)) ** 2
    assert factor < 0 and run.effective.offset_factors[0, 0] * factor > 0
    limit = predict_limit(network, problem, run.effective_start)
    np.testing.assert_allclose(run.final_coefficients, limit.coefficients, atol=1e-11)


def test_starts_without_an_offset_have_no_factor():
    init = Initialization([np.ones(3), np.array([1.0, -1.0, 0.5])], 1.0)
    run = gradient_descent(DiagonalNetwork(3, 2), Regression(X3, Y3), init, step=0.02)
    assert np.isnan(run.effective.offset_factors[0]).tolist() == [True, True, False]
    assert np.isnan(run.effective.scales).tolist() == [True, True, False]
    assert "scales 0.9" in repr(run.effective)
    locked = Initialization([np.ones(3), np.ones(3)], 1.0)
    run = gradient_descent(DiagonalNetwork(3, 2), Regression(X3, Y3), locked, step=0.02)
    assert "no coordinate had an offset" in repr(run.effective)


def no_start(network, problem, init, **options):
    options = {"step": 0.01, "max_steps": 20} | options
    run = gradient_descent(network, problem, init, **options)
    assert run.effective.parameters is None and run.effective.reason[:60] in repr(run.effective)
    with pytest.raises(NoPredictionError) as caught:
        _ = run.effective_start
    assert str(caught.value) == run.effective.reason
    return run.effective.reason


def test_why_there_is_none():
    connected, diagonal = FullyConnectedNetwork((3, 2)), DiagonalNetwork(3, 2)
    problem = Regression(X3, Y3)
    first, second = (Initialization.random(net, 0.5) for net in (connected, diagonal))
    text = no_start(diagonal, problem, second, momentum=0.9)
    assert "momentum = 0.9 mixes" in text and "= 100 gamma" in text
    assert "the activation relu" in no_start(connected, problem, first, activation="relu")
    assert "one point" in no_start(connected, problem, first)
    odd = ConvolutionalNetwork(3, (3, 3))
    text = no_start(odd, problem, Initialization.random(odd, 0.5))
    assert "real clocks" in text and "largest entry" in text
    deep = FullyConnectedNetwork((3, 2, 2))
    one = Regression(X3[:1], Y3[:1])
    assert "two layers and one point" in no_start(deep, one, Initialization.random(deep, 0.5))
    assert "too large" in no_start(diagonal, problem, second, step=5.0)


def test_two_sided_runs_that_end_below_zero_have_none():
    """No flow from u, v >= 0 passes there: no complaint about a start that nobody gave."""
    start = Initialization([[1.0], [1.0]], scale=1.0)
    network, problem = TwoSidedDiagonalNetwork(1, 3), Regression([[1.0]], [-0.2])
    run = gradient_descent(network, problem, start, step=0.3, max_steps=3000)
    assert min(map(np.min, run.final_parameters)) < 0.0
    with pytest.raises(NoPredictionError, match="no effective start: it ended at"):
        _ = run.effective_start
