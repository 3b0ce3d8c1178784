"""The loop: order, batches, and what becomes of tasks whose process died."""

from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool

import pytest

import implicitbias as ib
from helpers.sweeps import plan, recorded
from implicitbias.sweeps import read_plan
from implicitbias.sweeps._crew import Crew
from implicitbias.sweeps._folder import Folder
from implicitbias.sweeps._loop import Loop, shuffled
from implicitbias.sweeps._task import run_batch


class Dying(Crew):
    """Two processes, which die with some tasks and take what is beside them along."""

    workers, ahead = 2, 4

    def __init__(self, deadly, always=True):
        self.deadly, self.always = set(deadly), always
        self.out, self.log, self.checks = [], [], 0

    def submit(self, work, batch):
        future = Future()
        self.out.append((future, work, batch))
        numbers = [number for number, _ in batch]
        self.log.append((numbers, len([each for each, _, _ in self.out if not each.done()])))
        if len(self.out) >= self.workers or len(self.log) >= 12:
            self.settle()
        return future

    def settle(self):
        """Let all that is out end, well or badly."""
        met = self.deadly & {number for _, _, batch in self.out for number, _ in batch}
        for future, work, batch in self.out:
            if met:
                future.set_exception(BrokenProcessPool("died"))
            else:
                future.set_result(run_batch(work, batch))
        self.out = []
        if met and not self.always:
            self.deadly -= met

    def check(self):
        self.checks += 1
        self.settle()


def looped(crew, folder, monkeypatch):
    monkeypatch.setattr("implicitbias.sweeps._loop.POLL", 0.01)
    read = read_plan(plan())
    with Folder(folder).locked(read) as held:
        Loop(read, held, crew, None).run()
        return held.records


def test_a_task_that_always_kills_is_recorded_and_all_others_finish(tmp_path, monkeypatch):
    crew = Dying({5})
    records = looped(crew, tmp_path, monkeypatch)
    failed = {number for number, record in records.items() if record["status"] == "failed"}
    assert failed == {5}
    assert records[5]["error_type"] == "BrokenProcessPool"
    assert "alone and repeatedly" in records[5]["error"]
    assert recorded(tmp_path) == dict.fromkeys(range(12), 1)
    met = [(numbers, beside) for numbers, beside in crew.log if 5 in numbers]
    assert len(met) == 3
    assert met[-1] == ([5], 1)  # the last time with nothing beside it: it is to blame


def test_tasks_that_a_passing_death_took_along_are_run_again(tmp_path, monkeypatch):
    records = looped(Dying({3, 7}, always=False), tmp_path, monkeypatch)
    assert {record["status"] for record in records.values()} == {"ok"}
    assert recorded(tmp_path) == dict.fromkeys(range(12), 1)


def test_a_crew_that_is_lost_for_good_ends_the_sweep_and_blames_no_task(tmp_path, monkeypatch):
    class Lost(Dying):
        workers = ahead = 1

        def check(self):
            raise ib.ImplicitBiasError("the Dask cluster no longer answers")

    with pytest.raises(ib.ImplicitBiasError, match="no longer answers"):
        looped(Lost({0}), tmp_path, monkeypatch)
    assert 0 not in recorded(tmp_path)


@pytest.mark.parametrize("size", [1, 2, 63, 64, 500, 5000])
def test_the_order_has_every_task_once_and_is_always_the_same(size):
    order = list(shuffled(size))
    assert sorted(order) == list(range(size))
    assert order == list(shuffled(size))


def test_the_first_tasks_are_a_fair_sample():
    """Of 5000 the first tenth comes from all of the grid, in sets that share their data."""
    first = list(shuffled(5000))[:500]
    assert abs(sum(first) / len(first) - 2500) < 600
    assert len({number // 32 for number in first}) < 20


def test_small_tasks_share_a_file(tmp_path, monkeypatch):
    """A file holds a quarter of a second of work: far fewer files than tasks."""
    monkeypatch.setattr("implicitbias.sweeps._sweep.draw", lambda *_, **__: [])
    data = plan()["data"] | {"seed": {"range": 100}, "num_points": 9}  # refused, so quick
    ib.sweep(plan(data=data), tmp_path, workers=1)
    assert sum(recorded(tmp_path).values()) == 400
    assert len(list((tmp_path / "results").iterdir())) < 20
