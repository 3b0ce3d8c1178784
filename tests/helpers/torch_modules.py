"""Modules of PyTorch that users build, and their numbers in NumPy; skips whoever imports it."""

from itertools import pairwise

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch: pip install 'implicitbias[torch]'")
torch.set_num_threads(1)

nn, functional = torch.nn, torch.nn.functional


def connected(*widths, dtype=torch.float64, last=1):
    """A stack of bias-free Linear layers with ``last`` outputs."""
    sizes = (*widths, last)
    return nn.Sequential(*(nn.Linear(a, b, bias=False, dtype=dtype) for a, b in pairwise(sizes)))


def convolution(size, padding="same", mode="circular", **options):
    return nn.Conv1d(
        1, 1, size, padding=padding, padding_mode=mode, bias=False, dtype=torch.float64, **options
    )


def convolved(d, *layers, front=True):
    """Filters, or filters of these sizes, then Linear(d, 1)."""
    filters = [convolution(one) if isinstance(one, int) else one for one in layers]
    start = [nn.Unflatten(1, (1, -1))] if front else []
    last = nn.Linear(d, 1, bias=False, dtype=torch.float64)
    return nn.Sequential(*start, *filters, nn.Flatten(), last)


class Product(nn.Module):
    """x @ (w_1 * ... * w_L)."""

    def __init__(self, d=5, depth=3, dtype=torch.float64):
        super().__init__()
        self.w = nn.ParameterList([torch.randn(d, dtype=dtype) for _ in range(depth)])

    def forward(self, X):
        beta = self.w[0]
        for layer in list(self.w)[1:]:
            beta = beta * layer
        return X @ beta


class Function(nn.Module):
    """forward(X, *parameters) with parameters of these shapes."""

    def __init__(self, forward, *shapes, dtype=torch.float64):
        super().__init__()
        self.function = forward
        self.w = nn.ParameterList([torch.rand(shape, dtype=dtype) + 0.5 for shape in shapes])

    def forward(self, X):
        return self.function(X, *self.w)


def output(module, X):
    """f(x_i) for the rows of X, by torch."""
    with torch.no_grad():
        return module(torch.from_numpy(X)).reshape(-1).numpy()


def numbers(tensors):
    return [one.detach().numpy().copy() for one in tensors]


def relative(found, expected, size):
    """The largest difference over the sum of |terms|."""
    return float(np.max(np.abs(np.asarray(found) - expected) / size))
