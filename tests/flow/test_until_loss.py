"""Flows that end at a loss: exactly there, and where the definition's flow passes it."""

import numpy as np
import pytest

from helpers.draws import normal
from helpers.networks import FAMILIES, random_parameters
from implicitbias import Outcome, gradient_flow
from implicitbias._errors import InvalidInputError
from implicitbias.flow import has_dual_flow
from implicitbias.initialization import Initialization
from implicitbias.networks import ConvolutionalNetwork, DiagonalNetwork
from implicitbias.problems import Classification, Regression
from reference import brute_classification, brute_flow

X, Y = normal(0, (3, 6), 3)
REGRESSION, CLASSES = Regression(X, Y), Classification(X, [1.0, -1.0, 1.0])


def start(depth, scale=0.5, seed=1):
    network = DiagonalNetwork(6, depth)
    return network, Initialization.random(network, scale, seed=seed)


def squared(problem, beta):
    return float(np.log(0.5 * np.sum((problem.X @ beta - problem.y) ** 2)))


def exponential(problem, beta, loss="exponential"):
    margins = problem.y * (problem.X @ beta)
    if loss == "logistic" and margins.max() < 30.0:
        return float(np.log(np.log1p(np.exp(-margins)).sum()))
    return float(np.logaddexp.reduce(-margins))


def relative(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


def routes(network, problem, init):
    return ["parameters", *(["dual"] if has_dual_flow(network, problem, init) else [])]


@pytest.mark.parametrize("family", FAMILIES)
def test_regressions_end_where_the_definition_passes_the_loss(family):
    rng = np.random.default_rng(3)
    network, tensor = FAMILIES[family](rng, 3)
    data = rng.normal(size=(2, network.num_features))[: network.num_features]
    problem = Regression(data, data @ rng.normal(size=network.num_features))
    init = Initialization(random_parameters(network, rng), 1.0)
    layers = [v.ravel() for v in init.directions]
    loss = 0.1 * float(np.exp(squared(problem, network.coefficients(init.directions))))
    time, beta = brute_flow.regression_flow_to_loss(tensor, data, problem.y, layers, loss)
    fourier = ["fourier"] if getattr(network, "is_fourier", False) else []
    for route in [*routes(network, problem, init), *fourier]:
        flow = gradient_flow(network, problem, init, route=route, until_loss=loss)
        assert flow.outcome is Outcome.LOSS_REACHED and flow.outcome.converged
        assert abs(flow.log_losses[-1] - np.log(loss)) < 1e-11
        assert abs(squared(problem, flow.final_coefficients) - np.log(loss)) < 1e-11
        assert relative(flow.final_coefficients, beta) < 1e-9
        np.testing.assert_allclose(flow.times[-1], time, rtol=1e-8)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("loss", ["exponential", "logistic"])
def test_classifications_end_where_the_definition_passes_the_loss(family, loss):
    rng = np.random.default_rng(5)
    network, tensor = FAMILIES[family](rng, 2)
    data = rng.normal(size=(2, network.num_features))
    data = (data / np.linalg.norm(data, axis=1)[:, None])[: network.num_features]
    problem = Classification(data, [1.0, -1.0][: len(data)])
    init = Initialization(random_parameters(network, rng), 1.0)
    rows, layers = problem.y[:, None] * problem.X, [v.ravel() for v in init.directions]
    time, _, beta = brute_classification.flow_to_loss(
        tensor, rows, layers, 1e-3, logistic=loss == "logistic"
    )
    for route in routes(network, problem, init):
        flow = gradient_flow(network, problem, init, route=route, until_loss=1e-3, loss=loss)
        assert flow.outcome is Outcome.LOSS_REACHED
        assert abs(flow.log_losses[-1] - np.log(1e-3)) < 1e-12
        assert abs(exponential(problem, flow.final_coefficients, loss) - np.log(1e-3)) < 1e-12
        assert relative(flow.final_coefficients, beta) < 1e-8
        np.testing.assert_allclose(flow.log_times[-1], np.log(time), atol=1e-4)


@pytest.mark.parametrize(("depth", "scale"), [(2, 1e-3), (3, 0.1), (4, 0.01)])
@pytest.mark.parametrize("fall", [1e-2, 1.0, 5.0, 30.0])
def test_every_fall_of_a_regression(depth, scale, fall):
    network, init = start(depth, scale)
    wanted = squared(REGRESSION, network.coefficients(init.parameters())) - fall
    flows = [
        gradient_flow(network, REGRESSION, init, route=route, until_log_loss=wanted)
        for route in ("parameters", "dual")
    ]
    for flow in flows:
        assert flow.outcome is Outcome.LOSS_REACHED
        reached = squared(REGRESSION, flow.final_coefficients)
        assert abs(reached - wanted) < 1e-8  # residuals of 3e-7 have no more digits
        assert np.all(np.diff(flow.log_losses) < 0.0) and np.all(np.diff(flow.times) > 0.0)
    assert relative(*(flow.final_coefficients for flow in flows)) < 1e-9


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("log_loss", [0.5, -1.0, -1e3, -1e7])
def test_losses_of_a_classification_as_logarithms(depth, log_loss):
    network, init = start(depth)
    for route in ("parameters", "dual"):
        flow = gradient_flow(network, CLASSES, init, route=route, until_log_loss=log_loss)
        assert flow.outcome is Outcome.LOSS_REACHED
        assert abs(flow.log_losses[-1] - log_loss) < 1e-13 * max(1.0, -log_loss)
        found = exponential(CLASSES, flow.final_coefficients)
        assert abs(found - log_loss) < 1e-13 * max(1.0, -log_loss)


def test_the_spectra_and_activations_end_there_too():
    network = ConvolutionalNetwork(6, (6, 6))
    init = Initialization.random(network, 0.3, seed=2)
    wanted = squared(REGRESSION, network.coefficients(init.parameters())) - 1.0
    flow = gradient_flow(network, REGRESSION, init, route="fourier", until_log_loss=wanted)
    assert abs(squared(REGRESSION, flow.final_coefficients) - wanted) < 1e-11
    for phi in ("tanh", "relu"):
        flow = gradient_flow(network, REGRESSION, init, activation=phi, until_log_loss=wanted)
        residual = flow.final_predictions - Y
        assert flow.outcome is Outcome.LOSS_REACHED
        assert abs(np.log(residual @ residual / 2.0) - wanted) < 1e-10
    flow = gradient_flow(network, CLASSES, init, activation="tanh", until_loss=0.9)
    assert abs(np.logaddexp.reduce(-CLASSES.y * flow.final_predictions) - np.log(0.9)) < 1e-12


@pytest.mark.parametrize("problem", [REGRESSION, CLASSES], ids=["points", "classes"])
def test_the_time_may_end_it_before(problem):
    network, init = start(2)
    whole = gradient_flow(network, problem, init, until_loss=1e-2)
    flow = gradient_flow(network, problem, init, until_loss=1e-2, max_time=0.5 * whole.times[-1])
    assert flow.outcome is Outcome.TIME_REACHED and flow.log_losses[-1] > np.log(1e-2)
    later = gradient_flow(network, problem, init, until_loss=1e-2, max_time=2.0 * whole.times[-1])
    assert later.outcome is Outcome.LOSS_REACHED
    np.testing.assert_allclose(later.times[-1], whole.times[-1], rtol=1e-6)


@pytest.mark.parametrize("problem", [REGRESSION, CLASSES], ids=["points", "classes"])
def test_losses_that_no_flow_comes_to_are_refused(problem):
    network, init = start(2)
    for bad in (0.0, -1.0, np.inf, np.nan, "1", True):
        with pytest.raises(InvalidInputError, match="until_loss is"):
            gradient_flow(network, problem, init, until_loss=bad)
    with pytest.raises(InvalidInputError, match="until_log_loss is"):
        gradient_flow(network, problem, init, until_log_loss=-np.inf)
    for options in ({}, {"activation": "relu"}, {"route": "parameters"}):
        with pytest.raises(InvalidInputError, match="at the start, and falls"):
            gradient_flow(network, problem, init, until_loss=1e6, **options)
    first = gradient_flow(network, problem, init, until_log_loss=-2.0).log_losses[0]
    flow = gradient_flow(network, problem, init, until_loss=float(np.exp(first)))
    assert flow.outcome is Outcome.LOSS_REACHED and abs(flow.log_losses[-1] - first) < 1e-12


def test_what_rounding_hides_is_refused_or_said():
    network, init = start(2)
    with pytest.raises(InvalidInputError, match="less than a rounding of y"):
        gradient_flow(network, REGRESSION, init, until_loss=1e-34)
    flow = gradient_flow(network, REGRESSION, init, until_loss=1e-31 * float(Y @ Y))
    assert flow.outcome in (Outcome.LOSS_REACHED, Outcome.PRECISION_REACHED)
    if flow.outcome is Outcome.PRECISION_REACHED:
        assert "until_loss" in flow.message


def test_a_flow_that_rests_above_the_loss_says_so():
    problem = Regression([[1.0, 0.0]], [-1.0])
    network = DiagonalNetwork(2, 2)
    init = Initialization([[1.0, 1.0], [1.0, 1.0]], 1.0)
    flow = gradient_flow(network, problem, init, until_loss=0.4)
    assert flow.outcome is Outcome.STATIONARY and abs(flow.log_losses[-1] - np.log(0.5)) < 1e-8
