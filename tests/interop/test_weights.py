"""Initialization.from_weights: layouts, mappings, and what is refused. No framework is needed."""

import numpy as np
import pytest

import implicitbias as ib

CONNECTED = ib.FullyConnectedNetwork((4, 3, 2))
CONVOLVED = ib.ConvolutionalNetwork(6, (3, 4, 6))
DIAGONAL = ib.DiagonalNetwork(4, 3)
TENSOR = ib.TensorNetwork(np.ones((2, 3, 4)))
NETWORKS = [CONNECTED, CONVOLVED, ib.ConvolutionalNetwork(5, (5, 5)), DIAGONAL, TENSOR]


def layers_of(network, seed=0):
    rng = np.random.default_rng(seed)
    return tuple(rng.standard_normal(shape) for shape in network.parameter_shapes)


def padded_correlation(x, weights):
    """z_i = sum_j x_{i + j - p}, entry by entry, p = (k - 1) // 2 entries padded on the left."""
    d, padding = len(x), (len(weights) - 1) // 2
    z = np.zeros(d)
    for i in range(d):
        for j, weight in enumerate(weights):
            z[i] += x[(i + j - padding) % d] * weight
    return z


@pytest.mark.parametrize("layout", ["torch", "flax"])
@pytest.mark.parametrize("network", NETWORKS, ids=repr)
def test_there_and_back_is_exact(network, layout):
    layers = layers_of(network)
    weights = ib.interop.weights_from_layers(network, layers, layout)
    init = ib.Initialization.from_weights(network, weights, layout)
    assert init.scale == 1.0
    for found, expected in zip(init.parameters(), layers, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_torch_stores_transposes():
    A, B, c = np.arange(12.0).reshape(3, 4), np.arange(6.0).reshape(2, 3), np.array([[5.0, 7.0]])
    W1, W2, w3 = ib.Initialization.from_weights(CONNECTED, [A, B, c]).parameters()
    np.testing.assert_array_equal(W1, A.T)
    np.testing.assert_array_equal(W2, B.T)
    np.testing.assert_array_equal(w3, c[0])
    x = np.array([1.0, -2.0, 3.0, 0.5])
    assert x @ CONNECTED.coefficients((W1, W2, w3)) == pytest.approx((c @ B @ A @ x)[0], rel=1e-14)


def test_flax_stores_them_as_they_are():
    A, B, c = np.arange(12.0).reshape(4, 3), np.arange(6.0).reshape(3, 2), np.array([[5.0], [7.0]])
    found = ib.Initialization.from_weights(CONNECTED, [A, B, c], layout="flax").parameters()
    for one, expected in zip(found, (A, B, c[:, 0]), strict=True):
        np.testing.assert_array_equal(one, expected)


@pytest.mark.parametrize(
    ("layout", "end"), [("torch", (1, 6)), ("flax", (6, 1))], ids=["torch", "flax"]
)
@pytest.mark.parametrize("sizes", [(1,), (2,), (3,), (4,), (6,), (3, 4), (2, 2, 5)], ids=str)
def test_convolutions_are_padded_correlations(sizes, layout, end):
    rng = np.random.default_rng(len(sizes))
    network = ib.ConvolutionalNetwork(6, (*sizes, 6))
    filters, last = [rng.standard_normal(k) for k in sizes], rng.standard_normal(6)
    shaped = [w.reshape((1, 1, -1) if layout == "torch" else (-1, 1, 1)) for w in filters]
    init = ib.Initialization.from_weights(network, [*shaped, last.reshape(end)], layout)
    for x in np.eye(6):
        z = x
        for w in filters:
            z = padded_correlation(z, w)
        found = x @ network.coefficients(init.parameters())
        assert found == pytest.approx(z @ last, rel=1e-12, abs=1e-14)


def test_a_state_dict_in_its_order():
    rng = np.random.default_rng(0)
    state = {
        "first.weight": rng.standard_normal((3, 4)),
        "first.bias": np.zeros(3),
        "second.weight": rng.standard_normal((2, 3)),
        "third.weight": rng.standard_normal((1, 2)),
    }
    found = ib.Initialization.from_weights(CONNECTED, state).parameters()
    np.testing.assert_array_equal(found[0], state["first.weight"].T)
    np.testing.assert_array_equal(found[2], state["third.weight"][0])


def test_nested_parameters_of_flax_in_the_order_of_their_numbers():
    """Trees of JAX come back sorted by name: Dense_10 before Dense_2."""
    widths = (2,) * 12
    network = ib.FullyConnectedNetwork(widths)
    rng = np.random.default_rng(0)
    kernels = [rng.standard_normal(s) for s in (*((2, 2),) * 11, (2, 1))]
    tree = {f"Dense_{i}": {"kernel": kernel} for i, kernel in enumerate(kernels)}
    for params in (tree, dict(sorted(tree.items()))):
        found = ib.Initialization.from_weights(network, {"params": params}, "flax").parameters()
        for one, kernel in zip(found[:-1], kernels, strict=False):
            np.testing.assert_array_equal(one, kernel)
        np.testing.assert_array_equal(found[-1], kernels[-1][:, 0])


def test_float32_weights_are_read_exactly():
    weights = [np.float32([[0.1, 0.2, 0.3, 0.4]] * 3), np.float32([[1, 2, 3]] * 2), np.ones((1, 2))]
    found = ib.Initialization.from_weights(CONNECTED, weights).parameters()
    np.testing.assert_array_equal(found[0], weights[0].astype(np.float64).T)
    assert all(one.dtype == np.float64 for one in found)


GOOD = ib.interop.weights_from_layers(CONNECTED, layers_of(CONNECTED))
NAN = np.full((1, 2), np.nan)


@pytest.mark.parametrize(
    ("weights", "layout", "text"),
    [
        (GOOD, "tensorflow", "layout is 'tensorflow'; expected one of torch, flax."),
        (GOOD, None, "layout is None"),
        (GOOD[:2], "torch", "got 2 weights (weights, entry 1, weights, entry 2)"),
        ([], "torch", "got 0 weights (none)"),
        ({}, "torch", "3 layers, of shapes (3, 4), (2, 3), (1, 2) in the torch layout."),
        (GOOD, "flax", "weights, entry 1 has shape (3, 4); expected (4, 3), layer 1 of"),
        (GOOD, "flax", "That is the torch layout: layout='torch'."),
        ((*GOOD[:2], np.ones((1, 3))), "torch", "entry 3 has shape (1, 3); expected (1, 2)"),
        ((*GOOD[:2], NAN), "torch", "weights, entry 3 contains nan at index (0, 0)"),
        ((*GOOD[:2], [[1, "a"]]), "torch", "weights, entry 3"),
        ((*GOOD[:2], [[1], [2, 3]]), "torch", "is not a rectangular array"),
        (3, "torch", "weights is of type int; expected one array a layer"),
        ("file.pt", "torch", "weights is of type str"),
        ({"0.weight": GOOD[0], "0.bias": [0, 1e-3, 0]}, "torch", "0.bias is a bias with entries"),
        ({"0.weight": GOOD[0], "0.running_mean": [1.0]}, "torch", "0.running_mean"),
        ({"params": {"Dense_0": {"kernel": GOOD[0]}}}, "flax", "params.Dense_0.kernel"),
    ],
)
def test_what_is_refused(weights, layout, text):
    with pytest.raises(ib.InvalidInputError) as error:
        ib.Initialization.from_weights(CONNECTED, weights, layout)
    assert text in str(error.value)


def test_a_flow_starts_where_the_weights_are():
    rng = np.random.default_rng(3)
    problem = ib.Regression(rng.standard_normal((2, 4)), rng.standard_normal(2))
    weights = [rng.uniform(0.5, 1, 4) for _ in range(3)]
    init = ib.Initialization.from_weights(DIAGONAL, weights)
    flow = ib.gradient_flow(DIAGONAL, problem, init)
    np.testing.assert_allclose(flow.coefficients[0], np.prod(weights, axis=0), rtol=1e-14)
