"""The tables that one command writes for the documentation."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks._checkouts import row_of

from benchmarks import __main__ as page

ROWS = [
    {"case": "a", "seconds": 0.5, "before": 1.0, "ratio": 2.0},
    {"case": "b", "seconds": 2.0, "before": 1.0, "ratio": 0.5},
]


def test_what_is_slower_is_said_beside_the_mean():
    text = "\n".join(page._summary(ROWS))
    assert "Geometric mean of the ratios: 1.00." in text
    assert "**Slower than before:** b (0.50)." in text
    assert "Slower" not in "\n".join(page._summary(ROWS[:1]))
    assert list(page._summary([{**ROWS[0], "ratio": None}])) == []


def test_a_table_is_a_list_table_of_the_rows():
    lines = list(page._table(("case", "ms before", "ms", "ratio"), map(page._common, ROWS)))
    assert lines[:3] == [".. list-table::", "   :header-rows: 1", ""]
    assert [line for line in lines if line.startswith("   * -")] == [
        "   * - case",
        "   * - a",
        "   * - b",
    ]
    assert lines[-5:-1] == ["   * - b", "     - 1e+03", "     - 2e+03", "     - 0.50"]


def test_the_page_includes_every_table():
    text = (page.ROOT / "docs" / "benchmarks.rst").read_text("utf-8")
    for name in page.TABLES:
        assert f".. include:: measured/{name}.inc" in text
        assert (page.FOLDER / f"{name}.inc").is_file()


def test_a_table_is_written_when_it_is_whole(tmp_path, monkeypatch):
    def failing(*_):
        yield "Title"
        raise RuntimeError("half of it")

    monkeypatch.setattr(page, "head", lambda name: [f"beside {name}"])
    monkeypatch.setattr(page, "TABLES", {"good": lambda *_: iter(["Title"]), "bad": failing})
    given = SimpleNamespace(turns=7, quick=True, out=tmp_path)
    with pytest.raises(RuntimeError):
        page.write(given, ["good", "bad"], "0.1", None)
    assert [each.name for each in tmp_path.iterdir()] == ["good.inc"]
    assert (tmp_path / "good.inc").read_text("utf-8").startswith("Title\n~~~~~\n\nbeside 0.1\n")


def test_large_data_that_failed_are_in_the_table_with_their_error(monkeypatch, tmp_path):
    fine = {"shape": "2 x 3", "rank": 1.0, "limit": 2.04, "gigabytes": 0.321, "worst": 1.5e-14}
    found = [("array", fine), ("file in blocks", {"error": "MemoryError"})]
    monkeypatch.setattr(page.large_data, "measured", lambda only: iter(found))
    lines = list(page.large_data_table(None, 7, "", tmp_path))
    at = lines.index("   * - array")
    assert [line[7:] for line in lines[at : at + 6]] == [
        "array", "2 x 3", "1.0", "2.0", "0.32", "1.5e-14",
    ]  # fmt: skip
    assert lines[at + 6 : at + 8] == ["   * - file in blocks", "     - MemoryError"]


def test_many_limits_are_in_microseconds_with_what_is_slower(monkeypatch, tmp_path):
    told = {"verb": "predict_limits", "one": "predict_limit", "apart": 2e-14}
    monkeypatch.setattr(page, "checkouts", lambda *_: (None, None))
    monkeypatch.setattr(page.many, "measured", lambda *_: iter([row | told for row in ROWS]))
    lines = list(page.many_table(None, 7, "", tmp_path))
    at = lines.index("   * - b")
    assert [line[7:] for line in lines[at : at + 6]] == [
        "b", "``predict_limits``", "2000000", "``predict_limit``", "1000000", "0.5",
    ]  # fmt: skip
    assert "**Slower than before:** b (0.50)." in lines
    assert "Coefficients are at most 2e-14 apart." in lines


def test_a_row_is_of_medians_turn_by_turn():
    row = row_of("a", [(1.0, 3.0), (2.0, 2.0), (4.0, 8.0)])
    assert row == {"case": "a", "seconds": 2.0, "before": 3.0, "ratio": 2.0}
    alone = row_of("a", [(1.0, None), (3.0, None)])
    assert alone == {"case": "a", "seconds": 2.0, "before": None, "ratio": None}


def test_a_case_of_large_data_that_is_killed_says_so(monkeypatch):
    class Done:
        returncode, stderr = -9, ""

    monkeypatch.setattr(page.large_data.subprocess, "run", lambda *_, **__: Done())
    found = dict(page.large_data.measured(only="sparse, wide"))
    assert found == {"sparse, wide": {"error": "killed"}}


def test_unknown_tables_are_refused_before_any_work(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--only", "limits,speed"])
    with pytest.raises(SystemExit):
        page.main()
    assert "no such table: speed" in capsys.readouterr().err


def test_the_last_release_is_unpacked():
    try:
        page._git("rev-parse", "--verify", page.FIRST)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("the history is not here")
    with page.last_release() as (name, sources):
        assert (sources / "implicitbias" / "__init__.py").is_file()
        assert name
    assert not sources.exists()
