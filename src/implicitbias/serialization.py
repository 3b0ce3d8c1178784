"""save and load: results on disk, bit for bit, as .npz archives without pickle.

An archive holds ``manifest.json`` (format, versions, and everything that is no array) and each
array as a .npy member named by its place, such as ``flow/coefficients.npy``: ``numpy.load`` reads
those as well. In the manifest an object has one entry, a tag and what belongs to it: the name of a
result and its contents, or one of "array", "tuple", "mapping", "complex", "float" (the bits of an
infinity or NaN, in hexadecimal) and "outcome".
"""

from __future__ import annotations

import json
import math
import os
import re
import struct
import zipfile
from collections.abc import Iterable, Mapping
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from implicitbias import __version__
from implicitbias._errors import InvalidInputError, Outcome, described
from implicitbias._files import path_named, replacing
from implicitbias._results import contents, is_result, restored, types_of
from implicitbias._types import misfits

FORMAT = 1
MANIFEST = "manifest.json"
KINDS = "biufc"  # of arrays: truth values, whole, real and complex numbers
# A .npy member as numpy.lib.format writes it, by a pattern: numpy's own reader evaluates the text.
MAGIC = b"\x93NUMPY\x01\x00"
HEADER = re.compile(
    rb"{'descr': '([<>|][biufcO]\d*)', 'fortran_order': (True|False), 'shape': \(([\d, ]*)\), } *\n"
)
HUGE = 1 << 30  # bytes of a member that need the archive's wide fields

# The results that are saved and loaded, and where each lives. Nothing else is ever built.
HOMES = {
    "implicitbias._verdicts": ("Verdict",),
    "implicitbias.alignment": ("Candidate", "Theorem1"),
    "implicitbias._closing": ("Closing", "LossCourse"),
    "implicitbias.comparison": ("Comparison",),
    "implicitbias.descent": ("EffectiveStart", "Run"),
    "implicitbias.flow": ("ActivationFlow", "Flow", "FlowState", "SlideReport"),
    "implicitbias.limits": ("Certificate", "Limit", "LossRate", "SingularVectors"),
    "implicitbias.networks": (
        "Activation",
        "DenseDecomposition",
        "FourierDecomposition",
        "IdentityDecomposition",
        "LayerAlignment",
        "SelectionDecomposition",
    ),
    "implicitbias.problems": ("Separability",),
    "implicitbias.simulation": ("LeastNorm", "SimulatedLimit"),
    "implicitbias.theorems": (
        "Explanation",
        "Finding",
        "LimitPath",
        "LimitPaths",
        "Limits",
        "MarginPath",
        "Refusal",
        "SaddlePath",
        "Sensitivity",
    ),
}
MODULES = {name: home for home, names in HOMES.items() for name in names}
FORMER = {"Reference": "LeastNorm"}  # as files of earlier versions call them

# What reading bytes that are no archive of ours can raise, in zipfile, json, struct and numpy.
FAULTS = (
    *(zipfile.BadZipFile, struct.error, EOFError, OSError, MemoryError, OverflowError),
    *(ValueError, KeyError, IndexError, TypeError, AttributeError, RuntimeError),
)


def save(result: Any, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write a result to a file that ``load`` reads, bit for bit.

    The file is an .npz archive with a JSON manifest, without pickle. It appears whole or not at
    all, and is the same whenever the same result is saved. Its name is taken as it stands.

    Parameters
    ----------
    result
        Any result of this package, or a list or tuple of results.
    path
        Where. A file that ``save`` wrote is replaced, another one only with ``overwrite``.
    overwrite
        Replace whatever file is there.

    Raises
    ------
    InvalidInputError
        No result, or one that holds what this package did not put there; a file at ``path`` that
        ``save`` did not write, or a directory.
    OSError
        The file cannot be written.

    Notes
    -----
    A ``Sensitivity`` is saved with all its derivatives, without the data that refits would need; an
    ``Activation`` given as functions, by its name alone.
    """
    if not (is_result(result) or (isinstance(result, (list, tuple)) and result)):
        raise InvalidInputError(
            f"result is {described(result)}; expected a result of this package, such as a Limit, "
            "or a list of results."
        )
    file = _path(path)
    manifest, arrays = _prepared(result)
    _refuse_foreign(file, overwrite)
    with replacing(file) as scratch, scratch.open("wb") as stream:
        _write(stream, manifest, arrays)
        stream.flush()
        os.fsync(stream.fileno())


def to_bytes(result: Any) -> bytes:
    """What ``save`` would write, or its InvalidInputError."""
    stream = BytesIO()
    _write(stream, *_prepared(result))
    return stream.getvalue()


def from_bytes(data: bytes) -> Any:
    """The result that ``to_bytes`` wrote; InvalidInputError where a later version did."""
    try:
        return _read(data)
    except _UnknownError as error:
        raise InvalidInputError(f"a result {error}") from None


def load(path: str | os.PathLike[str]) -> Any:
    """Read what ``save`` wrote. Nothing in the file is ever executed.

    Raises
    ------
    InvalidInputError
        The file is damaged, not of ``save``, or of a later version; the sentence says which.
    OSError
        It is not there, or cannot be read.
    """
    file = _path(path)
    data = file.read_bytes()
    try:
        return _read(data)
    except _UnknownError as error:
        raise InvalidInputError(f"{file} {error}") from None
    except FAULTS as error:
        raise InvalidInputError(
            f"{file} is damaged: {_sentence(error)}. Save the result again, or take the file from "
            "where it was copied."
        ) from None


class _UnknownError(Exception):
    """A file that is whole, and not one that can be read."""


def _path(path: Any) -> Path:
    found = path_named(path, "path", "a file name")
    return Path(os.path.realpath(found)) if found.is_symlink() else found


def _sentence(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


# Writing


def _prepared(result: Any) -> tuple[str, dict[str, Any]]:
    """The manifest of a result, and its arrays by their names."""
    arrays: dict[str, Any] = {}
    manifest = {
        "format": FORMAT,
        "versions": {"implicitbias": __version__, "numpy": np.__version__},
        "result": _encoded(result, "", arrays),
    }
    return json.dumps(manifest, allow_nan=False), arrays


def _encoded(value: Any, place: str, arrays: dict[str, Any]) -> Any:
    """A value as JSON; its arrays go to ``arrays``, by their place."""
    if isinstance(value, np.generic) and value.dtype.kind in KINDS and value.dtype.itemsize <= 16:
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": struct.pack(">d", value).hex()}
    if isinstance(value, complex):
        parts = (value.real, value.imag)
        return {"complex": [_encoded(part, place, arrays) for part in parts]}
    if isinstance(value, Outcome):
        return {"outcome": value.name}
    if isinstance(value, np.ndarray) and value.dtype.kind in KINDS:
        arrays[f"{place}.npy"] = np.asarray(value)
        return {"array": f"{place}.npy"}
    if is_result(value):
        return {type(value).__name__: _encoded_result(value, place, arrays)}
    if isinstance(value, (list, tuple)):
        inside = [_encoded(each, _below(place, i), arrays) for i, each in enumerate(value)]
        return inside if isinstance(value, list) else {"tuple": inside}
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        pairs = enumerate(value.items())
        return {"mapping": {k: _encoded(v, _below(place, i), arrays) for i, (k, v) in pairs}}
    raise InvalidInputError(
        f"{place or 'the result'} is {described(value)}, which is not saved: only numbers, texts, "
        "arrays of numbers and results are."
    )


def _encoded_result(result: Any, place: str, arrays: dict[str, Any]) -> dict[str, Any]:
    name = type(result).__name__
    if name not in MODULES or type(result) is not _class(name):
        raise InvalidInputError(
            f"{place or 'the result'} is {described(result)}, which is not saved: it is no result "
            f"of this package. There are {', '.join(sorted(MODULES))}."
        )
    held, types = contents(result), types_of(type(result))
    wrong = misfits(held, types)
    if wrong:
        raise InvalidInputError(
            f"{name}.{wrong[0]} is {described(held[wrong[0]])}, which is not what this package "
            "puts there, and is not saved."
        )
    return {key: _encoded(value, _below(place, key), arrays) for key, value in held.items()}


def _below(place: str, name: str | int) -> str:
    return f"{place}/{name}" if place else str(name)


def _refuse_foreign(file: Path, overwrite: bool) -> None:
    if file.is_dir():
        raise InvalidInputError(f"{file} is a directory; expected the name of a file.")
    if overwrite or not os.path.lexists(file):
        return
    try:
        with zipfile.ZipFile(file) as archive:
            _manifest(archive)
    except (_UnknownError, *FAULTS):
        raise InvalidInputError(
            f"{file} is there, and is no file that save wrote whole. Choose another name, or pass "
            "overwrite=True to replace it."
        ) from None


def _write(stream: BinaryIO, manifest: str, arrays: dict[str, Any]) -> None:
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_member(MANIFEST), manifest)
        for name, array in arrays.items():
            wide = array.nbytes > HUGE
            with archive.open(_member(name), "w", force_zip64=wide) as member:
                np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)  # of the year 1980: equal results make equal files
    info.external_attr = 0o644 << 16
    return info


# Reading


def _read(data: bytes) -> Any:
    try:
        archive = zipfile.ZipFile(BytesIO(data))
    except FAULTS:
        raise _UnknownError(
            "is no file that save wrote, or only a part of one: it is not a whole .npz archive. "
            "Pass a file of save, or save the result again."
        ) from None
    with archive:
        node = _manifest(archive)
        names = [info.filename for info in archive.infolist()]
        if len(set(names)) < len(names):
            raise ValueError("a member is there twice")
        members = {name: _array(_bytes(archive, name)) for name in names if name != MANIFEST}
    result = _decoded(node, members)
    if members:
        raise ValueError(f"its manifest does not speak of {next(iter(members))}")
    if not (is_result(result) or isinstance(result, (list, tuple))):
        raise ValueError("it holds no result")
    return result


def _manifest(archive: zipfile.ZipFile) -> Any:
    """What the manifest says of the result, where this version understands it."""
    if MANIFEST not in archive.namelist():
        raise _UnknownError(
            f"is an archive that save did not write: it has no {MANIFEST}. numpy.load may read it."
        )
    manifest = json.loads(_bytes(archive, MANIFEST))
    if not isinstance(manifest, dict) or not {"format", "versions"} <= set(manifest):
        raise _UnknownError(f"is an archive that save did not write: its {MANIFEST} is another's.")
    number, written = manifest["format"], manifest["versions"]["implicitbias"]
    if type(number) is not int or number < 1:
        raise ValueError(f"its format is {number!r}")
    if number > FORMAT:
        raise _UnknownError(
            f"was written by implicitbias {written} in format {number}; version {__version__} "
            f"reads format {FORMAT}. Update implicitbias to read it."
        )
    return manifest["result"]


def _bytes(archive: zipfile.ZipFile, name: str) -> bytes:
    """A member, checked by its checksum; never packed, so that it is no longer than the file."""
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
        raise ValueError(f"{name} is packed or encrypted, which save never does")
    return archive.read(info)


def _array(data: bytes) -> Any:
    start = len(MAGIC) + 2
    end = start + int.from_bytes(data[len(MAGIC) : start], "little")
    header = HEADER.fullmatch(data, start, end)
    if header is None or not data.startswith(MAGIC):
        raise ValueError("an array of a kind that save never writes")
    dtype, (fortran, sizes) = np.dtype(header[1].decode()), header.groups()[1:]
    if dtype.hasobject:
        raise _UnknownError(
            "holds an array of Python objects, which save never writes and load never reads: "
            "loading them can run anything. Use it only if you know who wrote it."
        )
    shape = tuple(int(size) for size in sizes.replace(b" ", b"").split(b",") if size)
    if len(data) - end != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"an array of {dtype} and shape {shape} that does not fit its bytes")
    numbers = bytearray(memoryview(data)[end:])
    return np.ndarray(shape, dtype, numbers, order="F" if fortran == b"True" else "C")


def _decoded(node: Any, members: dict[str, Any]) -> Any:
    if node is None or isinstance(node, (bool, int, float, str)):
        return node
    if isinstance(node, list):
        return _all(node, members)
    ((tag, inside),) = node.items()
    match tag:
        case "array":
            return members.pop(inside)
        case "tuple":
            return tuple(_all(inside, members))
        case "mapping":
            return {key: _decoded(value, members) for key, value in inside.items()}
        case "float":
            return struct.unpack(">d", bytes.fromhex(inside))[0]
        case "complex":
            return complex(*_all(inside, members))
        case "outcome":
            return Outcome[inside]
    held = {key: _decoded(value, members) for key, value in inside.items()}
    return _built(tag, held)


def _all(nodes: Iterable[Any], members: dict[str, Any]) -> list[Any]:
    return [_decoded(node, members) for node in nodes]


def _built(name: str, held: dict[str, Any]) -> Any:
    """The result of a name in the list above, if everything it holds is of the right type."""
    name = FORMER.get(name, name)
    types = types_of(_class(name)) if name in MODULES else {}
    unknown = [key for key in held if key not in types]
    if unknown or not types:
        what = f"{name}.{unknown[0]}" if types else f"a result {name!r}"
        raise _UnknownError(
            f"holds {what}, which implicitbias {__version__} does not know. Update implicitbias to "
            "read it."
        )
    wrong = misfits(held, types)
    if wrong:
        raise ValueError(f"{name}.{wrong[0]} is {described(held[wrong[0]])}")
    return restored(_class(name), held)


def _class(name: str) -> Any:
    return getattr(import_module(MODULES[name]), name)
