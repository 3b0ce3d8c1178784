"""A verification report as JSON, as one page, and as files on disk."""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import UTC, datetime
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from implicitbias import __version__
from implicitbias._results import plain
from implicitbias.report._figures import FIGURES
from implicitbias.report._page import page
from implicitbias.verification import Report, Row

ARRAYS, MANIFEST, PAGE = "arrays.npz", "manifest.json", "report.html"
FILES = (ARRAYS, *(figure.file for figure in FIGURES), PAGE, MANIFEST)
PACKAGES = ("numpy", "scipy", "scikit-learn", "threadpoolctl", "matplotlib")


def as_json(report: Report) -> dict[str, Any]:
    """The report as what ``json.dumps`` takes."""
    return {
        "agrees": report.agrees,
        "seconds": round(report.seconds, 3),
        "rows": [_row_as_json(number, row) for number, row in enumerate(report.rows, start=1)],
    }


def _row_as_json(number: int, row: Row) -> dict[str, Any]:
    found = row.measured
    entry: dict[str, Any] = {
        "number": number,
        "result": row.check.result,
        "network": row.check.network,
        "data": row.check.data,
        "agrees": row.agrees,
        "seconds": round(row.seconds, 3),
        "note": row.note,
    }
    if found is None:
        return entry
    return entry | {
        "shape": found.shape,
        "settings": dict(found.settings),
        "assumptions": plain(found.assumptions),
        "error": plain(found.error),
        "judged": found.judged,
        "certificate": plain(found.certificate),
        "certificates": plain(found.certificates),
        "arrays": {name: _key(number, name) for name in found.arrays},
        "closings": plain(found.closings),
    }


def _key(number: int, name: str) -> str:
    return f"row {number:02d} {name}"


def save(report: Report, directory: Path) -> list[str]:
    """Write arrays, figures (where their rows were run), page and manifest; return the names."""
    arrays: dict[str, Any] = {
        _key(number, name): array
        for number, row in enumerate(report.rows, start=1)
        if row.measured is not None
        for name, array in row.measured.arrays.items()
    }
    np.savez_compressed(directory / ARRAYS, **arrays)
    drawn = [figure for figure in FIGURES if figure.draw(report, directory / figure.file)]
    files = [ARRAYS, *(figure.file for figure in drawn)]
    manifest = as_json(report) | _circumstances()
    manifest["files"] = {
        name: sha256((directory / name).read_bytes()).hexdigest() for name in files
    }
    images = [(figure, (directory / figure.file).read_bytes()) for figure in drawn]
    text = page(report, manifest, images, beside=(ARRAYS, MANIFEST))
    (directory / PAGE).write_text(text, encoding="utf-8")
    text = json.dumps(manifest, indent=2, allow_nan=False)
    (directory / MANIFEST).write_text(text + "\n", encoding="utf-8")
    return [*files, PAGE, MANIFEST]


def save_page(report: Report, file: Path) -> None:
    """Write the page alone, with everything in it."""
    images = []
    with TemporaryDirectory() as scratch:
        for figure in FIGURES:
            if figure.draw(report, Path(scratch) / figure.file):
                images.append((figure, (Path(scratch) / figure.file).read_bytes()))
    text = page(report, as_json(report) | _circumstances(), images)
    file.write_text(text, encoding="utf-8")


def _circumstances() -> dict[str, Any]:
    """When, where and by what the rows were run."""
    return {
        "finished": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "versions": {"implicitbias": __version__, "python": platform.python_version()}
        | {name: metadata.version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "threads": threads(),
        "command": ["implicitbias", *sys.argv[1:]],
    }


def threads() -> dict[str, Any]:
    """The CPU count and the threads of each numerical library."""
    from threadpoolctl import threadpool_info

    return {
        "cpus": os.cpu_count(),
        "pools": [
            {key: pool.get(key) for key in ("internal_api", "version", "num_threads")}
            for pool in threadpool_info()
        ],
    }
