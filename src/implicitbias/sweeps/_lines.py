"""Lines of results: one record each, with the checksum of its bytes.

    {"sha256": "<64 hexadecimal digits>", "record": {"task": 0, ...}}

The checksum is that of the record as it is written, so that a line of which a bit has turned, or
which a disk has kept only in part, is told from a whole one without a guess.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

BEFORE, BETWEEN, AFTER = b'{"sha256": "', b'", "record": ', b"}"
DIGITS = 64

Record = dict[str, Any]


def line_of(record: Record) -> bytes:
    """The line of a record."""
    body = json.dumps(record, allow_nan=False).encode()
    return BEFORE + _digits(body) + BETWEEN + body + AFTER + b"\n"


def records_in(content: bytes) -> Iterator[Record | None]:
    """The records of a file, None for every line that is not what was written."""
    for line in content.split(b"\n"):
        if line:
            body = _body(line)
            yield None if body is None else json.loads(body)


def _body(line: bytes) -> bytes | None:
    """What the checksum of the line is that of."""
    start = len(BEFORE) + DIGITS + len(BETWEEN)
    body = line[start : -len(AFTER)]
    return body if line == BEFORE + _digits(body) + BETWEEN + body + AFTER else None


def _digits(body: bytes) -> bytes:
    return sha256(body).hexdigest().encode()
