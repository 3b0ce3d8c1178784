"""The bytes of a file or of standard input, and what kind of file they are."""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import sys
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from implicitbias._errors import InvalidInputError
from implicitbias.cli._printing import reason

STANDARD_INPUT = "-"
PACKED: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"BZh": bz2.decompress,
    b"\xfd7zXZ\x00": lzma.decompress,
}
ZIP, PARQUET, OLD_EXCEL, ARRAY = b"PK\x03\x04", b"PAR1", b"\xd0\xcf\x11\xe0", b"\x93NUMPY"
EMPTY_ZIP, END_OF_FILE = b"PK\x05\x06", "\x1a"  # the latter as DOS wrote it
ENDINGS = {".parquet": "parquet", ".pq": "parquet", ".npz": "npz", ".xlsx": "excel"}
ENDINGS |= {".xlsm": "excel", ".xls": "old excel", ".ods": "old excel"}
BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, ValueError)


def name_of(path: Path) -> str:
    """What messages call a file."""
    return "standard input" if str(path) == STANDARD_INPUT else path.name


def read(path: Path) -> tuple[str, bytes]:
    """Return the kind of a file, "csv", "parquet", "npz" or "excel", and its unpacked bytes.

    By its first bytes; where these say nothing, by the ending of its name, else "csv".

    Raises
    ------
    InvalidInputError
        Damaged, an archive of several files, or of a kind that is not read.
    """
    name = name_of(path)
    if str(path) == STANDARD_INPUT:
        if sys.stdin is None:
            raise InvalidInputError("standard input is closed; expected a table on it.")
        content = sys.stdin.buffer.read()
    else:
        content = path.read_bytes()
    for magic, unpack in PACKED.items():
        if content.startswith(magic):
            try:
                content = unpack(content)
            except BROKEN as error:
                raise InvalidInputError(f"{name} cannot be unpacked: {reason(error)}.") from None
    kind = ""
    if content.startswith((ZIP, EMPTY_ZIP)):
        kind, content = _of_zip(content, name)
    if not content.strip():
        raise InvalidInputError(f"{name} is empty; expected a table with column names.")
    kind = kind or _of_bytes(content) or ENDINGS.get(path.suffix.lower(), "csv")
    if kind == "array":
        raise InvalidInputError(
            f"{name} is a single NumPy array; expected an archive with the target beside it: "
            "np.savez(file, X=X, y=y)."
        )
    if kind == "old excel":
        raise InvalidInputError(
            f"{name} is a spreadsheet of a kind that is not read. Save it as .xlsx or CSV."
        )
    return kind, content


def _of_bytes(content: bytes) -> str:
    kinds = {PARQUET: "parquet", OLD_EXCEL: "old excel", ARRAY: "array"}
    return next((kind for magic, kind in kinds.items() if content.startswith(magic)), "")


def _of_zip(content: bytes, name: str) -> tuple[str, bytes]:
    """NumPy's and Excel's files are zip files too; any other must hold one file."""
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            members = [
                each
                for each in archive.namelist()
                if not each.endswith("/") and not each.startswith("__MACOSX/")
            ]
            if any(each.endswith(".npy") for each in members):
                return "npz", content
            if "[Content_Types].xml" in members:
                return "excel", content
            if "mimetype" in members:
                return "old excel", content
            if len(members) != 1:
                shown = ", ".join(members[:5]) + ", ..." * (len(members) > 5)
                raise InvalidInputError(
                    f"{name} holds {len(members)} files ({shown}); expected one. Unpack it."
                    if members
                    else f"{name} is an empty archive; expected one file in it."
                )
            content = archive.read(members[0])
            suffix = Path(members[0]).suffix.lower()
    # zipfile's words for an archive with a password, and for a method it does not know
    except (*BROKEN, RuntimeError, NotImplementedError) as error:
        if isinstance(error, InvalidInputError):
            raise
        raise InvalidInputError(f"{name} cannot be unpacked: {reason(error)}.") from None
    return _of_bytes(content) or ENDINGS.get(suffix, "csv"), content


def text_of(content: bytes, encoding: str | None, name: str) -> tuple[str, str]:
    """Return the text and, where its encoding was not plain, a remark on it.

    UTF-8, or UTF-16 and UTF-32 with their byte-order marks; else Windows-1252 or Latin-1.

    Raises
    ------
    InvalidInputError
        Bytes that are no text in the encoding asked for, or zero bytes.
    """
    marks = (
        (codecs.BOM_UTF32_LE, "utf-32"),  # begins with the mark of UTF-16
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    )
    marked = next((kind for mark, kind in marks if content.startswith(mark)), "utf-8")
    tried = (encoding,) if encoding else (marked, "cp1252", "latin-1")
    for each in tried:
        if each == "cp1252" and (b"\0" in content or marked != "utf-8"):
            break  # no text in any of them
        try:
            text = content.decode(each)
        except UnicodeError:
            continue
        if "\0" in text:
            break
        remark = f"read as {each}, not being UTF-8" if each != marked and not encoding else ""
        return text.removeprefix("\ufeff").removesuffix(END_OF_FILE), remark
    raise InvalidInputError(
        f"{name} is not {encoding or 'UTF-8'} text"
        + (": it holds zero bytes" if b"\0" in content else "")
        + ". Expected a CSV, Parquet, Excel or .npz file; pass --encoding NAME (such as utf-16 or "
        "latin-1) for a CSV file in another one."
    )
