"""Limits beside other ways to the same: files, sparse arrays, rivals, and sweeps beside loops."""

from __future__ import annotations

import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import scipy.sparse
from benchmarks._sections import Section, fits, gaussian, in_turns, limit_of, ms
from scipy.optimize import linprog

import implicitbias as ib
from benchmarks import sweeps
from implicitbias.features import Blocks

MEMORY = 1 << 22  # bytes of work of features in blocks
DENSITY = 0.01
DEPTH, SCALE = 3, 1e-4  # of what is held against basis pursuit
PATH = 50  # scales, and penalties
SUPPORT = 10  # one in so many points: features that make the targets
TASKS = 200  # of a sweep, at least


@contextmanager
def files(X):
    """The same matrix as .npy files: rows that follow each other, and columns."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("rows.npy", "columns.npy")]
        for path, order in zip(paths, "CF", strict=True):
            np.save(path, np.asarray(X, order=order))
        yield paths


def blocks(turns, quick):
    """Files in blocks against an array."""
    sizes = (5000, 10_000, 20_000) if quick else (5000, 20_000, 80_000)
    times = []
    for d in sizes:
        X, y = gaussian(200, d)
        with files(X) as paths:
            given = [X, *(Blocks(path, memory=MEMORY) for path in paths)]
            times.append(in_turns([limit_of(each, y, 2, 1e-2) for each in given], turns))
    slopes = dict(zip(("array", "rows", "columns"), fits(sizes, times), strict=True))
    ratios = [each[1:] / each[0] for each in times]
    return Section(
        "Blocks against an array",
        f"n = 200, L = 2, scale 0.01, {MEMORY >> 20} MiB of work; files whose rows, or whose "
        "columns, follow each other, and which the system has in memory.",
        ("d", "array, ms", "rows, ms", "columns, ms", "rows / array", "columns / array"),
        [
            (f"{d:,}", *map(ms, each), *(f"{one:.2f}" for one in ratio))
            for d, each, ratio in zip(sizes, times, ratios, strict=True)
        ],
        ["Exponents in d: " + "; ".join(f"{name} {slope}" for name, slope in slopes.items()) + "."],
        [f"a file in blocks takes up to {np.max(ratios):.1f} times as long as the array"],
    )


def sparse(turns, quick):
    """CSR against the same as an array."""
    sizes = (1000, 4000, 16_000) if quick else (1000, 4000, 16_000, 64_000, 256_000)
    times = []
    for d in sizes:
        rng = np.random.default_rng(0)
        X = scipy.sparse.random_array(
            (100, d), density=DENSITY, rng=rng, format="csr", data_sampler=rng.standard_normal
        )
        y = rng.standard_normal(100)
        times.append(in_turns([limit_of(each, y, 2, 1e-2) for each in (X, X.toarray())], turns))
    of_sparse, of_dense = fits(sizes, times)
    ratios = [dense / csr for csr, dense in times]
    lost = [f"{d:,} ({ratio:.2f})" for d, ratio in zip(sizes, ratios, strict=True) if ratio < 1.0]
    return Section(
        "Sparse against dense",
        f"n = 100, one entry in {1 / DENSITY:.0f}, L = 2, scale 0.01.",
        ("d", "CSR, ms", "array, ms", "array / CSR"),
        [
            (f"{d:,}", *map(ms, each), f"{ratio:.2f}")
            for d, each, ratio in zip(sizes, times, ratios, strict=True)
        ],
        [f"Exponents in d: CSR {of_sparse}; array {of_dense}."],
        [f"CSR is slower than the same array at d = {', '.join(lost)}"] if lost else [],
    )


def basis_pursuit(X, y):
    """min ||beta||_1 s.t. X beta = y by HiGHS."""
    d = X.shape[1]
    found = linprog(np.ones(2 * d), A_eq=np.hstack([X, -X]), b_eq=y, method="highs").x
    return found[:d] - found[d:]


def lasso_path(X, y):
    """scikit-learn's coordinate descent from the largest penalty down to a thousandth of it."""
    from sklearn import linear_model

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # small penalties do not converge to its tolerance
        return linear_model.lasso_path(X, y, n_alphas=PATH, eps=1e-3)[1].T


def rivals_of(n):
    """The limit, basis pursuit, the path over scales and that over penalties, as functions."""
    X, _ = gaussian(n, 10 * n)
    y = X[:, : max(1, n // SUPPORT)].sum(axis=1)
    network = ib.DiagonalNetwork(10 * n, DEPTH)
    start = ib.Initialization.last_layer_zero(network, np.ones(10 * n), 1.0).directions
    scales = np.geomspace(1.0, SCALE, PATH)
    return [
        limit_of(X, y, DEPTH, SCALE),
        lambda: basis_pursuit(X, y),
        lambda: ib.limit_path(network, ib.Regression(X, y), start, scales),
        lambda: lasso_path(X, y),
    ]


def rivals(turns, quick):
    """HiGHS and scikit-learn, which solve neighbouring problems."""
    sizes = (25, 50, 100) if quick else (25, 50, 100, 200)
    times, apart = [], []
    for n in sizes:
        runs = rivals_of(n)
        times.append(in_turns(runs, turns))
        limit, pursuit, path, lasso = (run() for run in runs)
        ends = limit.coefficients, path.coefficients[-1], lasso[-1]
        apart.append([np.linalg.norm(end - pursuit) / np.linalg.norm(pursuit) for end in ends])
    rows = []
    for n, (ours, highs, path, lasso), ends in zip(sizes, times, apart, strict=True):
        rows.append((str(n), ms(ours), ms(highs), f"{highs / ours:.2g}", f"{ends[0]:.0e}",
                     ms(path), ms(lasso), f"{lasso / path:.2g}", f"{ends[1]:.0e}",
                     f"{ends[2]:.0e}"))  # fmt: skip
    names = ("limit", "HiGHS", "limit_path", "lasso_path")
    lost = [
        f"{names[theirs]} is up to {np.max(ratios):.3g} times as fast as {names[ours]}"
        f" (n = {sizes[int(np.argmax(ratios))]})"
        for ours, theirs in ((0, 1), (2, 3))
        if np.max(ratios := [each[ours] / each[theirs] for each in times]) > 1.0
    ]
    slopes = "; ".join(f"{a} {b}" for a, b in zip(names, fits(sizes, times), strict=True))
    return Section(
        "Rivals",
        f"d = 10 n, targets of n/{SUPPORT} features. A limit (L = {DEPTH}, scale {SCALE:g}) beside "
        "basis pursuit, where limits go as the scale does to 0, by HiGHS (SciPy's linprog); the "
        f"path over {PATH} scales from 1 down to the same beside scikit-learn's lasso_path over "
        f"{PATH} penalties, down to a thousandth of the largest. *Off*: how far an end is from "
        "basis pursuit, relative.",
        ("n", "limit, ms", "HiGHS, ms", "HiGHS / limit", "limit off", "path, ms", "lasso, ms",
         "lasso / path", "path off", "lasso off"),
        rows,
        [f"Exponents in n: {slopes}."],
        lost,
    )  # fmt: skip


def swept(turns, quick):
    """Tasks a second against a plain loop."""
    rows, ratios = [], []
    for tasks in (TASKS,) if quick else (TASKS, 3 * TASKS):
        turned = [sweeps.turn(tasks) for _ in range(min(turns, 3))]
        plain, ours, after = np.median(turned, axis=0)
        ratios.append(float(np.median([own / loop for loop, own, _ in turned])))
        rows.append((str(tasks), f"{tasks / plain:.0f}", f"{tasks / ours:.0f}",
                     f"{ratios[-1]:.2f}", f"{after:.2f}"))  # fmt: skip
    return Section(
        "Sweeps against a plain loop",
        "``sweep`` with one worker on 4 x 8 problems, every result kept, and the same predictions "
        "one by one in a loop that keeps nothing: tasks a CPU second. *After*: seconds for table "
        "and figures, once.",
        ("tasks", "loop", "sweep", "sweep's time / loop's", "after, s"),
        rows,
        [],
        [f"a sweep takes {max(ratios):.2f} times as long as a loop"] if max(ratios) > 1.0 else [],
    )
