"""The part of the way that is done: true of runs, whatever ends them."""

import numpy as np
import pytest

import implicitbias as ib
from implicitbias.flow import FlowState, Towards


def state(**changes):
    values = {"time": 1.0, "log_time": 0.0, "log_loss": 0.0, "residual": np.nan, "num_steps": 1}
    return FlowState(**(values | changes))


def test_residuals_count_by_their_logarithm():
    towards = Towards(1e-8)
    assert towards.share(state(residual=1.0)) == 0.0
    assert towards.share(state(residual=1e-2)) == pytest.approx(0.25)
    assert towards.share(state(residual=1e-8)) == 1.0
    assert towards.share(state(residual=10.0)) == 0.0
    assert Towards(0.0).share(state(residual=1e-3)) == 0.0


def test_margins_count_by_their_logarithm():
    towards = Towards(1e-8, np.log(1e6))
    assert towards.share(state(log_margin=-np.inf)) == 0.0
    assert towards.share(state(log_margin=np.log(1e3))) == pytest.approx(0.5)
    assert Towards(1e-8, np.log(0.5)).share(state(log_margin=-3.0)) == 0.0


@pytest.mark.parametrize("changes", [{"residual": 0.5}, {"log_margin": 30.0}])
def test_where_a_loss_ends_it_nothing_but_the_loss_counts(changes):
    towards = Towards(1e-8, np.log(2.0), -8.0)
    assert towards.share(state(log_loss=0.0, **changes)) == 0.0
    assert towards.share(state(log_loss=-6.0, **changes)) == pytest.approx(0.75)
    assert towards.share(state(log_loss=-8.0, **changes)) == 1.0
    assert Towards(1e-8, log_loss=np.log(2.0)).share(state(log_loss=0.0)) == 0.0


def test_the_first_end_counts():
    towards = Towards(1e-8, ends=[("num_steps", 100), ("time", None)])
    assert towards.share(state(residual=1.0, num_steps=30)) == pytest.approx(0.3)
    assert towards.share(state(residual=1e-6, num_steps=30)) == pytest.approx(0.75)


D = 12
NETWORK = ib.DiagonalNetwork(D, 2)
START = ib.Initialization.last_layer_zero(NETWORK, np.ones(D), 0.1)
LINE = ib.datasets.gaussian(5, D, seed=0)
CLASSES = ib.datasets.separable(6, D, 0.5, seed=0)
RANDOM = ib.Initialization.random(NETWORK, 0.3, seed=0)


def flow(problem=LINE, start=START, **options):
    return lambda callback: ib.gradient_flow(NETWORK, problem, start, callback=callback, **options)


def descent(problem=LINE, start=START, **options):
    return lambda callback: ib.gradient_descent(
        NETWORK, problem, start, callback=callback, **options
    )


@pytest.mark.parametrize(
    "run",
    [
        flow(),
        flow(route="parameters"),
        flow(until_loss=1e-3),
        flow(max_time=0.5),
        flow(CLASSES, RANDOM, until_margin=1e3),
        flow(CLASSES, RANDOM, until_log_margin=1e3),
        flow(CLASSES, RANDOM, until_log_loss=-50.0),
        flow(max_steps=30),
        descent(step=0.02),
        descent(step=0.02, max_steps=200),
        descent(CLASSES, RANDOM, step=0.05, until_margin=3.0),
        lambda callback: ib.simulate_limit(NETWORK, LINE, START, callback=callback),
    ],
)
def test_runs_go_from_nothing_to_everything(run):
    seen = []
    run(lambda state: seen.append(state.share))
    assert seen[0] < 0.2
    assert seen[-1] > 0.6  # before the last step, which may be a long one
    assert np.diff(seen).min() > -0.05


def test_what_a_callback_returns_still_stops_a_flow():
    stopped = flow()(lambda state: state.share > 0.5)
    assert stopped.outcome is ib.Outcome.STOPPED_BY_CALLBACK
