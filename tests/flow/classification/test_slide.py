"""The slide along smallest margins of one level, against the stiff flow to the same margin."""

import numpy as np
import pytest

from helpers.draws import normal
from helpers.flows import asked
from implicitbias._closing import angle_between
from implicitbias._errors import Outcome
from implicitbias._setting import setting_of
from implicitbias.flow.classification._run import classification_flow
from implicitbias.initialization import Initialization
from implicitbias.networks import DiagonalNetwork
from implicitbias.problems import Classification

MARGIN = 1e9
WIDE = Classification(*normal(0, (5, 12)), [1.0, -1.0, 1.0, -1.0, 1.0])


def tall(seed=7):
    """Eight points in six dimensions, of which two leave or enter the support on the way."""
    rng = np.random.default_rng(seed)
    data = rng.normal(size=(8, 6))
    return Classification(data, np.sign(data @ rng.normal(size=6)))


def followed(problem, depth, handover):
    network = DiagonalNetwork(problem.num_features, depth)
    init = Initialization.random(network, 0.1, seed=1, gap=0.2)
    return classification_flow(
        setting_of(network, problem, init),
        problem,
        asked(MARGIN, 20000, route="dual", rtol=1e-13),
        handover,
    )


@pytest.mark.parametrize(
    ("problem", "depth", "events"), [(WIDE, 2, 0), (WIDE, 3, 0), (tall(), 2, 2)]
)
def test_the_slide_goes_the_stiff_flows_way_wherever_it_began(problem, depth, events):
    stiff = followed(problem, depth, 10.0 * MARGIN)
    assert stiff.slide is None
    assert stiff.outcome is Outcome.MARGIN_REACHED
    for handover in (1e3, 1e6):
        flow = followed(problem, depth, handover)
        assert angle_between(flow.final_direction, stiff.final_direction) < 0.05 / MARGIN
        assert abs(flow.log_losses[-1] - stiff.log_losses[-1]) < 1e-3
        np.testing.assert_allclose(flow.slide.log_handover, np.log(handover))
        assert flow.slide.violation < 1e-12
        assert flow.slide.num_events == events
        margins = problem.y * (problem.X @ flow.final_direction)
        levels = margins[flow.slide.support] + np.log(flow.slide.weights) / MARGIN
        assert np.ptp(levels) < 1e-13
        np.testing.assert_allclose(flow.slide.weights.sum(), 1.0)
        assert (flow.slide.weights > 0.0).all()
        others = np.setdiff1d(np.arange(problem.num_points), flow.slide.support)
        assert (margins[others] > 1.0).all()


def test_its_weights_are_those_of_the_stiff_softmax():
    stiff, flow = followed(WIDE, 2, 10.0 * MARGIN), followed(WIDE, 2, 1e4)
    margins = WIDE.y * (WIDE.X @ stiff.final_coefficients)
    weights = np.exp(margins.min() - margins)
    weights /= weights.sum()
    np.testing.assert_allclose(flow.slide.weights, weights[flow.slide.support], rtol=1e-3)
