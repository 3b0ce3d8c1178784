"""The page as a text: in one file, well-formed, and whatever columns are called."""

import json
import re
from html import unescape

import numpy as np
import pytest

import implicitbias as ib
from helpers.html import Page
from implicitbias.explorer import _plan, is_ours

NAMES = (
    "</script><script>alert(1)</script>",
    "$\\beta_1$ \"quoted\" & 'single'",
    "<!-- 😀 {{DATA}} {{TITLE}} \u2028 \ud800",
)


@pytest.fixture(scope="module")
def page():
    problem = ib.Regression([[1.0, 2.0, -1.0]], [2.0])
    return ib.explore(
        problem,
        names=NAMES,
        networks=["diagonal"],
        depths=[2],
        scales=[0, 1.0, np.inf],
        training=False,
        title="<b>{{DATA}} & {{SCRIPT}}</b>",
    )


def embedded(html):
    (text,) = re.findall(r'<script id="data" type="application/json">(.*?)</script>', html)
    return json.loads(text)


def test_the_page_holds_its_data_to_the_last_digit(page):
    assert embedded(page.html) == page.data
    assert sorted(page.data["tasks"][0]["store"][0]["names"]) == sorted(NAMES)


def test_the_page_is_well_formed_and_needs_nothing_else(page):
    read = Page(page.html)
    assert not read.sources
    assert read.links == ["data:,"]
    assert read.tags.count("script") == 2
    assert "<b>{{DATA}} & {{SCRIPT}}</b>" in "".join(read.text)
    assert len(set(read.ids)) == len(read.ids)
    assert not re.search(r"(src|href)=\"?(https?:)?//|@import|fetch\(|XMLHttp", page.html)
    assert "http://www.w3.org/2000/svg" in page.html
    assert page.html.encode("utf-8")


def test_what_the_page_is_without_its_data_weighs_little(page):
    assert len(page.html) - len(json.dumps(page.data)) < 60_000


def test_names_reach_the_document_as_text_alone(page):
    """The script never writes markup."""
    script = re.findall(r"<script>(.*?)</script>", page.html, flags=re.DOTALL)[-1]
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b", script)


def test_saving_and_showing(page, tmp_path):
    file = tmp_path / "page.html"
    page.save(file)
    assert file.read_text(encoding="utf-8") == page.html
    assert is_ours(file)
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]
    assert "Explorer('<b>" in repr(page)
    assert len(repr(page)) < 100
    frame = re.fullmatch(
        r'<iframe title="(.*?)" style=".*?" srcdoc="(.*)"></iframe>',
        page._repr_html_(),
        flags=re.DOTALL,
    )
    assert unescape(frame[2]) == page.html
    with pytest.raises(OSError, match="nowhere"):
        page.save(tmp_path / "nowhere" / "page.html")


def test_other_files_are_not_ours(tmp_path):
    file = tmp_path / "mine.html"
    file.write_text("<!doctype html><title>implicitbias explore</title>")
    assert not is_ours(file)


def test_progress_comes_to_its_end():
    seen = []
    ib.explore(
        ib.Regression([[1.0, 2.0, 3.0]], [1.0]),
        networks=["diagonal"],
        depths=[2],
        scales=[0.1, 1.0],
        callback=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(k, 6) for k in range(1, 7)]


def test_settings_that_do_not_differ_count_as_one():
    seen = []
    page = ib.explore(
        ib.Classification([[1.0, 2.0, 3.0], [1.0, 0.0, 1.0]], [1, 1]),
        networks=["fully_connected"],
        depths=[2],
        callback=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(1, 2), (2, 2)]  # two scales; three directions alike
    assert page.num_settings == 6


def test_a_large_table_has_fewer_settings_by_itself(monkeypatch):
    monkeypatch.setattr(_plan, "LARGE", 5)
    for problem, depths, directions in (
        (ib.Regression([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]], [1.0]), ["2"], 1),
        (ib.Regression([[1.0, 2.0, 3.0, 4.0, 5.0]], [1.0]), ["2", "3", "4"], 3),
    ):
        page = ib.explore(problem, networks=["diagonal"], scales=[0.1, 1.0], training=False)
        controls = {each["id"]: each["options"] for each in page.data["tasks"][0]["controls"]}
        assert controls["depth"] == depths
        assert len(controls["direction"]) == directions
        assert ("two layers" in page.data["about"]) is (directions == 1)


PROBLEM = ib.Regression([[1.0, 2.0]], [2.0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"names": ["a"]}, "names is .*; expected 2 names"),
        ({"names": "ab"}, "names is 'ab'; expected 2 names"),
        ({"networks": 5}, "networks is 5; expected some of"),
        ({"scales": 3}, "scales is 3; expected at least two"),
        ({"title": 5}, "title is 5; expected a text"),
        ({"intercept": 3.0}, "intercept is 3.0; expected a function"),
        ({"names": 2}, "names is 2; expected 2 names"),
        ({"names": iter("a")}, "expected 2 names"),
        ({"networks": ["dense"]}, "networks is 'dense'; expected one of diagonal"),
        ({"networks": []}, "networks is empty"),
        ({"depths": []}, "depths is empty"),
        ({"depths": [1]}, "depths is 1"),
        ({"depths": [2.5]}, "depths is 2.5"),
        ({"scales": [1.0]}, "expected at least two numbers >= 0"),
        ({"scales": [0.0, np.inf]}, "at least one of them positive and finite"),
        ({"scales": [-1.0, 1.0]}, "scales is"),
        ({"scales": [np.nan, 1.0]}, "scales is nan"),
        ({"scales": ["a", 1.0]}, "scales is 'a'"),
        ({"callback": 3}, "callback"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(ib.InvalidInputError, match=message):
        ib.explore(PROBLEM, **options)


def test_other_problems_are_refused():
    with pytest.raises(ib.InvalidInputError, match="problem is a ndarray; expected a Regression"):
        ib.explore(np.eye(2))


def test_halves_of_characters_in_names_and_titles_are_written(tmp_path):
    """As the names of files have them whose bytes are no text."""
    names = ["a\udcff", "\ud83d", "\U0001f600"]
    problem = ib.Regression([[1.0, 2.0, 0.5]], [1.0])
    page = ib.explore(
        problem,
        names=names,
        title="<\udc80>\U0001f600",
        networks=["diagonal"],
        depths=[2],
        training=False,
    )
    page.save(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<title>&lt;\ufffd&gt;\U0001f600" in text
    assert page._repr_html_().encode("utf-8").startswith(b"<iframe")
