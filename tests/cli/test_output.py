"""What is written, and what never is."""

import json
import warnings

import pytest
from click.testing import CliRunner

from implicitbias.cli import main
from implicitbias.report import OWN

PLAIN = "a,b,y\n1,2,3\n4,5,7\n"


@pytest.fixture
def run(tmp_path):
    def invoke(*arguments, content=PLAIN, name="data.csv"):
        file = tmp_path / name
        file.write_text(content, encoding="utf-8")
        command, *rest = map(str, arguments)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return CliRunner().invoke(main, [command, str(file), "--target", "y", *rest])

    return invoke


def test_files_of_the_user_are_kept(tmp_path, run):
    out = tmp_path / "out"
    out.mkdir()
    (out / "path.png").write_text("my picture")
    assert run("predict", "--out", out).exit_code == 0
    assert (out / "path.png").read_text() == "my picture"
    refused = run("path", "--num", 2, "--out", out)
    assert refused.exit_code == 2
    assert refused.stderr.startswith(
        f"Error: in {out} there is a file that implicitbias did not write"
    )
    assert len(refused.stderr.splitlines()) == 1
    assert (out / "path.png").read_text() == "my picture"
    assert run("path", "--num", 2, "--out", out, "--force").exit_code == 0
    assert (out / "path.png").read_bytes().startswith(b"\x89PNG")
    assert run("predict", "--out", out).exit_code == 0  # the figure was ours by then
    written = [OWN, "coefficients.csv", "result.json", "result.npz"]
    assert sorted(path.name for path in out.iterdir()) == written


def test_nothing_is_half_replaced(tmp_path, run):
    out = tmp_path / "out"
    (out / "result.json").mkdir(parents=True)
    (out / "coefficients.csv").write_text("old")
    refused = run("flow", "--out", out, "--force")
    assert refused.exit_code == 2
    assert (out / "coefficients.csv").read_text() == "old"
    assert sorted(path.name for path in out.iterdir()) == ["coefficients.csv", "result.json"]


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("revenue_$_in_$,b,y", "money.csv"),
        ("a,b,y", "Ba$$in.csv"),
        ("$\\frac{,$x^^$,y", "a$b^$c.csv"),
        ("_a,__,y", "under.csv"),
        ("\u7279\u5fb4,\u03b1\u202eb,y", "\u8868.csv"),
        ('"two\nlines",\x1b[31mred,y', "escapes.csv"),
        ("n" * 5000 + ",b,y", "long.csv"),
    ],
)
def test_names_are_drawn_as_they_stand(tmp_path, run, header, name):
    figure = tmp_path / "figure.svg"
    content = f"{header}\n1,2,3\n4,5,7\n"
    result = run("path", "--num", 2, "--figure", figure, content=content, name=name)
    assert result.exit_code == 0, result.output
    assert figure.read_text(encoding="utf-8").startswith("<?xml")
    assert not result.stderr


def test_a_users_own_style_does_not_matter(tmp_path, run):
    from matplotlib import rc_context

    with rc_context({"text.usetex": True, "font.size": 90}):
        assert run("path", "--num", 2, "--figure", tmp_path / "f.png").exit_code == 0


def test_columns_of_near_scales_are_all_there(tmp_path, run):
    out = tmp_path / "out"
    options = ("--largest", 1.0000001, "--smallest", 1, "--num", 5, "--no-ends")
    assert run("path", *options, "--out", out).exit_code == 0
    header = (out / "coefficients.csv").read_text().splitlines()[0]
    assert len(header.split(",")) == 6
    assert len(json.loads((out / "result.json").read_text())["limits"]) == 5


def test_a_figure_that_cannot_be_written_is_refused_before_the_work(tmp_path, run):
    figure = tmp_path / "nowhere" / "f.png"
    result = run("path", "--figure", figure, content="")
    assert result.exit_code == 1
    assert result.stderr == f"Error: {figure}: No such file or directory\n"


def test_certificates_show_their_error(tmp_path, run):
    shown = run("path", "--num", 2).stdout.splitlines()
    assert shown[1].split()[-3:] == ["feasibility", "gap", "error"]
    assert len(shown[2].split()) == 7
    certificate = json.loads(run("predict", "--json").stdout)["certificate"]
    assert "error" in certificate
