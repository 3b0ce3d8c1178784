"""A classifier along its margin: the page's numbers against the library's."""

import numpy as np
import pytest

import implicitbias as ib

POINTS = np.array([[1.0, 2.0], [2.0, 2.5], [-1.0, 0.3]])
LABELS = [1, 1, -1]


PROBLEM = ib.Classification(POINTS, LABELS)


def made(network):
    (found,) = ib.explore(PROBLEM, networks=[network], depths=[2]).data["tasks"]
    return found


@pytest.fixture(scope="module")
def task():
    return made("diagonal")


def rows_of(frame):
    return {row["name"]: row["values"] for row in frame["rows"]}


def test_directions_are_those_of_the_flow_and_end_at_the_prediction(task):
    (scales,) = [each["options"] for each in task["controls"] if each["id"] == "start_scale"]
    init = ib.Initialization([np.ones(2), np.zeros(2)], scale=float(scales[1]))
    situation = ib.DiagonalNetwork(2, 2), PROBLEM, init
    found = task["store"][task["frames"]["0.0.1.1"]]
    flow = ib.gradient_flow(*situation, until_margin=1e6)
    limit = ib.predict_limit(*situation)
    directions = found["columns"][0]["values"]
    signed = POINTS * np.array(LABELS)[:, None]
    np.testing.assert_allclose((signed @ np.transpose(directions)).min(axis=0), 1.0, rtol=1e-9)
    losses = np.exp(-signed @ (10.0 ** found["x"][3] * np.array(directions[3]))).sum()
    assert rows_of(found)["log₁₀ of the loss"][3] == pytest.approx(np.log10(losses), rel=1e-9)
    saved = {tuple(row) for row in flow.directions.tolist()}
    assert {tuple(row) for row in directions[:-1]} <= saved
    assert tuple(flow.final_direction) == tuple(directions[-2])
    assert directions[-1] == limit.coefficients.tolist()
    predicted = [limit.coefficients.tolist()]
    assert found["columns"][1] == {"name": "predicted", "values": predicted, "fixed": True}
    assert found["x"][-2] == pytest.approx(6.0)
    assert found["x"][-1] == "inf"
    assert (np.diff(found["x"][:-1]) > 0).all()


def test_fully_connected_networks_end_at_the_l2_margin():
    task = made("fully_connected")
    assert len(task["store"]) == 2
    assert len(task["frames"]) == 6
    found = task["store"][task["frames"]["0.0.1.1"]]
    directions = np.array(found["columns"][0]["values"])
    norms = np.linalg.norm(directions, axis=1)
    assert norms.argmin() == len(norms) - 1
    ratios = rows_of(found)["normalised margin / predicted"]
    np.testing.assert_allclose(ratios, norms[-1] / norms, rtol=1e-12)
    np.testing.assert_allclose(directions[-2], directions[-1], atol=1e-4)


def test_angles_and_normalised_margins(task):
    found = task["store"][task["frames"]["0.0.1.1"]]
    rows = rows_of(found)
    directions = np.array(found["columns"][0]["values"])
    end = directions[-1]
    cosines = directions @ end / np.linalg.norm(directions, axis=1) / np.linalg.norm(end)
    angles = rows["angle to the prediction, radians"]
    assert angles[-1] is None
    np.testing.assert_allclose(np.cos(angles[:-1]), cosines[:-1], atol=1e-12)
    ratios = np.abs(end).sum() / np.abs(directions).sum(axis=1)  # p = 2 / L = 1
    np.testing.assert_allclose(rows["normalised margin / predicted"], ratios, rtol=1e-12)
    assert rows["log₁₀ of the loss"][-1] == "-inf"


def test_the_plane_shows_where_the_slider_is(task):
    found = task["store"][task["frames"]["0.0.1.0"]]
    here = found["plane"]["moving"][0]["points"]
    assert len(here) == len(found["x"])
    assert here[-1] is None
    for drawn, beta in zip(here[:-1], found["columns"][0]["values"][:-1], strict=True):
        np.testing.assert_allclose(
            np.array(drawn) / np.linalg.norm(drawn), np.array(beta) / np.linalg.norm(beta)
        )


def test_classes_that_cannot_be_separated_are_refused():
    mixed = ib.Classification([[1.0], [2.0], [3.0]], [1, -1, 1])
    with pytest.raises(ib.InfeasibleProblemError):
        ib.explore(mixed)
