"""What ``ib.Regression(X, y)`` costs: rank and consistency, proved by a Gram matrix or by QR.

    python -m benchmarks.construction                          # about a minute
    python -m benchmarks.construction --before ../before/src   # beside another checkout

Data whose rows are clearly independent (Gaussian, time stamps, sparse) and data whose rows are not
(centred ones lack a rank), which QR decides. With ``--before`` both checkouts take turns, and the
ratio is the median over turns.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import scipy.sparse
from benchmarks._checkouts import answer_lines, checkouts, in_turn, options, seconds
from scipy.linalg import lapack

import implicitbias as ib

MODULE = "benchmarks.construction"
SHAPES = ((5, 20), (100, 1000), (500, 20_000), (1000, 5000))


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


def sparse(rng, n, d):
    """One entry in a thousand."""
    normal = rng.standard_normal
    return scipy.sparse.random_array(
        (n, d), density=1e-3, format="csr", rng=rng, data_sampler=normal
    )


def cases():
    """Name -> (kind, n, d)."""
    found = [(kind, *shape) for shape in SHAPES for kind in (gaussian, centred)]
    found += [(time_stamps, 100, 1000), (sparse, 200, 200_000)]
    return {f"{kind.__name__} {n} x {d:,}": (kind, n, d) for kind, n, d in found}


def floors(X):
    """Seconds of one pass over X, and of X X^T with its Cholesky factors."""
    entries = X.data if scipy.sparse.issparse(X) else X

    def gram():
        found = X @ X.T
        found = found.toarray() if scipy.sparse.issparse(found) else found
        lapack.dpotrf(found, lower=0, clean=0, overwrite_a=1)

    return seconds(entries.sum)[0], seconds(gram)[0]


def serve():
    """Answer one turn: seconds and the rank."""
    known, made = cases(), {}

    def answer(name):
        if name not in made:
            made.clear()
            kind, n, d = known[name]
            rng = np.random.default_rng(0)
            X = kind(rng, n, d)
            made[name] = X, X @ rng.standard_normal(d)  # a target that can be reached
        spent, problem = seconds(lambda: ib.Regression(*made[name]))
        return {"seconds": spent, "coefficients": [problem.rank], "floors": floors(made[name][0])}

    answer_lines(answer)


def measured(now, before, turns, only=""):
    """One dictionary a case: medians of both and of their ratios; floors: a pass, a Gram matrix."""
    for name in (name for name in cases() if only in name):
        row = in_turn(now, before, name, turns)
        read, gram = now.turn(name)["floors"]
        yield row | {"read": read, "gram": gram}


def main():
    """Print the table."""
    given = options(__doc__, turns=9)
    if given.serve:
        return serve()
    for row in measured(*checkouts(MODULE, given.before), given.turns, given.only):
        text = f"{row['case']:<24} {1e3 * row['seconds']:9.3f} ms; a pass over X "
        text += f"{1e3 * row['read']:.3f}, Gram matrix and factors {1e3 * row['gram']:.3f}"
        if row["before"]:
            text += f"; before {1e3 * row['before']:9.3f} ms, {row['ratio']:.2f} times as long"
            text += "" if row["apart"] == 0.0 else ", OF ANOTHER RANK"
        print(text, flush=True)
    return None


if __name__ == "__main__":
    main()
