"""Options that say how a file is to be understood, as a user gives them."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from implicitbias.cli import main

PLAIN = b"a,b,y\n1,2,3\n4,5,7\n"
CLASSES = b"a,b,kind\n1,2,case\n-1,0.5,control\n2,-1,case\n"


def run(tmp_path, content, *arguments, command="predict"):
    file = tmp_path / "data.csv"
    file.write_bytes(content)
    return CliRunner().invoke(main, [command, str(file), *map(str, arguments)])


def coefficients(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["coefficients"]


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (b"a y b\n1 3 2\n4 7 5\n", ["--sep", "space"]),
        (b"a\ty\tb\n1\t3\t2\n4\t7\t5\n", ["--sep", "tab"]),
        (b"a;y;b\n1,0;3;2\n4;7;5\n", ["--decimal", ","]),
        (b'a,y,b\n"0,001",3,2\n4,7,5\n', ["--thousands", ","]),
        ("a,y,b\n1,3,2\n4,7,5\n".encode("utf-16-le"), ["--encoding", "utf-16-le"]),
        (b"a,y,b\n1,3,2\n9,-999,9\n8,,8\n4,7,5\n", ["--missing", "-999", "--missing", ""]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_every_way_to_write_a_table_gives_the_same_answer(tmp_path, content, options):
    expected = coefficients(run(tmp_path, PLAIN, "--target", "y", "--json"))
    assert coefficients(run(tmp_path, content, "--target", "y", "--json", *options)) == expected


def test_no_header(tmp_path):
    bare = b"1,2,3\n4,5,7\n"
    refused = run(tmp_path, bare, "--target", 3)
    assert refused.exit_code == 1
    assert "pass --no-header" in refused.stderr
    expected = coefficients(run(tmp_path, PLAIN, "--target", "y", "--json"))
    found = coefficients(run(tmp_path, bare, "--target", 3, "--no-header", "--json"))
    assert found == {"1": expected["a"], "2": expected["b"]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sep", "::"], "'::' cannot separate cells"),
        (["--sep", "a"], "'a' cannot separate cells"),
        (["--encoding", "klingon"], "'klingon' is no text encoding"),
        (["--encoding", "hex"], "'hex' is no text encoding"),
        (["--thousands", ",", "--decimal", ","], "are the same mark"),
        (["--positive", "x"], "--positive is for --task classification"),
        (["--force"], "--force is for --out DIR"),
    ],
)
def test_options_that_are_not_understood(tmp_path, options, message):
    result = run(tmp_path, PLAIN, "--target", "y", *options)
    assert result.exit_code == 2
    assert message in result.stderr


def test_positive_says_which_label_is_plus_one(tmp_path):
    options = ("--target", "kind", "--task", "classification")
    default = run(tmp_path, CLASSES, *options)
    assert "case as -1 and control as +1" in default.stdout
    chosen = run(tmp_path, CLASSES, *options, "--positive", "case")
    assert "control as -1 and case as +1" in chosen.stdout
    first = coefficients(run(tmp_path, CLASSES, *options, "--json"))
    second = coefficients(run(tmp_path, CLASSES, *options, "--json", "--positive", "case"))
    np.testing.assert_allclose(list(first.values()), [-value for value in second.values()])
    wrong = run(tmp_path, CLASSES, *options, "--positive", "Case")
    assert "holds no label 'Case'; --positive names one of case, control" in wrong.stderr
    assert json.loads(run(tmp_path, CLASSES, *options, "--json").stdout)["data"] in default.stdout
    signs = CLASSES.replace(b"case", b"1").replace(b"control", b"-1")
    assert "1 as -1 and -1 as +1" in run(tmp_path, signs, *options, "--positive", "-1").stdout


def test_other_than_two_labels(tmp_path):
    options = ("--target", "y", "--task", "classification")
    three = run(tmp_path, b"a,y\n1,x\n2,z\n3,w\n", *options)
    assert "column 'y' of data.csv holds 3 different labels (w, x, z)" in three.stderr
    numbers = run(tmp_path, b"a,y\n1,0.5\n2,1.5\n3,2\n", *options)
    assert "A column of numbers is fitted without that option" in numbers.stderr
    assert "holds 1 label (x)" in run(tmp_path, b"a,y\n1,x\n2,x\n", *options).stderr


def test_predict_at_the_ends_of_the_scale(tmp_path):
    limits = json.loads(run(tmp_path, PLAIN, "--target", "y", "--json", command="path").stdout)
    for scale, index in (("inf", 0), ("0", -1)):
        result = run(tmp_path, PLAIN, "--target", "y", "--json", "--scale", scale)
        assert json.loads(result.stdout) == {"data": limits["data"]} | limits["limits"][index]
    options = ("--target", "kind", "--task", "classification", "--scale", 0)
    refused = run(tmp_path, CLASSES, *options)
    assert refused.exit_code == 2
    assert "forgets the scale" in refused.stderr


def test_standard_input():
    for content in (PLAIN, b"a\ty\tb\r\n1\t3\t2\r\n4\t7\t5\r\n"):
        result = CliRunner().invoke(main, ["predict", "-", "--target", "y"], input=content)
        assert result.exit_code == 0
        assert "diagonal network of 2 layers on standard input, 2 x 2" in result.stdout
    empty = CliRunner().invoke(main, ["predict", "-", "--target", "y"], input=b"")
    assert "standard input is empty" in empty.stderr
