"""Modules that are no linear tensor networks: refused by the layer at fault, without a warning."""

import warnings
from importlib import import_module

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
    torch,
)


def between(layer):
    return nn.Sequential(*connected(4, 3)[:1], layer, *connected(3))


def changed(change, *widths):
    module = connected(*(widths or (4, 3)))
    change(module)
    return module


def share(module):
    module[1].weight = module[0].weight


def share_numbers(module):
    module[1].weight = nn.Parameter(module[0].weight.data)


def overlap(module):
    both = torch.ones(5, 4, dtype=torch.float64)
    module[0].weight, module[1].weight = nn.Parameter(both[:4]), nn.Parameter(both[1:])


def repeat(module):
    module[0].weight = nn.Parameter(torch.ones(1, dtype=torch.float64).expand(3, 4))


def lose(module):
    with torch.no_grad():
        module[1].weight[0, 1] = torch.inf


def clear(module):
    module[0].weight = nn.Parameter(torch.ones(0, 4, dtype=torch.float64))


def weigh_as_of_old(module):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated
        nn.utils.weight_norm(module[0])


def prune(module):
    import_module("torch.nn.utils.prune").random_unstructured(module[0], "weight", amount=0.3)


def remember(module):
    """A layer's output kept for later: part of a graph, which torch does not copy."""
    module[0].register_forward_hook(lambda layer, inputs, outputs: setattr(layer, "seen", outputs))
    module(torch.ones(2, 4, dtype=torch.float64))


def compiled():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch of itself
        return torch.compile(connected(4, 3), backend="eager")


def scale(factor):
    def change(module):
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.mul_(factor)

    return change


class Empty(nn.Module):
    def __init__(self):
        pass


class Silent(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = connected(4, 3)


class Drops(Silent):
    def forward(self, X):
        return self.second(functional.dropout(self.first(X), 0.5, training=self.training))


def changed_function(forward, factor):
    module = Function(forward, (4, 3), (3,))
    scale(factor)(module)
    return module


def fails(X, W, w):
    raise KeyError("no such entry")


SAME = nn.Linear(4, 4, bias=False)
TWO = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 1, bias=False))
HALVES = ((400, 4), (400,))

REFUSED = {
    "no module": (lambda: None, "module is of type NoneType; expected an nn.Module"),
    "a class": (lambda: nn.Linear, "module is the class Linear"),
    "a state dict": (lambda: TWO.state_dict(), "go to Initialization.from_weights(network, "),
    "empty": (nn.Sequential, "the module itself (Sequential) has no layers to train"),
    "nothing to train": (lambda: nn.Sequential(nn.Identity()), "has no layers to train"),
    "no parameters": (lambda: Function(lambda X: X[:, 0]), "Function has no parameters to train"),
    "uninitialised": (Empty, "does its __init__ call super().__init__()?"),
    "no forward": (Silent, 'missing the required "forward" function'),
    "a list of layers": (lambda: nn.ModuleList(connected(4, 3)), 'required "forward" function'),
    "one layer": (lambda: nn.Linear(4, 1, bias=False), "the module itself (Linear) is alone"),
    "one layer in a stack": (
        lambda: connected(4),
        "layer '0' (Linear) is alone, so the depth is 1",
    ),
    "one vector": (lambda: Product(4, 1), "has the one parameter, 'w.0', so the depth is 1"),
    "ReLU": (lambda: between(nn.ReLU()), "layer '1' (ReLU) is an activation; remove it"),
    "GELU, nested": (
        lambda: nn.Sequential(nn.Sequential(*connected(4, 3)[:1], nn.GELU()), *connected(3)),
        "layer '0.1' (GELU) is an activation",
    ),
    "Softmax": (lambda: between(nn.Softmax(1)), "layer '1' (Softmax)"),
    "BatchNorm": (lambda: between(nn.BatchNorm1d(3)).eval(), "layer '1' (BatchNorm1d) normalises"),
    "LayerNorm": (lambda: between(nn.LayerNorm(3)), "layer '1' (LayerNorm) normalises its input"),
    "Dropout": (lambda: between(nn.Dropout(0.3)).eval(), "layer '1' (Dropout) drops entries at"),
    "RNN": (lambda: nn.RNN(4, 3, bias=False), "the module itself (RNN) is recurrent"),
    "MaxPool": (lambda: between(nn.MaxPool1d(2)), "layer '1' (MaxPool1d) takes maxima"),
    "a bias": (lambda: TWO, "layer '0' (Linear) has a bias ('0.bias', trained, entries up to"),
    "a trained bias of 0": (
        lambda: nn.Sequential(nn.Linear(4, 3), *connected(3)).apply(
            lambda layer: (
                hasattr(layer, "bias") and layer.bias is not None and layer.bias.data.zero_()
            )
        ),
        "'0.bias', trained, entries up to 0)",
    ),
    "a frozen bias": (lambda: TWO.requires_grad_(False), "'0.bias', frozen, entries up to 0."),
    "a bias of a filter": (
        lambda: nn.Sequential(nn.Conv1d(1, 1, 3)),
        "layer '0' (Conv1d) is alone",
    ),
    "several outputs": (lambda: connected(4, 3, last=2), "layer '1' (Linear) has 2 outputs"),
    "outputs of a function": (
        lambda: Function(lambda X, U, V: X @ U @ V, (4, 3), (3, 2)),
        "it returns shape (4, 2), expected (4,) or (4, 1), one output a row",
    ),
    "a tuple": (lambda: Function(lambda X, W, w: (X @ W @ w, 1), (4, 3), (3,)), "type tuple"),
    "layers that do not fit": (
        lambda: nn.Sequential(*connected(4, 3)[:1], *connected(5)),
        "layer '1' (Linear) takes 5 inputs, and layer '0' (Linear) before it has 3 outputs",
    ),
    "no units": (lambda: changed(clear), "'0.weight' of layer '0' (Linear) has shape (0, 4) and"),
    "several channels": (
        lambda: nn.Sequential(nn.Conv1d(1, 3, 3, bias=False), nn.Flatten(), *connected(9)),
        "layer '0' (Conv1d) has 1 channels in and 3 out; expected one each",
    ),
    "groups": (
        lambda: nn.Sequential(nn.Conv1d(2, 2, 3, groups=2, bias=False), *connected(9)),
        "layer '0' (Conv1d) has 2 channels in and 2 out",
    ),
    "images": (
        lambda: nn.Sequential(nn.Conv2d(1, 1, 3, bias=False), nn.Flatten(), *connected(4)),
        "layer '0' (Conv2d) convolves other than one axis",
    ),
    "stride": (
        lambda: convolved(4, convolution(3, 1, stride=2), front=False),
        "takes inputs of several sizes (7, 8, ...); give num_features=",
    ),
    "lazy": (
        lambda: nn.Sequential(nn.LazyLinear(3, bias=False), *connected(3)),
        "layer '0' (LazyLinear) is lazy and has no shape yet",
    ),
    "meta": (lambda: connected(4, 3).to("meta"), "'0.weight' of layer '0' (Linear) is on the meta"),
    "complex": (lambda: connected(4, 3, dtype=torch.complex64), "tensor of torch.complex64"),
    "not finite": (lambda: changed(lose), "'1.weight' of layer '1' (Linear) has shape (1, 3) and"),
    "tied": (lambda: changed(share, 4, 4, 4), "'1.weight' of layer '1' (Linear) is tied to '0.wei"),
    "tied numbers": (lambda: changed(share_numbers, 4, 4, 4), "is tied to '0.weight'"),
    "overlapping": (lambda: changed(overlap, 4, 4, 4), "is tied to '0.weight'"),
    "repeated": (lambda: changed(repeat), "repeats one number along an axis (stride 0)"),
    "the same layer twice": (
        lambda: nn.Sequential(SAME, SAME, *connected(4, dtype=torch.float32)),
        "'1.weight' of layer '1' (Linear) is tied to '0.weight'",
    ),
    "used twice": (
        lambda: Function(lambda X, W, w: X @ W @ W @ w, (4, 4), (4,)),
        "not linear in its parameter 'w.0'",
    ),
    "frozen": (
        lambda: changed(lambda module: module[0].requires_grad_(False)),
        "'0.weight' of layer '0' (Linear) is frozen (requires_grad=False)",
    ),
    "weight_norm": (
        lambda: changed(lambda module: nn.utils.parametrizations.weight_norm(module[0])),
        "layer '0' (ParametrizedLinear) computes its weight by a parametrization",
    ),
    "weight_norm of old": (lambda: changed(weigh_as_of_old), "(weight_norm or pruning)"),
    "pruned": (lambda: changed(prune), "layer '0' (Linear) computes its weight from other"),
    "compiled": (compiled, "(OptimizedModule) is compiled: give its"),
    "part of a graph": (lambda: changed(remember), "Sequential could not be copied"),
    "a ReLU by hand": (
        lambda: Function(lambda X, W, w: functional.relu(X @ W) @ w, (4, 3), (3,)),
        "Function is not linear in x: f(a x + b z) differs from a f(x) + b f(z) by",
    ),
    "a clamp far out": (
        lambda: Function(lambda X, W, w: functional.hardtanh(X @ W, -99, 99) @ w, (4, 3), (3,)),
        "not linear in x",
    ),
    "dropout by hand": (
        lambda: Function(lambda X, W, w: functional.dropout(X @ W, 0.5) @ w, (4, 3), (3,)),
        "not linear in x",
    ),
    "dropout that is off": (
        lambda: Drops().eval(),
        "Drops is not linear in x",
    ),
    "weights that are cut": (
        lambda: changed_function(lambda X, W, w: X @ W.clamp(-9, 9) @ w, 100.0),
        "and FullyConnectedNetwork(widths=(4, 3)) differ by up to",
    ),
    "a constant": (
        lambda: Function(lambda X, W, w: X @ W @ w + 1, (4, 3), (3,)),
        "Function returns 1 at x = 0",
    ),
    "float32 within": (
        lambda: Function(lambda X, W, w: X.float().double() @ W @ w, (4, 3), (3,)),
        "no rounding to less than float64",
    ),
    "an absolute value": (
        lambda: Function(lambda X, u, v: X @ (u.abs() * v), (4,), (4,)),
        "not linear in its parameter 'w.0'",
    ),
    "two sides": (
        lambda: Function(lambda X, u, v: X @ (u**2 - v**2), (4,), (4,)),
        "not linear in its parameter 'w.0'",
    ),
    "a sum of layers": (
        lambda: Function(lambda X, u, v: X @ (u * v + u), (4,), (4,)),
        "not linear in its parameter 'w.1'",
    ),
    "unused": (
        lambda: Function(lambda X, u, v, w: X @ (u * v), (4,), (4,), (2,)),
        "does not depend on its parameter 'w.2'",
    ),
    "too large a tensor": (
        lambda: Function(lambda X, W, w: (X @ W.T).roll(1, 1) @ w, *HALVES),
        "of shapes (400, 4), (400,), but no diagonal, fully connected or convolutional network",
    ),
    "a factor in a large network": (
        lambda: Function(lambda X, W, w: 0.05 * X @ W.T @ w, *HALVES),
        "It is 0.05 times FullyConnectedNetwork(widths=(4, 400))",
    ),
    "an error": (
        lambda: Function(fails, (4, 3), (3,)),
        "for any d that was tried: 'no such entry'",
    ),
    "beyond float64": (lambda: changed(scale(1e200)), "parameters whose product is beyond float64"),
    "embedded": (
        lambda: nn.Sequential(nn.Embedding(4, 3), *connected(3)),
        "Sequential does not turn X of shape (n, d) or (n, 1, d) into one number a row",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name):
    make, text = REFUSED[name]
    torch.manual_seed(0)
    module = make()
    state = torch.random.get_rng_state()
    with pytest.raises(ib.InvalidInputError) as error:
        ib.from_torch(module)
    assert text in str(error.value)
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("given", "text"),
    [(0, "num_features is 0"), ("4", "num_features is '4'"), (5, "for d = 5: ")],
)
def test_features_that_do_not_fit(given, text):
    with pytest.raises(ib.InvalidInputError) as error:
        ib.from_torch(connected(4, 3), num_features=given)
    assert text in str(error.value)
