"""A sparse interpolator of wide CSR data: seconds and memory, beside what others offer for it.

n = 200 points, d = 200,000 features, one entry in a thousand: the limit of a diagonal network at a
small scale, the Lasso at a tiny penalty (scikit-learn, celer, skglm) and basis pursuit as a linear
program (HiGHS); then the signs of the targets as classes: limit directions and scikit-learn's
support vector machines with hard margins. Each runs in a process of its own, one after the other;
memory is the most that its process held beyond what it held before the fit.

    python -m benchmarks.sparse
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import scipy.sparse
from scipy.optimize import linprog
from threadpoolctl import threadpool_limits

N, D, DENSITY = 200, 200_000, 1e-3
NONZERO, PENALTY = 20, 1e-4  # of the smallest penalty whose Lasso is 0

Fit = Callable[[scipy.sparse.csr_array, np.ndarray], np.ndarray]


def data(
    shape: tuple[int, int] = (N, D), density: float = DENSITY
) -> tuple[scipy.sparse.csr_array, np.ndarray]:
    """Normal entries at random places, and targets made by a few features with entries."""
    rng = np.random.default_rng(0)
    X = scipy.sparse.random_array(
        shape, density=density, rng=rng, format="csr", data_sampler=rng.standard_normal
    )
    beta = np.zeros(shape[1])
    beta[rng.choice(np.unique(X.indices), NONZERO, replace=False)] = rng.standard_normal(NONZERO)
    return X, X @ beta


def flow_limit(depth: int, scale: float) -> Fit:
    """Our estimator."""

    def fit(X: scipy.sparse.csr_array, y: np.ndarray) -> np.ndarray:
        from implicitbias.estimators import FlowLimitRegressor

        return (
            FlowLimitRegressor(depth=depth, init_scale=scale, fit_intercept=False).fit(X, y).coef_
        )

    return fit


def lasso(package: str) -> Fit:
    """The Lasso of a package at a tiny penalty."""

    def fit(X: scipy.sparse.csr_array, y: np.ndarray) -> np.ndarray:
        alpha = PENALTY * float(np.abs(X.T @ y).max()) / len(y)
        columns = scipy.sparse.csc_matrix(X)
        if package == "scikit-learn":
            from sklearn.linear_model import Lasso

            model = Lasso(alpha, fit_intercept=False, tol=1e-8, max_iter=100_000)
        elif package == "celer":
            from celer import Lasso

            model = Lasso(alpha, fit_intercept=False, tol=1e-8)
        else:
            from skglm import Lasso

            model = Lasso(alpha, fit_intercept=False, tol=1e-8)
        return model.fit(columns, y).coef_

    return fit


def basis_pursuit(X: scipy.sparse.csr_array, y: np.ndarray) -> np.ndarray:
    """min ||beta||_1 s.t. X beta = y by HiGHS."""
    both = scipy.sparse.hstack([X, -X], format="csc")
    answer = linprog(np.ones(both.shape[1]), A_eq=both, b_eq=y, method="highs")
    return answer.x[: X.shape[1]] - answer.x[X.shape[1] :]


def direction(network: str) -> Fit:
    """Our classifier."""

    def fit(X: scipy.sparse.csr_array, y: np.ndarray) -> np.ndarray:
        from implicitbias.estimators import FlowLimitClassifier

        return FlowLimitClassifier(network, fit_intercept=False).fit(X, y > 0).coef_[0]

    return fit


def support_vectors(kind: str) -> Fit:
    """Scikit-learn's linear machines at the penalties of the largest margins."""

    def fit(X: scipy.sparse.csr_array, y: np.ndarray) -> np.ndarray:
        from sklearn.svm import SVC, LinearSVC

        if kind == "SVC":  # without intercept by symmetry
            both, labels = scipy.sparse.vstack([X, -X]), np.append(y > 0, y <= 0)
            return SVC(kernel="linear", C=1e8, tol=1e-8).fit(both, labels).coef_.toarray()[0]
        model = LinearSVC(penalty="l1", C=100.0, fit_intercept=False, tol=1e-6, max_iter=10_000)
        return model.fit(scipy.sparse.csr_matrix(X), y > 0).coef_[0]

    return fit


CLASSIFIERS: dict[str, tuple[str, Fit]] = {
    "direction-l1": ("limit direction, diagonal, L = 2", direction("diagonal")),
    "linear-svc": ("LinearSVC, l1, C = 100", support_vectors("LinearSVC")),
    "direction-l2": ("limit direction, fully connected", direction("fully_connected")),
    "svc": ("SVC, linear kernel, C = 1e8", support_vectors("SVC")),
}
METHODS: dict[str, tuple[str, Fit]] = {
    "flow-2": ("flow limit, L = 2, scale 1e-6", flow_limit(2, 1e-6)),
    "flow-3": ("flow limit, L = 3, scale 1e-3", flow_limit(3, 1e-3)),
    "flow-0": ("flow limit, L = 2, scale 0", flow_limit(2, 0.0)),
    "scikit-learn": ("Lasso, scikit-learn", lasso("scikit-learn")),
    "celer": ("Lasso, celer", lasso("celer")),
    "skglm": ("Lasso, skglm", lasso("skglm")),
    "highs": ("basis pursuit, HiGHS", basis_pursuit),
}


def measure(name: str) -> dict[str, float]:
    """Seconds and megabytes of one fit, after a small one that loads and compiles everything."""
    fit = (METHODS | CLASSIFIERS)[name][1]
    with warnings.catch_warnings(), threadpool_limits(limits=1):
        warnings.simplefilter("ignore")
        fit(*data((20, 2000), 0.01))
        X, y = data()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began, cpu = time.perf_counter(), time.process_time()
        coef = fit(X, y)
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": seconds,
        "cpu": cpu,
        "megabytes": (after - before) / 1024,
        "residual": float(np.linalg.norm(X @ coef - y) / np.linalg.norm(y)),
        "l1": float(np.abs(coef).sum()),
        "l2": float(np.linalg.norm(coef)),
        "margin": float((np.where(y > 0, 1, -1) * (X @ coef)).min()),
        "nonzero": int(np.sum(np.abs(coef) > 1e-6 * np.abs(coef).max())),
    }


def main() -> None:
    """Measure each method in its own process and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=METHODS | CLASSIFIERS, help="One method, as JSON.")
    only = parser.parse_args().only
    if only:
        print(json.dumps(measure(only)))
        return
    print(f"n = {N}, d = {D:,}, density {DENSITY:g}: dense, that is {N * D * 8 >> 20} MB\n")
    print(f"{'':34}{'s':>8}{'CPU s':>8}{'MB':>8}{'residual':>11}{'l1 norm':>13}{'nonzero':>9}")
    for name, m in measured(METHODS):
        print(f"{name}{m['residual']:11.1e}{m['l1']:13.8f}{m['nonzero']:9d}")
    print(f"\n{'':34}{'s':>8}{'CPU s':>8}{'MB':>8}{'margin/l1':>13}{'margin/l2':>13}{'nonzero':>9}")
    for name, m in measured(CLASSIFIERS):
        l1, l2 = (m["margin"] / m[norm] for norm in ("l1", "l2"))
        print(f"{name}{l1:13.8f}{l2:13.8f}{m['nonzero']:9d}")


def measured(methods: dict[str, tuple[str, Fit]]) -> Iterator[tuple[str, dict[str, float]]]:
    """The beginning of a line of the table, and what else was measured, method by method."""
    for name, (title, _) in methods.items():
        command = [sys.executable, "-m", "benchmarks.sparse", "--only", name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{title:34}{done.stderr.strip().splitlines()[-1]}")
            continue
        m = json.loads(done.stdout)
        yield f"{title:34}{m['seconds']:8.2f}{m['cpu']:8.2f}{m['megabytes']:8.0f}", m


if __name__ == "__main__":
    main()
