"""Plans: what they mean, and what is refused before any work."""

import itertools

import numpy as np
import pytest

import implicitbias as ib
from helpers.sweeps import PLAN, plan
from implicitbias.sweeps import read_plan

TOML = """
verb = "predict"
[data]
seed = [0, 1, 2]
name = "sparse"
num_nonzero = 1
num_features = 6
num_points = 3
[network]
depth = [2, 3]
name = "diagonal"
[start]
scale = [0.01, 1.0]
"""


def written(tmp_path, text):
    file = tmp_path / "plan.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_tasks_are_the_product_of_all_lists():
    read = read_plan(PLAN)
    tasks = [read.task(number) for number in range(len(read))]
    found = [(t["data"]["seed"], t["network"]["depth"], t["start"]["scale"]) for t in tasks]
    assert found == list(itertools.product([0, 1, 2], [2, 3], [0.01, 1.0]))


def test_a_file_is_the_same_plan_whatever_the_order_of_its_keys(tmp_path):
    assert read_plan(written(tmp_path, TOML)).canonical() == read_plan(PLAN).canonical()


def test_alternatives_are_added_not_multiplied():
    networks = [{"name": "diagonal", "depth": [2, 3]}, {"name": "two_sided", "depth": 2.5}]
    read = read_plan(plan(network=networks))
    assert len(read) == 3 * (2 + 1) * 2
    assert read.task(4)["network"] == {"name": "two_sided", "depth": 2.5}


def test_grids():
    start = {
        "scale": {"geomspace": [1e-4, 1.0, 5]},
        "seed": {"range": [3, 8, 2]},
    }
    read = read_plan(plan(start=start))
    starts = read.points[2]
    assert [each["seed"] for each in starts[:3]] == [3, 5, 7]
    np.testing.assert_allclose(
        [each["scale"] for each in starts[::3]], [1e-4, 1e-3, 1e-2, 1e-1, 1], rtol=1e-14
    )
    assert starts[-1]["scale"] == 1.0
    (lone,) = read_plan(plan(start={"scale": {"linspace": [0, 1, 2]}})).tables["start"]
    assert lone["scale"] == [0.0, 1.0]


def test_arrays_and_numbers_of_numpy_are_values():
    start = {"scale": np.array([0.1, 0.2]), "seed": range(2)}
    read = read_plan(plan(start=start, network={"name": "diagonal", "depth": np.int64(3)}))
    assert len(read) == 3 * 4
    assert read.points[2][0] == {"scale": 0.1, "seed": 0}


REFUSED = {
    "a slip": ({"start": {"sclae": 1.0}}, r"\[start\] has an unknown key 'sclae'. Did you mean 's"),
    "a slip above": ({"strat": {}}, "the plan has an unknown key 'strat'. Did you mean 'start'"),
    "a slip in a name": ({"network": {"name": "diagonl"}}, "Did you mean 'diagonal'"),
    "a key of elsewhere": ({"step": 0.1}, r"unknown key 'step'. It belongs to \[descend\]"),
    "a slip in the verb": ({"verb": "predcit"}, "expected one of predict, flow, descend, verify"),
    "options of another verb": ({"flow": {}}, r"has a table \[flow\], but its verb is 'predict'"),
    "nothing": ({"start": {"scale": []}}, "scale is an empty list"),
    "the same twice": ({"start": {"scale": [0.1, 1e-1]}}, "has the value 0.1 twice"),
    "a sign": ({"start": {"scale": [1, -1]}}, "scale, value 2, is -1; expected a number >= 0"),
    "no number": ({"start": {"scale": float("nan")}}, "scale is nan"),
    "a truth value": ({"start": {"seed": True}}, "seed is True; expected a whole number"),
    "a huge seed": ({"start": {"seed": 2**63}}, "expected at most 9223372036854775807"),
    "no grid": ({"start": {"scale": {"logspace": [1, 2, 3]}}}, "Did you mean 'linspace'"),
    "half a grid": ({"start": {"scale": {"geomspace": [1, 2]}}}, r"expected \[first, last, numb"),
    "zero on a log grid": ({"start": {"scale": {"geomspace": [0, 1, 3]}}}, "geomspace, is 0"),
    "a standing range": ({"start": {"seed": {"range": [0, 3, 0]}}}, "goes by 0"),
    "a huge range": ({"start": {"seed": {"range": 10**9}}}, "at most 1000000 are taken"),
    "too many tasks": (
        {
            "start": {"seed": {"range": 10**6}},
            "network": {"name": "diagonal", "depth": [2, 3, 4, 5]},
        },
        "the plan has 12000000 tasks; at most 10000000",
    ),
    "one layer": ({"network": {"name": "diagonal", "depth": 1}}, "depth is 1; expected a finite"),
    "half a layer": ({"network": {"name": "diagonal", "depth": 2.5}}, "depth is 2.5; expected a w"),
    "a width for all": ({"network": {"name": "diagonal", "width": 2}}, "has a width, which is for"),
    "half the data": ({"data": {"name": "gaussian", "num_points": 3}}, "lacks num_features, seed"),
    "no such file": ({"data": {"file": "nowhere.csv", "target": "y"}}, "nowhere.csv cannot be rea"),
    "no file at all": ({"data": {"seed": 1}}, "has neither of name and file"),
    "no draw": ({"start": {"balanced": True}}, "has balanced, but no seed"),
    "nothing to compare": ({"compare": True}, "compare is for flow and descend"),
    "no step": ({"verb": "descend"}, r"\[descend\] needs one"),
    "training from nowhere": (
        {"verb": "flow", "start": {"scale": [0, 1]}},
        "scale is 0, from which nothing can be trained",
    ),
    "a figure of nothing": ({"figure": {"x": "start.sacle"}}, "expected one of data.name"),
}


@pytest.mark.parametrize("title", REFUSED)
def test_what_is_refused(title):
    changes, message = REFUSED[title]
    with pytest.raises(ib.InvalidInputError, match=message):
        read_plan(plan(**changes))


@pytest.mark.parametrize("given", [None, 3, b"plan.toml"])
def test_what_is_no_plan(given):
    with pytest.raises(ib.InvalidInputError, match="expected the name of a TOML file, or a dict"):
        read_plan(given)


def test_a_file_that_is_no_toml_is_refused_with_its_line(tmp_path):
    with pytest.raises(ib.InvalidInputError, match=r"is no TOML file: .*line 3"):
        read_plan(written(tmp_path, "verb = 'predict'\n[data]\nseed 3\n"))
