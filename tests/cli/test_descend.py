"""implicitbias descend, and layers from files: --init and --end."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import implicitbias as ib
from helpers.draws import normal
from implicitbias.cli import main

X, TRUTH, LAYERS = normal(0, (4, 7), 7, (2, 7))
Y = X @ TRUTH


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def data(tmp_path):
    file = tmp_path / "data.npz"
    np.savez(file, X=X, y=Y)
    return file


@pytest.fixture
def layers(tmp_path):
    file = tmp_path / "layers.npz"
    np.savez(file, *LAYERS)
    return file


def descended(**options):
    problem, network = ib.Regression(X, Y), ib.DiagonalNetwork(7, 2)
    init = ib.Initialization(LAYERS, scale=0.5)
    return ib.gradient_descent(network, problem, init, **options)


def test_the_run_is_that_of_python_and_agrees_with_its_effective_start(data, layers):
    result = run("descend", data, "--target", "y", "--init", layers, "--scale", 0.5, "--json",
                 "--step", 0.02, "--batch-size", 2, "--draws", 3)  # fmt: skip
    assert result.exit_code == 0, result.output
    found, expected = json.loads(result.stdout), descended(step=0.02, batch_size=2, seed=3)
    np.testing.assert_array_equal(list(found["coefficients"].values()), expected.final_coefficients)
    np.testing.assert_array_equal(found["effective_scales"], expected.effective.scales)
    assert found["verdict"] == "agrees"
    assert found["error"] < 1e-9 < 1e-4 < found["distance_to_the_flows_limit"]


def test_what_a_person_reads(data):
    result = run("descend", data, "--target", "y", "--step", 0.02)
    assert result.exit_code == 0, result.output
    for words in ("Run of gradient descent", "effective start: scales", "agrees with Corollary 5"):
        assert words in result.output


def test_noise_that_ends_and_momentum(data):
    noisy = run("descend", data, "--target", "y", "--step", 0.02, "--label-noise", 0.3,
                "--noise-steps", 50)  # fmt: skip
    assert noisy.exit_code == 0, noisy.output
    heavy = run("descend", data, "--target", "y", "--step", 0.02, "--momentum", 0.5)
    assert heavy.exit_code == 0, heavy.output
    assert "momentum = 0.5 mixes the steps" in heavy.output


def test_steps_that_are_too_large_fail_with_the_largest_stable_one(data):
    result = run("descend", data, "--target", "y", "--step", 10)
    assert result.exit_code == 1
    assert "2 / sharpness" in result.output


def test_results_are_written_whole(data, tmp_path):
    out = tmp_path / "out"
    assert run("descend", data, "--target", "y", "--step", 0.02, "--out", out).exit_code == 0
    assert {"coefficients.csv", "result.json", "result.npz"} <= {
        file.name for file in out.iterdir()
    }
    assert isinstance(ib.load(out / "result.npz"), ib.Run)


def test_the_end_is_held_against_the_prediction(data, layers, tmp_path):
    problem, network = ib.Regression(X, Y), ib.DiagonalNetwork(7, 2)
    limit = ib.predict_limit(network, problem, ib.Initialization(LAYERS, scale=1.0))
    ends = {"layers.npz": limit.parameters, "coefficients.npz": (limit.coefficients,)}
    for name, arrays in ends.items():
        np.savez(tmp_path / f"end {name}", *arrays)
        for command in ("predict", "explain"):
            good = run(command, data, "--target", "y", "--init", layers,
                       "--end", tmp_path / f"end {name}")  # fmt: skip
            assert good.exit_code == 0, good.output
            assert "he end that was given agrees" in good.output
    for command in ("predict", "explain"):
        bad = run(command, data, "--target", "y", "--init", layers, "--end", layers)
        assert bad.exit_code == 1
        assert "DISAGREES" in bad.output


def test_files_and_options_that_do_not_fit_are_refused(data, layers, tmp_path):
    both = run("predict", data, "--target", "y", "--init", layers, "--seed", 1)
    assert both.exit_code == 2
    assert "give one of them" in both.output
    deeper = run("predict", data, "--target", "y", "--init", layers, "--depth", 3)
    assert deeper.exit_code == 1
    assert "layers.npz has 2 layers; expected 3" in deeper.output
    (tmp_path / "text.npz").write_text("no arrays")
    damaged = run("predict", data, "--target", "y", "--init", tmp_path / "text.npz")
    assert damaged.exit_code == 1
    assert "text.npz holds no arrays: it is no archive" in damaged.output
    objects = tmp_path / "objects.npz"
    np.savez(objects, np.array([{"a": 1}], dtype=object))
    pickled = run("predict", data, "--target", "y", "--end", objects)
    assert pickled.exit_code == 1
    assert "objects.npz holds no arrays" in pickled.output


def test_both_ends_are_too_many(data, layers):
    result = run("predict", data, "--target", "y", "--end", layers, "--torch", layers)
    assert result.exit_code == 2
    assert "give one of them" in result.output


def test_one_array_of_numpy_holds_layers_or_coefficients(data, layers, tmp_path):
    np.save(tmp_path / "stack.npy", np.stack(LAYERS))
    stacked, listed = (
        run("predict", data, "--target", "y", "--init", file, "--json")
        for file in (tmp_path / "stack.npy", layers)
    )
    assert stacked.exit_code == listed.exit_code == 0, stacked.output
    assert stacked.stdout == listed.stdout
    beta = list(json.loads(listed.stdout)["coefficients"].values())
    np.save(tmp_path / "beta.npy", beta)
    held = run("predict", data, "--target", "y", "--init", layers, "--end", tmp_path / "beta.npy")
    assert held.exit_code == 0, held.output
