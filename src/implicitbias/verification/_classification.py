"""The theory's classification results: flows held against the directions that they predict.

A flow never reaches its direction. Where the dual flow slides on, margins like 10^100 bring the
angle below 1e-8; elsewhere the angle must fall, and like the predicted power of the margin once
its exponent has settled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from implicitbias import datasets
from implicitbias._arrays import FloatArray
from implicitbias._closing import angle_between
from implicitbias.comparison import Comparison, verify
from implicitbias.flow import has_dual_flow
from implicitbias.initialization import Initialization
from implicitbias.limits import fourier_groups, l1_max_margin
from implicitbias.networks import (
    ConvolutionalNetwork,
    DiagonalNetwork,
    FullyConnectedNetwork,
    Network,
    OrthogonalNetwork,
    TensorNetwork,
)
from implicitbias.problems import Classification
from implicitbias.theorems import decided_by_training
from implicitbias.verification._checks import AGREEMENT, Check, Measurement
from implicitbias.verification._regression import BOTH, Routes, Settings

PARAMETERS: Routes = ("parameters",)
DUAL: Routes = ("dual",)
LATE = 1e8  # a margin that parameter flows still resolve


def checks() -> tuple[Check, ...]:
    """The rows on Theorems 2 and 3 and Corollaries 1 to 4."""
    digits, wine = "digits 3 and 8", "wine"
    return (
        Check("Corollary 1", "fully connected, L = 2, width 3", digits, corollary_1_digits),
        Check("Corollary 1", "fully connected, L = 3, widths 3", wine, corollary_1_wine),
        Check("Theorem 2", "random orthogonal, L = 2", "Gaussian", partial(theorem_2, 2)),
        Check("Theorem 2", "random orthogonal, L = 3", "Gaussian", partial(theorem_2, 3)),
        Check("Corollary 2", "diagonal, L = 2", "iris setosa", partial(corollary_2_iris, 2)),
        Check("Corollary 2", "diagonal, L = 3", "iris setosa", partial(corollary_2_iris, 3)),
        Check("Corollary 2", "diagonal, L = 2", "digits 1 and 7", partial(corollary_2_digits, 2)),
        Check("Corollary 2", "diagonal, L = 4", "digits 1 and 7", partial(corollary_2_digits, 4)),
        Check("Corollary 2", "diagonal, L = 2", "breast cancer", corollary_2_breast_cancer),
        Check(
            "Corollary 3",
            "full-length convolution, L = 2",
            "digits 0 and 1",
            partial(corollary_3, 2, (0, 1)),
        ),
        Check(
            "Corollary 3",
            "full-length convolution, L = 3",
            "digits 2 and 5",
            partial(corollary_3, 3, (2, 5)),
        ),
        Check("Theorem 3", "random 4 x 5 matrices", "Gaussian", theorem_3_matrix),
        Check(
            "Theorem 3",
            "fully connected, L = 2, width 6",
            "breast cancer, one tumour",
            theorem_3_fully_connected,
        ),
        *(
            Check(
                "Corollary 4",
                f"convolution, filters of length {length} and 64",
                "digits, one 3",
                partial(corollary_4, length),
            )
            for length in (1, 2, 3, 64)
        ),
    )


def smaller_last_layer(network: Network, scale: float, seed: int = 1) -> Initialization:
    """All ones in the first layers, numbers from -0.1 to 0.1 in the last."""
    rng = np.random.default_rng(seed)
    *first, last = network.parameter_shapes
    directions = [np.ones(shape) for shape in first]
    return Initialization([*directions, 0.1 * rng.uniform(-1, 1, last)], scale)


def corollary_1_digits() -> Measurement:
    """Twenty images; the direction is the support vector machine's."""
    network = FullyConnectedNetwork((64, 3))
    return _corollary_1(network, datasets.digits_pair(3, 8, 20))


def corollary_1_wine() -> Measurement:
    """Three layers on sixty wines."""
    return _corollary_1(FullyConnectedNetwork((14, 3, 3)), datasets.wine(0, 60))


def _corollary_1(network: Network, problem: Classification) -> Measurement:
    init = Initialization.random(network, 0.1, seed=1)
    settings = {"depth": network.depth, "scale": 0.1, "seed of the start": 1}
    comparisons = each_route(network, problem, init, PARAMETERS)
    return measured(problem, "Corollary 1", comparisons, settings, norm_power=2.0)


def theorem_2(depth: int) -> Measurement:
    """Random S (14 x 12) and random orthonormal columns U_l of 14, 15 and 16 rows."""
    seed = {2: 25, 3: 23}[depth]
    rng = np.random.default_rng(seed)
    problem = Classification(rng.standard_normal((5, 12)), np.array([1.0, -1.0, 1.0, 1.0, -1.0]))
    bases = [np.linalg.qr(rng.standard_normal((rows, 14)))[0] for rows in (14, 15, 16)[:depth]]
    network = OrthogonalNetwork(rng.standard_normal((14, 12)), bases)
    init = Initialization.random(network, 0.5, seed=4, gap=1.0)
    settings = {"depth": depth, "scale": 0.5, "seed of network and data": seed}
    routes, until = (BOTH, LATE) if depth == 2 else (DUAL, 1e9)
    comparisons = each_route(network, problem, init, routes, until)
    return measured(problem, "Theorem 2", comparisons, settings)


def corollary_2_iris(depth: int) -> Measurement:
    """150 flowers, five features."""
    return _corollary_2(depth, 0.1, datasets.iris_setosa(), DUAL)


def corollary_2_digits(depth: int) -> Measurement:
    """Twelve images; for two layers by both flows."""
    scale, routes = (1.0, BOTH) if depth == 2 else (0.3, DUAL)
    return _corollary_2(depth, scale, datasets.digits_pair(1, 7, 12), routes)


def corollary_2_breast_cancer() -> Measurement:
    """569 tumours, 31 features, separable by a hair."""
    return _corollary_2(2, 0.1, datasets.breast_cancer(), DUAL)


def _corollary_2(depth: int, scale: float, problem: Classification, routes: Routes) -> Measurement:
    network = DiagonalNetwork(problem.num_features, depth)
    init = smaller_last_layer(network, scale)
    until = 1e6 if depth == 2 else LATE
    comparisons = each_route(network, problem, init, routes, until)
    settings = {"depth": depth, "scale": scale, "seed of the start": 1}
    return measured(problem, "Corollary 2", comparisons, settings, norm_power=2 / depth)


def corollary_3(depth: int, pair: tuple[int, int]) -> Measurement:
    """Four images, from random filters; no decoupled coordinates are real."""
    problem = datasets.digits_pair(*pair, 4)
    d = problem.num_features
    network = ConvolutionalNetwork(d, (d,) * depth)
    init = Initialization.random(network, 0.1, seed=2, gap=1.0)
    comparisons = each_route(network, problem, init, PARAMETERS, LATE)
    settings = {"depth": depth, "scale": 0.1, "seed of the start": 2, "fourier": 1}
    return measured(problem, "Corollary 3", comparisons, settings, norm_power=2 / depth)


def theorem_3_matrix() -> Measurement:
    """M(x) = sum_i x_i A_i with random 4 x 5 matrices A_i."""
    rng = np.random.default_rng(39)
    problem = Classification(rng.standard_normal((1, 3)), np.array([-1.0]))
    network = TensorNetwork(rng.standard_normal((4, 5, 3)))
    return _one_point("Theorem 3", network, problem, {"seed of network and data": 39})[0]


def theorem_3_fully_connected() -> Measurement:
    """M(x) = x (x) I: all singular values are equal, and the start decides."""
    whole = datasets.breast_cancer()
    problem = Classification(whole.X[:1], whole.y[:1])
    return _one_point("Theorem 3", FullyConnectedNetwork((31, 6)), problem, {})[0]


def corollary_4(length: int) -> Measurement:
    """A filter of so many pixels over one image; the certificate includes the closed form."""
    images = datasets.digits_pair(3, 8, 2)
    problem = Classification(images.X[:1], images.y[:1])
    network = ConvolutionalNetwork(64, (length, 64))
    found, comparison = _one_point("Corollary 4", network, problem, {})
    known = closed_form(problem, length)
    if known is None:
        return found
    if length == known.size:
        # The coordinates of a full-length filter do not mix: beta's angle is the layers', squared.
        first, second = np.linalg.svd(network.data_tensor(problem.X[0]), compute_uv=False)[:2]
        rate = float(1 - second / first)
        found = replace(found, closings=(replace(found.closings[0], rate=rate),))
    angle = angle_between(known, comparison.limit.coefficients)
    note = f"{found.note}; closed form and Corollary 4 differ by {angle:.1e}"
    return replace(found, certificate=max(found.certificate, angle), note=note)


def closed_form(problem: Classification, length: int) -> FloatArray | None:
    """Corollary 4's direction without singular vectors: k_1 = 1, 2 and d; None for others.

    y x for k_1 = 1; y (2 x +- (x shifted left + x shifted right)) for k_1 = 2, with the sign of
    x^T (x shifted); the l1 solution in the DFT domain for k_1 = d.
    """
    x, y = problem.X[0], problem.y[0]
    if length == 1:
        return np.asarray(y * x)
    if length == 2:
        left, right = np.roll(x, -1), np.roll(x, 1)
        return np.asarray(y * (2 * x + np.sign(x @ left) * (left + right)))
    if length < x.size:
        return None
    rows = y * np.fft.fft(problem.X) / np.sqrt(x.size)
    rho = l1_max_margin(rows, groups=fourier_groups(x.size)).rho
    return np.ascontiguousarray((np.fft.fft(rho) / np.sqrt(x.size)).real)


def _one_point(
    result: str, network: Network, problem: Classification, settings: Settings
) -> tuple[Measurement, Comparison]:
    """From random layers, the first one larger along every singular vector."""
    first, second = network.parameter_shapes
    rng = np.random.default_rng(4)
    left, _, right = np.linalg.svd(network.data_tensor(problem.X[0]), full_matrices=False)
    larger = rng.standard_normal(first)
    smaller = right.T @ (rng.uniform(-0.8, 0.8, len(right)) * (left.T @ larger.ravel()))
    init = Initialization((larger, smaller.reshape(second)), scale=0.2)
    routes = DUAL if has_dual_flow(network, problem, init) else PARAMETERS
    (comparison,) = each_route(network, problem, init, routes, LATE)
    settings = {"depth": 2, "scale": 0.2, **settings, "seed of the start": 4}
    found = measured(problem, result, [comparison], settings)
    layers = ", ".join(f"{angle:.1e}" for angle in _layer_angles(comparison))
    note = f"{found.note}; layers at angles {layers} from their singular vectors"
    return replace(found, note=note), comparison


def _layer_angles(comparison: Comparison) -> list[float]:
    found, expected = comparison.flow.final_parameters, comparison.limit.parameters
    if found is None or expected is None:
        return [float("inf")]
    pairs = zip(found, expected, strict=True)
    return [angle_between(layer.ravel(), limit.ravel()) for layer, limit in pairs]


def each_route(
    network: Network,
    problem: Classification,
    init: Initialization,
    routes: Routes,
    until_margin: float = 1e6,
) -> list[Comparison]:
    """One comparison a route, each with its own flow."""
    return [
        verify(network, problem, init, routes=[route], until_margin=until_margin)
        for route in routes
    ]


def measured(
    problem: Classification,
    result: str,
    comparisons: Sequence[Comparison],
    settings: Settings,
    *,
    norm_power: float | None = None,
) -> Measurement:
    """Comparisons with directions by ``result`` as one row.

    ``norm_power`` p, of the norm ||.||_p that the direction minimises, gives the figure what it
    needs of the last comparison.
    """
    notes = [one.flow.message for one in comparisons if not one.trained]
    others = {one.limit.theorem for one in comparisons} - {result}
    notes += [f"predicted by {other} instead" for other in sorted(others)]
    holds = not notes
    for one in comparisons:
        reached = f"margin 10^{_log10_margins(one)[-1]:.4g}"
        notes += [f"{reached}, {closing}" for closing in one.closings]
    if not any(
        one.settled or one.angle <= AGREEMENT for each in comparisons for one in each.closings
    ):
        holds, notes = False, [*notes, "no flow was followed to where its exponent settles"]
    last = comparisons[-1]
    arrays = {"limit": last.limit.coefficients, "flow": directions_of(last)[-1]}
    if norm_power is not None:
        arrays |= {"directions": directions_of(last), "log10 margins": _log10_margins(last)}
        settings = {**settings, "norm power": norm_power, "rate": last.limit.rate or np.nan}
    return Measurement(
        error=max(one.error for one in comparisons),
        certificate=max(one.limit.certificate.worst for one in comparisons),
        certificates=tuple(one.limit.certificate for one in comparisons),
        assumptions=decided_by_training(last.limit.assumptions, _lowest_log_loss(comparisons)),
        shape=(problem.num_points, problem.num_features),
        holds=holds,
        note="; ".join(notes),
        settings=settings,
        arrays=arrays,
        closings=tuple(closing for one in comparisons for closing in one.closings),
    )


def _lowest_log_loss(comparisons: Sequence[Comparison]) -> float:
    """Of the run that came least far."""
    return max(float(np.nanmin(one.flow.log_losses)) for one in comparisons)


def directions_of(comparison: Comparison) -> FloatArray:
    """beta along the flow, scaled to margin 1."""
    found = comparison.flow.directions
    return comparison.flow.coefficients if found is None else found


def _log10_margins(comparison: Comparison) -> FloatArray:
    found = comparison.flow.log_margins
    return np.full(1, np.nan) if found is None else found / np.log(10)
