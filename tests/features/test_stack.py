"""Stacks of matrices: the products of every member, also beyond float64."""

from fractions import Fraction

import numpy as np
import pytest

from implicitbias.features import Dense, Sparse, Stack, stackable

COUNT, N, M = 20, 4, 7


def members(shared):
    rng = np.random.default_rng(7)
    one = [Dense(rng.standard_normal((N, M)) * 10.0 ** rng.integers(-3, 4, (N, M)))]
    return one * COUNT if shared else one + [Dense(rng.standard_normal((N, M))) for _ in range(19)]


@pytest.mark.parametrize("shared", [True, False])
def test_products_are_those_of_every_member(shared):
    rng = np.random.default_rng(8)
    features = members(shared)
    stack = Stack.of(features)
    v, nu = rng.standard_normal((2, COUNT, M)), rng.standard_normal((2, COUNT, N))
    for part, index in ((stack, np.arange(COUNT)), (stack.take(np.array([3, 17])), [3, 17])):
        assert len(part) == len(index)
        for row, member in enumerate(index):
            Z = features[member].toarray()
            at = np.ix_([0, 1], index)
            np.testing.assert_allclose(part.times(v[at])[:, row], v[:, member] @ Z.T, rtol=1e-12)
            np.testing.assert_allclose(part.transposed(nu[at])[:, row], nu[:, member] @ Z)
            sizes = part.absolute(v[0][index]), part.absolute_transposed(nu[0][index])
            np.testing.assert_allclose(sizes[0][row], np.abs(Z) @ np.abs(v[0, member]))
            np.testing.assert_allclose(sizes[1][row], np.abs(Z).T @ np.abs(nu[0, member]))
            rows, columns = (np.broadcast_to(each, (len(index), each.shape[-1]))[row]
                             for each in part.lengths)  # fmt: skip
            assert np.all(rows >= np.linalg.norm(Z, axis=1))
            assert np.all(columns >= np.linalg.norm(Z, axis=0))


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("index", [np.arange(COUNT), np.array([5, 2, 19])])
def test_gram_matrices_are_those_of_some_members(shared, index):
    rng = np.random.default_rng(9)
    features = members(shared)
    weights = rng.uniform(0.0, 1.0, (index.size, M))
    grams = Stack.of(features).gram(weights, index)
    for gram, member, weight in zip(grams, index, weights, strict=True):
        Z = features[member].toarray()
        np.testing.assert_allclose(gram, (Z * weight) @ Z.T, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shared", [True, False])
def test_residuals_hold_75_bits(shared):
    rng = np.random.default_rng(10)
    features = members(shared)
    stack = Stack.of(features)
    v = rng.standard_normal((COUNT, M)) * 10.0 ** rng.integers(-8, 9, (COUNT, M))
    nu = rng.standard_normal((COUNT, N))
    y, c = stack.times(v), stack.transposed(nu)  # so that nearly all cancels
    for found, vectors, targets, turn in (
        (stack.residual(v, y), v, y, np.asarray),
        (stack.transposed_residual(nu, c), nu, c, np.transpose),
    ):
        for b in range(COUNT):
            matrix = turn(features[b].toarray())
            size = np.abs(matrix).max(axis=1) * np.abs(vectors[b]).max() * matrix.shape[1]
            for row, target, got, bound in zip(matrix, targets[b], found[b], size, strict=True):
                terms = zip(row, vectors[b], strict=True)
                exact = Fraction(target) - sum(Fraction(a) * Fraction(x) for a, x in terms)
                assert abs(Fraction(got) - exact) <= 2.0**-70 * bound


def test_what_can_be_stacked():
    rng = np.random.default_rng(11)
    Z = rng.standard_normal((3, 5))
    assert stackable(Dense(Z))
    assert not stackable(Dense(Z * 1e200))
    assert not stackable(Dense(np.zeros((0, 5))))
    assert not stackable(Dense(Z + 1j))
    from scipy.sparse import csr_array

    assert not stackable(Sparse(csr_array(Z)))
