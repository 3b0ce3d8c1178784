"""Rows and columns near each other: copies that were rounded, or data."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.sparse import csr_array

from implicitbias import DiagonalNetwork, Initialization, NoPredictionError, Regression
from implicitbias.problems import Classification, reachable_part
from implicitbias.problems._exact import exact_rank
from implicitbias.theorems import (
    explain,
    limit_path,
    predict_limit,
    predict_limits,
    saddle_path,
)

KINDS = [np.asarray, csr_array]
ROUNDED = [1.0, 0.1, 2.54, 1 / 3, -7.3e-9]


def near_columns(rng, apart, size=3):
    X = rng.standard_normal((size, size))
    X[:, 1] = X[:, 0] + apart * rng.standard_normal(size)
    return X


def rank(X, kind):
    X = kind(X)
    problem = Regression(X, X @ np.ones(X.shape[1]))
    labels = np.where(np.arange(X.shape[0]) % 2, 1.0, -1.0)
    np.testing.assert_array_equal(Classification(X, labels).rows, problem.rows)
    return problem.rank


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("factor", ROUNDED)
@pytest.mark.parametrize("shape", [(3, 3), (3, 8), (8, 3)])
def test_rounded_copies_depend(kind, factor, shape):
    for seed in range(5):
        X = np.random.default_rng(seed).standard_normal(shape)
        columns = X.copy()
        columns[:, 1] = factor * X[:, 0]
        rows = X.copy()
        rows[1] = factor * X[0]
        assert rank(rows, kind) == (3 if shape == (8, 3) else 2)
        assert rank(columns, kind) == (3 if shape == (3, 8) else 2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("apart", [1e-12, 1e-13, 1e-14])
def test_what_is_near_but_no_copy_does_not(kind, apart):
    for seed in range(10):
        X = near_columns(np.random.default_rng(seed), apart)
        assert rank(X, kind) == 3
        assert rank(X.T, kind) == 3
        assert rank(np.hstack([X.T, np.ones((3, 9))]), kind) == 3
        twice = np.vstack([X.T, X[:, 0] + 1e-14 * np.ones(3)])
        assert rank(np.hstack([twice, np.eye(4)[:, :1]]), kind) == 4


@pytest.mark.parametrize("kind", KINDS)
def test_sums_and_means_depend_however_often_they_were_rounded(kind):
    rng = np.random.default_rng(0)
    table = np.round(rng.normal(300.0, 10.0, (12, 20)), 1)
    for X in (table - table.mean(axis=0), (table - table.mean(axis=0)) / table.std(axis=0)):
        near = X.copy()
        near[:, 1] = near[:, 0] + 1e-14 * rng.standard_normal(12)  # n < d: no matter of rows
        assert rank(near, kind) == rank(X, kind)
    wide = rng.standard_normal((4, 3)) @ rng.standard_normal((3, 9))
    assert rank(wide, kind) == 3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [5, 6, 20, 100])
def test_columns_in_other_units_are_copies_in_a_table(kind, n):
    rng = np.random.default_rng(n)
    celsius = np.round(rng.normal(15.0, 8.0, n), 1)
    others = np.round(rng.normal(50.0, 10.0, (n, 2)), 2)
    table = np.column_stack([celsius, 1.8 * celsius + 32.0, others])
    centred = table - table.mean(axis=0)
    y = rng.standard_normal(n)
    for X in (centred, centred / table.std(axis=0)):
        assert rank(X, kind) == 3
        assert reachable_part(kind(X), y - y.mean())[0].rank == 3
    assert reachable_part(kind(table[:4] - table[4]), y[:4] - y[4])[0].rank == 3  # square


def exact_solution(X, y):
    rows = [[Fraction(v) for v in (*row, t)] for row, t in zip(X.tolist(), y.tolist(), strict=True)]
    for j in range(len(rows)):
        pivot = next(i for i in range(j, len(rows)) if rows[i][j])
        rows[j], rows[pivot] = rows[pivot], rows[j]
        rows[j] = [v / rows[j][j] for v in rows[j]]
        for i in range(len(rows)):
            if i != j:
                rows[i] = [a - rows[i][j] * b for a, b in zip(rows[i], rows[j], strict=True)]
    return np.array([float(row[-1]) for row in rows])


@pytest.mark.parametrize("apart", [1e-13, 1e-14, 3e-15])
@pytest.mark.parametrize("depth", [2, 3])
def test_the_one_interpolator_of_near_columns_is_right_or_refused(apart, depth):
    network = DiagonalNetwork(3, depth)
    init = Initialization.last_layer_zero(network, np.ones(3), 0.1)
    for seed in range(10):
        X = near_columns(np.random.default_rng(seed), apart)
        y = X @ np.array([3.0, 1.0, 0.0])
        try:
            found = predict_limit(network, Regression(X, y), init)
        except NoPredictionError:
            continue
        if any(each.status == "undecided" for each in found.assumptions):
            assert apart < 1e-14  # one rounding
            continue
        expected = exact_solution(X, y)
        error = np.abs(found.coefficients - expected).max() / np.abs(expected).max()
        assert error <= max(1e-12, 10 * found.certificate.error)


def refused(X, kind):
    """Whether a limit is, and only because of a rounded copy."""
    problem = Regression(kind(X), X @ np.arange(1.0, X.shape[1] + 1.0))
    init = Initialization.last_layer_zero(DiagonalNetwork(X.shape[1], 2), np.ones(X.shape[1]), 0.1)
    try:
        predict_limit(DiagonalNetwork(X.shape[1], 2), problem, init)
    except NoPredictionError as error:
        assert "is a multiple of" in str(error) and "but for a rounding" in str(error)
        return True
    return False


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(3, 3), (3, 8), (8, 3)])
def test_rounded_copies_are_refused_and_exact_ones_are_not(kind, shape):
    for seed, factor in enumerate([0.1, 2.54, 1 / 3, -7.3e-9, 1.0 - 7e-15]):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal(shape)
        for exact in (2.0**-30, -1.0, 3.0):
            rows = X.copy()
            rows[1] = exact * np.round(X[0], 3 if exact != 3.0 else 0)
            rows[0] = rows[1] / exact
            assert not refused(rows, kind)
        rows = X.copy()
        rows[1] = factor * X[0]
        assert refused(rows, kind) == (shape != (8, 3))  # where other rows span everything


@pytest.mark.parametrize("kind", KINDS)
def test_near_copies_are_right_or_refused(kind):
    """Rows 1e-6 to 1e-16 apart, against exact rationals: (1, 2) solves the equations."""
    for seed in range(6):
        rng = np.random.default_rng(seed)
        x = rng.integers(1, 2**26, 2) / 2.0**26
        for digits in range(20, 53):
            other = x * (1.0 + rng.integers(1, 4, 2) * 2.0**-digits)
            X = np.array([x, other])
            exact = [[Fraction(value) for value in row] for row in X.tolist()]
            if exact[0][0] * exact[1][1] == exact[0][1] * exact[1][0]:
                continue
            y = [row[0] + 2 * row[1] for row in exact]
            if any(Fraction(float(value)) != value for value in y):
                continue
            problem = Regression(kind(X), [float(value) for value in y])
            init = Initialization.last_layer_zero(DiagonalNetwork(2, 2), np.ones(2), 0.1)
            try:
                limit = predict_limit(DiagonalNetwork(2, 2), problem, init)
            except NoPredictionError:
                continue
            np.testing.assert_allclose(limit.coefficients, [1.0, 2.0], rtol=1e-8)


def table(name):
    rng = np.random.default_rng(3)
    X = rng.standard_normal((4, 9))
    if name == "centred":
        return X - X.mean(axis=0)
    if name == "of low rank":
        return rng.standard_normal((6, 4)) @ X
    X[3] = X[0] - X[1] + (1e-15 * X[3] if name == "a noisy sum" else 0.0)
    return X


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["centred", "of low rank", "a sum", "a noisy sum"])
def test_rows_near_several_are_left_out_and_certify_nothing(kind, name):
    """As numbers they are independent, and the interpolators of both readings are far apart."""
    X = table(name)
    y = X @ np.arange(1.0, 10.0)
    network, start = DiagonalNetwork(9, 2), [np.ones(9), np.zeros(9)]
    expected = np.linalg.pinv(X, rcond=1e-12) @ y
    given, told = Regression(kind(X), y), Regression.measured(kind(X), y)
    for problem, worst in ((given, np.inf), (told, 0.0), (told.with_targets(2.0 * y), 0.0)):
        limits = limit_path(network, problem, start, [np.inf, 0.1]).limits
        found = limits[0].coefficients * y[0] / problem.y[0]
        np.testing.assert_allclose(found, expected, rtol=1e-10)
        init = Initialization(start, scale=0.1)
        limits += predict_limit(network, problem, init), *predict_limits(network, [problem], init)
        for limit in limits:
            assert worst <= limit.certificate.worst <= worst + 1e-13
            assert limit.assumptions[-1].holds == (worst == 0.0)
        assert worst <= saddle_path(network, problem, start).worst <= worst + 1e-9
    assert "Regression.measured" in str(predict_limit(network, given, init))
    if kind is np.asarray:
        explanation = explain(network, given, init)
        assert "leave them out, or say that X is a table" in " ".join(str(explanation).split())
        applied = [one for one in explanation.findings if one.limit]
        assert applied and all(one.limit.certificate.error == np.inf for one in applied)


@pytest.mark.parametrize("shape", [(60, 2000), (400, 300)])
def test_copies_in_large_tables_are_proved(shape):
    """Equal rows, multiples and combinations, beyond the integers that are looked at at once."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal(shape)
    if shape[0] > shape[1]:
        X[:, 1] = -4.0 * X[:, 0]
    else:
        X[1::2] = X[::2]
        X[3] *= -0.125
    problem = Regression(X, X @ np.ones(shape[1]))
    assert problem.rank < min(shape) and problem.dropped_distance == 0.0
    whole = rng.integers(-99, 99, (80, 1000)).astype(float)
    whole[7] = whole[1] - 3 * whole[2] + whole[4]
    assert Regression(whole, whole.sum(axis=1)).dropped_distance == 0.0


def test_other_targets_of_a_table_leave_it_one():
    rng = np.random.default_rng(1)
    X = rng.standard_normal((3, 6))
    X[1] = 0.1 * X[0]
    y = X @ np.ones(6)
    assert Regression(X, y).with_targets(2.0 * y).rounded_copy.startswith("row ")
    measured = Regression.measured(X, y).with_targets(2.0 * y)
    assert measured.rounded_copy == "" and measured.rank == 2
    np.testing.assert_array_equal(measured.y, 2.0 * y)


@pytest.mark.parametrize(("n", "d"), [(5, 9), (20, 50), (50, 200)])
def test_standardised_tables_without_a_constant(n, d):
    """30 standard deviations off 0, rows add up to some 1e-13: rounding, of a table."""
    rng = np.random.default_rng(0)
    X = rng.normal(300.0, 10.0, (n, d))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    y = rng.standard_normal(n)
    assert reachable_part(X, y - y.mean())[0].rank == n - 1
    network = DiagonalNetwork(d, 2)
    init = Initialization.last_layer_zero(network, np.ones(d), 0.1)
    with pytest.raises(NoPredictionError, match="such as one row of a centred table"):
        predict_limit(network, Regression(X, X @ np.ones(d)), init)
    assert (
        predict_limit(network, Regression(X[1:], X[1:] @ np.ones(d)), init).certificate.error
        < 1e-13
    )


@pytest.mark.parametrize("base", [1.7e12, 1e13, 1e14, 1e15, 2e15])
def test_whole_numbers_beside_an_offset_are_right_or_refused(base):
    """Rows of rank 3, exactly: (1, 2, 3) alone solves them."""
    rng = np.random.default_rng(0)
    network = DiagonalNetwork(3, 2)
    init = Initialization.last_layer_zero(network, np.ones(3), 0.1)
    refused = 0
    for _ in range(20):
        X = np.column_stack([np.ones(6), base + rng.integers(-5, 6, 6), rng.integers(-2, 3, 6)])
        X[-1] = X[0]
        try:
            limit = predict_limit(network, Regression(X, X @ np.array([1.0, 2.0, 3.0])), init)
        except NoPredictionError:
            refused += 1
            continue
        np.testing.assert_allclose(limit.coefficients, [1.0, 2.0, 3.0], rtol=1e-8)
    if base <= 1e13:
        assert refused < 20


def test_square_data_whose_columns_are_independent():
    """Columns 1e-13 apart, rows a rounding: of rank 3, exactly."""
    column = np.array([-1460.0958979593945, -1007.7451268952686, 1293.3255939521468])
    other = np.array([-0.04486661838177436, -0.19459829243940, -1.4248107875461862])
    near = np.array([-1.4600958979600398, -1.0077451268954272, 1.2933255939525112])
    X = np.column_stack([column, other, near])
    init = Initialization.last_layer_zero(DiagonalNetwork(3, 2), np.ones(3), 1.0)
    y = [441.2949438465482, 304.56759036528206, -390.9823746316568]
    with pytest.raises(NoPredictionError, match="though no column"):
        predict_limit(DiagonalNetwork(3, 2), Regression(X, y), init)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "X",
    [
        [[-0.6, -0.8], [1.8, 2.4000000000000004]],
        [[4.5, 2.4], [4.500000000000001, 2.4000000000000004]],
        [[-4.000000000000001, 8.0, 8.0], [-4 / 3, 8 / 3, 8 / 3]],
        [[1.0, 1.7e9], [1.0, 1.7e9], [1.0, np.nextafter(1.7e9, 0.0)]],
        [[1.0, 6e-300, 0.0, 0.0], [0.5, 4e-300, 0.0, 0.0], [1.0, 1.0, -2.0, 1.0]],
    ],
)
def test_distances_that_round_to_0_prove_nothing(kind, X):
    X = np.array(X)
    problem = Regression(kind(X), X @ np.ones(X.shape[1]))
    assert problem.rank < len(X) and problem.dropped_distance > 0.0
    assert refused(X, kind)


def test_ranks_see_powers_of_2():
    """2^61 is 1 modulo 2^61 - 1, which data of powers of 2 can meet."""
    X = np.array([[1, 0, 1, 2.0**-60, 3], [0, 1, 1, 0, 2], [1, 1, 2, 2.0**-121, 5]])
    assert exact_rank(X) == 3
    assert Regression(np.vstack([X, [1.0, -1, 1, 1, 1]]), [1.0, 2, 3, 3]).dropped_distance > 0.0
    whole = np.array([[2.0**31, 1.0, 5.0], [1.0, 2.0**30, 7.0], [2.0**31 + 1, 2.0**30 + 1, 12.0]])
    assert Regression(whole[:, :2], whole[:, :2].sum(axis=1)).rank == 2
    assert Regression(whole, whole.sum(axis=1)).rank == 2
