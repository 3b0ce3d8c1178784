"""Every public result shows itself in a line, a table and a dictionary, and compares quietly."""

import dataclasses
import json
import re
import typing
from importlib import import_module

import numpy as np
import pytest

import implicitbias as ib
from helpers.html import Page
from helpers.results import HARD, TITLES, examples, hard_cases
from implicitbias._html import GROUNDS
from implicitbias._results import Record, plain, types_of
from implicitbias.serialization import MODULES

# dataclasses that users make
GIVEN = {"Regression", "Classification", "Initialization", "Situation", "Theorem", "ClosedForm"}
FOLDERS = {"Sweep", "SweepState"}  # a sweep is saved in its folder


def known():
    """All classes that can be saved."""
    return {getattr(import_module(home), name) for name, home in MODULES.items()}


def results_in(hint):
    """The result classes that a type speaks of."""
    if isinstance(hint, type) and (issubclass(hint, Record) or hasattr(hint, "_fields")):
        return {hint}
    return set().union(*map(results_in, typing.get_args(hint)))


def test_every_public_dataclass_is_a_result_with_an_example():
    others = {getattr(ib, name) for name in GIVEN | FOLDERS}
    public = {getattr(ib, name) for name in ib.__all__} - others
    public = {each for each in public if isinstance(each, type) and dataclasses.is_dataclass(each)}
    assert all(issubclass(each, Record) for each in public), public
    families = known() | {ib.OrthogonalDecomposition}
    assert public <= families
    assert set(TITLES) == set(examples())
    assert {type(result).__name__ for result in examples().values()} == set(MODULES)


def test_what_results_hold_can_be_saved_too():
    for each in known():
        inside = set().union(*map(results_in, types_of(each).values()))
        assert inside <= known(), each


@pytest.mark.parametrize("title", TITLES)
def test_repr_is_one_short_line(title):
    result = examples()[title]
    text = repr(result)
    assert text.startswith(f"{type(result).__name__}(")
    assert text.endswith(")")
    assert len(text) < 100
    assert "\n" not in text
    assert "array(" not in text


@pytest.mark.parametrize("title", TITLES)
def test_str_says_more_than_nothing(title):
    text = str(examples()[title])
    assert text
    assert "array(" not in text
    assert len(text) < 10_000


@pytest.mark.parametrize("title", TITLES)
def test_equality_and_hash_do_not_raise(title):
    result = same = examples()[title]
    assert (result == same) is True
    assert (result != same) is False
    assert (result == "something else") is False
    assert (result != "something else") is True
    assert hash(result) == hash(same)
    assert same in {result}
    others = [other for name, other in examples().items() if name != title]
    assert result not in others


def test_scalars_are_equal_by_value_and_arrays_by_identity():
    first, second = (ib.Verdict("a", "holds", 1.0) for _ in range(2))
    assert first == second
    one, other = (ib.tensor_singular_vectors(np.arange(4.0).reshape(2, 2))[0] for _ in range(2))
    assert (one != other) is True
    assert (one == other) is False
    limit = examples()["Limit point"]
    assert dataclasses.replace(limit) != limit


@pytest.mark.parametrize("title", TITLES)
def test_to_dict_is_plain_json(title):
    found = examples()[title].to_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_to_dict_states_what_json_has_not():
    assert plain(HARD) == ["nan", "nan", "inf", "-inf", -0.0, 5e-324, 1.7e308, 0.1]
    assert plain(1 - 2j) == {"real": 1.0, "imag": -2.0}
    assert plain(np.array([1j, np.inf])) == {"real": [0.0, "inf"], "imag": [1.0, 0.0]}
    assert plain({"a": (None, np.float64(1.0), np.True_)}) == {"a": [None, 1.0, True]}
    assert plain(ib.Outcome.STATIONARY) == "STATIONARY"


def test_to_dict_has_the_fields_by_their_names():
    flow = examples()["Flow dual"]
    found = flow.to_dict()
    assert set(found) == {each.name for each in dataclasses.fields(flow)}
    assert found["coefficients"] == flow.coefficients.tolist()
    assert examples()["Comparison point"].to_dict()["verdict"] == "agrees"
    assert examples()["Limit point"].to_dict()["certificate"]["worst"] < 1e-8


@pytest.mark.parametrize("title", TITLES)
def test_html_is_whole_and_takes_the_notebooks_colours(title):
    text = examples()[title]._repr_html_()
    page = Page(text)
    assert type(examples()[title]).__name__ in "".join(page.text)
    assert {"div", "table"} <= set(page.tags)
    for style in re.findall(r'style="([^"]*)"', text):
        assert not re.search(r"#|white(?!-)|black|rgb\(|(?<!-)color: (?!inherit)", style)
    assert all(ground.startswith("rgba(") for ground in GROUNDS.values())
    assert "color: inherit" in text


def test_html_escapes_everything():
    text = examples()["Verdict"]._repr_html_()
    assert "<script" not in text
    assert "<b>alpha" not in text
    shown = "".join(Page(text).text)
    assert "<b>alpha & omega</b>" in shown
    assert "<script>" in shown
    marked = dataclasses.replace(examples()["Comparison point"], pairs={"<i>": 1.0})
    assert "<i>" not in marked._repr_html_()


@pytest.mark.parametrize(
    ("title", "word", "mark"),
    [
        ("Verdict", "undecided", "open"),
        ("Separability", "holds", "good"),
        ("Separability fails", "fails", "bad"),
        ("Comparison point", "agrees", "good"),
        ("Comparison direction", "undecided", "open"),
        ("LimitPath", "4 limits certified", "good"),
        ("MarginPath", "3 limits certified", "good"),
        ("SaddlePath regression", "certified", "good"),
        ("Flow dual", "residual reached", "good"),
        ("SimulatedLimit activation", "NOT ENDED", "bad"),
    ],
)
def test_verdicts_are_in_colour_and_in_words(title, word, mark):
    text = examples()[title]._repr_html_()
    heading = text.split("<table", 1)[0]
    assert f"{GROUNDS[mark]}" in heading
    assert f">{word}</span>" in heading


def test_html_of_a_long_path_stays_short():
    path = examples()["LimitPath"]
    limits = (path.limits[1],) * 500
    long = dataclasses.replace(path, scales=np.ones(500), limits=limits)
    assert "... and 480 more" in long._repr_html_()
    assert len(long._repr_html_()) < 500_000


def test_hard_numbers_are_shown():
    for result in hard_cases():
        assert len(repr(result)) < 100
        json.dumps(result.to_dict(), allow_nan=False)
        Page(result._repr_html_())


def test_a_sensitivity_says_what_it_is():
    text = str(examples()["Sensitivity"])
    assert "by_target: shape (6, 3), largest" in text
    assert "by_log_scale: shape (6,), largest" in text
    other = examples()["Sensitivity other start"]
    with pytest.raises(ib.NoPredictionError, match="needs Theorem 5's start"):
        _ = other.by_direction
    assert "by_direction: not defined for this start" in str(other)
    assert "<th" in other._repr_html_()
