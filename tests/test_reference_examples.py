"""Every name of the reference has an example that runs."""

import contextlib
import re
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import pytest

import implicitbias as ib

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "docs" / "_ext"))
EXAMPLES = import_module("reference_examples").examples()
sys.path.pop(0)
BY_CODE = {code: name for name, code in reversed(EXAMPLES.items())}
OPTIONAL = ("torch", "dask")


def listed():
    """The names that the reference has a page for, as examples call them."""
    module, found = "implicitbias", []
    for line in (ROOT / "docs" / "reference" / "index.rst").read_text("utf-8").splitlines():
        if named := re.fullmatch(r"\.\. currentmodule:: (\S+)", line):
            module = named[1]
        elif re.fullmatch(r"   [A-Za-z_]\w*", line):
            found.append((module + "." + line.strip()).removeprefix("implicitbias."))
    return found


def test_every_name_has_one():
    names = listed()
    assert len(names) == len(set(names)) > 120
    assert not set(names) - set(EXAMPLES)
    assert not {name for name in EXAMPLES if name not in names and "estimators." not in name}


def test_the_reference_lists_every_public_name():
    modules = ("plotting", "interop")
    public = set(ib.__all__) - {"__version__", "plotting", *modules} | {
        f"{name}.{each}"
        for name in modules
        for each in import_module(f"implicitbias.{name}").__all__
        if not each.isupper()
    }
    known = set(listed()) | {name.split(".")[-1] for name in listed()}
    assert not {name for name in public if name not in known and name.split(".")[-1] not in known}


def test_every_estimator_has_one():
    module = import_module("implicitbias.estimators")
    for name in module.__all__:
        shown = ">>>" in getattr(module, name).__doc__
        assert shown != (f"estimators.{name}" in EXAMPLES), name


@pytest.mark.parametrize("code", BY_CODE, ids=BY_CODE.get)
def test_examples_run_and_say_something(code, tmp_path, capsys):
    missing = [name for name in OPTIONAL if f"import {name}" in code and not find_spec(name)]
    if "OnDevice" in code and not find_spec("array_api_compat"):
        missing.append("array-api-compat")
    if missing:
        pytest.skip(f"{missing[0]} is not installed")
    with matplotlib.rc_context({"backend": "Agg"}), contextlib.chdir(tmp_path):
        exec(compile(code, BY_CODE[code], "exec"), {"__name__": "__main__"})
        plt.close("all")
    assert capsys.readouterr().out.strip()
