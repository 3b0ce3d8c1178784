"""``implicitbias data``: what it says of a table is what the commands that fit then do."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from implicitbias.cli import main

MESSY = (
    "city,celsius,fahrenheit,a,again,seven,y,kind\n"
    "Rom,10.5,50.9,1,1,7,2.5,case\n"
    "Paris,20,68,NA,NA,7,1.5,control\n"
    "Bonn,0,32,3,3,7,3,case\n"
    "Lyon,-5,23,4,4,7,0.5,control\n"
    "Kiel,35,95,2,2,7,8,case\n"
    "Bari,36,96.8,0,0,7,9,case\n"
)


def run(command, file, *arguments, given=None):
    return CliRunner().invoke(main, [command, str(file), *map(str, arguments)], input=given)


@pytest.fixture
def messy(tmp_path):
    file = tmp_path / "messy.csv"
    file.write_text(MESSY)
    return file


def looked(file, *arguments):
    result = run("data", file, *arguments, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    return found, {column["name"]: column for column in found["columns"]}


def test_columns_as_they_are(messy):
    found, columns = looked(messy)
    assert [column["kind"] for column in columns.values()] == [
        *("text", "number", "number", "whole", "whole", "whole", "number", "text")
    ]
    assert columns["city"]["remarks"] == ["Rom, Paris, Bonn, ..."]
    assert (columns["a"]["missing"], columns["a"]["distinct"]) == (1, 5)
    assert (columns["y"]["smallest"], columns["y"]["largest"]) == (0.5, 9.0)
    assert columns["seven"]["remarks"] == ["constant"]
    assert columns["again"]["remarks"] == ["equals 'a'"]
    pair = columns["celsius"]["remarks"] + columns["fahrenheit"]["remarks"]
    assert pair in (
        ["collinear: 1.8 'celsius' + 32"],
        ["collinear: 0.555556 'fahrenheit' - 17.7778"],
    )
    assert found["tasks"] == []
    assert found["rows_used"] == 5


@pytest.mark.parametrize(("task", "target"), [("regression", "y"), ("classification", "kind")])
@pytest.mark.parametrize("intercept", [False, True])
def test_what_is_said_is_what_predict_does(messy, task, target, intercept):
    """With the options that are named, and as they are named."""
    found, _ = looked(messy, "--target", target)
    (said,) = [
        one for one in found["tasks"] if (one["task"], one["intercept"]) == (task, intercept)
    ]
    options = [word.strip("'") for word in found["options"].split()]
    assert "--missing" in options
    options += ["--target", target, "--task", task, "--intercept" if intercept else "--json"]
    done = run("predict", messy, *options)
    assert (done.exit_code == 0) == said["accepted"], (said, done.output)


@pytest.mark.parametrize("seed", range(4))
def test_refusals_are_those_of_predict(tmp_path, seed):
    rng = np.random.default_rng(seed)
    n, d = rng.integers(2, 7, 2)
    X = rng.integers(-2, 3, (n, d))
    file = tmp_path / "drawn.csv"
    names = ",".join(f"x{j}" for j in range(d))
    np.savetxt(file, np.column_stack([X, rng.integers(0, 2, n)]), "%d", ",", header=f"{names},y")
    found, _ = looked(file, "--target", "y")
    assert found["rank"] == np.linalg.matrix_rank(X)
    assert found["rank_with_constant"] == np.linalg.matrix_rank(X - X.mean(axis=0))
    for said in found["tasks"]:
        options = ["--target", "y", "--task", said["task"]] + ["--intercept"] * said["intercept"]
        done = run("predict", file, *options)
        assert (done.exit_code == 0) == said["accepted"], (said, done.output)


def test_text_on_a_page(messy):
    text = run("data", messy, "--target", "y").output
    assert "What makes it readable: --drop city --drop kind --missing NA" in text
    assert "5 complete rows, 5 features: rank 3, and 2 with the columns centred" in text
    assert "y          number" in text
    assert "the target" in text
    assert "--project takes the part that can be fitted" in text
    assert "messy.csv: 6 rows, 8 columns" in text


def test_equal_rows_that_contradict(tmp_path):
    file = tmp_path / "twice.csv"
    file.write_text("a,y\n1,2\n1,3\n4,5\n1,2\n")
    text = run("data", file, "--target", "y").output
    assert "3 rows equal others and differ in the target" in text


def test_units_apart(tmp_path):
    file = tmp_path / "units.csv"
    file.write_text("metre,micron,y\n0.1,3e5,1\n0.5,1e5,2\n0.2,9e5,5\n")
    text = run("data", file, "--target", "y").output
    assert "units apart: 'micron' varies 2e+06 times as much as 'metre'" in text


def test_a_single_cell_of_text_is_named_with_its_line(tmp_path):
    file = tmp_path / "slip.csv"
    file.write_text("a,y\n1,2\n2,inf\nx,3\n4,5\n")
    _, columns = looked(file, "--target", "y")
    assert columns["a"]["remarks"] == ["line 4: 'x' is not a number"]
    assert columns["y"]["remarks"] == ["line 3: 'inf' is infinite or beyond 1.8e308"]
    assert columns["a"]["kind"] == "whole"


def test_many_columns_begin_with_what_is_to_be_said(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((4, 60))
    X[:, 57] = 3.0
    np.savez(tmp_path / "wide.npz", X=X, y=np.arange(4.0))
    lines = run("data", tmp_path / "wide.npz", "--target", "y").output.splitlines()
    assert lines[2].split()[0] == "X[57]"
    assert "... and 21 other columns (--json prints all)" in lines
    assert len(looked(tmp_path / "wide.npz")[1]) == 61


REFUSED = {
    "no such target": (["--target", "z"], 1, "has no column 'z'; its columns are city, celsius"),
    "no such column": (["--drop", "z"], 1, "has no column 'z'"),
    "marks": (["--thousands", ",", "--decimal", ","], 2, "are the same mark"),
    "nothing left": ([f"--drop={name}" for name in MESSY.split("\n")[0].split(",")], 1, "dropped"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(messy, case):
    options, code, text = REFUSED[case]
    done = run("data", messy, *options)
    assert done.exit_code == code
    assert text in done.stderr
    assert done.stdout == ""


def test_arrays_of_different_lengths(tmp_path):
    np.savez(tmp_path / "two.npz", X=np.ones((5, 3)), z=np.ones(4))
    done = run("data", tmp_path / "two.npz")
    assert done.exit_code == 1
    assert "the array 'z' has shape (4,); expected (5,) or (5, k), like the first array" in (
        done.stderr
    )


def test_standard_input():
    done = run("data", "-", "--target", "y", given="a,y\n1,2\n2,4\n")
    assert done.exit_code == 0
    assert "standard input: 2 rows, 2 columns" in done.output
    assert "can be used: rank 1, only one set of coefficients fits" in done.output
