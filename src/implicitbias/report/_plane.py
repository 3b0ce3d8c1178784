"""Two-dimensional problems, three families of networks and the same starts: one figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from implicitbias import plotting
from implicitbias._arrays import FloatArray
from implicitbias.flow import Flow, flow_of, margin_flows, request
from implicitbias.initialization import Initialization
from implicitbias.limits import Limit
from implicitbias.networks import (
    ConvolutionalNetwork,
    DiagonalNetwork,
    FullyConnectedNetwork,
    Network,
)
from implicitbias.problems import Classification, Regression
from implicitbias.theorems import predicted, situation_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PROBLEMS: dict[str, Regression | Classification] = {
    "regression": Regression(np.array([[1.0, 2.0]]), np.array([2.0])),
    "classification": Classification(np.array([[1.0, 2.0], [2.0, 2.5]]), np.ones(2)),
}
DEPTHS = (2, 3)
SCALES = (0.1, 0.5, 1.0)
LAST_LAYER = np.array([0.45, -0.3])
UNTIL_MARGIN = 1e4


def draw_trajectories(figure: Figure) -> None:
    """Draw one panel a problem and depth."""
    panels = figure.subplots(len(PROBLEMS), len(DEPTHS), squeeze=False)
    for row, (task, problem) in zip(panels, PROBLEMS.items(), strict=True):
        for ax, depth in zip(row, DEPTHS, strict=True):
            _draw_panel(ax, problem, depth, legend=depth == DEPTHS[-1])
            ax.set_title(f"{task}, L = {depth}", fontsize="medium")


def start(depth: int) -> dict[str, tuple[Network, list[FloatArray]]]:
    """Networks and directions by family: beta(0) = alpha^L LAST_LAYER in all of them."""
    delta = np.array([1.0, 0.0])
    unit: dict[str, tuple[Network, FloatArray]] = {
        "fully connected": (FullyConnectedNetwork((2,) * depth), np.eye(2)),
        "diagonal": (DiagonalNetwork(2, depth), np.ones(2)),
        "convolution": (ConvolutionalNetwork(2, (2,) * depth), delta),
    }
    return {
        name: (network, [one] * (depth - 1) + [LAST_LAYER]) for name, (network, one) in unit.items()
    }


def _flow_and_limit(
    network: Network, problem: Regression | Classification, init: Initialization
) -> tuple[Flow, Limit]:
    """Both; where the direction is found by a flow, the same one, integrated once."""
    situation = situation_of(network, problem, init)
    if isinstance(problem, Regression):
        return flow_of(situation, request(problem)), predicted(situation)
    flows, height = margin_flows(situation), float(np.log(UNTIL_MARGIN))
    flows.plan([height])
    limit = predicted(situation)
    return flows.to(height), limit


def _draw_panel(ax: Axes, problem: Regression | Classification, depth: int, legend: bool) -> None:
    runs = [
        (name, network, Initialization(directions, scale))
        for name, (network, directions) in start(depth).items()
        for scale in SCALES
    ]
    held = [_flow_and_limit(network, problem, init) for _, network, init in runs]
    plotting.trajectories(
        problem,
        [flow for flow, _ in held],
        limits=[limit for _, limit in held],
        names=[name for name, _, _ in runs],
        ax=ax,
        legend=legend,
    )
