"""What ``ib.Regression(X, y)`` costs: rank and consistency, proved by a Gram matrix or by QR.

    python -m benchmarks.construction                          # about a minute
    python -m benchmarks.construction --against OTHER/src      # beside another version, alternating

Data whose rows are clearly independent (Gaussian, time stamps, sparse) and data whose rows are not
(centred ones lack a rank), which QR decides. With ``--against`` both versions are measured in turn,
and the ratio is the median of the ratios of neighbours.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time

import numpy as np
import scipy.sparse
from threadpoolctl import threadpool_limits

SHAPES = ((5, 20), (100, 1000), (500, 20_000), (1000, 5000))
LEAST = 0.02  # seconds that a measurement takes at least


def gaussian(rng, n, d):
    """Independent normal entries."""
    return rng.standard_normal((n, d))


def centred(rng, n, d):
    """The same less the means of the columns: rank n - 1."""
    X = gaussian(rng, n, d)
    return X - X.mean(axis=0)


def time_stamps(rng, n, d):
    """Every tenth column in milliseconds since 1970."""
    X = gaussian(rng, n, d)
    X[:, ::10] = 1.7e12 + 1000.0 * rng.integers(0, 100, X[:, ::10].shape)
    return X


def cases(rng):
    """Name, X and y; y is what some coefficients reach."""
    for n, d in SHAPES:
        for kind in (gaussian, centred):
            X = kind(rng, n, d)
            yield f"{kind.__name__} {n} x {d:,}", X, X @ rng.standard_normal(d)
    X = time_stamps(rng, 100, 1000)
    yield "time stamps 100 x 1,000", X, rng.standard_normal(100)
    X = scipy.sparse.random_array(
        (200, 200_000), density=1e-3, rng=rng, format="csr", data_sampler=rng.standard_normal
    )
    yield "sparse 200 x 200,000", X, rng.standard_normal(200)


def loaded(path=None):
    """``Regression`` of the installed package, or of the one at a path."""
    for name in [name for name in sys.modules if name.split(".")[0] == "implicitbias"]:
        del sys.modules[name]
    if path is None:
        return importlib.import_module("implicitbias").Regression
    sys.path.insert(0, path)
    try:
        return importlib.import_module("implicitbias").Regression
    finally:
        sys.path.remove(path)


def seconds(build, X, y, calls):
    """Of one call, on average."""
    began = time.perf_counter()
    for _ in range(calls):
        build(X, y)
    return (time.perf_counter() - began) / calls


def measured(builds, X, y, repeats):
    """Seconds, (repeats, versions), the order turned around every time."""
    for build in builds:
        build(X, y)  # imports what it needs
    calls = max(1, int(LEAST / seconds(builds[0], X, y, 1)))
    found = np.zeros((repeats, len(builds)))
    for i in range(repeats):
        for k in range(len(builds))[:: 1 if i % 2 else -1]:
            found[i, k] = seconds(builds[k], X, y, calls)
    return found


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", help="the source folder of another version")
    parser.add_argument("--repeats", type=int, default=9)
    given = parser.parse_args()
    builds = [loaded()]
    if given.against:
        builds = [loaded(given.against), *builds]
    titles = ["other, ms", "this, ms", "this / other"] if given.against else ["ms"]
    print(f"{'X':<28}" + "".join(f"{title:>14}" for title in titles))
    with threadpool_limits(limits=1):
        for name, X, y in cases(np.random.default_rng(0)):
            found = measured(builds, X, y, given.repeats)
            line = "".join(f"{1e3 * value:14.3f}" for value in np.median(found, axis=0))
            if given.against:
                line += f"{np.median(found[:, 1] / found[:, 0]):14.3f}"
            print(f"{name:<28}{line}", flush=True)


if __name__ == "__main__":
    main()
