"""The public list, and what importing it costs."""

import doctest
import pkgutil
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import implicitbias
from helpers.typed_calls import CALLS

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("numpy", "scipy", "sklearn", "matplotlib", "rich", "click", "clarabel", "joblib")
CONTRACT = {
    *("Regression", "Classification", "Initialization", "multilinear_multiply"),
    *("DiagonalNetwork", "ConvolutionalNetwork", "FullyConnectedNetwork"),
    *("TensorNetwork", "OrthogonalNetwork", "lemma4"),
    *("gradient_flow", "predict_limit", "limit_path", "compare", "verify"),
    *("tensor_singular_vectors", "tensor_singular_residual"),
    *("from_torch", "to_torch"),
    *("ImplicitBiasError", "InvalidInputError", "InfeasibleProblemError", "NoPredictionError"),
}


@pytest.mark.parametrize("name", implicitbias.__all__)
def test_every_listed_name_resolves(name):
    assert getattr(implicitbias, name) is not None


def test_the_contract_is_listed():
    assert set(implicitbias.__all__) >= CONTRACT
    assert set(dir(implicitbias)) == set(implicitbias.__all__)
    assert len(set(implicitbias.__all__)) == len(implicitbias.__all__)


def test_public_things_have_docstrings():
    for name in implicitbias.__all__:
        assert getattr(implicitbias, name).__doc__, name


def test_the_examples_in_docstrings_print_what_they_say():
    walked = pkgutil.walk_packages(implicitbias.__path__, "implicitbias.")
    modules = [import_module(one.name) for one in walked if not one.name.endswith("__main__")]
    found = [doctest.testmod(module) for module in modules]
    sources = [Path(module.__file__).read_text(encoding="utf-8") for module in modules]
    assert sum(one.attempted for one in found) == sum(source.count(">>> ") for source in sources)
    assert sum(one.attempted for one in found) > 5
    assert not any(one.failed for one in found)


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="no attribute 'gradient_flows'"):
        _ = implicitbias.gradient_flows


def run(code):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_importing_is_light():
    listed = run(
        "import sys, implicitbias; dir(implicitbias); implicitbias.__version__;"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert listed == "[]"


def test_networks_do_not_wait_for_scikit_learn():
    listed = run(
        "import sys, implicitbias; implicitbias.DiagonalNetwork(2, 2); implicitbias.Initialization;"
        "print([name for name in ('sklearn', 'matplotlib', 'rich') if name in sys.modules])"
    )
    assert listed == "[]"


def test_version_has_one_home():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"]["path"] == "src/implicitbias/__init__.py"
    assert implicitbias.__version__.count(".") == 2


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_whatever_the_types_promise_runs(call):
    assert all(result is not None for result in call())


def test_every_dependency_declares_its_oldest_version_alone():
    """What ``nox -s minimum`` installs: an upper bound here would only hide what is new."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    declared = [*project["dependencies"], *(one for extra in extras for one in extra)]
    assert not [one for one in declared if not re.fullmatch(r"[a-z0-9-]+>=[0-9.]+", one)]
    oldest = project["requires-python"].removeprefix(">=")
    assert f"Programming Language :: Python :: {oldest}" in project["classifiers"]


def test_types_are_shipped():
    assert (Path(implicitbias.__file__).parent / "py.typed").exists()
