"""``standardise``: what is trained on has divided columns, what is given back is the table's."""

import numpy as np
import pytest
from click.testing import CliRunner

import implicitbias as ib
from implicitbias.cli import main
from implicitbias.problems import spreads
from implicitbias.sweeps import read_plan

UNITS = np.array([1.0, 1e-8, 1e8, 20.0, 3.0])
DATA = {"file": "table.csv", "target": "y", "standardise": True}
PLAN = {
    "verb": "predict",
    "save_coefficients": True,
    "data": DATA,
    "network": {"name": "diagonal", "depth": [2, 3]},
    "start": {"scale": [0.01, 1.0]},
}


@pytest.fixture(autouse=True)
def table(tmp_path, monkeypatch):
    """A CSV file of X and y in the current folder, its first column constant."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("implicitbias.sweeps._sweep.draw", lambda *_, **__: [])
    rng = np.random.default_rng(3)
    X, y = rng.standard_normal((3, 5)) * UNITS, rng.standard_normal(3)
    X[:, 0] = 7.0
    rows = np.column_stack([X, y])
    np.savetxt("table.csv", rows, "%.17g", ",", header="a,b,c,d,e,y", comments="")
    return X, y


def plan(**changes):
    return PLAN | {"data": DATA | changes}


def swept(folder, given):
    return ib.sweep(given, folder, workers=1)


def toml(*lines, file='file = "table.csv"\ntarget = "y"'):
    text = '\n'.join(
        ['verb = "predict"', "save_coefficients = true", "[network]", 'name = "diagonal"',
         "depth = [2, 3]", "[start]", "scale = [0.01, 1.0]", "[data]", file, *lines]
    )  # fmt: skip
    with open("plan.toml", "w", encoding="utf-8") as out:
        out.write(text)


def run(*arguments):
    return CliRunner().invoke(main, ["sweep", "plan.toml", *arguments])


def test_regressions_are_those_of_the_divided_columns(table):
    X, y = table
    units = np.where(spreads(X) > 0, spreads(X), 1.0)
    assert units[0] == 1.0
    result = swept("out", PLAN)
    network = {depth: ib.DiagonalNetwork(5, depth) for depth in (2, 3)}
    assert len(result.table) == 4
    for row in result.table.itertuples():
        trained = network[row.network_depth]
        start = ib.Initialization.last_layer_zero(trained, np.ones(5), row.start_scale)
        limit = ib.predict_limit(trained, ib.Regression(X / units, y), start)
        beta = result.coefficients(row.task)
        np.testing.assert_allclose(beta, limit.coefficients / units, rtol=1e-12)
        np.testing.assert_allclose(X @ beta, y, rtol=1e-9)
        assert row.l2 == pytest.approx(np.linalg.norm(beta), rel=1e-14)
        assert row.certificate_worst < 1e-10
        assert bool(row.data_standardise)


@pytest.mark.parametrize("intercept", [False, True])
def test_classes_are_separated_in_the_tables_units(table, intercept):
    X, _ = table
    rows = np.column_stack([X, [1, -1, 1]])
    np.savetxt("table.csv", rows, "%.17g", ",", header="a,b,c,d,e,y", comments="")
    result = swept("out", plan(task="classification", intercept=intercept))
    for row in result.table.itertuples():
        beta = result.coefficients(row.task)
        scores = X @ beta[:5] + (beta[5] if intercept else 0.0)
        assert len(beta) == 5 + intercept
        assert (scores * [1, -1, 1]).min() == pytest.approx(1.0, rel=1e-7)


def test_units_play_no_part_but_in_what_is_given_back(table):
    X, y = table
    first = swept("one", plan(intercept=True))
    np.savetxt(
        "table.csv",
        np.column_stack([X / UNITS, y]),
        "%.17g",
        ",",
        header="a,b,c,d,e,y",
        comments="",
    )
    second = swept("other", plan(intercept=True))
    for task in range(4):
        one, other = first.coefficients(task) * UNITS, second.coefficients(task)
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)


def test_it_is_an_axis_like_any_other():
    result = swept("out", plan(standardise=[False, True]))
    assert result.num_tasks == 8
    by_units = result.table.groupby("data_standardise")["l2"].median()
    assert len(by_units) == 2
    assert by_units[True] != pytest.approx(by_units[False])


def test_the_option_says_what_the_plan_would():
    toml()
    done = run("--standardise", "--out", "option", "--workers", "1")
    assert done.exit_code == 0, done.output
    toml("standardise = true")
    again = run("--out", "option", "--workers", "1")  # the same plan: nothing is run again
    assert again.exit_code == 0, again.output
    assert run("--out", "said", "--workers", "1").exit_code == 0
    for name in ("results.csv", "coefficients.npz"):
        with open(f"option/{name}", "rb") as one, open(f"said/{name}", "rb") as other:
            assert one.read() == other.read()


def test_a_sweep_that_was_ended_goes_on_to_the_same_bytes():
    class End(Exception):
        """Ends a sweep."""

    def ended(state):
        if state.done:
            raise End

    swept("whole", PLAN)
    given = read_plan(PLAN)
    with pytest.raises(End):
        ib.sweep(given, "ended", workers=1, callback=ended)
    swept("ended", given)
    for name in ("results.csv", "coefficients.npz"):
        with open(f"whole/{name}", "rb") as one, open(f"ended/{name}", "rb") as other:
            assert one.read() == other.read()


def test_without_the_option_the_folder_is_another_plans():
    toml()
    assert run("--standardise", "--out", "out", "--workers", "1").exit_code == 0
    done = run("--out", "out", "--workers", "1")
    assert done.exit_code != 0
    assert "data.standardise was True, is not there" in done.output


@pytest.mark.parametrize(
    ("lines", "file", "message"),
    [
        (["standardise = false"], None, "contradicts the plan"),
        (["standardise = [false, true]"], None, "contradicts the plan"),
        ([], 'name = "gaussian"\nnum_points = 3\nnum_features = 5\nseed = 0', "is for tables"),
    ],
)
def test_where_the_option_means_nothing(lines, file, message):
    toml(*lines, **({} if file is None else {"file": file}))
    done = run("--standardise", "--out", "out")
    assert done.exit_code != 0
    assert message in " ".join(done.output.split())


@pytest.mark.parametrize("given", [1, "yes"])
def test_only_true_and_false_are_taken(given):
    with pytest.raises(ib.InvalidInputError, match=r"standardise is .*; expected true or false"):
        swept("out", plan(standardise=given))


def test_drawn_data_are_not_divided():
    data = {"name": "gaussian", "num_points": 3, "num_features": 5, "seed": 0, "standardise": True}
    with pytest.raises(ib.InvalidInputError, match="unknown key 'standardise'"):
        swept("out", PLAN | {"data": data})


def test_spreads_out_of_range_are_refusals(table):
    X, y = table
    X[:, 1] *= 1e-200
    rows = np.column_stack([X, y])
    np.savetxt("table.csv", rows, "%.17g", ",", header="a,b,c,d,e,y", comments="")
    result = swept("out", PLAN)
    assert result.num_refused == 4
    assert result.table["error"].str.contains("standard deviation").all()
