"""Two-sided networks on the command line."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from implicitbias import Initialization, Regression, TwoSidedDiagonalNetwork, predict_limit
from implicitbias.cli import main

TABLE = "a,b,c,y\n1,2,.5,1\n.5,-1,1,2\n"
X, Y = np.array([[1.0, 2.0, 0.5], [0.5, -1.0, 1.0]]), np.array([1.0, 2.0])


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def run(command, data, *options):
    return CliRunner().invoke(main, [command, str(data), "--target", "y", *options])


@pytest.mark.parametrize("name", ["two-sided", "two_sided"])
@pytest.mark.parametrize("depth", ["2", "2.5"])
def test_predict_is_the_librarys(data, name, depth):
    result = run("predict", data, "--network", name, "--depth", depth, "--scale", ".1", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)["coefficients"]
    network = TwoSidedDiagonalNetwork(3, float(depth))
    init = Initialization([np.ones(3)] * 2, scale=0.1)
    expected = predict_limit(network, Regression(X, Y), init).coefficients
    assert np.allclose([found[name] for name in "abc"], expected, atol=1e-12)


@pytest.mark.parametrize("command", ["path", "flow", "explain"])
def test_other_commands_take_it(data, command):
    result = run(command, data, "--network", "two-sided", "--depth", "2.5")
    assert result.exit_code == 0, result.output
    assert "two-sided network of power 2.5" in result.stdout


def test_random_starts_are_positive(data):
    options = ("--network", "two-sided", "--depth", "2.5", "--seed", "1")
    result = run("predict", data, *options)
    assert result.exit_code == 0, result.output
    assert "two-sided, from every start" in result.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--depth", "2.5"), "Only --network two-sided takes others"),
        (("--network", "two-sided", "--depth", "1.5"), "not in the range"),
        (("--network", "two-sided", "--depth", "nan"), "--depth is too large"),
        (("--network", "two-sided", "--depth", "x"), "not a valid float"),
        (("--network", "two-sided", "--width", "2"), "--width is for fully connected"),
    ],
)
def test_refusals(data, options, words):
    result = run("predict", data, *options)
    assert result.exit_code == 2
    assert words in result.stderr
