"""Flows of one classification to several margins, from one integration."""

import numpy as np
import pytest

from helpers.draws import normal
from implicitbias import Classification, Initialization, gradient_flow
from implicitbias._setting import setting_of
from implicitbias.flow import margin_flows
from implicitbias.flow.classification import _run
from implicitbias.networks import ConvolutionalNetwork, DiagonalNetwork
from implicitbias.problems import Regression

(X,) = normal(0, (4, 7))
PROBLEM = Classification(X, [1.0, -1.0, 1.0, 1.0])
ROUNDING = 1e-14  # sums of arrays differ by how these lie in memory
DEEP = DiagonalNetwork(7, 3)
TWO = DiagonalNetwork(7, 2)
COMPLEX = ConvolutionalNetwork(7, (7, 7, 7))


def margins_of(network, scale=0.3, seed=1):
    return margin_flows(setting_of(network, PROBLEM, Initialization.random(network, scale, seed)))


def assert_same(found, alone):
    assert (found.outcome, found.message, found.route) == (
        alone.outcome,
        alone.message,
        alone.route,
    )
    assert (found.num_steps, found.num_evaluations) == (alone.num_steps, alone.num_evaluations)
    for name in ("coefficients", "directions", "times", "log_times", "log_losses", "log_margins"):
        np.testing.assert_allclose(getattr(found, name), getattr(alone, name), rtol=ROUNDING)
    for mine, other in zip(found.final_parameters, alone.final_parameters, strict=True):
        np.testing.assert_allclose(mine, other, rtol=ROUNDING)


@pytest.mark.parametrize("network", [DEEP, TWO, COMPLEX])
@pytest.mark.parametrize("order", [(2.0, 13.8, 13.80000001, 17.0), (13.8, 25.0, 2.0)])
def test_each_is_the_flow_to_its_margin_alone(network, order):
    """Also beyond the hand-over, where nothing is found on the way; and before, once asked for."""
    flows = margins_of(network)
    flows.plan(order)
    for log_margin in order if network is not COMPLEX else order[:1]:
        alone = gradient_flow(
            network, PROBLEM, flows.setting.init, until_log_margin=log_margin, route="auto"
        )
        assert_same(flows.to(log_margin), alone)


def test_one_integration_for_what_was_planned(monkeypatch):
    calls = []
    monkeypatch.setattr(
        _run, "follow", lambda *args, follow=_run.follow: calls.append(1) or follow(*args)
    )
    flows = margins_of(DEEP)
    flows.plan([13.0, 10.0, 14.0])
    found = [flows.to(log_margin) for log_margin in (13.0, 14.0, 10.0, 13.0)]
    assert found[0] is found[-1]
    assert len(calls) == 1


def test_margins_that_a_flow_does_not_reach_share_its_end():
    """Equal layers lock the signs, and these separate nothing: the flow comes to rest."""
    network = DiagonalNetwork(2, 3)
    problem = Classification([[1.0, 0.5], [-1.0, 1.0]], [-1.0, -1.0])
    init = Initialization([np.ones(2)] * 3, scale=0.5)
    flows = margin_flows(setting_of(network, problem, init))
    flows.plan([5.0, 10.0])
    assert flows.to(5.0) is flows.to(10.0)
    alone = gradient_flow(network, problem, init, until_log_margin=5.0)
    assert_same(flows.to(5.0), alone)


def test_margins_below_the_start_are_there_at_the_start():
    network = DiagonalNetwork(2, 3)
    problem = Classification(np.eye(2), [1.0, 1.0])
    flows = margin_flows(setting_of(network, problem, Initialization([np.ones(2)] * 3, scale=2.0)))
    flows.plan([5.0])
    assert flows.to(1.0).num_steps == 0
    assert flows.to(5.0).num_steps > 0


def test_only_classifications_have_margins():
    init = Initialization.random(DEEP, 1.0)
    with pytest.raises(TypeError, match="classification"):
        margin_flows(setting_of(DEEP, Regression(X, np.ones(4)), init))
