"""The SVD of M(x) by structure against that of M(x) itself."""

import numpy as np
import pytest

from helpers.draws import normal
from helpers.networks import FAMILIES
from implicitbias import Classification, Initialization, OrthogonalNetwork, predict_limit


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_structure_gives_the_svd_of_the_data_tensor(family, seed):
    rng = np.random.default_rng(seed)
    network, _ = FAMILIES[family](rng, 2)
    x = rng.standard_normal(network.num_features)
    svd, matrix = network.point_svd(x), network.data_tensor(x)
    left, right = (np.array([lift(e) for e in np.eye(svd.values.size)]).T for lift in svd.lift)
    np.testing.assert_allclose((left * svd.values) @ right.T, matrix, atol=1e-12)
    for basis, project in zip((left, right), svd.project, strict=True):
        np.testing.assert_allclose(basis.T @ basis, np.eye(svd.values.size), atol=1e-12)
        (v,) = normal(seed, len(basis))
        np.testing.assert_allclose(project(v), basis.T @ v, atol=1e-12)


def test_values_that_rounding_tells_apart_are_tied():
    """(0.1 + 0.2) + 0.3 and (0.3 + 0.2) + 0.1: exact projections do not make S x exact."""
    S = np.array([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1], [0.0, 0.0, 0.1]])
    network = OrthogonalNetwork(S, [np.eye(3)] * 2)
    svd = network.point_svd(np.ones(3))
    assert svd.exact
    assert svd.values[0] - svd.values[1] <= svd.tied * svd.values[0]
    first, second = np.array([1.0, 0.5, 0.2]), np.array([0.1, 0.2, 0.1])
    init = Initialization([first, second], scale=0.3)
    limit = predict_limit(network, Classification(np.ones((1, 3)), [1.0]), init)
    rho = (first + second)[:2] ** 2  # the start decides within the space of both
    beta = rho @ S[:2]
    np.testing.assert_allclose(limit.coefficients, beta / beta.sum(), rtol=1e-12)
