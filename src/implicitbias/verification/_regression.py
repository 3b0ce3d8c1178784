"""The theory's regression results: simulated, predicted and held against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

import numpy as np

from implicitbias import datasets
from implicitbias._arrays import Parameters
from implicitbias.comparison import Comparison, compare, verify
from implicitbias.flow import gradient_flow
from implicitbias.initialization import Initialization
from implicitbias.limits import least_l2_interpolator, relative_difference
from implicitbias.networks import (
    ConvolutionalNetwork,
    DiagonalNetwork,
    FullyConnectedNetwork,
    Network,
    OrthogonalNetwork,
    TensorNetwork,
)
from implicitbias.problems import Regression
from implicitbias.theorems import predict_limit
from implicitbias.verification._checks import Check, Measurement

Settings = Mapping[str, float]
UNTIL_RESIDUAL = 1e-12
Routes = Sequence[Literal["parameters", "dual"]]
BOTH: Routes = ("parameters", "dual")
SMALL_SCALE, EVERY_SCALE = "fully connected, small scale", "fully connected, aligned layers"
DIABETES_STARTS = ((2, 50.0), (2, 300.0), (3, 15.0), (3, 50.0), (4, 20.0))  # (L, alpha)
ALIGNED = (((10, 6), 1.0), ((10, 6, 5, 4), 1.0), ((10, 1), 0.3), ((10, 1, 1), 2.0))
SHRINKING_SCALES = (1.0, 0.1, 0.01)


def checks() -> tuple[Check, ...]:
    """The rows on Theorems 5 and 6, their corollaries and fully connected networks."""
    return (
        *(_theorem_5_check(depth, scale) for depth, scale in ((2, 0.01), (3, 0.1), (4, 1.0))),
        Check("Theorem 5", "random orthogonal, L = 3, scale 0.5", "Gaussian", theorem_5_orthogonal),
        *(_corollary_5_check(depth, scale) for depth, scale in DIABETES_STARTS),
        *(_corollary_6_check(depth, scale) for depth, scale in ((2, 0.1), (3, 0.3))),
        Check(
            "Theorem 6",
            "convolution, filters of length 5 and 64, scale 0.1",
            "digits, one image",
            theorem_6_convolution,
        ),
        Check("Theorem 6", "random 7 x 9 matrices, scale 0.5", "Gaussian", theorem_6_matrix),
        Check(
            "Theorem 6",
            "fully connected, L = 2, width 6, scale 0.2",
            "diabetes, one patient",
            theorem_6_fully_connected,
        ),
        *(_fully_connected_check(widths) for widths in ((10, 6), (10, 6, 5))),
        *(_aligned_check(widths, spread) for widths, spread in ALIGNED),
        Check(
            "beyond Theorem 5, least squares",
            "diagonal, L = 2, equal layers, scale 1",
            "Gaussian, every feature twice",
            least_squares,
        ),
    )


def _theorem_5_check(depth: int, scale: float) -> Check:
    network = f"diagonal, L = {depth}, scale {scale:g}"
    return Check("Theorem 5", network, "Gaussian", partial(theorem_5_diagonal, depth, scale))


def _corollary_5_check(depth: int, scale: float) -> Check:
    network = f"diagonal, L = {depth}, scale {scale:g}"
    return Check(
        "Corollary 5", network, "diabetes, cubic features", partial(corollary_5, depth, scale)
    )


def _corollary_6_check(depth: int, scale: float) -> Check:
    network = f"full-length convolution, L = {depth}, scale {scale:g}"
    return Check("Corollary 6", network, "digits, even parts", partial(corollary_6, depth, scale))


def _fully_connected_check(widths: tuple[int, ...]) -> Check:
    scales = ", ".join(f"{scale:g}" for scale in SHRINKING_SCALES)
    network = f"fully connected, L = {len(widths)}, scales {scales}"
    return Check(SMALL_SCALE, network, "diabetes, 8 patients", partial(fully_connected, widths))


def _aligned_check(widths: tuple[int, ...], last: float) -> Check:
    layers = "balanced" if last == 1.0 else f"one hidden unit, last layer {last:g}"
    network = f"fully connected, L = {len(widths)}, {layers}, scale 1"
    return Check(
        EVERY_SCALE, network, "diabetes, 8 patients", partial(aligned_layers, widths, last)
    )


def theorem_5_diagonal(depth: int, scale: float) -> Measurement:
    """S = I and U_l = I given outright, against the diagonal network's own two flows."""
    settings = {"depth": depth, "scale": scale, "seed of the data": 5, "seed of the start": 1}
    problem = datasets.gaussian(20, 100, seed=5)
    d = problem.num_features
    network = DiagonalNetwork(d, depth)
    eta = np.random.default_rng(1).uniform(0.5, 1.5, d)
    init = Initialization.last_layer_zero(network, eta, scale=scale)
    limit = predict_limit(OrthogonalNetwork(np.eye(d), [np.eye(d)] * depth), problem, init)
    comparisons = [
        compare(
            gradient_flow(network, problem, init, route=route, until_residual=UNTIL_RESIDUAL), limit
        )
        for route in BOTH
    ]
    return _measured(problem, "Theorem 5", comparisons, settings)


def theorem_5_orthogonal() -> Measurement:
    """Random S (14 x 12) and random orthonormal columns U_l of 14, 15 and 16 rows."""
    settings = {"depth": 3, "scale": 0.5, "seed of the data": 6, "seed of network and start": 14}
    rng = np.random.default_rng(14)
    problem = datasets.gaussian(6, 12, seed=6)
    bases = [np.linalg.qr(rng.standard_normal((rows, 14)))[0] for rows in (14, 15, 16)]
    network = OrthogonalNetwork(rng.standard_normal((14, 12)), bases)
    init = Initialization.last_layer_zero(network, rng.uniform(0.5, 1.5, 14), scale=0.5)
    return _measured(problem, "Theorem 5", [_verified(network, problem, init)], settings)


def least_squares() -> Measurement:
    """Signs that no interpolator has: the dual flow comes to rest where the fit's limit is.

    x_j and 2 x_j compete; flows of the parameters may slip off the saddle.
    """
    rng = np.random.default_rng(4)
    X, y = rng.standard_normal((6, 8)), rng.standard_normal(6)
    problem, first = Regression(np.hstack([X, 2.0 * X]), y), rng.uniform(0.5, 1.5, 16)
    init = Initialization([first, first], scale=1.0)
    comparison = verify(DiagonalNetwork(16, 2), problem, init, routes=["dual"])
    settings = {"depth": 2, "scale": 1.0, "seed of data and start": 4}
    return _measured(problem, "beyond Theorem 5, least squares", [comparison], settings)


def corollary_5(depth: int, scale: float) -> Measurement:
    """Diabetes, 100 x 285, by the dual flow: 100 unknowns instead of 285 L."""
    problem = datasets.diabetes()
    network = DiagonalNetwork(problem.num_features, depth)
    init = Initialization.last_layer_zero(network, np.ones(problem.num_features), scale=scale)
    comparison = _verified(network, problem, init, ["dual"])
    return _measured(problem, "Corollary 5", [comparison], {"depth": depth, "scale": scale})


def corollary_6(depth: int, scale: float) -> Measurement:
    """Even parts of twenty digit images; wbar even with F wbar between 1 and 2."""
    problem = datasets.digits_even()
    d = problem.num_features
    network = ConvolutionalNetwork(d, (d,) * depth)
    eta = 1.5 + 0.5 * np.cos(2 * np.pi * np.arange(d) / d)
    wbar = np.fft.fft(eta).real / np.sqrt(d)
    init = Initialization.last_layer_zero(network, wbar, scale=scale)
    comparison = _verified(network, problem, init)
    return _measured(problem, "Corollary 6", [comparison], {"depth": depth, "scale": scale})


def theorem_6_convolution() -> Measurement:
    """One image of 64 pixels through a filter of length 5."""
    images = datasets.digits(4)
    problem = Regression(images.X[3:], images.y[3:])
    return _theorem_6(ConvolutionalNetwork(64, (5, 64)), problem, {"scale": 0.1})


def theorem_6_matrix() -> Measurement:
    """M(x) = sum_i x_i A_i with random 7 x 9 matrices A_i."""
    problem = datasets.gaussian(1, 5, seed=8)
    tensor = np.random.default_rng(9).standard_normal((7, 9, problem.num_features))
    settings = {"scale": 0.5, "seed of the data": 8, "seed of the network": 9}
    return _theorem_6(TensorNetwork(tensor), problem, settings)


def theorem_6_fully_connected() -> Measurement:
    """M(x) = x (x) I: all singular values are equal."""
    return _theorem_6(FullyConnectedNetwork((10, 6)), datasets.diabetes(1, 1), {"scale": 0.2})


def _theorem_6(network: Network, problem: Regression, settings: Settings) -> Measurement:
    """The coefficients and both layers, from random layers with the first one larger."""
    first, second = network.parameter_shapes
    rng = np.random.default_rng(4)
    left, _, right = np.linalg.svd(network.data_tensor(problem.X[0]), full_matrices=False)
    larger = rng.standard_normal(first)
    smaller = right.T @ (rng.uniform(-0.8, 0.8, len(right)) * (left.T @ larger.ravel()))
    init = Initialization((larger, smaller.reshape(second)), scale=settings["scale"])
    comparison = _verified(network, problem, init)
    settings = {"depth": 2, **settings, "seed of the start": 4}
    measured = _measured(problem, "Theorem 6", [comparison], settings)
    layers = _layer_difference(comparison.flow.final_parameters, comparison.limit.parameters)
    return replace(
        measured,
        error=max(measured.error, layers),
        note=f"{measured.note}both layers agree to {layers:.1e}",
    )


def _layer_difference(found: Parameters | None, expected: Parameters | None) -> float:
    if found is None or expected is None:
        return float("inf")
    pairs = zip(found, expected, strict=True)
    return max(relative_difference(layer, limit) for layer, limit in pairs)


def fully_connected(widths: Sequence[int]) -> Measurement:
    """The exact distance identity at every scale, and the distance falling with the scale."""
    problem = datasets.diabetes(1, 8)
    network = FullyConnectedNetwork(widths)
    comparisons = [
        _verified(network, problem, Initialization.random(network, scale, seed=3), ["parameters"])
        for scale in SHRINKING_SCALES
    ]
    settings = {"depth": len(widths), "scale": SHRINKING_SCALES[-1], "seed of the start": 3}
    measured = _measured(problem, SMALL_SCALE, comparisons, settings)
    distances = [np.inf if one.distance is None else one.distance for one in comparisons]
    return replace(
        measured,
        holds=measured.holds and bool(np.all(np.diff(distances) < 0)),
        note=f"{measured.note}distance to the minimum-norm solution at each scale: "
        + ", ".join(f"{distance:.1e}" for distance in distances),
    )


def aligned_layers(widths: Sequence[int], last: float) -> Measurement:
    """The limit and the layers at scale 1, where it is not the minimum-norm solution."""
    problem, network = datasets.diabetes(1, 8), FullyConnectedNetwork(widths)
    rng = np.random.default_rng(5)
    *first, end = network.balanced([rng.standard_normal(s) for s in network.parameter_shapes])
    init = Initialization([*first, last * end], scale=1.0)
    comparison = _verified(network, problem, init, ["parameters"])
    settings = {"depth": len(widths), "scale": 1.0, "last layer": last, "seed of the start": 5}
    measured = _measured(problem, EVERY_SCALE, [comparison], settings)
    layers = _layer_difference(comparison.flow.final_parameters, comparison.limit.parameters)
    least = least_l2_interpolator(problem.X, problem.y)
    away = relative_difference(comparison.limit.coefficients, least)
    return replace(
        measured,
        error=max(measured.error, layers),
        note=f"{measured.note}layers agree to {layers:.1e}; from the minimum norm it is {away:.1e}",
    )


def _verified(
    network: Network, problem: Regression, init: Initialization, routes: Routes = BOTH
) -> Comparison:
    return verify(network, problem, init, routes=routes, until_residual=UNTIL_RESIDUAL)


def _measured(
    problem: Regression, result: str, comparisons: Sequence[Comparison], settings: Settings
) -> Measurement:
    """Comparisons with limits by ``result`` as one row: the worst of each number."""
    notes = [one.flow.message for one in comparisons if not one.trained]
    others = {one.limit.theorem for one in comparisons} - {result}
    notes += [f"predicted by {other} instead" for other in sorted(others)]
    last = comparisons[-1]
    return Measurement(
        error=max(one.error for one in comparisons),
        certificate=max(one.limit.certificate.worst for one in comparisons),
        certificates=tuple(one.limit.certificate for one in comparisons),
        assumptions=last.limit.assumptions,
        shape=(problem.num_points, problem.num_features),
        holds=not notes,
        note="".join(f"{note}; " for note in notes),
        settings=settings,
        arrays={
            "limit": last.limit.coefficients,
            "flow": last.flow.final_coefficients,
        },
    )
