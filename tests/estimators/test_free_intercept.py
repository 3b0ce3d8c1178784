"""An intercept in no norm: against support vector machines, linear programs and plain training."""

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse
from scipy.integrate import solve_ivp
from scipy.optimize import linprog
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC

from implicitbias._errors import InvalidInputError, NoPredictionError
from implicitbias.estimators import FlowLimitClassifier, _free_intercept
from reference.precise_faces import l2_direction


def separable(seed, num_points=16, num_features=4, offset=1.0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((num_points, num_features))
    normal = rng.standard_normal(num_features)
    normal /= np.linalg.norm(normal)
    y = np.where(X @ normal + 0.4 > 0, 1, -1)
    return X + 0.3 * y[:, None] * normal + offset, y


def free(network="fully_connected", **parameters):
    return FlowLimitClassifier(network, free_intercept=True, **parameters)


def hard_margin(X, y):
    """w, b of the support vector machine: its support from SVC, its equations solved exactly."""
    rough = SVC(kernel="linear", C=1e10, tol=1e-10).fit(X, y)
    support = rough.support_[np.abs(rough.dual_coef_[0]) > 1e-6 * np.abs(rough.dual_coef_).max()]
    rows = y[support, None] * X[support]
    k = support.size
    system = np.block([[rows @ rows.T, y[support, None]], [y[support][None], np.zeros((1, 1))]])
    solution = np.linalg.lstsq(system, np.r_[np.ones(k), 0.0], rcond=1e-13)[0]
    w, b = rows.T @ solution[:k], solution[k]
    assert solution[:k].min() > -1e-9
    assert (y * (X @ w + b)).min() > 1 - 1e-9  # so that it is the one, whatever SVC says
    return w, b


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("shape", [(16, 2), (16, 4), (12, 30)])
def test_it_is_the_support_vector_machine(seed, shape):
    X, y = separable(seed, *shape)
    model = free().fit(X, y)
    w, b = hard_margin(X, y)
    np.testing.assert_allclose(model.coef_[0], w, rtol=0, atol=1e-11 * np.abs(w).max())
    np.testing.assert_allclose(model.intercept_[0], b, rtol=0, atol=1e-11 * max(1.0, abs(b)))
    assert model.converged_ and model.error_ < 1e-12
    margins = y * model.decision_function(X)
    assert margins.min() == pytest.approx(1.0, abs=1e-14)
    assert sum(margins < 1 + 1e-9) >= 2
    dual = model.dual_coef_
    assert dual.min() >= 0
    assert abs(y @ dual) < 1e-13 * dual.max()
    direction = (y * dual) @ X
    cosine = direction @ w / np.linalg.norm(direction) / np.linalg.norm(w)
    assert cosine == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("shape", [(16, 4), (10, 25)])
def test_two_layers_have_the_least_l1_norm_without_the_intercept(seed, shape):
    X, y = separable(seed, *shape)
    model = free("diagonal").fit(X, y)
    d = X.shape[1]
    rows = y[:, None] * np.c_[X, -X, np.ones(len(X))]
    bounds = [(0, None)] * (2 * d) + [(None, None)]
    program = linprog(np.r_[np.ones(2 * d), 0.0], A_ub=-rows, b_ub=-np.ones(len(X)), bounds=bounds)
    assert np.abs(model.coef_).sum() == pytest.approx(program.fun, rel=1e-11)
    assert (y * model.decision_function(X)).min() == pytest.approx(1.0, abs=1e-13)
    trained = FlowLimitClassifier("diagonal").fit(X, y)
    assert np.abs(model.coef_).sum() < (1 - 1e-3) * np.abs(trained.coef_).sum()


def trained_with_the_best_intercept(X, y, depth, log_loss):
    """beta of dTheta/ds = -grad log L, b at the minimum of L at every moment, by plain layers."""
    d = X.shape[1]

    def velocity(_, flat):
        layers = flat.reshape(depth, d)
        scores = X @ layers.prod(axis=0)
        shares = np.zeros(len(y))  # of each class in its sum: b makes both sums alike
        for sign in (1, -1):
            exponents = -sign * scores[y == sign]
            weights = np.exp(exponents - exponents.max())
            shares[y == sign] = 0.5 * weights / weights.sum()
        driver = (y * shares) @ X
        return np.ravel([driver * np.delete(layers, at, 0).prod(axis=0) for at in range(depth)])

    def done(_, flat):
        scores = X @ flat.reshape(depth, d).prod(axis=0)
        return (scores[y > 0].min() - scores[y < 0].max()) / 2 - log_loss

    done.terminal = True
    start = np.ones((depth, d))
    start[-1] = 0.0
    found = solve_ivp(velocity, (0, 1e6), start.ravel(), rtol=1e-8, atol=1e-8, events=done)
    beta = found.y[:, -1].reshape(depth, d).prod(axis=0)
    scores = X @ beta
    return beta / ((scores[y > 0].min() - scores[y < 0].max()) / 2)


@pytest.mark.parametrize("seed", [0, 2])
def test_deep_networks_end_where_training_with_the_best_intercept_does(seed):
    X, y = separable(seed, 10, 5)
    found = free("diagonal", depth=3).fit(X, y).coef_[0]
    trained = FlowLimitClassifier("diagonal", depth=3).fit(X, y).coef_[0]
    early, late = (trained_with_the_best_intercept(X, y, 3, size) for size in (1e2, 1e4))
    size = np.linalg.norm(found)
    assert np.linalg.norm(late - found) < 1e-2 * size
    assert np.linalg.norm(late - found) < np.linalg.norm(early - found)
    assert np.linalg.norm(late - trained) > 3e-2 * size


def test_pairs_in_turns_are_all_pairs(monkeypatch):
    X, y = separable(0, 60, 5)
    whole = {name: free(name).fit(X, y) for name in ("fully_connected", "diagonal")}
    monkeypatch.setattr(_free_intercept, "PAIRS", 10)
    for name, expected in whole.items():
        model = free(name).fit(X, y)
        np.testing.assert_allclose(model.coef_, expected.coef_, rtol=0, atol=1e-13)
        np.testing.assert_allclose(model.intercept_, expected.intercept_, atol=1e-13)
        assert model.feasibility_ < 1e-14
    with pytest.raises(NoPredictionError, match=r"needs all \d+ pairs .* takes up to 10"):
        free("diagonal", depth=3).fit(X, y)


@pytest.mark.parametrize("seed", range(6))
def test_the_error_is_no_less_than_the_distance_to_the_exact_answer(seed):
    """Rounding the differences counts, which exact rows show."""
    X, y = separable(seed, 5, 3, offset=np.array([1e5, 0.0, -3e3]))
    model = free().fit(X, y)
    first, second = np.repeat(X[y > 0], (y < 0).sum(), 0), np.tile(X[y < 0], ((y > 0).sum(), 1))
    pairs = [
        [(Fraction(float(a)) - Fraction(float(b))) / 2 for a, b in zip(one, other, strict=True)]
        for one, other in zip(first, second, strict=True)
    ]
    expected = np.array(l2_direction(pairs), dtype=float)
    found = model.coef_[0]
    angle = np.linalg.norm(found / np.linalg.norm(found) - expected / np.linalg.norm(expected))
    assert angle <= max(10 * model.error_, 1e-15)


@pytest.mark.parametrize("offset", [1e3, 1e6])
def test_offsets_change_the_intercept_alone(offset):
    X, y = separable(1)
    X = np.round(X, 6)
    near, far = free().fit(X, y), free().fit(X + offset, y)
    np.testing.assert_allclose(far.coef_, near.coef_, rtol=1e-16 * offset / 1e-6)
    np.testing.assert_allclose(
        far.decision_function(X + offset), near.decision_function(X), rtol=1e-8
    )


@pytest.mark.parametrize("unit", [1e-8, 1e8])
def test_units(unit):
    X, y = separable(2)
    model, scaled = free("diagonal").fit(X, y), free("diagonal").fit(X * unit, y)
    np.testing.assert_allclose(scaled.coef_ * unit, model.coef_, rtol=1e-12)
    np.testing.assert_allclose(scaled.intercept_, model.intercept_, rtol=1e-12)


@pytest.mark.parametrize("most", [1 << 12, 10])
@pytest.mark.parametrize("network", ["fully_connected", "diagonal"])
def test_sparse_data_are_as_dense_ones(network, most, monkeypatch):
    monkeypatch.setattr(_free_intercept, "PAIRS", most)
    rng = np.random.default_rng(0)
    X = scipy.sparse.random_array((14, 400), density=0.1, rng=rng, format="csr")
    y = rng.permutation(14) < 6
    dense, sparse = free(network).fit(X.toarray(), y), free(network).fit(X, y)
    np.testing.assert_allclose(sparse.coef_, dense.coef_, rtol=0, atol=1e-12)
    np.testing.assert_allclose(sparse.intercept_, dense.intercept_, atol=1e-12)


@pytest.mark.parametrize("network", ["fully_connected", "diagonal", "convolutional"])
def test_a_point_each(network):
    X, y = np.array([[1.0, 2.0, 0.5], [3.0, 2.0, 1.5]]), [0, 1]
    model = free(network).fit(X, y)
    np.testing.assert_allclose(model.decision_function(X), [-1.0, 1.0], atol=1e-14)
    if network == "fully_connected":
        np.testing.assert_allclose(model.coef_[0], [0.8, 0.0, 0.4], atol=1e-15)


def test_classes_that_overlap_are_fitted_by_squares():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 3)) + 2.0, rng.integers(0, 2, 40)
    with pytest.warns(ConvergenceWarning, match="separable_ is False"):
        model = free().fit(X, y)
    squares = np.linalg.lstsq(np.c_[X, np.ones(40)], 2.0 * y - 1)[0]
    np.testing.assert_allclose([*model.coef_[0], *model.intercept_], squares, rtol=1e-9)
    assert model.dual_coef_.shape == (40,)


def test_without_an_intercept_there_is_none_to_free():
    X, y = separable(0, offset=0.0)
    model = free(fit_intercept=False)
    assert not model._frees()
    wide = np.c_[X, y]
    plain = FlowLimitClassifier("fully_connected", fit_intercept=False).fit(wide, y)
    np.testing.assert_array_equal(model.fit(wide, y).coef_, plain.coef_)


def test_a_scale_is_for_a_trained_intercept():
    with pytest.raises(InvalidInputError, match="init_scale says where training stops"):
        free(init_scale=1.0).fit(*separable(0))
