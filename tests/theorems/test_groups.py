"""Predictions for convolutions over groups, held against the parameters' flow and known digits."""

import numpy as np
import pytest

from helpers.draws import normal
from helpers.groups import table
from implicitbias import (
    Classification,
    ConvolutionalNetwork,
    GroupConvolutionalNetwork,
    Initialization,
    InvalidInputError,
    NoPredictionError,
    Regression,
    compare,
    explain,
    gradient_flow,
    predict_limit,
)
from implicitbias.limits import LEADS, schatten_sum
from implicitbias.verification._groups import permutations_of_three

TWO, MORE = "group convolution, two layers", "group convolution, more layers"
S_3 = permutations_of_three()
BETA = [0.1519266692, 0.0983840839, 0.0562194765, -0.1085190495, -0.0434076198, -0.1546035604]


def drawn(name, depth, seed, n=3):
    network = GroupConvolutionalNetwork(table(name), depth)
    X = normal(seed, (n, network.num_features))[0]
    gap = 0.1 if depth == 2 else None
    start = Initialization.random(network, 0.5, seed=1, gap=gap)
    return network, Classification(X, [1.0, -1.0, 1.0, -1.0][:n]), start


def test_known_digits():
    """x = (3, 1, .5, -1, 0, -2) over the permutations of three, and three Gaussian points."""
    network = GroupConvolutionalNetwork(S_3, 2)
    start = Initialization.random(network, 1.0, gap=0.1)
    one = Classification([[3.0, 1.0, 0.5, -1.0, 0.0, -2.0]], [1.0])
    for theorem in (TWO, "Theorem 3"):
        limit = predict_limit(network, one, start, theorem=theorem)
        np.testing.assert_allclose(limit.coefficients, BETA, atol=5e-11)
        assert 6 * schatten_sum(network, limit.coefficients) == pytest.approx(
            0.9390503932, abs=5e-11
        )
    X = np.random.default_rng(1).standard_normal((3, 6))
    limit = predict_limit(network, Classification(X, [1, -1, 1]), start)
    assert limit.theorem == TWO
    assert limit.certificate.gap <= 1e-14
    assert 6 * schatten_sum(network, limit.coefficients) == pytest.approx(11.75803954382, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "depth"), [("S_3", 2), ("D_4", 2), ("Q_8", 2), ("A_4", 2), ("S_3", 3), ("Q_8", 3)]
)
def test_flows_close_in(name, depth):
    network, problem, start = drawn(name, depth, 5)
    limit = predict_limit(network, problem, start)
    assert limit.theorem == (TWO if depth == 2 else MORE)
    assert limit.certificate.worst <= 1e-12
    flow = gradient_flow(network, problem, start, route="parameters", until_margin=1e7)
    found = compare(flow, limit)
    assert not any(verdict.fails for verdict in limit.assumptions)
    assert found.verdict != "DISAGREES", found
    excess = schatten_sum(network, flow.final_direction) / schatten_sum(network, limit.coefficients)
    assert -1e-9 <= excess - 1.0 <= 0.1
    assert flow.drift <= 1e-10


@pytest.mark.parametrize(("name", "depth", "seed"), [("S_3", 2, 12), ("S_3", 3, 4)])
def test_the_rate_is_the_flow_s(name, depth, seed):
    network, problem, start = drawn(name, depth, seed)
    limit = predict_limit(network, problem, start)
    flow = gradient_flow(network, problem, start, route="parameters", until_margin=1e8)
    (closing,) = compare(flow, limit).closings
    if closing.settled:
        assert closing.exponent == pytest.approx(limit.rate, rel=0.1)
    assert closing.angle <= 0.05


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ["C_6", "Z_2 x Z_4"])
def test_abelian_groups_by_characters_and_by_blocks(name, seed):
    network, problem, start = drawn(name, 2, seed)
    limit = predict_limit(network, problem, start)
    assert limit.theorem == "Theorem 2"
    blocks = predict_limit(network, problem, start, theorem=TWO)
    np.testing.assert_allclose(blocks.coefficients, limit.coefficients, rtol=0, atol=1e-12)


@pytest.mark.parametrize("depth", [2, 3])
def test_the_cyclic_group_is_the_convolution(depth):
    table = np.add.outer(np.arange(6), np.arange(6)) % 6
    network, known = GroupConvolutionalNetwork(table, depth), ConvolutionalNetwork(6, (6,) * depth)
    X, targets = normal(2, (3, 6), 3)
    start = Initialization.random(known, 0.5, seed=1, gap=0.1)
    problem = Classification(X, [1, -1, 1])
    mine, theirs = (predict_limit(each, problem, start).coefficients for each in (network, known))
    np.testing.assert_allclose(mine, theirs, atol=1e-13)
    one = Regression(X[:1], targets[:1])
    mine, theirs = (predict_limit(each, one, start).coefficients for each in (network, known))
    np.testing.assert_allclose(mine, theirs, atol=1e-13)


def test_a_start_of_both_signs_is_undecided_and_a_balanced_one_fails():
    network, problem, _ = drawn("S_3", 2, 0)
    found = {}
    for seed in range(6):
        start = Initialization.random(network, 0.5, seed=seed)
        limit = predict_limit(network, problem, start)
        found[limit.assumptions[2].status] = limit
    assert "undecided" in found and "fails" not in found
    balanced = Initialization.balanced(network, 0.5, seed=1)
    with pytest.raises(NoPredictionError, match="definite in every block"):
        predict_limit(network, problem, balanced)


def test_regression_over_other_groups_is_refused_by_name():
    """No theorem: the small-scale limit is not the least nuclear norm."""
    network, problem, start = drawn("S_3", 2, 0)
    with pytest.raises(NoPredictionError, match="Assumption 1"):
        predict_limit(network, Regression(problem.X, problem.y), start)
    one = predict_limit(network, Regression(problem.X[:1], problem.y[:1]), start)
    assert one.theorem in ("Theorem 6", "beyond Theorem 6")
    assert one.certificate.worst <= 1e-12


def test_other_families_are_told():
    network = ConvolutionalNetwork(6, (6, 6))
    problem = Classification(normal(0, (2, 6))[0], [1, -1])
    start = Initialization.random(network, 0.5, gap=0.1)
    with pytest.raises(NoPredictionError, match="a convolution over a group"):
        predict_limit(network, problem, start, theorem=TWO)
    finding = explain(network, problem, start)[TWO]
    assert finding.standing == "does not apply"
    with pytest.raises(InvalidInputError, match="sparse"):
        import scipy.sparse

        group, _, begin = drawn("S_3", 2, 0)
        predict_limit(group, Classification(scipy.sparse.csr_array(problem.X), [1, -1]), begin)


def test_explain_speaks_of_both():
    for depth, name in ((2, TWO), (3, MORE)):
        network, problem, start = drawn("D_4", depth, 3)
        told = explain(network, problem, start)
        assert told.answer.result == name
        assert told[TWO if depth == 3 else MORE].standing == "does not apply"


def test_what_cannot_be_solved_is_refused():
    network, problem, start = drawn("S_3", 2, 0)
    for offset in (1e6, 1e9):
        with pytest.raises(NoPredictionError, match="Subtract offsets"):
            predict_limit(network, Classification(problem.X + offset, problem.y), start)
    whole = Classification([[1, 0, 0, 0, 0, 0], [0, 1, 1, 0, 0, 0]], [1, -1])
    with pytest.raises(NoPredictionError, match="unique"):
        predict_limit(network, whole, start)


@pytest.mark.parametrize("depth", [2, 3])
def test_a_start_at_zero_is_refused(depth):
    network, problem, _ = drawn("S_3", depth, 0)
    start = Initialization([np.zeros(6)] * depth, 1.0)
    with pytest.raises(NoPredictionError, match=r"definite|not Theta = 0"):
        predict_limit(network, problem, start)


@pytest.mark.parametrize("unit", [1e-300, 1e-8, 1e150])
def test_units(unit):
    network, problem, start = drawn("S_3", 2, 5)
    expected = predict_limit(network, problem, start)
    found = predict_limit(network, Classification(problem.X * unit, problem.y), start)
    np.testing.assert_allclose(found.coefficients * unit, expected.coefficients, rtol=1e-12)
    shift = found.loss_rate.log_constant - expected.loss_rate.log_constant
    assert shift == pytest.approx(-np.log(unit), rel=1e-12)


def test_flows_that_still_move_are_undecided():
    """Four layers slide along the smallest margins at 1e6."""
    network = GroupConvolutionalNetwork(table("S_3"), 4)
    rows = normal(6, (2, 6))[0]
    problem, start = Classification(rows, [1.0, 1.0]), Initialization.random(network, 0.5, seed=3)
    limit = predict_limit(network, problem, start)
    (leads,) = [one for one in limit.assumptions if one.assumption == LEADS]
    assert leads.status == "undecided"
    flow = gradient_flow(network, problem, start, until_margin=1e6)
    assert compare(flow, limit).verdict != "DISAGREES"


def test_multipliers_are_the_points_shares_of_the_loss():
    network, problem, start = drawn("S_3", 2, 12)
    sized = Classification(problem.X * np.array([[1.0], [3.0], [0.2]]), problem.y)
    limit = predict_limit(network, sized, start)
    flow = gradient_flow(network, sized, start, until_margin=1e6)
    margins = sized.y * (sized.X @ flow.final_coefficients)
    shares = np.exp(margins.min() - margins)
    np.testing.assert_allclose(limit.dual / limit.dual.sum(), shares / shares.sum(), atol=0.01)
    assert compare(flow, limit).losses[0].error <= 0.01
