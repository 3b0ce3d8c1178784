"""Sweeps on a Dask cluster: the same table, whoever works."""

import pytest

import implicitbias as ib
from helpers.sweeps import plan, recorded

distributed = pytest.importorskip("distributed")


@pytest.fixture(autouse=True)
def _without_figures(monkeypatch):
    monkeypatch.setattr("implicitbias.sweeps._sweep.draw", lambda *_, **__: [])


@pytest.fixture(scope="module")
def address():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None
    ) as cluster:
        yield cluster.scheduler_address


def test_the_table_is_that_of_this_process(address, tmp_path):
    found = ib.sweep(plan(), tmp_path / "dask", dask=address)
    here = ib.sweep(plan(), tmp_path / "here", workers=1)
    assert found.table.equals(here.table)
    assert recorded(tmp_path / "dask") == dict.fromkeys(range(12), 1)


def test_a_worker_that_is_killed_is_survived(address, tmp_path):
    import os
    import signal

    killed = []

    def kill(state):
        if not killed:
            with distributed.Client(address, set_as_default=False) as client:
                killed.extend(client.run(os.getpid).values())
            os.kill(killed[0], signal.SIGKILL)

    assert ib.sweep(plan(), tmp_path, dask=address, callback=kill).complete
    assert killed
    assert recorded(tmp_path) == dict.fromkeys(range(12), 1)


def test_no_cluster_at_the_address(tmp_path):
    with pytest.raises(ib.InvalidInputError, match="where no scheduler answers"):
        ib.sweep(plan(), tmp_path, dask="tcp://127.0.0.1:9")
    with pytest.raises(ib.InvalidInputError, match="where no scheduler answers"):
        ib.sweep(plan(), tmp_path, dask="nonsense")
