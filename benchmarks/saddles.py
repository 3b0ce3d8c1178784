"""The sequence of saddles: what it costs beside a homotopy and beside a flow of tiny scale.

One line a size: the CPU seconds (medians of alternating runs in one process) of ``saddle_path``, of
scikit-learn's ``lars_path`` (the lasso's homotopy: another path with the same end), and of the dual
flow at log scale -1000, whose coefficients halfway between jumps are held against the saddles.

    python -m benchmarks.saddles
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np
from sklearn.linear_model import lars_path
from threadpoolctl import threadpool_limits

from implicitbias.flow import Flow, gradient_flow
from implicitbias.initialization import Initialization
from implicitbias.limits import relative_difference
from implicitbias.networks import DiagonalNetwork
from implicitbias.problems import Regression
from implicitbias.theorems import SaddlePath, saddle_path

SIZES = ((20, 200), (100, 1000), (100, 10_000), (300, 3000))
REPEATS = 5
LOG_SCALE = -1000.0
LARGEST_FLOW = 100_000  # entries of X up to which the flow is run; ten times as many: a minute


def problem(num_points: int, num_features: int) -> Regression:
    """Gaussian data, ten coefficients that are not 0, and noise."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((num_points, num_features))
    y = X[:, :10] @ rng.standard_normal(10) + 0.1 * rng.standard_normal(num_points)
    return Regression(X, y)


def seconds(run: Callable[[], object]) -> float:
    """CPU seconds."""
    began = time.process_time()
    run()
    return time.process_time() - began


def flow_between(data: Regression, start: Initialization, path: SaddlePath) -> Flow:
    """The dual flow at the tiny scale, saved halfway between jumps."""
    middle = 0.5 * (path.times + np.append(path.times[1:], 2.0 * path.times[-1]))
    return gradient_flow(
        DiagonalNetwork(data.num_features, 2),
        data,
        Initialization(start.directions, log_scale=LOG_SCALE),
        route="dual",
        times=middle * np.exp(path.log_time_unit(LOG_SCALE)),
    )


def line(num_points: int, num_features: int) -> str:
    """One size."""
    data, network = problem(num_points, num_features), DiagonalNetwork(num_features, 2)
    start = Initialization.last_layer_zero(network, np.ones(num_features), scale=1.0)
    path = saddle_path(network, data, start)
    steps, _, homotopy = lars_path(data.X, data.y, method="lasso")
    own, peer = [], []
    for _ in range(REPEATS):
        own.append(seconds(lambda: saddle_path(network, data, start)))
        peer.append(seconds(lambda: lars_path(data.X, data.y, method="lasso")))
    ends = relative_difference(path.final_coefficients, homotopy[:, -1])
    text = (
        f"{num_points:5d} {num_features:7d} {path.times.size:8d} {median(own):9.3f} "
        f"{len(steps):10d} {median(peer):9.3f} {median(own) / median(peer):6.1f} {ends:9.1e} "
        f"{path.worst:9.1e}"
    )
    if data.X.size > LARGEST_FLOW:
        return text
    began = time.process_time()
    flow = flow_between(data, start, path)
    taken = time.process_time() - began
    saved = flow.coefficients[1:]
    typical = median(
        relative_difference(found, saddle)
        for found, saddle in zip(saved, path.coefficients, strict=False)
    )
    return f"{text} {taken:8.2f} {taken / median(own):6.0f} {typical:9.1e}"


def main() -> None:
    """Print the table."""
    print(
        "    n       d  saddles   seconds lars steps   seconds  ratio  ends off     worst"
        "     flow  ratio   typical"
    )
    with threadpool_limits(1):
        for size in SIZES:
            print(line(*size), flush=True)


if __name__ == "__main__":
    main()
