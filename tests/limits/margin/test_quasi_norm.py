"""Stationary points of l_{2/L}: certified, classified, told apart, and global minima by search."""

import numpy as np
import pytest
from scipy.linalg import null_space

from helpers.margin_cases import REAL, fourier, separable
from implicitbias._errors import InvalidInputError
from implicitbias.limits.margin._groups import conjugate_groups, fourier_groups
from implicitbias.limits.margin._kkt import norm_value
from implicitbias.limits.margin._l1 import GroupedProblem
from implicitbias.limits.margin._quasi_norm import (
    _same_basin,
    globally_optimal,
    many_starts,
    stationary_point,
)
from reference import max_margin as reference

BASINS = np.array([[1.0, 3.0, 0.0], [1.0, 0.0, 3.0]])


def certified(point):
    assert point.kkt.worst <= max(1e-12, 3 * point.kkt.rounding), str(point)
    assert point.multipliers.sum() == pytest.approx(point.value)


@pytest.mark.parametrize(
    ("start", "expected", "value"),
    [
        ((0.027, 1.0, 1.331), (0, 1 / 3, 1 / 3), np.sqrt(8) / 3),
        ((27.0, 0.027, 0.043), (1, 0, 0), 1.0),
        ((1, 0, 0), (1, 0, 0), 1.0),
    ],
)
def test_two_basins(start, expected, value):
    point = stationary_point(BASINS, 3, np.array(start, dtype=float))
    certified(point)
    np.testing.assert_allclose(point.rho, expected, atol=1e-13)
    assert point.value == pytest.approx(value)
    assert point.kind == "local minimum"
    assert point.same_basin.holds
    everything = many_starts(BASINS, 3)
    assert globally_optimal(point, everything).status == ("undecided" if value < 1 else "fails")


def test_many_starts_find_both_basins_sorted_and_counted():
    points = many_starts(BASINS, 3, seed=1, num=20)
    values = [point.value for point in points]
    assert values == sorted(values)
    np.testing.assert_allclose(values[:2], [np.sqrt(8) / 3, 1.0])
    assert sum(point.hits for point in points) == 20
    given = many_starts(BASINS, 3, num=0, starts=[np.array([1.0, 0, 0])])
    assert [point.value for point in given] == [pytest.approx(1.0)]
    again = many_starts(BASINS, 3, seed=1, num=20)
    np.testing.assert_array_equal(points[0].rho, again[0].rho)


def test_a_symmetric_start_stays_at_the_saddle():
    saddle = stationary_point(np.ones((1, 2)), 3, np.ones(2))
    certified(saddle)
    np.testing.assert_allclose(saddle.rho, [0.5, 0.5])
    assert saddle.kind == "stationary"
    assert saddle.curvature == pytest.approx(2 / 3 - 1)
    assert saddle.rate < 0
    left = stationary_point(np.ones((1, 2)), 3, np.array([1.0, 2.0]))
    np.testing.assert_allclose(left.rho, [0, 1])
    assert left.kind == "local minimum"


def test_a_jump_to_another_basin_is_detected():
    first, second = np.array([1.0, 0.01, 0.01]), np.array([0.0, 1 / 3, 1 / 3])
    problem = GroupedProblem(BASINS, np.zeros((0, 3)), np.arange(3), np.ones(3), 2 / 3)
    jumped = _same_basin(problem, first, second, 1.56)
    assert jumped.fails
    assert jumped.value == 1.56
    assert _same_basin(problem, np.array([0.02, 0.34, 0.34]), second, 0.04).holds
    far = stationary_point(BASINS, 3, np.array([1.0, 0.5, 0.1]))  # a long way, though downhill
    assert far.same_basin.status == "undecided"
    assert far.angle > 0.4


def test_the_best_of_many_starts_is_mostly_the_global_minimum():
    found = 0
    for n, m in ((3, 4), (4, 6), (5, 5)):
        for depth in (3, 4, 6):
            A = separable(np.random.default_rng(n * depth), n, m)
            points = many_starts(A, depth, num=24)
            for point in points:
                certified(point)
            value, _ = reference.least_quasi_norm(A, 2 / depth)
            assert points[0].value >= value * (1 - 1e-12)
            found += points[0].value <= value * (1 + 1e-12)
    assert found >= 8


def relative_change(A, point, direction):
    """The norm at rho + direction, scaled to margins of 1, relative to the point's own."""
    near = point.rho + direction
    return norm_value(near, 2 / point.depth) / (A @ near).min() / point.value - 1


@pytest.mark.parametrize("depth", [3, 5])
def test_local_minima_are_not_beaten_nearby_and_saddles_are(depth):
    rng = np.random.default_rng(depth)
    A = separable(rng, 4, 6)
    kinds = []
    for point in many_starts(A, depth, num=12, starts=[reference.saddle(A, depth)]):
        kinds.append(point.kind)
        if point.kind == "local minimum":
            for _ in range(200):
                direction = 1e-3 * rng.normal(size=6) * point.rho + 1e-7 * rng.normal(size=6)
                assert relative_change(A, point, direction) > -1e-12
        else:
            support = point.support
            free = null_space(A[np.ix_(point.support_points, support)])
            direction = np.zeros(6)
            direction[support] = 1e-3 * np.abs(point.rho[support]).min() * free[:, 0]
            changes = [relative_change(A, point, sign * direction) for sign in (1, -1)]
            assert max(changes) < 0
    assert set(kinds) == {"local minimum", "stationary"}


@pytest.mark.parametrize("name", ["digits 3/8", "wine 1", "breast cancer"])
@pytest.mark.parametrize("depth", [3, 4])
def test_real_data_real_coordinates(name, depth):
    for point in many_starts(REAL[name](), depth, num=2):
        certified(point)
        assert point.kind == "local minimum"
        assert point.curvature == np.inf
        assert point.rate == 1.0


@pytest.mark.parametrize("name", ["digits 3/8", "wine 0", "iris setosa"])
@pytest.mark.parametrize("depth", [3, 4])
def test_real_data_fourier_coordinates(name, depth):
    rows = REAL[name]()
    S = fourier(rows.shape[1], depth)
    for point in many_starts(rows @ S.T, depth, num=2, groups=fourier_groups(rows.shape[1])):
        certified(point)
        assert np.abs((S.T @ point.rho).imag).max() <= 1e-13 * np.abs(S.T @ point.rho).max()
        assert point.kind == "local minimum"


@pytest.mark.parametrize("seed", range(6))
def test_curvature_is_the_rate_of_the_late_flow(seed):
    rng = np.random.default_rng(seed)
    d = int(rng.integers(8, 16))
    rows, S = separable(rng, 5, d), fourier(d, 3)
    for point in many_starts(rows @ S.T, 3, num=2, groups=conjugate_groups(S)):
        expected = reference.closing_rate(rows @ S.T, S, point.rho, point.multipliers, 3)
        assert point.curvature == pytest.approx(expected, abs=1e-5)


def test_coordinates_of_an_S_without_pairs():
    rng = np.random.default_rng(0)
    S = rng.normal(size=(6, 5)) + 1j * rng.normal(size=(6, 5))
    rows = separable(rng, 4, 5)
    for point in many_starts(rows @ S.T, 3, num=3, groups=conjugate_groups(S)):
        certified(point)
        beta = S.T @ point.rho
        assert np.abs(beta.imag).max() < 1e-12 * np.abs(beta).max()
        assert (rows @ beta.real).min() >= 1 - 1e-12


def test_duplicates_zero_columns_and_one_point():
    A = separable(np.random.default_rng(2), 4, 6)
    start = many_starts(A, 3, num=1)[0].rho
    doubled = stationary_point(np.vstack([A, A]), 3, start)
    certified(doubled)
    np.testing.assert_allclose(doubled.rho, start, atol=1e-12)
    padded = stationary_point(np.column_stack([A, np.zeros(4)]), 3, np.append(start, 0.1))
    np.testing.assert_allclose(padded.rho, np.append(start, 0), atol=1e-12)
    single = stationary_point(np.array([[1.0, -4.0, 2.0]]), 4, np.array([0.1, -1, 0.1]))
    np.testing.assert_allclose(single.rho, [0, -0.25, 0], atol=1e-15)


def test_malformed_input_is_refused():
    with pytest.raises(InvalidInputError, match="l1_max_margin"):
        stationary_point(BASINS, 2, np.ones(3))
    with pytest.raises(InvalidInputError, match="margin"):
        stationary_point(BASINS, 3, -np.ones(3))
    with pytest.raises(InvalidInputError, match="margin"):
        stationary_point(BASINS, 3, np.zeros(3))
    with pytest.raises(InvalidInputError, match="shape"):
        stationary_point(BASINS, 3, np.ones(4))
    with pytest.raises(InvalidInputError, match="num"):
        many_starts(BASINS, 3, num=-1)


def test_points_print_what_matters():
    text = str(stationary_point(BASINS, 3, np.array([0.0, 1, 1])))
    assert text.startswith("local minimum of the l_2/3 max-margin problem")
    assert "holds: the polished point lies in the start's basin" in text
