"""Flows that seem to end, or never do: underflow, near-duplicates, large columns, saddles."""

import numpy as np
import pytest

from implicitbias._errors import InvalidInputError, Outcome
from implicitbias.flow import _stability, gradient_flow
from implicitbias.flow._budget import PATIENCE, Budget, End
from implicitbias.flow._stability import APART, ErrorGrowth, Way, largest_eigenvalue, reproduced
from implicitbias.flow.regression._dual import DualFlow
from implicitbias.initialization import Initialization
from implicitbias.networks import ConvolutionalNetwork, DiagonalNetwork, TensorNetwork
from implicitbias.problems import Classification, Regression

ONE = Regression([[1.0]], [1.0])
OPPOSITE = Classification([[1.0, -2.0, 0.5, 1.0], [0.3, 1.0, -1.0, 2.0]], [1, -1])


@pytest.mark.parametrize("last", [0.0, 1.0])
@pytest.mark.parametrize("scale", [1e-100, 1e-200, 1e-300])
def test_two_layers_whose_product_underflows_are_followed(scale, last):
    start = Initialization([[1.0], [last]], scale=scale)
    flow = gradient_flow(DiagonalNetwork(1, 2), ONE, start)
    assert flow.outcome is Outcome.RESIDUAL_REACHED and flow.route == "dual"
    assert flow.final_coefficients == pytest.approx([1.0])
    # exp(s) = 1 / scale where last = 1, sinh(2 s) = 2 / scale^2 where it is 0, and s = t till then
    full = -np.log(scale) + (0.0 if last else np.log(2.0))
    around = gradient_flow(DiagonalNetwork(1, 2), ONE, start, times=[full - 2.0, full + 2.0])
    assert around.coefficients[1, 0] < 0.1 and around.coefficients[2, 0] > 0.9


@pytest.mark.parametrize("depth", [3, 4])
def test_deep_layers_that_underflow_never_rest(depth):
    start = Initialization(list(np.ones((depth, 1))), scale=1e-120)
    for route in ("dual", "parameters"):
        flow = gradient_flow(DiagonalNetwork(1, depth), ONE, start, route=route, max_steps=50)
        assert flow.outcome in (Outcome.STEP_LIMIT, Outcome.PRECISION_REACHED)


def test_the_dual_flow_takes_the_logarithm():
    network, problem = DiagonalNetwork(4, 2), Regression([[1.0, 2.0, -1.0, -2.0]], [1.0])
    start = Initialization.last_layer_zero(network, np.ones(4), log_scale=-1000.0)
    for route in ("auto", "dual"):
        flow = gradient_flow(network, problem, start, route=route)
        assert flow.outcome is Outcome.RESIDUAL_REACHED
        np.testing.assert_allclose(flow.final_coefficients, [0.0, 0.25, 0.0, -0.25], atol=1e-9)
    with pytest.raises(InvalidInputError, match=r"route='dual'.*larger scale"):
        gradient_flow(network, problem, start, route="parameters")


@pytest.mark.parametrize("size", [1e6, 1e10, 1e12])
def test_a_column_that_is_much_larger(size):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((8, 20)), rng.standard_normal(8)
    X[:, 0] *= size
    network = DiagonalNetwork(20, 2)
    start = Initialization.last_layer_zero(network, np.ones(20), 0.1)
    flow = gradient_flow(network, Regression(X, y), start)
    assert flow.outcome is Outcome.RESIDUAL_REACHED and flow.route == "dual"
    assert flow.num_evaluations < 3000
    # the column takes its part for nothing: the others see the rest of the rows' space
    unit = X[:, 0] / size
    projected, target = X[:, 1:] - np.outer(unit, unit @ X[:, 1:]) / (unit @ unit), None
    target = y - unit * (unit @ y) / (unit @ unit)
    others = gradient_flow(
        DiagonalNetwork(19, 2),
        Regression(projected, target),
        Initialization.last_layer_zero(DiagonalNetwork(19, 2), np.ones(19), 0.1),
    )
    np.testing.assert_allclose(flow.final_coefficients[1:], others.final_coefficients, atol=1e-6)


@pytest.mark.parametrize("gap", [1e-6, 1e-9, 1e-11])
def test_rows_close_together_are_no_rest(gap):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((3, 6)), np.array([1.0, -1.0, 0.5])
    X[1] = X[0] + gap * rng.standard_normal(6)
    for route in ("dual", "parameters"):
        network = DiagonalNetwork(6, 2)
        start = Initialization.last_layer_zero(network, np.ones(6), 0.1)
        flow = gradient_flow(network, Regression(X, y), start, route=route, max_steps=120)
        assert flow.outcome is not Outcome.STATIONARY


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("gap", [1e-6, 1e-8, 1e-10])
def test_near_duplicates_of_opposite_label_are_no_rest(gap, depth):
    problem = Classification([[1.0, 1.0], [1.0 + gap, 1.0 - gap]], [1, -1])
    network = DiagonalNetwork(2, depth)
    start = Initialization.last_layer_zero(network, np.ones(2), scale=0.1)
    flow = gradient_flow(network, problem, start, route="dual", max_steps=30)
    assert flow.outcome in (Outcome.STEP_LIMIT, Outcome.MARGIN_REACHED)
    assert np.isfinite(flow.final_direction).all() and not np.isnan(flow.log_times).any()
    if gap == 1e-6 and depth == 2:
        np.testing.assert_allclose(flow.final_direction, [-1e6, 1e6], rtol=1e-6)


def test_a_coordinate_locked_on_the_wrong_side_still_rests():
    network = DiagonalNetwork(2, 2)
    start = Initialization([[1.0, 1.0], [1.0, 1.0]], scale=1e-200)
    flow = gradient_flow(network, Regression([[1.0, 1.0]], [-1.0]), start, route="dual")
    assert flow.outcome is Outcome.STATIONARY
    start = Initialization([[1.0, 1.0], [1.0, 1.0]], scale=0.1)
    margins = gradient_flow(network, Classification([[1.0, 1.0]], [-1]), start, route="dual")
    assert margins.outcome is Outcome.STATIONARY


@pytest.mark.parametrize("route", ["dual", "parameters"])
@pytest.mark.parametrize("time", [1e-6, 1e-15, 1e-18, 1e-30, 1e-200])
def test_max_time_is_met_exactly(route, time):
    network = DiagonalNetwork(4, 3)
    start = Initialization.random(network, 0.3, seed=1)
    for problem in (OPPOSITE, Regression(OPPOSITE.X, [1.0, 2.0])):
        flow = gradient_flow(network, problem, start, route=route, max_time=time)
        assert flow.outcome is Outcome.TIME_REACHED
        assert flow.times[-1] == time and np.all(flow.times <= time)


@pytest.mark.parametrize("route", ["dual", "parameters"])
def test_the_margin_to_reach_may_be_tiny(route):
    network = DiagonalNetwork(4, 3)
    start = Initialization.random(network, 0.3, seed=1)
    for target in (-1e9, -30.0):
        flow = gradient_flow(network, OPPOSITE, start, route=route, until_log_margin=target)
        assert flow.outcome is Outcome.MARGIN_REACHED
        assert flow.log_margins[-1] >= target and 0.0 < flow.margins[-1] < 1e-12


def test_a_bound_on_the_work_where_no_steps_are_given(monkeypatch):
    monkeypatch.setattr(DualFlow, "most_evaluations", 20)
    network = DiagonalNetwork(4, 3)
    start = Initialization.random(network, 0.3, seed=1)
    flow = gradient_flow(network, Regression(OPPOSITE.X, [1.0, 2.0]), start, route="dual")
    assert flow.outcome is Outcome.STEP_LIMIT and "evaluations" in flow.message
    free = gradient_flow(
        network, Regression(OPPOSITE.X, [1.0, 2.0]), start, route="dual", max_steps=10_000
    )
    assert free.outcome is Outcome.RESIDUAL_REACHED


def test_a_flow_that_moves_is_waited_for():
    budget = Budget(None, None, 10)
    assert budget.spent(1, 100, 100) is not None and budget.spent(1, 99, 100) is None
    assert budget.spent(1, 100 * PATIENCE - 1, 100, moving=True) is None
    assert "100 evaluations" in (budget.spent(1, 100, 25, moving=True) or "")
    assert Budget(None, 5, 10).spent(4, 10**9, 100) is None


def test_the_sign_of_a_determinant_that_rounding_flips_is_told():
    """w_11 w_22 > w_12 w_21 for ever: w_11 grows without bound (Razin and Cohen's completion)."""
    shape = (2, 2)
    network = TensorNetwork.from_einsum("ab,bc,acx->", shape, shape, np.eye(4).reshape(2, 2, 4))
    X = np.eye(4)[1:]
    start = Initialization([np.eye(2).ravel()] * 2, scale=0.1**0.5)
    flow = gradient_flow(network, Regression(X, [1.0, 1.0, 0.0]), start)
    assert flow.outcome is Outcome.UNSTABLE and not flow.outcome.converged
    assert "determinant" in flow.message


def test_a_locked_coordinate_that_rounding_unlocks_is_told():
    """p_2 = -p_4 keeps the product's sign: loss 18 for ever; rounding leads to beta_1 = 3."""
    layers = [[-2.0, 1.0], [1.0, 1.0], [-2.0, -1.0], [-1.0, -2.0]]
    network, problem = DiagonalNetwork(2, 4), Regression([[-2.0, 2.0]], [-6.0])
    start = Initialization(layers, scale=0.06)
    assert gradient_flow(network, problem, start, route="dual").outcome is Outcome.STATIONARY
    flow = gradient_flow(network, problem, start, route="parameters")
    assert flow.outcome is Outcome.UNSTABLE


THERE = End(Outcome.RESIDUAL_REACHED, "there.")


def _way(first, late=0.0, end=THERE, beta=1.0):
    """A plateau of length 10 after one of 1e3, seen as the second of two ways, or as the first."""
    times = np.array([1.0, 900.0, 1000.0, 1001.0, 1009.0, 1011.0, 1012.0])
    if first is not None:
        windows = first.windows()
        times = np.sort(np.exp(np.hstack([first.log_times - windows, first.log_times + windows])))
    losses = -10.0 * np.clip(times - 1e3, 0.0, 1.0) - 50.0 * (times >= 1010.0 + late)
    return Way(end, np.full(2, beta), np.log(times), 0.1 * losses)


def test_ways_that_differ_by_their_times_alone():
    first = _way(None)
    given_up = End(Outcome.STEP_LIMIT, "used up.")
    for same in (
        _way(first),
        _way(first, late=1e-3),
        _way(first, beta=1.0 + 0.5 * APART),
        _way(first, 3.0, given_up, 2.0),
    ):
        assert reproduced(first, same, 30.0) is THERE
    for other in (
        _way(first, late=1.5),
        _way(first, late=-1.5),
        _way(first, beta=1.0 + 2.0 * APART),
        _way(first, end=End(Outcome.STATIONARY, "at rest.")),
    ):
        assert reproduced(first, other, 30.0).outcome is Outcome.UNSTABLE


def test_a_long_way_from_a_small_start_is_no_doubt():
    """The time is 1e20 and hardly known: the end is that of the singular vectors."""
    rng = np.random.default_rng(1)
    network = TensorNetwork(rng.standard_normal((3, 3, 3, 5)))
    problem = Regression(rng.standard_normal((3, 5)), rng.standard_normal(3))
    ends = [
        gradient_flow(network, problem, Initialization.random(network, scale, seed=1))
        for scale in (1e-12, 1e-20)
    ]
    assert all(end.outcome is Outcome.RESIDUAL_REACHED for end in ends)
    beta = ends[0].final_coefficients
    np.testing.assert_allclose(ends[1].final_coefficients, beta, atol=1e-6 * np.abs(beta).max())


@pytest.mark.parametrize("rows", [2, 3])
def test_a_determinant_that_rounding_flips_is_told_in_classification_too(rows):
    """W stays symmetric and positive: w_22 is never negative, though a margin asks for it."""
    shape = (2, 2)
    network = TensorNetwork.from_einsum("ab,bc,acx->", shape, shape, np.eye(4).reshape(2, 2, 4))
    X = np.array([[0.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, -1.0]])[:rows]
    start = Initialization([np.eye(2).ravel()] * 2, scale=0.1**0.5)
    flow = gradient_flow(network, Classification(X, [-1, 1, 1][:rows]), start)
    expected = Outcome.MARGIN_REACHED if rows == 2 else Outcome.UNSTABLE
    assert flow.outcome is expected


@pytest.mark.parametrize("scale", [1e91, 1e140])
def test_scales_whose_margins_overflow_are_refused(scale):
    network = ConvolutionalNetwork(4, (4,) * 4)
    start = Initialization.random(network, scale, seed=1)
    with pytest.raises(InvalidInputError, match="smaller scale"):
        gradient_flow(network, OPPOSITE, start)


def test_layers_too_small_for_tolerances_are_refused():
    network = ConvolutionalNetwork(4, (4,) * 2)
    start = Initialization.random(network, 1e-300, seed=1)
    with pytest.raises(InvalidInputError, match="larger scale"):
        gradient_flow(network, OPPOSITE, start, route="parameters")


@pytest.mark.parametrize("size", [30, 200])
def test_rates_below_what_counts_are_zero_without_an_eigenvalue(size, monkeypatch):
    rng = np.random.default_rng(size)
    basis = np.linalg.qr(rng.standard_normal((size, size)))[0]
    values = -np.geomspace(1e-3, 1e6, size)
    values[0] = 0.02
    matrix, along = (basis * values) @ basis.T, basis[:, -1]
    assert largest_eigenvalue(matrix, along, 0.0199) == pytest.approx(0.02, rel=0.05)
    monkeypatch.delattr(_stability, "eigsh")
    monkeypatch.delattr(np.linalg, "eigvalsh")
    assert largest_eigenvalue(matrix, along, 0.0201) == 0.0
    values[0] = -1.0
    assert largest_eigenvalue((basis * values) @ basis.T, along) == 0.0


class Falling:
    """Errors grow at the rate 20 up to t = 1, and no more soon after: exp(20.2) in all."""

    start, time = np.ones(1), 0.0

    def instability(self, state, least):
        rate = 20.0 * float(np.exp(-max(0.0, self.time - 1.0) / 1e-2))
        return rate if rate >= least else 0.0


def test_a_rate_that_falls_at_once_is_not_taken_for_a_long_one():
    """Steps are short where the rate is high, and long after it."""
    system = Falling()
    growth = ErrorGrowth(system)
    for time in (*np.arange(0.1, 1.05, 0.05), *np.arange(1.01, 1.06, 0.01), 1.4, 3.0, 10.0):
        system.time = float(time)
        growth.note(system.start, system.time)
    assert growth.exponent == pytest.approx(20.2, abs=0.5)
