"""The page's colours: readable in light, dark and print, and apart for colour-blind readers."""

import re
from importlib.resources import files
from itertools import combinations

import pytest

from helpers.colours import SEEN, contrast, difference

SHEET = files("implicitbias._pages").joinpath("look.css").read_text("utf-8")
SCRIPT = files("implicitbias.explorer").joinpath("page.js").read_text("utf-8")
FOUND = re.findall(r":root \{(.*?)\}", SHEET, re.DOTALL)
BLOCKS = dict(zip(("light", "dark", "print"), FOUND, strict=True))


def colours(scheme):
    """The colours of a scheme by name, short forms spelled out."""
    found = re.findall(r"--([\w]+): #([0-9a-f]{3,6});", BLOCKS[scheme])
    return {name: f"#{v if len(v) == 6 else ''.join(2 * c for c in v)}" for name, v in found}


def curves(scheme):
    return [colours(scheme)[f"c{rank}"] for rank in range(6)]


@pytest.mark.parametrize("scheme", BLOCKS)
def test_text_and_curves_stand_out(scheme):
    found = colours(scheme)
    assert contrast(found["ink"], found["ground"]) > 7
    assert contrast(found["quiet"], found["ground"]) > 4.5
    assert contrast(found["quiet"], found["band"]) > 4.5
    assert min(contrast(colour, found["ground"]) for colour in curves(scheme)) > 3


@pytest.mark.parametrize("seen", SEEN)
@pytest.mark.parametrize("scheme", BLOCKS)
def test_curves_differ_in_colour(scheme, seen):
    assert min(difference(*pair, seen) for pair in combinations(curves(scheme), 2)) > 13


def test_curves_differ_in_dashes_for_grey_print():
    (text,) = re.findall(r"const DASHES = \[(.*?)\];", SCRIPT)
    dashes = re.findall(r'"(.*?)"', text)
    assert len(set(dashes)) == len(dashes) == 6
