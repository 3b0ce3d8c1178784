"""Tables as data, and exponents: what benchmarks print and what the page shows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from benchmarks._checkouts import seconds

import implicitbias as ib


class Section(NamedTuple):
    """One table: its title, what it shows, its head and rows, what follows, and where we lose."""

    title: str
    text: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]
    notes: list[str]
    losses: list[str]


class Fit(NamedTuple):
    """time = factor size^exponent: the exponent, and its standard error."""

    exponent: float
    spread: float

    def __str__(self):
        return f"{self.exponent:.2f} ± {self.spread:.2f}"


def fit(sizes, times):
    """Least squares of log time in log size, for three sizes or more."""
    x, y = np.log(sizes), np.log(times)
    if x.size < 3 or np.ptp(x) == 0.0:
        raise ValueError(f"{x.size} sizes from {min(sizes)} to {max(sizes)}; expected three.")
    x = x - x.mean()
    slope = x @ y / (x @ x)
    rest = y - y.mean() - slope * x
    return Fit(float(slope), float(np.sqrt(rest @ rest / (x.size - 2) / (x @ x))))


def fits(sizes, columns):
    """A fit for every column of times."""
    return [fit(sizes, times) for times in zip(*columns, strict=True)]


def ms(spent):
    """Seconds as milliseconds, three digits."""
    return f"{1e3 * spent:.3g}"


def gaussian(n, d):
    """X and y."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, d)), rng.standard_normal(n)


def limit_of(X, y, depth, scale):
    """A function from the array to the certified limit of Theorem 5's start."""
    network = ib.DiagonalNetwork(X.shape[1], depth)
    init = ib.Initialization.last_layer_zero(network, np.ones(X.shape[1]), scale)
    return lambda: ib.predict_limit(network, ib.Regression(X, y), init)


def in_turns(runs, turns):
    """Medians over turns in which all of them are run, after one run each that is not counted."""
    for run in runs:
        run()
    return np.median([[seconds(run)[0] for run in runs] for _ in range(turns)], axis=0)
