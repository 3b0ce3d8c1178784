"""Sweeps: every row is what the function itself says."""

import csv

import numpy as np
import pandas as pd
import pytest

import implicitbias as ib
from helpers.draws import normal
from helpers.sweeps import PLAN, plan
from implicitbias.sweeps._data import load_file

CLASSES = {"name": "separable", "num_points": 6, "num_features": 4, "margin": 0.5, "seed": 1}


@pytest.fixture(autouse=True)
def _without_figures(request, monkeypatch):
    """They take longer than all else."""
    if "drawn" not in request.fixturenames:
        monkeypatch.setattr("implicitbias.sweeps._sweep.draw", lambda *_, **__: [])


@pytest.fixture
def drawn():
    """Asks for figures."""


def swept(folder, **changes):
    return ib.sweep(plan(**changes), folder, workers=1)


def test_predictions_are_those_of_predict_limit(tmp_path):
    result = swept(tmp_path / "out", save_coefficients=True)
    assert str(result).startswith("Sweep of predict, 12 tasks: 12 ok")
    assert result.complete
    for row in result.table.itertuples():
        problem = ib.datasets.sparse(3, 6, 1, row.data_seed)
        network = ib.DiagonalNetwork(6, row.network_depth)
        start = ib.Initialization.last_layer_zero(network, np.ones(6), row.start_scale)
        limit = ib.predict_limit(network, problem, start)
        np.testing.assert_array_equal(result.coefficients(row.task), limit.coefficients)
        assert row.certificate_worst == limit.certificate.worst
        assert row.certificate_error == limit.certificate.error
        assert row.theorem == limit.theorem
        assert (row.n, row.d, row.rank) == (3, 6, 3)
        assert row.l1 == pytest.approx(np.abs(limit.coefficients).sum(), rel=1e-15)
        error = np.linalg.norm(limit.coefficients - np.eye(6)[0])
        assert row.truth_error == pytest.approx(error, rel=1e-12)


def test_the_files_are_the_table(tmp_path, drawn):
    result = swept(tmp_path)
    with (tmp_path / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    whole = pd.read_parquet(tmp_path / "results.parquet")
    pd.testing.assert_frame_equal(whole, result.table)
    for name in ("certificate_worst", "l1", "start_scale"):
        assert [float(row[name]) for row in rows] == result.table[name].to_list()
    assert len(pd.read_csv(tmp_path / "seconds.csv")) == 12
    assert "seconds" not in result.table
    assert set(result.files) == {
        "results.csv", "seconds.csv", "results.parquet", "measures.png", "certificates.png"
    }  # fmt: skip


def test_descent_is_that_of_gradient_descent_and_is_held_against_the_limit(tmp_path):
    options = {"step": [0.02, 0.05], "batch_size": 2, "seed": [0, 1]}
    data = PLAN["data"] | {"seed": 0}
    result = swept(tmp_path, verb="descend", data=data, descend=options, compare=True,
                   network={"name": "diagonal"}, start={"scale": 0.5, "seed": 3})  # fmt: skip
    problem, network = ib.datasets.sparse(3, 6, 1, 0), ib.DiagonalNetwork(6, 2)
    start = ib.Initialization.random(network, 0.5, 3)
    for row in result.table.itertuples():
        run = ib.gradient_descent(network, problem, start, step=row.descend_step, batch_size=2,
                                  seed=row.descend_seed)  # fmt: skip
        held = ib.compare(run, ib.predict_limit(network, problem, start))
        assert row.num_steps == run.num_steps
        assert row.l2 == np.linalg.norm(run.final_coefficients)
        assert (row.outcome, row.verdict) == (run.outcome.name, held.verdict)
        assert row.distance == held.distance


def test_flows_and_verification(tmp_path):
    data = PLAN["data"] | {"seed": [0, 1]}
    flows = swept(tmp_path / "flow", verb="flow", data=data, flow={"until_residual": 1e-6})
    assert flows.table["converged"].all()
    assert (flows.table["residual"] <= 1e-6).all()
    held = swept(tmp_path / "verify", verb="verify", data=data, network={"name": "diagonal"})
    assert set(held.table["verdict"]) == {"agrees"}
    assert (held.table["comparison_error"] < 1e-8).all()


def test_directions_are_held_against_the_one_behind_the_data(tmp_path):
    """The l2 margin of these data is largest along w: fully connected networks go there."""
    network = {"name": "fully_connected", "width": [1, 2]}
    result = swept(tmp_path, data=CLASSES, network=network, start={})
    assert (result.table["kind"] == "direction").all()
    assert (result.table["truth_error"] < 1e-8).all()
    np.testing.assert_allclose(result.table["l2"], 2.0, rtol=1e-8)  # of margin 1: w has 0.5


def test_scales_at_both_ends(tmp_path):
    result = swept(tmp_path, start={"scale": [0, 1e-3, np.inf]}, save_coefficients=True)
    problem, network = ib.datasets.sparse(3, 6, 1, 0), ib.DiagonalNetwork(6, 2)
    start = ib.Initialization.last_layer_zero(network, np.ones(6), 1.0)
    ends = ib.limit_path(network, problem, start, [0.0, np.inf])
    np.testing.assert_array_equal(result.coefficients(0), ends.coefficients[0])
    least = np.linalg.pinv(problem.X) @ problem.y
    np.testing.assert_allclose(result.coefficients(2), least, rtol=1e-10)


def test_refusals_are_rows_with_their_evidence(tmp_path):
    import json

    data = [PLAN["data"] | {"seed": 0, "num_points": [3, 9]}]
    network = [{"name": "diagonal"}, {"name": "convolutional", "depth": 3}]
    result = swept(tmp_path, data=data, network=network, start={"scale": 1.0})
    table = result.table.set_index(["data_num_points", "network_name"])
    assert list(result.table["status"]) == ["ok", "refused", "refused", "refused"]
    refused = table.loc[(3, "convolutional")]
    assert refused["error_type"] == "NoPredictionError"
    assert not result.complete
    failures = json.loads((tmp_path / "failures.json").read_text())
    first = failures[0]
    assert first["parameters"]["network"] == {"name": "convolutional", "depth": 3}
    assert any(each["status"] == "fails" for each in first["evidence"]["assumptions"])
    assert "num_points <= num_features" in failures[1]["error"]
    with pytest.raises(ib.InvalidInputError, match="task 1 has no coefficients"):
        result.coefficients(1)


def test_faults_of_ours_are_rows_too(tmp_path, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr("implicitbias.sweeps._task.predict_limit", broken)
    result = swept(tmp_path)
    assert result.num_failed == 12
    assert set(result.table["error_type"]) == {"ZeroDivisionError"}
    monkeypatch.undo()
    assert swept(tmp_path).num_failed == 12
    again = ib.sweep(plan(), tmp_path, workers=1, retry_failed=True)
    assert again.complete
    assert swept(tmp_path).complete


def test_warnings_stand_beside_the_result(tmp_path, monkeypatch):
    import warnings

    from implicitbias.sweeps import _task

    def warned(*arguments, **options):
        warnings.warn("beware", stacklevel=1)
        return ib.predict_limit(*arguments, **options)

    monkeypatch.setattr(_task, "predict_limit", warned)
    assert set(swept(tmp_path).table["warning"]) == {"UserWarning: beware"}


def test_progress_is_told_to_the_end(tmp_path):
    states = []
    ib.sweep(plan(), tmp_path, workers=1, callback=states.append)
    assert states[0].done == 0
    assert states[0].seconds_left is None
    assert [state.done for state in states] == sorted(state.done for state in states)
    assert (states[-1].done, states[-1].total, states[-1].seconds_left) == (12, 12, 0.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "workers is 0"),
        ({"workers": 2, "dask": "tcp://127.0.0.1:1"}, "got both workers and dask"),
        ({"dask": 8786}, "dask is 8786; expected the address"),
        ({"callback": 1}, "callback is 1"),
    ],
)
def test_arguments_are_refused_before_work(options, message, tmp_path):
    with pytest.raises(ib.InvalidInputError, match=message):
        ib.sweep(plan(), tmp_path / "out", **options)


def test_a_folder_without_a_name_is_refused():
    with pytest.raises(ib.InvalidInputError, match="out is None"):
        ib.sweep(plan(), None)


def test_dask_that_is_not_installed_is_named_with_its_extra(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ib.InvalidInputError, match=r"pip install 'implicitbias\[dask\]'"):
        ib.sweep(plan(), tmp_path, dask="tcp://127.0.0.1:1")


(X, BETA) = normal(0, (4, 6), 6)


@pytest.mark.parametrize("kind", ["csv", "parquet", "npz", "npy", "two npy"])
def test_files_of_every_kind_are_the_same_data(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    y = X @ BETA
    frame = pd.DataFrame(np.c_[X, y, y], columns=[*"abcdef", "y", "name"])
    data = {"file": f"data.{kind}", "target": "y"}
    match kind:
        case "csv":
            frame.to_csv("data.csv", index=False)
            data["drop"] = "name"
        case "parquet":
            frame.to_parquet("data.parquet")
            data["drop"] = ["name"]
        case "npz":
            np.savez("data.npz", X=X, y=y)
            del data["target"]
        case "npy":
            np.save("data.npy", np.c_[X, y])
            data["target"] = -1
        case _:
            np.save("X.npy", X)
            np.save("y.npy", y)
            data = {"file": "X.npy", "target": "y.npy"}
    start = {"scale": np.inf}
    result = swept(tmp_path / "out", data=data, start=start, save_coefficients=True)
    least = np.linalg.pinv(X) @ y
    np.testing.assert_allclose(result.coefficients(0), least, rtol=1e-9)


def test_numbers_of_a_csv_file_are_read_to_the_last_bit(tmp_path):
    (matrix,) = normal(3, (50, 40))
    frame = pd.DataFrame(np.c_[matrix, matrix[:, 0]], columns=[*map(str, range(40)), "y"])
    frame.to_csv(tmp_path / "data.csv", index=False)
    found, _ = load_file({"file": "data.csv", "target": "y"}, tmp_path)
    np.testing.assert_array_equal(found, matrix)


def test_intercept_and_projection(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tall, y) = normal(1, (8, 3), 8)
    np.savez("tall.npz", X=tall, y=y)
    data = {"file": "tall.npz", "intercept": [False, True], "project": True}
    network = {"name": "fully_connected"}
    result = swept(tmp_path / "out", data=data, network=network, save_coefficients=True)
    for task, design in ((0, tall), (2, tall - tall.mean(axis=0))):
        expected = np.linalg.lstsq(design, y, rcond=None)[0]
        np.testing.assert_allclose(result.coefficients(task), expected, rtol=1e-9)
    refused = swept(tmp_path / "refused", data={"file": "tall.npz", "intercept": True})
    assert set(refused.table["error_type"]) == {"InfeasibleProblemError"}


BAD_FILES = {
    "text": ("a,b,y\n1,x,3\n", {"target": "y"}, "has text in b"),
    "holes": ("a,b,y\n1,,3\n", {"target": "y"}, "has cells without a value in b"),
    "no target": ("a,b,y\n1,2,3\n", {}, "lacks target"),
    "a slip": ("alpha,b,y\n1,2,3\n", {"target": "alhpa"}, "Did you mean 'alpha'"),
    "an infinity": ("a,b,y\n1,inf,3\n", {"target": "y"}, r"contains inf at index \(0, 1\)"),
    "rounding": ("a,b,y\n1,9007199254740993,3\n", {"target": "y"}, "float64 would round"),
    "a cell too many": ("a,b,y\n1,2,3,4\n", {"target": "y"}, "more cells in a row than names"),
    "a word as target": ("a,y\n1,one\n", {"target": "y"}, "the target in data.csv has dtype"),
    "empty": ("", {"target": "y"}, "cannot be read"),
    "a name twice": ("a,b,a,y\n1,2,3,4\n", {"target": "y"}, "several columns named 'a'"),
    "targets twice": ("a,y, y\n1,2,3\n", {"target": "y"}, "several columns named 'y'"),
}


@pytest.mark.parametrize("title", BAD_FILES)
def test_bad_files_are_refused_before_work(title, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content, data, message = BAD_FILES[title]
    (tmp_path / "data.csv").write_text(content)
    with pytest.raises(ib.InvalidInputError, match=message):
        swept(tmp_path / "out", data={"file": "data.csv"} | data)
    assert not (tmp_path / "out").exists()
