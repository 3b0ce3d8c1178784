"""--init and --torch on the command line: weights that PyTorch saved."""

import numpy as np
import pytest
from click.testing import CliRunner

import implicitbias as ib
from helpers.draws import normal
from implicitbias.cli import main

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

X, TRUTH, FIRST, LAST = normal(0, (3, 6), 6, (6, 4), 4)


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_start_and_end_of_a_module(tmp_path):
    network = ib.FullyConnectedNetwork((6, 4))
    problem = ib.Regression(X[:1], X[:1] @ TRUTH)
    np.savez(tmp_path / "data.npz", X=problem.X, y=problem.y)
    limit = ib.predict_limit(network, problem, ib.Initialization((FIRST, LAST), scale=1.0))
    for name, layers in {"start": (FIRST, LAST), "end": limit.parameters}.items():
        torch.save(ib.to_torch(network, layers).state_dict(), tmp_path / f"{name}.pt")
    options = (tmp_path / "data.npz", "--target", "y", "--network", "fully-connected",
               "--width", 4, "--init", tmp_path / "start.pt")  # fmt: skip
    for command in ("predict", "explain"):
        good = run(command, *options, "--torch", tmp_path / "end.pt")
        assert good.exit_code == 0, good.output
        assert "he end that was given agrees" in good.output
        bad = run(command, *options, "--torch", tmp_path / "start.pt")
        assert bad.exit_code == 1
        assert "DISAGREES" in bad.output


def test_a_whole_module_is_refused_and_not_run(tmp_path):
    np.savez(tmp_path / "data.npz", X=X, y=X @ TRUTH)
    torch.save(torch.nn.Linear(6, 1), tmp_path / "module.pt")
    result = run("predict", tmp_path / "data.npz", "--target", "y",
                 "--torch", tmp_path / "module.pt")  # fmt: skip
    assert result.exit_code == 1
    assert "nothing in it was run" in result.output
