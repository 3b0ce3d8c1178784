"""Whatever is in a file that is not what save wrote: one sentence, and nothing is executed."""

import io
import json
import pickle
import zipfile

import numpy as np
import pytest

import implicitbias as ib
from helpers.results import examples, same
from implicitbias.serialization import MANIFEST


@pytest.fixture
def file(tmp_path):
    return tmp_path / "result.npz"


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
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in members.items():
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
    "a later result": (manifest_with(result={"Later": {}}), "a result 'Later'.* Update"),
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


def test_fields_with_a_default_may_be_missing(file):
    def change(members):
        manifest = json.loads(members[MANIFEST])
        for name, missing in (("Limit", "note"), ("Comparison", "pairs")):
            inside = manifest["result"]["tuple"][name == "Comparison"][name]
            del inside[missing]
        members[MANIFEST] = json.dumps(manifest).encode()

    limit, comparison = examples()["Limit direction"], examples()["Comparison direction"]
    ib.save((limit, comparison), file)
    file.write_bytes(repacked(file.read_bytes(), change))
    limit, comparison = ib.load(file)
    assert limit.note == ""
    assert comparison.pairs == {}
    assert comparison.agrees is False


def test_members_that_are_there_twice_are_refused(whole, file):
    stream = io.BytesIO(whole)
    with zipfile.ZipFile(stream, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("coefficients.npy", array(np.ones(6)))
    refused(file, stream.getvalue(), "a member is there twice")


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
