"""Figures as data, and what ends up on the axes."""

from types import SimpleNamespace

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.collections import LineCollection

from implicitbias import datasets, plotting
from implicitbias._errors import InvalidInputError
from implicitbias.networks import DiagonalNetwork, TwoSidedDiagonalNetwork
from implicitbias.problems import Classification
from implicitbias.theorems import limit_path, margin_path

SCALES = [10.0, np.inf, 0.1, 1.0, 0.0]
D = 9


@pytest.fixture(scope="module")
def path():
    start = [np.ones(D), np.zeros(D)]
    return limit_path(DiagonalNetwork(D, 2), datasets.gaussian(4, D, seed=1), start, SCALES)


def test_traces_are_the_path_sorted_by_scale_and_size(path):
    traces = plotting.scale_path_traces(path, shown=3)
    every = [*traces.shown, *traces.others]
    assert (len(traces.shown), len(every)) == (3, D)
    assert sorted(trace.index for trace in every) == list(range(D))
    sizes = [np.abs(path.coefficients[:, trace.index]).max() for trace in every]
    assert sizes == sorted(sizes, reverse=True)
    for trace in every:
        np.testing.assert_array_equal(trace.scales, [0.1, 1.0, 10.0])
        np.testing.assert_array_equal(trace.values, path.coefficients[[2, 3, 0], trace.index])
        assert trace.at_zero == path.coefficients[4, trace.index]
        assert trace.at_infinity == path.coefficients[1, trace.index]
        assert trace.name == rf"$\beta_{{{trace.index + 1}}}$"


def test_chosen_coefficients_and_names_stand_out(path):
    names = [f"x{j}" for j in range(D)]
    traces = plotting.scale_path_traces(path, shown=[5, 2], names=names)
    assert [trace.name for trace in traces.shown] == ["x5", "x2"]
    assert sorted(trace.index for trace in traces.others) == [0, 1, 3, 4, 6, 7, 8]


def test_flows_are_reordered_like_the_curves(path):
    beta = np.arange(float(D))
    traces = plotting.scale_path_traces(path, flows=[(0.5, beta), (2.0, -beta)], shown=[7, 0])
    np.testing.assert_array_equal(traces.flow_scales, [0.5, 2.0])
    np.testing.assert_array_equal(traces.flow_values, [[7.0, 0.0], [-7.0, 0.0]])


@pytest.mark.parametrize(
    ("largest", "power"), [(0.0, 0), (0.5, 0), (999.0, 0), (1e3, 3), (5.7e5, 5), (0.02, -2)]
)
def test_units_are_powers_of_ten_only_where_they_help(largest, power):
    path = SimpleNamespace(values=np.ones(1), coefficients=np.array([[0.0, -largest]]))
    assert plotting.scale_path_traces(path).power == power


def test_drawing_puts_curves_ends_and_flows_on_the_axes(path, ax):
    beta = path.coefficients[3]
    assert plotting.scale_path(path, flows=[(1.0, beta)], ax=ax, shown=2) is ax
    traces = plotting.scale_path_traces(path, shown=2)
    curves = {line.get_label(): line for line in ax.lines}
    for trace in traces.shown:
        np.testing.assert_array_equal(curves[trace.name].get_ydata(), trace.values)
    rings = curves["end of simulated flow"]
    np.testing.assert_array_equal(rings.get_ydata(), beta[[trace.index for trace in traces.shown]])
    grey = next(part for part in ax.collections if isinstance(part, LineCollection))
    assert len(grey.get_paths()) == D - 2
    ax.figure.canvas.draw()
    ticks = [tick.get_text() for tick in ax.get_xticklabels()]
    assert ticks[0].startswith("0\n")
    assert ticks[-1].startswith(r"$\infty$")
    assert [text.get_text() for text in ax.get_legend().get_texts()][-1] == "end of simulated flow"
    assert "scale" in ax.get_xlabel()


def test_drawing_without_ends_axes_or_legend():
    problem = datasets.gaussian(2, 3, seed=0)
    short = limit_path(DiagonalNetwork(3, 2), problem, [np.ones(3), np.zeros(3)], [0.1, 1.0])
    axes = plotting.scale_path(short, legend=False)
    axes.figure.canvas.draw()
    assert axes.get_legend() is None
    assert not axes.collections
    pyplot.close(axes.figure)


BAD = {
    "shown": ({"shown": 0}, "shown is 0; expected a whole number >= 1"),
    "repeated": ({"shown": [1, 1]}, "expected a number, or different indices from 0 to 8"),
    "beyond": ({"shown": [9]}, "expected a number, or different indices from 0 to 8"),
    "names": ({"names": ["a"]}, "names has 1 entries; expected 9"),
    "flows": ({"flows": [(1.0, np.ones(3))]}, "flows, entry 0, has shape"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments_are_named(path, case):
    arguments, text = BAD[case]
    with pytest.raises(InvalidInputError, match=text):
        plotting.scale_path_traces(path, **arguments)


def test_a_path_of_ends_only_is_refused():
    problem = datasets.gaussian(2, 3, seed=0)
    ends = limit_path(DiagonalNetwork(3, 2), problem, [np.ones(3), np.zeros(3)], [0.0, np.inf])
    with pytest.raises(InvalidInputError, match="no scale other than 0 and infinity"):
        plotting.scale_path_traces(ends)


def test_ratios_of_a_margin_path_stand_for_scales():
    network = TwoSidedDiagonalNetwork(3, 2)
    problem = Classification([[1.0, 3.0, 0.0], [2.0, 0.0, 2.0]], [1, 1])
    path = margin_path(network, problem, [np.ones(3)] * 2, [np.inf, 0.1, 1.0, 0.0])
    traces = plotting.scale_path_traces(path)
    assert traces.shown[0].scales.tolist() == [0.1, 1.0]
    assert traces.shown[0].at_zero == pytest.approx(0.5)
    assert "epsilon" in plotting.scale_path(path).get_xlabel()
