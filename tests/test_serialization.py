"""Saved and loaded results are the same, bit for bit; whatever else is in a file is refused."""

import dataclasses
import io
import json
import os

import numpy as np
import pytest

import implicitbias as ib
from helpers.results import TITLES, examples, hard_cases, same
from implicitbias.serialization import MANIFEST


@pytest.fixture
def file(tmp_path):
    return tmp_path / "result.npz"


@pytest.mark.parametrize("title", TITLES)
def test_every_result_comes_back_whole(title, file):
    result = examples()[title]
    ib.save(result, file)
    loaded = ib.load(file)
    assert same(result, loaded)
    assert str(loaded) == str(result)
    assert repr(loaded) == repr(result)
    assert loaded.to_dict() == result.to_dict()
    assert os.listdir(file.parent) == [file.name]


def test_numbers_come_back_bit_for_bit(file):
    for result in hard_cases():
        ib.save(result, file)
        assert same(result, ib.load(file))


def test_lists_of_results_come_back(file):
    for several in ([*examples().values()], tuple(hard_cases())):
        ib.save(several, file)
        assert same(several, ib.load(file))


def test_equal_results_make_equal_files(tmp_path):
    limit = examples()["Limit complex"]
    ib.save(limit, tmp_path / "a.npz")
    ib.save(dataclasses.replace(limit), str(tmp_path / "b"))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b").read_bytes()


def test_numpy_reads_the_arrays_and_anybody_the_manifest(file):
    comparison = examples()["Comparison point"]
    ib.save(comparison, file)
    with np.load(file, allow_pickle=False) as archive:
        found = archive["flow/coefficients"]
        manifest = json.loads(archive[MANIFEST])
    np.testing.assert_array_equal(found, comparison.flow.coefficients)
    assert manifest["format"] == 1
    assert manifest["versions"] == {"implicitbias": ib.__version__, "numpy": np.__version__}
    assert manifest["result"]["Comparison"]["tolerance"] == comparison.tolerance


def test_loaded_arrays_can_be_written_to(file):
    ib.save(examples()["Limit point"], file)
    loaded = ib.load(file)
    loaded.coefficients[0] = 17.0
    assert loaded.coefficients[0] == 17.0


def test_loaded_results_work(file):
    comparison = examples()["Comparison point"]
    ib.save(comparison, file)
    loaded = ib.load(file)
    assert loaded.agrees
    assert ib.compare(loaded.flow, loaded.limit).agrees


def test_a_sensitivity_keeps_its_derivatives_and_not_the_data(file):
    given = examples()["Sensitivity"]
    ib.save(given, file)
    loaded = ib.load(file)
    np.testing.assert_array_equal(loaded.by_direction, given.by_direction)
    np.testing.assert_array_equal(
        loaded.leave_one_out(refit=False), given.leave_one_out(refit=False)
    )
    with pytest.raises(ib.InvalidInputError, match="loaded, without the data"):
        loaded.leave_one_out()


def test_named_activations_come_back_and_functions_do_not(file):
    for title in ("ActivationFlow relu", "SimulatedLimit activation"):
        ib.save(examples()[title], file)
        loaded, given = ib.load(file), examples()[title]
        one, other = (getattr(x, "flow", x).activation for x in (given, loaded))
        z = np.linspace(-1e-4, 1e-4, 9)
        np.testing.assert_array_equal(one(z), other(z))
        np.testing.assert_array_equal(one.slope(z), other.slope(z))
    ib.save(examples()["ActivationFlow own"], file)
    with pytest.raises(ib.InvalidInputError, match="saved by its name alone"):
        ib.load(file).activation(np.ones(2))


# What save refuses


@pytest.mark.parametrize("value", [None, 1.0, "Limit", {}, [], np.ones(3), ib.Outcome.FAILED])
def test_only_results_are_saved(value, file):
    with pytest.raises(ib.InvalidInputError, match="expected a result"):
        ib.save(value, file)
    assert not file.exists()


def test_what_we_did_not_put_there_is_not_saved(file):
    limit = examples()["Limit point"]

    class Mine(ib.Limit):
        pass

    mine = Mine(*(getattr(limit, each.name) for each in dataclasses.fields(limit)))
    wrong = [
        dataclasses.replace(limit, coefficients=[1.0, 2.0]),
        dataclasses.replace(limit, coefficients=np.array([1, None])),
        dataclasses.replace(limit, note=print),
        dataclasses.replace(limit, kind="pointless"),
        dataclasses.replace(limit, certificate="fine"),
        [limit, 1 + 2j, object()],
        mine,
    ]
    for each in wrong:
        with pytest.raises(ib.InvalidInputError, match="not saved"):
            ib.save(each, file)
        assert not file.exists()


@pytest.mark.parametrize("path", [None, 3, b"result.npz", io.BytesIO(), "", "result\0.npz"])
def test_paths_are_names(path):
    with pytest.raises(ib.InvalidInputError, match="expected a file name"):
        ib.save(examples()["Verdict"], path)
    with pytest.raises(ib.InvalidInputError, match="expected a file name"):
        ib.load(path)


def test_only_our_own_files_are_replaced(file):
    verdict, other = examples()["Verdict"], examples()["Limit point"]
    ib.save(verdict, file)
    ib.save(other, file)
    assert same(ib.load(file), other)
    whole = file.read_bytes()
    np.savez(file.with_name("theirs.npz"), a=np.ones(3))
    foreign = [b"", b"data", whole[:-5], file.with_name("theirs.npz").read_bytes()]
    for data in foreign:
        file.write_bytes(data)
        with pytest.raises(ib.InvalidInputError, match="overwrite=True"):
            ib.save(verdict, file)
        assert file.read_bytes() == data
        ib.save(verdict, file, overwrite=True)
        assert same(ib.load(file), verdict)


def test_a_directory_is_no_file(tmp_path):
    for overwrite in (False, True):
        with pytest.raises(ib.InvalidInputError, match="is a directory"):
            ib.save(examples()["Verdict"], tmp_path, overwrite=overwrite)
    with pytest.raises(OSError):
        ib.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        ib.load(tmp_path / "nothing.npz")
    with pytest.raises(FileNotFoundError):
        ib.save(examples()["Verdict"], tmp_path / "nowhere" / "a.npz")


def test_links_stay_links(tmp_path, file):
    ib.save(examples()["Verdict"], file)
    link = tmp_path / "link.npz"
    link.symlink_to(file)
    ib.save(examples()["Limit point"], link)
    assert link.is_symlink()
    assert same(ib.load(file), examples()["Limit point"])


def test_a_failure_on_the_way_leaves_the_old_file(file, monkeypatch):
    ib.save(examples()["Verdict"], file)
    before = file.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", full)
    with pytest.raises(OSError, match="No space left"):
        ib.save(examples()["Limit point"], file)
    assert file.read_bytes() == before
    assert os.listdir(file.parent) == [file.name]
