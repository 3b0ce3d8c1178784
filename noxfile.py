"""Sessions beyond ``.ci/run``: pip install nox, then ``nox`` for all or ``nox -s minimum`` for one.

A Python that is not installed is skipped, unless ``--error-on-missing-interpreters`` is given.
Arguments after ``--`` go to pytest: ``nox -s tests-3.13 -- tests/networks``.
"""

import tomllib
from pathlib import Path

import nox
from packaging.requirements import Requirement

PROJECT = tomllib.loads(Path(__file__).with_name("pyproject.toml").read_text(encoding="utf-8"))
OLDEST, *OTHERS = ("3.11", "3.12", "3.13", "3.14")
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

nox.needs_version = ">=2024.3"
nox.options.sessions = ["lint", "tests", "minimum", "verify", "docs"]


def minimum_versions(*extras: str) -> list[str]:
    """Return "name==version" for every lower bound that pyproject.toml declares."""
    project = PROJECT["project"]
    declared = [*project["dependencies"]]
    for extra in extras:
        declared += project["optional-dependencies"][extra]
    bounds = {}
    for requirement in map(Requirement, declared):
        (bound,) = requirement.specifier
        assert bound.operator == ">=", f"{requirement} declares no minimum"
        bounds[requirement.name] = f"{requirement.name}=={bound.version}"
    return sorted(bounds.values())


@nox.session(python=[OLDEST, *OTHERS])
def tests(session: nox.Session) -> None:
    """Run the tests with what pip chooses today."""
    session.install("-e", ".[test]")
    session.run("pytest", *session.posargs, env=ONE_THREAD)


@nox.session(python=OLDEST)
def minimum(session: nox.Session) -> None:
    """Run the tests with exactly the oldest versions that are declared, on the oldest Python."""
    session.install("-e", ".", *minimum_versions("test"))
    session.run("python", "-m", "pip", "check")
    session.run("pytest", *session.posargs, env=ONE_THREAD)


@nox.session(python=OLDEST)
def interop(session: nox.Session) -> None:
    """Run the tests that need PyTorch, which the others skip."""
    session.install("-e", ".[test,torch]")
    session.run("pytest", "tests/interop", *session.posargs, env=ONE_THREAD)


@nox.session(python=OLDEST)
def cluster(session: nox.Session) -> None:
    """Run the tests that need Dask, or arrays of other libraries, which the others skip."""
    session.install("-e", ".[test,dask,arrays,torch]", "array-api-strict")
    tests = "tests/sweeps/test_dask.py", "tests/features", "tests/theorems/test_limits_elsewhere.py"
    session.run("pytest", *tests, *session.posargs, env=ONE_THREAD)


@nox.session(python=OTHERS[-1])
def newest(session: nox.Session) -> None:
    """Run the tests with pre-releases of everything: what breaks next."""
    session.install("--pre", "--upgrade", "-e", ".[test]")
    session.run("pytest", *session.posargs, env=ONE_THREAD)


@nox.session(python=OLDEST)
def lint(session: nox.Session) -> None:
    """Check style and types, of the snippets too."""
    session.install("-e", ".[lint]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("python", "docs/snippets.py")


@nox.session(python=OLDEST)
def verify(session: nox.Session) -> None:
    """Hold every result of the theory against simulation."""
    session.install(".")
    session.run("implicitbias", "verify", *session.posargs, env=ONE_THREAD)


@nox.session(python=OLDEST)
def docs(session: nox.Session) -> None:
    """Build the documentation, which executes all it shows."""
    session.install("-e", ".[docs]")
    session.run("python", "docs/build.py", env=ONE_THREAD)
