"""What does not fit is refused with its number, before any work."""

import resource

import numpy as np
import pytest
from scipy.sparse import random_array

import implicitbias as ib
from helpers.draws import normal
from implicitbias import _memory
from implicitbias.features import as_features, limit_bytes


def test_what_is_left_is_a_number_of_bytes():
    assert 0 < _memory.available_bytes() < 1 << 50


def test_limits_of_the_process_count(monkeypatch):
    pages = 1 << 60
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (pages, pages))
    assert _memory.available_bytes() < pages
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (1 << 40, 1 << 40))
    assert _memory.available_bytes() < 1 << 40


def test_where_nothing_is_known_nothing_is_refused(monkeypatch):
    monkeypatch.setattr(_memory.Path, "read_text", lambda *_, **__: "")
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (resource.RLIM_INFINITY,) * 2)
    assert _memory.available_bytes() == np.inf
    _memory.refuse_beyond_memory(1e300, "this", "")


def write(group, files):
    group.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (group / name).write_text(text)


@pytest.mark.parametrize(
    ("line", "root", "names"),
    [
        ("0::/pod/box", "", ("memory.max", "memory.current", "inactive_file")),
        (
            "7:cpu:/\n4:memory:/pod/box",
            "memory",
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ),
    ],
)
def test_limits_of_containers_count(monkeypatch, tmp_path, line, root, names):
    (tmp_path / "groups").write_text(f"{line}\n3:pids:/\n")
    monkeypatch.setattr(_memory, "OF_THIS_PROCESS", tmp_path / "groups")
    monkeypatch.setattr(_memory, "GROUPS", tmp_path)
    plain = _memory.available_bytes()
    assert plain > 1 << 20
    stat = f"anon 5\n{names[2]} 300\nother 1\n"
    inner, outer = tmp_path / root / "pod" / "box", tmp_path / root / "pod"
    write(inner, {names[0]: "max\n", names[1]: "7000\n", "memory.stat": stat})
    assert _memory.available_bytes() > 1 << 20
    write(outer, {names[0]: "10000\n", names[1]: "8000\n", "memory.stat": stat})
    assert _memory.available_bytes() == 10000 - 8000 + 300
    write(inner, {names[0]: "9000\n"})
    assert _memory.available_bytes() == 2300
    write(inner, {names[0]: "7100\n"})
    assert _memory.available_bytes() == 400


@pytest.fixture
def little(monkeypatch):
    monkeypatch.setattr(_memory, "ALWAYS", 0)
    monkeypatch.setattr(_memory, "available_bytes", lambda: 5.0 * (1 << 10))


def test_limits_that_do_not_fit(little):
    X, y = normal(0, (20, 200), 20)
    problem = ib.Regression(X, y)
    init = ib.Initialization([np.ones(200), np.zeros(200)], scale=0.1)
    text = r"a limit of 20 points and 200 features takes about 0\.0 GiB and 0\.0 GiB are left"
    with pytest.raises(ib.InvalidInputError, match=text):
        ib.predict_limit(ib.DiagonalNetwork(200, 2), problem, init)


def test_ranks_that_do_not_fit(little, monkeypatch):
    monkeypatch.setattr("implicitbias.features._large.MOST_ALWAYS", 5)
    X, y = normal(0, (150, 3000), 150)
    assert ib.Regression(X, y).rank == 150  # proved by products
    X[3] = X[4]
    with pytest.raises(ib.InvalidInputError, match="deciding which of 150 rows of X depend"):
        ib.Regression(X, y)


def test_what_a_limit_takes_is_stated():
    rng = np.random.default_rng(0)
    X = random_array((4100, 9000), density=1e-3, rng=rng, data_sampler=rng.standard_normal)
    assert limit_bytes(as_features(X.tocsr())) < 1e7  # by conjugate gradients
    dense = as_features(np.broadcast_to(1.0, (4100, 9000)))
    assert limit_bytes(dense) > 2 * 8 * 4100**2


def test_large_limits_state_their_memory(monkeypatch):
    X, y = normal(0, (20, 200), 20)
    problem = ib.Regression(X, y)
    assert "GiB" not in problem.describe()
    monkeypatch.setattr("implicitbias.problems._regression.GIB", 1e3)
    assert "a limit takes about 115.2 GiB (Cholesky factors)" in problem.describe()
