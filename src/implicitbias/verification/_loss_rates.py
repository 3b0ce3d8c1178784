"""The loss against time: flows held against the constant that their limit direction names."""

from __future__ import annotations

from functools import partial

import numpy as np

from implicitbias import datasets
from implicitbias._closing import Closing, LossCourse, loss_course_of
from implicitbias.flow import gradient_flow
from implicitbias.initialization import Initialization
from implicitbias.networks import (
    ConvolutionalNetwork,
    DiagonalNetwork,
    FullyConnectedNetwork,
    Network,
)
from implicitbias.theorems import decided_by_training, predict_limit
from implicitbias.verification._checks import Check, Measurement

HEIGHTS = (3e2, 3e3, 3e4)  # log(1 / loss) at which the constant is measured
CLOSE, POWER = 1e-4, 1e-2  # what the last may be off by, and the power of log t
ALIKE = 0.15  # relative: exponents that count as one
NETWORKS: dict[str, Network] = {
    "fully connected, L = 2, width 4": FullyConnectedNetwork((8, 4)),
    "fully connected, L = 3, widths 4": FullyConnectedNetwork((8, 4, 4)),
    "diagonal, L = 2": DiagonalNetwork(8, 2),
    "full-length convolution, L = 2": ConvolutionalNetwork(8, (8, 8)),
}


def checks() -> tuple[Check, ...]:
    """One row a network, all on the same points."""
    return tuple(
        Check("loss against time", name, "separable", partial(course, name)) for name in NETWORKS
    )


def course(name: str) -> Measurement:
    """Twenty points of margin 0.5; the constant at three losses of one flow."""
    network, problem = NETWORKS[name], datasets.separable(20, 8, 0.5, seed=0)
    gap = None if network.family == "fully connected" else 0.1
    init = Initialization.random(network, 0.5, seed=1, gap=gap)
    limit = predict_limit(network, problem, init)
    flow = gradient_flow(network, problem, init, until_margin=2e5)
    found = [loss_course_of(flow, limit, at=height) for height in HEIGHTS]
    seen = [one for one in found if one is not None]
    errors = [one.error for one in seen]
    whole = len(seen) == len(HEIGHTS)
    fallen = f"constant off by {', '.join(f'{error:.1e}' for error in errors)} at log(1 / loss) = "
    return Measurement(
        error=errors[-1] if errors else np.inf,
        certificate=limit.certificate.worst,
        certificates=(limit.certificate,),
        assumptions=decided_by_training(limit.assumptions, float(np.nanmin(flow.log_losses))),
        quantity="difference",
        shape=problem.X.shape,
        holds=whole and errors[-1] <= CLOSE and _power_error(seen[-1]) <= POWER,
        note=fallen + f"3e2, 3e3, 3e4; {seen[-1] if seen else 'no flow was followed so far'}",
        settings={"depth": network.degree, "scale": 0.5, "seed of the start": 1},
        arrays={"log losses": flow.log_losses, "log times": flow.log_times},
        closings=(_closing(errors),) if whole else (),
    )


def _power_error(found: LossCourse) -> float:
    return abs(found.power - found.expected.power)


def _closing(errors: list[float]) -> Closing:
    before, last = -np.diff(np.log(errors)) / np.diff(np.log(HEIGHTS))
    settled = abs(last - before) <= ALIKE * abs(last)
    return Closing(errors[-1], float(last), bool(settled), None)
