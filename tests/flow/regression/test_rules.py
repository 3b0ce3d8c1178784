"""Every way in which a regression's flow ends, and what it promises then."""

import numpy as np
import pytest

from helpers.flows import diagonal, distance
from implicitbias import Initialization
from implicitbias._errors import InvalidInputError, Outcome
from implicitbias.flow import gradient_flow
from implicitbias.flow._budget import Goal
from implicitbias.flow._rest import newton_change, rest_of
from implicitbias.flow.regression._rules import RegressionRules
from implicitbias.flow.regression._system import Reading
from implicitbias.networks import DiagonalNetwork, FullyConnectedNetwork
from implicitbias.problems import Regression

ROUTES = ("parameters", "dual")
CASE = diagonal(3, 0.2)


def flow_of(case=CASE, **options):
    return gradient_flow(case.network, case.problem, case.init, **options)


@pytest.mark.parametrize("route", ROUTES)
def test_max_time_is_met_exactly(route):
    flow = flow_of(route=route, max_time=0.75)
    assert flow.outcome is Outcome.TIME_REACHED
    assert flow.times[-1] == pytest.approx(0.75, rel=1e-14)
    assert "0.75" in flow.message


@pytest.mark.parametrize("route", ROUTES)
def test_callback_sees_every_step_and_stops(route):
    seen = []
    flow = flow_of(route=route, callback=lambda state: seen.append(state) or state.residual < 0.1)
    assert flow.outcome is Outcome.STOPPED_BY_CALLBACK
    assert [state.num_steps for state in seen] == list(range(1, flow.num_steps + 1))
    assert seen[-2].residual >= 0.1 > seen[-1].residual == flow.residual
    assert seen[-1].time == pytest.approx(flow.times[-1], rel=1e-14)
    assert seen[-1].log_time == pytest.approx(flow.log_times[-1], abs=1e-12)


@pytest.mark.parametrize("route", ROUTES)
def test_step_limit(route):
    flow = flow_of(route=route, max_steps=5)
    assert (flow.outcome, flow.num_steps) == (Outcome.STEP_LIMIT, 5)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("X", [np.zeros((2, 3)), np.eye(3)[:2]])
def test_a_solved_start_ends_at_once(route, X):
    flow = gradient_flow(
        DiagonalNetwork(3, 2),
        Regression(X, np.zeros(2)),
        Initialization([np.ones(3), np.zeros(3)], 1.0),
        route=route,
    )
    assert flow.outcome is Outcome.RESIDUAL_REACHED
    assert (flow.residual, flow.remaining_change, flow.num_steps) == (0.0, 0.0, 0)
    np.testing.assert_array_equal(flow.coefficients, np.zeros((1, 3)))


@pytest.mark.parametrize("route", ROUTES)
def test_zero_targets_from_a_start_that_is_not_zero(route):
    init = Initialization([np.ones(3), [1.0, -0.5, 0.2]], 1.0)
    problem = Regression([[1.0, 2.0, 0.5]], [0.0])
    flow = gradient_flow(DiagonalNetwork(3, 2), problem, init, route=route)
    assert flow.outcome is Outcome.RESIDUAL_REACHED
    assert abs(problem.X @ flow.final_coefficients) <= 1e-9


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("depth", [2, 3])
def test_a_start_of_zeros_never_moves(route, depth):
    network = DiagonalNetwork(2, depth)
    flow = gradient_flow(
        network, Regression([[1.0, 2.0]], [1.0]), Initialization([np.zeros(2)] * depth, 1.0),
        route=route,
    )  # fmt: skip
    assert (flow.outcome, flow.num_steps) == (Outcome.STATIONARY, 0)


@pytest.mark.parametrize("route", ROUTES)
def test_locked_coordinates_rest_at_a_positive_loss(route):
    """rho >= 0 for p(0) = (1, 1): the nearest to y = (2, -1) is (2, 0)."""
    init = Initialization([np.ones(2), np.ones(2)], 1.0)
    problem = Regression([[1.0, 0.0], [0.0, 1.0]], [2.0, -1.0])
    flow = gradient_flow(DiagonalNetwork(2, 2), problem, init, route=route)
    assert flow.outcome is Outcome.STATIONARY
    np.testing.assert_allclose(flow.final_coefficients, [2.0, 0.0], atol=1e-8)
    assert flow.residual == pytest.approx(1 / np.sqrt(5))
    assert flow.remaining_change <= 1e-7


def test_rounding_that_decides_at_a_saddle_is_told():
    """Balanced W_1 = -w_2 x^T y ... runs into the saddle at zero, exactly in theory only."""
    direction = np.array([0.6, -0.8])
    network = FullyConnectedNetwork((2, 2))
    start = Initialization([np.outer([0.3, 0.9], direction), np.hypot(0.3, 0.9) * direction], 1.0)
    flow = gradient_flow(network, Regression([[1.0, 3.0]], [-4.0]), start)
    assert flow.outcome is Outcome.UNSTABLE
    assert "rounding decided" in flow.message
    # By a drift, or by a second flow of smaller steps: which one rounding decides as well.
    assert any(word in flow.message for word in ("have drifted", "Run again with smaller steps"))


@pytest.mark.parametrize("route", ROUTES)
def test_residual_below_the_rounding_of_large_coefficients(route):
    rng = np.random.default_rng(0)
    problem = Regression(rng.standard_normal((2, 5)), [1.0, -1.0])
    init = Initialization(list(rng.standard_normal((4, 5))), 1e3)
    flow = gradient_flow(DiagonalNetwork(5, 4), problem, init, route=route)
    assert flow.outcome is Outcome.PRECISION_REACHED
    assert 1e-10 < flow.residual < 1e-2
    assert flow.remaining_change < 1e-12


@pytest.mark.parametrize("route", ROUTES)
def test_ill_conditioned_data_are_followed_until_the_coefficients_stand(route):
    rng = np.random.default_rng(5)
    left, right = (
        np.linalg.qr(rng.standard_normal((3, 3)))[0],
        np.linalg.qr(rng.standard_normal((8, 3)))[0],
    )
    X = left @ np.diag([1.0, 1e-2, 1e-4]) @ right.T
    problem = Regression(X, X @ rng.standard_normal(8))
    init = Initialization.last_layer_zero(DiagonalNetwork(8, 2), np.ones(8), 30.0)
    lazy = X.T @ np.linalg.solve(X @ X.T, problem.y)
    reach = {}
    for until_change in (1e-9, 1.0):
        flow = gradient_flow(
            DiagonalNetwork(8, 2), problem, init, route=route,
            until_residual=1e-3, until_change=until_change,
        )  # fmt: skip
        assert flow.outcome is Outcome.RESIDUAL_REACHED
        reach[until_change] = flow
    final = reach[1e-9].final_coefficients
    assert distance(final, lazy) < 1e-2
    early = distance(reach[1.0].final_coefficients, final)
    assert early > 1e-3
    assert reach[1.0].remaining_change == pytest.approx(early, rel=0.1)


def test_parameters_whose_products_underflow_are_told_apart_from_rest():
    network = DiagonalNetwork(2, 3)
    init = Initialization([np.ones(2), np.ones(2), np.zeros(2)], 1e-200)
    flow = gradient_flow(network, Regression([[1.0, 2.0]], [1.0]), init, route="parameters")
    assert flow.outcome is Outcome.PRECISION_REACHED
    assert "underflow" in flow.message


def test_a_failing_integrator_is_reported(monkeypatch):
    system = "implicitbias.flow.regression._parameters.ParameterFlow.velocities"
    good = ParameterVelocity()
    monkeypatch.setattr(system, good)
    flow = flow_of(route="parameters")
    assert flow.outcome is Outcome.FAILED
    assert "gave up" in flow.message


class ParameterVelocity:
    """Right for a while, then undefined."""

    def __init__(self):
        from implicitbias.flow.regression._parameters import ParameterFlow

        self.velocities, self.calls = ParameterFlow.velocities, 0

    def __get__(self, system, kind):
        def velocities(states):
            self.calls += len(states)
            values = self.velocities(system, states)
            return values if self.calls < 300 else np.full_like(values, np.nan)

        return velocities


class Standing:
    """A system whose residual nothing changes."""

    outputs, stride = "coefficients", 1

    def __init__(self, rounding=1e-9):
        self.level = rounding

    def rounding(self, state):
        return self.level

    def noise(self, state):
        return 100 * self.level

    def size(self, state):
        return 1.0

    def speed(self, state, reading):
        return 1.0

    def coefficients(self, state):
        return state

    def newton_change(self, state, reading):
        return None


def reading_of(residual):
    return Reading(np.array([residual]), residual, 2.0 * np.log(residual))


@pytest.mark.parametrize(
    ("residual", "rounding", "outcome", "steps"),
    [
        (5e-10, 1e-9, Outcome.PRECISION_REACHED, 1),  # below a rounding
        (5e-8, 1e-9, Outcome.PRECISION_REACHED, 211),  # in the noise, without progress
        (5e-6, 1e-9, None, 900),  # above the noise
        (5e-6, 1e-9, Outcome.PRECISION_REACHED, 2011),  # neither time nor loss move
        (5e-11, 1e-12, Outcome.RESIDUAL_REACHED, 202),  # reached, but what is left is unknown
    ],
)
def test_a_residual_that_stands_still(residual, rounding, outcome, steps):
    rules = RegressionRules(Goal(1e-10, 1e-11), np.ones(1))
    ends = [
        rules.check(Standing(rounding), np.ones(1), reading_of(residual), 7.0 + 1e-9 * step)
        for step in range(steps)
    ]
    assert ends[:-1] == [None] * (steps - 1)
    assert (ends[-1] and ends[-1].outcome) is outcome


def test_a_loss_that_rises_or_is_undefined_ends_the_flow_before_it():
    rules = RegressionRules(Goal(1e-10, 1e-11), np.ones(1))
    system, state = Standing(), np.ones(1)
    rules.check(system, state, reading_of(1.0), 0.0)
    before = reading_of(0.9)
    assert rules.lost(system, state, before, reading_of(0.8)) is None
    assert rules.lost(system, state, before, reading_of(1.7)) is None
    assert rules.lost(system, state, reading_of(1e-7), reading_of(1e-5)) is None
    risen = rules.lost(system, state, before, reading_of(2.5))
    assert risen.outcome is Outcome.PRECISION_REACHED
    assert "9.0e-01" in risen.message
    undefined = Reading(np.array([np.nan]), np.nan, np.nan)
    assert "undefined" in rules.lost(system, state, before, undefined).message


def test_rest_is_judged_along_eigenvectors():
    jacobian = np.diag([-1.0, -2.0, 0.5])
    quiet = {"noise": np.full(3, 1e-14), "rounding": 1e-16}
    assert rest_of(np.array([1e-3, 0, 0]), jacobian, 1.0, **quiet) is None
    assert rest_of(np.array([0, 0, 1e-9]), jacobian, 1.0, **quiet) is None
    saddle = rest_of(np.array([1e-9, 0, 1e-16]), jacobian, 1.0, **quiet)
    assert "1 directions" in saddle.how
    assert saddle.wait == pytest.approx(2.0 * (50.0 + np.log(0.5e16)))
    fainter = rest_of(np.array([1e-9, 1e-300, 0.0]), jacobian, 1.0, **quiet)
    assert fainter.wait == pytest.approx(2.0 * (50.0 + np.log(0.5e300)))
    minimum = rest_of(np.array([1e-9, 2e-9]), jacobian[:2, :2], 1.0, noise=np.zeros(2), rounding=0)
    assert (minimum.wait, minimum.remaining) == (0.0, pytest.approx(1e-9))


def test_newton_change_says_nothing_where_the_kernel_is_singular():
    moved = np.array([[1.0, 0.0], [0.0, 0.0]])
    np.testing.assert_allclose(newton_change(moved, np.eye(2), np.array([0.5, 0.0])), [-0.5, 0.0])
    assert newton_change(moved, np.eye(2), np.array([0.0, 0.5])) is None
    assert newton_change(np.full((1, 2), np.inf), np.eye(2), np.ones(1)) is None


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"route": "primal"}, "expected one of 'auto', 'parameters', 'dual'"),
        ({"until_residual": -1.0}, "until_residual is -1"),
        ({"until_change": float("nan")}, "until_change is nan"),
        ({"max_time": 0.0}, "max_time is 0"),
        ({"times": [2.0, 1.0]}, "expected increasing numbers >= 0"),
        ({"times": [-1.0, 1.0]}, "expected increasing numbers >= 0"),
        ({"times": [0.0]}, "the start alone; expected a time > 0"),
        ({"max_steps": 0}, "max_steps is 0"),
        ({"num_points": 1}, "num_points is 1"),
        ({"rtol": 1e-18}, "rtol is 1e-18"),
        ({"callback": 3}, "callback is 3"),
    ],
)
def test_bad_options(options, text):
    with pytest.raises(InvalidInputError, match=text):
        flow_of(**options)
