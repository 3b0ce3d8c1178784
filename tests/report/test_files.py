"""Reports as JSON and on disk, with nothing half-written."""

import json
from hashlib import sha256

import numpy as np

from helpers.reports import FAILED, row
from implicitbias import report as reporting
from implicitbias._verdicts import Verdict
from implicitbias.limits import Certificate
from implicitbias.report import _figures
from implicitbias.verification import Report

SCALE_PATH = "scale-path-diabetes.png"


def test_json_is_strict_and_complete():
    verdict = Verdict("rank X = n", "holds", np.inf, "detail")
    broken = row(
        error=np.nan,
        certificate=np.inf,
        assumptions=(verdict,),
        settings={"scale": 0.3},
        certificates=(Certificate(0.0, 1e-15, error=np.inf),),
    )
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
    assert first["certificates"] == [Certificate(0.0, 1e-15, error=np.inf).to_dict()]
    assert first["settings"] == {"scale": 0.3}
    assert second["note"] == "ValueError: no luck"


def save(report, directory):
    with reporting.output_directory(directory) as scratch:
        return reporting.save(report, scratch)


def test_files_on_disk(tmp_path):
    target = tmp_path / "deep" / "report"
    arrays = {"limit": np.arange(3.0), "flow": np.ones(2)}
    names = save(Report((row(arrays=arrays), FAILED)), target)
    assert names == ["arrays.npz", "summary.svg", "report.html", "manifest.json"]
    assert sorted(path.name for path in target.iterdir()) == sorted([*names, reporting.OWN])
    assert [path.name for path in target.parent.iterdir()] == ["report"]
    manifest = json.loads((target / "manifest.json").read_text())
    assert {"numpy", "scipy", "python", "implicitbias"} <= set(manifest["versions"])
    assert manifest["threads"]["cpus"] >= 1
    assert manifest["rows"][1]["note"] == "ValueError: no luck"
    assert manifest["files"] == {
        name: sha256((target / name).read_bytes()).hexdigest()
        for name in ("arrays.npz", "summary.svg")
    }
    with np.load(target / "arrays.npz", allow_pickle=False) as stored:
        key = manifest["rows"][0]["arrays"]["limit"]
        np.testing.assert_array_equal(stored[key], arrays["limit"])


def test_figure_shows_the_flows_of_its_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(_figures, "FIGURE_SCALES", np.geomspace(10, 1e3, 3))
    ends = {"flow": np.zeros(285)}
    shown = row("Corollary 5", settings={"depth": 2, "scale": 50.0}, arrays=ends)
    report = Report((row(), shown, FAILED))
    assert list(_figures.flow_ends(report)) == [2]
    assert SCALE_PATH in save(report, tmp_path / "out")
    assert (tmp_path / "out" / SCALE_PATH).read_bytes().startswith(b"\x89PNG")


def test_a_page_alone_holds_everything_and_replaces_the_old_one(tmp_path):
    file = tmp_path / "page.html"
    reporting.save_page(Report((row(),)), file)
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    text = file.read_text(encoding="utf-8")
    assert "data:image/svg+xml;base64," in text
    assert "arrays.npz" not in text


def test_the_summary_is_the_same_file_each_time(tmp_path):
    report = Report((row(), FAILED))
    names = [tmp_path / name for name in ("a.svg", "b.svg")]
    assert all(_figures.draw_summary(report, name) for name in names)
    assert names[0].read_bytes() == names[1].read_bytes()
