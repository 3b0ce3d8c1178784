"""2,000 random problems with margins from 1 to 1e-8, each checked in rational arithmetic."""

from fractions import Fraction

import numpy as np
import pytest

from helpers.separable import around_origin, flat_around_origin, with_margin
from implicitbias.problems import Classification
from reference.exact_separability import exact_separability, margins, rational_rows

BLOCKS = 8
PER_BLOCK = 125


def check_evidence(X, y, found):
    """The verdict's evidence, in exact arithmetic where that decides it."""
    if found.verdict.holds:
        separator = [Fraction(value) for value in found.separator.tolist()]
        exact = min(margins(rational_rows(X, y), separator))
        assert exact > 0
        assert found.farkas is None
        assert found.margin == pytest.approx(float(exact), rel=1e-6, abs=1e-15)
        assert np.linalg.norm(found.separator) == pytest.approx(1.0, rel=1e-14)
    if found.verdict.fails:
        weights = found.farkas
        assert found.separator is None
        assert weights.min() >= 0
        assert weights.sum() == pytest.approx(1.0, rel=1e-14)
        assert np.abs((weights * y) @ X).max() <= 4e-16 * np.abs(X).max()


@pytest.mark.parametrize("block", range(BLOCKS))
def test_separable(block):
    rng = np.random.default_rng(block)
    for _ in range(PER_BLOCK):
        margin = 10 ** rng.uniform(-8, 0)
        X, y = with_margin(rng, int(rng.integers(3, 13)), int(rng.integers(2, 5)), margin)
        found = Classification(X, y).separability()
        assert exact_separability(X, y)[0] == "separable"
        assert found.verdict.holds
        assert 0 < found.margin <= margin * (1 + 1e-6)
        check_evidence(X, y, found)


@pytest.mark.parametrize("block", range(BLOCKS))
def test_not_separable(block):
    rng = np.random.default_rng(100 + block)
    for index in range(PER_BLOCK):
        depth = 10 ** rng.uniform(-8, 0)
        if index % 4:
            X, y = around_origin(rng, int(rng.integers(1, 5)), depth, int(rng.integers(0, 8)))
        else:
            X, y = flat_around_origin(rng, int(rng.integers(1, 4)), depth)
        found = Classification(X, y).separability()
        assert exact_separability(X, y)[0] == "not separable"
        assert found.verdict.fails
        check_evidence(X, y, found)


@pytest.mark.parametrize("shape", [(100, 10), (300, 30), (40, 60)])
@pytest.mark.parametrize("margin", [1e-2, 1e-8, 1e-12])
def test_larger_separable(shape, margin):
    rng = np.random.default_rng(shape[0])
    X, y = with_margin(rng, *shape, margin)
    found = Classification(X, y).separability()
    assert found.verdict.holds
    check_evidence(X, y, found)


@pytest.mark.parametrize("num_features", [10, 30])
@pytest.mark.parametrize("depth", [1e-2, 1e-8, 1e-12])
def test_larger_not_separable(num_features, depth):
    rng = np.random.default_rng(num_features)
    for X, y in (
        around_origin(rng, num_features, depth, 2 * num_features),
        flat_around_origin(rng, num_features, depth),
    ):
        found = Classification(X, y).separability()
        assert found.verdict.fails
        check_evidence(X, y, found)


def test_vertices_with_too_few_points():
    # opposite points in pairs: a vertex of the linear program may have four coplanar points
    rng = np.random.default_rng(4)
    for _ in range(150):
        assert Classification(*flat_around_origin(rng, 10, 1e-4)).separability().verdict.fails


def test_far_below_the_tolerance_of_the_solver():
    rng = np.random.default_rng(5)
    for _ in range(20):
        X, y = with_margin(rng, 40, 6, 1e-14)
        found = Classification(X, y).separability()
        assert found.verdict.holds
        check_evidence(X, y, found)


def test_whatever_the_size_no_verdict_is_wrong():
    """Margins down to 1e-18: decided or undecided, never wrong."""
    rng = np.random.default_rng(7)
    undecided = 0
    for _ in range(150):
        size = 10 ** rng.uniform(-18, -12)
        separable = rng.random() < 0.5
        X, y = with_margin(rng, 8, 3, size) if separable else around_origin(rng, 3, size, 4)
        found = Classification(X, y).separability()
        truth = exact_separability(X, y)[0]  # rounding may have changed the construction's answer
        if found.verdict.status == "undecided":
            undecided += 1
            assert found.verdict.value <= 1e-13
        else:
            assert found.verdict.holds == (truth == "separable")
    assert 0 < undecided < 75
