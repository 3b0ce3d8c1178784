"""The progress bar: what it says, and where it says it."""

import io
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import implicitbias as ib
from implicitbias import _progress
from implicitbias._progress import told


class Clock:
    """Seconds that pass as they are told to."""

    now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(_progress, "time", clock)
    return clock


class Terminal(io.StringIO):
    """A stream that is looked at."""

    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Makes standard error a terminal from when it is called."""

    def opened(columns=200):
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr(sys, "stderr", Terminal())
        return sys.stderr

    return opened


def state(share):
    return SimpleNamespace(share=share)


def test_time_left_is_at_the_rate_so_far():
    assert told(0.25, 3.0) == "25 %, 3 s so far, about 9 s left"
    assert told(0.01, 3.0) == "1 %, 3 s so far"
    assert told(1.0, 3.0).startswith("99 %")  # what runs is not done


def test_a_terminal_has_one_line_that_goes_away(terminal, clock):
    stream = terminal()
    with ib.ProgressBar(text="layer 2") as bar:
        for k in (1, 2, 3):
            clock.now = float(k)
            bar(state(k / 4))
        bar(state(0.9))  # too soon to be read
    lines = stream.getvalue().split("\r\x1b[K")
    assert lines[1] == "######" + "." * 18 + " layer 2 25 %, 1 s so far, about 3 s left"
    assert lines[3] == "#" * 18 + "......" + " layer 2 75 %, 3 s so far, about 1 s left"
    assert lines[4:] == [""]


def test_lines_fit_the_terminal(terminal, clock):
    stream = terminal(columns=30)
    bar = ib.ProgressBar(text="x" * 100)
    clock.now = 1.0
    bar(state(0.5))
    assert len(stream.getvalue().removeprefix("\r\x1b[K")) == 29


def test_a_new_run_begins_anew(terminal, clock):
    stream = terminal()
    bar = ib.ProgressBar()
    for now, share in ((10.0, 0.5), (20.0, 0.0), (24.0, 0.5)):
        clock.now = now
        bar(state(share))
    assert stream.getvalue().endswith(" 50 %, 4 s so far, about 4 s left")


def test_files_get_a_line_now_and_then(capsys, clock):
    with ib.ProgressBar() as bar:
        for k in range(1, 41):
            clock.now = float(k)
            bar(state(k / 40))
    assert capsys.readouterr().err.splitlines() == [
        "38 %, 15 s so far, about 25 s left",
        "75 %, 30 s so far, about 10 s left",
    ]


def test_closed_streams_are_no_error(monkeypatch, clock):
    monkeypatch.setattr(sys, "stderr", None)
    with ib.ProgressBar() as bar:
        clock.now = 100.0
        assert bar(state(0.5)) is None


@pytest.fixture
def notebook(monkeypatch):
    """IPython as a kernel has it, without ipywidgets; gives what was displayed."""
    shown = []

    class Handle:
        def update(self, bar):
            shown.append(("update", bar))

    def display(bar, display_id):
        assert display_id is True
        shown.append(("display", bar))
        return Handle()

    kernel = SimpleNamespace(kernel=object())
    inside = SimpleNamespace(HTML=str, display=display)
    whole = SimpleNamespace(get_ipython=lambda: kernel, display=inside)
    monkeypatch.setitem(sys.modules, "IPython", whole)
    monkeypatch.setitem(sys.modules, "IPython.display", inside)
    return shown


def test_a_notebook_has_a_bar_that_is_replaced(notebook, clock, capsys):
    with ib.ProgressBar(text="<b>") as bar:
        for k in (1, 2):
            clock.now = float(k)
            bar(state(k / 4))
    assert [how for how, _ in notebook] == ["display", "update", "update"]
    assert '<progress value="0.2500" max="1"' in notebook[0][1]
    assert "&lt;b&gt; 25 %, 1 s so far, about 3 s left" in notebook[0][1]
    assert "50 %, 2.0 s in all" in notebook[-1][1]
    assert capsys.readouterr() == ("", "")


def test_a_terminals_ipython_is_no_notebook(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: object()))
    assert not _progress._in_notebook()


def test_flows_sweeps_paths_and_pages_take_it(terminal, clock, monkeypatch, tmp_path):
    seen = []
    terminal()
    monkeypatch.setattr(_progress, "told", lambda part, _: seen.append(part) or "")
    monkeypatch.setattr(_progress, "BETWEEN", (-1.0, -1.0))
    problem, network = ib.Regression([[1.0, 2.0]], [2.0]), ib.DiagonalNetwork(2, 2)
    start = ib.Initialization.last_layer_zero(network, np.ones(2), 0.3)
    flow = ib.gradient_flow(network, problem, start, callback=ib.ProgressBar())
    assert flow.outcome.converged  # the bar stops nothing
    assert seen[-1] > 0.9
    scales = [0.1, 1.0, 10.0]
    ib.limit_path(network, problem, start.directions, scales, callback=ib.ProgressBar(total=3))
    assert seen[-3:] == [1 / 3, 2 / 3, 1.0]
    ib.explore(
        problem,
        networks=["diagonal"],
        depths=[2],
        scales=[0.1, 1.0],
        training=False,
        callback=ib.ProgressBar(),
    )
    assert seen[-1] == 1.0
    plan = {
        "verb": "predict",
        "data": {"name": "gaussian", "num_points": 2, "num_features": 4, "seed": [0, 1]},
        "network": {"name": "diagonal"},
    }
    monkeypatch.setattr("implicitbias.sweeps._sweep.draw", lambda *_, **__: [])
    ib.sweep(plan, tmp_path / "out", workers=1, callback=ib.ProgressBar())
    assert seen[-1] == 1.0


@pytest.mark.parametrize("total", [0, -1, 2.5, "3", True])
def test_totals_are_whole_numbers(total):
    with pytest.raises(ib.InvalidInputError, match=r"total is .*; expected a whole number"):
        ib.ProgressBar(total)


def test_texts_and_counts_without_a_total_are_refused():
    with pytest.raises(ib.InvalidInputError, match="text is 3; expected a text"):
        ib.ProgressBar(text=3)
    with pytest.raises(ib.InvalidInputError, match=r"expected ProgressBar\(total="):
        ib.ProgressBar()(1)
