"""Which columns are chosen, and hints where a name is wrong."""

import pytest

from implicitbias._errors import InvalidInputError
from implicitbias.cli._selection import Selection

NAMES = ["age", "Body mass", "STACKLOSS", "s1"]


def refusal(names, target, *drop):
    with pytest.raises(InvalidInputError) as caught:
        Selection(target, drop).features(names, "data.csv")
    return str(caught.value)


def test_features_are_what_is_left():
    assert Selection("s1", ("age",)).features(NAMES, "data.csv") == [1, 2]


@pytest.mark.parametrize(
    ("given", "meant"),
    [("stackloss", "STACKLOSS"), (" AGE", "age"), ("body mas", "Body mass"), ("S1", "s1")],
)
def test_hints_for_wrong_names(given, meant):
    text = refusal(NAMES, given)
    assert f"its columns are age, Body mass, STACKLOSS, s1. Did you mean '{meant}'?" in text


def test_all_wrong_names_are_told_at_once():
    names = ["a", "b", "a", "", "y", "y", "y"]
    assert refusal(names, "Y", "c", "d").splitlines() == [
        "data.csv:",
        "  column 4 has no name in the header. Name it (or save without row numbers: index=False "
        "in pandas, row.names=FALSE in R).",
        "  columns 1 and 3 are both called 'a'.",
        "  columns 5, 6 and 7 are all called 'y'.",
        "  has no column 'Y'; its columns are a, b, a, '', y, y, y. Did you mean 'y'?",
        "  has no column 'c'.",
        "  has no column 'd'.",
    ]


def test_escapes_and_long_names_are_cut_to_size():
    text = refusal(["\x1b[31mred", "n" * 9999, "a\nb"], "\x9by")
    assert text.isprintable()
    assert len(text) < 300


def test_wide_tables_take_linear_time():
    """Each name is compared with a few others, not with all."""
    compared = 0

    class Name(str):
        __hash__ = str.__hash__

        def __eq__(self, other):
            nonlocal compared
            compared += 1
            return str(self) == str(other)

        def __ne__(self, other):
            return not self == other

    names = [Name(f"g{j}") for j in range(5000)] + [Name("y")]
    assert len(Selection("y", ("g7",)).features(names, "data.csv")) == 4999
    assert 0 < compared < 50_000
