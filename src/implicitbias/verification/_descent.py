"""Finite steps: gradient descent held against the limit of its effective start.

A third witness beside the flows of parameters and dual. Where a row names a paper, the run is an
independent loop of a few lines, and what is compared is the paper's own number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from implicitbias import datasets
from implicitbias._arrays import FloatArray
from implicitbias.descent import DualRecorder, Run, gradient_descent
from implicitbias.initialization import Initialization
from implicitbias.limits import relative_difference
from implicitbias.networks import (
    ConvolutionalNetwork,
    DiagonalNetwork,
    FullyConnectedNetwork,
    Network,
    OrthogonalNetwork,
)
from implicitbias.problems import Regression
from implicitbias.theorems import predict_limit
from implicitbias.verification._checks import Check, Measurement

UNTIL_RESIDUAL = 1e-13
VISIBLE = 1e-5  # a run this close to the flow's limit would show nothing of its steps
STEPS = 200_000
KINDS: dict[str, dict[str, Any]] = {
    "full batch": {},
    "batches of 5": {"batch_size": 5, "seed": 1},
    "label noise": {"label_noise": np.full(400, 0.5), "seed": 2},
    "falling steps": {"step": lambda k: 0.02 / (1.0 + k / 500.0) ** 0.25},
}
EVEN_ET_AL = {  # Even et al.'s closed form, 12 digits: gamma and the end
    0.2: (0.9137264412, 0.1294103382, 0.1725471176),
    0.3: (0.9132300022, 0.1301549966, 0.1735399955),
}
STEP_SIZES = (2e-3, 1e-3)
TRAINED = 24.0  # time until a loop of single points fits the data to rounding
STEP_OF_SIGNALS = 4e-4


def checks() -> tuple[Check, ...]:
    """The rows on steps of finite size."""
    return (
        *(
            _check("Corollary 5", f"diagonal, L = {depth}, {kind}", "Gaussian", _diagonal, *case)
            for case in ((2, "full batch"), (3, "batches of 5"), (4, "label noise"))
            for depth, kind in (case,)
        ),
        _check("Theorem 5", "random orthogonal, L = 3, falling steps", "Gaussian", _orthogonal),
        _check(
            "Corollary 6", "full-length convolution, L = 3, batches of 5", "even signals", _even
        ),
        _check("Theorem 6", "fully connected, L = 2, full batch", "diabetes", _one_point),
        *(
            Check("Even et al., finite steps", f"diagonal, L = 2, step {step:g}", "2 x 3", measure)
            for step in EVEN_ET_AL
            for measure in (partial(even_et_al, step),)
        ),
        Check("Pesme et al., small steps", "diagonal, L = 2, single points", "sparse", pesme_et_al),
        Check("HaoChen et al., label noise", "diagonal, L = 2, scale 1", "sparse", haochen_et_al),
    )


def _check(
    result: str, network: str, data: str, measure: Callable[..., Measurement], *arguments: Any
) -> Check:
    named = f"{result}, finite steps"
    return Check(named, network, data, partial(measure, *arguments))


def _diagonal(depth: int, kind: str) -> Measurement:
    problem = datasets.gaussian(20, 60, seed=5)
    network = DiagonalNetwork(60, depth)
    eta = np.random.default_rng(1).uniform(0.5, 1.5, 60)
    init = Initialization.last_layer_zero(network, eta, scale=0.5)
    return _held(network, problem, init, kind, {"step": 0.004})


def _orthogonal() -> Measurement:
    """Random S (14 x 12) and random orthonormal columns U_l of 14, 15 and 16 rows."""
    rng = np.random.default_rng(14)
    problem = datasets.gaussian(6, 12, seed=6)
    bases = [np.linalg.qr(rng.standard_normal((rows, 14)))[0] for rows in (14, 15, 16)]
    network = OrthogonalNetwork(rng.standard_normal((14, 12)) / 4.0, bases)
    init = Initialization.last_layer_zero(network, rng.uniform(0.5, 1.5, 14), scale=0.7)
    return _held(network, problem, init, "falling steps", {})


def _even() -> Measurement:
    """Even signals, for which all coordinates of a convolution have real clocks."""
    problem = datasets.even_signals(6, 24, seed=3)
    d = problem.num_features
    network = ConvolutionalNetwork(d, (d,) * 3)
    impulse = np.sqrt(d) * (np.arange(d) == 0)
    init = Initialization.last_layer_zero(network, impulse, scale=0.5)
    return _held(network, problem, init, "batches of 5", {"step": STEP_OF_SIGNALS})


def _one_point() -> Measurement:
    """Two layers and one patient: the singular coordinates of M(x) keep the identity."""
    problem = datasets.diabetes(1, 1)
    network = FullyConnectedNetwork((problem.num_features, 6))
    init = Initialization.random(network, 0.5, seed=3)
    size = float(np.linalg.norm(problem.X)) * max(1.0, float(np.abs(problem.y).max()))
    return _held(network, problem, init, "full batch", {"step": 0.6 / size})


def _held(
    network: Network, problem: Regression, init: Initialization, kind: str, options: dict[str, Any]
) -> Measurement:
    run = gradient_descent(
        network,
        problem,
        init,
        until_residual=UNTIL_RESIDUAL,
        max_steps=STEPS,
        num_points=2,
        **(options | KINDS[kind]),
    )
    return _measured(network, problem, init, run)


def _measured(network: Network, problem: Regression, init: Initialization, run: Run) -> Measurement:
    """The run's end against the limit of its effective start, and against the flow's."""
    reached = predict_limit(network, problem, run.effective_start)
    flow = predict_limit(network, problem, init)
    distance = relative_difference(run.final_coefficients, flow.coefficients)
    scales = np.asarray(run.effective.scales)
    return Measurement(
        error=relative_difference(run.final_coefficients, reached.coefficients),
        certificate=max(reached.certificate.worst, flow.certificate.worst),
        certificates=(reached.certificate, flow.certificate),
        assumptions=reached.assumptions,
        shape=(problem.num_points, problem.num_features),
        holds=distance > VISIBLE,
        note=f"{run.num_steps} steps; {distance:.1e} from the flow's limit; effective scale "
        f"{np.nanmin(scales):.4g} to {np.nanmax(scales):.4g} of {init.scale:g}",
        settings={"depth": network.depth, "scale": init.scale, "steps": run.num_steps},
        arrays={
            "limit of the effective start": reached.coefficients,
            "run": run.final_coefficients,
            "flow's limit": flow.coefficients,
        },
    )


def even_et_al(step: float) -> Measurement:
    """Both numbers that the closed form gives, and the run itself."""
    problem = Regression([[1.0, 2.0, -1.0], [0.5, -1.0, 1.0]], [1.0, 0.5])
    network = DiagonalNetwork(3, 2)
    init = Initialization([np.full(3, np.sqrt(0.5)), np.zeros(3)], scale=1.0)
    run = gradient_descent(
        network, problem, init, step=step, reduction="mean", until_residual=UNTIL_RESIDUAL
    )
    measured = _measured(network, problem, init, run)
    known = np.array(EVEN_ET_AL[step])
    error = max(measured.error, float(np.abs(known - run.final_coefficients).max()))
    arrays = dict(measured.arrays) | {"known": known}
    return replace(measured, error=error, settings={"step": step}, arrays=arrays)


def pesme_et_al() -> Measurement:
    """-log of the offsets' factors over gamma^2 sum_k g_k^2 tends to 1, as the square of gamma.

    Their alpha_inf = alpha exp(-gamma^2 sum_k g_k^2 / 2), with the sum over the steps of an
    independent loop, at two step sizes.
    """
    problem = datasets.sparse(20, 40, 3, seed=2)
    network = DiagonalNetwork(40, 2)
    ratios, worst, error = [], 0.0, 0.0
    for step in STEP_SIZES:
        run, squares = _single_points(network, problem, step)
        reached = predict_limit(network, problem, run.effective_start)
        worst = max(worst, reached.certificate.worst)
        error = max(error, relative_difference(run.final_coefficients, reached.coefficients))
        factors = np.asarray(run.effective.offset_factors)[0]
        ratios.append(-np.log(factors) / squares)
    coarse, fine = (np.abs(ratio - 1.0).max() for ratio in ratios)
    return Measurement(
        error=error,
        certificate=worst,
        shape=problem.X.shape,
        holds=bool(fine < 0.6 * coarse and fine < 1e-2),
        note=f"-log(factor) / (gamma^2 sum g^2) is 1 to {coarse:.1e} and {fine:.1e} at steps "
        f"{STEP_SIZES[0]:g} and {STEP_SIZES[1]:g}",
        settings={"depth": 2, "step": STEP_SIZES[1]},
        arrays={"coarse": ratios[0], "fine": ratios[1]},
    )


def _single_points(
    network: DiagonalNetwork, problem: Regression, step: float
) -> tuple[Run, FloatArray]:
    """A loop of stochastic gradient descent, one point a step, and gamma^2 sum_k g_k^2."""
    X, y, rng = problem.X, problem.y, np.random.default_rng(0)
    u, v = np.full(40, 0.5), np.zeros(40)
    start, recorder, squares = (u, v), DualRecorder(len(y)), np.zeros(40)
    for batch in rng.integers(0, len(y), (int(TRAINED / step), 1)):
        slope = len(y) * (X[batch] @ (u * v) - y[batch])
        recorder.add(slope, step, batch)
        g = step * slope @ X[batch]
        squares += g * g
        u, v = u - g * v, v - g * u
    return Run.from_weights(network, problem, [start, (u, v)], recorder.dual), squares


def haochen_et_al() -> Measurement:
    """Label noise first, then none: nearer the sparse truth than the flow, as it predicts."""
    problem = datasets.sparse(20, 40, 3, seed=2)
    network = DiagonalNetwork(40, 2)
    init = Initialization.last_layer_zero(network, np.ones(40), scale=1.0)
    noise = np.full(2_000, 0.5)
    run = gradient_descent(
        network,
        problem,
        init,
        step=0.005,
        batch_size=4,
        label_noise=noise,
        seed=3,
        until_residual=UNTIL_RESIDUAL,
        max_steps=STEPS,
        num_points=2,
    )
    measured = _measured(network, problem, init, run)
    sparsest = np.abs(run.final_coefficients).sum()
    flow = np.abs(measured.arrays["flow's limit"]).sum()
    return replace(
        measured,
        holds=measured.holds and bool(sparsest < flow),
        note=f"{measured.note}; l1 norm {sparsest:.6g} against {flow:.6g} of the flow",
        settings={"depth": 2, "scale": 1.0, "label noise": 0.5},
    )
