"""What PyTorch computes is what the network computes: outputs, gradients, fifty steps."""

import numpy as np
import pytest

import implicitbias as ib
from helpers.torch_modules import (
    Product,
    connected,
    convolved,
    numbers,
    output,
    relative,
    torch,
)

MODULES = {
    "fully connected, L = 2": lambda: connected(6, 4),
    "fully connected, L = 3": lambda: connected(6, 4, 5),
    "filters of 3": lambda: convolved(8, 3),
    "filters of full length": lambda: convolved(8, 8),
    "filters of even length, L = 3": lambda: convolved(8, 4, 2),
    "diagonal, L = 3": lambda: Product(6, 3),
}
NETWORKS = {
    "tensor": lambda rng: ib.TensorNetwork(rng.standard_normal((3, 2, 4, 6))),
    "orthogonal": lambda rng: ib.OrthogonalNetwork(
        rng.standard_normal((4, 4)),
        [np.linalg.qr(rng.standard_normal((k, 4)))[0] for k in (4, 5, 6)],
    ),
}
STEPS = 50


@pytest.fixture(params=[*MODULES, *NETWORKS])
def trained(request):
    """A module, its network and parameters, X and y; weights of size 1 / sqrt(6) and 1."""
    torch.manual_seed(0)
    rng = np.random.default_rng(1)
    if request.param in MODULES:
        module = MODULES[request.param]()
        network, parameters = ib.from_torch(module)
    else:
        network = NETWORKS[request.param](rng)
        parameters = tuple(rng.standard_normal(shape) for shape in network.parameter_shapes)
        module = ib.to_torch(network, parameters)
    X = rng.standard_normal((5, network.num_features))
    return module, network, parameters, X, rng.standard_normal(5)


def sizes_of_terms(network, parameters):
    """beta's sums of |terms| and a function that gives those of the layers' gradients."""
    absolute = [np.abs(layer) for layer in parameters]
    if network.family == "tensor":
        network = ib.TensorNetwork(np.abs(network.tensor))
    elif network.family == "orthogonal":
        tensors = [network.data_tensor(x) for x in np.eye(network.num_features)]
        network = ib.TensorNetwork(np.abs(np.stack(tensors, axis=-1)))
    return network.coefficients(absolute), lambda c: network.layer_gradients(absolute, c)


def squared_loss(module, X, y):
    residual = module(torch.from_numpy(X)).reshape(-1) - torch.from_numpy(y)
    return (residual**2).sum() / 2


def test_outputs_agree(trained):
    """|f(x) - x^T beta| against the sum of |terms| in f(x)."""
    module, network, parameters, X, _ = trained
    beta = network.coefficients(parameters)
    size = np.abs(X) @ sizes_of_terms(network, parameters)[0]
    assert relative(X @ beta, output(module, X), size) <= 1e-15
    assert relative(network.predict(parameters, X), output(module, X), size) <= 1e-15


def test_gradients_agree(trained):
    """Autograd of |f(X) - y|^2 / 2 against ``layer_gradients``, in the sums of |terms|."""
    module, network, parameters, X, y = trained
    squared_loss(module, X, y).backward()
    found = numbers(parameter.grad for parameter in module.parameters())
    residual = X @ network.coefficients(parameters) - y
    expected = network.layer_gradients(parameters, X.T @ residual)
    bound = sizes_of_terms(network, parameters)[1](np.abs(X).T @ np.abs(residual))
    for one, other, size in zip(
        found,
        ib.interop.weights_from_layers(network, expected),
        ib.interop.weights_from_layers(network, bound),
        strict=True,
    ):
        assert relative(one, other, size) <= 1e-14


def test_fifty_steps_agree(trained):
    """torch.optim.SGD against the same steps in NumPy, in the largest weight of each layer."""
    module, network, parameters, X, y = trained
    optimizer = torch.optim.SGD(module.parameters(), lr=0.002)
    start, before = [layer.copy() for layer in parameters], squared_loss(module, X, y).item()
    for _ in range(STEPS):
        optimizer.zero_grad()
        squared_loss(module, X, y).backward()
        optimizer.step()
        residual = X @ network.coefficients(parameters) - y
        gradients = network.layer_gradients(parameters, X.T @ residual)
        parameters = tuple(
            layer - 0.002 * gradient for layer, gradient in zip(parameters, gradients, strict=True)
        )
    assert squared_loss(module, X, y).item() < before
    for layer, first in zip(parameters, start, strict=True):
        assert np.abs(layer - first).max() > 1e-4  # it moved
    expected = ib.interop.weights_from_layers(network, parameters)
    for one, other in zip(numbers(module.parameters()), expected, strict=True):
        assert relative(one, other, np.abs(other).max()) <= 1e-13
