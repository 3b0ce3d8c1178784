"""The time of limits of regression, beside another checkout and beside their linear algebra.

    git worktree add ../before v0.2.0
    python -m benchmarks.limits --before ../before/src        # a few minutes
    python -m benchmarks.limits --only "L=2"                  # this checkout alone

CPU seconds of one thread, the certificate included. Two processes, one a checkout, take turns on
one case: the ratio is the median over turns, and both must return the same coefficients. Gram
matrices of either precision are counted in this checkout; the floor is that many weighted ones of
float64 with their Cholesky factors. What a problem remembers of its data (the Gram matrix without
weights, equal columns, rational combinations of columns) is there from the first run on.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from benchmarks._checkouts import answer_lines, checkouts, in_turn, options, seconds
from scipy.linalg import lapack
from scipy.linalg.blas import dsyrk
from scipy.sparse import csr_array, random_array

import implicitbias as ib

MODULE = "benchmarks.limits"
SAME = 1e-9  # coefficients of both checkouts, relative to the largest


def cases():
    """Name -> (data, n, d, start, L, scales)."""
    found = {}

    def add(data, n, d, start, depth, scales):
        shown = f"{scales:g}" if np.ndim(scales) == 0 else "{:g}..{:g}, {:.0f}".format(*scales)
        found[f"{data} {n} x {d}, {start}, L={depth:g}, scale {shown}"] = (
            data, n, d, start, depth, scales,
        )  # fmt: skip

    for data in ("Gaussian", "correlated"):
        for depth in (2, 3, 4, 5):
            for scale in (1e-1, 1e-2, 1e-4, 1e-6):
                add(data, 100, 1000, "Theorem 5", depth, scale)
    for scale in (1.0, 1e-12):
        add("Gaussian", 100, 1000, "Theorem 5", 2, scale)
    for depth in (2, 3):
        for scale in (1e-1, 1e-2, 1e-4):
            add("decaying", 100, 1000, "Theorem 5", depth, scale)
    for depth in (2, 3):
        add("Gaussian", 100, 1000, "random", depth, 1e-2)
        add("Gaussian", 100, 1000, "two-sided", depth + 0.5 * (depth > 2), 1e-2)
        add("Gaussian", 100, 200, "Theorem 5", depth, 1e-2)
        add("Gaussian", 100, 10000, "Theorem 5", depth, 1e-2)
        add("Gaussian", 300, 3000, "Theorem 5", depth, 1e-2)
        add("Gaussian", 5, 20, "Theorem 5", depth, 1e-2)
        add("CSR", 1000, 100000, "Theorem 5", depth, 1e-2)
        add("Gaussian", 100, 1000, "Theorem 5", depth, (10.0, 1e-8 if depth == 2 else 1e-4, 60))
    return found


def data_of(kind, n, d):
    """X and y."""
    rng = np.random.default_rng(0)
    if kind == "CSR":
        X = random_array((n, d), density=1e-3, rng=rng, format="csr", data_sampler=rng.normal)
        return csr_array(X), rng.standard_normal(n)
    X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    if kind == "decaying":
        X *= np.arange(1.0, d + 1.0) ** -0.5
    if kind == "correlated":
        X = X / np.arange(1.0, d + 1.0) + 0.3 * rng.standard_normal((n, 1))
    return X, y


def problem_of(data, n, d, start, depth, scales):
    """A function that computes the limit, or the limits, and the problem."""
    problem = ib.Regression(*data_of(data, n, d))
    if start == "two-sided":
        network = ib.TwoSidedDiagonalNetwork(d, depth)
        directions = [np.ones(d), np.ones(d)]
    else:
        network = ib.DiagonalNetwork(d, int(depth))
        rng = np.random.default_rng(5)
        directions = [rng.standard_normal(d) for _ in range(int(depth))]
        if start == "Theorem 5":
            directions = ib.Initialization.last_layer_zero(network, np.ones(d), 1.0).directions
    if np.ndim(scales):
        first, last, count = scales
        alphas = np.geomspace(first, last, int(count))
        return lambda: ib.limit_path(network, problem, directions, alphas), problem
    init = ib.Initialization(directions, scale=scales)
    return lambda: ib.predict_limit(network, problem, init), problem


def calls_of(run, kind, names):
    """(name, shape) of every call of some methods of a kind of features that gives anything."""
    calls, known = [], {name: getattr(kind, name) for name in names}

    def counting(name, made):
        def counted(self, *given):
            found = made(self, *given)
            if found is not None:
                calls.append((name, self.shape))
            return found

        return counted

    try:
        for name, made in known.items():
            setattr(kind, name, counting(name, made))
        run()
    finally:
        for name, made in known.items():
            setattr(kind, name, made)
    return calls


def grams_of(run, problem):
    """How many weighted Gram matrices a run makes, of either precision."""
    return len(calls_of(run, type(problem.features), ("gram", "rough_gram")))


def floor_of(problem):
    """CPU seconds of one weighted Gram matrix and its Cholesky factors."""
    rng = np.random.default_rng(1)
    weights = rng.uniform(0.5, 1.5, problem.num_features)
    dense = isinstance(problem.X, np.ndarray)

    def once():
        if dense:
            gram = dsyrk(1.0, (problem.X * np.sqrt(weights)).T, trans=1)
        else:
            gram = problem.features.gram(weights)
        lapack.dpotrf(gram + np.diag(gram.diagonal()), lower=0, clean=0, overwrite_a=1)

    return seconds(once, 5)[0]


def serve():
    """Answer one turn: seconds and coefficients, or with ``count`` the Gram matrices too."""
    known, made = cases(), {}

    def answer(name, *more):
        if name not in made:
            made.clear()
            try:
                made[name] = problem_of(*known[name])
            except AttributeError:  # a network that this checkout does not have
                return None
        run, problem = made[name]
        spent, result = seconds(run)
        answered = {"seconds": spent, "coefficients": np.ravel(result.coefficients).tolist()}
        if more:
            answered |= {"grams": grams_of(run, problem), "floor": floor_of(problem)}
        return answered

    answer_lines(answer)


def measured(now, before, turns, only=""):
    """One dictionary a case: medians of both and of their ratios, and how many floors it takes."""
    for name in (name for name in cases() if only in name):
        counted = now.turn(name, "count")
        row, grams = in_turn(now, before, name, turns), counted["grams"]
        floors = row["seconds"] / (max(grams, 1) * counted["floor"])
        yield row | {"grams": grams, "floors": floors}


def main():
    """Measure the cases one after the other."""
    given = options(__doc__, turns=7)
    if given.serve:
        return serve()
    for row in measured(*checkouts(MODULE, given.before), given.turns, given.only):
        text = f"{row['case']}: {1e3 * row['seconds']:.2f} ms, {row['grams']} Gram matrices, "
        text += f"{row['floors']:.1f} times their floor"
        if row["before"]:
            text += f"; before {1e3 * row['before']:.2f} ms, {row['ratio']:.2f} times as long; "
            text += f"{row['apart']:.0e} apart" + ("" if row["apart"] < SAME else ", NOT THE SAME")
        print(text, flush=True)
    return None


if __name__ == "__main__":
    main()
