"""What the start decides and what it does not, and the known results that the theory subsumes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from implicitbias import datasets
from implicitbias._arrays import FloatArray
from implicitbias._nonnegative import nnls
from implicitbias.closing import angle_between
from implicitbias.comparison import verify
from implicitbias.initialization import Initialization
from implicitbias.limits import globally_optimal, many_starts, relative_difference
from implicitbias.networks import ConvolutionalNetwork, DiagonalNetwork, FullyConnectedNetwork
from implicitbias.problems import Classification, Regression
from implicitbias.verification._checks import Check, Measurement
from implicitbias.verification._classification import (
    DUAL,
    LATE,
    PARAMETERS,
    directions_of,
    each_route,
    measured,
)

BASINS = {  # the first layers' start, and where beta then points
    "small first coordinate": ((0.3, 1.0, 1.1), (0.0, 1 / 3, 1 / 3)),
    "large first coordinate": ((3.0, 0.3, 0.35), (1.0, 0.0, 0.0)),
}
SAME = 1e-6  # radians between two directions that are still closing in on one
DIFFERENT = 0.1  # relative difference of two regression limits that no rounding explains


def checks() -> tuple[Check, ...]:
    """Rows on basins and starts, on Gunasekar et al. and on Ji and Telgarsky."""
    return (
        *(
            Check("Corollary 2", "diagonal, L = 3", f"two basins, {name}", partial(basin, name))
            for name in BASINS
        ),
        Check(
            "Corollary 2 and Corollary 5",
            "diagonal, L = 2, two starts",
            "twelve wines: one direction, two interpolators",
            two_starts,
        ),
        Check(
            "Gunasekar et al., Fourier norm",
            "full-length convolution, L = 2",
            "digits 0 and 1",
            fourier_norm,
        ),
        Check(
            "Ji and Telgarsky, l2 direction",
            "fully connected, L = 3, widths 4",
            "digits 1 and 7",
            l2_direction,
        ),
    )


def basin(name: str) -> Measurement:
    """X = [[1, 3, 0], [1, 0, 3]], y = (1, 1): the start decides between two stationary points."""
    start, expected = BASINS[name]
    problem = Classification(np.array([[1.0, 3.0, 0.0], [1.0, 0.0, 3.0]]), np.ones(2))
    network = DiagonalNetwork(3, 3)
    layer = np.array(start)
    init = Initialization([layer, layer, 0.1 * layer], 1.0)
    comparisons = each_route(network, problem, init, PARAMETERS)
    comparisons += each_route(network, problem, init, DUAL, 1e12)
    found = measured(problem, "Corollary 2", comparisons, {"depth": 3, "scale": 1.0})
    limit = comparisons[-1].limit.coefficients
    error = relative_difference(limit, np.array(expected))
    others = many_starts(problem.X, 3, num=16, starts=[limit])
    mine = min(others, key=lambda point: angle_between(np.asarray(point.rho), limit))
    verdict = globally_optimal(mine, others)
    lowest = name == "small first coordinate"
    return replace(
        found,
        certificate=max(found.certificate, error, mine.kkt.worst),
        holds=found.holds and verdict.fails is not lowest,
        note=f"{found.note}; differs from {_shown(expected)} by {error:.1e}; {verdict}",
    )


def _shown(vector: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:.3g}" for value in vector) + ")"


def two_starts() -> Measurement:
    """The same two starts under both losses: directions agree, interpolators do not."""
    problem = datasets.wine(0, 12)
    d = problem.num_features
    network = DiagonalNetwork(d, 2)
    rng = np.random.default_rng(7)
    first = Initialization([np.ones(d), np.zeros(d) + 0.1], 1.0)
    second = Initialization([rng.uniform(0.5, 2.0, d), rng.uniform(-0.4, 0.4, d)], 1.0)
    directions = [
        one for init in (first, second) for one in each_route(network, problem, init, DUAL)
    ]
    found = measured(problem, "Corollary 2", directions, {"depth": 2, "seed of the start": 7})
    labels = Regression(problem.X, problem.y)
    points = [verify(network, labels, init, routes=["dual"]) for init in (first, second)]
    same = angle_between(*(directions_of(one)[-1] for one in directions))
    apart = relative_difference(*(one.flow.final_coefficients for one in points))
    worst = max(one.error for one in points)
    return replace(
        found,
        error=max(found.error, worst),
        certificate=max(found.certificate, *(one.limit.certificate.worst for one in points)),
        holds=found.holds
        and all(one.agrees for one in points)
        and same <= SAME
        and apart >= DIFFERENT,
        note=f"{found.note}; the two directions are {same:.1e} apart, the two interpolators of "
        f"the labels {apart:.1e}, each {worst:.1e} from its own prediction",
    )


def fourier_norm() -> Measurement:
    """min ||F z||_1 s.t. margins >= 1 by weak duality: ||F z||_1 >= sum a / ||F X^T (a y)||_inf."""
    problem = datasets.digits_pair(0, 1, 4)
    network = ConvolutionalNetwork(64, (64, 64))
    init = Initialization.random(network, 0.1, seed=5, gap=1.0)
    comparisons = each_route(network, problem, init, PARAMETERS, LATE)
    settings = {"depth": 2, "scale": 0.1, "seed of the start": 5}
    found = measured(problem, "Corollary 3", comparisons, settings)
    limit = comparisons[0].limit
    a = np.maximum(np.zeros(1) if limit.dual is None else limit.dual, 0.0)
    norm = float(np.abs(_spectrum(limit.coefficients)).sum())
    bound = float(a.sum() / np.abs(_spectrum(problem.X.T @ (a * problem.y))).max())
    gap = abs(norm - bound) / norm
    return replace(
        found,
        certificate=max(found.certificate, gap),
        note=f"{found.note}; ||F z||_1 = {norm:.10g}, its lower bound off by {gap:.1e}",
    )


def _spectrum(signal: FloatArray) -> FloatArray:
    return np.asarray(np.fft.fft(signal) / np.sqrt(signal.size))


def l2_direction() -> Measurement:
    """The direction by Lawson and Hanson's least distance programming; layers align, rank one."""
    problem = datasets.digits_pair(1, 7, 20)
    network = FullyConnectedNetwork((64, 4, 4))
    init = Initialization.random(network, 0.1, seed=6)
    comparisons = each_route(network, problem, init, PARAMETERS)
    settings = {"depth": 3, "scale": 0.1, "seed of the start": 6}
    found = measured(problem, "Corollary 1", comparisons, settings)
    difference = angle_between(least_distance(problem), comparisons[0].limit.coefficients)
    matrices = [layer for layer in comparisons[0].flow.final_parameters or () if layer.ndim == 2]
    shares = [np.divide(*np.linalg.svd(layer, compute_uv=False)[[1, 0]]) for layer in matrices]
    listed = ", ".join(f"{share:.1e}" for share in shares)
    return replace(
        found,
        certificate=max(found.certificate, difference),
        note=f"{found.note}; least distance programming and Corollary 1 differ by {difference:.1e}"
        f"; second singular values of the layers {listed} of the first",
    )


def least_distance(problem: Classification) -> FloatArray:
    """min ||z||_2 s.t. A z >= 1: z = -r_{1..d} / r_{d+1}, r = E a - e_{d+1} of an NNLS problem.

    Source: Lawson and Hanson, "Solving least squares problems", 1974, chapter 23.
    """
    A = problem.y[:, None] * problem.X
    E = np.vstack([A.T, np.ones(len(A))])
    target = np.zeros(len(E))
    target[-1] = 1.0
    a, _ = nnls(E, target)
    r = E @ a - target
    return np.asarray(-r[:-1] / r[-1])
