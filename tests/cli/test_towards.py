"""Percent done and time left: true of runs, whatever ends them."""

import numpy as np
import pytest

import implicitbias as ib
from implicitbias.cli import _towards
from implicitbias.cli._towards import Towards
from implicitbias.flow import FlowState


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
    towards = Towards(1e-8, 1e6)
    assert towards.share(state(log_margin=-np.inf)) == 0.0
    assert towards.share(state(log_margin=np.log(1e3))) == pytest.approx(0.5)
    assert Towards(1e-8, 0.5).share(state(log_margin=-3.0)) == 0.0


@pytest.mark.parametrize("changes", [{"residual": 0.5}, {"log_margin": 30.0}])
def test_where_a_loss_ends_it_nothing_but_the_loss_counts(changes):
    towards = Towards(1e-8, 2.0, loss=np.exp(-8.0))
    assert towards.share(state(log_loss=0.0, **changes)) == 0.0
    assert towards.share(state(log_loss=-6.0, **changes)) == pytest.approx(0.75)
    assert towards.share(state(log_loss=-8.0, **changes)) == 1.0
    assert Towards(1e-8, loss=2.0).share(state(log_loss=0.0)) == 0.0


def test_the_first_end_counts():
    towards = Towards(1e-8, ends=[("num_steps", 100), ("time", None)])
    assert towards.share(state(residual=1.0, num_steps=30)) == pytest.approx(0.3)
    assert towards.share(state(residual=1e-6, num_steps=30)) == pytest.approx(0.75)


def test_a_run_goes_from_nothing_to_everything():
    problem = ib.datasets.gaussian(5, 12, seed=0)
    network = ib.DiagonalNetwork(12, 2)
    start = ib.Initialization.last_layer_zero(network, np.ones(12), 0.1)
    towards, seen = Towards(1e-10), []
    ib.gradient_flow(
        network, problem, start, until_residual=1e-10, callback=lambda s: seen.append(s)
    )
    shares = [towards.share(each) for each in seen]
    assert shares[0] < 0.1
    assert shares[-1] > 0.9
    assert np.diff(shares).min() > -0.02


def test_what_is_said(monkeypatch):
    clock = iter([1.0, 4.0])
    monkeypatch.setattr(_towards.time, "monotonic", lambda: next(clock))
    towards = Towards(1e-8)
    assert towards.told(state(residual=1.0)) == "0 %, 0 s so far"
    assert towards.told(state(residual=1e-2)) == "25 %, 3 s so far, about 9 s left"
