"""``--standardise``: the answer for divided columns, given back in the table's own units."""

import csv
import json

import numpy as np
import pytest
from click.testing import CliRunner

import implicitbias as ib
from implicitbias.cli import main
from implicitbias.problems import spreads

NAMES = ("metre", "micron", "flat", "year", "count")


def table(seed=4, n=4):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 5)) * [1.0, 1e6, 0.0, 3.0, 20.0] + [0, 0, 7.0, 2000.0, 5.0]
    return X, rng.standard_normal(n)


def written(file, X, y, names=NAMES):
    rows = np.column_stack([X, y])
    np.savetxt(file, rows, "%.17g", ",", header=",".join([*names, "y"]), comments="")
    return file


def run(command, file, *arguments):
    return CliRunner().invoke(main, [command, str(file), "--target", "y", *map(str, arguments)])


def answer(command, file, *arguments):
    result = run(command, file, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def vector(found):
    return np.array(list(found["coefficients"].values()))


@pytest.mark.parametrize("command", ["predict", "flow"])
@pytest.mark.parametrize("intercept", ["--intercept", "--no-intercept"])
def test_coefficients_are_the_tables(tmp_path, command, intercept):
    X, y = table()
    file = written(tmp_path / "own.csv", X, y)
    divided = written(tmp_path / "divided.csv", X / np.where(spreads(X) > 0, spreads(X), 1.0), y)
    options = ("--scale", 0.3, intercept)
    found = answer(command, file, *options, "--standardise")
    by_hand = answer(command, divided, *options)
    scale = np.array(list(found["divided_by"].values()))
    np.testing.assert_allclose(scale[[0, 1, 3, 4]], X[:, [0, 1, 3, 4]].std(axis=0))
    assert scale[2] == 1.0
    np.testing.assert_allclose(vector(found) * scale, vector(by_hand), rtol=1e-7, atol=1e-9)
    constant = found["intercept"] or 0.0
    np.testing.assert_allclose(X @ vector(found) + constant, y, rtol=1e-7, atol=1e-8)
    plain = answer(command, file, *options)
    assert "divided_by" not in plain
    assert np.abs(vector(plain) * scale - vector(found) * scale).max() > 1e-5


def test_units_play_no_part(tmp_path):
    X, y = table()
    units = np.array([1e-5, 1e4, 1.0, 2.0, 100.0])
    one = answer("predict", written(tmp_path / "a.csv", X, y), "--intercept", "--standardise")
    other = answer(
        "predict", written(tmp_path / "b.csv", X * units, y), "--intercept", "--standardise"
    )
    np.testing.assert_allclose(vector(other) * units, vector(one), rtol=1e-9)
    assert other["intercept"] == pytest.approx(one["intercept"], rel=1e-9)


def test_classification_with_a_column_of_ones(tmp_path):
    X, y = table(n=5)
    labels = np.where(y > np.median(y), 1, -1)
    file = written(tmp_path / "two.csv", X, labels)
    found = answer("predict", file, "--task", "classification", "--intercept", "--standardise")
    margins = labels * (X @ vector(found) + found["intercept"])
    assert margins.min() == pytest.approx(1.0, rel=1e-9)
    scale = np.array(list(found["divided_by"].values()))
    problem = ib.Classification(np.column_stack([X / scale, np.ones(5)]), labels)
    network = ib.DiagonalNetwork(6, 2)
    init = ib.Initialization([np.ones(6), np.zeros(6)], 1.0)
    expected = ib.predict_limit(network, problem, init).coefficients
    np.testing.assert_allclose(vector(found) * scale, expected[:-1], rtol=1e-9, atol=1e-12)
    assert found["intercept"] == pytest.approx(expected[-1], rel=1e-9)


def test_files_hold_the_same_and_load_what_was_trained(tmp_path):
    X, y = table()
    file = written(tmp_path / "own.csv", X, y)
    found = answer("predict", file, "--standardise", "--out", tmp_path / "out")
    written_file = (tmp_path / "out" / "coefficients.csv").read_text(encoding="utf-8")
    rows = list(csv.reader(written_file.splitlines()))[1:]
    np.testing.assert_array_equal([float(row[1]) for row in rows], vector(found))
    summary = json.loads((tmp_path / "out" / "result.json").read_text())
    assert summary["divided_by"] == found["divided_by"]
    kept = ib.load(tmp_path / "out" / "result.npz").coefficients
    scale = np.array(list(found["divided_by"].values()))
    np.testing.assert_array_equal(kept / scale, vector(found))


def test_an_end_is_given_in_the_tables_units(tmp_path):
    X, y = table()
    file = written(tmp_path / "own.csv", X, y)
    np.savez(tmp_path / "end.npz", vector(answer("flow", file, "--standardise")))
    held = answer("predict", file, "--standardise", "--end", tmp_path / "end.npz")
    assert held["end"]["verdict"] == "agrees"
    assert run("predict", file, "--end", tmp_path / "end.npz").exit_code == 1


def test_what_is_printed_says_what_it_is(tmp_path):
    file = written(tmp_path / "own.csv", *table())
    text = run("predict", file, "--standardise").output
    assert "columns divided by their standard deviations" in text
    assert "These are for the columns as they stand in the table" in text
    text = run("path", file, "--standardise", "--num", 2).output
    assert "Norms are those of the coefficients of the divided columns" in text
    text = run("explain", file, "--standardise").output
    assert "Coefficients here are those of the columns as divided." in text
    assert "divided" not in run("predict", file).output


def test_deviations_beyond_float64_are_refused(tmp_path):
    X, y = table()
    X[:, 1] *= 1e120
    done = run("predict", written(tmp_path / "far.csv", X, y), "--standardise")
    assert done.exit_code == 1
    assert "the standard deviation of a column is of size" in done.stderr


def test_time_stamps_lose_nothing_to_the_division(tmp_path):
    """Over its deviation of 2e3 a stamp of 1.7e12 is kept to 1e-7, and eight rows contradict."""
    stamps = 1.7e12 + 1000.0 * np.arange(8.0)
    y = 3e-3 * (stamps - stamps[0]) - 2.0
    file = written(tmp_path / "stamps.csv", stamps[:, None], y, names=("stamp",))
    found = answer("predict", file, "--intercept", "--standardise")
    assert found["coefficients"]["stamp"] == pytest.approx(3e-3, rel=1e-12)
    assert found["intercept"] == pytest.approx(-2.0 - 3e-3 * 1.7e12, rel=1e-12)
    assert found["certificate"]["error"] < 1e-12
