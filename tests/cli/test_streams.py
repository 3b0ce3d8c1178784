"""Terminals, pipes and signals: no traceback, no escape, nothing left behind."""

import os
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from implicitbias import verification
from implicitbias.cli import _printing, main
from implicitbias.verification import Check, Measurement

MEASURED = Measurement(0.0, 0.0)
COMMAND = [sys.executable, "-m", "implicitbias"]


@pytest.fixture
def data(tmp_path):
    file = tmp_path / "data.csv"
    file.write_text("\u03b1,\x1b[31mred,y\n1,2,3\n4,5,7\n", encoding="utf-8")
    return str(file)


@pytest.mark.parametrize("charset", ["utf-8", "cp1252", "ascii"])
@pytest.mark.parametrize("command", ["predict", "path"])
def test_names_in_any_encoding(data, charset, command):
    arguments = [command, data, "--target", "y", *(["--num", "2"] if command == "path" else [])]
    result = CliRunner(charset=charset).invoke(main, arguments)
    assert result.exit_code == 0
    assert b"\x1b" not in result.stdout_bytes
    if command != "path":
        name = b"\\x1b[31mred"
        assert name in result.stdout_bytes
        assert ("\u03b1".encode() if charset == "utf-8" else b"\\u03b1") in result.stdout_bytes


def test_escapes_in_errors(tmp_path, data):
    result = CliRunner().invoke(main, ["predict", data, "--target", "\x1b[2Jz"])
    assert result.exit_code == 1
    assert "has no column '\\x1b[2Jz'; its columns are \u03b1, \\x1b[31mred, y" in result.stderr
    missing = CliRunner().invoke(main, ["predict", str(tmp_path / "\x1b[2J"), "--target", "y"])
    assert missing.exit_code == 2
    assert "\x1b" not in result.output + missing.output


@pytest.mark.parametrize("command", ["predict", "path", "flow", "verify"])
@pytest.mark.parametrize("closed", [["stdout"], ["stderr"], ["stdout", "stderr"]])
def test_closed_streams(monkeypatch, data, command, closed):
    monkeypatch.setattr(verification, "CHECKS", (Check("Lemma 4", "", "", lambda: MEASURED),))
    for name in closed:
        monkeypatch.setattr(sys, name, None)
    options = {"path": ["--num", "2"], "verify": []}.get(command, [])
    arguments = ["verify"] if command == "verify" else [command, data, "--target", "y", *options]
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0


def test_closed_standard_input(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(SystemExit) as ended:
        main(["predict", "-", "--target", "y"])
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("Error: standard input is closed")


def test_a_notebooks_backend_does_not_matter(data, tmp_path):
    figure = str(tmp_path / "f.png")
    done = subprocess.run(
        [*COMMAND, "path", data, "--target", "y", "--num", "2", "--figure", figure],
        capture_output=True,
        text=True,
        env={**os.environ, "MPLBACKEND": "module://nowhere.backend_inline"},
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr


@pytest.mark.skipif(os.name == "nt", reason="no such signal")
def test_a_signal_leaves_nothing_behind(tmp_path):
    running = subprocess.Popen(
        [*COMMAND, "verify", "--out", "deep/out"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    while not list(tmp_path.rglob(".implicitbias-*")):
        assert running.poll() is None
        time.sleep(0.02)
    running.send_signal(signal.SIGTERM)
    _, shown = running.communicate(timeout=60)
    assert running.returncode == 128 + signal.SIGTERM
    assert b"Traceback" not in shown
    assert not list(tmp_path.iterdir())


def test_a_fault_of_ours_is_one_message(monkeypatch, data):
    def raising(*_):
        raise KeyError("no luck")

    monkeypatch.setattr("implicitbias.cli._csv.read_csv", raising)
    result = CliRunner().invoke(main, ["predict", data, "--target", "y"])
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: an unforeseen KeyError in _tables.py, line ")
    assert "Please report it" in result.stderr


def test_text_is_broken_at_words_on_a_terminal(monkeypatch):
    text = "data.csv: two columns:\n  line 3, " + "word " * 40 + "\nAnd what to do."
    assert _printing.fitted(text, None) == text
    monkeypatch.setattr(_printing, "watched", lambda stream: True)
    monkeypatch.setattr(_printing, "get_terminal_size", lambda: os.terminal_size((80, 24)))
    lines = _printing.fitted(text, None, used="Error: ").splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[2].startswith("      word")
    assert " ".join(lines).split() == text.split()
    long = _printing.fitted("word " * 40, None, used="Error: ").splitlines()
    assert len("Error: " + long[0]) <= 80
