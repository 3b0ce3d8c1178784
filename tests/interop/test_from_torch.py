"""Which network a module is: read off its layers, or found by evaluating it."""

import warnings

import numpy as np
import pytest

import implicitbias as ib
from helpers.torch_modules import (
    Function,
    Product,
    connected,
    convolution,
    convolved,
    functional,
    nn,
    numbers,
    output,
    torch,
)


def unpadded(d, size):
    return convolved(d - size + 1, convolution(size, padding=0))


def wrapped(X, weights, left):
    """Circular correlation, written by hand, with ``left`` entries padded on the left."""
    padded = functional.pad(X[:, None], (left, len(weights) - 1 - left), mode="circular")
    return functional.conv1d(padded, weights[None, None])[:, 0]


def by_fft(X, weights, last):
    spectrum = torch.fft.rfft(X) * torch.fft.rfft(weights)
    return torch.fft.irfft(spectrum, n=X.shape[1]) @ last


class Reversed(nn.Sequential):
    def forward(self, X):
        for layer in reversed(list(self)):
            X = layer(X)
        return X


class Named(nn.Module):
    """Layers registered in another order than they are applied in, (n,) returned."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(4, 1, bias=False)
        self.second = nn.Linear(5, 4, bias=False)
        self.first = nn.Linear(5, 5, bias=False)

    def forward(self, X):
        return self.last(self.second(self.first(X))).squeeze(1)


def frozen_biases():
    module = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 1))
    for layer in module:
        nn.init.zeros_(layer.bias).requires_grad_(False)
    return module


def hooked():
    module = connected(4, 3)
    module[0].register_forward_hook(lambda layer, inputs, outputs: 2.0 * outputs)
    return module


def widened():
    """A hook that makes six numbers of three, so layers that seem not to fit do."""
    module = nn.Sequential(*connected(4, 3)[:1], *connected(6))
    module[0].register_forward_hook(lambda layer, inputs, outputs: outputs.repeat(1, 2))
    return module


def of_opposite_halves():
    """f = 0, though no layer is: no error relative to f has a meaning."""
    module = connected(4, 6)
    with torch.no_grad():
        module[0].weight[3:] = module[0].weight[:3]
        module[1].weight[:, 3:] = -module[1].weight[:, :3]
    return module


def scripted(module):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated
        return torch.jit.script(module)


def traced(module, d):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.trace(module, torch.zeros(2, d, dtype=torch.float64))


CONV = ib.ConvolutionalNetwork
CASES = {
    "two layers": (lambda: connected(4, 3), "FullyConnectedNetwork(widths=(4, 3))"),
    "nested, with Identity": (
        lambda: nn.Sequential(
            nn.Identity(), connected(5, 4, last=3), nn.Sequential(connected(3, 2))
        ),
        "FullyConnectedNetwork(widths=(5, 4, 3, 2))",
    ),
    "Flatten at both ends": (
        lambda: nn.Sequential(nn.Flatten(), *connected(4, 3), nn.Flatten(0)),
        "FullyConnectedNetwork(widths=(4, 3))",
    ),
    "dropout that drops nothing": (
        lambda: nn.Sequential(nn.Dropout(0.0), *connected(4, 3)),
        "FullyConnectedNetwork(widths=(4, 3))",
    ),
    "zero biases that stay": (frozen_biases, "FullyConnectedNetwork(widths=(4, 3))"),
    "weights of zero": (
        lambda: connected(4, 3).apply(zero),
        "FullyConnectedNetwork(widths=(4, 3))",
    ),
    "f = 0 by cancellation": (of_opposite_halves, "FullyConnectedNetwork(widths=(4, 6))"),
    "another order of registration": (Named, "FullyConnectedNetwork(widths=(5, 5, 4))"),
    "a forward of its own": (
        lambda: Reversed(nn.Linear(3, 1, bias=False), nn.Linear(4, 3, bias=False)),
        "FullyConnectedNetwork(widths=(4, 3))",
    ),
    "matrices as in the paper": (
        lambda: Function(lambda X, W, w: X @ W @ w, (5, 3), (3,)),
        "FullyConnectedNetwork(widths=(5, 3))",
    ),
    "scripted": (lambda: scripted(connected(5, 4)), "FullyConnectedNetwork(widths=(5, 4))"),
    "traced": (lambda: traced(connected(5, 4), 5), "FullyConnectedNetwork(widths=(5, 4))"),
    "three filters": (lambda: convolved(8, 3, 4, 8), repr(CONV(8, (3, 4, 8, 8)))),
    "a channel asked for": (lambda: convolved(7, 3, front=False), repr(CONV(7, (3, 7)))),
    "padding by a number": (
        lambda: convolved(7, convolution(5, padding=2)),
        repr(CONV(7, (5, 7))),
    ),
    "filters of one": (lambda: convolved(4, convolution(1, 0, "zeros")), repr(CONV(4, (1, 4)))),
    "filters alone": (
        lambda: nn.Sequential(convolution(3), convolution(6, padding=0)),
        repr(CONV(6, (3, 6))),
    ),
    "correlation by hand": (
        lambda: Function(lambda X, w, v: wrapped(X, w, 1) @ v, (4,), (6,)),
        repr(CONV(6, (4, 6))),
    ),
    "the last layer first": (
        lambda: Function(lambda X, v, w: wrapped(X, w, 0) @ v[0], (1, 6), (6,)),
        repr(CONV(6, (6, 6))),
    ),
    "convolution by hand": (
        lambda: Function(lambda X, w, v: wrapped(X, w.flip(0), 2) @ v, (4,), (6,)),
        repr(CONV(6, (4, 6))),
    ),
    "convolution by FFT": (lambda: Function(by_fft, (6,), (6,)), repr(CONV(6, (6, 6)))),
    "vectors": (Product, "DiagonalNetwork(num_features=5, depth=3)"),
    "vectors and a last layer": (
        lambda: Function(lambda X, u, v, w: functional.linear(X * u * v, w), (5,), (5,), (1, 5)),
        "DiagonalNetwork(num_features=5, depth=3)",
    ),
    "a factor": (
        lambda: Function(lambda X, W, w: 0.5 * X @ W @ w, (4, 3), (3,)),
        "TensorNetwork(tensor of shape (12, 3, 4))",
    ),
    "a hook with a factor": (hooked, "TensorNetwork(tensor of shape (12, 3, 4))"),
    "a hook that widens": (widened, "TensorNetwork(tensor of shape (12, 6, 4))"),
    "vectors of two lengths": (
        lambda: Function(lambda X, v, w: (X * v)[:, :3] @ w, (5,), (3,)),
        "TensorNetwork(tensor of shape (5, 3, 5))",
    ),
    "padding with zeros": (
        lambda: convolved(6, convolution(3, 1, "zeros")),
        "TensorNetwork(tensor of shape (3, 6, 6))",
    ),
    "dilation": (
        lambda: convolved(6, convolution(3, dilation=2)),
        "TensorNetwork(tensor of shape (3, 6, 6))",
    ),
    "filters that shorten": (lambda: unpadded(9, 3), "TensorNetwork(tensor of shape (3, 7, 9))"),
    "a filter and two layers": (
        lambda: nn.Sequential(*convolved(6, 3, front=False)[:-1], *connected(6, 2)),
        "TensorNetwork(tensor of shape (3, 12, 2, 6))",
    ),
}


def zero(module):
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.weight)


@pytest.mark.parametrize("name", CASES)
def test_the_network_of_a_module(name):
    make, expected = CASES[name]
    torch.manual_seed(0)
    module = make()
    network, parameters = ib.from_torch(module)
    assert repr(network) == expected
    assert [layer.shape for layer in parameters] == list(network.parameter_shapes)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((7, network.num_features))
    form = X[:, None] if isinstance(first(module), nn.Conv1d) else X
    found = output(module.double(), form)
    np.testing.assert_allclose(network.predict(parameters, X), found, rtol=1e-12, atol=1e-13)
    own = [
        one.detach().double().numpy().ravel()
        for label, one in module.named_parameters()
        if "bias" not in label
    ]
    theirs = np.concatenate([layer.ravel() for layer in parameters])
    np.testing.assert_array_equal(np.sort(theirs), np.sort(np.concatenate(own)))


def first(module):
    return next(iter(module.children()), module)


@pytest.mark.parametrize("padding", range(4))
@pytest.mark.parametrize("size", range(1, 8))
def test_every_size_and_every_rotation(size, padding):
    """Filters of each size, padded on the left by each number: only w_L is rotated."""
    torch.manual_seed(size)
    left = min(padding, size - 1)
    module = Function(lambda X, w, v: wrapped(X, w, left) @ v, (size,), (7,))
    network, (w, v) = ib.from_torch(module)
    own, last = numbers(module.parameters())
    np.testing.assert_allclose(v, np.roll(last, -left), rtol=0)
    if size < 7:
        np.testing.assert_array_equal(w, own)
        assert network.filter_sizes == (size, 7)


def test_the_last_layer_is_the_one_with_a_row():
    """Filters of full length commute; what torch applies last comes last."""
    module = Function(lambda X, v, w: wrapped(X, w, 0) @ v[0], (1, 6), (6,))
    _, (w, v) = ib.from_torch(module)
    own, filters = numbers(module.parameters())
    np.testing.assert_array_equal(v, own[0])
    np.testing.assert_array_equal(w, filters)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32], ids=str)
def test_low_precision_is_read_exactly(dtype):
    module = connected(4, 3, dtype=dtype)
    _, (W, w) = ib.from_torch(module)
    np.testing.assert_array_equal(W, module[0].weight.detach().double().numpy().T)
    np.testing.assert_array_equal(w, module[1].weight.detach().double().numpy()[0])
    assert module[0].weight.dtype == dtype


def test_the_module_stays_as_it_is():
    torch.manual_seed(0)
    module = connected(4, 3, dtype=torch.float32).eval()
    module(torch.ones(2, 4)).sum().backward()
    before = [(one.clone(), one.grad.clone(), one.data_ptr()) for one in module.parameters()]
    state = torch.random.get_rng_state()
    ib.from_torch(module)
    assert torch.equal(state, torch.random.get_rng_state())
    assert not module.training
    for parameter, (value, gradient, place) in zip(module.parameters(), before, strict=True):
        assert torch.equal(parameter, value)
        assert torch.equal(parameter.grad, gradient)
        assert parameter.data_ptr() == place
        assert parameter.dtype == torch.float32


def test_parameters_are_copies():
    module = connected(4, 3)
    _, parameters = ib.from_torch(module)
    before = [layer.copy() for layer in parameters]
    with torch.no_grad():
        module[0].weight.mul_(2)
    for layer, same in zip(parameters, before, strict=True):
        np.testing.assert_array_equal(layer, same)


def test_features_that_no_shape_shows_can_be_given():
    module = convolved(4, convolution(3, 1, stride=2), front=False)
    network, _ = ib.from_torch(module, num_features=8)
    assert repr(network) == "TensorNetwork(tensor of shape (3, 4, 8))"
    network, _ = ib.from_torch(module, num_features=7)
    assert network.num_features == 7


def test_wide_and_deep_modules():
    assert ib.from_torch(connected(300, 200, 100))[0].widths == (300, 200, 100)
    assert ib.from_torch(connected(*(3,) * 200))[0].depth == 200
    assert ib.from_torch(Product(4, 100))[0].depth == 100


def test_what_a_module_trains_to_is_predicted():
    """From its own weights to the limit: the whole way that a user goes."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    problem = ib.Regression(rng.standard_normal((2, 4)), rng.standard_normal(2))
    module = Product(4, 2)
    network, parameters = ib.from_torch(module)
    limit = ib.predict_limit(network, problem, ib.Initialization(parameters, 1.0))
    X, y = torch.from_numpy(problem.X), torch.from_numpy(problem.y)
    optimizer = torch.optim.SGD(module.parameters(), lr=5e-3)
    for _ in range(4_000):
        optimizer.zero_grad()
        (((module(X) - y) ** 2).sum() / 2).backward()
        optimizer.step()
    np.testing.assert_allclose(output(module, np.eye(4)), limit.coefficients, atol=5e-3)
