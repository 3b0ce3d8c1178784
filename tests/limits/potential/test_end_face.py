"""Scale 0 where it is decided by ties: faces, degenerate ones, duplicates, units."""

from __future__ import annotations

from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest
from scipy.linalg import hadamard
from scipy.optimize import linprog
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import PolynomialFeatures

from helpers.potentials import theorem5_start
from implicitbias.coordinates import Curves
from implicitbias.limits import PotentialProblem, small_scale_end
from reference import small_scale_end as reference


def problem_of(features, target, start):
    start = np.asarray(start, dtype=np.float64)
    return PotentialProblem(features, target, Curves.from_start(start, 0.0), start=start)


def ends_at(features, target, eta, depth):
    features, target = np.array(features, dtype=float), np.array(target, dtype=float)
    return small_scale_end(problem_of(features, target, theorem5_start(np.array(eta), depth)))


def design(kind, rng, rows, columns):
    """Independent rows of integers that tie in many ways."""
    while True:
        if kind == "signs":
            features = rng.choice([-1.0, 1.0], (rows, columns))
        elif kind == "binary":
            features = rng.integers(0, 2, (rows, columns)).astype(float)
        elif kind == "staircase":
            picked = np.sort(rng.choice(columns, rows, replace=False))
            features = np.tril(np.ones((columns, columns)))[picked]
        elif kind == "Hadamard":
            features = hadamard(16)[rng.choice(16, rows, replace=False)][:, :columns].astype(float)
        else:
            part = rng.integers(-3, 4, (rows, columns // 2)) / 4
            features = np.hstack([part, part * rng.choice([-1, 1], columns // 2)])
        if np.linalg.matrix_rank(features) == rows:
            return features


@pytest.mark.parametrize("kind", ["signs", "binary", "staircase", "Hadamard", "duplicates"])
@pytest.mark.parametrize("depth", [2, 3, 5])
def test_designs_that_tie_against_fractions(kind, depth):
    rng = np.random.default_rng([depth, len(kind)])
    for sparse in (True, False):
        features = design(kind, rng, 5, 12)
        eta = rng.choice([0.5, 1.0, 2.0], 12)
        beta = rng.integers(-2, 3, 12) * (rng.random(12) < (0.3 if sparse else 1.0))
        target = features @ (beta if beta.any() else np.ones(12))
        end = ends_at(features, target, eta, depth)
        weights = [Fraction(float(e)) ** (2 - depth) for e in eta]
        expected, value = reference.end(features, target, weights, depth, eta)
        np.testing.assert_allclose(end.rho, expected, rtol=0, atol=1e-14 * np.abs(expected).max())
        assert float(np.array(weights, float) @ np.abs(end.rho)) == pytest.approx(
            float(value), 1e-14
        )
        assert end.gap < 1e-14
        assert end.error < 1e-13


@pytest.mark.parametrize("depth", [2, 3, 5])
@pytest.mark.parametrize(
    ("features", "target", "expected"),
    [
        ([[1, 1, 1], [0, 1, 1]], [1, 0], [1, 0, 0]),
        ([[1, 1, 1], [0, 1, 2]], [1, 0], [1, 0, 0]),
        ([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1]], [2, 0, 2], [1, 1, 0, 0]),
        ([[1, -2, -1, 2, -2], [0, 2, 2, -2, 2]], [-2, 2], [0, 1 / 3, 0, -1 / 3, 1 / 3]),
    ],
)
def test_tight_coordinates_that_are_zero_in_every_minimiser(depth, features, target, expected):
    end = ends_at(features, target, np.ones(len(expected)), depth)
    np.testing.assert_allclose(end.rho, expected, rtol=0, atol=1e-15)


def test_unequal_weights_tie_exactly():
    """L = 3, weights 1 and 2: rho_1 = 8 rho_2; the ratio is always cubed."""
    np.testing.assert_allclose(ends_at([[1, 2]], [2], [1, 0.5], 3).rho, [1.6, 0.2], rtol=1e-15)
    end = ends_at([[1, 1024]], [1024], [1, 1 / 1024], 3)
    assert end.tied
    np.testing.assert_allclose(end.rho[0] / end.rho[1], 1024.0**3, rtol=1e-13)
    thirds = ends_at([[1, 3]], [3], [3, 1], 3)  # no power of 2: 1/3 and 1 are exact as fractions
    np.testing.assert_allclose(thirds.rho, [2.7, 0.1], rtol=1e-14)


@pytest.mark.parametrize("depth", [2, 3, 6])
def test_equal_columns_from_equal_starts_are_equal_to_the_last_digit(depth):
    rng = np.random.default_rng(depth)
    features, target = rng.standard_normal((6, 10)), rng.standard_normal(6)
    start, order = rng.standard_normal((depth, 10)), rng.permutation(20)
    turned = start * np.where(np.arange(depth) == 0, -1.0, 1.0)[:, None]
    both = np.hstack([features, -features])[:, order]
    end = small_scale_end(problem_of(both, target, np.hstack([start, turned])[:, order]))
    rho = end.rho[np.argsort(order)]
    assert end.tied
    np.testing.assert_array_equal(rho[:10], -rho[10:])
    single = small_scale_end(problem_of(features, target, start))
    np.testing.assert_allclose(2 * rho[:10], single.rho, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("apart", [1e-6, 1e-9, 1e-12, 1e-14])
def test_nearly_equal_columns_are_not_tied(apart):
    """[1, 1 + apart]: all of y on the longer column."""
    end = ends_at([[1, 1 + apart, 0], [0, 0, 1]], [1, 1], np.ones(3), 3)
    np.testing.assert_allclose(end.rho, [0, 1 / (1 + apart), 1], rtol=1e-15)
    assert not end.tied


def test_what_is_rounded_is_tied_to_the_last_digits_only():
    curves = Curves.from_start(theorem5_start(np.ones(3), 3), 0.0)
    target = np.ones(2)

    def end(apart):
        features = np.array([[1, 1 + apart, 0], [0, 0, 1]])
        return small_scale_end(PotentialProblem(features, target, curves))

    assert end(4e-16).tied
    assert not end(1e-9).tied
    with pytest.raises(ValueError, match="tied to 1"):
        end(3e-13)


def test_columns_in_any_units():
    rng = np.random.default_rng(3)
    features, target = rng.standard_normal((8, 20)), rng.standard_normal(8)
    columns, rows = 10.0 ** rng.uniform(-8, 8, 20), 10.0 ** rng.uniform(-8, 8, 8)
    scaled = features * columns
    end = ends_at(scaled * rows[:, None], target * rows, np.ones(20), 2)
    direct = linprog(np.tile(1.0 / columns, 2), A_eq=np.hstack([features, -features]), b_eq=target)
    assert end.gap < 1e-14
    assert np.abs(end.rho).sum() == pytest.approx(direct.fun, rel=1e-9)
    np.testing.assert_allclose(scaled @ end.rho, target, atol=1e-12)


def test_starts_apart_by_eighty_orders():
    """The cheapest columns take it all."""
    rng = np.random.default_rng(4)
    features, target = rng.standard_normal((4, 9)), rng.standard_normal(4)
    eta = 10.0 ** np.linspace(40, -40, 9)
    end = ends_at(features, target, eta, 4)
    np.testing.assert_allclose(end.rho[:4], np.linalg.solve(features[:, :4], target), rtol=1e-13)
    assert not end.rho[4:].any()


def test_locked_signs_are_kept_on_a_face():
    features = np.array([[1.0, -1.0, 1.0, 2.0], [0.0, 1.0, 1.0, 1.0]])
    start = np.ones((3, 4))  # equal layers: rho > 0 for ever
    both = np.hstack([features, features])
    end = small_scale_end(problem_of(both, np.array([1.0, 2.0]), np.hstack([start, start])))
    assert end.tied
    assert end.rho.min() >= 0
    np.testing.assert_array_equal(end.rho[:4], end.rho[4:])
    np.testing.assert_allclose(both @ end.rho, [1.0, 2.0], rtol=1e-15)


@pytest.mark.parametrize("raw", [True, False])
def test_cubic_features_of_the_diabetes_data(raw):
    data = load_diabetes(scaled=not raw)
    features = PolynomialFeatures(3, include_bias=False).fit_transform(data.data[:60])
    target = data.target[:60]
    end = ends_at(features, target, np.ones(285), 2)
    size = np.abs(features).max(axis=0)
    both = np.hstack([features / size, -features / size])
    answer = linprog(np.tile(size.max() / size, 2), A_eq=both, b_eq=target)
    assert np.abs(end.rho).sum() * size.max() == pytest.approx(answer.fun, rel=1e-8)
    assert end.gap < 1e-14
    assert end.error < 1e-12
    with mp.workdps(50):
        product = mp.matrix(features.tolist()) * mp.matrix(end.rho.tolist())
        missed = max(abs(a - mp.mpf(b)) for a, b in zip(product, target.tolist(), strict=True))
    assert missed < 1e-13 * float((np.abs(features) @ np.abs(end.rho)).max())
