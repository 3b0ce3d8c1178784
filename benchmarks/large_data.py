"""Limits of large data: CPU seconds and memory of a file in blocks beside an array, of iterations.

Each case runs in a process of its own, one after the other, on one thread; memory is the most that
its process ever held. Files are written to a temporary folder and removed.

    python -m benchmarks.large_data
    python -m benchmarks.large_data --points 20000 24000     # dense, of columns; alone: for hours
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from threadpoolctl import threadpool_limits

import implicitbias as ib
from implicitbias.features import Blocks

DENSE = 500, 200_000
WIDE = 1000, 1_000_000, 2_000_000  # points, features, entries
MANY = 5000, 50_000, 500_000
MOST = 20_000, 200_000, 2_000_000


@contextmanager
def file_of(shape: tuple[int, int], by_columns: bool = False) -> Iterator[Path]:
    """Normal entries in a .npy file, rows one after another, or columns."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "X.npy"
        header = {"descr": "<f8", "fortran_order": by_columns, "shape": shape}
        count, length = shape[::-1] if by_columns else shape
        with open(path, "wb") as file:
            np.lib.format.write_array_header_2_0(file, header)
            for index in range(count):
                file.write(np.random.default_rng(index).standard_normal(length).tobytes())
        yield path


@contextmanager
def sparse_of(n: int, d: int, entries: int) -> Iterator[scipy.sparse.csr_array]:
    """Normal entries at random places."""
    rng = np.random.default_rng(0)
    places = rng.integers(0, n, entries), rng.integers(0, d, entries)
    yield scipy.sparse.coo_array((rng.standard_normal(entries), places), shape=(n, d)).tocsr()


def factored(X: scipy.sparse.csr_array) -> scipy.sparse.csr_array:
    """The same, whose Gram matrices are factored whatever its size."""
    from implicitbias.features import _large

    _large.MOST_ALWAYS = X.shape[0]
    return X


CASES: dict[str, tuple[str, Callable[[], Any], Callable[[Any], Any]]] = {
    "array": ("array", lambda: file_of(DENSE), np.load),
    "map": ("memory map", lambda: file_of(DENSE), lambda path: np.load(path, mmap_mode="r")),
    "blocks": ("file in blocks", lambda: file_of(DENSE), Blocks),
    "wide": ("sparse, wide", lambda: sparse_of(*WIDE), lambda X: X),
    "factored": ("sparse, factored", lambda: sparse_of(*MANY), factored),
    "iterated": ("sparse, iterated", lambda: sparse_of(*MANY), lambda X: X),
    "most": ("sparse, iterated", lambda: sparse_of(*MOST), lambda X: X),
}


def measure(made: Callable[[], Any], given: Callable[[Any], Any], scale: float) -> dict[str, Any]:
    """One limit of a diagonal network of two layers."""
    with made() as data, threadpool_limits(limits=1):
        X = given(data)
        n, d = X.shape
        y = np.random.default_rng(n + d).standard_normal(n)
        init = ib.Initialization([np.ones(d), np.zeros(d)], scale=scale)
        network = ib.DiagonalNetwork(num_features=d, depth=2)
        began = time.process_time()
        problem = ib.Regression(X, y)
        ranked = time.process_time()
        limit = ib.predict_limit(network, problem, init)
        done = time.process_time()
    return {
        "shape": f"{n} x {d:,}",
        "rank": ranked - began,
        "limit": done - ranked,
        "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "worst": limit.certificate.worst,
    }


def measured(scale: float = 1e-2, only: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Each case in a process of its own: its title and what was measured, or the error."""
    for name, (title, *_) in CASES.items():
        if only not in title:
            continue
        command = [sys.executable, "-m", "benchmarks.large_data", "--only", name]
        command += ["--scale", str(scale)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        failed = done.returncode and {"error": (done.stderr.strip().splitlines() or ["killed"])[-1]}
        yield title, failed or json.loads(done.stdout)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=CASES, help="One case, as JSON.")
    parser.add_argument("--points", type=int, nargs=2, metavar=("N", "D"), help="Dense, as JSON.")
    parser.add_argument("--scale", type=float, default=1e-2)
    options = parser.parse_args()
    if options.points:
        shape = options.points[0], options.points[1]
        print(json.dumps(measure(lambda: file_of(shape, by_columns=True), Blocks, options.scale)))
        return
    if options.only:
        print(json.dumps(measure(*CASES[options.only][1:], options.scale)))
        return
    print(f"{'':20}{'':>20}{'rank, CPU s':>13}{'limit, CPU s':>14}{'GiB':>7}{'certificate':>13}")
    for title, m in measured(options.scale):
        if "error" in m:
            print(f"{title:20}{m['error']}")
            continue
        print(
            f"{title:20}{m['shape']:>20}{m['rank']:13.1f}{m['limit']:14.1f}{m['gigabytes']:7.2f}"
            f"{m['worst']:13.1e}",
            flush=True,
        )


if __name__ == "__main__":
    main()
