"""Integrals to high precision, computed once and kept beside this file.

    python tests/reference/stored.py

makes the file anew, by running the tests that ask for them. An integral is found by its question:
the digits in force and the exact numbers it is of. What is not found is computed where it is asked
for, so that a file that is out of date costs time and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from typing import Any

import mpmath as mp

FILE = Path(__file__).with_name("integrals.json")
RECORD = "IMPLICITBIAS_RECORD"  # in the environment: the file that new integrals are added to
ASKED_BY = ("coordinates/test_clock.py", "coordinates/test_divergence.py")
GUARD = 3  # digits beyond those in force


@cache
def known() -> dict[str, str]:
    """What is kept, by its question."""
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}


def question(name: str, numbers: list[mp.mpf]) -> str:
    """The digits in force, the integral's name and its numbers, exactly, as a short text."""
    parts = [str(mp.mp.prec), name, *(str(number._mpf_) for number in map(mp.mpf, numbers))]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:20]


def stored(method: Callable[..., mp.mpf]) -> Callable[..., mp.mpf]:
    """An integral over a curve with ``offsets`` that is looked up first."""

    @wraps(method)
    def found(curve: Any, *numbers: mp.mpf) -> mp.mpf:
        key = question(method.__name__, [*curve.offsets, *numbers])
        text = known().get(key)
        if text is not None:
            return mp.mpf(text)
        value = method(curve, *numbers)
        if RECORD in os.environ:
            with open(os.environ[RECORD], "a", encoding="utf-8") as file:
                file.write(f"{key} {mp.nstr(value, mp.mp.dps + GUARD)}\n")
        return value

    return found


def main() -> None:
    """Run the tests without the file, and write what they computed."""
    FILE.unlink(missing_ok=True)
    lines = FILE.with_suffix(".lines")
    tests = [str(FILE.parents[1] / name) for name in ASKED_BY]
    subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "0", "-q", *tests],
        env=dict(os.environ, **{RECORD: str(lines)}),
        check=True,
    )
    found = dict(line.split() for line in lines.read_text(encoding="utf-8").splitlines())
    lines.unlink()
    FILE.write_text(json.dumps(found, indent=0, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
