"""The command line as a user meets it: output, exit codes, and where messages go."""

import json
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

import implicitbias as ib
from implicitbias import verification
from implicitbias.cli import _printing, main
from implicitbias.report import OWN
from implicitbias.verification import Check, Measurement

X = np.array([[1.0, 2.0, 0.5, -1.0], [0.2, -1.0, 2.0, 0.3]])
Y = np.array([3.0, 1.0])


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def data(tmp_path):
    file = tmp_path / "data.csv"
    rows = [",".join(map(str, [*x, y])) for x, y in zip(X.tolist(), Y.tolist(), strict=True)]
    file.write_text("\n".join(["age,bmi,bp,s1,y", *rows]) + "\n")
    return file


def coefficients(result):
    assert result.exit_code == 0, result.output
    named = json.loads(result.stdout)["coefficients"]
    assert list(named) == ["age", "bmi", "bp", "s1"]
    return np.array(list(named.values()))


def test_help_waits_for_nothing_heavy():
    code = (
        "import sys\nfrom implicitbias.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'numpy', 'scipy', 'sklearn', 'pandas', 'rich', 'matplotlib', 'threadpoolctl'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in ("verify", "predict", "explain", "path", "flow"))


def test_module_runs_and_version_is_the_packages():
    done = subprocess.run(
        [sys.executable, "-m", "implicitbias", "--version"], capture_output=True, text=True
    )
    assert done.stdout.startswith("implicitbias 0.")
    assert run("--version").output == done.stdout


@pytest.mark.parametrize("depth", [2, 3])
def test_predict_and_flow_agree_on_a_file(data, depth):
    options = ("--target", "y", "--depth", depth, "--scale", 0.1, "--json")
    predicted = coefficients(run("predict", data, *options))
    np.testing.assert_allclose(X @ predicted, Y, rtol=1e-9)
    for route in ("dual", "parameters"):
        simulated = coefficients(run("flow", data, *options, "--route", route))
        np.testing.assert_allclose(simulated, predicted, rtol=0, atol=1e-8)


def test_explain_names_the_result_that_predict_uses(data):
    options = ("--target", "y", "--scale", 0.1)
    found = json.loads(run("explain", data, *options, "--json").stdout)
    predicted = json.loads(run("predict", data, *options, "--json").stdout)
    assert found["answer"] == predicted["result"] == "Corollary 5"
    assert found["columns"] == ["age", "bmi", "bp", "s1"]
    entry = next(one for one in found["results"] if one["result"] == "Corollary 5")
    values = list(predicted["coefficients"].values())
    np.testing.assert_allclose(entry["prediction"]["coefficients"], values, rtol=1e-14)
    text = run("explain", data, *options).output
    assert "predict_limit answers: point by Corollary 5" in text
    assert "Corollary 6 does not apply" in text


def test_where_nothing_is_predicted_the_simulated_end_is_shown(data):
    options = ("--target", "y", "--network", "convolutional", "--seed", 1)
    refused = run("predict", data, *options)
    assert refused.exit_code == 1
    assert "implicitbias explain DATA ... --simulate" in refused.output
    text = run("explain", data, *options, "--simulate").output
    assert "Found by simulation: no theorem names the end of training here." in text
    found = json.loads(run("explain", data, *options, "--simulate", "--json").stdout)
    trained = coefficients(run("flow", data, *options, "--json"))
    np.testing.assert_array_equal(found["simulated"]["coefficients"], trained)
    assert "simulated" not in json.loads(run("explain", data, *options, "--json").stdout)


def test_predict_by_random_start(data):
    options = ("--target", "y", "--json")
    seeded = coefficients(run("predict", data, *options, "--seed", 1))
    assert np.abs(seeded - coefficients(run("predict", data, *options, "--seed", 2))).max() > 1e-3
    simulated = coefficients(run("flow", data, *options, "--seed", 1))
    np.testing.assert_allclose(simulated, seeded, rtol=0, atol=1e-8)


def test_predict_fully_connected_is_the_minimum_norm_solution(data):
    result = run("predict", data, "--target", "y", "--network", "fully-connected", "--json")
    np.testing.assert_allclose(coefficients(result), np.linalg.pinv(X) @ Y, atol=1e-13)


def test_convolutional_start_has_unit_spectrum(data):
    result = run("flow", data, "--target", "y", "--network", "convolutional", "--json")
    np.testing.assert_allclose(X @ coefficients(result), Y, rtol=1e-8)


def test_predict_prints_result_verdicts_certificate_and_columns(data):
    output = run("predict", data, "--target", "y", "--depth", 3).output
    assert "point by Corollary 5: diagonal network of 3 layers on data.csv, 2 x 4" in output
    for part in ("holds: vbar_L = 0", "certificate: feasibility", "duality gap", "bmi"):
        assert part in output


def test_path_runs_from_least_norm_to_sparse(data):
    result = run("path", data, "--target", "y", "--num", 5, "--json")
    limits = json.loads(result.stdout)["limits"]
    assert result.exit_code == 0
    assert [limit["scale"] for limit in limits][::6] == ["inf", 0.0]
    first, last = (np.array(list(limits[i]["coefficients"].values())) for i in (0, -1))
    np.testing.assert_allclose(first, np.linalg.pinv(X) @ Y, atol=1e-10)
    assert np.sum(np.abs(last) > 1e-9) == 2


def test_path_prints_a_table_and_draws(data, tmp_path):
    figure = tmp_path / "path.png"
    result = run("path", data, "--target", "y", "--num", 3, "--no-ends", "--figure", figure)
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.output.splitlines()[2:5]] == [
        "1e+04",
        "0.1",
        "1e-06",
    ]
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.csv", "path.png"]


REFUSED = {
    "unknown column": (["predict", "--target", "z"], 1, "no column 'z'; its columns are age, bmi"),
    "no target": (["predict"], 2, "Missing option '--target'"),
    "network": (["predict", "--target", "y", "--network", "x"], 2, "'x' is not one of"),
    "depth": (["predict", "--target", "y", "--depth", 1], 2, "1 is not in the range x>=2"),
    "too deep": (["predict", "--target", "y", "--depth", 10**9], 2, "at most 10000 layers"),
    "too wide": (
        ["predict", "--target", "y", "--network", "fully-connected", "--width", 10**400],
        2,
        "more than 1e+08 parameters",
    ),
    "too many": (["path", "--target", "y", "--num", 10**9], 2, "at most 10000 scales"),
    "scale": (["predict", "--target", "y", "--scale", -1], 2, "-1.0 is not in the range x>=0"),
    "no scale": (["predict", "--target", "y", "--scale", "nan"], 1, "scale is nan"),
    "scale of a flow": (["flow", "--target", "y", "--scale", 0], 2, "0.0 is not in the range"),
    "infinite scale": (
        ["explain", "--target", "y", "--scale", "inf"],
        2,
        "inf is not in the range",
    ),
    "width": (["predict", "--target", "y", "--width", 3], 2, "--width is for fully connected"),
    "project": (
        ["predict", "--target", "y", "--task", "classification", "--project"],
        2,
        "--project is for regression",
    ),
    "no result": (
        ["predict", "--target", "y", "--network", "convolutional"],
        1,
        "Corollary 6: fails: all x_i are even",
    ),
    "no dual": (
        ["flow", "--target", "y", "--network", "fully-connected", "--route", "dual"],
        1,
        "route='dual' needs",
    ),
    "residual": (["flow", "--target", "y", "--until-residual", -1], 2, "not in the range x>=0"),
    "scales": (["path", "--target", "y", "--largest", 1e-9], 2, "0 < smallest < largest"),
    "figure": (["path", "--target", "y", "--figure", "a.doc"], 2, "must end in .png, .pdf or .svg"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_are_one_message_on_stderr(data, case):
    (command, *options), code, message = REFUSED[case]
    result = run(command, data, *options)
    assert result.exit_code == code
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert not result.stdout


def test_missing_file_is_a_usage_error():
    result = run("predict", "nowhere.csv", "--target", "y")
    assert result.exit_code == 2
    assert "'nowhere.csv' does not exist" in result.stderr


def test_inconsistent_data_is_refused_unless_projected(tmp_path):
    file = tmp_path / "bad.csv"
    file.write_text("a,b,y\n1,2,3\n1,2,4\n")
    result = run("predict", file, "--target", "y")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: X z = y has no solution")
    assert "Pass --project" in result.stderr
    projected = run("predict", file, "--target", "y", "--project", "--json")
    named = json.loads(projected.stdout)["coefficients"]
    np.testing.assert_allclose(named["a"] + 2 * named["b"], 3.5, rtol=1e-12)


def test_intercept_is_fitted_and_shown(data):
    result = run("predict", data, "--target", "y", "--intercept", "--json")
    found = json.loads(result.stdout)
    predictions = X @ coefficients(result) + found["intercept"]
    np.testing.assert_allclose(predictions, Y, rtol=1e-12)
    assert "(intercept)" in run("predict", data, "--target", "y", "--intercept").output
    simulated = json.loads(run("flow", data, "--target", "y", "--intercept", "--json").stdout)
    np.testing.assert_allclose(simulated["intercept"], found["intercept"], rtol=1e-8)


@pytest.fixture
def classes(tmp_path):
    file = tmp_path / "classes.csv"
    file.write_text("a;b;kind\n1,5;2;good\n-1;0,5;bad\n2;-1;good\n")
    return file


def test_two_labels(classes):
    options = (classes, "--target", "kind", "--task", "classification")
    predicted = run("predict", *options)
    assert "direction by Corollary 2" in predicted.output
    assert "bad as -1 and good as +1 (separated by semicolons, decimal commas)" in predicted.output
    simulated = json.loads(run("flow", *options, "--json").stdout)["coefficients"]
    found = json.loads(run("predict", *options, "--json").stdout)["coefficients"]
    np.testing.assert_allclose(list(simulated.values()), list(found.values()), atol=1e-3)
    with_ones = json.loads(run("predict", *options, "--intercept", "--json").stdout)
    assert list(with_ones["coefficients"]) == ["a", "b"]
    assert isinstance(with_ones["intercept"], float)
    assert run("path", *options).exit_code == 2


def test_out_holds_coefficients_and_certificate(data, tmp_path):
    out = tmp_path / "results"
    options = (data, "--target", "y", "--intercept", "--json", "--out", out)
    for command, files in (("predict", 3), ("flow", 3), ("path", 4)):
        result = run(command, *options, *(("--num", 2) if command == "path" else ()))
        assert result.exit_code == 0
        assert f"Written to {out}" in result.stderr
        assert len([path for path in out.iterdir() if path.name != OWN]) == files
        assert json.loads((out / "result.json").read_text()) == json.loads(result.stdout)
        saved = ib.load(out / "result.npz")
        names = {"predict": "Limit", "flow": "Flow", "path": "LimitPath"}
        assert type(saved).__name__ == names[command]
        header, *rows = (out / "coefficients.csv").read_text().splitlines()
        assert header.startswith("column,")
        assert [row.split(",")[0] for row in rows] == ["age", "bmi", "bp", "s1", "(intercept)"]


def test_nothing_is_written_where_the_answer_fails(data, tmp_path):
    out = tmp_path / "results"
    result = run("predict", data, "--target", "y", "--network", "convolutional", "--out", out)
    assert result.exit_code == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.csv"]


def test_flow_that_does_not_end_says_so(data):
    stopped = run("flow", data, "--target", "y", "--max-time", 0.1)
    assert stopped.exit_code == 0
    assert "the flow reached max_time" in stopped.output


# verify


def checks(*errors):
    return tuple(
        Check(f"Corollary {number}", "diagonal", "data", lambda e=error: Measurement(e, 0.0))
        for number, error in enumerate(errors, start=1)
    )


def test_verify_agrees_on_a_real_row():
    result = run("verify", "--only", "tabulated")
    assert result.exit_code == 0
    assert "closed forms and tabulated values" in result.stdout
    assert "1 check, agrees" in result.stdout
    assert "1/1  Lemma 4" in result.stderr


def test_verify_fits_a_narrow_screen(monkeypatch):
    monkeypatch.setattr(verification, "CHECKS", checks(0.0, 1e-12))
    monkeypatch.setattr(_printing, "watched", lambda stream: stream is sys.stdout)
    monkeypatch.setenv("COLUMNS", "80")
    lines = run("verify").stdout.splitlines()
    assert lines[0] == " 1  Corollary 1; diagonal; data"
    assert lines[1].split()[:3] == ["agrees", "difference", "0.0e+00"]
    assert max(map(len, lines)) <= 80
    monkeypatch.setenv("COLUMNS", "150")
    assert "judged by" in run("verify").stdout


def test_quiet_keeps_progress_off(monkeypatch, data):
    monkeypatch.setattr(verification, "CHECKS", checks(0.0))
    assert "1/1  Corollary 1" in run("verify").stderr
    assert run("verify", "--quiet").stderr == ""
    for command in ("path", "flow"):
        assert run(command, data, "--target", "y", "--quiet").stderr == ""


def test_verify_exits_with_1_when_a_row_disagrees(monkeypatch):
    monkeypatch.setattr(verification, "CHECKS", checks(0.0, 1e-3))
    result = run("verify")
    assert result.exit_code == 1
    assert "DISAGREES" in result.stdout
    assert "2 checks, 1 DISAGREES" in result.stdout
    assert run("verify", "--only", "corollary 1").exit_code == 0


def test_verify_shows_a_row_that_raises(monkeypatch):
    def raising():
        raise ValueError("no luck")

    failing = Check("Corollary 1", "diagonal", "data", raising)
    monkeypatch.setattr(verification, "CHECKS", (failing, *checks(0.0)))
    result = run("verify")
    assert result.exit_code == 1
    assert "FAILED" in result.stdout
    assert "1  Corollary 1: ValueError: no luck" in result.stdout
    assert "agrees" in result.stdout


def test_verify_json(monkeypatch):
    monkeypatch.setattr(verification, "CHECKS", checks(0.0, np.nan))
    result = run("verify", "--json")
    assert result.exit_code == 1
    rows = json.loads(result.stdout)["rows"]
    assert [row["agrees"] for row in rows] == [True, False]


def test_verify_writes(tmp_path):
    result = run("verify", "--only", "random 7 x 9", "--out", tmp_path / "report")
    assert result.exit_code == 0
    names = sorted(path.name for path in (tmp_path / "report").iterdir() if path.name != OWN)
    assert names == ["arrays.npz", "manifest.json", "report.html", "summary.svg"]


def test_report_writes_one_page_whatever_it_finds(tmp_path, monkeypatch):
    monkeypatch.setattr(verification, "CHECKS", checks(0.0, 1e-3))
    page = tmp_path / "page.html"
    assert run("report", page, "--only", "corollary 1").exit_code == 0
    good = page.read_text(encoding="utf-8")
    assert "1 check, agrees" in good
    result = run("report", page)
    assert result.exit_code == 1
    assert "2 checks, 1 DISAGREES" in result.stdout
    assert "1.0e-03" in page.read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_report_refuses_before_the_work_is_done(tmp_path, monkeypatch):
    def never():
        raise AssertionError

    monkeypatch.setattr(verification, "CHECKS", (Check("Lemma 4", "", "", never),))
    wrong = run("report", tmp_path / "page.pdf")
    assert wrong.exit_code == 2
    assert "must end in .html" in wrong.stderr
    blocked = run("report", tmp_path / "nowhere" / "page.html")
    assert blocked.exit_code == 1
    assert f"{tmp_path / 'nowhere' / 'page.html'}: No such file" in blocked.stderr
    assert "1/1" not in blocked.stderr


def test_verify_usage_errors(tmp_path):
    unknown = run("verify", "--only", "Theorem 99")
    assert unknown.exit_code == 2
    assert "no check is about 'Theorem 99'" in unknown.stderr
    (tmp_path / "file").write_text("")
    taken = run("verify", "--out", tmp_path / "file")
    assert taken.exit_code == 2
    blocked = run("verify", "--only", "tabulated", "--out", tmp_path / "file" / "report")
    assert blocked.exit_code == 1
    assert blocked.stderr.startswith("Error: ")
    assert not blocked.stdout
