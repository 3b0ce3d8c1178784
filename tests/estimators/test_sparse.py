"""CSR input: the answers of dense input, without a dense copy."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse
from sklearn.exceptions import ConvergenceWarning

from implicitbias import (
    ConvolutionalNetwork,
    DiagonalNetwork,
    Initialization,
    explain,
    predict_limit,
    sensitivity,
)
from implicitbias._errors import InfeasibleProblemError, InvalidInputError
from implicitbias.estimators import (
    FlowLimitClassifier,
    FlowLimitRegressor,
    FlowLimitRegressorCV,
    _data,
    flow_limit_path,
)
from implicitbias.flow import gradient_flow
from implicitbias.problems import Classification, Regression


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


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("shape", [(15, 200), (15, 10)])
def test_least_norms_are_those_of_dense_data(shape, fit_intercept):
    X, y = design(shape, 0.4)
    y = X @ np.ones(shape[1]) + 3.0 * fit_intercept if shape[1] < shape[0] else y
    model = FlowLimitRegressor("fully_connected", fit_intercept=fit_intercept)
    expected = model.fit(X.toarray(), y).coef_
    np.testing.assert_allclose(model.fit(X, y).coef_, expected, rtol=0, atol=1e-12)
    assert model.converged_ and model.interpolates_


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("network", ["diagonal", "fully_connected"])
@pytest.mark.parametrize("shape", [(15, 200), (30, 25)])
def test_directions_are_those_of_dense_data(shape, network, fit_intercept):
    X, y = design(shape, 0.3)
    y = y > 1.0 if shape[0] < shape[1] else X @ np.ones(shape[1]) > 0
    model = FlowLimitClassifier(network, fit_intercept=fit_intercept)
    dense = model.fit(X.toarray(), y)
    coef, dual, rank = dense.coef_, dense.dual_coef_, dense.rank_
    sparse = model.fit(X, y)
    np.testing.assert_allclose(sparse.coef_, coef, rtol=0, atol=1e-12 * np.abs(coef).max())
    np.testing.assert_allclose(sparse.dual_coef_, dual, rtol=0, atol=1e-11 * np.abs(dual).max())
    assert sparse.rank_ == rank
    assert sparse.separable_ and sparse.converged_
    np.testing.assert_array_equal(sparse.predict(X), y)


@pytest.mark.parametrize("network", ["diagonal", "fully_connected"])
@pytest.mark.parametrize("shape", [(40, 5), (6, 30)])
def test_sparse_classes_that_cannot_be_separated_get_least_squares(shape, network):
    X, y = design(shape, 0.5)
    X = scipy.sparse.vstack([X, X[:1]], format="csr")
    y = np.append(y, 2.0 - y[0]) > 1.0
    model = FlowLimitClassifier(network)
    with pytest.warns(ConvergenceWarning, match="separable_ is False"):
        expected = model.fit(X.toarray(), y).coef_
    with pytest.warns(ConvergenceWarning, match="separable_ is False"):
        np.testing.assert_allclose(model.fit(X, y).coef_, expected, rtol=0, atol=1e-10)
    assert Classification(X, y).separability().verdict.fails


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
    X, y = design((60, 50_000), 1e-3)
    tracemalloc.start()
    for scale in (1e-2, 1e-6):
        FlowLimitRegressor(depth=3, init_scale=scale).fit(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    dense = 8 * X.shape[0] * X.shape[1]
    assert peak < dense
    assert peak < 25 * 8 * X.shape[1] * 3  # some vectors of d a layer


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("network", ["diagonal", "fully_connected"])
def test_wide_classes_are_never_dense(network, binary):
    """With entries of one, too, where many features tie and a flow of those decides."""
    X, y = design((80, 40_000), 2e-4)
    if binary:
        X.data[:] = 1.0
    tracemalloc.start()
    model = FlowLimitClassifier(network).fit(X, y > 1.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert model.converged_
    dense = 8 * X.shape[0] * X.shape[1]
    assert peak < dense


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
    network = DiagonalNetwork(30, 2)
    init = Initialization.random(network, 1.0)
    with pytest.raises(InvalidInputError, match="simulations take dense arrays"):
        gradient_flow(network, problem, init)
    for verb in (explain, sensitivity):
        with pytest.raises(InvalidInputError, match="needs a dense array"):
            verb(network, problem, init)
    filters = ConvolutionalNetwork(30, (30, 30))
    with pytest.raises(InvalidInputError, match="sparse data are for diagonal, two-sided"):
        predict_limit(filters, problem, Initialization.random(filters, 1.0))
    with pytest.raises(InvalidInputError, match="sparse data are for diagonal, two-sided"):
        flow_limit_path(X, y, network="convolutional")
    with pytest.raises(InvalidInputError, match="every coordinate must cross from rho"):
        predict_limit(network, problem, init)


def test_what_classes_need_dense_data_for_says_so(monkeypatch):
    monkeypatch.setattr(_data, "SMALL", 0)
    X, y = design((6, 30), 0.4)
    with pytest.raises(InvalidInputError, match="Choose depth 2, or pass"):
        FlowLimitClassifier(depth=3).fit(X, y > 1.0)
    with pytest.raises(InvalidInputError, match="works on its spectrum, which is dense"):
        FlowLimitClassifier("convolutional").fit(X, y > 1.0)
    alone = scipy.sparse.vstack([X[:1], -X[:1]], format="csr")
    with pytest.raises(InvalidInputError, match="where all points are multiples of one"):
        FlowLimitClassifier(fit_intercept=False).fit(alone, [0, 1])


def test_bad_entries_are_placed():
    X, y = design((6, 30), 0.4)
    bad = X.tolil()
    bad[3, 7] = np.inf
    with pytest.raises(InvalidInputError, match=r"X contains inf at index \(3, 7\)"):
        Regression(bad.tocsr(), y)
    with pytest.raises(InvalidInputError, match="expected real numbers"):
        Regression(X.astype(complex), y)
