"""The dual flows of classification: their derivatives, stacks of states, two integrators."""

import numpy as np
import pytest

from helpers.draws import normal
from helpers.flows import asked
from implicitbias import Outcome, datasets, gradient_flow
from implicitbias._setting import setting_of
from implicitbias.flow.classification._dual import MultiplierFlow
from implicitbias.flow.classification._dual_in_t import RADAU, SlackFlow
from implicitbias.flow.classification._log_curves import Coordinates
from implicitbias.flow.classification._loss import MarginLoss
from implicitbias.flow.classification._run import margin_flow
from implicitbias.initialization import Initialization
from implicitbias.networks import DiagonalNetwork
from implicitbias.problems import Classification

POINTS = Classification(*normal(0, (4, 9)), [1.0, -1.0, 1.0, 1.0])
CASES = [(MultiplierFlow, 2), (SlackFlow, 2), (SlackFlow, 3), (SlackFlow, 5)]


def system(kind, depth, *, loss="exponential", log_scale=-0.5, tol=None, problem=POINTS):
    network = DiagonalNetwork(problem.num_features, depth)
    directions = Initialization.random(network, 1.0, seed=3).directions
    init = Initialization(directions, log_scale=log_scale)
    decoupled = setting_of(network, problem, init).decoupled(problem.X)
    return kind(Coordinates(network, problem, init, decoupled), MarginLoss(loss), tol)


def states(flow, count=5):
    return flow.units * np.random.default_rng(1).normal(size=(count, flow.start.size))


@pytest.mark.parametrize("loss", ["exponential", "logistic"])
@pytest.mark.parametrize(("kind", "depth"), CASES)
def test_jacobian_is_the_derivative_of_the_velocity(kind, depth, loss):
    flow = system(kind, depth, loss=loss)
    for state in states(flow):
        steps = 1e-5 * np.diag(flow.units)
        columns = [
            (flow.velocity(state + h) - flow.velocity(state - h)) / h.sum() / 2 for h in steps
        ]
        expected = np.stack(columns, axis=1)
        np.testing.assert_allclose(
            flow.jacobian(state), expected, atol=1e-7 * np.abs(expected).max()
        )


@pytest.mark.parametrize("loss", ["exponential", "logistic"])
@pytest.mark.parametrize("depth", [2, 3, 5])
def test_what_is_not_stiff_is_small(depth, loss):
    """And nothing for two layers, whose rates do not change."""
    flow = system(SlackFlow, depth, loss=loss)
    for state in states(flow):
        left, right = flow.factors(state[None], flow.log_weights(state[None]))
        rest = flow.jacobian(state) + left[0].T @ right[0]
        assert np.linalg.norm(rest, 2) <= 2.0 * (depth - 2) + 1e-12


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_factors_are_derivatives_by_weights_and_of_weights(depth):
    flow = system(SlackFlow, depth)
    state = states(flow)[0][None]
    logs = flow.log_weights(state)
    left, right = flow.factors(state, logs)
    for point, step in enumerate(1e-6 * np.eye(logs.size)):
        moved = flow.driven(state, logs + step) - flow.driven(state, logs - step)
        np.testing.assert_allclose(moved[0] / 2e-6, left[0, point], atol=1e-8)
    for coordinate, step in enumerate(1e-6 * np.eye(state.size)):
        moved = flow.log_weights(state + step) - flow.log_weights(state - step)
        moved -= np.exp(logs) @ moved[0]
        np.testing.assert_allclose(-moved[0] / 2e-6, right[0, :, coordinate], atol=1e-8)


@pytest.mark.parametrize(("kind", "depth"), CASES)
@pytest.mark.parametrize("log_scale", [-0.5, -300.0])
def test_a_stack_is_its_rows(kind, depth, log_scale):
    """At exp(-300) some of the rows are treated one by one, for their speeds lie far apart."""
    flow = system(kind, depth, log_scale=log_scale)
    stack = np.concatenate([states(flow), 300.0 * states(flow)])
    points = flow.looks(stack)
    for state, velocity, point in zip(stack, flow.velocities(stack), points, strict=True):
        np.testing.assert_allclose(velocity, flow.velocity(state), rtol=1e-12, atol=1e-14)
        single = flow.look(state)
        np.testing.assert_allclose(point.margins, single.margins, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(point.log_speed, single.log_speed, rtol=1e-12)


@pytest.mark.parametrize(
    ("depth", "log_scale"), [(2, -0.5), (2, -20.0), (3, -0.5), (3, -20.0), (5, -0.5)]
)
def test_both_integrators_go_the_same_way(depth, log_scale):
    ends = []
    for method in (RADAU, "LSODA"):
        flow = system(SlackFlow, depth, log_scale=log_scale)
        flow.method = method
        ends.append(margin_flow(flow, asked(1e4, 20_000, 100)))
    assert [end.outcome for end in ends] == [Outcome.MARGIN_REACHED] * 2
    assert ends[0].num_steps < 0.3 * ends[1].num_steps
    directions = [end.directions[-1] for end in ends]
    np.testing.assert_allclose(*directions, atol=1e-8 * np.abs(directions[0]).max())
    np.testing.assert_allclose(ends[0].log_times[-1], ends[1].log_times[-1], rtol=1e-7)


def test_finer_tolerances_bring_the_flow_closer():
    ends = [
        margin_flow(system(SlackFlow, 3, tol=tol), asked(5.0, 1000, 10))
        for tol in (1e-6, 1e-9, 1e-13)
    ]
    off = [np.abs(end.directions[-1] - ends[-1].directions[-1]).max() for end in ends]
    late = [abs(end.log_times[-1] - ends[-1].log_times[-1]) for end in ends]
    assert off[1] < 1e-9
    assert 10.0 * off[1] < off[0] < 1e-5
    assert late[1] < 1e-6


def test_saddle_after_saddle_is_left_on_the_right_side():
    """LSODA, at the same tolerance, ends 0.4 away."""
    ends = [
        margin_flow(system(SlackFlow, 6, log_scale=-20.0, tol=tol), asked(5.0, 1000, 9))
        for tol in (None, 1e-12)
    ]
    np.testing.assert_allclose(*(end.directions[-1] for end in ends), atol=1e-8)
    np.testing.assert_allclose(*(end.log_times[-1] for end in ends), atol=1e-5)


@pytest.mark.parametrize("depth", [2, 3])
def test_points_that_nearly_contradict_each_other(depth):
    """Their weights differ by parts of a percent, and margins are small differences of terms."""
    rng = np.random.default_rng(8)
    point = rng.normal(size=9)
    data = np.stack([point, point * (1.0 + 1e-3 * rng.normal(size=9))])
    problem = Classification(data, [1.0, -1.0])
    flows = []
    for method, until in ((RADAU, 1e6), (RADAU, 1e2), ("LSODA", 1e2)):
        flow = system(SlackFlow, depth, problem=problem)
        flow.method = method
        flows.append(margin_flow(flow, asked(until, 20_000, 9)))
    assert flows[0].outcome is Outcome.MARGIN_REACHED
    assert flows[0].num_steps < 150
    directions = [flow.directions[-1] / np.abs(flow.directions[-1]).max() for flow in flows[1:]]
    np.testing.assert_allclose(*directions, atol=1e-7)


def test_many_ill_conditioned_points():
    problem = datasets.breast_cancer()
    init = Initialization.last_layer_zero(DiagonalNetwork(31, 3), np.ones(31), 0.1)
    flow = gradient_flow(DiagonalNetwork(31, 3), problem, init, until_margin=1e5)
    assert flow.outcome is Outcome.MARGIN_REACHED
    assert flow.num_steps < 600
    support = np.sort(problem.y * (problem.X @ flow.final_direction))[:29]
    np.testing.assert_allclose(support, 1.0, atol=1e-3)
