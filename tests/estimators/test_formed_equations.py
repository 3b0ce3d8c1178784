"""What is rounded where equations are formed, differences of rows and projections, counts."""

import warnings

import numpy as np
import pytest
from flint import arb, fmpq_mat
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning

from implicitbias.estimators import FlowLimitRegressor
from implicitbias.features import Dense, Sparse
from implicitbias.problems import reachable_part
from reference.precise_curves import rational


def least_squares(X, y, fit_intercept):
    """The unique least-squares coefficients, in rationals, without the intercept."""
    A = fmpq_mat([[rational(v) for v in (*row, *[1.0] * fit_intercept)] for row in X.tolist()])
    b = fmpq_mat([[rational(v)] for v in y.tolist()])
    found = (A.transpose() * A).solve(A.transpose() * b)
    return np.array([float(arb(found[j, 0])) for j in range(X.shape[1])])


def fitted(X, y, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return FlowLimitRegressor(**options).fit(X, y)


def relative_error(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("kind", [np.asarray, csr_array])
@pytest.mark.parametrize(
    "options",
    [
        {"init_scale": 1.0},
        {"init_scale": 0.0},
        {"init_scale": np.inf},
        {"network": "fully_connected"},
        {"network": "two_sided", "depth": 2.5},
    ],
)
def test_error_knows_of_rounded_differences(kind, options):
    for seed in range(6):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((5, 4))
        X[4] = X[0] + 1e-9 * rng.standard_normal(4)
        y = X @ np.array([1.0, -2.0, 0.5, 1.0]) + 0.1
        model = fitted(kind(X), y, **options)
        error = relative_error(model.coef_, least_squares(X, y, True))
        assert error <= 10 * model.error_ + 1e-15
        assert model.error_ < 1e-4


@pytest.mark.parametrize("fit_intercept", [False, True])
def test_projected_targets_lie_in_the_range(fit_intercept):
    for seed in range(6):
        rng = np.random.default_rng(seed)
        X = 1e6 + rng.standard_normal((8, 4))
        y = rng.standard_normal(8)
        model = fitted(X, y, network="fully_connected", fit_intercept=fit_intercept)
        error = relative_error(model.coef_, least_squares(X, y, fit_intercept))
        assert not model.interpolates_
        assert error < 1e-14
        assert error <= 10 * model.error_ + 1e-15


def test_a_projection_that_is_rounding_is_zero():
    model = fitted(np.array([[1.0, 0.1], [1.0, -0.7], [1.0, 0.3]]), np.array([0.4, 0.1, -0.5]))
    assert model.converged_
    model = fitted(np.array([[3.0], [0.1]]), np.array([0.1, -3.0]), fit_intercept=False)
    assert model.converged_
    assert model.coef_ == [0.0]


def test_exact_differences_lose_nothing():
    X = np.random.default_rng(0).integers(-5, 6, (4, 6)).astype(float)
    assert not Dense(X).lost_in_differences(1).toarray().any()


def test_sparse_differences_lose_what_dense_ones_do():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((5, 7)) * (rng.random((5, 7)) < 0.6)
    dense = Dense(X).lost_in_differences(2).toarray()
    assert dense.any()
    assert np.array_equal(Sparse(csr_array(X)).lost_in_differences(2).toarray(), dense)


@pytest.mark.parametrize("unit", [1e-300, 1e-160, 1e160, 1e300])
def test_projection_in_extreme_units(unit):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((6, 3)), rng.standard_normal(6)
    found, expected = reachable_part(unit * X, y)[0].y, reachable_part(X, y)[0].y
    assert np.abs(found - expected).max() < 1e-14


def test_error_of_a_target_far_below_the_others():
    X = np.array([[0.08654894938767163], [0.6340871605518852], [0.08653974683817886]])
    y = np.array([1.0, 2.0, 2.0])
    model = fitted(X, y, init_scale=np.inf)
    assert relative_error(model.coef_, least_squares(X, y, True)) <= 10 * model.error_
