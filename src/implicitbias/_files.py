"""Files that appear whole, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from implicitbias._errors import InvalidInputError, described


def path_named(value: Any, name: str, expected: str) -> Path:
    """A path that a system can have, from what a user calls ``name``.

    Raises
    ------
    InvalidInputError
        Not text, empty, or with a character that no path has.
    """
    text = os.fspath(value) if isinstance(value, (str, os.PathLike)) else value
    if not isinstance(text, str):
        raise InvalidInputError(f"{name} is {described(value)}; expected {expected}.")
    if not text or "\0" in text:
        raise InvalidInputError(f"{name} is {text!r}; expected {expected}.")
    return Path(text)


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """A scratch file that takes the place of ``file`` if all went well.

    Raises
    ------
    OSError
        It cannot be written; raised before the work is done.
    """
    scratch = file.with_name(scratch_name() + file.suffix)
    with naming(file):
        scratch.touch()
    try:
        yield scratch
        os.replace(scratch, file)
    finally:
        scratch.unlink(missing_ok=True)


def scratch_name() -> str:
    """A name that nothing else has."""
    return f".implicitbias-{uuid4().hex[:12]}"


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """An error names what was asked for, not the scratch file beside it."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
