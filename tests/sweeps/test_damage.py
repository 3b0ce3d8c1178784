"""What a disk has damaged since it was written: noticed by its checksum, and run again."""

import numpy as np
import pytest

import implicitbias as ib
from helpers.sweeps import plan, recorded
from implicitbias.sweeps import _folder, _lines
from implicitbias.sweeps._plan import read_plan


@pytest.fixture(autouse=True)
def _without_figures(monkeypatch):
    """They take longer than all else."""
    monkeypatch.setattr("implicitbias.sweeps._sweep.draw", lambda *_, **__: [])


def results(folder):
    """The files of results."""
    return sorted((folder / "results").iterdir())


def turned(content, place):
    """One bit is another."""
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


DAMAGES = {
    "a bit in the middle": lambda content: turned(content, len(content) // 2),
    "the first bit": lambda content: turned(content, 0),
    "a bit of a checksum": lambda content: turned(content, 20),
    "the last newline": lambda content: turned(content, len(content) - 1),
    "half written": lambda content: content[: len(content) // 2],
    "one byte short": lambda content: content[:-2],
    "never written": lambda content: bytes(len(content)),
    "nothing": lambda content: b"",
    "something else": lambda content: b"\xff{" + b"[" * 100_000,
    "without checksums": lambda content: b'{"task": 0, "status": "ok", "seconds": 0.1}\n',
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_what_a_disk_has_damaged_is_run_again(damage, tmp_path):
    kept = plan(save_coefficients=True)
    ib.sweep(kept, tmp_path / "calm", workers=1)
    ib.sweep(kept, tmp_path / "hurt", workers=1)
    for file in results(tmp_path / "hurt"):
        file.write_bytes(damage(file.read_bytes()))
    again = ib.sweep(kept, tmp_path / "hurt", workers=1)
    assert again.complete
    assert (again.num_damaged > 0) is (damage(b"x" * 99) != b"")
    assert recorded(tmp_path / "hurt") == dict.fromkeys(range(12), 1)
    calm, hurt = ((tmp_path / each / "results.csv").read_bytes() for each in ("calm", "hurt"))
    assert calm == hurt
    calm, hurt = (np.load(tmp_path / each / "coefficients.npz") for each in ("calm", "hurt"))
    assert set(calm.files) == set(hurt.files)
    for name in calm.files:
        np.testing.assert_array_equal(calm[name], hurt[name])
    assert ib.sweep(kept, tmp_path / "hurt", workers=1).num_damaged == 0


def test_every_single_bit_of_a_record_counts():
    record = {"task": 3, "status": "ok", "seconds": 0.25, "coefficients": "AAAA"}
    line = _lines.line_of(record)
    assert list(_lines.records_in(line)) == [record]
    whole = list(_lines.records_in(line[:-1] + line[-1:] + line))
    assert whole == [record, record]
    for place in range(len(line) - 1):
        for bit in range(8):
            other = line[:place] + bytes([line[place] ^ (1 << bit)]) + line[place + 1 :]
            assert record not in list(_lines.records_in(other))
            assert not any(_lines.records_in(other))


def test_what_is_damaged_while_the_table_is_written_is_named(tmp_path):
    kept = plan(save_coefficients=True)
    ib.sweep(kept, tmp_path, workers=1)
    with _folder.Folder(tmp_path).locked(read_plan(kept)) as folder:
        file = results(tmp_path)[0]
        file.write_bytes(turned(file.read_bytes(), 100))
        with pytest.raises(ib.InvalidInputError, match="damaged since it was read"):
            list(folder.coefficients())
    assert ib.sweep(kept, tmp_path, workers=1).num_damaged == 1


STRANGE = [
    {"status": 1},
    {"task": 12, "status": "ok", "seconds": 0.1},
    {"task": 1.5, "status": "ok", "seconds": 0.1},
    {"task": True, "status": "ok", "seconds": 0.1},
    {"task": 1, "seconds": 0.1},
    {"task": 1, "status": "fine", "seconds": 0.1},
    {"task": 1, "status": "ok", "seconds": "0.1"},
]


@pytest.mark.parametrize("record", STRANGE, ids=str)
def test_whole_records_of_another_sweep_are_named(record, tmp_path):
    ib.sweep(plan(), tmp_path, workers=1)
    file = results(tmp_path)[0]
    file.write_bytes(_lines.line_of(record))
    with pytest.raises(ib.InvalidInputError, match=r"\.jsonl is not of this sweep .*Delete it"):
        ib.sweep(plan(), tmp_path, workers=1)
    file.unlink()
    assert ib.sweep(plan(), tmp_path, workers=1).complete


@pytest.mark.parametrize("name", ["", "a\0b", b"bytes", 3, None])
def test_names_that_no_folder_has(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ib.InvalidInputError, match="expected a folder's name"):
        ib.sweep(plan(), name, workers=1)
    with pytest.raises(ib.InvalidInputError, match="expected the name of a TOML file"):
        ib.sweep(name, tmp_path / "out", workers=1)
    assert not list(tmp_path.iterdir())
