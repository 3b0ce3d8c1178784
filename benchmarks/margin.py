"""Classification to losses that no training loop reaches: seconds, angles and certificates.

Two tables: plain gradient descent given the seconds that the dual flow takes to the loss exp(-1e8)
(diagonal networks, 20 points, 100 features); and one line a kind of network and result. Or, with
the name of a file, only a figure: the way of two-layer diagonal networks to the margin 10^1000.

    python -m benchmarks.margin [far.png]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from implicitbias import datasets
from implicitbias.closing import angle_between
from implicitbias.comparison import compare
from implicitbias.flow import gradient_flow
from implicitbias.initialization import Initialization
from implicitbias.networks import (
    ConvolutionalNetwork,
    DiagonalNetwork,
    FullyConnectedNetwork,
    Network,
)
from implicitbias.problems import Classification
from implicitbias.theorems import predict_limit

LOG_LOSS = -1e8
DEPTHS = (2, 3, 4)
STEPS = (0.001, 0.01, 0.1, 1.0)  # of descent; the best is shown, each given the flow's seconds
CHECK_EVERY = 64  # steps of descent between looks at the clock


def synthetic() -> Classification:
    """Twenty Gaussian points in 100 dimensions with random labels."""
    rng = np.random.default_rng(0)
    return Classification(rng.standard_normal((20, 100)), np.sign(rng.standard_normal(20)))


def start(network: Network, scale: float = 0.1) -> Initialization:
    """Ones in the first layers, a smaller random last one."""
    rng = np.random.default_rng(1)
    *first, last = network.parameter_shapes
    return Initialization([*map(np.ones, first), 0.1 * rng.uniform(-1, 1, last)], scale)


def descend(
    problem: Classification, init: Initialization, step: float, seconds: float
) -> tuple[int, np.ndarray]:
    """Plain gradient descent on sum_i exp(-y_i f_i) with a fixed step, for so many seconds."""
    A = problem.y[:, None] * problem.X
    layers = [np.array(layer) for layer in init.parameters()]
    steps, ends = 0, time.perf_counter() + seconds
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        while steps % CHECK_EVERY or time.perf_counter() < ends:
            driver = np.exp(-(A @ np.prod(layers, axis=0))) @ A
            slopes = [
                driver * np.prod([w for k, w in enumerate(layers) if k != index], axis=0)
                for index in range(len(layers))
            ]
            layers = [w + step * slope for w, slope in zip(layers, slopes, strict=True)]
            steps += 1
        return steps, np.prod(layers, axis=0)


def log_loss(problem: Classification, beta: np.ndarray) -> float:
    """log sum_i exp(-y_i x_i^T beta); infinite where descent diverged."""
    if not np.isfinite(beta).all():
        return np.inf
    margins = problem.y * (problem.X @ beta)
    return float(-margins.min() + np.log(np.exp(margins.min() - margins).sum()))


def against_descent() -> Iterator[str]:
    """Lines of the first table."""
    problem = synthetic()
    yield "loss exp(-1e8), diagonal, 20 x 100, one thread"
    yield (
        f"{'L':>2} {'seconds':>8} {'log loss':>12} {'angle':>9}   "
        f"{'descent: step':>13} {'steps':>8} {'log loss':>10} {'margin':>9} {'angle':>9}"
    )
    for depth in DEPTHS:
        network = DiagonalNetwork(100, depth)
        init = start(network)
        limit = predict_limit(network, problem, init)
        flow = gradient_flow(network, problem, init, route="dual", until_margin=-LOG_LOSS)
        tried = [(step, *descend(problem, init, step, flow.seconds)) for step in STEPS]
        step, steps, beta = min(tried, key=lambda each: log_loss(problem, each[2]))
        loss, margin = log_loss(problem, beta), (problem.y * (problem.X @ beta)).min()
        angles = [angle_between(each, limit.coefficients) for each in (flow.directions[-1], beta)]
        yield (
            f"{depth:>2} {flow.seconds:>8.2f} {flow.log_losses[-1]:>12.4g} {angles[0]:>9.1e}   "
            f"{step:>13g} {steps:>8} {loss:>10.4g} {margin:>9.3g} {angles[1]:>9.1e}"
        )


@dataclass(frozen=True)
class Kind:
    """One line of the second table."""

    name: str
    network: Network
    problem: Classification
    init: Initialization
    log10_margin: float
    route: str = "auto"


def kinds() -> Iterator[Kind]:
    """Kinds of network on synthetic and real data."""
    problem = synthetic()
    for depth in DEPTHS:
        network = DiagonalNetwork(100, depth)
        yield Kind(f"diagonal, L = {depth}", network, problem, start(network), 9.0)
    network = DiagonalNetwork(100, 2)
    yield Kind("diagonal, L = 2, far", network, problem, start(network), 1000.0)
    images = datasets.digits_pair(0, 1, 4)
    for depth in DEPTHS:
        conv = ConvolutionalNetwork(64, (64,) * depth)
        init = Initialization.random(conv, 0.1, seed=2, gap=1.0)
        yield Kind(f"full convolution, L = {depth}", conv, images, init, 8.0, "parameters")
    many = datasets.digits_pair(3, 8, 20)
    for widths in ((64, 3), (64, 3, 3)):
        full = FullyConnectedNetwork(widths)
        init = Initialization.random(full, 0.1, seed=1)
        yield Kind(f"fully connected, L = {len(widths)}", full, many, init, 6.0, "parameters")
    cancer, iris = datasets.breast_cancer(), datasets.iris_setosa()
    network = DiagonalNetwork(31, 2)
    yield Kind("diagonal, L = 2, breast cancer", network, cancer, start(network), 20.0)
    for depth in (2, 3):
        network = DiagonalNetwork(5, depth)
        yield Kind(f"diagonal, L = {depth}, iris setosa", network, iris, start(network), 10.0)


def by_kind() -> Iterator[str]:
    """Lines of the second table."""
    yield "kinds of network x results"
    yield (
        f"{'network':<32} {'result':<12} {'angle':>8} {'exponent':>8} {'rate':>8} {'KKT':>8} "
        f"{'margin':>10} {'log loss':>10} {'seconds':>8}"
    )
    for kind in kinds():
        began = time.perf_counter()
        limit = predict_limit(kind.network, kind.problem, kind.init)
        flow = gradient_flow(
            kind.network,
            kind.problem,
            kind.init,
            route=kind.route,
            until_log_margin=kind.log10_margin * np.log(10),
        )
        seconds = time.perf_counter() - began
        closing = compare(flow, limit).closings[0]
        rate = "-" if limit.rate is None else f"{limit.rate:.3g}"
        yield (
            f"{kind.name:<32} {limit.theorem:<12} {closing.angle:>8.1e} {closing.exponent:>8.3g} "
            f"{rate:>8} {limit.certificate.worst:>8.1e} "
            f"{'10^' + format(flow.log_margins[-1] / np.log(10), '.4g'):>10} "
            f"{flow.log_losses[-1]:>10.3g} {seconds:>8.2f}"
        )


def draw_far(file: str) -> None:
    """Angle to the l1 direction against log10 margin, to 10^1000, with the predicted slopes."""
    from matplotlib.figure import Figure

    from implicitbias.plotting import MarginRun, margin_path

    rng = np.random.default_rng(0)
    small = Classification(rng.normal(size=(5, 12)), [1, -1, 1, -1, 1])
    runs = []
    for name, problem in (("20 points, 100 features", synthetic()), ("5 points, 12", small)):
        network = DiagonalNetwork(problem.num_features, 2)
        init = start(network)
        limit = predict_limit(network, problem, init)
        flow = gradient_flow(network, problem, init, until_log_margin=1000 * np.log(10))
        print(f"{name}: {flow.seconds:.1f} s; {flow}")
        runs.append(
            MarginRun(name, flow.directions, flow.log_margins, limit.coefficients, limit.rate, 1.0)
        )
    figure = Figure(figsize=(9.5, 4.2), layout="constrained")
    ax = margin_path(runs, ax=figure.subplots())
    ax.set_title("Diagonal networks, L = 2; dotted: predicted slopes", fontsize="medium")
    figure.savefig(file, dpi=150)


def main() -> None:
    """Print both tables, or draw the figure."""
    with threadpool_limits(limits=1, user_api="blas"):
        if len(sys.argv) > 1:
            draw_far(sys.argv[1])
            return
        for line in against_descent():
            print(line, flush=True)
        print()
        for line in by_kind():
            print(line, flush=True)


if __name__ == "__main__":
    main()
