"""Kills, full disks, folders of others: nothing finished is lost, nothing of others is touched."""

import errno
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
import time

import pytest

import implicitbias as ib
from helpers.sweeps import PLAN, plan, recorded
from implicitbias.sweeps import _folder, _lock


@pytest.fixture(autouse=True)
def _without_figures(monkeypatch):
    """They take longer than all else."""
    monkeypatch.setattr("implicitbias.sweeps._sweep.draw", lambda *_, **__: [])


MANY = plan(data=PLAN["data"] | {"seed": {"range": 40}})
RUN = """
import json, sys
import implicitbias as ib
print("ready", flush=True)
ib.sweep(json.loads(sys.argv[1]), sys.argv[2], workers=1)
"""


def started(folder):
    """A process that has begun to sweep."""
    command = [sys.executable, "-c", RUN, json.dumps(MANY), str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    process.stdout.readline()
    return process


def test_a_sweep_that_is_killed_goes_on_where_it_was(tmp_path):
    """Twice, the first time at its first file; and half a file is left as well."""
    for done in (0, 20):
        process = started(tmp_path / "killed")
        while len(recorded(tmp_path / "killed")) <= done and process.poll() is None:
            time.sleep(0.002)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        before = recorded(tmp_path / "killed")
        assert done < len(before) < 160
    (tmp_path / "killed" / "results" / ".implicitbias-0123456789ab.jsonl").write_text(
        '{"task": 3, "sta'
    )
    ib.sweep(MANY, tmp_path / "killed", workers=1)
    ib.sweep(MANY, tmp_path / "calm", workers=1)
    assert recorded(tmp_path / "killed") == dict.fromkeys(range(160), 1)
    for name in ("results.csv", "results.parquet"):
        killed, calm = ((tmp_path / each / name).read_bytes() for each in ("killed", "calm"))
        assert killed == calm
    assert not list(tmp_path.rglob(".implicitbias-*"))


def full(monkeypatch, after):
    """A disk that is full after so many files."""
    flushed = []

    def fsync(descriptor):
        flushed.append(descriptor)
        if len(flushed) > after:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(_folder.os, "fsync", fsync)


@pytest.mark.parametrize("after", [0, 1, 3, 6])
def test_a_full_disk_stops_the_sweep_and_loses_nothing(after, tmp_path, monkeypatch):
    monkeypatch.setattr("implicitbias.sweeps._loop.LARGEST_BATCH", 2)
    full(monkeypatch, after)
    with pytest.raises(OSError, match="No space left on device") as caught:
        ib.sweep(plan(), tmp_path, workers=1)
    assert caught.value.errno == errno.ENOSPC
    assert str(tmp_path) in caught.value.filename
    assert ".implicitbias-" not in caught.value.filename
    monkeypatch.undo()
    before = recorded(tmp_path)
    assert not list(tmp_path.rglob(".implicitbias-*"))
    assert ib.sweep(plan(), tmp_path, workers=1).complete
    assert recorded(tmp_path) == dict.fromkeys(range(12), 1)
    assert before.keys() <= recorded(tmp_path).keys()


def test_a_file_whose_writing_ends_half_way_is_as_it_was(tmp_path):
    def half():
        yield b"new"
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    file = tmp_path / "file"
    file.write_bytes(b"old")
    with pytest.raises(OSError, match="No space left") as caught:
        _folder.write_whole(file, half())
    assert caught.value.filename == str(file)
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


READ_ONLY = """
import os, sys, json
import implicitbias as ib
from implicitbias import sweeps
ib.datasets.gaussian(2, 3, 0)
if os.getuid() == 0:
    os.setuid(65534)  # root writes anywhere
for folder in sys.argv[2:]:
    try:
        ib.sweep(json.loads(sys.argv[1]), folder, workers=1)
    except OSError as error:
        print(type(error).__name__, error.filename)
"""


def test_a_read_only_folder_is_named_before_work(tmp_path):
    tmp_path.chmod(0o755)
    for each in tmp_path.parents[:3]:
        each.chmod(0o755)
    folder = tmp_path / "out"
    folder.mkdir()
    folder.chmod(0o555)
    command = [sys.executable, "-c", READ_ONLY, json.dumps(PLAN), folder, folder / "new"]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    lines = [f"PermissionError {folder / '.lock'}", f"PermissionError {folder / 'new'}"]
    assert found.stdout.splitlines() == lines
    assert not list(folder.iterdir())


def test_two_sweeps_in_one_folder(tmp_path):
    """The second is refused while the first is at work; the first does not notice."""
    refused = []

    def second(state):
        if state.done == 0:
            try:
                ib.sweep(plan(), tmp_path, workers=1)
            except ib.FolderInUseError as error:
                refused.append(str(error))

    assert ib.sweep(plan(), tmp_path, workers=1, callback=second).complete
    (message,) = refused
    assert f"a sweep is at work in {tmp_path}: process {os.getpid()} on " in message
    assert ib.sweep(plan(), tmp_path, workers=1).complete


def test_a_lock_of_a_killed_sweep_is_no_obstacle(tmp_path):
    process = started(tmp_path)
    while not recorded(tmp_path):
        time.sleep(0.002)
    with pytest.raises(ib.FolderInUseError, match=f"process {process.pid} on"):
        ib.sweep(MANY, tmp_path, workers=1)
    process.kill()
    process.communicate()
    assert (tmp_path / ".lock").exists()
    assert ib.sweep(MANY, tmp_path, workers=1).complete


def test_a_plan_that_changed_is_refused_with_what_differs(tmp_path):
    ib.sweep(plan(), tmp_path, workers=1)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    other = plan(network={"name": "diagonal", "depth": [2, 4]}, save_coefficients=True)
    with pytest.raises(ib.PlanChangedError) as caught:
        ib.sweep(other, tmp_path, workers=1)
    assert caught.value.differences == (
        "save_coefficients was False, is True",
        "network.depth was [2, 3], is [2, 4]",
    )
    after = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    assert after == before
    drawn = plan(figure={"x": "network.depth"})  # decides nothing
    assert ib.sweep(drawn, tmp_path, workers=1).complete


def test_data_that_changed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.csv").write_text("a,b,y\n1,2,3\n")
    data = plan(data={"file": "data.csv", "target": "y"})
    out = tmp_path / "out"

    def meddle(state):
        if state.done == 1:
            (tmp_path / "data.csv").write_text("a,b,y\n1,2,4\n")

    monkeypatch.setattr("implicitbias.sweeps._loop.LARGEST_BATCH", 1)
    with pytest.raises(ib.PlanChangedError, match=r"files.data.csv was '.*', is "):
        ib.sweep(data, out, workers=1, callback=meddle)
        ib.sweep(data, out, workers=1)
    (tmp_path / "data.csv").unlink()
    with pytest.raises(ib.InvalidInputError, match=r"data.csv cannot be read: No such file"):
        ib.sweep(data, out, workers=1)


def test_a_file_that_changes_before_a_worker_reads_it_stops_the_sweep(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.csv").write_text("a,b,y\n1,2,3\n")
    data = plan(data={"file": "data.csv", "target": "y"})

    def meddle(state):
        (tmp_path / "data.csv").write_text("a,b,y\n1,2,4\n")

    with pytest.raises(ib.PlanChangedError, match="has changed since the sweep began"):
        ib.sweep(data, tmp_path / "out", workers=1, callback=meddle)
    assert not recorded(tmp_path / "out")


def test_folders_of_others_are_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ib.InvalidInputError, match=r"holds thesis.tex, which no sweep has left"):
        ib.sweep(plan(), tmp_path, workers=1)
    with pytest.raises(ib.InvalidInputError, match="is a file; expected a folder"):
        ib.sweep(plan(), tmp_path / "thesis.tex", workers=1)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


def mine(folder):
    """Every file below a folder, with its content."""
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (".lock", "my own"),
        ("results/table.txt", "measured"),
        ("results/00000001.jsonl", '{"task": 0, "status": "ok", "seconds": 0.1}'),
        ("results", "a file"),
        (".implicitbias-notes", "kept"),
        ("plan.json", "{"),
        ("plan.json", '{"chapters": 3}'),
        ("plan.json", "[1]"),
        ("plan.json/page", "in a folder"),
    ],
)
def test_files_that_look_like_those_of_a_sweep(name, content, tmp_path):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(content)
    before = mine(tmp_path)
    with pytest.raises(ib.InvalidInputError, match="Name an"):
        ib.sweep(plan(), tmp_path, workers=1)
    assert mine(tmp_path) == before


class Windows:
    """The module ``msvcrt``, of which a lock belongs to an open file."""

    LK_NBLCK = 2

    def __init__(self):
        self.taken = {}

    def locking(self, descriptor, mode, count):
        assert (mode, count) == (self.LK_NBLCK, 1)
        place = os.fstat(descriptor).st_ino, os.lseek(descriptor, 0, os.SEEK_CUR)
        if self.taken.setdefault(place, descriptor) != descriptor:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def test_the_lock_of_windows(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "msvcrt", Windows())
    monkeypatch.setattr(sys, "platform", "win32")
    try_lock = runpy.run_path(_lock.__file__)["try_lock"]
    with (tmp_path / "a").open("a+b") as one, (tmp_path / "a").open("a+b") as two:
        assert try_lock(one)
        assert not try_lock(two)
        one.write(b"process 1")
        one.flush()
        assert (tmp_path / "a").read_bytes() == b"process 1"
        with (tmp_path / "b").open("a+b") as other:
            assert try_lock(other)


def children(command):
    """The processes of this one whose command says so."""
    found = []
    for each in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{each}/stat") as stat, open(f"/proc/{each}/cmdline") as line:
                parent = int(stat.read().rsplit(")", 1)[1].split()[1])
                if parent == os.getpid() and command in line.read():
                    found.append(int(each))
        except OSError:
            continue
    return found


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="finds the workers in /proc")
def test_a_worker_that_is_killed_is_replaced(tmp_path):
    killed = []

    def kill(state):
        if not killed:
            killed.append(children("loky_posix")[0])
            os.kill(killed[0], signal.SIGKILL)

    result = ib.sweep(plan(), tmp_path, workers=2, callback=kill)
    assert killed
    assert result.complete
    assert recorded(tmp_path) == dict.fromkeys(range(12), 1)
    assert not children("loky_posix")
    calm = ib.sweep(plan(), tmp_path / "calm", workers=1)
    assert result.table.equals(calm.table)


def test_threads_of_one_process_are_two_sweeps_as_well(tmp_path):
    ends = []

    def work(name):
        ends.append(ib.sweep(plan(), tmp_path / name, workers=1).complete)

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ends == [True, True]
    contents = [(tmp_path / name / "results.csv").read_bytes() for name in "ab"]
    assert len(set(contents)) == 1
