"""Convolutions over groups: tables that are none, representations, the cyclic case."""

import pickle
from ast import literal_eval

import numpy as np
import pytest

from helpers.groups import GROUPS, table
from helpers.networks import assert_near, random_parameters
from implicitbias._errors import InvalidInputError
from implicitbias.initialization import Initialization
from implicitbias.networks import ConvolutionalNetwork, GroupConvolutionalNetwork

# A Latin square with an identity whose product is not associative.
LOOP = np.array(
    [[0, 1, 2, 3, 4], [1, 0, 3, 4, 2], [2, 4, 0, 1, 3], [3, 2, 4, 0, 1], [4, 3, 1, 2, 0]]
)
KINDS = {  # (dimension, multiplicity) of the real irreducible representations
    "C_6": [(1, 1), (1, 1), (2, 1), (2, 1)],
    "Z_2 x Z_4": [(1, 1)] * 4 + [(2, 1)] * 2,
    "S_3": [(1, 1), (1, 1), (2, 2)],
    "D_4": [(1, 1)] * 4 + [(2, 2)],
    "Q_8": [(1, 1)] * 4 + [(4, 1)],
    "A_4": [(1, 1), (2, 1), (3, 3)],
}


def cyclic(order):
    return np.add.outer(np.arange(order), np.arange(order)) % order


def changed(array, place, value):
    array = np.array(array)
    array[place] = value
    return array


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.zeros((2, 3)), r"shape \(2, 3\)"),
        ([0, 1], "expected shape"),
        ([["e"]], "numbers"),
        (cyclic(3) + 0.5, r"table\[0, 0\] is 0.5"),
        (changed(cyclic(3), (1, 2), 7), r"table\[1, 2\] is 7"),
        (changed(cyclic(3), (1, 2), -1), r"table\[1, 2\] is -1"),
        (np.array([[0, np.nan], [1, 0]]), "contains nan"),
        ((cyclic(3) + 1) % 3 @ np.eye(3, dtype=int)[::-1], "no identity"),
        (np.array([[0, 1], [0, 1]]), r"no identity \(element 0 has e a = a"),
        (changed(cyclic(4), (2, 3), 2), r"row 2 has 2 twice, for the pairs \(2, 0\) and \(2, 3\)"),
        (LOOP, r"\(a b\) c != a \(b c\) for \(a, b, c\) = "),
        (np.zeros((2049, 2049)), "at most 2048"),
    ],
)
def test_what_is_no_group_is_refused(given, words):
    with pytest.raises(InvalidInputError, match=words):
        GroupConvolutionalNetwork(given, 2)


def test_the_triple_that_is_named_does_not_associate():
    with pytest.raises(InvalidInputError) as refused:
        GroupConvolutionalNetwork(LOOP, 2)
    a, b, c = literal_eval(str(refused.value).split("(a, b, c) = ")[1].split(":")[0])
    assert LOOP[LOOP[a, b], c] != LOOP[a, LOOP[b, c]]


@pytest.mark.parametrize("depth", [1, 2.5, 0, True, "2", 10**5])
def test_depths_that_are_none(depth):
    with pytest.raises(InvalidInputError, match="depth"):
        GroupConvolutionalNetwork(cyclic(3), depth)


def test_a_table_as_it_may_come():
    expected = GroupConvolutionalNetwork(cyclic(4), 2)
    given = cyclic(4).astype(float)
    given.setflags(write=False)
    for one in (given, cyclic(4).tolist(), cyclic(4).astype(np.uint8)):
        network = GroupConvolutionalNetwork(one, 2)
        np.testing.assert_array_equal(network.table, expected.table)
    ours = cyclic(4)
    network = GroupConvolutionalNetwork(ours, 2)
    ours[:] = 0
    np.testing.assert_array_equal(network.table, cyclic(4))
    with pytest.raises(ValueError, match="read-only"):
        network.table[0, 0] = 1


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("order", [1, 2, 5, 8])
def test_cyclic_groups_are_circular_convolutions(order, depth):
    network = GroupConvolutionalNetwork(cyclic(order), depth)
    known = ConvolutionalNetwork(order, (order,) * depth)
    rng = np.random.default_rng(order)
    layers, x = random_parameters(known, rng), rng.standard_normal(order)
    np.testing.assert_array_equal(network.data_tensor(x), known.data_tensor(x))
    assert_near(network.coefficients(layers), known.coefficients(layers), order**depth, 1e-14)
    mine, theirs = network.orthogonal_decomposition(), known.orthogonal_decomposition()
    assert mine.is_real == theirs.is_real
    assert_near(mine.S, theirs.S, order**depth, 1e-15)
    assert_near(mine.bases[0], theirs.bases[0], 1.0, 1e-15)
    norms = np.abs(network.conserved(network.balanced(layers)))
    assert norms.max() <= 1e-12 * sum(layer @ layer for layer in layers)


@pytest.mark.parametrize("name", KINDS)
def test_representations(name):
    """Homomorphisms by orthogonal matrices of the known sizes, with Plancherel's formula."""
    network = GroupConvolutionalNetwork(table(name), 2)
    g = network.num_features
    assert [(block.dimension, block.multiplicity) for block in network.blocks] == KINDS[name]
    rng = np.random.default_rng(0)
    u, w = rng.standard_normal((2, g))
    inner, parts = 0.0, np.zeros(g)
    for block in network.blocks:
        products = block.matrices[:, None] @ block.matrices[None]
        assert_near(products, block.matrices[network.table], 1.0, 1e-14)
        inverses = block.matrices[network.group.inverses]
        assert_near(inverses, block.matrices.transpose(0, 2, 1), 1.0, 1e-14)
        inner += block.multiplicity * np.vdot(block.of(u), block.of(w))
        parts += block.part(block.of(w))
        both = block.of(u) @ block.of(w)
        assert_near(block.of(network.coefficients((u, w))), both, g * g, 1e-14)
    assert inner == pytest.approx(g * (u @ w), abs=1e-12)
    assert_near(parts, w, 1.0, 1e-14)


@pytest.mark.parametrize("name", ["C_6", "Z_2 x Z_4", "Z_2^3"])
def test_characters_of_abelian_groups(name):
    network = GroupConvolutionalNetwork(table(name), 3)
    characters = network.group.characters()
    products = characters[:, :, None] * characters[:, None, :]
    assert_near(characters[:, network.table], products, 1.0, 1e-15)
    g = network.num_features
    assert_near(characters @ characters.conj().T, g * np.eye(g) + 0 * characters, g, 1e-15)
    decomposition = network.orthogonal_decomposition()
    assert decomposition.verdict.holds
    assert decomposition.is_real == (name == "Z_2^3")


@pytest.mark.parametrize("name", ["S_3", "A_4", "Q_8"])
def test_others_have_no_decomposition(name):
    """What the characters of dimension one leave over: sqrt(1 - 1/|commutator subgroup|)."""
    network = GroupConvolutionalNetwork(table(name), 3)
    found = network.orthogonal_decomposition()
    count = {"S_3": 2, "A_4": 3, "Q_8": 4}[name]
    assert found.verdict.fails
    assert found.size == count
    x = np.random.default_rng(0).standard_normal(network.num_features)
    tensor = np.einsum("j,aj,bj,cj->abc", found.S @ x, *found.bases)
    rest = np.linalg.norm(network.data_tensor(np.eye(len(x))[1]))
    assert rest == pytest.approx(network.num_features)
    one = np.einsum("j,aj,bj,cj->abc", found.S[:, 1], *found.bases)
    left = np.linalg.norm(network.data_tensor(np.eye(len(x))[1]) - one) / rest
    assert found.residual == pytest.approx(left, rel=1e-12)
    assert np.abs(tensor.imag).max() <= 1e-14


@pytest.mark.parametrize("name", ["S_3", "Q_8", "C_6"])
def test_a_gap(name):
    """w_1^T w_1 - w_2 w_2^T is at least the gap, in every block, with equality in one."""
    network = GroupConvolutionalNetwork(table(name), 2)
    first, second = Initialization.random(network, 1.0, seed=1, gap=0.7).directions
    least = [
        np.linalg.eigvalsh(
            block.of(first).T @ block.of(first) - block.of(second) @ block.of(second).T
        )
        for block in network.blocks
    ]
    smallest = min(values[0] for values in least)
    assert smallest >= 0.7 * (1 - 1e-12)
    if name != "C_6":  # there, coordinate by coordinate
        assert smallest == pytest.approx(0.7, rel=1e-9)
    wide = Initialization.random(network, 1.0, seed=1, gap=1e-3).directions
    np.testing.assert_array_equal(wide[1], second)


def test_no_gap_for_more_layers():
    network = GroupConvolutionalNetwork(table("S_3"), 3)
    with pytest.raises(InvalidInputError, match="gap"):
        Initialization.random(network, 1.0, gap=0.1)


def test_it_survives_pickling_and_is_immutable():
    network = GroupConvolutionalNetwork(table("S_3"), 2)
    blocks = network.blocks
    again = pickle.loads(pickle.dumps(network))
    assert repr(again) == repr(network) == "GroupConvolutionalNetwork(a group of order 6, depth=2)"
    np.testing.assert_array_equal(again.blocks[-1].matrices, blocks[-1].matrices)
    assert "abelian" in repr(GroupConvolutionalNetwork(cyclic(3), 2))
    with pytest.raises(AttributeError):
        network.table = cyclic(6)


def test_orders_of_the_groups():
    orders = {"S_3": 6, "D_4": 8, "Q_8": 8, "A_4": 12, "Z_2 x Z_4": 8, "Z_2^3": 8}
    assert {name: len(GROUPS[name]) for name in orders} == orders
