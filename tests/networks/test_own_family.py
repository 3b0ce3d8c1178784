"""A family that the package does not know is as good as those that it knows."""

import pickle

import numpy as np
import pytest

from helpers.draws import normal
from helpers.families import KnownWeightedNetwork, WeightedNetwork, WrongWeightedNetwork
from helpers.networks import assert_near, random_parameters
from implicitbias import (
    Classification,
    DiagonalNetwork,
    Initialization,
    InvalidInputError,
    OrthogonalDecomposition,
    OrthogonalNetwork,
    Regression,
    TensorNetwork,
    explain,
    gradient_flow,
    limit_path,
    predict_limit,
    sensitivity,
    simulate_limit,
    verify,
)
from reference import dense_networks as dense

WEIGHTS, ORDER = [1.0, -2.0, 0.5, 1.5, 3.0, 1.0], [3, 1, 0, 5, 4, 2]
X, Y = normal(0, (3, 6), 3)
REGRESS, CLASSIFY = Regression(X, Y), Classification(X, [1, -1, 1])
ONE = Regression(X[:1], [0.7])
KINDS = [WeightedNetwork, KnownWeightedNetwork]


def own(kind, depth):
    return kind(WEIGHTS, ORDER, (2, 3), depth)


def equivalent(network):
    """The same network as the package knows it, all layers vectors."""
    return OrthogonalNetwork(network.matrix, [np.eye(6)] * network.depth)


def flat(init):
    return Initialization([v.ravel() for v in init.directions], log_scale=init.log_scale)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("depth", [2, 3])
def test_it_obeys_the_laws(kind, depth):
    network = own(kind, depth)
    layers = random_parameters(network, np.random.default_rng(1))
    tensor = np.stack([network.data_tensor(e) for e in np.eye(6)], axis=-1)
    vectors = [layer.ravel() for layer in layers]
    expected = dense.coefficients(tensor, vectors)
    assert_near(network.coefficients(layers), expected, np.abs(expected).max())
    assert_near(network.predict(layers, X), X @ expected, np.abs(X @ expected).max())
    for mine, other in zip(
        network.layer_gradients(layers, X[0]), dense.gradients(tensor, vectors, X[0]), strict=True
    ):
        assert_near(mine.ravel(), other, np.abs(other).max())


@pytest.mark.parametrize("kind", KINDS)
def test_its_decomposition_is_found_or_known(kind):
    network = own(kind, 3)
    found = network.orthogonal_decomposition()
    assert found.verdict.holds
    assert found.by_structure == (kind is KnownWeightedNetwork)
    assert found.parameter_shapes == network.parameter_shapes
    layers = random_parameters(network, np.random.default_rng(1))
    beta = found.coefficients(np.prod(found.coordinates(layers), axis=0))
    np.testing.assert_allclose(beta, network.coefficients(layers), rtol=1e-12)


def test_a_decomposition_of_another_network_is_refused():
    with pytest.raises(InvalidInputError, match="is not its own"):
        own(WrongWeightedNetwork, 3).orthogonal_decomposition()


@pytest.mark.parametrize("given", [None, "diagonal"])
def test_a_decomposition_is_checked_whatever_the_family_says(given):
    class Careless(WrongWeightedNetwork):
        family = "diagonal"

        def _decompose(self, tol):
            return super()._decompose(tol) if given else None

    with pytest.raises(InvalidInputError, match=r"is not its own|is a NoneType; expected an"):
        own(Careless, 3).orthogonal_decomposition()


def test_a_subclass_of_ours_is_checked_as_well():
    class Doubled(DiagonalNetwork):
        def _coefficients(self, layers):
            return 2.0 * super()._coefficients(layers)

    with pytest.raises(InvalidInputError, match="is not its own"):
        Doubled(3, 2).orthogonal_decomposition()


def test_deep_networks_are_checked_without_overflow():
    assert own(KnownWeightedNetwork, 1000).orthogonal_decomposition().verdict.holds
    with pytest.raises(InvalidInputError, match="is not its own"):
        own(WrongWeightedNetwork, 1000).orthogonal_decomposition()


def test_given_decompositions_are_checked():
    with pytest.raises(InvalidInputError, match="not orthonormal"):
        OrthogonalDecomposition.given(np.eye(2), [np.eye(2), 2.0 * np.eye(2)])
    with pytest.raises(InvalidInputError, match=r"bases have 2, 2 rows.*\(3, 1\)"):
        OrthogonalDecomposition.given(np.eye(2), [np.eye(2)] * 2, [(2,), (3, 1)])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("depth", [2, 3])
def test_regression_is_predicted_simulated_explained(kind, depth):
    network = own(kind, depth)
    first, last = np.linspace(0.5, 1.5, 6).reshape(2, 3), np.zeros(6)
    init = Initialization([*[first] * (depth - 1), last], scale=0.3)
    comparison = verify(network, REGRESS, init)
    assert comparison.agrees, str(comparison)
    assert set(comparison.pairs) == {"parameters - limit", "dual - limit", "parameters - dual"}
    limit = comparison.limit
    assert limit.theorem == "Theorem 5"
    other = equivalent(network)
    expected = predict_limit(other, REGRESS, flat(init))
    np.testing.assert_allclose(limit.coefficients, expected.coefficients, rtol=1e-9)
    assert limit.parameters[0].shape == (2, 3)
    explained = explain(network, REGRESS, init)
    np.testing.assert_array_equal(explained.limit.coefficients, limit.coefficients)
    assert not explained["Corollary 5"].assumptions[0].holds  # not diagonal
    assert gradient_flow(network, REGRESS, init).route == "dual"
    path = limit_path(network, REGRESS, init, [0.0, 0.3, np.inf])
    np.testing.assert_allclose(path.coefficients[1], limit.coefficients, rtol=1e-9)
    slopes = [
        sensitivity(*each).by_target
        for each in ((network, REGRESS, init), (other, REGRESS, flat(init)))
    ]
    np.testing.assert_allclose(*slopes, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("depth", [2, 3])
def test_classification_is_predicted_simulated_explained(kind, depth):
    network = own(kind, depth)
    init = Initialization.random(network, 0.1, seed=1, gap=0.2)
    comparison = verify(network, CLASSIFY, init)
    assert comparison.agrees, str(comparison)
    assert comparison.limit.theorem == "Theorem 2"
    expected = predict_limit(equivalent(network), CLASSIFY, flat(init))
    np.testing.assert_allclose(
        comparison.limit.coefficients, expected.coefficients, rtol=1e-9, atol=1e-9
    )
    assert explain(network, CLASSIFY, init).answer.result == "Theorem 2"
    found = simulate_limit(network, CLASSIFY, init)
    assert found.covered_by == "Theorem 2"
    assert {one.name for one in found.references} >= {"l1 norm of rho"}


@pytest.mark.parametrize("kind", KINDS)
def test_one_point_has_its_svd(kind):
    network = own(kind, 2)
    init = Initialization.random(network, 0.5, seed=1)
    svd = network.point_svd(X[0])
    matrix = network.data_tensor(X[0])
    np.testing.assert_allclose(svd.values, np.linalg.svd(matrix, compute_uv=False), rtol=1e-12)
    tensor = TensorNetwork(np.stack([network.data_tensor(e) for e in np.eye(6)], axis=-1))
    limits = [
        predict_limit(net, ONE, start) for net, start in ((network, init), (tensor, flat(init)))
    ]
    np.testing.assert_allclose(*(limit.coefficients for limit in limits), rtol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_starts_are_made_for_it(kind):
    network = own(kind, 3)
    balanced = Initialization.balanced(network, 1.0, seed=2)
    assert np.abs(network.conserved(balanced.directions)).max() <= 1e-12
    lengths = np.abs(network.orthogonal_decomposition().coordinates(balanced.directions))
    np.testing.assert_allclose(lengths, np.tile(lengths[0], (3, 1)), rtol=1e-12)
    start = Initialization.last_layer_zero(network, np.ones((2, 3)), 0.1)
    assert [v.shape for v in start.directions] == [(2, 3), (2, 3), (6,)]


def test_it_travels():
    network = own(KnownWeightedNetwork, 3)
    network.orthogonal_decomposition()
    again = pickle.loads(pickle.dumps(network))
    assert not again.matrix.flags.writeable
    np.testing.assert_array_equal(
        again.orthogonal_decomposition().S, network.orthogonal_decomposition().S
    )
