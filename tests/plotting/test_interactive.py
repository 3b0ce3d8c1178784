"""Interactive twins: the artists' own numbers, on a page that needs nothing else."""

import json
import re
from html import unescape

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

import implicitbias as ib
from helpers.figures import NAMES, drawn
from helpers.html import Page
from implicitbias import plotting
from implicitbias._errors import InvalidInputError
from implicitbias.plotting import interactive

FIGURES = drawn()


@pytest.fixture
def ax():
    return Figure().subplots()


def embedded(html):
    (text,) = re.findall(r'<script id="data" type="application/json">(.*?)</script>', html)
    return json.loads(text)


def values(given):
    """What the page has, as floats."""
    return np.array([np.nan if each is None else float(each) for each in given])


def only(ax):
    (panel,) = interactive(ax).data["panels"]
    return panel


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_has_a_twin_of_the_same_numbers(name):
    ax = FIGURES[name]
    panel = only(ax)
    carried = [
        np.column_stack([values(each["x"]), values(each["y"])])
        for each in panel["series"]
        if each["kind"] == "line"
    ]
    in_data = [
        each
        for each in ax.lines
        if each.get_transform() == ax.transData and len(each.get_xdata(orig=False))
    ]
    if name != "saddle_path":
        assert in_data
    for line in in_data:
        expected = np.column_stack([line.get_xdata(orig=False), line.get_ydata(orig=False)])
        assert any(np.array_equal(expected, each, equal_nan=True) for each in carried)
    steps = [each.get_data() for each in ax.patches if isinstance(each, StepPatch)]
    assert bool(steps) == (name == "saddle_path")
    for heights, edges, _ in steps:
        expected = np.column_stack([edges, [*heights, heights[-1]]])
        assert any(np.array_equal(expected, each) for each in carried)
    for points in (each for each in ax.collections if isinstance(each, PathCollection)):
        assert any(np.array_equal(points.get_offsets(), each) for each in carried)


@pytest.mark.parametrize("name", FIGURES)
def test_every_page_stands_alone(name):
    twin = interactive(FIGURES[name])
    html = twin.html
    page = Page(html)
    assert embedded(html) == twin.data
    assert not page.sources
    assert page.links == ["data:,"]
    assert page.tags.count("script") == 2
    assert len(set(page.ids)) == len(page.ids)
    assert not re.search(r"(src|href)=\"?(https?:)?//|@import|fetch\(|XMLHttp|url\(http", html)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b", html)
    assert len(html) - len(json.dumps(twin.data)) < 40_000


def test_the_numbers_are_those_of_the_library():
    line = ib.Regression([[1.0, 2.0]], [2.0])
    start = ib.Initialization([np.ones(2), np.zeros(2)], scale=0.1)
    flow = ib.gradient_flow(ib.DiagonalNetwork(2, 2), line, start)
    (trace,) = plotting.training_traces([flow])
    first = only(FIGURES["training"])["series"][0]
    assert np.array_equal(values(first["x"]), trace.log10_times)
    assert np.array_equal(values(first["y"]), trace.values, equal_nan=True)


def test_what_belongs_to_a_curve_is_switched_with_it():
    panel = only(FIGURES["scale_path"])
    names = [entry["name"] for entry in panel["entries"]]
    assert names[-1] == "end of simulated flow"
    assert all(re.fullmatch(r"β[₀-₉]+", name) for name in names[:-1])
    for name in names[:-1]:
        members = [each for each in panel["series"] if each["group"] == name]
        assert [each["named"] for each in members].count(True) == 1
        assert len(members) == 5  # the curve, two dotted ends, two dots
    groups = {each["group"] for each in panel["series"]} - {*names, ""}
    assert groups == {"the others"}
    plane = only(FIGURES["trajectories"])
    shown = [entry["name"] for entry in plane["entries"]]
    assert shown == ["global minima", "</script><b>", "x₂ & price in $", "start", "predicted limit"]
    assert sum(each["group"] == "x₂ & price in $" for each in plane["series"]) == 3


def test_positions_that_are_no_numbers_are_called_as_the_ticks_are():
    said = {tick["text"] for tick in only(FIGURES["scale_path"])["x"]["ticks"] if tick["says"]}
    assert said == {"0 (ℓ₁)", "∞ (ℓ₂)"}
    summary = only(FIGURES["certificates"])
    assert [tick["says"] for tick in summary["y"]["ticks"]] == [True, True]
    assert [tick["text"] for tick in summary["x"]["ticks"] if tick["says"]] == ["0"]


def test_roundings_of_ticks_are_not_said(ax):
    ax.plot([0.333, 2.0], [1, 2])
    ax.set_xticks([0.333, 2.0], ["0.33", "0.002 k"])
    assert [tick["says"] for tick in only(ax)["x"]["ticks"]] == [False, True]


def test_names_reach_the_page_as_text():
    html = interactive(FIGURES["trajectories"]).html
    assert "</script><b>" not in html
    assert "\\u003c/script>" in html
    assert all(name.startswith(("<", "$")) for name in NAMES)
    title = "<b>&{{DATA}}{{SCRIPT}} \ud800"
    page = Page(interactive(FIGURES["levels"], title=title).html)
    assert page.text.count("<b>&{{DATA}}{{SCRIPT}} \ufffd") == 2


def test_gaps_infinities_and_masks_are_kept(ax):
    masked = np.ma.masked_array([1.0, 2.0, 3.0, 1e-300], [0, 1, 0, 0])
    ax.plot(masked, [np.nan, 1e300, np.inf, -np.inf])
    ax.plot([1.0], [2.0])
    series = only(ax)["series"][0]
    assert series["x"] == [1.0, None, 3.0, 1e-300]
    assert series["y"] == [None, 1e300, "inf", "-inf"]
    assert embedded(interactive(ax).html)["panels"][0]["series"][0] == series


@pytest.mark.parametrize("scale", ["linear", "log", "symlog"])
def test_scales(ax, scale):
    ax.plot([1.0, 10.0, 1e3], [3.0, 2.0, 1.0])
    ax.set_xscale(scale)
    axis = only(ax)["x"]
    assert axis["scale"] == scale
    assert axis["limits"] == list(ax.get_xlim())
    if scale == "symlog":  # as the page places values: against matplotlib's own transform
        v = np.array([-7.0, 0.5, 3.0, 1e4])
        size = np.abs(v) / axis["within"]
        far = np.where(
            size <= 1,
            axis["share"] * size,
            axis["share"] + np.log(np.maximum(size, 1)) / np.log(axis["base"]),
        )
        expected = ax.xaxis.get_transform().transform(v)
        np.testing.assert_allclose(np.sign(v) * axis["within"] * far, expected, rtol=1e-12)


def test_steps_areas_points_and_error_bars(ax):
    ax.step([1, 2, 3], [1.0, 2.0, 3.0], where="mid", label="steps")
    ax.fill_between([1, 2, 3], [0.0, 1.0, 0.0], [1.0, 2.0, 1.0], alpha=0.2, label="area")
    ax.errorbar([1, 2], [1.0, 2.0], yerr=[0.1, 0.1], label="measured")
    ax.legend(title="what $x$ is")
    panel = only(ax)
    kinds = {(each["group"], each["kind"]) for each in panel["series"]}
    assert kinds == {("steps", "line"), ("area", "area"), ("measured", "line")}
    (step,) = [each for each in panel["series"] if each["group"] == "steps"]
    assert step["step"] == "mid"
    assert {entry["name"] for entry in panel["entries"]} == {"steps", "area", "measured"}
    assert panel["key"] == "what x is"
    (area,) = [each for each in panel["series"] if each["kind"] == "area"]
    assert area["opacity"] == 0.2


def test_whole_figures_have_their_panels_title_and_texts():
    figure = Figure()
    for k, one in enumerate(figure.subplots(1, 2)):
        one.plot([1, 2], [3, k])
        one.set_title(f"panel {k}")
    figure.suptitle(r"at $\alpha \to 0$")
    figure.text(0.5, 0.01, "measured on 2 cores")
    twin = interactive(figure)
    assert twin.data["title"] == "at α → 0"
    assert twin.data["notes"] == ["measured on 2 cores"]
    assert [panel["title"] for panel in twin.data["panels"]] == ["panel 0", "panel 1"]
    assert "2 series" in repr(twin)


def test_what_is_shown_is_described():
    alt = only(FIGURES["alignment"])["alt"]
    assert alt.startswith("angle of vₗ")
    assert "(logarithmic) against log₁₀ margin; drawn: layer 1, layer 2." in alt


# ---- what is refused -----------------------------------------------------------------------------


def bar(ax):
    ax.bar([1], [2])


def image(ax):
    ax.imshow(np.eye(2))


def annotation(ax):
    ax.annotate("here", (0, 0))


def endless_line(ax):
    ax.axline((0, 0), slope=1)


def coloured(ax):
    ax.scatter([1, 2], [1, 2], c=[1, 2])


def sized(ax):
    ax.scatter([1, 2], [1, 2], s=[1, 2])


def inset(ax):
    ax.inset_axes([0.1, 0.1, 0.2, 0.2])


def secondary(ax):
    ax.secondary_xaxis("top")


def table(ax):
    ax.table([["a"]])


def shifted(ax):
    ax.plot([1, 2], transform=ax.transAxes)


@pytest.mark.parametrize(
    ("draw", "kind"),
    [
        (bar, "Rectangle"),
        (image, "AxesImage"),
        (annotation, "Annotation"),
        (endless_line, "AxLine"),
        (coloured, "PathCollection of several colours"),
        (sized, "PathCollection of several sizes"),
        (inset, "Axes"),
        (secondary, "SecondaryAxis"),
        (table, "Table"),
        (shifted, "Line2D in coordinates of the axes"),
    ],
)
def test_artists_that_no_page_carries_are_named(ax, draw, kind):
    ax.plot([1, 2], [3, 4])
    draw(ax)
    with pytest.raises(InvalidInputError, match=rf"an artist of the kind {kind}.*keep the static"):
        interactive(ax)


@pytest.mark.parametrize(
    ("scale", "values", "message"),
    [
        ("logit", [0.1, 0.2], "scale 'logit'; expected one of linear, log, symlog"),
        ("linear", np.array(["2020-01-01", "2020-02-01"], dtype="datetime64[D]"), "has units"),
        ("linear", ["a", "b"], "has units"),
    ],
)
def test_axes_that_no_page_carries(ax, scale, values, message):
    ax.plot(values, [1, 2])
    ax.set_xscale(scale)
    with pytest.raises(InvalidInputError, match=message):
        interactive(ax)


def test_polar_axes_names_of_nothing_and_artists_of_figures():
    polar = Figure().add_subplot(projection="polar")
    with pytest.raises(InvalidInputError, match="are polar; expected rectilinear"):
        interactive(polar)
    ax = Figure().subplots()
    (line,) = ax.plot([1, 2])
    ax.legend([line], ["mine"])
    with pytest.raises(InvalidInputError, match="legend names 'mine', and no artist"):
        interactive(ax)
    figure = Figure()
    figure.subplots().plot([1, 2], label="a")
    figure.legend()
    with pytest.raises(InvalidInputError, match="Legend outside of its axes"):
        interactive(figure)


@pytest.mark.parametrize("given", [[], [np.nan, np.nan]])
def test_empty_figures_are_refused(ax, given):
    ax.plot(given, given)
    ax.text(0, 0, "nothing")
    for each in (ax, ax.figure, Figure()):
        with pytest.raises(InvalidInputError, match="the figure is empty"):
            interactive(each)


@pytest.mark.parametrize("given", [None, 3, [1, 2], np.zeros(2), "figure"])
def test_what_is_no_figure_is_refused(given):
    with pytest.raises(InvalidInputError, match="expected a matplotlib Figure or Axes"):
        interactive(given)


def test_a_title_is_a_text():
    with pytest.raises(InvalidInputError, match="title is 3; expected a text"):
        interactive(FIGURES["levels"], title=3)


# ---- files and notebooks -------------------------------------------------------------------------


def test_saving_replaces_only_what_it_wrote(tmp_path):
    twin, file = interactive(FIGURES["levels"]), tmp_path / "page.html"
    twin.save(file)
    twin.save(str(file))
    assert file.read_text(encoding="utf-8") == twin.html
    file.write_text("mine")
    with pytest.raises(InvalidInputError, match=r"page\.html is there.*overwrite=True"):
        twin.save(file)
    assert file.read_text() == "mine"
    twin.save(file, overwrite=True)
    assert file.read_text(encoding="utf-8") == twin.html
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]
    with pytest.raises(OSError, match="nowhere"):
        twin.save(tmp_path / "nowhere" / "page.html")
    with pytest.raises(InvalidInputError, match="path is an int"):
        twin.save(3)
    with pytest.raises(InvalidInputError, match="directory"):
        twin.save(tmp_path)


def test_pages_of_explore_are_not_taken_for_twins(tmp_path):
    ib.explore(
        ib.Regression([[1.0, 2.0, 3.0]], [1.0]), networks=["diagonal"], depths=[2], training=False
    ).save(tmp_path / "page.html")
    with pytest.raises(InvalidInputError, match="no interactive figure"):
        interactive(FIGURES["levels"]).save(tmp_path / "page.html")


def test_notebooks_show_the_page_in_a_frame_of_its_own():
    twin = interactive(FIGURES["trajectories"], title="a <b>")
    frame = re.fullmatch(
        r'<iframe title="(.*?)" style="[^"]*" srcdoc="(.*)"></iframe>',
        twin._repr_html_(),
        flags=re.DOTALL,
    )
    assert unescape(frame[1]) == "a <b>"
    assert unescape(frame[2]) == twin.html
