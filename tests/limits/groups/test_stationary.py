"""Least nuclear norms and stationary Schatten quasi-norms over groups."""

from fractions import Fraction

import numpy as np
import pytest

from helpers.draws import normal
from helpers.groups import table
from implicitbias.flow import gradient_flow
from implicitbias.initialization import Initialization
from implicitbias.limits import nuclear_max_margin, schatten_sum, stationary_margin
from implicitbias.limits.groups._exact import exact_residuals
from implicitbias.networks import GroupConvolutionalNetwork
from implicitbias.problems import Classification
from reference import group_margins as reference


@pytest.mark.parametrize(
    ("name", "n", "scale"),
    [("S_3", 1, 1.0), ("S_3", 4, 1e-8), ("D_4", 3, 1e8), ("Q_8", 5, 1.0), ("A_4", 6, 1.0)],
)
def test_the_least_nuclear_norm(name, n, scale):
    network = GroupConvolutionalNetwork(table(name), 2)
    rows = normal(3, (n, network.num_features))[0]
    value, point = reference.least_nuclear(table(name), rows)
    found = nuclear_max_margin(network, scale * rows)
    mine = network.num_features * schatten_sum(network, scale * found.beta)
    assert mine == pytest.approx(value, rel=1e-8)
    np.testing.assert_allclose(  # the reference's value is flat: the root of its accuracy
        scale * found.beta, point, atol=1e-3 * np.abs(point).max()
    )
    assert (rows @ (scale * found.beta)).min() >= 1 - 1e-14
    assert found.gap <= 1e-13
    assert_conditions(network, scale * rows, found)
    assert found.stationarity <= 1e-13
    assert found.error <= 1e-14
    assert found.kappa < 1.0


def test_points_of_very_different_sizes():
    network = GroupConvolutionalNetwork(table("S_3"), 2)
    rows = normal(5, (3, 6))[0]
    lengths = np.array([1.0, 1e8, 1e-9])  # the last is the only one that holds
    alone = nuclear_max_margin(network, rows[2:] * 1e-9)
    rows[:2] *= np.sign(rows[:2] @ alone.beta)[:, None]
    found = nuclear_max_margin(network, rows * lengths[:, None])
    np.testing.assert_allclose(found.beta, alone.beta, rtol=1e-12)
    assert found.gap <= 1e-12
    assert_conditions(network, rows * lengths[:, None], found)


def test_equal_points_share_their_multiplier():
    network = GroupConvolutionalNetwork(table("D_4"), 2)
    rows = normal(4, (3, 8))[0]
    once = nuclear_max_margin(network, rows)
    twice = nuclear_max_margin(network, np.vstack([rows, rows[:1]]))
    np.testing.assert_allclose(twice.beta, once.beta, rtol=1e-12)
    assert twice.multipliers[[0, 3]].sum() == pytest.approx(once.multipliers[0], rel=1e-6)
    assert twice.moves <= 1e-12


def test_several_points_of_one_norm_are_seen():
    """The unit at two elements of order two: any share of the margin 1 between them is as good."""
    network = GroupConvolutionalNetwork(table("Z_2^3"), 2)
    rows = np.zeros((1, 8))
    rows[0, :] = network.group.characters()[1] + network.group.characters()[2]
    found = nuclear_max_margin(network, rows)
    assert max(found.moves, found.kappa) > 1 - 1e-6


@pytest.mark.parametrize(("name", "depth"), [("S_3", 3), ("Q_8", 3), ("S_3", 4)])
def test_stationary_points_of_more_layers(name, depth):
    network = GroupConvolutionalNetwork(table(name), depth)
    rows = normal(6, (2, network.num_features))[0]
    problem = Classification(rows, np.ones(2))
    start = Initialization.random(network, 0.5, seed=3)
    flow = gradient_flow(network, problem, start, until_margin=1e6)
    found = stationary_margin(network, rows, np.stack(flow.final_parameters))
    driver = found.multipliers @ rows
    left = reference.stationarity(table(name), found.beta, driver, 2.0 / depth)
    assert left <= 1e-12
    assert found.stationarity <= 1e-12
    assert found.curvature >= -1e-12
    apart = np.linalg.norm(flow.final_direction - found.beta) / np.linalg.norm(found.beta)
    assert (apart <= 0.1) == (depth == 3)  # four layers slide on from there
    norms = np.linalg.norm(found.layers, axis=1)
    np.testing.assert_allclose(norms, norms[0], rtol=1e-12)
    squares = np.square(np.linalg.norm(found.layers[0]))
    assert found.value == pytest.approx(squares, rel=1e-12)
    assert found.value == pytest.approx(schatten_sum(network, found.beta), rel=1e-12)
    assert_conditions(network, rows, found)


def assert_conditions(network, rows, found):
    """In the units of the rows that were given."""
    layers = tuple(found.layers)
    gradients = network.layer_gradients(layers, found.multipliers @ rows)
    np.testing.assert_allclose(gradients, layers, atol=1e-12 * np.abs(layers).max())
    beta = network.coefficients(layers)
    np.testing.assert_allclose(beta, found.beta, atol=1e-12 * np.abs(found.beta).max())
    assert found.multipliers.sum() == pytest.approx(found.value, rel=1e-12)


def test_residuals_are_exact():
    """Against fractions, in loops."""
    network = GroupConvolutionalNetwork(table("S_3"), 3)
    rng = np.random.default_rng(0)
    w, a, Z, t = rng.normal(size=(3, 6)), rng.normal(size=2), rng.normal(size=(2, 6)), np.ones(2)
    left = exact_residuals(network, w, a, Z, t)
    exact = [[Fraction(value) for value in layer] for layer in w.tolist()]
    c = [
        sum(Fraction(x) * Fraction(z) for x, z in zip(a.tolist(), col, strict=True))
        for col in Z.T.tolist()
    ]
    product, T = [Fraction(0)] * 6, table("S_3")
    gradient = [[Fraction(0)] * 6 for _ in range(3)]
    for i in range(6):
        for j in range(6):
            for k in range(6):
                h = T[T[i, j], k]
                u, v, x = exact[0][i], exact[1][j], exact[2][k]
                product[h] += u * v * x
                gradient[0][i] += c[h] * v * x
                gradient[1][j] += c[h] * u * x
                gradient[2][k] += c[h] * u * v
    assert left.beta.tolist() == [float(value) for value in product]
    for index in range(3):
        expected = [float(v - d) for v, d in zip(exact[index], gradient[index], strict=True)]
        assert left.layers[index].tolist() == expected
    margins = [
        1 - sum(Fraction(z) * b for z, b in zip(row, product, strict=True)) for row in Z.tolist()
    ]
    assert left.margins.tolist() == [float(value) for value in margins]


def test_layers_that_do_not_separate_lead_nowhere():
    network = GroupConvolutionalNetwork(table("S_3"), 3)
    assert stationary_margin(network, np.ones((1, 6)), -np.ones((3, 6))) is None
