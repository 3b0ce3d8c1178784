"""Tensor networks from einsum specifications and from functions."""

import numpy as np
import pytest

from helpers.draws import normal
from helpers.networks import random_parameters
from implicitbias._errors import InvalidInputError
from implicitbias.networks import (
    ConvolutionalNetwork,
    DiagonalNetwork,
    FullyConnectedNetwork,
    TensorNetwork,
)

A, B = normal(0, (3, 4, 5), (2, 5))
SHIFTS = np.zeros((3, 5, 5))
for j, k in np.ndindex(3, 5):
    SHIFTS[j, k, (j + k) % 5] = 1.0
einsum, from_callable = TensorNetwork.from_einsum, TensorNetwork.from_callable


FAMILIES = [
    (einsum("x,x,x->", (5,), (5,), (5,)), DiagonalNetwork(5, 3)),
    (einsum("xa,ab,b->", (5, 3), (3, 2), (2,)), FullyConnectedNetwork((5, 3, 2))),
    (einsum("xa,a->", tuple(np.array([5, 3])), (3,)), FullyConnectedNetwork((5, 3))),
    (einsum("a, b, abx", (3,), (5,), SHIFTS), ConvolutionalNetwork(5, (3, 5))),
    (einsum("abx,a,b->", A, (3,), (4,)), TensorNetwork(A)),
    (
        from_callable(lambda x, W, V, v: x @ W @ V @ v, 5, [(5, 3), (3, 2), 2]),
        FullyConnectedNetwork((5, 3, 2)),
    ),
    (
        from_callable(lambda x, v, w: sum(v[j] * x @ np.roll(w, j) for j in range(3)), 5, [3, 5]),
        ConvolutionalNetwork(5, (3, 5)),
    ),
]


@pytest.mark.parametrize(("found", "expected"), FAMILIES)
def test_the_families_are_recovered(found, expected):
    layers = random_parameters(expected, np.random.default_rng(1))
    assert found.layer_sizes == expected.layer_sizes
    flat = [layer.ravel() for layer in layers]
    np.testing.assert_allclose(found.coefficients(flat), expected.coefficients(layers), rtol=1e-12)
    x = np.arange(5.0)
    np.testing.assert_allclose(found.data_tensor(x), expected.data_tensor(x), atol=1e-14)


def test_a_sum_that_is_no_family_agrees_with_einsum():
    rng = np.random.default_rng(2)
    V, W, U = rng.normal(size=(3, 2, 5)), rng.normal(size=(2, 4, 5)), rng.normal(size=(4, 4))
    network = einsum("abx,bcx,cc,ke,kx->", V.shape, W.shape, U.shape, (2, 3), B)
    layers = [V, W, U, rng.normal(size=(2, 3))]
    expected = np.einsum("abx,bcx,cc,ke,kx->x", *layers, B)
    found = network.coefficients([layer.ravel() for layer in layers])
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert network.layer_sizes == (30, 40, 16, 6)


BAD = [
    (lambda: einsum(3, (2,), (2,)), "expected a string"),
    (lambda: einsum("ax,a->x", (2, 3), (2,)), "nothing behind '->'"),
    (lambda: einsum("a1,a->", (2, 3), (2,)), "letters for the indices"),
    (lambda: einsum("ax,a->", (2, 3)), "names 2 operands and 1 were given"),
    (lambda: einsum("ab,b->", (2, 3), (3,)), "does not use the index 'x'"),
    (lambda: einsum("ax,a->", (2, 3), (4,)), "index 'a' of 'ax,a->' has size 2"),
    (lambda: einsum("ax,a->", (2,), (2,)), "operand 1 has shape (2,)"),
    (lambda: einsum("ax,a->", (2, 0), (2,)), "sizes >= 1"),
    (lambda: einsum("ax,a->", np.ones((2, 3)), (2,)), "has 1 layers among its operands"),
    (lambda: einsum("ax,a,b->", np.full((2, 3), np.nan), (2,), (2,)), "operand 1 contains nan"),
    (lambda: einsum("xa,ab,b->", (50, 50), (50, 50), (50,)), "1.56e+10 entries"),
    (lambda: from_callable(3, 2, [2, 2]), "function is 3"),
    (lambda: from_callable(lambda x, v: x @ v, 2, [2]), "at least 2"),
    (lambda: from_callable(lambda x, v, w: x @ (v * w), 2, [2, "w"]), "entry 2, is 'w'"),
    (lambda: from_callable(lambda x, v, w: x @ (v * w), 2, [2, ()]), "expected a shape"),
    (lambda: from_callable(lambda x, v, w: x @ (v * w) + 1, 2, [2, 2]), "not linear in x, of"),
    (lambda: from_callable(lambda x, v, w: x @ (v * v * w), 2, [2, 2]), "not linear in layer 1"),
    (lambda: from_callable(lambda x, v, w: x @ (v * np.tanh(w)), 2, [2, 2]), "linear in layer 2"),
    (lambda: from_callable(lambda x, v, w: v * w, 2, [2, 2]), "float64 of shape (2,)"),
    (lambda: from_callable(lambda x, v: x @ v, 2, [2, 2]), "could not be called with arrays"),
    (lambda: from_callable(lambda x, v, w: x @ (v * w), 200, [200, 200]), "8e+06 calls"),
]


@pytest.mark.parametrize(("call", "text"), BAD, ids=[text for _, text in BAD])
def test_what_is_no_tensor_network_is_refused(call, text):
    with pytest.raises(InvalidInputError) as caught:
        call()
    assert text in str(caught.value)


def test_the_violation_is_measured():
    with pytest.raises(InvalidInputError, match=r"by [0-9.e-]+ of their size"):
        from_callable(lambda x, v, w: x @ (v * w) * (1 + 1e-4 * abs(v[0])), 2, [2, 2])
