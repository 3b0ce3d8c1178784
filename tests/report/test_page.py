"""The page: whole, well-formed, self-contained, and escaping what it quotes."""

import json
from base64 import b64decode

import numpy as np
import pytest

from helpers.html import Page
from helpers.reports import FAILED, row
from implicitbias import report as reporting
from implicitbias._verdicts import Verdict
from implicitbias.closing import Closing
from implicitbias.limits import Certificate
from implicitbias.report._chart import chart
from implicitbias.verification import Check, Measurement, Report, Row

CERTIFICATE = Certificate(1e-16, 2e-15, error=3e-14)
VERDICT = Verdict("eta_j^2 >= lambda", "holds", 0.25, "lambda")
ARRAYS = {"limit": np.array([3.0, -1.0, 0.0]), "flow": np.array([3.0, -1.0, 1e-9])}
SHOWN = row(
    assumptions=(VERDICT,),
    arrays=ARRAYS,
    settings={"scale": 0.3},
    certificates=(CERTIFICATE, CERTIFICATE),
)
REPORT = Report((SHOWN, FAILED))
HOSTILE = "<script>alert('x')</script> & \"quotes\""


def written(report, tmp_path, name="out"):
    with reporting.output_directory(tmp_path / name) as scratch:
        reporting.save(report, scratch)
    return (tmp_path / name / reporting.PAGE).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    return written(REPORT, tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def test_every_link_within_the_page_has_its_target(page):
    assert len(set(page.ids)) == len(page.ids)
    assert page.fragments
    assert set(page.fragments) <= set(page.ids)


def test_nothing_comes_from_elsewhere(page, text):
    assert page.sources
    assert all(source.startswith("data:image/") for source in page.sources)
    elsewhere = [link for link in page.links if not link.startswith(("#", "data:"))]
    assert elsewhere == ["arrays.npz", "manifest.json"]
    assert not {"script", "iframe", "object"} & set(page.tags)
    assert "@import" not in text
    assert "url(" not in text


def test_every_row_is_told_with_its_numbers(page):
    shown = " ".join(page.text)
    for part in (
        "2 checks, 1 DISAGREE",
        "1.5e-12",
        "2.0e-15",
        "eta_j^2 >= lambda",
        "0.25",
        "ValueError: no luck",
        "scale 0.3",
        "Certificate: feasibility 1.0e-16, duality gap 2.0e-15, error 3.0e-14.",
        "implicitbias verify --only",
    ):
        assert part in shown
    assert page.open == 1  # the row that failed


def test_the_manifest_travels_inside_the_page(page):
    (link,) = [link for link in page.links if link.startswith("data:application/json")]
    inside = json.loads(b64decode(link.split(",", 1)[1]))
    assert inside["rows"] == json.loads(json.dumps(reporting.as_json(REPORT)["rows"]))
    assert "numpy" in inside["versions"]


def test_words_are_quoted_and_never_markup(tmp_path):
    evil = Row(
        Check(HOSTILE, HOSTILE, HOSTILE, None),
        Measurement(1.0, 1.0, (Verdict(HOSTILE, "fails", 1.0, HOSTILE),), note=HOSTILE),
        0.1,
    )
    text = written(Report((evil,)), tmp_path)
    assert "<script" not in text
    assert " ".join(Page(text).text).count("alert('x')") >= 6


@pytest.mark.parametrize("note", ["", "margin 10^8, {}"])
def test_directions_say_how_they_close_once(tmp_path, note):
    closing = Closing(1e-3, 0.5, True, 0.5)
    text = written(Report((row(closings=(closing,), note=note.format(closing)),)), tmp_path)
    assert sum(str(closing) in part for part in Page(text).text) == 1


def test_a_chart_puts_rings_on_bars():
    drawn = chart(Measurement(0.0, 0.0, arrays=ARRAYS))
    assert drawn.count("M") == 1 + 3 + 3  # the axis, bars, rings
    assert "all 3" in drawn
    many = np.arange(100.0)
    assert "the 48 largest of 100" in chart(Measurement(0, 0, arrays={"limit": many, "flow": many}))


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"limit": np.zeros(2), "flow": np.zeros(2)},
        {"limit": np.ones(2), "flow": np.ones(3)},
        {"limit": np.ones((2, 2)), "flow": np.ones((2, 2))},
    ],
)
def test_nothing_to_compare_draws_nothing(arrays):
    assert chart(Measurement(0.0, 0.0, arrays=arrays)) == ""
