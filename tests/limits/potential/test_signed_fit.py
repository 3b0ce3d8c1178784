"""The least-squares fit under signs: its value, what it forces to 0, and what is not known."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from operator import itemgetter

import numpy as np
import pytest

from implicitbias.features import Dense
from implicitbias.initialization import Initialization
from implicitbias.limits import STRICT, signed_fit
from implicitbias.networks import DiagonalNetwork
from implicitbias.problems import Regression
from implicitbias.theorems._situation import situation_of


def curves_of(kinds):
    """Curves of coordinates that are locked above or below 0 ("+", "-"), free or dead ("0")."""
    layers = {"+": (1.0, 1.0), "-": (1.0, -1.0), "f": (1.0, 0.5), "0": (0.0, 0.0)}
    first, last = (np.array(each) for each in zip(*(layers[kind] for kind in kinds), strict=True))
    network = DiagonalNetwork(len(kinds), 2)
    problem = Regression(np.eye(len(kinds)), np.zeros(len(kinds)))
    return situation_of(network, problem, Initialization([first, last], 1.0)).curves


def fit_of(Z, y, kinds, rounding=None):
    return signed_fit(Dense(np.array(Z, dtype=float)), np.array(y, dtype=float), curves_of(kinds),
                      rounding)  # fmt: skip


def by_all_subsets(Z, y, kinds):
    """Z rho of the best rho with the right signs, and where it is 0, by trying every support."""
    best = np.inf, None, None
    free = [j for j, kind in enumerate(kinds) if kind == "f"]
    locked = [j for j, kind in enumerate(kinds) if kind in "+-"]
    for size in range(len(locked) + 1):
        for part in combinations(locked, size):
            kept, rho = [*free, *part], np.zeros(len(kinds))
            rho[kept] = np.linalg.lstsq(Z[:, kept], y)[0]
            if all(rho[j] > 0.0 if kinds[j] == "+" else rho[j] < 0.0 for j in part):
                best = min(
                    best, (np.linalg.norm(Z @ rho - y), Z @ rho, rho == 0.0), key=itemgetter(0)
                )
    return best[1:]


@pytest.mark.parametrize("seed", range(20))
def test_the_fit_is_the_least_squares_fit(seed):
    rng = np.random.default_rng(seed)
    kinds = "".join(rng.choice(list("++--f0"), 7))
    Z, y = rng.standard_normal((9, 7)), rng.standard_normal(9)
    fit = fit_of(Z, y, kinds)
    fitted, forced = by_all_subsets(Z, y, kinds)
    np.testing.assert_allclose(fit.fitted, fitted, rtol=0, atol=1e-13)
    np.testing.assert_array_equal(fit.forced, forced)
    assert fit.strictness > STRICT and fit.stationarity < 1e-15
    assert fit.rounding.max() < 1e-14


def test_ill_conditioned_columns_are_projected_on_to_rounding():
    """Against rationals: y less its projection on two columns 1e-5 apart."""
    Z = np.array([[1.0, 1.0], [1.0, 1.0 + 2.0**-17], [1.0, 1.0 - 2.0**-18]])
    y = np.array([1.0, 3.0, 2.0])
    fit = fit_of(Z, y, "ff")
    a, b = ([Fraction(value) for value in column] for column in Z.T)
    exact = [Fraction(value) for value in y]
    across = [
        a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]
    ]  # fmt: skip
    share = sum(p * q for p, q in zip(across, exact, strict=True)) / sum(p * p for p in across)
    expected = np.array([float(q - share * p) for p, q in zip(across, exact, strict=True)])
    assert np.linalg.cond(Z) > 1e5
    assert (np.abs(fit.fitted - expected) <= 2.0 * fit.rounding).all()
    assert fit.rounding.max() < 4e-15


def test_columns_that_depend_exactly_are_no_doubt():
    fit = fit_of([[1, 2, 1], [0, 0, 1]], [1, -1], "+++")
    np.testing.assert_array_equal(fit.forced, [False, False, True])
    np.testing.assert_array_equal(fit.fitted, [1.0, 0.0])
    assert fit.strictness > STRICT


@pytest.mark.parametrize(
    ("Z", "y", "kinds", "why"),
    [
        ([[1, 1 + 2**-52, 0], [0, 2**-51, 1]], [1, -1], "++-", "reached, but for rounding"),
        ([[1, 1], [0, 2**-40]], [1, -1], "++", "an angle below rounding's reach"),
        ([[1, 1], [0, 2**-51]], [1, -1], "++", "no multiple, though nearly"),
        ([[1, 0], [0, 0], [0, 1]], [1, -1, 0], "++", "a multiplier of 0 that is none by structure"),
        ([[1, 1], [0, 2**-51]], [1, -1], "f+", "free and locked, nearly parallel"),
    ],
)
def test_what_rounding_may_decide_is_not_strict(Z, y, kinds, why):
    assert not fit_of(Z, y, kinds).strictness > STRICT, why


def test_rounded_columns_are_never_known_to_depend():
    Z, y = [[1, 2, 1], [0, 0, 1]], [1, -1]
    rounding = np.full(2, 1e-15), np.ones(3)
    assert fit_of(Z, y, "+++", rounding).strictness == 0.0
    rounded = fit_of([[1, 1], [0, 1]], y, "++", rounding)
    assert rounded.strictness > STRICT
    assert rounded.rounding.max() > 2.0 * fit_of([[1, 1], [0, 1]], y, "++").rounding.max()
