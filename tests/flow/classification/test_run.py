"""Classification flows against the definition, their two routes against each other, their ends."""

import numpy as np
import pytest

from helpers.draws import normal
from helpers.networks import FAMILIES, random_parameters
from implicitbias import Outcome, gradient_flow
from implicitbias._errors import InfeasibleProblemError, InvalidInputError
from implicitbias.flow import has_dual_flow
from implicitbias.initialization import Initialization
from implicitbias.networks import ConvolutionalNetwork, DiagonalNetwork, FullyConnectedNetwork
from implicitbias.problems import Classification
from reference import brute_classification as brute

(X,), LABELS = normal(0, (3, 6)), np.array([1.0, -1.0, 1.0])
PROBLEM = Classification(X, LABELS)


def start(depth, scale=0.5, seed=1):
    network = DiagonalNetwork(6, depth)
    return network, Initialization.random(network, scale, seed=seed)


def relative(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


def distance(flow, other):
    return relative(flow.final_direction, other.final_direction)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("loss", ["exponential", "logistic"])
def test_every_network_follows_the_definition(family, loss):
    rng = np.random.default_rng(5)
    network, tensor = FAMILIES[family](rng, 2 if loss == "logistic" else 3)
    data = rng.normal(size=(2, network.num_features))
    data /= np.linalg.norm(data, axis=1)[:, None]
    data = data[: network.num_features]
    problem = Classification(data, [1.0, -1.0][: len(data)])
    init = Initialization(random_parameters(network, rng), 1.0)
    rows = problem.y[:, None] * problem.X
    time, layers, beta = brute.flow_to_margin(
        tensor, rows, [v.ravel() for v in init.directions], 6.0, logistic=loss == "logistic"
    )
    for route in ["parameters", *(["dual"] if has_dual_flow(network, problem, init) else [])]:
        flow = gradient_flow(network, problem, init, route=route, until_margin=6.0, loss=loss)
        assert flow.outcome is Outcome.MARGIN_REACHED
        assert relative(flow.final_coefficients, beta) < 1e-8
        found = np.concatenate([layer.ravel() for layer in flow.final_parameters])
        assert relative(found, np.concatenate(layers)) < 1e-8
        np.testing.assert_allclose(flow.log_times[-1], np.log(time), atol=1e-4)


@pytest.mark.parametrize(
    ("depth", "scale"), [(2, 1.0), (2, 1e-2), (3, 1.0), (3, 0.1), (4, 1.0), (5, 1.0)]
)
def test_both_routes_agree_far_beyond_underflow(depth, scale):
    network, init = start(depth, scale)
    flows = [
        gradient_flow(network, PROBLEM, init, route=route, until_margin=1e6)
        for route in ("parameters", "dual")
    ]
    assert [flow.outcome for flow in flows] == [Outcome.MARGIN_REACHED] * 2
    assert distance(*flows) < 1e-7
    for mine, other in zip(*(flow.final_parameters for flow in flows), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-6, atol=1e-6 * np.abs(other).max())
    np.testing.assert_allclose(flows[0].log_times[-1], flows[1].log_times[-1], rtol=1e-8)
    np.testing.assert_allclose(flows[0].log_losses[-1], flows[1].log_losses[-1], rtol=1e-9)
    assert flows[0].drift < 1e-8
    assert flows[1].drift == 0.0


def test_real_coordinates_of_an_even_convolution():
    rng = np.random.default_rng(2)
    data = rng.normal(size=(2, 6))
    problem = Classification(data + np.roll(data[:, ::-1], 1, axis=1), [1.0, -1.0])
    network = ConvolutionalNetwork(6, (6, 6, 6))
    filters = rng.normal(size=6)
    init = Initialization.last_layer_zero(network, filters + np.roll(filters[::-1], 1), 0.3)
    parameters = gradient_flow(network, problem, init, route="parameters", until_margin=1e5)
    dual = gradient_flow(network, problem, init, route="dual", until_margin=1e5)
    assert distance(parameters, dual) < 1e-8
    assert relative(dual.final_parameters[2], parameters.final_parameters[2]) < 1e-7


def test_more_points_than_features():
    rng = np.random.default_rng(5)
    data = rng.normal(size=(12, 3))
    problem = Classification(data, np.sign(data @ [1.0, 2.0, -1.0]))
    network = DiagonalNetwork(3, 2)
    init = Initialization.random(network, 0.5, seed=2)
    flows = [
        gradient_flow(network, problem, init, route=route, until_margin=1e4)
        for route in ("parameters", "dual")
    ]
    assert distance(*flows) < 1e-7


@pytest.mark.parametrize("num_points", [50, 3000])
@pytest.mark.parametrize("route", ["parameters", "dual"])
def test_columns_of_a_flow_fit_together(num_points, route):
    network, init = start(2)
    flow = gradient_flow(
        network, PROBLEM, init, route=route, until_margin=1e5, num_points=num_points
    )
    margins = (LABELS[:, None] * X @ flow.coefficients.T).min(axis=0)
    assert len(flow.times) <= num_points
    np.testing.assert_allclose(flow.margins, margins, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(flow.margins[-1], 1e5, rtol=1e-12)
    positive = flow.margins > 0
    np.testing.assert_allclose(np.exp(flow.log_margins[positive]), flow.margins[positive])
    smallest = (LABELS[:, None] * X @ flow.directions.T).min(axis=0)
    np.testing.assert_allclose(smallest[positive], 1.0, rtol=1e-10)
    assert np.isfinite(flow.directions).all()
    assert np.all(np.diff(flow.log_times) > 0)
    assert np.all(np.diff(flow.log_losses) < 0)
    assert flow.log_times[0] == -np.inf
    assert "log margin" in str(flow)


def test_time_and_callback_stop_the_flow():
    network, init = start(3)
    seen = []
    for route in ("parameters", "dual"):
        flow = gradient_flow(network, PROBLEM, init, route=route, max_time=1e4)
        assert flow.outcome is Outcome.TIME_REACHED
        np.testing.assert_allclose(flow.times[-1], 1e4, rtol=1e-6)
        reference = gradient_flow(network, PROBLEM, init, until_margin=flow.margins[-1])
        np.testing.assert_allclose(reference.log_times[-1], np.log(1e4), atol=1e-3)
        flow = gradient_flow(
            network, PROBLEM, init, route=route, callback=lambda s: seen.append(s) or s.margin > 3
        )
        assert flow.outcome is Outcome.STOPPED_BY_CALLBACK
        assert seen[-1].margin > 3 >= seen[-2].margin
        np.testing.assert_allclose(seen[-1].log_margin, np.log(seen[-1].margin))
    flow = gradient_flow(network, PROBLEM, init, max_steps=5)
    assert flow.outcome is Outcome.STEP_LIMIT


def test_the_parameter_route_says_where_float64_ends():
    network, init = start(2)
    flow = gradient_flow(network, PROBLEM, init, route="parameters", until_margin=1e14)
    assert flow.outcome is Outcome.PRECISION_REACHED
    assert 1e10 < flow.margins[-1] < 1e13


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("route", ["parameters", "dual"])
def test_a_locked_start_that_cannot_separate_comes_to_rest(depth, route):
    network = DiagonalNetwork(1, depth)
    flow = gradient_flow(
        network, Classification([[1.0]], [-1]), Initialization([[1.0]] * depth, 1.0), route=route
    )
    assert flow.outcome is Outcome.STATIONARY
    assert abs(flow.log_losses[-1]) < 1e-7


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("route", ["parameters", "dual"])
def test_a_dead_start_never_moves(depth, route):
    network = DiagonalNetwork(2, depth)
    init = Initialization([[0.0, 0.0]] * 2 + [[1.0, 1.0]] * (depth - 2), 1.0)
    flow = gradient_flow(network, Classification([[1.0, 0.5]], [1]), init, route=route)
    assert flow.outcome is Outcome.STATIONARY


def test_a_deep_saddle_is_left_by_both_routes():
    """The third point is fitted only after a time 1e12 times as long as the others."""
    data = np.array([[1, 2, 0], [0, 1, 1.0], [1, 0, -0.3]])
    problem, network = Classification(data, [1, 1, 1]), DiagonalNetwork(3, 3)
    init = Initialization.random(network, 1e-12, seed=1)
    flows = [
        gradient_flow(network, problem, init, route=route, until_margin=1e3)
        for route in ("parameters", "dual")
    ]
    assert distance(*flows) < 1e-8
    np.testing.assert_allclose(flows[0].log_times[-1], flows[1].log_times[-1], atol=1e-3)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_a_start_as_large_as_float64(depth):
    network = DiagonalNetwork(6, depth)
    init = Initialization.last_layer_zero(network, np.ones(6), log_scale=60.0)
    flow = gradient_flow(network, PROBLEM, init, until_margin=1e4)
    assert flow.outcome is Outcome.MARGIN_REACHED
    assert np.isfinite(flow.final_direction).all()


def test_plateaus_of_any_length_are_crossed():
    """Two coordinates leave the origin, one after the other, at times like exp(-2 log_scale).

    The second time is that of the first, times a number that does not depend on the scale.
    """
    network = DiagonalNetwork(6, 4)
    ends, directions = [], []
    for log_scale in (-30.0, -690.0):
        path = []
        init = Initialization.last_layer_zero(network, np.ones(6), log_scale=log_scale)
        flow = gradient_flow(
            network,
            PROBLEM,
            init,
            until_margin=10.0,
            callback=lambda s, path=path: path.append((s.log_loss, s.log_time)),
        )
        assert flow.outcome is Outcome.MARGIN_REACHED
        losses, times = np.transpose(path)
        first, second = (times[np.argmax(losses < level)] for level in (1.0, 0.3))
        ends.append([first + 2.0 * log_scale, second - first])
        directions.append(flow.final_direction)
    np.testing.assert_allclose(ends[0], ends[1], atol=1e-5)
    np.testing.assert_allclose(directions[0], directions[1], atol=1e-8)


def test_a_scale_beyond_float64_is_refused():
    network = DiagonalNetwork(6, 2)
    init = Initialization.last_layer_zero(network, np.ones(6), log_scale=2000.0)
    with pytest.raises(InvalidInputError, match="linear model"):
        gradient_flow(network, PROBLEM, init)


def test_labels_and_margins_of_any_kind():
    network = DiagonalNetwork(2, 2)
    init = Initialization.last_layer_zero(network, [1.0, 1.0], 0.5)
    data = [[1.0, 0.2], [-1.0, 0.3]]
    named = gradient_flow(network, Classification(data, ["b", "a"]), init, until_margin=10)
    signed = gradient_flow(
        network, Classification(data, [1, -1]), init, until_log_margin=np.log(10)
    )
    np.testing.assert_array_equal(named.final_direction, signed.final_direction)
    alike = gradient_flow(network, Classification([[1.0, 0.2], [1.0, 0.3]], [-1, -1]), init)
    assert (alike.final_direction < 0).all()


def test_refusals():
    network, init = start(2)
    contradiction = Classification([[1.0] * 6, [1.0] * 6], [1, -1])
    with pytest.raises(InfeasibleProblemError):
        gradient_flow(network, contradiction, init)
    convolution = ConvolutionalNetwork(6, (6, 6))
    complex_start = Initialization.random(convolution, 1.0, seed=0)
    with pytest.raises(InvalidInputError, match="share a phase"):
        gradient_flow(convolution, PROBLEM, complex_start, route="dual")
    for bad in ({"loss": "hinge"}, {"until_margin": -1}, {"until_margin": 10**400}):
        with pytest.raises(InvalidInputError, match=next(iter(bad))):
            gradient_flow(network, PROBLEM, init, **bad)
    for bad in (np.inf, True, "1", [1.0], 10**400):
        with pytest.raises(InvalidInputError, match=r"until_log_margin is .*; expected a finite"):
            gradient_flow(network, PROBLEM, init, until_log_margin=bad)


def test_the_margin_may_be_there_at_the_start():
    network = FullyConnectedNetwork((6, 3))
    init = Initialization.random(network, 1.0, seed=1)
    trained = gradient_flow(network, PROBLEM, init, until_margin=100.0)
    again = gradient_flow(
        network, PROBLEM, Initialization(trained.final_parameters, 1.0), until_margin=50.0
    )
    assert (again.outcome, again.num_steps) == (Outcome.MARGIN_REACHED, 0)
