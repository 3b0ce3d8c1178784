"""The hunt itself: seeds decide, wrong answers are found, refusals are sorted."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import implicitbias as ib

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.robustness import _certified, _data, _wind
from benchmarks.robustness._outcome import Record, judge, limited, message_class
from benchmarks.robustness._outcome import TooSlowError as TooSlow
from benchmarks.robustness._problems import draw
from benchmarks.robustness._report import faulty, lines
from benchmarks.robustness._witness import Followed, disagrees

PATIENCE = 20.0
CHECKED = 0  # a seed whose answer has a reference


def test_a_seed_is_one_problem():
    for seed in range(30):
        first, second = draw(seed), draw(seed)
        assert first.script() == second.script()
        np.testing.assert_array_equal(first.X, second.X)
        np.testing.assert_array_equal(first.y, second.y)
        assert first.kinds == second.kinds


def test_every_kind_of_data_and_network_is_drawn():
    problems = [draw(seed) for seed in range(300)]
    assert {problem.kinds["data"] for problem in problems} == set(_data.DATA)
    assert len({problem.family for problem in problems}) == 6
    assert {problem.task for problem in problems} == {"regression", "path", "classification"}


def test_a_script_asks_the_same():
    problem = next(p for p in map(draw, range(100)) if p.task == "regression" and p.X.size < 6)
    limit = eval(problem.script(), {"ib": ib, "np": np})
    np.testing.assert_array_equal(limit.coefficients, problem.ask()[0].coefficients)


def test_right_answers_pass_and_wrong_ones_do_not(monkeypatch):
    record = judge(CHECKED, 1.0, PATIENCE)
    assert record.checked
    assert not faulty(record)
    asked = ib.predict_limit

    def spoiled(*arguments):
        limit = asked(*arguments)
        return replace(limit, coefficients=limit.coefficients * (1 + 1e-5))

    monkeypatch.setattr(ib, "predict_limit", spoiled)
    assert judge(CHECKED, 1.0, PATIENCE).wrong


def test_untyped_exceptions_and_warnings_are_faults(monkeypatch):
    def failing(*_):
        raise KeyError("inside")

    monkeypatch.setattr(ib, "predict_limit", failing)
    assert faulty(judge(CHECKED, 1.0, PATIENCE)) == "untyped exception"
    record = Record(0, draw(0).kinds, "certified", warnings=["RuntimeWarning: overflow"])
    assert faulty(record) == "warning"
    text = "\n".join(lines([record]))
    assert "UNTYPED" in text
    assert "RuntimeWarning" in text


def test_refusals_are_grouped_without_their_numbers():
    first = message_class(ib.NoPredictionError("certified only to 3.0e-05 (gap 1e-3)"))
    assert first == message_class(ib.NoPredictionError("certified only to 12 (gap 4.5)"))


def test_slow_problems_are_stopped():
    with pytest.raises(TooSlow), limited(0.05):
        while True:
            pass


def test_two_layers_on_their_way_are_longer_than_their_end():
    rows = np.array([[1.0, 0.5, 3.0], [0.5, 1.0, 3.0]])
    flow = Followed([np.array([1.0, 1.0, 0.0])], rows, np.array)
    np.testing.assert_allclose(flow.angles(np.array([1.0, 1.0, 0.0])), [0.0])
    assert not flow.is_longer(np.array([0.5, 0.5, 0.0]))  # as long, at margin 1
    assert not flow.is_longer(np.array([1.0, 0.0, 0.0]))
    assert not flow.is_longer(np.array([0.0, 0.0, 1.0]))  # shorter, by one that stays at 0
    assert not flow.is_longer(np.array([-1.0, 0.0, 0.0]))
    late = Followed([np.array([1.0, 0.1, 0.0])], rows, np.array)
    assert late.is_longer(np.array([1.0, 1.0, 0.0]))


def test_a_flow_that_settles_elsewhere_disagrees():
    assert disagrees([0.3, 0.3, 0.3, 0.3, 0.3])
    assert not disagrees([0.3, 0.03, 3e-3, 3e-4, 3e-5])
    assert not disagrees([0.9, 0.8, 0.6, 0.4, 0.2])
    assert not disagrees([0.3, 0.3])


def test_estimates_ten_times_too_small_are_named():
    found = [(1, 1e-12, 9e-12), (2, 1e-12, 2e-11), (3, 0.0, 5e-16), (4, 1e-3, 1.0)]
    assert _certified.too_small(found) == [(2, 1e-12, 2e-11)]


def test_the_example_of_wind_antun_and_hansen(monkeypatch, capsys):
    monkeypatch.setattr(_wind, "DEPTHS", (2, 4))
    monkeypatch.setattr(_wind, "SCALES", (1e-2, 1e-12, 0.0))
    assert _wind.main() == 0
    assert "e-" in capsys.readouterr().out


FAULTS = (4257, 6682, 9686, 10246, 14508, 16798, 18012)
LATER = (2000106, 2002680, 2003175, 2003771, 2006206, 2007589)


@pytest.mark.parametrize("seed", FAULTS + LATER)
def test_problems_that_were_faults_are_none(seed):
    assert not faulty(judge(seed, 1.0, PATIENCE))
