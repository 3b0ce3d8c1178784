"""Colours on a dark ground: as clear as on a light one, and still told apart."""

from itertools import combinations

import pytest

from helpers.colours import SEEN, contrast, difference
from implicitbias.plotting import COLOURS, REST
from implicitbias.plotting._contrast import DARK, LIGHT, MORE, on_dark
from implicitbias.plotting._style import look

LOOKS = [look(rank) for rank in range(18)]
ALIKE = [pair for pair in combinations(LOOKS, 2) if pair[0]["linestyle"] == pair[1]["linestyle"]]


@pytest.mark.parametrize("colour", [*COLOURS, REST, "#1f77b4", "#ffffff", "#808080"])
def test_colours_are_as_clear_on_either_ground(colour):
    expected = 1 + MORE * (contrast(colour, LIGHT) - 1)
    assert contrast(on_dark(colour), DARK) == pytest.approx(expected, rel=0.03)


def test_black_lines_become_white():
    assert on_dark("#000000") == "#ffffff"


@pytest.mark.parametrize("seen", SEEN)
def test_curves_of_one_style_differ_on_dark(seen):
    pairs = [(a["color"], b["color"]) for a, b in ALIKE if a["color"] != b["color"]]
    assert pairs
    assert min(difference(on_dark(a), on_dark(b), seen) for a, b in pairs) > 15
