"""implicitbias sweep: what a person types and reads."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from implicitbias.cli import main
from implicitbias.cli._sweep import _time

PLAN = """
verb = "predict"
[data]
name = "sparse"
num_points = [3, 9]
num_features = 6
num_nonzero = 1
seed = 0
[network]
name = "diagonal"
[start]
scale = [0.01, 1.0]
"""


@pytest.fixture(autouse=True)
def _without_figures(monkeypatch):
    monkeypatch.setattr("implicitbias.sweeps._sweep.draw", lambda *_, **__: [])


@pytest.fixture
def plan(tmp_path):
    file = tmp_path / "plan.toml"
    file.write_text(PLAN)
    return file


def run(*arguments):
    return CliRunner().invoke(main, ["sweep", *map(str, arguments)])


def test_what_a_person_reads(plan, tmp_path):
    result = run(plan, "--out", tmp_path / "out", "--workers", 1)
    assert result.exit_code == 1  # two tasks have no result
    assert result.stdout.splitlines()[0] == "Sweep of predict, 4 tasks: 2 ok, 2 refused"
    assert "Corollary 5" in result.stdout
    assert "2 refused: InvalidInputError; task 2: num_points is 9" in result.stdout
    assert "%" not in result.stderr  # no progress where nobody watches
    assert f"Written to {tmp_path / 'out'}: results.csv" in result.stderr


def test_everything_answered_is_exit_code_0_and_json_says_what_is_there(plan, tmp_path):
    plan.write_text(PLAN.replace("[3, 9]", "3"))
    result = run(plan, "--out", tmp_path / "out", "--workers", 1, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["tasks"], found["refused"], found["complete"]) == (2, 0, True)
    assert all((tmp_path / "out" / name).exists() for name in found["files"])
    quiet = run(plan, "--out", tmp_path / "out", "--workers", 1, "--quiet")
    assert (quiet.exit_code, quiet.output) == (0, "")


def test_a_dry_run_counts_estimates_and_writes_nothing(plan, tmp_path, monkeypatch):
    from concurrent.futures import Future

    from implicitbias.sweeps import _estimate

    class Timed:
        def __init__(self, workers):
            pass

        def submit(self, work, batch):
            found = Future()
            found.set_result([{"seconds": 2.0 + batch[0][0]}])
            return found

        def close(self):
            pass

    monkeypatch.setattr(_estimate, "Processes", Timed)
    result = run(plan, "--dry-run", "--workers", 2)
    assert result.exit_code == 0, result.output
    assert "4 tasks of predict" in result.stdout
    assert "data.num_points: 2 values" in result.stdout
    assert "4 tasks tried: 3.5 s each (2 to 5)" in result.stdout
    assert "about 7.0 s on 2 processes" in result.stdout
    assert [file.name for file in tmp_path.iterdir()] == ["plan.toml"]


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ((), 2, "--out DIR is needed, or --dry-run"),
        (("--out", "x", "--workers", 1, "--dask", "tcp://x:1"), 2, "both say who works"),
        (("--out", "x", "--workers", 0), 2, "--workers"),
    ],
)
def test_options_that_are_refused(options, code, message, plan, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(plan, *options)
    assert result.exit_code == code
    assert message in result.output
    assert not (tmp_path / "x").exists()


def test_a_slip_in_the_plan_and_a_changed_one(plan, tmp_path):
    out = tmp_path / "out"
    assert run(plan, "--out", out, "--workers", 1, "--quiet").exit_code == 1
    plan.write_text(PLAN.replace("1.0]", "2.0]"))
    result = run(plan, "--out", out, "--workers", 1)
    assert result.exit_code == 1
    assert "start.scale was [0.01, 1.0], is [0.01, 2.0]" in result.output
    plan.write_text(PLAN.replace("[start]", "[strat]"))
    assert "Did you mean 'start'?" in run(plan, "--out", out).output


def test_ctrl_c_says_what_is_kept(plan, tmp_path, monkeypatch):
    from implicitbias.sweeps import _loop

    whole = _loop.Loop._write

    def interrupted(loop, records):
        whole(loop, records)
        raise KeyboardInterrupt

    monkeypatch.setattr(_loop.Loop, "_write", interrupted)
    result = run(plan, "--out", tmp_path / "out", "--workers", 1)
    assert result.exit_code == 130
    assert "of 4 tasks are finished and kept" in result.stderr


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((0.04, "0.0 s"), (9.94, "9.9 s"), (59.4, "59 s"), (61, "1 min 1 s")),
        *((3599.6, "1 h 0 min"), (90_000, "1 d 1 h"), (np.float64(12.3), "12 s")),
    ],
)
def test_times_in_words(seconds, text):
    assert _time(seconds) == text
