"""Where flow and limit are held against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from implicitbias._arrays import FloatArray, Parameters
from implicitbias._errors import InvalidInputError, Outcome
from implicitbias.flow import Flow, gradient_flow, has_dual_flow
from implicitbias.initialization import Initialization
from implicitbias.limits import Limit, relative_difference
from implicitbias.networks import Network
from implicitbias.problems import Regression
from implicitbias.theorems import predict_limit

TOLERANCE = 1e-8
TRAINED = (Outcome.RESIDUAL_REACHED, Outcome.PRECISION_REACHED, Outcome.MARGIN_REACHED)


@dataclass(frozen=True)
class Comparison:
    """A flow's end held against a predicted limit.

    Attributes
    ----------
    error
        The largest relative difference over all pairs that were compared.
    tolerance
        What counts as agreement.
    flow, limit
        The witness (the parameter flow where it was run) and the prediction.
    pairs
        The relative difference per pair, such as "parameters - limit".
    distance
        For a small-scale limit: ||beta(flow) - beta(limit)|| / ||beta(limit)||, which the theory
        does not say to be small at this scale; None otherwise.
    """

    error: float
    tolerance: float
    flow: Flow
    limit: Limit
    pairs: Mapping[str, float] = field(default_factory=dict)
    distance: float | None = None

    @property
    def trained(self) -> bool:
        """Whether the flow came to its end, so that there is something to compare."""
        return self.flow.outcome in TRAINED

    @property
    def agrees(self) -> bool:
        """Whether the flow reached its end and every pair agrees to the tolerance."""
        return self.trained and bool(self.error <= self.tolerance)

    def __str__(self) -> str:
        word = "agrees" if self.agrees else "DISAGREES"
        pairs = ", ".join(f"{name} {error:.1e}" for name, error in self.pairs.items())
        text = f"{word} with {self.limit.theorem}: error {self.error:.1e} ({pairs})"
        if self.distance is not None:
            text += f"; distance to the small-scale limit {self.distance:.2e}"
        if not self.trained:
            text += f"; {self.flow.outcome.value}"
        return text


def compare(flow: Flow, limit: Limit, *, tol: float = TOLERANCE) -> Comparison:
    """Hold one flow's end against one limit; assert only what the limit's kind promises.

    - a point: |beta_flow - beta|_inf / |beta|_inf;
    - a small-scale limit: the exact identity beta_flow = X^+ y + alpha P Wbar_1 W_2 ... w_L at the
      flow's end, relative to |X^+ y|_inf, with the distance itself reported beside it.

    Raises
    ------
    InvalidInputError
        The two do not belong to the same number of features.
    """
    if flow.final_coefficients.shape != limit.coefficients.shape:
        raise InvalidInputError(
            f"the flow has {flow.final_coefficients.size} coefficients and the limit "
            f"{limit.coefficients.size}: they come from different problems."
        )
    error, distance = _error(flow, limit)
    return Comparison(error, tol, flow, limit, {f"{flow.route} - limit": error}, distance)


def _error(flow: Flow, limit: Limit) -> tuple[float, float | None]:
    if limit.kind != "small-scale limit":
        return relative_difference(flow.final_coefficients, limit.coefficients), None
    if limit.unreached is None or flow.final_parameters is None:
        return np.inf, None
    never_moved = _through_later_layers(limit.unreached, flow.final_parameters)
    expected = limit.coefficients + never_moved
    distance = np.linalg.norm(flow.final_coefficients - limit.coefficients)
    size = max(float(np.linalg.norm(limit.coefficients)), np.finfo(float).tiny)
    return relative_difference(flow.final_coefficients, expected), float(distance) / size


def _through_later_layers(first: FloatArray, parameters: Parameters) -> FloatArray:
    for layer in parameters[1:]:
        first = first @ layer
    return first


def verify(
    network: Network,
    problem: Regression,
    init: Initialization,
    *,
    routes: Sequence[Literal["parameters", "dual"]] = ("parameters", "dual"),
    until_residual: float = 1e-12,
    tol: float = TOLERANCE,
) -> Comparison:
    """Run the flows, predict the limit, and compare every pair.

    Parameters
    ----------
    network, problem, init
        What is trained, on what, and from where.
    routes
        The flows to run; "dual" is left out where the network has no real decoupled coordinates.
    until_residual
        Where the flows stop, relative to ||y||.
    tol
        What counts as agreement.

    Raises
    ------
    NoPredictionError
        No result covers the situation.
    InvalidInputError
        An unknown route, or arguments that do not fit together.
    """
    unknown = [route for route in routes if route not in ("parameters", "dual")]
    if unknown or not routes:
        raise InvalidInputError(
            f"routes is {tuple(routes)!r}; expected at least one of 'parameters' and 'dual'."
        )
    limit = predict_limit(network, problem, init)
    wanted: list[Literal["parameters", "dual"]] = [
        route for route in routes if route != "dual" or has_dual_flow(network, problem, init)
    ] or ["parameters"]
    flows = [
        gradient_flow(network, problem, init, route=route, until_residual=until_residual)
        for route in wanted
    ]
    single = [compare(flow, limit, tol=tol) for flow in flows]
    pairs = {name: error for one in single for name, error in one.pairs.items()}
    if len(flows) == 2:
        pairs["parameters - dual"] = relative_difference(
            flows[1].final_coefficients, flows[0].final_coefficients
        )
    return Comparison(max(pairs.values()), tol, flows[0], limit, pairs, single[0].distance)
