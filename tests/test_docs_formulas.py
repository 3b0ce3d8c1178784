"""Formulas of the documentation: names of functions stand apart from their factors."""

import importlib.util
import sys
import types
from pathlib import Path

import pytest

FILE = Path(__file__).parents[1] / "docs" / "_ext" / "mathml.py"
HEAD = '<math xmlns="http://www.w3.org/1998/Math/MathML"><mrow>'
A, NU, COSH = "<mi>a</mi>", "<mi>&#957;</mi>", "<mi>cosh</mi>"
OPEN, CLOSE = "<mo>(</mo>", "<mo>)</mo>"
THIN = "_"


@pytest.fixture
def drawn(monkeypatch):
    """What becomes of MathML that the converter returned, spaces as "_" and tags left out."""
    converter = types.ModuleType("latex2mathml.converter")
    converter.convert = lambda text, **_: f"{HEAD}{text}</mrow></math>"
    monkeypatch.setitem(sys.modules, "latex2mathml", types.ModuleType("latex2mathml"))
    monkeypatch.setitem(sys.modules, "latex2mathml.converter", converter)
    spec = importlib.util.spec_from_file_location("mathml", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.drawn


def text_of(formula):
    import xml.etree.ElementTree as ET

    root = ET.fromstring(formula)
    return "".join(THIN if node.tag.endswith("mspace") else node.text or "" for node in root.iter())


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (A + COSH + NU, "a_cosh_\u03bd"),
        (A + COSH + OPEN + NU + CLOSE, "a_cosh(\u03bd)"),
        (OPEN + COSH + NU + CLOSE, "(cosh_\u03bd)"),
        (OPEN + A + CLOSE + COSH + NU, "(a)_cosh_\u03bd"),
        ("<mo>=</mo><msub><mo>min</mo><mi>z</mi></msub><mi>f</mi>", "=minz_f"),
        ("<mi>log</mi><mi>log</mi><mi>t</mi>", "log_log_t"),
        (f"{A}<msup>{COSH}<mn>2</mn></msup>{NU}", "a_cosh2_\u03bd"),
        (f"<mfrac>{COSH}{A}</mfrac>", "cosha"),  # two places, no row
        (A + NU, "a\u03bd"),
        (A + "<mo>+</mo>" + COSH + NU, "a+cosh_\u03bd"),
    ],
)
def test_names_of_functions_stand_apart(drawn, given, shown):
    assert text_of(drawn(given)) == shown


def test_bars_have_no_gap_on_either_side(drawn):
    bar = "<mo>|</mo>"
    formula = drawn(f"{bar}{A}<msup>{bar}<mi>L</mi></msup>")
    assert formula.count('lspace="0"') == formula.count('rspace="0"') == 2
