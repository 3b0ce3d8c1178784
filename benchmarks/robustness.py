"""Random problems far outside comfort: each must end certified or in a typed refusal.

n 1-40, d 1-200; near-duplicate rows and columns, zero columns, X = 0, sparse targets, graded
columns; log10 scale uniform in [-300, 300]; L 2-8; equal, unequal and signed layers.

    python -m benchmarks.robustness [COUNT] [FIRST_SEED]
"""

from __future__ import annotations

import sys
import time
import warnings
from collections import Counter

import numpy as np

import implicitbias as ib

CERTIFIED = 1e-8


def random_case(seed: int) -> tuple[ib.Network, np.ndarray, np.ndarray, ib.Initialization]:
    """One network, its data and its start."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 41))
    d = int(rng.integers(1, 201))
    X = rng.normal(size=(n, d)) * 10 ** rng.uniform(-3, 3)
    kind = int(rng.integers(0, 7))
    if kind == 1 and n > 1:
        X[rng.integers(n)] = X[rng.integers(n)] + 10 ** rng.uniform(-12, -3) * rng.normal(size=d)
    if kind == 2:
        i, j = rng.integers(d, size=2)
        X[:, i] = X[:, j] + 10 ** rng.uniform(-14, -3) * rng.normal(size=n)
    if kind == 3:
        X[:, rng.random(d) < 0.3] = 0.0
    if kind == 4:
        X = X * 10 ** rng.uniform(-3, 3, size=d)
    if kind == 5 and rng.random() < 0.2:
        X = 0 * X
    y = rng.normal(size=n)
    if rng.random() < 0.3 or n > d:
        sparse = np.zeros(d)
        sparse[rng.integers(d, size=min(d, 3))] = rng.normal(size=min(d, 3))
        y = X @ sparse
    if rng.random() < 0.02:
        y = 0 * y
    depth = int(rng.integers(2, 9))
    layers = rng.normal(size=(depth, d))
    shape = rng.integers(0, 4)
    if shape == 0:  # Theorem 5
        layers = np.tile(rng.uniform(0.2, 2, d) * rng.choice([-1, 1], d), (depth, 1))
    if shape in (0, 1):
        layers[-1] = 0.0
    if shape == 2:  # some coordinates keep their sign
        locked = rng.random(d) < 0.3
        layers[-1, locked] = layers[0, locked]
    init = ib.Initialization(list(layers), log_scale=np.log(10) * rng.uniform(-300, 300))
    return ib.DiagonalNetwork(d, depth), X, y, init


def outcome(seed: int) -> str:
    """How one case ends, in a word; anything but an answer or a typed refusal is a defect."""
    network, X, y, init = random_case(seed)
    try:
        limit = ib.predict_limit(network, ib.Regression(X, y), init, tol=CERTIFIED)
    except ib.InfeasibleProblemError:
        return "refused: InfeasibleProblemError"
    except ib.NoPredictionError as error:
        return "refused: NoPredictionError, " + (
            "certificate above 1e-8" if error.certificate else str(error).split(":")[1][:28].strip()
        )
    except Exception as error:  # every other exception is what this script looks for
        return f"DEFECT: seed {seed}: {type(error).__name__}: {error}"
    if not np.isfinite(limit.coefficients).all() or not limit.certificate.worst <= CERTIFIED:
        return f"DEFECT: seed {seed}: {limit.certificate}"
    return "certified"


def main() -> int:
    """Run the cases and count."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    warnings.simplefilter("error")
    start = time.perf_counter()
    counts = Counter(outcome(seed) for seed in range(first, first + count))
    for word, number in counts.most_common():
        print(f"{number:6d}  {word}")
    print(f"{count} problems in {time.perf_counter() - start:.0f} s")
    return int(any(word.startswith("DEFECT") for word in counts))


if __name__ == "__main__":
    raise SystemExit(main())
