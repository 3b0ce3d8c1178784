"""The figures of a sweep: what they show of its table."""

import numpy as np
import pytest
from matplotlib.figure import Figure

import implicitbias as ib
from helpers.sweeps import PLAN, plan
from implicitbias.sweeps import read_plan, sweep_traces
from implicitbias.sweeps._figures import draw_curves


def traced(folder, **changes):
    given = plan(**changes)
    return ib.sweep(given, folder, workers=1).table, read_plan(given)


def test_axes_are_what_varies_and_curves_are_medians(tmp_path):
    start = {"scale": {"geomspace": [1e-3, 1.0, 4]}}
    table, read = traced(tmp_path, start=start)
    traces = sweep_traces(read, table)
    assert (traces.x, traces.colour) == ("start.scale", "network.depth")
    assert traces.over == ("data.seed",)
    assert [curve.label for curve in traces.panels["l1"]] == ["2", "3"]
    for depth, curve in zip([2, 3], traces.panels["truth_error"], strict=True):
        rows = table[table["network_depth"] == depth].groupby("start_scale")["truth_error"]
        np.testing.assert_array_equal(curve.x, np.geomspace(1e-3, 1.0, 4))
        np.testing.assert_array_equal(curve.median, rows.median())
        np.testing.assert_array_equal(curve.low, rows.min())
        np.testing.assert_array_equal(curve.high, rows.max())
    for name in ("measures.png", "certificates.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_the_plan_may_choose(tmp_path):
    figure = {"x": "data.seed", "colour": "start.scale", "y": "l2"}
    table, read = traced(tmp_path, figure=figure)
    traces = sweep_traces(read, table)
    assert (traces.x, traces.colour, list(traces.panels)) == ("data.seed", "start.scale", ["l2"])
    assert [curve.label for curve in traces.panels["l2"]] == ["0.01", "1"]
    read = read_plan(plan(figure={"y": ["l3"]}))
    with pytest.raises(ib.InvalidInputError, match=r"\[figure\] y is 'l3'; expected one of n, d"):
        sweep_traces(read, table)


def test_words_are_places_and_ends_of_the_scale_are_counted_not_drawn(tmp_path):
    start = {"scale": [0.0, 0.1, np.inf]}
    network = {"name": ["diagonal", "two_sided"]}
    table, read = traced(tmp_path / "ends", start=start, network=network)
    traces = sweep_traces(read, table)
    assert (traces.x, traces.left_out) == ("start.scale", 12)
    assert [curve.x.tolist() for curve in traces.panels["l1"]] == [[0.1], [0.1]]
    table, read = traced(tmp_path / "words", network=network, start={})
    traces = sweep_traces(read, table)
    assert (traces.x, traces.words) == ("network.name", ("diagonal", "two_sided"))


def test_scales_at_the_ends_of_float64_are_drawn_by_their_decades(tmp_path):
    """Without the overflow that a margin around 1e300 would be: warnings are errors here."""
    start = {"scale": [1e-300, 1.0, 1e300]}
    table, read = traced(tmp_path, start=start)
    assert (table["status"] == "ok").all()
    axes = Figure().subplots()
    traces = sweep_traces(read, table)
    draw_curves(traces, "l1", traces.panels["l1"], axes)
    assert axes.get_xlabel() == "log10 of start.scale"
    np.testing.assert_allclose(axes.lines[0].get_xdata(), [-300, 0, 300])


def test_nothing_to_see_is_not_drawn(tmp_path):
    data = PLAN["data"] | {"num_points": 9}
    result = ib.sweep(plan(data=data), tmp_path, workers=1)
    assert result.num_refused == 12
    assert not [name for name in result.files if name.endswith(".png")]
