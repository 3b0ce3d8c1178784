"""Classification at finite loss: flows stopped on their way, held against ``margin_path``.

At a fixed ratio alpha^L / log(1 / loss) their distance falls like 1 / log(1 / loss).
"""

from __future__ import annotations

from functools import partial

import numpy as np

from implicitbias import datasets
from implicitbias.flow import gradient_flow
from implicitbias.initialization import Initialization
from implicitbias.limits import Limit, relative_difference
from implicitbias.networks import DiagonalNetwork, Network, TwoSidedDiagonalNetwork
from implicitbias.problems import Classification
from implicitbias.theorems import margin_path
from implicitbias.verification._checks import Check, Measurement

LOG_LOSSES = (1e4, 1e10)  # log(1 / loss)
RATIO, SEED = 0.1, 0
SLOPE = 0.9  # of the exponent 1, that a logarithm after departures may cost


def checks() -> tuple[Check, ...]:
    """The rows on training that stops."""
    return tuple(
        Check(
            name,
            f"{text}, ratio {RATIO:g}",
            "separable",
            partial(stopped, power, two_sided),
        )
        for name, text, power, two_sided in (
            ("finite loss, two-sided", "u^2 - v^2", 2, True),
            ("finite loss", "diagonal, L = 3", 3, False),
        )
    )


def stopped(power: int, two_sided: bool) -> Measurement:
    """Two flows at two losses, and the exponent with which their distance falls."""
    problem = datasets.separable(6, 10, 0.3, seed=SEED)
    ones, d = np.ones(problem.num_features), problem.num_features
    network: Network = TwoSidedDiagonalNetwork(d, power) if two_sided else DiagonalNetwork(d, power)
    start = [ones, ones] if two_sided else [ones] * (power - 1) + [0.0 * ones]
    found = [_stopped(network, problem, start, height) for height in LOG_LOSSES]
    errors = [error for error, _ in found]
    slope = -np.log(errors[1] / errors[0]) / np.log(LOG_LOSSES[1] / LOG_LOSSES[0])
    limit = found[1][1]
    return Measurement(
        errors[1],
        limit.certificate.worst,
        limit.assumptions,
        problem.X.shape,
        holds=bool(slope >= SLOPE),
        note=f"distance {errors[0]:.1e} at log(1/loss) = {LOG_LOSSES[0]:.0e}, {errors[1]:.1e} at "
        f"{LOG_LOSSES[1]:.0e}: exponent {slope:.3f} of 1",
        settings={"depth": power, "ratio": RATIO, "seed of the data": SEED},
        arrays={"limit": limit.coefficients},
        certificates=(limit.certificate,),
    )


def _stopped(
    network: Network, problem: Classification, start: list[np.ndarray], height: float
) -> tuple[float, Limit]:
    """How far a flow with log(1 / loss) about ``height`` is from the limit at its ratio."""
    log_scale = float(np.log(RATIO * height)) / network.degree
    init = Initialization(start, log_scale=log_scale)
    flow = gradient_flow(network, problem, init, until_log_margin=float(np.log(height)))
    reached = -float(flow.log_losses[-1])
    path = margin_path(network, problem, start, [RATIO * height / reached])
    return relative_difference(
        flow.final_coefficients / reached, path.coefficients[0]
    ), path.limits[0]
