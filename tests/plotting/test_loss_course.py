"""The loss against time: what is drawn, and what is refused."""

import numpy as np
import pytest

from implicitbias import (
    Classification,
    DiagonalNetwork,
    FullyConnectedNetwork,
    Initialization,
    InvalidInputError,
    Regression,
    datasets,
    gradient_flow,
    plotting,
    predict_limit,
)

PROBLEM = datasets.separable(6, 4, 0.5, seed=0)
NETWORK = FullyConnectedNetwork((4, 2))
START = Initialization.random(NETWORK, 0.5, seed=1)


def found(margin=1e4):
    flow = gradient_flow(NETWORK, PROBLEM, START, until_margin=margin)
    return flow, predict_limit(NETWORK, PROBLEM, START)


def test_traces_tend_to_one():
    flow, limit = found()
    (traces,) = plotting.loss_course_traces([flow], [limit], ["two layers"])
    assert traces.name == "two layers"
    assert abs(traces.whole[-1] - 1.0) <= 1e-5
    assert abs(traces.leading[-1] - 1.0) > 1e-4
    place = -1
    height, log_time = -flow.log_losses[place], flow.log_times[place]
    expected = np.exp(log_time - height) * log_time / limit.loss_rate.constant
    assert traces.leading[place] == pytest.approx(expected, rel=1e-9)


def test_the_figure_names_its_curves():
    flow, limit = found()
    ax = plotting.loss_course([flow], [limit])
    labels = [line.get_label() for line in ax.get_lines()]
    assert labels[1:] == ["Corollary 1", "Corollary 1, leading order"]
    assert ax.get_xscale() == "log"


def test_what_has_no_course_is_refused():
    flow, limit = found()
    short, _ = found(2.0)
    with pytest.raises(InvalidInputError, match="one limit a flow"):
        plotting.loss_course([flow], [])
    with pytest.raises(InvalidInputError, match="never fell below"):
        plotting.loss_course([short], [limit])
    network = DiagonalNetwork(4, 2)
    start = Initialization.last_layer_zero(network, np.ones(4), 0.1)
    point = predict_limit(network, Regression([[1.0, 2.0, 0.0, 1.0]], [1.0]), start)
    with pytest.raises(InvalidInputError, match="no loss_rate"):
        plotting.loss_course([flow], [point])


def test_what_is_no_pair_of_a_flow_and_its_limit_is_refused():
    """A regression's loss over a direction's rate was drawn, as was another problem's."""
    flow, limit = found()
    network = DiagonalNetwork(2, 2)
    start = Initialization([np.ones(2), 0.5 * np.ones(2)], 1.0)
    fitted = gradient_flow(network, Regression([[1.0, 2.0]], [1.0]), start)
    other = predict_limit(network, Classification([[1.0, 2.0]], [1.0]), start)
    for flows, limits, said in (
        ([fitted], [limit], "the flow is of a regression"),
        ([flow], [other], "the flow has 4 coefficients and the limit 2"),
        ([limit], [flow], "got a Limit with a Flow"),
        (flow, limit, r"such as \[flow\], \[limit\]"),
        ("a", "b", "got a str with a str"),
    ):
        with pytest.raises(InvalidInputError, match=said):
            plotting.loss_course(flows, limits)
