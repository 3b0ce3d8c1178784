"""Saddles as steps, and a flow on the same axis."""

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest

from implicitbias import datasets, plotting
from implicitbias._errors import InvalidInputError
from implicitbias.flow import gradient_flow
from implicitbias.initialization import Initialization
from implicitbias.networks import DiagonalNetwork
from implicitbias.problems import Classification
from implicitbias.theorems import saddle_path

D = 9
NETWORK = DiagonalNetwork(D, 2)
START = [np.ones(D), np.zeros(D)]


@pytest.fixture(scope="module")
def problem():
    return datasets.gaussian(3, D, seed=1)


@pytest.fixture(scope="module")
def path(problem):
    return saddle_path(NETWORK, problem, START)


def test_traces_are_the_saddles_largest_first(path):
    traces = plotting.saddle_path_traces(path, shown=2)
    every = [*traces.shown, *traces.others]
    assert (len(traces.shown), len(every)) == (2, D)
    np.testing.assert_array_equal(traces.jumps[1:-1], path.times)
    assert traces.jumps[0] == 0.0
    assert traces.jumps[-1] == 1.25 * path.times[-1]
    for trace in every:
        np.testing.assert_array_equal(trace.values[1:], path.coefficients[:, trace.index])
        assert trace.values[0] == 0.0
    sizes = [np.abs(trace.values).max() for trace in every]
    assert sizes == sorted(sizes, reverse=True)


def test_the_flow_is_on_the_same_axis(problem, path, ax):
    flow = gradient_flow(NETWORK, problem, Initialization(START, log_scale=-300.0))
    drawn = plotting.saddle_path(path, flow=flow, log_scale=-300.0, ax=ax, shown=3)
    traces = plotting.saddle_path_traces(path, flow=flow, log_scale=-300.0, shown=3)
    assert drawn is ax
    np.testing.assert_allclose(
        traces.flow_times[1:] * 300.0, flow.times[1 : traces.flow_times.size]
    )
    curves = [line for line in ax.lines if len(line.get_xdata()) == traces.flow_times.size]
    np.testing.assert_array_equal(curves[0].get_ydata(), traces.shown[0].flow_values)
    steps = [patch.get_data() for patch in ax.patches]
    assert any(np.array_equal(step.values, traces.shown[0].values) for step in steps)
    assert "log" in ax.get_xlabel()


def test_the_first_stage_is_drawn_to_its_end():
    X = np.random.default_rng(6).standard_normal((7, 5))
    problem = Classification(X, [1, -1, -1, 1, 1, -1, 1])
    path = saddle_path(DiagonalNetwork(5, 2), problem, [np.ones(5), np.zeros(5)])
    assert plotting.saddle_path_traces(path).jumps[-1] == path.until


def test_what_does_not_fit_is_refused(problem, path):
    flow = gradient_flow(NETWORK, problem, Initialization(START, scale=0.1))
    for options in ({"flow": flow}, {"log_scale": -3.0}):
        with pytest.raises(InvalidInputError, match="belong together"):
            plotting.saddle_path_traces(path, **options)
    with pytest.raises(InvalidInputError, match="names"):
        plotting.saddle_path_traces(path, names=["x"])
    other = gradient_flow(
        DiagonalNetwork(2, 2),
        datasets.gaussian(1, 2, seed=0),
        Initialization.last_layer_zero(DiagonalNetwork(2, 2), np.ones(2), 0.1),
    )
    with pytest.raises(InvalidInputError, match="2 coefficients"):
        plotting.saddle_path_traces(path, flow=other, log_scale=-3.0)
    none = saddle_path(DiagonalNetwork(1, 2), Classification([[1.0]], [1]), [[1.0], [0.0]])
    with pytest.raises(InvalidInputError, match="no saddle"):
        plotting.saddle_path_traces(none)
