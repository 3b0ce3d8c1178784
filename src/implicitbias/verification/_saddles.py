"""Rows on the sequence of saddles: where flows of tiny scale are, and when they jump."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from implicitbias import datasets
from implicitbias._arrays import FloatArray
from implicitbias.flow import gradient_flow
from implicitbias.initialization import Initialization
from implicitbias.limits import relative_difference
from implicitbias.networks import DiagonalNetwork, Network, TwoSidedDiagonalNetwork
from implicitbias.problems import Classification, Regression
from implicitbias.theorems import SaddlePath, limit_path, saddle_path
from implicitbias.verification._checks import Check, Measurement

NEVER = 1e-300  # residuals and changes that no flow reaches: it goes on to its last time
SAME = 1e-12  # relative: times that are one but for rounding
SEEN, ROUNDS = 24, 3  # times around each jump, each round between two of the last
ALONG = 4000  # saved points of a classification flow
LOWEST, HIGHEST = 0.6, 1.6  # of the ratio of errors that the scales predict


def checks() -> tuple[Check, ...]:
    """The rows of regression at several depths, and of classification's first stage."""
    two, three = DiagonalNetwork(12, 2), DiagonalNetwork(12, 3)
    pair = TwoSidedDiagonalNetwork(12, 3)
    rows: tuple[tuple[Network, str, Sequence[float]], ...] = (
        (two, "diagonal, L = 2", (-50.0, -200.0, -1000.0)),
        (three, "diagonal, L = 3", (-5.0, -7.0, -14.0)),
        (pair, "two-sided, D = 3", (-5.0, -7.0, -14.0)),
    )
    return (
        *(
            Check(
                "Saddles, regression",
                f"{named}, log scale {scales[0]:g} to {scales[-1]:g}",
                "Gaussian, n = 4",
                partial(jumps, network, scales),
            )
            for network, named, scales in rows
        ),
        Check(
            "Saddles, classification",
            "diagonal, L = 2, log scale -1000",
            "Gaussian, n = 7, labels by the row",
            first_stage,
        ),
    )


def jumps(network: Network, scales: Sequence[float]) -> Measurement:
    """Flows halfway between jumps against saddles; how late they jump, by 1/log or alpha^{L - 2}.

    The lateness is measured at the first two scales, the saddles at the last.
    """
    problem = datasets.gaussian(4, 12, seed=2)
    start = Initialization.random(network, 1.0, seed=1)
    path = saddle_path(network, problem, start)
    middle = 0.5 * (path.times + np.append(path.times[1:], 2.0 * path.times[-1]))
    flow = along(network, problem, start, scales[-1], path, middle)
    end = limit_path(network, problem, start, [0.0]).coefficients[0]
    late = [
        float(np.abs(crossings(network, problem, start, scale, path) / path.times - 1.0).max())
        for scale in scales[:2]
    ]
    first, second = scales[:2]
    predicted = second / first
    if path.depth > 2:
        predicted = float(np.exp((path.depth - 2) * (first - second)))
    ratio = late[0] / late[1] / predicted
    return Measurement(
        max(
            relative_difference(flow, path.coefficients),
            relative_difference(path.final_coefficients, end),
        ),
        path.worst,
        path.assumptions,
        problem.X.shape,
        holds=LOWEST < ratio < HIGHEST,
        note=f"{path.times.size} saddles; jumps off by {late[0]:.1e} and {late[1]:.1e} of their "
        f"times at log scales {first:g} and {second:g}: {ratio:.2f} of the ratio predicted",
        settings={"depth": path.depth, "log scale": scales[-1], "seed of the data": 2},
        arrays={"saddles": path.coefficients, "flow": flow, "times": path.times},
        certificates=path.certificates,
    )


def along(
    network: Network,
    problem: Regression,
    start: Initialization,
    log_scale: float,
    path: SaddlePath,
    times: FloatArray,
) -> FloatArray:
    """beta of the dual flow at times T of the path, (len(times), d)."""
    wanted = times * np.exp(path.log_time_unit(log_scale))
    flow = gradient_flow(
        network,
        problem,
        Initialization(start.directions, log_scale=log_scale),
        route="dual",
        times=wanted,
        until_residual=NEVER,
        until_change=NEVER,
    )
    place = np.searchsorted(
        flow.times, wanted * (1.0 - SAME)
    )  # a flow at rest, to rounding, stops before
    return np.asarray(flow.coefficients[np.minimum(place, len(flow.times) - 1)])


def crossings(
    network: Network, problem: Regression, start: Initialization, log_scale: float, path: SaddlePath
) -> FloatArray:
    """When the flow is halfway from a saddle to the next in what moves most, (k,)."""
    saddles = np.vstack([np.zeros(problem.num_features), path.coefficients])
    moved = np.diff(saddles, axis=0)
    which = np.abs(moved).argmax(axis=1)
    ends = np.concatenate([[0.0], path.times, [2.0 * path.times[-1]]])
    brackets = np.stack([ends[:-1] + ends[1:]] * 2)[:, :-1] * 0.5
    brackets[1] = 0.5 * (ends[1:-1] + ends[2:])
    for _ in range(ROUNDS):
        grid = np.linspace(brackets[0], brackets[1], SEEN)
        order = np.unique(grid)
        beta = along(network, problem, start, log_scale, path, order)
        for k, j in enumerate(which):
            seen = beta[np.searchsorted(order, grid[:, k]), j]
            part = (seen - saddles[k, j]) / moved[k, j]
            after = int(np.argmax(part > 0.5))
            brackets[:, k] = grid[after - 1, k], grid[after, k]
    return np.asarray(brackets.mean(axis=0))


def first_stage() -> Measurement:
    """A classifier's flow halfway between jumps against the saddles of its first stage."""
    X = np.random.default_rng(6).standard_normal((7, 5))
    y = np.array([1.0, -1.0, -1.0, 1.0, 1.0, -1.0, 1.0])
    problem, network = Classification(X, y), DiagonalNetwork(5, 2)
    start = Initialization.last_layer_zero(network, np.ones(5), scale=1.0)
    path = saddle_path(network, problem, start)
    there = Initialization(start.directions, log_scale=-1000.0)
    flow = gradient_flow(network, problem, there, route="dual", until_margin=1.0, num_points=ALONG)
    middle = 0.5 * (path.times + np.append(path.times[1:], path.until))
    log_times = np.log(middle) + path.log_time_unit(-1000.0)
    seen = flow.coefficients[np.searchsorted(flow.log_times, log_times)]
    return Measurement(
        relative_difference(seen, path.coefficients),
        path.worst,
        path.assumptions,
        problem.X.shape,
        holds=bool(path.times.size > 3 and np.isfinite(path.until)),
        note=f"{path.times.size} saddles, until T = {path.until:.4g}",
        settings={"depth": 2, "log scale": -1000.0},
        arrays={"saddles": path.coefficients, "flow": seen, "times": path.times},
        certificates=path.certificates,
    )
