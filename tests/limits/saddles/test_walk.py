"""The walk against rational numbers, where everything may tie, and how it notices mistakes."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from implicitbias.features import Dense
from implicitbias.limits import SquaredLoss, Walk
from reference import exact_saddles


def walk_on(X, y, below, above):
    finite = [
        np.array([np.inf if w is None else float(w) for w in side]) for side in (below, above)
    ]
    return Walk(Dense(X), *finite, SquaredLoss(Dense(X), y))


@st.composite
def cases(draw):
    """Small whole numbers, and lengths of clocks that are fractions or endless."""
    n, d = draw(st.integers(1, 3)), draw(st.integers(1, 5))
    entries = st.lists(st.integers(-2, 2), min_size=n * d, max_size=n * d)
    X = np.array(draw(entries), dtype=float).reshape(n, d)
    y = X @ np.array(draw(st.lists(st.integers(-3, 3), min_size=d, max_size=d)), dtype=float)
    lengths = st.sampled_from([Fraction(1, 2), Fraction(1), Fraction(2), None])
    below, above = (draw(st.lists(lengths, min_size=d, max_size=d)) for _ in range(2))
    return X, y, below, above


@settings(max_examples=60)
@given(cases())
def test_it_is_the_walk_in_rational_numbers(case):
    expected = exact_saddles.saddles(*case)
    walk = walk_on(*case)
    walked = walk.all(100)
    found = walked.saddles
    assert len(found) == len(expected)
    for saddle, (time, dual, pull) in zip(found, expected, strict=True):
        np.testing.assert_allclose(saddle.time, float(time), rtol=1e-12)
        np.testing.assert_allclose(saddle.dual, np.array(dual, dtype=float), atol=1e-11)
        np.testing.assert_allclose(saddle.rest.pull, np.array(pull, dtype=float), atol=1e-11)
        assert saddle.time_error < 1e-11
    assert all(walk.violation(saddle) < 1e-12 for saddle in found)
    assert walked.growing.size == 0


def test_the_example_of_a_coordinate_that_leaves():
    X, y = np.array([[1.0, 0.5, 0.7, 0.0], [0.5, 1.0, 0.1, 0.7]]), np.array([1.0, 0.0])
    walked = walk_on(X, y, [1] * 4, [1] * 4).all(10)
    found = walked.saddles
    assert max(walked.violations) < 1e-14
    assert [each.tight.tolist() for each in found] == [[0], [0, 2], [2, 3]]
    np.testing.assert_allclose([each.time for each in found], [1.0, 4.0, 4.0 + 80.0 / 49.0])
    np.testing.assert_allclose(found[1].rest.values, [1.4])
    np.testing.assert_allclose(found[2].rest.values, [10.0 / 7.0, -10.0 / 49.0])


def test_a_coordinate_comes_back_on_the_other_side():
    X, y = np.array([[-3.0, 0.0, 2.0], [0.0, 1.0, 2.0]]), np.array([-2.0, -3.0])
    lengths = [Fraction(1, 2), Fraction(3, 2), Fraction(1)]
    case = X, y, lengths, [*lengths[:2], Fraction(2)]
    expected = exact_saddles.saddles(*case)
    walked = walk_on(*case).all(100)
    np.testing.assert_allclose(
        [each.time for each in walked.saddles], [float(time) for time, _, _ in expected]
    )
    assert max(walked.violations) < 1e-14
    sides = {
        (int(j), s) for each in walked.saddles for j, s in zip(each.tight, each.sides, strict=True)
    }
    assert any((j, -side) in sides for j, side in sides)


def test_ties_that_rounding_splits_are_one_jump():
    X = np.zeros((4, 4))
    X[:3, :3] = [[0.1, 0.5, 0.3], [0.3, 0.1, 0.5], [0.5, 0.3, 0.1]]
    X[3, 3] = 1.0
    just_before = (1.0 - 1e-9) / 0.9  # then the others' ends are near, and their waits all digits
    walked = walk_on(X, np.ones(4), [1] * 4, [1, 1, 1, just_before]).all(10)
    assert [each.rest.chosen.tolist() for each in walked.saddles] == [[3], [0, 1, 2, 3]]
    np.testing.assert_allclose(walked.saddles[1].rest.values, [1.0 / 0.9] * 3 + [1.0])


@pytest.mark.parametrize("which", ["dual", "values", "pull"])
def test_what_is_off_is_a_violation(which):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((4, 9)), rng.standard_normal(4)
    walk = walk_on(X, y, [1] * 9, [1] * 9)
    saddle = walk.all(100).saddles[1]
    assert walk.violation(saddle) < 1e-13
    rest = saddle.rest
    wrong = {
        "dual": replace(saddle, dual=saddle.dual * (1.0 + 1e-6)),
        "values": replace(saddle, rest=replace(rest, values=-rest.values)),
        "pull": replace(saddle, rest=replace(rest, pull=rest.pull + 1e-6)),
    }[which]
    assert walk.violation(wrong) > 1e-7


def test_a_walk_that_is_too_long_says_so():
    rng = np.random.default_rng(1)
    walk = walk_on(rng.standard_normal((4, 9)), rng.standard_normal(4), [1] * 9, [1] * 9)
    assert not walk.all(2).complete
    assert len(walk.all(2).saddles) == 2
    assert walk.all(100).complete
