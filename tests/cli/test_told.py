"""What the command line tells people: examples, near misses, and what a list leaves out."""

import re

import click
import numpy as np
import pytest
from click.testing import CliRunner

from implicitbias.cli import main


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("predct", "no command 'predct'; did you mean predict?"),
        ("simulate", "no command 'simulate'; did you mean flow?"),
        ("zzz", "there are data, descend, explain, explore, flow, path, predict, report, sweep"),
        ("--zzz", "No such option"),
    ],
)
def test_a_command_that_is_not_there_names_those_that_are(typed, told):
    result = run(typed)
    assert result.exit_code == 2
    assert told in result.stderr


@pytest.mark.parametrize("name", [None, *sorted(main.commands)])
def test_every_help_has_an_example_that_is_understood(name):
    text = run(*([name] if name else []), "--help").output
    examples = re.findall(r"implicitbias ([a-z]+) (.*)", text.partition("xample")[2])
    assert examples, text
    for command, options in examples:
        arguments = options.split("  ")[0].split()
        main.commands[command].make_parser(click.Context(main.commands[command])).parse_args(
            arguments
        )


@pytest.mark.parametrize(
    ("beta", "told"),
    [
        ([1.0, 0.0], "... and 1 zero\n"),
        ([1.0, 0.0, 0.0], "... and 2 zeros\n"),
        ([1.0] * 16, "... and 1 smaller one (--json prints all)\n"),
        ([1.0] * 17 + [0.0], "... and 2 smaller ones and 1 zero (--json prints all)\n"),
        ([1.0] * 15, ""),
    ],
)
def test_what_a_list_of_coefficients_leaves_out_is_counted(tmp_path, beta, told):
    file = tmp_path / "one.csv"
    names = [f"x{j}" for j in range(len(beta))]
    rows = [[*beta, 1.0]] if any(beta) else []
    lines = [",".join(map(str, line)) for line in [[*names, "y"], *rows]]
    file.write_text("\n".join(lines) + "\n")
    result = run("predict", file, "--target", "y")
    assert result.exit_code == 0, result.output
    assert result.stdout.endswith(told)
    assert ("..." in result.stdout) is bool(told)


def test_layers_that_do_not_fit_name_those_that_do(tmp_path):
    table, layers = tmp_path / "table.csv", tmp_path / "layers.npz"
    table.write_text("a,b,y\n1,2,3\n")
    np.savez(layers, np.ones(3), np.ones(2))
    result = run("predict", table, "--target", "y", "--init", layers)
    assert result.exit_code == 1
    assert "layer 1, has shape (3,)" in result.stderr
    assert "DiagonalNetwork(num_features=2, depth=2) have shapes (2,), (2,)" in result.stderr


def test_more_classes_than_two_are_told_apart_from_numbers(tmp_path):
    words, numbers = tmp_path / "words.csv", tmp_path / "numbers.csv"
    words.write_text("a,y\n1,red\n2,green\n3,blue\n")
    numbers.write_text("a,y\n1,1\n2,2\n3,3\n")
    options = ("--target", "y", "--task", "classification")
    assert "each class against the rest" in run("predict", words, *options).stderr
    assert "is fitted without that option" in run("predict", numbers, *options).stderr


def test_classes_that_cannot_be_separated_name_an_option_and_a_point(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("a,y\n1,1\n2,-1\n3,1\n")
    told = run("predict", table, "--target", "y", "--task", "classification").stderr
    assert "--intercept" in told
    assert re.search(r"the heaviest is X\[\d\], counted from 0", told)
