"""Where training ends: the page's numbers against the library's."""

import numpy as np
import pytest

import implicitbias as ib
from helpers.draws import normal
from implicitbias import plotting

X, Y = normal(3, (2, 4), 2)
SCALES = (0.0, 0.1, 1.0, np.inf)
NAMES = ("a", "b", "c", "d")


@pytest.fixture(scope="module")
def task():
    page = ib.explore(
        ib.Regression(X, Y), names=NAMES, depths=(3, 2), scales=SCALES[::-1], training=False
    )
    (found,) = page.data["tasks"]
    return found


def frame(task, *setting):
    return task["store"][task["frames"][".".join(map(str, setting))]]


def options(task, name):
    (found,) = [each["options"] for each in task["controls"] if each["id"] == name]
    return found


def test_controls_say_what_there_is(task):
    assert options(task, "network") == [
        "diagonal",
        "convolutional",
        "fully connected",
        "two-sided diagonal",
    ]
    assert options(task, "depth") == ["2", "3"]
    assert options(task, "scale") == ["0", "0.1", "1", "∞"]
    assert len(task["frames"]) == 4 * 2 * 3


@pytest.mark.parametrize("direction", [0, 1, 2])
@pytest.mark.parametrize("depth", [2, 3])
def test_limits_are_those_of_limit_path(task, depth, direction):
    eta = 2.0 ** np.linspace(1 - direction, direction - 1, 4)
    network = ib.DiagonalNetwork(4, depth)
    start = [eta] * (depth - 1) + [np.zeros(4)]
    path = ib.limit_path(network, ib.Regression(X, Y), start, SCALES)
    found = frame(task, 0, depth - 2, direction)
    assert found["x"] == [0.0, 0.1, 1.0, "inf"]
    order = [NAMES.index(name) for name in found["names"]]
    assert found["columns"][0]["values"] == path.coefficients[:, order].tolist()
    rows = {row["name"]: row["values"] for row in found["rows"]}
    assert rows["ℓ1 norm of all coefficients"] == np.abs(path.coefficients).sum(axis=1).tolist()
    assert rows["estimated relative error"] == path.errors.tolist()
    assert min(rows["ℓ2 norm / its smallest here"]) == 1.0
    assert path.theorem in found["said"][1]


def test_largest_coefficients_stand_first(task):
    sizes = np.abs(frame(task, 3, 1, 1)["columns"][0]["values"]).max(axis=0)
    assert (np.diff(sizes) <= 0).all()


def test_norms_go_from_the_least_l1_to_the_least_l2(task):
    rows = {row["name"]: row["values"] for row in frame(task, 0, 0, 1)["rows"]}
    assert np.argmin(rows["ℓ1 norm of all coefficients"]) == 0
    assert np.argmin(rows["ℓ2 norm of all coefficients"]) == 3


def test_what_no_result_covers_says_why(task):
    assert "all x_i are even" in frame(task, 1, 0, 0)["refused"]


def test_what_is_not_known_at_one_end_is_shown_elsewhere(task):
    """Fully connected networks from W_1 = 0: the minimum norm at every scale short of infinity."""
    found = frame(task, 2, 0, 0)
    (column,) = found["columns"]
    order = [NAMES.index(name) for name in found["names"]]
    *known, last = column["values"]
    least = (np.linalg.pinv(X) @ Y)[order]
    np.testing.assert_allclose(known, [least] * 3, rtol=1e-12)
    assert last == [None] * 4
    assert "got inf" in found["said"][-1]
    assert task["frames"]["2.0.0"] == task["frames"]["2.0.2"]


@pytest.fixture(scope="module")
def textbook():
    page = ib.explore(
        ib.Regression([[1.0, 2.0]], [2.0]),
        networks=["diagonal", "fully-connected"],
        depths=[3],
        scales=[0.0, 0.3, 3.0, np.inf],
        training=False,
    )
    return page.data["tasks"][0]


@pytest.mark.parametrize("setting", [(0, 0, 0), (0, 0, 1)])
def test_the_plane_has_flows_that_end_at_the_limits(textbook, setting):
    found = frame(textbook, *setting)
    assert found["names"] == ["x1", "x2"]
    zero, *paths, infinity = found["plane"]["paths"]["points"]
    assert (zero, infinity) == (None, None)
    for points, beta in zip(paths, found["columns"][0]["values"][1:-1], strict=True):
        np.testing.assert_allclose(points[0], 0.0)
        np.testing.assert_allclose(points[-1], beta, atol=1e-5)


def test_the_plane_has_flows_of_fully_connected_networks(textbook):
    """Fully connected networks from W_1 = 0: to the minimum-norm solution at every scale."""
    found = frame(textbook, 1, 0, 0)
    np.testing.assert_allclose(found["columns"][0]["values"][1], [0.4, 0.8], rtol=1e-12)
    for points in found["plane"]["paths"]["points"][1:-1]:
        np.testing.assert_allclose(points[-1], [0.4, 0.8], atol=1e-5)


def test_level_sets_touch_the_solutions_at_the_limit(textbook):
    """No point of {Q <= Q(limit)} is beyond the line of solutions, and the limit is on it."""
    found = frame(textbook, 0, 0, 2)
    pairs = zip(found["plane"]["levels"], found["columns"][0]["values"], strict=True)
    for level, beta in pairs:
        reached = np.array(level) @ [1.0, 2.0]
        assert reached.max() <= 2.0 + 1e-5
        assert reached.max() >= 1.98  # of angles in steps of 5 degrees
        assert np.dot(beta, [1.0, 2.0]) == pytest.approx(2.0, rel=1e-12)
    low, high = found["plane"]["window"]
    assert (np.abs(found["plane"]["levels"]).max(axis=(0, 1)) <= high).all()
    assert (np.array(low) < 0).all()


def test_level_sets_are_those_of_plotting(textbook):
    found = frame(textbook, 0, 0, 2)
    beta = found["columns"][0]["values"][1]
    (trace,) = plotting.level_traces(3, [0.3], (0.5, 2.0), through=beta)
    np.testing.assert_allclose(found["plane"]["levels"][1], trace.points[:181:10], rtol=1e-5)


@pytest.mark.parametrize("unit", [1e-8, 1e8])
def test_scales_follow_the_units(unit):
    """alpha^2 goes from well below the coefficients to well above them."""
    problem = ib.Regression([[1.0, 2.0, 0.5]], [unit])
    page = ib.explore(problem, networks=["diagonal"], depths=[2], training=False)
    scales = page.data["tasks"][0]["store"][0]["x"]
    assert scales[0] == 0.0
    assert scales[-1] == "inf"
    assert scales[1] ** 2 < 1e-5 * unit
    assert scales[-2] ** 2 > 50 * unit
    assert 12 <= len(scales) <= 20


def test_zero_targets_and_a_single_feature():
    """Limits of 0 have no level set, one feature has no direction; norms have no ratio."""
    page = ib.explore(ib.Regression([[1.0, 2.0]], [0.0]), networks=["diagonal"], depths=[2])
    found = page.data["tasks"][0]["store"][0]
    assert set(found["plane"]["levels"]) == {None}
    rows = {row["name"]: row["values"] for row in found["rows"]}
    assert set(rows["ℓ1 norm / its smallest here"]) == {None}
    page = ib.explore(ib.Regression([[3.0]], [6.0]), depths=[2], training=False)
    found = frame(page.data["tasks"][0], 0, 0, 0)
    np.testing.assert_allclose(found["columns"][0]["values"], 2.0, rtol=1e-12)


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_norms_whose_squares_are_out_of_range(size):
    problem = ib.Regression([[3.0, 4.0, 0.0]], [25.0 * size])
    page = ib.explore(
        problem, networks=["diagonal"], depths=[2], scales=[1.0, np.inf], training=False
    )
    for found in page.data["tasks"][0]["store"]:
        rows = {row["name"]: row["values"] for row in found["rows"]}
        ratios = np.array(found["columns"][0]["values"]) / size
        norms = np.array(rows["ℓ2 norm of all coefficients"]) / size
        np.testing.assert_allclose(norms, np.linalg.norm(ratios, axis=1), rtol=1e-12)
        assert norms[-1] > 1.0


def test_many_columns_are_cut_and_the_page_says_so():
    X, y = normal(0, (3, 40), 3)
    page = ib.explore(ib.Regression(X, y), networks=["diagonal"], depths=[2], scales=[1.0, 0.0])
    found = page.data["tasks"][0]["store"][1]
    path = ib.limit_path(
        ib.DiagonalNetwork(40, 2), ib.Regression(X, y), [np.ones(40), np.zeros(40)], [0.0, 1.0]
    )
    largest = np.argsort(-np.abs(path.coefficients).max(axis=0), kind="stable")[:20]
    assert found["names"] == [f"x{j + 1}" for j in largest]
    assert "Of 40 coefficients the 20 largest" in page.data["about"]
    norms = {row["name"]: row["values"] for row in found["rows"]}["ℓ1 norm of all coefficients"]
    np.testing.assert_allclose(norms, np.abs(path.coefficients).sum(axis=1), rtol=1e-15)
