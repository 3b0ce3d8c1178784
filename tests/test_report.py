"""Reports as tables, as JSON and on disk, with nothing half-written."""

import json
from hashlib import sha256

import numpy as np
import pytest
from rich.console import Console

from implicitbias import report as reporting
from implicitbias._verdicts import Verdict
from implicitbias.verification import Check, Measurement, Report, Row

LONG = "full-length convolution, L = 3, scale 0.3, with a name that is longer than most"
BRACKETS = "[rho]_j^2 >= lambda"


def row(result="Corollary 6", **changes):
    values = {"error": 1.5e-12, "certificate": 2e-15, "shape": (20, 64)} | changes
    return Row(Check(result, LONG, "digits", None), Measurement(**values), 0.25)


FAILED = Row(Check("Theorem 6", "random", "Gaussian", None), None, 0.1, "ValueError: no luck")


def rendered(report, width=1000):
    console = Console(width=width, record=True, color_system=None)
    with console.capture() as capture:
        console.print(reporting.table(report))
    return capture.get()


def test_table_shows_every_number_in_full():
    text = rendered(Report((row(), FAILED)))
    for part in ("Corollary 6", LONG, "20 x 64", "none needed", "1.5e-12", "2.0e-15", "agrees"):
        assert part in text
    assert "FAILED" in text
    assert "…" not in text


def test_brackets_are_printed_and_not_read_as_markup():
    doubtful = row(assumptions=(Verdict(BRACKETS, "undecided", 1e-13),))
    assert f"undecided: {BRACKETS} (1e-13)" in rendered(Report((doubtful,)))


def test_numbers_survive_a_narrow_screen():
    text = rendered(Report((row("fully connected, small scale"),)), width=150)
    for part in ("fully connected, small scale", "20 x 64", "1.5e-12", "2.0e-15", "agrees"):
        assert part in text


def test_notes_name_the_row():
    report = Report((row(), FAILED, row(note="both layers agree to 1e-13")))
    assert reporting.notes(report) == [
        "2  Theorem 6: ValueError: no luck",
        "3  Corollary 6: both layers agree to 1e-13",
    ]


def test_json_is_strict_and_complete():
    verdict = Verdict("rank X = n", "holds", np.inf, "detail")
    broken = row(error=np.nan, certificate=np.inf, assumptions=(verdict,), settings={"scale": 0.3})
    data = json.loads(json.dumps(reporting.as_json(Report((broken, FAILED))), allow_nan=False))
    assert data["agrees"] is False
    first, second = data["rows"]
    assert (first["error"], first["certificate"]) == ("nan", "inf")
    assert first["assumptions"][0] == {
        "assumption": "rank X = n",
        "status": "holds",
        "value": "inf",
        "detail": "detail",
    }
    assert first["shape"] == [20, 64]
    assert first["settings"] == {"scale": 0.3}
    assert second["note"] == "ValueError: no luck"


def save(report, directory):
    with reporting.output_directory(directory) as scratch:
        return reporting.save(report, scratch)


def test_files_on_disk(tmp_path):
    target = tmp_path / "deep" / "report"
    arrays = {"limit": np.arange(3.0), "flow": np.ones(2)}
    names = save(Report((row(arrays=arrays), FAILED)), target)
    assert names == ["arrays.npz", "manifest.json"]
    assert sorted(path.name for path in target.iterdir()) == names
    assert [path.name for path in target.parent.iterdir()] == ["report"]
    manifest = json.loads((target / "manifest.json").read_text())
    assert {"numpy", "scipy", "python", "implicitbias"} <= set(manifest["versions"])
    assert manifest["threads"]["cpus"] >= 1
    assert manifest["rows"][1]["note"] == "ValueError: no luck"
    assert manifest["files"] == {
        "arrays.npz": sha256((target / "arrays.npz").read_bytes()).hexdigest()
    }
    with np.load(target / "arrays.npz", allow_pickle=False) as stored:
        key = manifest["rows"][0]["arrays"]["limit"]
        np.testing.assert_array_equal(stored[key], arrays["limit"])


def test_existing_directory_keeps_foreign_files_and_no_stale_ones(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    (tmp_path / reporting.FIGURE).write_text("from an earlier run")
    (tmp_path / reporting.MANIFEST).write_text("from an earlier run")
    save(Report((row(),)), tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["arrays.npz", "manifest.json", "mine.txt"]
    assert json.loads((tmp_path / "manifest.json").read_text())["agrees"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("existing", [True, False])
def test_nothing_is_left_behind_when_something_raises(tmp_path, error, existing):
    target = tmp_path / "report"
    if existing:
        target.mkdir()
    with pytest.raises(error), reporting.output_directory(target) as scratch:
        (scratch / "arrays.npz").write_text("half")
        raise error
    assert [path.name for path in tmp_path.rglob("*")] == ["report"] * existing


def test_replacing_a_file_keeps_the_old_one_when_something_raises(tmp_path):
    file = tmp_path / "figure.png"
    file.write_text("old")
    with pytest.raises(RuntimeError), reporting.replacing(file) as scratch:
        scratch.write_text("half")
        raise RuntimeError
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("figure.png", "old")]
    with reporting.replacing(file) as scratch:
        scratch.write_text("new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("figure.png", "new")]


def test_figure_shows_the_flows_of_its_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(reporting, "FIGURE_SCALES", np.geomspace(10, 1e3, 3))
    ends = {"flow": np.zeros(285)}
    shown = row("Corollary 5", settings={"depth": 2, "scale": 50.0}, arrays=ends)
    report = Report((row(), shown, FAILED))
    assert list(reporting.flow_ends(report)) == [2]
    assert save(report, tmp_path / "out") == ["arrays.npz", reporting.FIGURE, "manifest.json"]
    assert (tmp_path / "out" / reporting.FIGURE).read_bytes().startswith(b"\x89PNG")
