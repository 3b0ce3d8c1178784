"""``implicitbias explore``: a page from a table, and files that are not its own."""

import json
import re

import pytest
from click.testing import CliRunner

import implicitbias as ib
from implicitbias import datasets
from implicitbias.cli import main
from implicitbias.cli._explore import DATASETS

ROWS = "a,</script>,c,y\n1,2,0.5,2\n0,1,-1,1\n"
FEW = ("--network", "diagonal", "--depth", "2", "--no-training")


@pytest.fixture
def table(tmp_path):
    file = tmp_path / "table.csv"
    file.write_text(ROWS, encoding="utf-8")
    return file


def run(*arguments):
    return CliRunner().invoke(main, ["explore", *map(str, arguments)])


def data_of(file):
    text = file.read_text(encoding="utf-8")
    (found,) = re.findall(r'<script id="data" type="application/json">(.*?)</script>', text)
    return json.loads(found)


def test_a_page_from_a_table(table, tmp_path):
    out = tmp_path / "page.html"
    done = run(table, "--target", "y", "--out", out, *FEW)
    assert done.exit_code == 0, done.output
    assert "3 settings" in done.stdout
    data = data_of(out)
    assert data["title"] == "Where training ends: table.csv, 2 x 3 of rank 2"
    found = data["tasks"][0]["store"][1]
    problem = ib.Regression([[1, 2, 0.5], [0, 1, -1]], [2, 1])
    path = ib.limit_path(
        ib.DiagonalNetwork(3, 2), problem, [[1] * 3, [0] * 3], [float(x) for x in found["x"]]
    )
    columns = [["a", "</script>", "c"].index(name) for name in found["names"]]
    assert found["columns"][0]["values"] == path.coefficients[:, columns].tolist()


def test_the_intercept_is_listed(table, tmp_path):
    out = tmp_path / "page.html"
    assert run(table, "--target", "y", "--out", out, "--intercept", *FEW).exit_code == 0
    found = data_of(out)["tasks"][0]["store"][0]
    rows = {row["name"]: row["values"] for row in found["rows"]}
    beta = dict(zip(found["names"], found["columns"][0]["values"][3], strict=True))
    first = beta["a"] + 2 * beta["</script>"] + 0.5 * beta["c"]
    assert first + rows["(intercept)"][3] == pytest.approx(2.0, rel=1e-12)


def test_two_classes_with_a_constant(table, tmp_path):
    out = tmp_path / "page.html"
    options = ("--task", "classification", "--intercept", "--network", "diagonal", "--depth", "2")
    done = run(table, "--target", "y", "--out", out, *options)
    assert done.exit_code == 0, done.output
    assert set(data_of(out)["tasks"][0]["store"][0]["names"]) == {
        "a",
        "</script>",
        "c",
        "(intercept)",
    }


def test_units_play_no_part_where_asked(table, tmp_path):
    """Columns in other units make another page, and the same one with --standardise."""
    rows = [line.split(",") for line in table.read_text(encoding="utf-8").splitlines()]
    other = tmp_path / "other.csv"
    scaled = [rows[0], *([repr(1024 * float(row[0])), *row[1:]] for row in rows[1:])]
    other.write_text("\n".join(map(",".join, scaled)), encoding="utf-8")
    found = {}
    for name, given in (("table", table), ("other", other)):
        for option in ("--standardise", "--no-standardise"):
            out = tmp_path / f"{name}{option}.html"
            assert run(given, "--target", "y", "--out", out, option, *FEW).exit_code == 0
            found[name, option] = data_of(out)
    kept = {key: data["tasks"] for key, data in found.items()}
    assert kept["table", "--standardise"] == kept["other", "--standardise"]
    assert kept["table", "--no-standardise"] != kept["other", "--no-standardise"]
    title = found["table", "--standardise"]["title"]
    assert "columns divided by their standard deviations" in title


def test_files_of_others_stay(table, tmp_path):
    out = tmp_path / "page.html"
    out.write_text("mine", encoding="utf-8")
    arguments = (table, "--target", "y", "--out", out, *FEW)
    refused = run(*arguments)
    assert refused.exit_code == 2
    assert "no earlier run of explore wrote it" in refused.stderr
    assert out.read_text(encoding="utf-8") == "mine"
    assert run(*arguments, "--force").exit_code == 0
    assert run(*arguments).exit_code == 0  # its own
    assert sorted(each.name for each in tmp_path.iterdir()) == ["page.html", "table.csv"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["TABLE"], 2, "Missing option '--target'"),
        (["TABLE", "--target", "z"], 1, "has no column 'z'"),
        (["TABLE", "--target", "y", "--dataset", "iris"], 2, "both say what to explore"),
        (["--target", "y"], 2, "--target is for DATA; there is no file"),
        (["--dataset", "iris", "--intercept"], 2, "--intercept is for DATA; there is --dataset"),
        (["--dataset", "iri"], 2, "'iri' is not one of"),
        (["--depth", "1"], 2, "--depth"),
    ],
)
def test_what_does_not_fit_is_refused(table, tmp_path, arguments, code, message):
    out = tmp_path / "page.html"
    done = run(*(table if each == "TABLE" else each for each in arguments), "--out", out)
    assert done.exit_code == code
    assert message in done.stderr
    assert not out.exists()


def test_the_page_has_a_name_that_a_browser_opens(tmp_path):
    assert "must end in .html" in run("--out", tmp_path / "page.txt").stderr


def test_a_folder_that_is_not_there(tmp_path):
    out = tmp_path / "nowhere" / "page.html"
    done = run("--out", out)
    assert done.exit_code == 1
    assert f"{out}: No such file" in done.stderr


def test_data_sets_are_those_of_the_package():
    assert set(DATASETS) == set(datasets.NAMES) == set(datasets.BY_NAME)


@pytest.mark.parametrize("name", DATASETS)
def test_every_column_of_a_data_set_has_a_name(name):
    names = datasets.names(name)
    assert len(names) == len(set(names)) == datasets.load(name).num_features
