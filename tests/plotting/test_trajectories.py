"""Paths in the plane: what is collected, where it lies, and what ends up on the axes."""

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest
from matplotlib.figure import Figure

from implicitbias import plotting
from implicitbias._errors import InvalidInputError
from implicitbias.flow import gradient_flow
from implicitbias.initialization import Initialization
from implicitbias.networks import DiagonalNetwork, FullyConnectedNetwork
from implicitbias.problems import Classification, Regression
from implicitbias.theorems import predict_limit

LINE = Regression([[1.0, 2.0]], [2.0])
CONE = Classification([[1.0, 2.0], [2.0, 2.5]], [1, 1])
NET = DiagonalNetwork(2, 2)
FULL = FullyConnectedNetwork((2, 2, 2))
LAST = np.array([0.45, -0.3])


def trained(problem, scale=1.0, network=NET, **options):
    one = np.eye(2) if network is FULL else np.ones(2)
    init = Initialization([one] * (network.depth - 1) + [LAST], scale)
    flow = gradient_flow(network, problem, init, **options)
    return flow, predict_limit(network, problem, init)


@pytest.fixture(scope="module")
def line():
    return trained(LINE)


@pytest.fixture(scope="module")
def cone():
    return trained(CONE, until_margin=1e3)


def test_a_regression_runs_from_the_start_to_the_limit_on_the_line(line):
    flow, limit = line
    traces = plotting.trajectory_traces(LINE, [flow], limits=[limit])
    (path,) = traces.paths
    np.testing.assert_allclose(path.points[0], LAST)
    np.testing.assert_allclose(path.points[-1], path.limit, atol=1e-8)
    assert path.exact
    assert not traces.radial
    point, direction = traces.minima
    np.testing.assert_allclose(LINE.X @ (point + 3.7 * direction), LINE.y)
    assert (traces.window[0] <= path.points.min(axis=0)).all()
    assert (traces.window[1] >= path.points.max(axis=0)).all()


def test_the_field_descends_in_beta(line):
    traces = plotting.trajectory_traces(LINE, [line[0]])
    for beta, arrow in zip(traces.field_points, traces.field, strict=True):
        descent = -(LINE.X @ beta - LINE.y) @ LINE.X
        np.testing.assert_allclose(arrow, descent / np.linalg.norm(descent), atol=1e-6)


def test_a_classification_keeps_directions_and_its_cone(cone):
    flow, limit = cone
    traces = plotting.trajectory_traces(CONE, [flow], limits=[limit])
    (path,) = traces.paths
    beta = flow.coefficients
    np.testing.assert_allclose(
        np.linalg.norm(path.points, axis=1), np.arcsinh(np.linalg.norm(beta, axis=1))
    )
    crossed = path.points[:, 0] * beta[:, 1] - path.points[:, 1] * beta[:, 0]
    np.testing.assert_allclose(crossed, 0.0, atol=1e-9 * np.abs(beta).max())
    np.testing.assert_allclose(
        path.limit / np.linalg.norm(path.limit),
        limit.coefficients / np.linalg.norm(limit.coefficients),
    )
    edge, middle, other = traces.cone @ CONE.X.T
    assert (middle > 0).all()
    assert (edge.min(), other.min()) == pytest.approx((0.0, 0.0), abs=1e-12)
    assert traces.minima is None


def test_one_point_leaves_a_half_plane(cone):
    traces = plotting.trajectory_traces(Classification([[1.0, 2.0]], [1]), [cone[0]])
    assert traces.cone[0] == pytest.approx(-traces.cone[2])
    assert traces.cone[1] == pytest.approx(np.array([1.0, 2.0]) / np.sqrt(5))


def test_a_small_scale_limit_is_marked_as_such():
    flow, limit = trained(LINE, 0.5, FULL)
    (path,) = plotting.trajectory_traces(LINE, [flow], limits=[limit]).paths
    assert not path.exact


def test_more_features_are_projected():
    problem = Regression([[1.0, 2.0, -1.0], [0.5, 1.0, 2.0]], [1.0, 2.0])
    network = DiagonalNetwork(3, 2)
    init = Initialization.last_layer_zero(network, np.ones(3), 0.1)
    flow = gradient_flow(network, problem, init)
    traces = plotting.trajectory_traces(problem, [flow])
    np.testing.assert_allclose(traces.projection @ traces.projection.T, np.eye(2), atol=1e-12)
    point, direction = traces.minima
    end = traces.projection @ flow.final_coefficients - point
    assert abs(end[0] * direction[1] - end[1] * direction[0]) < 1e-8
    assert not len(traces.field)
    given = plotting.trajectory_traces(problem, [flow], projection=np.eye(3)[:2])
    np.testing.assert_array_equal(given.paths[0].points, flow.coefficients[:, :2])


@pytest.mark.parametrize("case", ["line", "cone"])
def test_drawing_names_every_part_once(case, request):
    flow, limit = request.getfixturevalue(case)
    problem, region = (LINE, "global minima") if case == "line" else (CONE, "separators")
    ax = Figure().subplots()
    drawn = plotting.trajectories(problem, [flow] * 2, limits=[limit] * 2, names=["a"] * 2, ax=ax)
    assert drawn is ax
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert sorted(labels) == sorted([region, "a", "start", "predicted limit"])
    ax.figure.canvas.draw()


BAD = {
    "no flow": (lambda flow: {"flows": []}, "flows is empty"),
    "limits": (lambda flow: {"limits": []}, "limits has 0 entries; expected 1"),
    "names": (lambda flow: {"names": ["a", "b"]}, "expected 1 of them"),
    "projection": (lambda flow: {"projection": np.ones((2, 2))}, "expected two independent rows"),
    "problem": (lambda flow: {"problem": Regression(np.eye(3), np.ones(3))}, "has 2 coefficients"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments_are_named(case, line):
    arguments, text = BAD[case]
    given = {"problem": LINE, "flows": [line[0]]} | arguments(line[0])
    with pytest.raises(InvalidInputError, match=text):
        plotting.trajectory_traces(**given)
