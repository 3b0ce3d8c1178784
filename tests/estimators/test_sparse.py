"""CSR input: the answers of dense input, without a dense copy."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse
from sklearn.exceptions import ConvergenceWarning

from implicitbias import (
    DiagonalNetwork,
    FullyConnectedNetwork,
    Initialization,
    explain,
    predict_limit,
    sensitivity,
)
from implicitbias._errors import InfeasibleProblemError, InvalidInputError
from implicitbias.estimators import FlowLimitRegressor, FlowLimitRegressorCV, flow_limit_path
from implicitbias.flow import gradient_flow
from implicitbias.problems import Regression


def design(shape=(15, 200), density=0.1):
    rng = np.random.default_rng(0)
    X = scipy.sparse.random_array(
        shape, density=density, rng=rng, format="csr", data_sampler=rng.standard_normal
    )
    return X, rng.standard_normal(shape[0]) + 1.0


@pytest.mark.parametrize("scale", [0.0, 1e-6, 1e-2, 1.0, np.inf])
@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_limits_are_those_of_dense_data(scale, depth, fit_intercept):
    X, y = design()
    model = FlowLimitRegressor(depth=depth, init_scale=scale, fit_intercept=fit_intercept)
    dense = model.fit(X.toarray(), y)
    coef, dual = dense.coef_, dense.dual_coef_
    sparse = model.fit(X, y)
    np.testing.assert_allclose(sparse.coef_, coef, rtol=0, atol=1e-11)
    np.testing.assert_allclose(sparse.dual_coef_, dual, rtol=0, atol=1e-10 * np.abs(dual).max())
    np.testing.assert_allclose(sparse.predict(X), y, rtol=1e-10)
    assert sparse.converged_ and sparse.interpolates_


@pytest.mark.parametrize("kind", [scipy.sparse.csc_matrix, scipy.sparse.coo_array])
def test_every_sparse_container_is_taken(kind):
    X, y = design()
    model = FlowLimitRegressor().fit(kind(X), y)
    np.testing.assert_allclose(model.predict(kind(X)), y, rtol=1e-12)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_targets_out_of_reach_are_projected(fit_intercept):
    X, y = design((30, 6), 0.5)
    model = FlowLimitRegressor(fit_intercept=fit_intercept)
    with pytest.warns(ConvergenceWarning, match="least-squares solution"):
        expected = model.fit(X.toarray(), y).coef_
    with pytest.warns(ConvergenceWarning, match="least-squares solution"):
        np.testing.assert_allclose(model.fit(X, y).coef_, expected, rtol=1e-9)


def test_paths_and_cross_validation():
    X, y = design()
    for found, expected in zip(
        flow_limit_path(X, y, init_scales=3), flow_limit_path(X.toarray(), y, init_scales=3),
        strict=True,
    ):  # fmt: skip
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11)
    sparse = FlowLimitRegressorCV(init_scales=3, cv=3).fit(X, y)
    dense = FlowLimitRegressorCV(init_scales=3, cv=3).fit(X.toarray(), y)
    np.testing.assert_allclose(sparse.mse_path_, dense.mse_path_, rtol=1e-2)


def test_wide_data_are_never_dense():
    X, y = design((50, 50_000), 1e-3)
    tracemalloc.start()
    for scale in (1e-2, 1e-6):
        FlowLimitRegressor(depth=3, init_scale=scale).fit(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    dense = 8 * X.shape[0] * X.shape[1]
    assert peak < dense
    assert peak < 25 * 8 * X.shape[1] * 3  # some vectors of d a layer


def test_ranks_are_decided_as_for_dense_rows():
    X, y = design((6, 30), 0.4)
    for rows in (X, scipy.sparse.vstack([X, X[2:3], 0 * X[:1]], format="csr")):
        targets = np.concatenate([y, [y[2], 0.0]])[: rows.shape[0]]
        sparse, dense = Regression(rows, targets), Regression(rows.toarray(), targets)
        assert sparse.rank == dense.rank == 6
        assert "rank 6" in sparse.describe()
    with pytest.raises(InfeasibleProblemError, match="row"):
        Regression(rows, targets + (np.arange(8) == 6))
    nudge = scipy.sparse.csr_array(([1e-7], ([0], [0])), shape=(1, 30))
    close = scipy.sparse.vstack([X, X[2:3] + nudge], format="csr")
    assert Regression(close, np.append(y, 0.0)).rank == 7


def test_what_needs_dense_data_says_so():
    X, y = design((6, 30), 0.4)
    problem = Regression(X, y)
    network, wide = DiagonalNetwork(30, 2), FullyConnectedNetwork((30, 2))
    init = Initialization.random(network, 1.0)
    with pytest.raises(InvalidInputError, match="simulations take dense arrays"):
        gradient_flow(network, problem, init)
    for verb in (explain, sensitivity):
        with pytest.raises(InvalidInputError, match="needs a dense array"):
            verb(network, problem, init)
    with pytest.raises(InvalidInputError, match="sparse data are for diagonal networks"):
        predict_limit(wide, problem, Initialization.random(wide, 1.0))
    with pytest.raises(InvalidInputError, match="every coordinate must cross from rho"):
        predict_limit(network, problem, init)


def test_bad_entries_are_placed():
    X, y = design((6, 30), 0.4)
    bad = X.tolil()
    bad[3, 7] = np.inf
    with pytest.raises(InvalidInputError, match=r"X contains inf at index \(3, 7\)"):
        Regression(bad.tocsr(), y)
    with pytest.raises(InvalidInputError, match="expected real numbers"):
        Regression(X.astype(complex), y)
