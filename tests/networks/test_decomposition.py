"""What holds for every orthogonal decomposition, against explicit loops."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given

from helpers.networks import (
    FAMILIES,
    assert_near,
    cases,
    conjugate_pairs,
    laws,
    paired_rows,
    size_of,
)
from implicitbias._errors import InvalidInputError
from implicitbias.networks import OrthogonalDecomposition, OrthogonalNetwork
from implicitbias.networks._assumption import column_rank, orthonormality_defect
from implicitbias.networks._decomposition import real_part
from reference import dense_networks as dense

DECOMPOSABLE = ("diagonal", "full convolutional", "orthogonal", "complex orthogonal")


@laws
@given(cases(families=DECOMPOSABLE))
def test_decomposition_rebuilds_the_data_tensor(case):
    found = case.network.orthogonal_decomposition()
    assert isinstance(found, OrthogonalDecomposition)
    assert found.verdict.holds
    assert found.residual == 0.0
    rebuilt = dense.orthogonal(found.S, found.bases)
    assert_near(rebuilt, case.tensor, np.linalg.norm(case.tensor))
    assert max(map(orthonormality_defect, found.bases)) <= 1e-14
    assert found.S.shape == (found.size, found.num_features)
    assert found.is_real == (not np.iscomplexobj(found.S) and not np.iscomplexobj(found.bases[0]))


@laws
@given(cases(families=DECOMPOSABLE))
def test_coordinates_decouple_the_network(case):
    found = case.network.orthogonal_decomposition()
    p = found.coordinates(case.parameters)
    size = size_of(case.tensor, *case.flat)
    assert p.shape == (found.depth, found.size)
    for row, basis, v in zip(p, found.bases, case.flat, strict=True):
        assert_near(row, basis.T @ v, np.linalg.norm(v))
    beta = found.coefficients(p.prod(axis=0))
    assert_near(beta, case.network.coefficients(case.parameters), size)
    assert_near(found.features(case.X), case.X @ found.S.T, size_of(found.S, case.X))
    assert_near(found.features(case.X[0]), found.S @ case.X[0], size_of(found.S, case.X))


@laws
@given(cases(families=DECOMPOSABLE))
def test_parameters_come_back_from_coordinates(case):
    found = case.network.orthogonal_decomposition()
    p = found.coordinates(case.parameters)
    back = found.parameters(p, remainder_of=case.parameters)
    for layer, given_layer in zip(back, case.parameters, strict=True):
        assert layer.dtype == np.float64
        assert_near(layer, given_layer, np.linalg.norm(given_layer))
    alone = found.parameters(p)
    assert_near(found.coordinates(alone), p, np.linalg.norm(p))
    for v, kept in zip(case.flat, alone, strict=True):
        assert np.linalg.norm(kept) <= np.linalg.norm(v) * (1 + 1e-14)


@laws
@given(cases(families=DECOMPOSABLE))
def test_gradient_flow_moves_the_coordinates_only(case):
    # dp_l/dt = conj(S c * prod of the other p), and nothing outside conj(U_l)'s range.
    found = case.network.orthogonal_decomposition()
    gradients = case.network.layer_gradients(case.parameters, case.direction)
    p = found.coordinates(case.parameters)
    size = size_of(case.tensor, case.direction) * np.prod(1 + np.linalg.norm(p, axis=1))
    speed = found.coordinates(gradients)
    for index, row in enumerate(speed):
        others = np.delete(p, index, axis=0).prod(axis=0)
        assert_near(row, np.conj((found.S @ case.direction) * others), size)
    for gradient, inside in zip(gradients, found.parameters(speed), strict=True):
        assert_near(gradient, inside, size)


def test_it_prints_its_verdict_first():
    found = OrthogonalNetwork(np.eye(2), [np.eye(2)] * 2).orthogonal_decomposition()
    assert str(found.verdict).startswith("holds: Assumption 1")
    assert "m=2, d=2, depth=2, real; holds" in repr(found)


def test_coordinates_of_no_real_layer_are_refused():
    rng = np.random.default_rng(0)
    bases = [conjugate_pairs(rng, 4, 2) for _ in range(2)]
    found = OrthogonalNetwork(paired_rows(rng, 2, 2), bases).orthogonal_decomposition()
    with pytest.raises(InvalidInputError, match="coordinates, layer 1, belong to no real layer"):
        found.parameters([[1j, 2.0], [1.0, 1.0]])
    with pytest.raises(InvalidInputError, match=r"coordinates has shape \(1, 2\)"):
        found.parameters(np.ones((1, 2)))
    with pytest.raises(InvalidInputError, match=r"parameters have shapes \(3,\), \(4,\)"):
        found.coordinates([np.ones(3), np.ones(4)])


def test_small_helpers():
    assert column_rank(np.zeros((0, 3))) == 0
    assert column_rank(np.outer([1.0, 2.0, 3.0], [1.0, 1.0])) == 1
    assert np.array_equal(real_part(np.array([1.0 + 1e-12j]), "v"), [1.0])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_network_derives_its_decomposition_once_and_for_all(family):
    network, _ = FAMILIES[family](np.random.default_rng(3), 3)
    found = network.orthogonal_decomposition()
    assert network.orthogonal_decomposition(1e-10) is found
    assert network.orthogonal_decomposition(tol=1e-6) is not found
    for array in (found.S, *found.bases, found.lengths):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0.0
    with ThreadPoolExecutor(8) as pool:
        many = list(pool.map(lambda _: network.orthogonal_decomposition(1e-4), range(16)))
    assert all(one is many[0] for one in many)


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))]
)
@pytest.mark.parametrize("family", FAMILIES)
def test_copies_derive_their_own_and_stay_immutable(family, copied):
    network, _ = FAMILIES[family](np.random.default_rng(3), 3)
    network.orthogonal_decomposition()
    again = copied(network)
    assert "_derived" not in vars(again)
    for value in vars(again).values():
        for array in value if isinstance(value, tuple) else (value,):
            if isinstance(array, np.ndarray):
                assert not array.flags.writeable
    np.testing.assert_array_equal(
        again.orthogonal_decomposition().S, network.orthogonal_decomposition().S
    )


def test_tolerances_are_positive_numbers():
    network, _ = FAMILIES["diagonal"](np.random.default_rng(3), 3)
    for bad in (0.0, "a", [1e-10], np.nan):
        with pytest.raises(InvalidInputError, match="tol"):
            network.orthogonal_decomposition(bad)
