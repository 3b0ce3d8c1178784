"""Finite steps against the flow: the page's numbers against the library's."""

import numpy as np
import pytest
import scipy.sparse

import implicitbias as ib
from helpers.draws import normal

PROBLEM = ib.Regression([[1.0, 2.0, 0.5]], [2.0])


@pytest.fixture(scope="module")
def task():
    page = ib.explore(
        PROBLEM, networks=["convolutional", "diagonal"], depths=[2], scales=[0.1, 1.0]
    )
    return page.data["tasks"][1]


def chosen(task, name, index):
    (found,) = [each["options"] for each in task["controls"] if each["id"] == name]
    return float(found[index])


@pytest.mark.parametrize("step", [0, 1, 2])
def test_runs_and_flows_are_those_of_the_library(task, step):
    scale, part = chosen(task, "start_scale", 1), chosen(task, "step", step)
    network = ib.DiagonalNetwork(3, 2)
    init = ib.Initialization([np.ones(3), np.zeros(3)], scale=scale)
    limit = ib.predict_limit(network, PROBLEM, init)
    stable = ib.Run.from_weights(network, PROBLEM, [init, limit.parameters]).largest_stable_step
    found = task["store"][task["frames"][f"0.0.1.{step}"]]
    gamma = found["x"][-1] / found["rows"][0]["values"][-1]
    assert gamma == pytest.approx(part * stable, rel=1e-6)

    order = [int(name[1:]) - 1 for name in found["names"]]
    flow, descent = (np.array(column["values"]) for column in found["columns"])
    steps = found["rows"][0]["values"][1:]
    run = ib.gradient_descent(network, PROBLEM, init, step=gamma, times=steps)
    calm = len(steps) if step < 2 else 8  # beyond the stable step rounding grows
    np.testing.assert_allclose(
        descent[1 : calm + 1], run.coefficients[-len(steps) :, order][:calm], rtol=1e-6
    )
    for time, beta in zip(found["x"][1:], flow[1:], strict=True):
        there = ib.gradient_flow(network, PROBLEM, init, max_time=time)
        np.testing.assert_allclose(beta, there.final_coefficients[order], rtol=1e-6)
    np.testing.assert_array_equal(flow[0], descent[0])
    np.testing.assert_allclose(flow[-1], limit.coefficients[order], rtol=1e-6)
    assert "error" in found["said"][0]


def test_small_steps_end_where_the_flow_does_and_large_ones_do_not(task):
    def distance(step):
        found = task["store"][task["frames"][f"0.0.0.{step}"]]
        flow, descent = (np.array(column["values"][-1]) for column in found["columns"])
        return np.abs(flow - descent).max()

    assert distance(0) < 0.2 * distance(2)


def test_a_network_that_trains_nothing_here_has_no_training():
    page = ib.explore(PROBLEM, networks=["convolutional"], depths=[2], scales=[0.1, 1.0])
    assert [task["name"] for task in page.data["tasks"]] == ["Regression: limits"]


def test_sparse_tables_leave_training_out_and_say_so():
    problem = ib.Regression(scipy.sparse.csr_array([[1.0, 2.0]]), [2.0])
    page = ib.explore(problem, networks=["diagonal"], depths=[2], scales=[0.1, 1.0])
    assert len(page.data["tasks"]) == 1
    assert "left out: X is sparse" in page.data["about"]


def test_where_nothing_moves_there_is_no_training():
    page = ib.explore(ib.Regression([[1.0, 2.0, 3.0]], [0.0]), networks=["diagonal"], depths=[2])
    assert [task["name"] for task in page.data["tasks"]] == ["Regression: limits"]


def test_large_tables_leave_training_out_and_say_so():
    X, y = normal(1, (5, 500), 5)
    page = ib.explore(ib.Regression(X, y), networks=["diagonal"], depths=[2], scales=[0.1, 1.0])
    assert len(page.data["tasks"]) == 1
    assert "left out: X has more than 2,000 entries" in page.data["about"]
