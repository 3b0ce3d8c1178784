"""What flows save on the way: given times, and the layers, for both losses and on every route."""

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
from reference import brute_classification as brute

X, Y = normal(0, (3, 6), 3)
REGRESSION, CLASSES = Regression(X, Y), Classification(X, [1.0, -1.0, 1.0])
PROBLEMS = pytest.mark.parametrize("problem", [REGRESSION, CLASSES], ids=["points", "classes"])


def start(depth, scale=0.5, seed=1):
    network = DiagonalNetwork(6, depth)
    return network, Initialization.random(network, scale, seed=seed)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_classification_at_given_times(family):
    rng = np.random.default_rng(5)
    network, tensor = FAMILIES[family](rng, 3)
    data = rng.normal(size=(2, network.num_features))
    data = (data / np.linalg.norm(data, axis=1)[:, None])[: network.num_features]
    problem = Classification(data, [1.0, -1.0][: len(data)])
    init = Initialization(random_parameters(network, rng), 1.0)
    rows, layers = problem.y[:, None] * problem.X, [v.ravel() for v in init.directions]
    times = [1e-3, 0.1, 0.7, 3.0, 20.0]
    expected = brute.coefficients_at(tensor, rows, layers, times)
    for route in ["parameters", *(["dual"] if has_dual_flow(network, problem, init) else [])]:
        flow = gradient_flow(network, problem, init, route=route, times=times)
        assert flow.outcome is Outcome.TIME_REACHED
        np.testing.assert_array_equal(flow.times, [0.0, *times])
        error = np.abs(flow.coefficients[1:] - expected).max() / np.abs(expected).max()
        assert error < 1e-8
        margins = (flow.coefficients @ rows.T).min(axis=1)
        np.testing.assert_allclose(flow.margins, margins, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-2, 1e-4])
def test_times_of_an_escape(scale):
    """While coordinates leave the origin the two routes, and the loss at the times, agree."""
    network, init = start(3, scale)
    end = gradient_flow(network, CLASSES, init, until_loss=0.1).times[-1]
    times = end * np.array([0.5, 0.9, 0.97, 0.99, 0.999])
    flows = [
        gradient_flow(network, CLASSES, init, route=route, times=times)
        for route in ("parameters", "dual")
    ]
    for flow in flows:
        np.testing.assert_array_equal(flow.times[1:], times)
    np.testing.assert_allclose(flows[0].log_losses, flows[1].log_losses, rtol=0, atol=1e-6)
    size = np.abs(flows[0].coefficients).max()
    np.testing.assert_allclose(*(flow.coefficients for flow in flows), rtol=0, atol=1e-6 * size)


def test_an_end_before_the_last_time_and_times_beyond_it():
    network, init = start(2)
    whole = gradient_flow(network, CLASSES, init, until_margin=5.0)
    end = whole.times[-1]
    flow = gradient_flow(network, CLASSES, init, until_margin=5.0, times=[0.5 * end, 2.0 * end])
    assert flow.outcome is Outcome.MARGIN_REACHED
    np.testing.assert_allclose(flow.times, [0.0, 0.5 * end, end], rtol=1e-6)
    far = gradient_flow(network, CLASSES, init, times=[1e10, 1e200, 1e308])
    assert far.outcome is Outcome.TIME_REACHED
    np.testing.assert_array_equal(far.times[1:], [1e10, 1e200, 1e308])
    assert np.all(np.diff(far.log_losses) < 0.0)


@PROBLEMS
def test_layers_make_up_the_coefficients(problem):
    network, init = start(3)
    for route in ("parameters", "dual"):
        for options in ({}, {"times": [0.3, 1.0, 2.0]}, {"num_points": 7}):
            flow = gradient_flow(
                network, problem, init, route=route, save_parameters=True, **options
            )
            assert [layer.shape for layer in flow.parameters] == [(len(flow.times), 6)] * 3
            size = np.abs(flow.coefficients).max(axis=1)
            for k in range(len(flow.times)):
                beta = network.coefficients([layer[k] for layer in flow.parameters])
                np.testing.assert_allclose(beta, flow.coefficients[k], atol=1e-9 * size[k])
            for layer, first, last in zip(
                flow.parameters, init.parameters(), flow.final_parameters, strict=True
            ):
                np.testing.assert_allclose(layer[0], first, rtol=0, atol=1e-12)
                np.testing.assert_array_equal(layer[-1], last)
        assert gradient_flow(network, problem, init, route=route, num_points=5).parameters == ()


def test_layers_of_spectra_slides_and_activations():
    network = ConvolutionalNetwork(6, (6, 6))
    init = Initialization.random(network, 0.3, seed=2)
    flow = gradient_flow(network, REGRESSION, init, route="fourier", save_parameters=True)
    beta = network.coefficients([layer[3] for layer in flow.parameters])
    np.testing.assert_allclose(beta, flow.coefficients[3], rtol=1e-9)
    diagonal, begin = start(2)
    flow = gradient_flow(diagonal, CLASSES, begin, until_margin=1e9, save_parameters=True)
    assert flow.slide is not None and np.isfinite(flow.parameters[0]).all()
    flow = gradient_flow(diagonal, CLASSES, begin, until_log_margin=2e3, save_parameters=True)
    assert flow.final_parameters is None and np.isnan(flow.parameters[0][-1]).all()
    flow = gradient_flow(
        network, CLASSES, init, activation="tanh", times=[0.5, 1.0], save_parameters=True
    )
    assert flow.parameters[0].shape == (3, 6)
    np.testing.assert_array_equal(flow.times, [0.0, 0.5, 1.0])


@PROBLEMS
@pytest.mark.parametrize("route", ["parameters", "dual"])
@pytest.mark.parametrize("activation", [None, "relu"])
def test_a_first_time_of_0_is_the_start(problem, route, activation):
    """As np.linspace gives it."""
    if activation and route == "dual":
        return
    network, init = start(2)
    given = {"route": route, "activation": activation}
    found = gradient_flow(network, problem, init, times=np.linspace(0.0, 1.0, 5), **given)
    without = gradient_flow(network, problem, init, times=np.linspace(0.0, 1.0, 5)[1:], **given)
    np.testing.assert_array_equal(found.times, np.linspace(0.0, 1.0, 5))
    np.testing.assert_array_equal(found.times, without.times)
    np.testing.assert_array_equal(found.log_losses, without.log_losses)


@PROBLEMS
def test_what_is_refused(problem):
    network, init = start(2)
    for bad in ([], [0.0], [0.0, 0.0, 1.0], [-1.0, 1.0], [2.0, 1.0], [np.inf], [np.nan], "1", 3.0):
        with pytest.raises(InvalidInputError, match="times"):
            gradient_flow(network, problem, init, times=bad)
    with pytest.raises(InvalidInputError, match="save_parameters is 1"):
        gradient_flow(network, problem, init, save_parameters=1)


@pytest.mark.parametrize("route", ["parameters", "dual"])
def test_a_regression_gives_back_the_times_as_given(route):
    network, init = start(4, 0.7)
    times = np.sort(np.random.default_rng(3).uniform(0.01, 30.0, 40))
    flow = gradient_flow(network, REGRESSION, init, route=route, times=times)
    kept = flow.times[1:] if flow.outcome is Outcome.TIME_REACHED else flow.times[1:-1]
    np.testing.assert_array_equal(kept, times[: kept.size])
    np.testing.assert_array_equal(flow.log_times[1 : 1 + kept.size], np.log(kept))


def test_times_of_a_flow_that_is_at_rest_from_the_start():
    network, init = start(2)
    nothing = Regression(np.zeros((2, network.num_features)), np.zeros(2))
    flow = gradient_flow(network, nothing, init, times=[1.0, 2.0, 3.0])
    assert flow.times[0] == 0.0
    expected = network.coefficients(init.parameters())
    np.testing.assert_allclose(flow.final_coefficients, expected)
