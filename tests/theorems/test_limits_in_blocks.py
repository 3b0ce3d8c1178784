"""Limits of data in blocks are those of the array: the same verbs, the same certificates."""

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array

import implicitbias as ib
from helpers.draws import normal
from helpers.features import Again, cut
from implicitbias.features import Blocks, Fourier

N, D = 8, 40
SAME = 1e-12


@pytest.fixture(params=["arrays", "iterated"])
def both(request):
    """X and y, and a function that puts such an X in blocks."""
    X, y = normal(0, (N, D), N)
    if request.param == "arrays":
        return X, y, lambda X: Blocks(cut(X))
    return X, y, lambda X: Blocks(Again(X, 7))


def apart(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


def network_and_directions(kind, depth, start="rest"):
    rng = np.random.default_rng(1)
    if kind == "two-sided":
        u = np.ones(D) + 0.3 * rng.random(D)
        return ib.TwoSidedDiagonalNetwork(D, depth), [u, u if start == "rest" else 0.5 * u]
    layers = [1.0 + 0.3 * rng.random(D) for _ in range(depth)]
    if start == "rest":
        layers[-1] = np.zeros(D)
    return ib.DiagonalNetwork(D, depth), layers


@pytest.mark.parametrize("scale", [1e-2, 1e-6])
@pytest.mark.parametrize("start", ["rest", "moving"])
@pytest.mark.parametrize(
    ("kind", "depth"),
    [("diagonal", 2), ("diagonal", 3), ("two-sided", 2), ("two-sided", 3), ("two-sided", 2.5)],
)
def test_limits(both, kind, depth, start, scale):
    X, y, in_blocks = both
    network, directions = network_and_directions(kind, depth, start)
    init = ib.Initialization(directions, scale=scale)
    expected = ib.predict_limit(network, ib.Regression(X, y), init)
    found = ib.predict_limit(network, ib.Regression(in_blocks(X), y), init)
    assert found.certificate.worst <= 1e-9
    off = found.certificate.error + expected.certificate.error
    assert apart(found.coefficients, expected.coefficients) <= off
    assert found.theorem == expected.theorem
    for mine, theirs in zip(found.parameters, expected.parameters, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-9 * np.abs(theirs).max())


@pytest.mark.parametrize("depth", [2, 3])
def test_paths_and_their_ends(both, depth):
    X, y, in_blocks = both
    network, directions = network_and_directions("diagonal", depth)
    scales = [np.inf, 10.0, 0.1, 1e-3, 0.0]
    expected = ib.limit_path(network, ib.Regression(X, y), directions, scales)
    found = ib.limit_path(network, ib.Regression(in_blocks(X), y), directions, scales)
    assert apart(found.coefficients, expected.coefficients) <= SAME
    assert found.errors.max() <= 1e-9


def test_ranks_and_contradictions(both):
    X, y, in_blocks = both
    twice, targets = np.vstack([X, X[:2] - X[2:4]]), np.concatenate([y, y[:2] - y[2:4]])
    network, directions = network_and_directions("diagonal", 2)
    problem = ib.Regression(in_blocks(twice), targets)
    assert problem.rank == N
    init = ib.Initialization(directions, scale=0.1)
    expected = ib.predict_limit(network, ib.Regression(X, y), init)
    found = ib.predict_limit(network, problem, init)
    assert apart(found.coefficients, expected.coefficients) <= SAME
    targets[-1] += 1.0
    with pytest.raises(ib.InfeasibleProblemError, match="has rank 8 and 10 rows"):
        ib.Regression(in_blocks(twice), targets)


def test_locked_starts_that_no_interpolator_fits():
    X, y = normal(0, (N, D), N)
    network = ib.DiagonalNetwork(D, 2)
    init = ib.Initialization([np.ones(D), np.where(np.arange(D) < 3, 0.5, 1.0)], scale=0.1)
    X, y = np.abs(X), -np.abs(y)
    found, expected = (
        ib.predict_limit(network, ib.Regression(given, y), init) for given in (Blocks(cut(X)), X)
    )
    assert apart(found.coefficients, expected.coefficients) <= 1e-9


def test_more_points_than_features():
    X, z = normal(0, (30, 6), 6)
    problem = ib.Regression(Blocks(cut(X)), X @ z)
    assert problem.rank == 6
    init = ib.Initialization([np.ones(6), np.zeros(6)], scale=0.1)
    found = ib.predict_limit(ib.DiagonalNetwork(6, 2), problem, init)
    assert apart(found.coefficients, z) <= SAME


def test_sparse_blocks():
    rng = np.random.default_rng(0)
    X = csr_array(random_array((N, 300), density=0.05, rng=rng, data_sampler=rng.standard_normal))
    y = normal(0, N)[0]
    init = ib.Initialization([np.ones(300), np.zeros(300)], scale=1e-3)
    network = ib.DiagonalNetwork(300, 2)
    expected = ib.predict_limit(network, ib.Regression(X, y), init)
    found = ib.predict_limit(network, ib.Regression(Blocks([X[:, :90], X[:, 90:]]), y), init)
    assert apart(found.coefficients, expected.coefficients) <= SAME
    dead = ib.Initialization([np.ones(300), np.ones(300)], scale=1e-3)
    with pytest.raises(ib.InvalidInputError, match="every coordinate must cross"):
        ib.predict_limit(network, ib.Regression(Blocks([X]), y), dead)


def test_units_far_apart(both):
    X, y, in_blocks = both
    units = 10.0 ** np.linspace(-8, 8, D)
    X = X * units
    network, directions = network_and_directions("diagonal", 2)
    init = ib.Initialization(directions, scale=1e-2)
    expected = ib.predict_limit(network, ib.Regression(X, y), init)
    found = ib.predict_limit(network, ib.Regression(in_blocks(X), y), init)
    assert found.certificate.worst <= 1e-9
    assert apart(found.coefficients * units, expected.coefficients * units) <= 1e-9


def test_a_memory_map_is_not_copied(tmp_path):
    X, y = normal(0, (N, D), N)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    problem = ib.Regression(mapped, y)
    assert np.shares_memory(problem.X, mapped)
    network, directions = network_and_directions("diagonal", 2)
    init = ib.Initialization(directions, scale=0.1)
    expected = ib.predict_limit(network, ib.Regression(X, y), init).coefficients
    for given in (problem, ib.Regression(Blocks(mapped), y)):
        assert apart(ib.predict_limit(network, given, init).coefficients, expected) <= SAME


def test_other_verbs_are_refused_by_name(both):
    X, y, in_blocks = both
    network, directions = network_and_directions("diagonal", 2)
    init, problem = ib.Initialization(directions, scale=0.1), ib.Regression(in_blocks(X), y)
    for verb in (ib.gradient_flow, ib.simulate_limit, ib.verify, ib.explain, ib.sensitivity):
        with pytest.raises(ib.InvalidInputError, match="X is in blocks"):
            verb(network, problem, init)
    with pytest.raises(ib.InvalidInputError, match="X is in blocks"):
        ib.gradient_descent(network, problem, init, step=0.1)
    other = ib.ConvolutionalNetwork(num_features=D, filter_sizes=(D, D))
    with pytest.raises(ib.InvalidInputError, match=r"X is in blocks and .* would mix its columns"):
        ib.predict_limit(other, problem, init)


def few_targets(X, count):
    """Those of as many features."""
    (values,) = normal(3, count)
    return X[:, :count] @ values


TARGETS = {
    "any": lambda X: normal(2, len(X))[0],
    "of few features": lambda X: few_targets(X, 6),
    "of one feature": lambda X: few_targets(X, 1),
    "zero": lambda X: np.zeros(len(X)),
}


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("kind", ["normal", "whole numbers", "units", "twice", "sparse"])
@pytest.mark.parametrize("targets", TARGETS)
def test_both_ends_of_the_path_where_blocks_do_not_fit(targets, kind, depth):
    """Scale 0 by columns that come in turn: the very limit of the whole program, ties and all."""
    n, d = 20, 900
    X = normal(0, (n, d))[0]
    if kind == "whole numbers":
        X = np.round(X)
    elif kind == "units":
        X = X * 10.0 ** np.random.default_rng(1).integers(-6, 7, d)
    elif kind == "twice":
        X[:, d // 2 :] = X[:, : d // 2]
    elif kind == "sparse":
        X = X * (np.random.default_rng(1).random((n, d)) < 0.3)
    y = TARGETS[targets](X)
    network = ib.DiagonalNetwork(d, depth)
    directions = [1.0 + np.random.default_rng(2).integers(0, 3, d) / 4.0] * (depth - 1)
    directions.append(np.zeros(d))
    small = {"memory": 1 << 16}
    blocks = Blocks([csr_array(X)], **small) if kind == "sparse" else Blocks(X, **small)
    assert not blocks.is_whole
    scales = [np.inf, 0.1, 0.0]
    expected = ib.limit_path(network, ib.Regression(X, y), directions, scales)
    found = ib.limit_path(network, ib.Regression(blocks, y), directions, scales)
    size = np.abs(expected.coefficients).max(axis=1, keepdims=True) + 1e-300
    np.testing.assert_allclose(found.coefficients / size, expected.coefficients / size, atol=1e-9)
    assert np.nanmax(found.gaps) <= 1e-9
    assert not np.isnan(found.coefficients).any()


def test_columns_that_come_late_are_priced(monkeypatch):
    """One new column a round: optimal all the same; and too few rounds are said."""
    X, y = normal(0, (10, 900), 10)
    network, directions = ib.DiagonalNetwork(900, 2), [np.ones(900), np.zeros(900)]
    problem = ib.Regression(Blocks(X, memory=1 << 16), y)
    expected = ib.limit_path(network, ib.Regression(X, y), directions, [0.0]).coefficients
    columns = "implicitbias.limits.potential._end_columns"
    for name, value in (("FIRST", 0), ("FEWEST", 1), ("MORE", 0)):
        monkeypatch.setattr(f"{columns}.{name}", value)
    found = ib.limit_path(network, problem, directions, [0.0]).coefficients
    np.testing.assert_allclose(found, expected, atol=1e-12)
    monkeypatch.setattr(f"{columns}.ROUNDS", 2)
    with pytest.warns(ib.CertificateWarning, match="not solved in 2 rounds of columns"):
        ib.limit_path(network, problem, directions, [0.0])


@pytest.mark.parametrize("network", ["diagonal", "two-sided", "fully connected"])
@pytest.mark.parametrize("kind", ["normal", "whole numbers", "units"])
def test_max_margins_where_blocks_do_not_fit(network, kind):
    n, d = 20, 900
    X, y = normal(0, (n, d), n)
    if kind == "whole numbers":
        X = np.round(X)
    elif kind == "units":
        X = X * 10.0 ** np.random.default_rng(1).integers(-6, 7, d)
    if network == "fully connected":
        network = ib.FullyConnectedNetwork((d, 3))
        init = ib.Initialization.random(network, 1e-3, 0)
    elif network == "two-sided":
        network = ib.TwoSidedDiagonalNetwork(d, 2)
        init = ib.Initialization([np.ones(d)] * 2, scale=1e-3)
    else:
        network = ib.DiagonalNetwork(d, 2)
        init = ib.Initialization([np.ones(d), np.zeros(d)], scale=1e-3)
    whole, parts = (ib.Classification(each, np.sign(y)) for each in (X, Blocks(X, memory=1 << 16)))
    expected, found = (ib.predict_limit(network, each, init) for each in (whole, parts))
    assert apart(found.coefficients, expected.coefficients) <= SAME
    assert found.certificate.worst <= 1e-12
    assert found.theorem == expected.theorem
    assert parts.rank == whole.rank
    assert parts.separability().verdict.holds


def test_points_in_blocks_that_no_direction_separates():
    X, y = normal(0, (20, 900), 20)
    X[1], y = X[0], np.sign(y)
    y[:2] = 1.0, -1.0
    network = ib.DiagonalNetwork(900, 2)
    init = ib.Initialization([np.ones(900), np.zeros(900)], scale=1e-3)
    problem = ib.Classification(Blocks(X, memory=1 << 16), y)
    with pytest.raises(ib.InfeasibleProblemError, match="not linearly separable") as caught:
        ib.predict_limit(network, problem, init)
    assert np.abs(X.T @ (y * caught.value.evidence)).max() <= 1e-14
    deep = ib.DiagonalNetwork(900, 3)
    start = ib.Initialization([np.ones(900), np.ones(900), np.zeros(900)], scale=1e-3)
    with pytest.raises(ib.InvalidInputError, match="takes dense arrays"):
        ib.predict_limit(deep, problem, start)


def test_what_needs_all_columns_of_a_classification_is_refused_by_name():
    X, y = normal(0, (20, 900), 20)
    network, start = ib.DiagonalNetwork(900, 2), [np.ones(900), np.zeros(900)]
    problem = ib.Classification(Blocks(X, memory=1 << 16), np.sign(y))
    for verb in (ib.gradient_flow, ib.verify, ib.explain):
        with pytest.raises(ib.InvalidInputError, match="X is in blocks"):
            verb(network, problem, ib.Initialization(start, scale=0.1))
    with pytest.raises(ib.InvalidInputError, match="margin_path needs all of its 20 x 900"):
        ib.margin_path(network, problem, start, [0.0, 1.0])
    signed = ib.Initialization([np.ones(900), np.ones(900)], scale=1e-3)
    with pytest.raises(ib.InvalidInputError, match="a start whose coordinates keep their sign"):
        ib.predict_limit(network, problem, signed)


def test_locked_starts_are_refused_where_blocks_do_not_fit():
    X, y = normal(0, (30, 300), 30)
    problem = ib.Regression(Blocks(X, memory=1 << 16), y)
    init = ib.Initialization([np.ones(300), np.ones(300)], scale=0.1)
    with pytest.raises(ib.InvalidInputError, match="a start whose coordinates keep their sign"):
        ib.predict_limit(ib.DiagonalNetwork(300, 2), problem, init)


def test_signals_in_blocks_transform():
    X = normal(0, (4, 9))[0]
    factors = np.exp(1j * normal(1, 9)[0])
    found, expected = (Fourier(ib.features.features_of(x), factors) for x in (Blocks(cut(X)), X))
    np.testing.assert_allclose(found.toarray(), expected.toarray(), atol=1e-14)
