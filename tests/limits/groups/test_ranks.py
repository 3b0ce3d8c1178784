"""Least nuclear norms whose ranks are told by little: refused, or right to what is certified."""

import numpy as np
import pytest

from helpers.groups import convolution_tensor, table
from implicitbias import Classification, Initialization, NoPredictionError, predict_limit
from implicitbias.limits import nuclear_max_margin
from implicitbias.networks import GroupConvolutionalNetwork
from reference import precise_one_point

TWO = "group convolution, two layers"


def answer(network, rows):
    """beta and its certificate, or None where it is refused."""
    start = Initialization.random(network, 0.5, seed=1, gap=0.1)
    try:
        return predict_limit(network, Classification(rows, np.ones(len(rows))), start, theorem=TWO)
    except NoPredictionError:
        return None


def relative(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def near_identity(spread, seed):
    rng = np.random.default_rng(seed)
    return np.eye(6)[0] + spread * rng.standard_normal(6)


def with_slack(network, slack, seed, other):
    """Two points, and the direction of least norm: rank 1 in a block, 1 - slack beside it."""
    rng = np.random.default_rng(seed)
    beta, driver = np.zeros(network.num_features), np.zeros(network.num_features)
    for place, index in enumerate(rng.permutation(len(network.blocks))):
        block = network.blocks[index]
        side = block.dimension
        left, right = (np.linalg.qr(rng.standard_normal((side, side)))[0] for _ in range(2))
        values = np.full(side, 0.5)
        if place == 0:
            values[0] = 1.0
            beta += rng.uniform(0.5, 1.5) * block.part(np.outer(left[:, 0], right[0]))
        beside = 1 if place == 0 else 0
        if beside < side and place == other:
            values[beside] = 1.0 - slack
        driver += block.part(left * values @ right)
    share = rng.uniform(0.2, 1.0, 2)
    share *= float(driver @ beta) / share.sum()
    first = rng.standard_normal(network.num_features)
    first += beta * (1.0 - first @ beta) / (beta @ beta)
    return np.stack([first, (driver - share[0] * first) / share[1]]), beta


@pytest.mark.parametrize("spread", [1e-7, 1e-8, 1e-9, 1e-10])
def test_one_point_whose_singular_values_are_nearly_equal(spread):
    """Cones tell values 1e-9 apart no better than by chance."""
    network, tensor = GroupConvolutionalNetwork(table("S_3"), 2), convolution_tensor("S_3", 2)
    answered = 0
    for seed in range(30):
        x = near_identity(spread, seed)
        limit = answer(network, x[None])
        if limit is None:
            continue
        layers = [np.random.default_rng(seed + 100 * k).standard_normal(6) for k in (1, 2)]
        expected = np.array(precise_one_point.direction(tensor, x, layers, 1.0))
        expected /= expected @ x
        apart = relative(limit.coefficients, expected)
        assert apart <= max(10 * limit.certificate.worst, 1e-15), (seed, apart)
        answered += 1
    assert answered >= 10 if spread > 1e-9 else answered >= 5


@pytest.mark.parametrize("other", [0, 1])
@pytest.mark.parametrize("slack", [1e-7, 1e-8, 1e-9, 1e-12])
def test_two_points_whose_other_singular_values_nearly_reach_1(slack, other):
    """Right to the certificate and what rounding of the rows moves."""
    for seed in range(60):
        network = GroupConvolutionalNetwork(table(("S_3", "D_4")[seed % 2]), 2)
        rows, beta = with_slack(network, slack, seed, other)
        limit = answer(network, rows)
        if limit is not None:
            apart = relative(limit.coefficients, beta)
            determined = limit.assumptions[-1].value
            assert apart <= 10 * max(limit.certificate.worst, 1e-15 / determined), (seed, apart)


@pytest.mark.parametrize("seed", [32, 149, 234, 1148, 1156, 1244, 1435])
def test_another_vertex_is_not_certified(seed):
    """All conditions but the largest singular value's hold at it, 3e-9 from the least norm."""
    network = GroupConvolutionalNetwork(table(("S_3", "D_4")[seed % 2]), 2)
    rows, beta = with_slack(network, 3e-9, seed, 0)
    limit = answer(network, rows)
    apart = 0.0 if limit is None else relative(limit.coefficients, beta)
    assert apart <= 1e-6


def test_the_refusal_names_the_slack():
    network = GroupConvolutionalNetwork(table("S_3"), 2)
    refusals = []
    for seed in range(60):
        rows, _ = with_slack(network, 1e-13, seed, 1)
        start = Initialization.random(network, 0.5, seed=1, gap=0.1)
        problem = Classification(rows, np.ones(2))
        try:
            predict_limit(network, problem, start, theorem=TWO)
        except NoPredictionError as refused:
            refusals.append(str(refused))
    told = [text for text in refusals if "no singular value of R_j" in text]
    assert told and all("known to 1e-12" in text for text in told)


def test_structure_s_equal_singular_values_are_one_part():
    """Where the largest ones are those of a complex kind, they come in pairs."""
    table_of_five = np.add.outer(np.arange(5), np.arange(5)) % 5
    network = GroupConvolutionalNetwork(table_of_five, 2)
    x = np.cos(2 * np.pi * np.arange(5) / 5) + 0.1 * np.eye(5)[1]
    found = nuclear_max_margin(network, x[None])
    assert found.moves <= 1e-12 and found.slack > 0.1 and found.error <= 1e-15
    assert found.beta @ x == pytest.approx(1.0, rel=1e-15)


@pytest.mark.parametrize("height", [1e-9, 1e-8, 1e-10, -1e-9])
def test_points_that_hold_margins_by_little(height):
    """Multipliers and margins that miss their signs by less than what was once let pass."""
    network = GroupConvolutionalNetwork(table("S_3"), 2)
    for seed in range(25):
        rng = np.random.default_rng(seed)
        rows = rng.standard_normal((2, 6))
        alone = nuclear_max_margin(network, rows)
        third = rng.standard_normal(6)
        third += alone.beta * (1 + height - third @ alone.beta) / (alone.beta @ alone.beta)
        found = nuclear_max_margin(network, np.vstack([rows, third]))
        if found is not None and height > 0:  # the third changes nothing
            apart = relative(found.beta, alone.beta)
            assert apart <= 10 * max(found.error, 1e-15 / found.determined), (seed, apart)
        elif found is not None:
            short = 1.0 - float((np.vstack([rows, third]) @ found.beta).min())
            assert short <= max(1e-14, found.error)
