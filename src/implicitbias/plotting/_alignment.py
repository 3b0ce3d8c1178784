"""How the layers of a classifier align with singular vectors of the data tensor (Theorem 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias._closing import angle_between
from implicitbias._errors import InvalidInputError
from implicitbias.flow import Flow
from implicitbias.networks import Network
from implicitbias.plotting._style import MARKERS, WIDTH, all_given, axes_of, framed, given, look
from implicitbias.problems import Classification

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class AlignmentTraces:
    """What ``alignment`` draws.

    Attributes
    ----------
    log10_margins
        log10 of the margin at the end of each flow, ascending, (k,).
    angles
        Between each layer v_l and M(-u) o (v_1, .., I at l, .., v_L) there, in radians, (k, L);
        u is the direction of X^T r.
    """

    log10_margins: FloatArray
    angles: FloatArray


def alignment_traces(
    network: Network, problem: Classification, flows: Sequence[Flow]
) -> AlignmentTraces:
    """Measure how far the layers are from s u_l = M(-u) o (u_1, .., I at l, .., u_L).

    Parameters
    ----------
    network, problem
        What was trained, on what.
    flows
        The same flow followed to several margins; the layers at its ends are used.

    Raises
    ------
    InvalidInputError
        Not a classification, no flow, or one whose layers or margins are beyond float64.
    """
    if not isinstance(problem, Classification):
        raise InvalidInputError(
            "alignment is a statement on classification; problem is a "
            f"{type(problem).__name__}, expected a Classification."
        )
    given(network, Network, "network", "the network that was trained")
    flows = all_given(flows, Flow, "flows", "result of gradient_flow, one for each margin")
    rows = sorted((_row(network, problem, flow) for flow in flows), key=lambda row: row[0])
    return AlignmentTraces(
        np.array([height for height, _ in rows]), np.array([angles for _, angles in rows])
    )


def alignment(
    network: Network,
    problem: Classification,
    flows: Sequence[Flow],
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw the angle of each layer to its singular vector against the margin.

    Parameters
    ----------
    network, problem, flows
        As in ``alignment_traces``.
    ax
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    InvalidInputError
        As ``alignment_traces``.
    """
    traces = alignment_traces(network, problem, flows)
    ax = axes_of(ax)
    for layer, angles in enumerate(traces.angles.T):
        ax.semilogy(
            traces.log10_margins,
            angles,
            marker=MARKERS[layer % len(MARKERS)],
            markersize=5,
            linewidth=WIDTH,
            label=f"layer {layer + 1}",
            **look(layer),
        )
    angle = r"angle of $v_l$ to $M(-u) \circ (v_1, .., I, .., v_L)$"
    return framed(ax, r"$\log_{10}$ margin", angle)


def _row(network: Network, problem: Classification, flow: Flow) -> tuple[float, list[float]]:
    if flow.final_parameters is None or flow.log_margins is None:
        raise InvalidInputError(
            "a flow has no layers or no margins at its end; follow a classification by "
            "route='parameters' to a margin within float64."
        )
    beta = network.coefficients(flow.final_parameters)
    margins = problem.y * (problem.X @ beta)
    weights = np.exp(margins.min() - margins)  # -r up to a factor, which does not underflow
    layers = network.layer_gradients(flow.final_parameters, (weights * problem.y) @ problem.X)
    angles = [
        angle_between(layer.ravel(), image.ravel())
        for layer, image in zip(flow.final_parameters, layers, strict=True)
    ]
    return float(flow.log_margins[-1]) / np.log(10.0), angles
