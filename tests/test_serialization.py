"""Saved and loaded results are the same, bit for bit; whatever else is in a file is refused."""

import dataclasses
import io
import json
import os
import pickle
import warnings
import zipfile

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


@pytest.mark.parametrize("path", [None, 3, b"result.npz", io.BytesIO()])
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


# What load refuses


def refused(file, data, match="."):
    file.write_bytes(data)
    with pytest.raises(ib.InvalidInputError, match=match) as caught:
        ib.load(file)
    text = str(caught.value)
    assert text.startswith(str(file))
    assert text.endswith(".")
    assert "\n" not in text
    return text


def repacked(data, change, compression=zipfile.ZIP_STORED):
    """The archive with its members changed: a function of a dictionary of bytes."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that are there twice
        for name, content in members.items():
            for _ in range(2 if name.startswith("twice") else 1):
                archive.writestr(name, content)
    return stream.getvalue()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "a.npz"
    ib.save(examples()["Limit point"], path)
    return path.read_bytes()


def test_cut_anywhere_it_is_refused(whole, file):
    for length in {*range(0, len(whole), 97), *range(60), *range(len(whole) - 60, len(whole))}:
        assert "whole .npz archive" in refused(file, whole[:length])


def test_a_changed_byte_is_noticed_or_does_not_matter(whole, file):
    limit, noticed = examples()["Limit point"], 0
    rng = np.random.default_rng(0)
    size = len(whole)
    for place in {*rng.integers(0, size, 500).tolist(), *range(size - 700, size, 2)}:
        changed = bytearray(whole)
        changed[place] ^= int(rng.integers(1, 256))
        file.write_bytes(changed)
        try:
            loaded = ib.load(file)
        except ib.InvalidInputError as error:
            noticed += 1
            assert str(error).startswith(str(file))
        else:
            assert same(loaded, limit), place
    assert noticed > 400


def test_zeros_and_noise_are_refused(whole, file):
    rng = np.random.default_rng(1)
    for data in (bytes(1000), rng.bytes(5000), whole[:200] + bytes(len(whole) - 200)):
        refused(file, data, "no file that save wrote")


def manifest_with(**changes):
    def change(members):
        manifest = json.loads(members[MANIFEST])
        manifest.update(changes)
        members[MANIFEST] = json.dumps(manifest).encode()

    return change


def limit_with(**changes):
    def change(members):
        manifest = json.loads(members[MANIFEST])
        manifest["result"]["Limit"].update(changes)
        members[MANIFEST] = json.dumps(manifest).encode()

    return change


def array(value):
    stream = io.BytesIO()
    np.save(stream, value, allow_pickle=True)
    return stream.getvalue()


class Trap:
    """Raises when a pickle of it is loaded."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('executed')",))


DEEP = "[" * 200_000 + "]" * 200_000
HUGE = array(np.ones(3)).replace(b"(3,), }" + b" " * 12, b"(9999999999999,), }")
BENT = {
    "a later format": (
        manifest_with(format=2, versions={"implicitbias": "7.0.0"}),
        "written by implicitbias 7.0.0 in format 2; .* Update implicitbias",
    ),
    "no format": (manifest_with(format=None), "its format is None"),
    "a truth value": (manifest_with(format=True), "its format is True"),
    "no versions": (manifest_with(versions=[]), "damaged"),
    "a later result": (manifest_with(result={"Run": {}}), "a result 'Run'.* Update"),
    "a class of ours that is no result": (manifest_with(result={"Regression": {}}), "Update"),
    "a module": (manifest_with(result={"os.system": {"command": "true"}}), "Update"),
    "no result": (manifest_with(result=3), "does not speak of|holds no result"),
    "a later field": (limit_with(colour="red"), "Limit.colour, which .* Update"),
    "a wrong kind": (limit_with(kind="elsewhere"), "Limit.kind is a str"),
    "a text for an array": (limit_with(coefficients="1, 2"), "Limit.coefficients is a str"),
    "two tags": (limit_with(note={"a": 1, "b": 2}), "damaged"),
    "no tag": (limit_with(note={}), "damaged"),
    "an array that is not there": (limit_with(dual={"array": "dual2.npy"}), "dual2.npy"),
    "one array twice": (limit_with(dual={"array": "coefficients.npy"}), "damaged"),
    "bits that are none": (limit_with(rate={"float": "xyz"}), "damaged"),
    "too few bits": (limit_with(rate={"float": "00"}), "damaged"),
    "a later outcome": (limit_with(note={"outcome": "BORED"}), "BORED"),
    "another manifest": (lambda m: m.update({MANIFEST: b"{}"}), "its manifest.json is another's"),
    "no JSON": (lambda m: m.update({MANIFEST: b"{"}), "damaged"),
    "no text": (lambda m: m.update({MANIFEST: b"\xff\xfe\xff"}), "damaged"),
    "a deep manifest": (lambda m: m.update({MANIFEST: DEEP.encode()}), "damaged"),
    "no manifest": (lambda m: m.pop(MANIFEST), "did not write: it has no manifest.json"),
    "a member more": (lambda m: m.update({"more.npy": array(np.ones(3))}), "speak of more.npy"),
    "a member less": (lambda m: m.pop("coefficients.npy"), "coefficients.npy"),
    "a member twice": (lambda m: m.update({"twice.npy": array(np.ones(3))}), "twice"),
    "no array": (lambda m: m.update({"coefficients.npy": b"1 2 3"}), "damaged"),
    "a half array": (lambda m: m.update({"coefficients.npy": array(np.ones(6))[:-8]}), "its bytes"),
    "a huge array": (lambda m: m.update({"coefficients.npy": HUGE}), "does not fit its bytes"),
    "texts": (lambda m: m.update({"coefficients.npy": array(np.array(["a"]))}), "of a kind"),
    "single precision": (
        lambda m: m.update({"coefficients.npy": array(np.ones(6, np.float32))}),
        "Limit.coefficients is an? ndarray",
    ),
    "Python objects": (
        lambda m: m.update({"coefficients.npy": array(np.array([Trap()], object))}),
        "Python objects, which save never writes and load never reads",
    ),
}


@pytest.mark.parametrize("what", BENT)
def test_files_with_other_things_inside_are_refused(what, whole, file):
    change, match = BENT[what]
    refused(file, repacked(whole, change), match)


def test_a_result_that_lacks_a_field_is_refused(whole, file):
    def change(members):
        manifest = json.loads(members[MANIFEST])
        del manifest["result"]["Limit"]["theorem"]
        members[MANIFEST] = json.dumps(manifest).encode()

    refused(file, repacked(whole, change), "it lacks theorem")


def test_fields_with_a_default_may_be_missing(whole, file):
    def change(members):
        manifest = json.loads(members[MANIFEST])
        del manifest["result"]["Limit"]["note"]
        members[MANIFEST] = json.dumps(manifest).encode()

    file.write_bytes(repacked(whole, change))
    assert ib.load(file).note == ""


NOISE = np.frombuffer(b"0[]{}'\",:-.1eNa(\\\xff", np.uint8)  # what may mean something there


@pytest.mark.parametrize("title", ["Limit point", "Comparison direction", "ActivationFlow relu"])
def test_noise_inside_members_is_refused_or_loads(title, file):
    """Members changed by somebody who set the checksums right: an error of ours, or a result."""
    ib.save(examples()[title], file)
    whole, rng = file.read_bytes(), np.random.default_rng(2)
    refusals = 0

    def change(members):
        name = MANIFEST if rng.integers(2) else rng.choice(sorted(members))
        content = bytearray(members[name])
        near = min(len(content), 4000 if name == MANIFEST else 128)  # 128: an array's header
        for _ in range(rng.integers(1, 4)):
            content[rng.integers(near)] = rng.choice(NOISE)
        members[name] = bytes(content)

    for _ in range(250):
        file.write_bytes(repacked(whole, change))
        try:
            assert type(ib.load(file)) is type(examples()[title])
        except ib.InvalidInputError:
            refusals += 1
    assert refusals > 100


def test_packed_members_are_refused(whole, file):
    bomb = repacked(whole, lambda members: None, zipfile.ZIP_DEFLATED)
    refused(file, bomb, "packed or encrypted")


def test_pickles_are_refused_and_not_executed(file):
    refused(file, pickle.dumps(Trap()), "no file that save wrote")
    stream = io.BytesIO()
    np.savez(stream, coefficients=np.array([Trap()], object))
    refused(file, stream.getvalue(), "save did not write")
