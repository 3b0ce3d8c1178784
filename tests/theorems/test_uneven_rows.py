"""Rows in units far apart: the equations, and so the limits, are those of rows of one size."""

import numpy as np
import pytest

from helpers.draws import normal
from implicitbias import (
    DiagonalNetwork,
    Initialization,
    Regression,
    limit_path,
    limit_paths,
    sensitivity,
)

X, Y = normal(5, (4, 6), 4)
ETA = np.random.default_rng(2).uniform(0.2, 5.0, 6)
UNITS = np.array([40, -38, 5, -41])  # powers of two, by which nothing is rounded
SCALES = [0.0, 1e-6, 1e-3, 0.1, 1.0, 100.0, np.inf]
PRECISE = [
    [
        -2.1007834871343207,
        -0.24500753257520877,
        -4.780949425847942,
        1.1528811910244798,
        4.8750858e-4,
    ],
    [-2.101259006366014, -0.24542730158481038, -4.782023955653704, 1.153029204389836, 5.103524e-29],
]


def uneven():
    return Regression(np.ldexp(X, UNITS[:, None]), np.ldexp(Y, UNITS))


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
def test_limits_are_those_of_rows_of_one_size(depth):
    network = DiagonalNetwork(6, depth)
    directions = Initialization.last_layer_zero(network, ETA, 1.0).directions
    even = limit_path(network, Regression(X, Y), directions, SCALES)
    found = limit_path(network, uneven(), directions, SCALES)
    assert not found.refused.any()
    np.testing.assert_allclose(found.coefficients, even.coefficients, rtol=1e-11, atol=1e-13)
    for one, other in zip(found.limits, even.limits, strict=True):
        if one.dual is not None and other.dual is not None:
            dual = np.ldexp(one.dual, UNITS)
            np.testing.assert_allclose(dual, other.dual, rtol=1e-6)
    (many,) = limit_paths(network, [uneven()], [Initialization(directions, 1.0)], SCALES).paths
    np.testing.assert_allclose(many.coefficients, found.coefficients, rtol=1e-12, atol=1e-14)


def test_four_rows_in_units_thirteen_orders_apart():
    """Five layers; by bisection along the null vector of the rows as fractions, in 120 digits."""
    rows = [
        [10183406.0, 13038798.0, -3480602.0, -19695192.0, -19468026.0],
        [1.66785331e-06, -8.52715131e-07, 1.82837647e-07, 7.50221781e-07, -1.06782651e-06],
        [7.71469477e-07, -7.35682356e-06, -4.17675417e-07, 1.16993896e-05, 1.00547741e-05],
        [18569866.0, 6288730.0, -8704156.0, 2979828.0, -3438325.0],
    ]
    targets = [-30662860.0, -3.3046186e-06, 1.56715799e-05, 4495787.0]
    eta, network = [0.6, 1.3, 0.3, 5.9, 0.2], DiagonalNetwork(5, 5)
    init = Initialization.last_layer_zero(network, eta, 1.0)
    path = limit_path(network, Regression(rows, targets), init.directions, [1.0, 1e-5])
    np.testing.assert_allclose(path.coefficients, PRECISE, rtol=1e-11, atol=1e-11)


def test_sensitivities_are_in_the_units_of_the_rows():
    network = DiagonalNetwork(6, 3)
    init = Initialization.last_layer_zero(network, ETA, 0.5)
    even = sensitivity(network, Regression(X, Y), init)
    found = sensitivity(network, uneven(), init)
    np.testing.assert_allclose(found.by_target * np.ldexp(1.0, UNITS), even.by_target, rtol=1e-9)
    np.testing.assert_allclose(found.by_log_scale, even.by_log_scale, rtol=1e-9)
    for refit in (True, False):
        np.testing.assert_allclose(
            np.ldexp(found.leave_one_out(refit=refit), -UNITS),
            even.leave_one_out(refit=refit),
            rtol=1e-9,
        )
