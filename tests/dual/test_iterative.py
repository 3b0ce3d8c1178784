"""Newton systems by conjugate gradients: the limits of the factored ones, certificate included."""

import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array

import implicitbias as ib
from helpers.draws import normal
from implicitbias.dual import Slopes, mild_system
from implicitbias.dual._iterative import Iteration
from implicitbias.features import Blocks, as_features, limit_bytes

N, D = 30, 200


@pytest.fixture
def iterated(monkeypatch):
    """Every sparse problem counts as large; the products of the iterations are counted."""
    monkeypatch.setattr("implicitbias.features._large.MOST_ALWAYS", 5)
    counted, applied = [], Iteration._applied

    def count(self, x):
        counted.append(x.shape)
        return applied(self, x)

    monkeypatch.setattr(Iteration, "_applied", count)
    return counted


def sparse_problem(n=N, d=D, density=0.2, seed=0):
    rng = np.random.default_rng(seed)
    X = random_array((n, d), density=density, rng=rng, data_sampler=rng.standard_normal)
    return csr_array(X), normal(seed, n)[0]


def apart(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


def test_the_solution_is_that_of_the_factored_system(monkeypatch):
    X, y = sparse_problem()
    given = as_features(X)
    logs = np.random.default_rng(1).uniform(-3.0, 0.0, D)
    slopes = Slopes(logs, np.zeros(D), 0.5 * logs)
    mismatch, targets = normal(2, D, (N, 3))
    expected = mild_system(given, slopes)
    monkeypatch.setattr("implicitbias.features._large.MOST_ALWAYS", 5)
    found = mild_system(given, slopes)
    assert expected.iteration is None
    assert found.iteration is not None
    for one, other in (
        (found.solve(y, mismatch), expected.solve(y, mismatch)),
        (found.solve(targets, 0.0 * mismatch[:, None]), expected.solve(targets, np.zeros((D, 3)))),
    ):
        for mine, theirs in zip(one, other, strict=True):
            assert apart(mine, theirs) < 1e-9
    assert (
        apart(
            found.at_scale(2.0).solve(y, mismatch)[0], expected.at_scale(2.0).solve(y, mismatch)[0]
        )
        < 1e-9
    )


@pytest.mark.parametrize("scale", [1.0, 1e-2, 1e-3])
@pytest.mark.parametrize(("kind", "depth"), [("diagonal", 2), ("diagonal", 3), ("two-sided", 2.5)])
def test_limits(iterated, monkeypatch, kind, depth, scale):
    X, y = sparse_problem()
    if kind == "diagonal":
        network = ib.DiagonalNetwork(D, depth)
        directions = [np.ones(D)] * (depth - 1) + [np.zeros(D)]
    else:
        network, directions = ib.TwoSidedDiagonalNetwork(D, depth), [np.ones(D), np.ones(D)]
    init = ib.Initialization(directions, scale=scale)
    found = ib.predict_limit(network, ib.Regression(X, y), init)
    assert iterated
    monkeypatch.undo()
    expected = ib.predict_limit(network, ib.Regression(X, y), init)
    assert found.certificate.worst <= 1e-12
    assert apart(found.coefficients, expected.coefficients) <= 1e-12


def test_paths(iterated, monkeypatch):
    X, y = sparse_problem()
    network, directions = ib.DiagonalNetwork(D, 2), [np.ones(D), np.zeros(D)]
    scales = [np.inf, 1.0, 0.1, 0.01]
    found = ib.limit_path(network, ib.Regression(X, y), directions, scales)
    assert iterated
    monkeypatch.undo()
    expected = ib.limit_path(network, ib.Regression(X, y), directions, scales)
    assert apart(found.coefficients, expected.coefficients) <= 1e-12
    assert found.errors.max() <= 1e-12


@pytest.mark.parametrize("kind", [np.asarray, Blocks])
def test_dense_data_whose_gram_matrix_does_not_fit(iterated, monkeypatch, kind):
    X, y = normal(0, (N, D), N)
    init = ib.Initialization([np.ones(D), np.zeros(D)], scale=1e-2)
    network = ib.DiagonalNetwork(D, 2)
    expected = ib.predict_limit(network, ib.Regression(X, y), init)
    assert not iterated  # it fits
    monkeypatch.setattr("implicitbias.features._large.available_bytes", lambda: 100.0)
    found = ib.predict_limit(network, ib.Regression(kind(X), y), init)
    assert iterated
    assert apart(found.coefficients, expected.coefficients) <= 1e-12
    assert found.certificate.worst <= 1e-12


def test_what_a_limit_has_taken_itself_does_not_change_the_method(monkeypatch):
    """Memory is asked for once: factors that are there leave less of it."""
    monkeypatch.setattr("implicitbias.features._large.MOST_ALWAYS", N - 1)
    left = [3.5 * 8.0 * N * N]
    monkeypatch.setattr("implicitbias.features._large.available_bytes", lambda: left[0])
    features = as_features(normal(0, (N, D))[0])
    slopes = Slopes(np.zeros(D), np.zeros(D), np.zeros(D))
    assert mild_system(features, slopes).iteration is None
    left[0] -= 8.0 * N * N
    assert mild_system(features, slopes).iteration is None
    assert mild_system(as_features(features.toarray()), slopes).iteration is not None


def test_rows_of_large_dense_data_are_proved_by_one_factor(iterated, monkeypatch):
    """In place: no Lanczos, no second n x n array; and where that fails nothing is taken for it."""
    tried = []
    monkeypatch.setattr(
        "implicitbias.problems._independence.exceeds", lambda *given: tried.append(given)
    )
    (X,) = normal(0, (N, D))
    for given in (X, Blocks(X, memory=1 << 16)):
        assert ib.Regression(given, np.ones(N)).rank == N
    assert not tried
    X[-1] = X[0] - 2.0 * X[1]
    for given in (X, Blocks(X, memory=1 << 16)):
        assert ib.Regression(given, X @ np.ones(D)).rank == N - 1


def test_a_limit_holds_three_gram_matrices_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr("implicitbias.dual._newton.MOST_KEPT", 0)
    n, d = 500, 750
    X, y = normal(0, (n, d), n)
    np.save(tmp_path / "X.npy", np.asfortranarray(X))
    problem = ib.Regression(Blocks(tmp_path / "X.npy", memory=1 << 19), y)
    init = ib.Initialization([np.ones(d), np.zeros(d)], scale=1e-2)
    tracemalloc.start()
    try:
        limit = ib.predict_limit(ib.DiagonalNetwork(d, 2), problem, init)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= limit_bytes(problem.features) + (1 << 19)
    assert limit.certificate.worst <= 1e-12


def test_ill_conditioned_rows_are_factored_after_all(iterated, monkeypatch):
    monkeypatch.setattr("implicitbias.dual._iterative.MOST_ITERATIONS", 40)
    X, y = sparse_problem()
    X = X.toarray()
    X[1:15] = X[0] + 1e-4 * X[1:15]  # a condition of 1e4, and of 1e8 squared
    X, y = csr_array(X), X @ normal(3, D)[0]
    init = ib.Initialization([np.ones(D), np.zeros(D)], scale=1e-1)
    found = ib.predict_limit(ib.DiagonalNetwork(D, 2), ib.Regression(X, y), init)
    assert iterated
    monkeypatch.undo()
    expected = ib.predict_limit(ib.DiagonalNetwork(D, 2), ib.Regression(X, y), init)
    assert found.certificate.worst <= 1e-9
    assert apart(found.coefficients, expected.coefficients) <= 1e-9


def test_what_does_not_converge_is_factored_from_then_on(iterated, monkeypatch):
    monkeypatch.setattr("implicitbias.dual._iterative.MOST_ITERATIONS", 2)
    features = as_features(sparse_problem()[0])
    slopes = Slopes(np.zeros(D), np.zeros(D), np.zeros(D))
    for tried in (2, 0):
        iterated.clear()
        system = mild_system(features, slopes)
        assert system.iteration is None
        assert system.rcond > 0.0
        assert len(iterated) == tried


def test_where_neither_fits_the_limit_is_refused(iterated, monkeypatch):
    monkeypatch.setattr("implicitbias.dual._iterative.MOST_ITERATIONS", 3)
    monkeypatch.setattr("implicitbias.features._large.available_bytes", lambda: 100.0)
    X, y = sparse_problem()
    init = ib.Initialization([np.ones(D), np.zeros(D)], scale=1e-1)
    with pytest.raises(ib.NoPredictionError, match="numerically dependent"):
        ib.predict_limit(ib.DiagonalNetwork(D, 2), ib.Regression(X, y), init)


def test_an_iteration_that_does_not_converge_says_so(monkeypatch):
    X, y = sparse_problem()
    monkeypatch.setattr("implicitbias.dual._iterative.MOST_ITERATIONS", 2)
    features = as_features(X)
    iteration = Iteration(features, np.ones(D), np.ones(N), 1e-12)
    assert np.isnan(iteration.solve(y)).all()
    assert not iteration.solve(0.0 * y).any()
