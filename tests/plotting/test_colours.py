"""Curves are told apart by colour-blind readers and in grey print, by colour or by line style."""

from itertools import combinations

import pytest
from matplotlib.colors import to_hex

from helpers.colours import SEEN, contrast, difference, lightness
from implicitbias.plotting import COLOURS, MARKERS, REST, STYLES
from implicitbias.plotting._style import look

LOOKS = [look(rank) for rank in range(18)]
# Two that no dash tells apart.
ALIKE = [pair for pair in combinations(LOOKS, 2) if pair[0]["linestyle"] == pair[1]["linestyle"]]


def test_the_measures_are_right():
    """Black on white is the largest contrast; red and green of one lightness merge for many."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert difference("#000000", "#ffffff", "by most") == pytest.approx(100.0, rel=1e-3)
    assert lightness("#777777") == pytest.approx(50.0, abs=0.2)  # where text on white begins
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    seen = [difference("#d03030", "#6f7b00", kind) for kind in ("by most", "without green")]
    assert seen[1] < 0.3 * seen[0]


def test_no_two_curves_look_alike():
    assert len({(each["color"], each["linestyle"]) for each in LOOKS}) == 18
    assert len(set(MARKERS)) == len(MARKERS) == len(COLOURS)
    assert len(STYLES) == 3


@pytest.mark.parametrize("seen", SEEN)
def test_curves_of_one_style_differ_in_colour(seen):
    assert ALIKE
    assert min(difference(a["color"], b["color"], seen) for a, b in ALIKE if a != b) > 15


def test_the_first_six_curves_of_one_style_differ_in_grey():
    first = [pair for pair in ALIKE if pair[0] in LOOKS[:6] and pair[1] in LOOKS[:6]]
    assert len(first) == 3
    assert min(abs(lightness(a["color"]) - lightness(b["color"])) for a, b in first) > 10


@pytest.mark.parametrize("seen", SEEN)
def test_what_is_left_in_grey_is_no_curve_that_counts(seen):
    grey = to_hex(REST)
    assert min(difference(colour, grey, seen) for colour in COLOURS) > 11


def test_curves_stand_out_from_the_paper():
    """By the 3:1 that WCAG 2.2 asks of graphics (1.4.11)."""
    assert min(contrast(colour, "#ffffff") for colour in COLOURS) >= 3
