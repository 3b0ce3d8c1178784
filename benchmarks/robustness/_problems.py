"""One problem for each seed: network, data, start and scale, and the kinds they are of."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from benchmarks.robustness._data import draw_features, draw_targets, numerical_rank
from benchmarks.robustness._starts import draw_layers, draw_scale
from scipy.linalg import hadamard

import implicitbias as ib

Array = np.ndarray
LARGEST = 40  # entries of X that a printed script may have
APART = 1e8  # units of columns or rows: further apart may be refused


@dataclass
class Problem:
    """What is asked, and of which kinds it is."""

    seed: int
    task: str  # "regression", "path" or "classification"
    family: str
    X: Array
    y: Array
    network: ib.Network
    text: str  # the network as Python
    layers: list[Array]
    scale: float
    scales: list[float]  # of a path
    kinds: dict[str, str] = field(default_factory=dict)
    moderate: bool = True
    far_apart: bool = False  # the columns, or the rows, by more than APART

    def ask(self) -> list[ib.Limit]:
        """The limits of the package, one for each scale."""
        if self.task == "path":
            data = ib.Regression(self.X, self.y)
            return list(ib.limit_path(self.network, data, self.layers, self.scales).limits)
        kind = ib.Classification if self.task == "classification" else ib.Regression
        start = ib.Initialization(self.layers, scale=self.scale)
        return [ib.predict_limit(self.network, kind(self.X, self.y), start)]

    def alphas(self) -> list[float]:
        """The scales that were asked for."""
        return self.scales if self.task == "path" else [self.scale]

    def script(self) -> str:
        """A line of Python that asks the same, where it is short."""
        if self.X.size > LARGEST:
            return f"python -m benchmarks.robustness --only {self.seed}"
        data = f"{_text(self.X)}, {_text(self.y)}"
        layers = _layers_text(self.layers)
        if self.task == "path":
            return (
                f"ib.limit_path({self.text}, ib.Regression({data}), {layers}, {_text(self.scales)})"
            )
        kind = "Classification" if self.task == "classification" else "Regression"
        return (
            f"ib.predict_limit({self.text}, ib.{kind}({data}), "
            f"ib.Initialization({layers}, scale={self.scale!r}))"
        )


def _text(values) -> str:
    return str(np.asarray(values).tolist()).replace("inf", "np.inf")


def _layers_text(layers: list[Array]) -> str:
    """As Python, equal ones once."""
    each = [f"np.array({_text(layer)})" for layer in layers]
    if len(set(each)) == 1:
        return f"[{each[0]}] * {len(each)}"
    if len(set(each[:-1])) == 1 and len(each) > 2:
        return f"[{each[0]}] * {len(each) - 1} + [{each[-1]}]"
    return f"[{', '.join(each)}]"


def draw(seed: int) -> Problem:
    """The problem of a seed."""
    rng = np.random.default_rng([31, seed])
    family = str(
        rng.choice(
            ["diagonal", "two-sided", "orthogonal", "convolutional", "fully connected", "tensor"],
            p=[0.52, 0.08, 0.12, 0.1, 0.1, 0.08],
        )
    )
    task = str(rng.choice(["regression", "path", "classification"], p=[0.6, 0.16, 0.24]))
    n, d = _sizes(rng, family, task)
    data, X = draw_features(rng, n, d)
    depth = int(rng.choice([2, 3, 4, 5, 6, 7, 8], p=[0.3, 0.2, 0.17, 0.12, 0.08, 0.05, 0.08]))
    if family == "two-sided":
        X = np.hstack([X, -X])
    network, text, to_layers = _network(rng, family, X, depth)
    start, layers = to_layers(task)  # may make X even
    if task == "classification":
        targets, y = "labels", rng.choice([-1.0, 1.0], n)
    else:
        targets, y = draw_targets(rng, X)
    if task != "classification" and rng.random() < 0.03:
        targets, y = "extreme", y * 10.0 ** rng.uniform(-250, 200)
    kind, scale = draw_scale(rng)
    problem = Problem(seed, task, family, X, y, network, text, layers, scale, [])
    if task != "classification" and start == "fits already":
        problem.y = _already(problem)
    if task == "path":
        problem.scales = [float(value) for value in _path(rng, scale)]
    problem.kinds = {
        "data": data,
        "targets": targets,
        "start": start,
        "scale": kind,
        "task": task,
        "family": family,
        "depth": str(network.depth),
    }
    problem.moderate = (
        data != "near-duplicates"
        and targets != "extreme"
        and start != "nearly equal layers"
        and all(1e-9 <= alpha <= 1e6 for alpha in problem.alphas() if 0 < alpha < np.inf)
    )
    problem.far_apart = data == "units" and any(_spread(X, axis) > APART for axis in (0, 1))
    return problem


def _spread(X: Array, axis: int) -> float:
    """The largest entry's ratio between columns (0) or rows (1) that are not 0."""
    sizes = np.abs(X).max(axis=axis)
    sizes = sizes[sizes > 0]
    return float(sizes.max() / sizes.min()) if sizes.size else 1.0


def _already(problem: Problem) -> Array:
    """Targets that the start meets."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        beta = problem.network.coefficients([layer * problem.scale for layer in problem.layers])
        y = problem.X @ beta
    return y if np.isfinite(y).all() else np.zeros(len(problem.X))


def _sizes(rng: np.random.Generator, family: str, task: str) -> tuple[int, int]:
    size = rng.random()
    if family in ("convolutional", "tensor", "fully connected") or size < 0.75:
        n = int(rng.integers(1, 5) if task == "classification" else rng.choice([1, 1, 2, 2, 3]))
        return n, int(rng.integers(2, 9)) if family != "two-sided" else int(rng.integers(1, 5))
    if size < 0.97:
        return int(rng.integers(3, 16)), int(rng.integers(8, 61))
    return int(rng.integers(20, 41)), int(rng.integers(100, 201))


def _path(rng: np.random.Generator, scale: float) -> list[float]:
    grid = [0.0, 1e-12, 1e-8, 1e-6, 1e-3, 0.1, 1.0, 10.0, 1e3, np.inf, scale]
    return list(rng.choice(grid, int(rng.integers(1, 5)), replace=False))


def _network(rng: np.random.Generator, family: str, X: Array, depth: int):
    """The network, its text, and a function that draws layers."""
    d = X.shape[1]
    if family == "diagonal":
        network = ib.DiagonalNetwork(d, depth)
        return network, f"ib.DiagonalNetwork({d}, {depth})", lambda task: draw_layers(rng, depth, d)
    if family == "two-sided":
        network = ib.DiagonalNetwork(d, depth)
        half = rng.uniform(0.5, 2, d // 2) if rng.random() < 0.4 else np.ones(d // 2)
        layers = [np.tile(half, 2)] * depth
        return network, f"ib.DiagonalNetwork({d}, {depth})", lambda task: ("two-sided", layers)
    if family == "orthogonal":
        return _orthogonal(rng, d, depth)
    if family == "convolutional":
        return _convolutional(rng, X, min(depth, 4))
    if family == "fully connected":
        widths = (d, *(int(k) for k in rng.integers(1, 4, min(depth, 4) - 1)))
        network = ib.FullyConnectedNetwork(widths)
        return network, f"ib.FullyConnectedNetwork({widths})", lambda task: _any(rng, network)
    shape = (*(int(k) for k in rng.integers(1, 4, min(depth, 3))), d)
    tensor = rng.integers(-2, 3, shape).astype(float)
    if rng.random() < 0.5:
        tensor = np.round(rng.standard_normal(shape) * 64) / 64
    network = ib.TensorNetwork(tensor)
    return network, f"ib.TensorNetwork({tensor.tolist()})", lambda task: _any(rng, network)


def _any(rng: np.random.Generator, network: ib.Network) -> tuple[str, list[Array]]:
    """Random or balanced layers, or a last layer of zeros."""
    kind = rng.random()
    seed = int(rng.integers(0, 1000))
    if kind < 0.2:
        return "balanced", list(ib.Initialization.balanced(network, 1.0, seed).directions)
    layers = list(ib.Initialization.random(network, 1.0, seed).directions)
    if kind < 0.5:
        return "last layer zero", [*layers[:-1], np.zeros(layers[-1].shape)]
    return "random", layers


def _orthogonal(rng: np.random.Generator, d: int, depth: int):
    """Bases exact in binary: signed permutations, or halved Hadamard matrices of order 4."""
    if d <= 4 and rng.random() < 0.4:
        d_rows, base = 4, hadamard(4) / 2.0
        bases = [base[rng.permutation(4)] for _ in range(depth)]
    else:
        d_rows = d + int(rng.integers(0, 2))
        size = d_rows + int(rng.integers(0, 2))
        bases = []
        for _ in range(depth):
            basis = np.eye(size)[:, rng.choice(size, d_rows, replace=False)]
            bases.append(basis * rng.choice([-1.0, 1.0], d_rows))
    while True:
        S = rng.integers(-2, 3, (d_rows, d)).astype(float)
        if numerical_rank(S.T) == d:
            break
    network = ib.OrthogonalNetwork(S, bases)
    listed = ", ".join(f"np.array({basis.tolist()})" for basis in bases)
    text = f"ib.OrthogonalNetwork({S.tolist()}, [{listed}])"

    def layers(task: str) -> tuple[str, list[Array]]:
        name, p = draw_layers(rng, depth, d_rows)
        return name, [basis @ row for basis, row in zip(bases, p, strict=True)]

    return network, text, layers


def _convolutional(rng: np.random.Generator, X: Array, depth: int):
    d = X.shape[1]
    full = rng.random() < 0.8
    sizes = [d] * depth if full else [*(int(k) for k in rng.integers(1, d + 1, depth - 1)), d]
    network = ib.ConvolutionalNetwork(d, sizes)

    def layers(task: str) -> tuple[str, list[Array]]:
        name, found = _any(rng, network)
        if full and task != "classification" and rng.random() < 0.7:
            mirror = -np.arange(d) % d
            X[:] = np.round((X + X[:, mirror]) * 32) / 64
            found = [(layer + layer[mirror]) / 2 for layer in found]
            if name == "last layer zero":
                found[1:-1] = [found[0]] * (depth - 2)
            name += ", even"
        return name, found

    return network, f"ib.ConvolutionalNetwork({d}, {sizes})", layers
