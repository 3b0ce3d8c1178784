"""Structured data: what people have in their tables, and what breaks solvers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import hadamard

Array = np.ndarray
Maker = Callable[[np.random.Generator, int, int], Array]


def gaussian(rng: np.random.Generator, n: int, d: int) -> Array:
    """Independent normal entries."""
    return rng.standard_normal((n, d))


def integers(rng: np.random.Generator, n: int, d: int) -> Array:
    """-3 .. 3."""
    return rng.integers(-3, 4, (n, d)).astype(float)


def signs(rng: np.random.Generator, n: int, d: int) -> Array:
    """-1 and 1."""
    return rng.choice([-1.0, 1.0], (n, d))


def binary(rng: np.random.Generator, n: int, d: int) -> Array:
    """0 and 1."""
    return rng.integers(0, 2, (n, d)).astype(float)


def one_hot(rng: np.random.Generator, n: int, d: int) -> Array:
    """A few categories, each a block of indicators, with a column of ones."""
    blocks, left = [np.ones((n, 1))], d - 1
    while left > 0:
        size = int(min(left, rng.integers(2, 5)))
        blocks.append(np.eye(size)[rng.integers(0, size, n)])
        left -= size
    return np.hstack(blocks)[:, :d]


def staircase(rng: np.random.Generator, n: int, d: int) -> Array:
    """x_ij = 1 where j <= a step that rises with i."""
    steps = np.sort(rng.integers(0, d, n))
    return (np.arange(d) <= steps[:, None]).astype(float)


def hadamard_rows(rng: np.random.Generator, n: int, d: int) -> Array:
    """Rows of a Hadamard matrix, cut to d columns."""
    size = 1 << int(np.ceil(np.log2(max(n, d, 2))))
    return hadamard(size).astype(float)[rng.choice(size, n, replace=False), :d]


def polynomial(rng: np.random.Generator, n: int, d: int) -> Array:
    """Powers of small integers, from 0 on."""
    t = rng.choice(np.arange(-4, 5), n, replace=n > 9)
    return t[:, None].astype(float) ** np.arange(min(d, 6))[np.arange(d) % min(d, 6)]


def tied(rng: np.random.Generator, n: int, d: int) -> Array:
    """Columns equal up to sign, doubled, or sums of two others; exact in binary."""
    X = np.round(rng.standard_normal((n, d)) * 1024) / 1024
    for j in range(1, d):
        i = int(rng.integers(0, j))
        kind = rng.random()
        if kind < 0.35:
            X[:, j] = rng.choice([-1.0, 1.0]) * X[:, i]
        elif kind < 0.5:
            X[:, j] = rng.choice([0.5, 2.0]) * X[:, i]
        elif kind < 0.65:
            X[:, j] = (X[:, i] + X[:, int(rng.integers(0, j))]) / 2
    return X


def duplicate_rows(rng: np.random.Generator, n: int, d: int) -> Array:
    """Some rows twice, some columns twice."""
    X = rng.integers(-4, 5, (n, d)) / 2.0
    X[n - 1] = X[int(rng.integers(0, n))]
    X[:, d - 1] = X[:, int(rng.integers(0, d))]
    return X


def near_duplicates(rng: np.random.Generator, n: int, d: int) -> Array:
    """Columns 1e-6 to 1e-14 apart; sometimes rows."""
    X = rng.standard_normal((n, d))
    i, j = rng.integers(0, d, 2)
    apart = 10.0 ** -rng.uniform(6, 14)
    X[:, j] = rng.choice([-1.0, 1.0]) * (X[:, i] + apart * rng.standard_normal(n))
    if n > 1 and rng.random() < 0.3:
        X[n - 1] = X[0] + 10.0 ** -rng.uniform(6, 14) * rng.standard_normal(d)
    return X


def offsets(rng: np.random.Generator, n: int, d: int) -> Array:
    """Time stamps, years, temperatures in Kelvin, beside a column of ones and ordinary features."""
    X = np.round(rng.standard_normal((n, d)) * 16) / 16
    X[:, 0] = 1.0
    for j in range(1, d):
        kind = rng.integers(0, 6)
        if kind == 0:
            X[:, j] = 1.7e12 + 1000.0 * rng.integers(0, 100, n)
        elif kind == 1:
            X[:, j] = rng.integers(1950, 2030, n)
        elif kind == 2:
            X[:, j] = 273.15 + rng.uniform(-20, 30, n)
    return X


def units(rng: np.random.Generator, n: int, d: int) -> Array:
    """Columns, or rows, 1e-8 to 1e8 apart."""
    X = rng.standard_normal((n, d))
    if rng.random() < 0.7:
        return X * 10.0 ** rng.uniform(-8, 8, d)
    return X * 10.0 ** rng.uniform(-8, 8, (n, 1))


def zeros_inside(rng: np.random.Generator, n: int, d: int) -> Array:
    """Sparse, with columns of zeros."""
    X = rng.integers(-2, 3, (n, d)) * (rng.random((n, d)) < 0.4).astype(float)
    X[:, rng.random(d) < 0.2] = 0.0
    return X


DATA: dict[str, tuple[Maker, float]] = {
    "gaussian": (gaussian, 1.5),
    "integers": (integers, 1.5),
    "signs": (signs, 1.0),
    "binary": (binary, 1.0),
    "one-hot": (one_hot, 0.7),
    "staircase": (staircase, 0.7),
    "Hadamard": (hadamard_rows, 0.7),
    "polynomial": (polynomial, 0.7),
    "tied columns": (tied, 1.5),
    "duplicates": (duplicate_rows, 0.7),
    "near-duplicates": (near_duplicates, 1.0),
    "offsets": (offsets, 0.8),
    "units": (units, 0.8),
    "sparse": (zeros_inside, 0.6),
}


def draw_features(rng: np.random.Generator, n: int, d: int) -> tuple[str, Array]:
    """A kind of data and one example of it."""
    weights = np.array([weight for _, weight in DATA.values()])
    name = str(rng.choice(list(DATA), p=weights / weights.sum()))
    return name, DATA[name][0](rng, n, d)


def numerical_rank(X: Array) -> int:
    """Rank after unit columns, then unit rows."""
    for axis in (0, 1):
        lengths = np.linalg.norm(X, axis=axis, keepdims=True)
        X = X / np.where(lengths > 0, lengths, 1.0)
    return int(np.linalg.matrix_rank(X))


def draw_targets(rng: np.random.Generator, X: Array) -> tuple[str, Array]:
    """Targets that some coefficients reach."""
    n, d = X.shape
    kind = rng.random()
    if kind < 0.02:
        return "zero", np.zeros(n)
    if kind < 0.2:
        return "a column", X[:, int(rng.integers(0, d))] * float(rng.choice([-2.0, 0.5, 1.0]))
    if kind < 0.6 and numerical_rank(X) == n:
        if rng.random() < 0.6:
            return "gaussian", rng.standard_normal(n)
        return "integers", rng.integers(-3, 4, n).astype(float)
    sparse = rng.integers(-3, 4, d) * (rng.random(d) < max(0.3, 1.5 / d))
    lengths = np.abs(X).max(axis=0)
    powers = np.exp2(-np.round(np.log2(np.where(lengths > 0, lengths, 1.0))))
    return "a combination", X @ (sparse * np.where((powers < 1e-3) | (powers > 1e3), powers, 1.0))
