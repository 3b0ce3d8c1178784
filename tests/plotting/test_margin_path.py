"""Angles and normalised margins along a flow, as data and on the axes."""

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest
from matplotlib import pyplot

from implicitbias import plotting
from implicitbias._errors import InvalidInputError
from implicitbias.plotting import MarginRun

HEIGHTS = np.linspace(-2.0, 12.0, 29)
LIMIT = np.array([1.0, 0.0])


def run(name="flow", rate=0.5, **changes):
    """Directions (1, 10^{-h/2}): the angle is arctan of the second entry."""
    second = 10.0 ** (-np.maximum(HEIGHTS, 0.0) * 0.5)
    directions = np.column_stack([np.ones_like(second), second])
    values = {"directions": directions, "log_margins": HEIGHTS * np.log(10), "limit": LIMIT}
    return MarginRun(name, rate=rate, **(values | changes))


@pytest.mark.parametrize("power", [2.0, 1.0, 2 / 3])
def test_traces_are_angles_and_ratios_of_norms(power):
    (trace,) = plotting.margin_path_traces([run(norm_power=power)])
    assert trace.log10_margins[0] == 0.0
    second = 10.0 ** (-trace.log10_margins / 2)
    np.testing.assert_allclose(trace.angles, np.arctan(second), rtol=1e-9)
    expected = (1 + second**power) ** (-1 / power)
    np.testing.assert_allclose(trace.normalised_margins, expected, rtol=1e-12)


def test_fourier_norm():
    limit = np.array([1.0, 1.0])
    (trace,) = plotting.margin_path_traces([run(limit=limit, norm_power=1.0, fourier=True)])
    # |1 + s| + |1 - s| = 2 for s <= 1, as for the limit
    np.testing.assert_allclose(trace.normalised_margins, 1.0, rtol=1e-12)


def test_drawing_puts_flows_and_slopes_on_the_axes(ax):
    assert plotting.margin_path([run("one"), run("two", rate=None)], ax=ax, until=10.0) is ax
    curves = {line.get_label(): line for line in ax.lines}
    (trace,) = plotting.margin_path_traces([run()])
    np.testing.assert_array_equal(curves["one"].get_ydata(), trace.angles)
    slopes = [line for line in ax.lines if line.get_linestyle() == ":"]
    assert len(slopes) == 1
    x, y = slopes[0].get_data()
    assert -np.diff(np.log10(y))[0] / np.diff(x)[0] == pytest.approx(0.5)
    assert ax.get_xlim() == (0.0, 10.0)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["one", "two"]


def test_short_flows_are_left_out_of_a_far_panel_and_colours_stay(ax):
    short = run("short", log_margins=0.5 * HEIGHTS * np.log(10))
    plotting.margin_path([short, run("long")], ax=ax, beyond=8.0)
    curves = {line.get_label(): line for line in ax.lines}
    assert "short" not in curves
    assert (
        curves["long"].get_color()
        == plotting.margin_path([short, run("long")]).lines[2].get_color()
    )


def test_normalised_margins_without_axes_or_legend():
    axes = plotting.margin_path([run()], quantity="normalised margin", legend=False)
    axes.figure.canvas.draw()
    assert axes.get_legend() is None
    assert "normalised margin" in axes.get_ylabel()
    pyplot.close(axes.figure)


BAD = {
    "none": (lambda: plotting.margin_path_traces([]), "runs is empty"),
    "heights": (lambda: plotting.margin_path_traces([run(log_margins=[1.0])]), "log_margins has"),
    "limit": (lambda: plotting.margin_path_traces([run(limit=[1.0])]), "limit has shape"),
    "low": (
        lambda: plotting.margin_path_traces([run(log_margins=HEIGHTS - 50)]),
        "never reaches a margin of 1",
    ),
    "quantity": (lambda: plotting.margin_path([run()], quantity="loss"), "quantity is 'loss'"),
    "beyond": (lambda: plotting.margin_path([run()], beyond=20.0), "beyond is 20"),
    "until": (lambda: plotting.margin_path([run()], until=0.0), "until is 0"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments_are_named(case):
    call, text = BAD[case]
    with pytest.raises(InvalidInputError, match=text):
        call()
