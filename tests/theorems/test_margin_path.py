"""margin_path: the digits of the theory, 40-digit minimisers, flows, ends, hard data, refusals."""

import numpy as np
import pytest
import scipy.sparse

import implicitbias as ib
from implicitbias.theorems import _margin_path as module
from reference.margin_potential import margin_point, one_sided, two_sided

X = np.array([[1.0, 3.0, 0.0], [2.0, 0.0, 2.0]])


def two(d, power, eta=None):
    eta = np.ones(d) if eta is None else eta
    return ib.TwoSidedDiagonalNetwork(d, power), [eta, eta]


def one(d, depth, eta=None):
    eta = np.ones(d) if eta is None else eta
    return ib.DiagonalNetwork(d, depth), [eta] * (depth - 1) + [np.zeros(d)]


def drawn(seed, n, d):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n, d))
    return ib.Classification(rows, np.sign(rows @ rng.standard_normal(d)))


def test_the_digits_of_moroshko():
    network, start = two(3, 2)
    found = ib.margin_path(network, ib.Classification(X, [1, 1]), start, [0.1]).coefficients[0]
    assert found == pytest.approx([0.30271131, 0.23242956, 0.19728869], abs=5e-9)


@pytest.mark.parametrize("seed", range(12))
def test_against_forty_digits(seed):
    """Before any departure the limits are the potential's minimisers."""
    rng = np.random.default_rng(seed)
    d, power = int(rng.integers(2, 8)), (2, 3, 4, 2.5)[seed % 4]
    problem = drawn(seed, int(rng.integers(1, 6)), d)
    eta = rng.uniform(0.5, 2.0, d)
    if seed % 3 and power != 2.5:
        (network, start), curves = one(d, power, eta), [one_sided(e, power) for e in eta]
    else:
        (network, start), curves = two(d, power, eta), [two_sided(e, power) for e in eta]
    ratios = [10.0, 0.7, 0.05]
    path = ib.margin_path(network, problem, start, ratios)
    first = path.departures.max(initial=0.0)
    compared = 0
    for ratio, found in zip(ratios, path.coefficients, strict=True):
        if ratio > first:
            expected, _ = margin_point(problem.y[:, None] * problem.X, curves, ratio, power)
            assert np.abs(found - expected).max() <= 1e-12 * np.abs(expected).max()
            compared += 1
    assert compared >= 1
    assert path.errors.max() <= 1e-9


def flow_at(network, problem, start, ratio, log_loss):
    """A flow at about that loss, beta / log(1 / loss), and log(1 / loss)."""
    power = network.degree
    init = ib.Initialization(start, log_scale=float(np.log(ratio * log_loss)) / power)
    flow = ib.gradient_flow(network, problem, init, until_log_margin=float(np.log(log_loss)))
    height = -flow.log_losses[-1]
    return flow.coefficients[-1] / height, np.exp(power * init.log_scale) / height


@pytest.mark.parametrize(
    ("make", "power", "seed", "ratio", "departs"),
    [(two, 2, 0, 0.3, 0), (two, 3, 0, 0.5, 0), (one, 4, 3, 0.02, 1), (two, 4, 3, 0.02, 1)],
)
def test_flows_come_near_like_one_over_the_logarithm(make, power, seed, ratio, departs):
    problem = drawn(seed, 6, 5)
    network, start = make(5, power)
    errors = []
    for log_loss in (1e3, 1e5):
        beta, there = flow_at(network, problem, start, ratio, log_loss)
        path = ib.margin_path(network, problem, start, [there])
        expected = path.coefficients[0]
        errors.append(np.abs(beta - expected).max() / np.abs(expected).max())
    assert bool(path.departures.size) == bool(departs)
    assert errors[1] <= errors[0] * (0.012 if not departs else 0.04)  # 1/100, and a logarithm
    assert errors[1] <= 1e-3


def test_after_a_departure_it_is_no_minimiser():
    """The multipliers of the minimisers fall there, which no flow's do."""
    problem = drawn(3, 6, 5)
    network, start = one(5, 4)
    path = ib.margin_path(network, problem, start, [0.02])
    assert path.departures.size
    Z, curves = problem.y[:, None] * problem.X, [one_sided(1.0, 4)] * 5
    minimiser, _ = margin_point(Z, curves, 0.02, 4)
    apart = np.abs(minimiser - path.coefficients[0]).max() / np.abs(minimiser).max()
    assert apart > 1e-3
    assert "departure" in str(path)


@pytest.mark.parametrize(("make", "power"), [(two, 2), (one, 3), (two, 2.5)])
def test_ends(make, power):
    problem = drawn(6, 3, 9)
    network, start = make(9, power)
    path = ib.margin_path(network, problem, start, [0.0, np.inf, 1e300, 1e-300])
    found = path.coefficients
    assert path.departures.size == 0  # else deeper networks end at another weighted l1 norm
    Z = problem.y[:, None] * problem.X
    two_layers, init = one(9, 2)
    least_l1 = ib.predict_limit(two_layers, problem, ib.Initialization(init, scale=1.0))
    assert found[0] == pytest.approx(least_l1.coefficients, abs=1e-10)
    least_l2 = ib.predict_limit(
        ib.FullyConnectedNetwork((9, 2)),
        problem,
        ib.Initialization([np.ones((9, 2)), np.ones(2)], scale=0.1),
    )
    assert found[1] == pytest.approx(least_l2.coefficients, abs=1e-12)
    assert found[2] == pytest.approx(found[1], abs=1e-9)
    assert found[3] == pytest.approx(found[0], abs=1e-9)
    assert (Z @ found.T).min(axis=0) == pytest.approx(np.ones(4), abs=1e-12)


@pytest.mark.parametrize(("power", "seed"), [(2, 5), (3, 3), (3, 11)])
def test_multipliers_at_ratio_zero_are_those_of_the_weighted_norm_or_none(power, seed):
    """|z_j^T nu| eta_j^{L - 2} is largest where rho_j is not 0, but for what departures left."""
    problem = drawn(seed, 6, 5)
    network, start = one(5, power)
    path = ib.margin_path(network, problem, start, [0.0])
    limit = path.limits[0]
    if power > 2 and path.departures.size:
        assert limit.dual is None
        return
    pull = (problem.y[:, None] * problem.X).T @ limit.dual
    used = np.abs(limit.coefficients) > 1e-9 * np.abs(limit.coefficients).max()
    assert limit.dual.min() >= 0.0
    np.testing.assert_allclose(pull[used], np.abs(pull).max() * np.sign(limit.coefficients[used]))


def test_ties_at_ratio_zero_go_where_small_ratios_lead():
    tied = ib.Classification([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]], [1, 1])
    path = ib.margin_path(*with_problem(two(3, 2), tied), [0.0, 1e-40])
    assert path.coefficients[0] == pytest.approx([0.5, 0.5, 1.0], abs=1e-12)
    assert path.coefficients[1] == pytest.approx(path.coefficients[0], abs=1e-9)
    weighted = ib.margin_path(ib.DiagonalNetwork(3, 2), tied, [[1.0, 2.0, 1.0], [0.0] * 3], [0.0])
    assert weighted.coefficients[0] == pytest.approx([0.2, 0.8, 1.0], abs=1e-12)


def with_problem(pair, problem):
    network, start = pair
    return network, problem, start


@pytest.mark.parametrize("unit", [1e-8, 1e8])
def test_units(unit):
    problem = drawn(7, 5, 8)
    network, start = two(8, 3)
    scaled = ib.Classification(unit * problem.X, problem.y)
    base = ib.margin_path(network, problem, start, [0.3]).coefficients
    found = ib.margin_path(network, scaled, start, [0.3 / unit]).coefficients
    assert found * unit == pytest.approx(base, rel=1e-9)


def test_hard_data():
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((8, 20))
    y = np.sign(rows @ rng.standard_normal(20))
    cases = {
        "long and short rows": rows * 10.0 ** rng.uniform(-6, 6, 8)[:, None],
        "long and short columns": rows * 10.0 ** rng.uniform(-6, 6, 20),
        "points twice": np.vstack([rows, rows]),
        "an offset": np.column_stack([rows, 1e6 + rng.standard_normal(8)]),
        "dependent rows": np.vstack([rows, y[0] * rows[0] + y[1] * rows[1]]),
    }
    for name, data in cases.items():
        labels = (
            np.append(y, [1.0] * (len(data) - 8)) if len(data) == 9 else np.resize(y, len(data))
        )
        network, start = two(data.shape[1], 2)
        path = ib.margin_path(network, ib.Classification(data, labels), start, [np.inf, 1.0, 0.0])
        assert path.errors.max() <= 1e-9, name
        assert path.feasibilities.max() <= 1e-11, name


def test_one_point_and_one_feature():
    path = ib.margin_path(*with_problem(two(1, 3), ib.Classification([[2.0]], [1])), [0.0, 1.0])
    assert path.coefficients == pytest.approx(np.full((2, 1), 0.5))


def test_sparse_and_read_only_data_give_the_same():
    problem = drawn(1, 5, 12)
    network, start = two(12, 2)
    expected = ib.margin_path(network, problem, start, [0.1]).coefficients
    sparse = ib.Classification(scipy.sparse.csr_array(problem.X), problem.y)
    assert ib.margin_path(network, sparse, start, [0.1]).coefficients == pytest.approx(expected)
    frozen = problem.X.copy()
    frozen.setflags(write=False)
    init = ib.Initialization(start, scale=7.0)
    same = ib.margin_path(network, ib.Classification(frozen, problem.y), init, [0.1])
    assert np.array_equal(same.coefficients, expected)


def test_orthogonal_networks_are_diagonal_ones_in_other_coordinates():
    problem, rng = drawn(2, 4, 6), np.random.default_rng(0)
    Q = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    network = ib.OrthogonalNetwork(Q, [np.eye(6)] * 2)
    start = [np.ones(6), np.zeros(6)]
    found = ib.margin_path(network, problem, start, [0.2]).coefficients[0]
    turned = ib.Classification(problem.X @ Q.T, problem.y)
    diagonal, begin = one(6, 2)
    assert found == pytest.approx(
        Q.T @ ib.margin_path(diagonal, turned, begin, [0.2]).coefficients[0], rel=1e-9
    )


def test_what_is_refused():
    network, start = two(3, 2)
    problem = ib.Classification(X, [1, 1])
    with pytest.raises(ib.InvalidInputError, match="limit_path"):
        ib.margin_path(network, ib.Regression(X, [1, 2]), start, [1.0])
    with pytest.raises(ib.InvalidInputError, match="every ratio must be >= 0"):
        ib.margin_path(network, problem, start, [-1.0])
    with pytest.raises(ib.InvalidInputError, match="ratios is"):
        ib.margin_path(network, problem, start, "many")
    with pytest.raises(ib.InfeasibleProblemError):
        ib.margin_path(network, ib.Classification(X[[0, 0]], [1, -1]), start, [1.0])
    with pytest.raises(ib.NoPredictionError, match=r"beta\(0\) = 0"):
        ib.margin_path(ib.DiagonalNetwork(3, 2), problem, [[1.0] * 3, [0.5] * 3], [1.0])
    with pytest.raises(ib.NoPredictionError, match="one layer is smaller"):
        ib.margin_path(ib.DiagonalNetwork(3, 2), problem, [[1.0] * 3] * 2, [1.0])
    with pytest.raises(ib.NoPredictionError, match="Assumption 1"):
        ib.margin_path(
            ib.FullyConnectedNetwork((3, 2)), problem, [np.ones((3, 2)), np.ones(2)], [1.0]
        )


def test_a_ratio_that_cannot_be_solved_is_named(monkeypatch):
    def fails(solver, ratio, situation):
        raise ValueError("no way")

    monkeypatch.setattr(module, "_solved", fails)
    network, start = two(3, 2)
    with pytest.warns(ib.CertificateWarning, match="no way"):
        path = ib.margin_path(network, ib.Classification(X, [1, 1]), start, [1.0])
    assert path.refused.all()
    assert np.isnan(path.coefficients).all()


def test_the_callback_counts():
    counts = []
    network, start = two(3, 2)
    ib.margin_path(network, ib.Classification(X, [1, 1]), start, [1, 0, 2], callback=counts.append)
    assert counts == [1, 2, 3]


def test_explain_speaks_of_it():
    network, start = two(3, 2)
    found = ib.explain(network, ib.Classification(X, [1, 1]), ib.Initialization(start, scale=1.0))
    finding = found["finite loss, two-sided"]
    assert finding.standing == "applies"
    assert "margin_path" in finding.refusal
    assert found.answer.result == "two-sided, max margin"
