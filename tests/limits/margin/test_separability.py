"""Rows that nothing separates are refused with a Farkas vector; what cannot be told is said so."""

import numpy as np
import pytest

from helpers.margin_cases import digit_against_rest, iris, separable
from helpers.separable import around_origin, with_margin
from implicitbias._errors import InfeasibleProblemError, NoPredictionError
from implicitbias.limits.margin._convex import l1_max_margin, l2_max_margin
from implicitbias.limits.margin._groups import fourier_groups
from implicitbias.limits.margin._quasi_norm import many_starts
from reference.exact_separability import exact_separability


def refused(A, solve=l2_max_margin):
    """The Farkas vector of a refusal, checked."""
    with pytest.raises(InfeasibleProblemError) as caught:
        solve(A)
    a = caught.value.evidence
    assert a.min() >= 0
    assert a.sum() == pytest.approx(1.0)
    assert np.abs(A.T @ a).max() <= 1e-14 * (np.abs(A).T @ a).max()
    return a


def verdict(A):
    try:
        l2_max_margin(A)
    except InfeasibleProblemError:
        return "not separable"
    except NoPredictionError:
        return "undecided"
    return "separable"


@pytest.mark.parametrize("seed", range(20))
def test_verdicts_agree_with_exact_arithmetic(seed):
    rng = np.random.default_rng(seed)
    margin = 10 ** rng.uniform(-8, 0)
    n, d = int(rng.integers(4, 8)), int(rng.integers(2, 5))
    cases = [with_margin(rng, n, d, margin), around_origin(rng, d, margin, 3)]
    whole = rng.integers(-3, 4, size=(n, d)).astype(float)
    whole[:, 0] += whole[:, 0] == 0
    cases.append((whole, np.ones(n)))
    for X, y in cases:
        assert verdict(y[:, None] * X) == exact_separability(X, y)[0]


@pytest.mark.parametrize("solve", [l2_max_margin, l1_max_margin])
def test_real_data_that_are_not_separable(solve):
    refused(iris(1), solve)
    refused(digit_against_rest(8), solve)


def test_every_solver_refuses():
    A = np.vstack([np.eye(4), -np.ones(4)])
    a = refused(A)
    np.testing.assert_allclose(a, 0.2)
    refused(A, l1_max_margin)
    refused(A, lambda rows: many_starts(rows, 3, num=1))
    with pytest.raises(InfeasibleProblemError):
        l1_max_margin(A @ np.fft.fft(np.eye(4)), groups=fourier_groups(4))


def test_opposite_duplicates_and_zero_points():
    A = separable(np.random.default_rng(0), 10, 50)
    a = refused(np.vstack([A, -A[3]]))
    np.testing.assert_allclose(a[[3, 10]], 0.5)
    a = refused(np.vstack([A, np.zeros(50)]))
    assert a[10] == 1.0


@pytest.mark.parametrize("margin", [1e-15, 1e-17])
def test_margins_at_rounding_are_never_guessed(margin):
    X, y = with_margin(np.random.default_rng(1), 20, 5, margin)
    assert verdict(y[:, None] * X) in ("undecided", exact_separability(X, y)[0])
    A = np.tile(y[:, None] * X, (40, 1))  # too many points for integers
    assert verdict(A) == "undecided"
    with pytest.raises(NoPredictionError, match="cannot tell"):
        l1_max_margin(A)
