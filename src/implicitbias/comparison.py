"""Where flow and limit are held against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from implicitbias._arrays import FloatArray, Parameters, largest_allowed
from implicitbias._closing import (
    DELAY,
    Closing,
    angle_between,
    closing_of,
    delay_of,
)
from implicitbias._errors import InvalidInputError, Outcome
from implicitbias._html import Badge, Mark
from implicitbias._names import renamed
from implicitbias._results import Record
from implicitbias.flow import Flow, flow_of, margin_flows, request
from implicitbias.initialization import Initialization
from implicitbias.limits import UNIQUE, Limit, relative_difference
from implicitbias.networks import Network
from implicitbias.problems import Classification, Regression
from implicitbias.theorems import Situation, predicted, require_applicable, situation_of

Word = Literal["agrees", "undecided", "DISAGREES"]
MARKS: dict[Word, Mark] = {"agrees": "good", "undecided": "open", "DISAGREES": "bad"}
TOLERANCE = 1e-8
SAME_WAY = 1e-5  # radians between two flows at the same margin
BOTH = "parameters - dual"
PASSED = 8.0  # log margins a unit of log(1/scale), until most saddles are past
LARGEST_LOG_MARGIN = 2.5e4
TRAINED = (Outcome.RESIDUAL_REACHED, Outcome.PRECISION_REACHED, Outcome.MARGIN_REACHED)


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Record):
    """A flow's end held against a predicted limit.

    Attributes
    ----------
    error
        The largest relative difference over all pairs that were compared; for directions the
        smallest angle that a flow reached.
    tolerance
        What counts as agreement.
    flow, limit
        The witness (the parameter flow where it was run) and the prediction.
    pairs
        The relative difference or angle per pair, such as "parameters - limit".
    distance
        For a small-scale limit: ||beta(flow) - beta(limit)|| / ||beta(limit)||, which the theory
        does not say to be small at this scale; None otherwise.
    closings
        For directions: how each flow closes in, in the order of ``pairs``.
    """

    error: float
    tolerance: float
    flow: Flow
    limit: Limit
    pairs: Mapping[str, float] = field(default_factory=dict)
    distance: float | None = None
    closings: tuple[Closing, ...] = ()

    @property
    def trained(self) -> bool:
        """Whether the flow came to its end, so that there is something to compare."""
        return self.flow.outcome in TRAINED

    @property
    def agrees(self) -> bool:
        """Whether the flow reached its end and every pair agrees.

        Points agree to the tolerance. A direction, which no flow reaches, agrees when the angle is
        below the tolerance or falls, at the predicted rate once its exponent has settled; with two
        flows it is enough that one shows this, if both point the same way at the same margin. A
        direction that is ``undecided`` does not agree.
        """
        if self.closings:
            near = any(one.angle <= self.tolerance or one.consistent for one in self.closings)
            return self.trained and near and self.pairs.get(BOTH, 0.0) <= SAME_WAY
        return self.trained and bool(self.error <= self.tolerance)

    @property
    def undecided(self) -> bool:
        """Whether nothing can be said: the flow ended too early, or no one point is predicted.

        Its direction has hardly begun to close in, or would at a rate of 0; or the prediction is
        one of several points of a face, and does not say which.
        """
        if not self.closings:
            return False
        apart = self.pairs.get(BOTH, 0.0) > SAME_WAY
        unnamed = any(one.assumption == UNIQUE and not one.holds for one in self.limit.assumptions)
        early = unnamed or not any(one.decided for one in self.closings)
        return early and self.trained and not apart and not self.agrees

    @property
    def verdict(self) -> Word:
        """What ``agrees`` and ``undecided`` say, in a word."""
        return "agrees" if self.agrees else "undecided" if self.undecided else "DISAGREES"

    def _short(self) -> str:
        error = f"error {self.error:.1e} of {self.tolerance:.0e}"
        return f"{self.verdict} with {self.limit.theorem}, {error}"

    def _badge(self) -> Badge:
        return Badge(self.verdict, MARKS[self.verdict])

    def to_dict(self) -> dict[str, Any]:
        """As for every result, with the verdict."""
        return {"verdict": self.verdict} | super().to_dict()

    def __str__(self) -> str:
        if self.closings:
            named = zip(self.pairs, self.closings, strict=False)
            found = "; ".join(f"{name}: {closing}" for name, closing in named)
            if BOTH in self.pairs:
                found += f"; {BOTH} at the same margin: angle {self.pairs[BOTH]:.1e}"
        else:
            pairs = ", ".join(f"{name} {error:.1e}" for name, error in self.pairs.items())
            found = f"error {self.error:.1e} ({pairs})"
        text = f"{self.verdict} with {self.limit.theorem}: {found}"
        if self.distance is not None:
            text += f"; distance to the small-scale limit {self.distance:.2e}"
        if not self.trained:
            text += f"; {self.flow.outcome.value}"
        if self.undecided:
            enough = min(one.enough for one in self.closings)
            if np.isfinite(enough):
                text += f"; follow the flow further (until_log_margin={enough:.3g})"
        return text


@renamed(tol="agreement")
def compare(flow: Flow, limit: Limit, *, agreement: float = TOLERANCE) -> Comparison:
    """Hold one flow's end against one limit; assert only what the limit's kind promises.

    - a point: |beta_flow - beta|_inf / |beta|_inf;
    - a direction: the angle, and the exponent with which it falls against the predicted one;
    - a small-scale limit: the exact identity beta_flow = X^+ y + alpha P Wbar_1 W_2 ... w_L at the
      flow's end, relative to |X^+ y|_inf, with the distance itself reported beside it.

    Parameters
    ----------
    flow, limit
        How training went, and where it was predicted to end.
    agreement
        The largest relative difference, or angle, that counts as agreement.

    Raises
    ------
    InvalidInputError
        The two do not belong to the same number of features, or to the same kind of problem.
    """
    agreement = largest_allowed(agreement, "agreement")
    for value, kind, name in ((flow, Flow, "flow"), (limit, Limit, "limit")):
        if not isinstance(value, kind):
            raise InvalidInputError(
                f"{name} is a {type(value).__name__}; expected a {kind.__name__}. The order of the "
                "arguments is flow, limit."
            )
    is_direction = limit.kind in ("direction", "stationary direction")
    if (flow.final_direction is not None) != is_direction:
        raise InvalidInputError(
            f"the limit is a {limit.kind} and the flow is of "
            f"{'a regression' if is_direction else 'a classification'}: they come from different "
            "problems."
        )
    size = flow.coefficients.shape[1] if flow.directions is None else flow.directions.shape[1]
    if size != limit.coefficients.size:
        raise InvalidInputError(
            f"the flow has {size} coefficients and the limit {limit.coefficients.size}: they come "
            "from different problems."
        )
    name = f"{flow.route} - limit"
    if is_direction:
        closing = replace(closing_of(flow, limit), delay=delay_of(flow))
        return Comparison(
            closing.angle, agreement, flow, limit, {name: closing.angle}, closings=(closing,)
        )
    error, distance = _error(flow, limit)
    return Comparison(error, agreement, flow, limit, {name: error}, distance)


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


@renamed(tol="agreement")
def verify(
    network: Network,
    problem: Regression | Classification,
    init: Initialization,
    *,
    routes: Sequence[Literal["parameters", "dual"]] = ("parameters", "dual"),
    until_residual: float = 1e-12,
    until_margin: float = 1e6,
    agreement: float = TOLERANCE,
) -> Comparison:
    """Run the flows, predict the limit, and compare every pair.

    Parameters
    ----------
    network, problem, init
        What is trained, on what, and from where.
    routes
        The flows to run; "dual" is left out where the network has no real decoupled coordinates.
    until_residual
        Where the flows of a regression stop, relative to ||y||.
    until_margin
        Where the flows of a classification stop. The dual flow of two layers goes on until the
        predicted rate makes the angle negligible: its margin may reach 10^1000 and more.
    agreement
        The largest relative difference, or angle, that counts as agreement.

    Raises
    ------
    NoPredictionError
        No result covers the situation.
    InvalidInputError
        An unknown route, or arguments that do not fit together.
    """
    listed = isinstance(routes, (list, tuple)) and len(routes) > 0
    if not listed or any(route not in ("parameters", "dual") for route in routes):
        raise InvalidInputError(
            f"routes is {routes!r}; expected a list or tuple of at least one of "
            "'parameters' and 'dual'."
        )
    agreement = largest_allowed(agreement, "agreement")
    situation = situation_of(network, problem, init)
    asked = request(problem, until_residual=until_residual, until_margin=until_margin)
    wanted: list[Literal["parameters", "dual"]] = [
        route
        for route in ("parameters", "dual")
        if route in routes and (route != "dual" or situation.has_dual_flow)
    ] or ["parameters"]
    if isinstance(problem, Regression):
        limit = predicted(situation)
        flows = [flow_of(situation, replace(asked, route=route)) for route in wanted]
    else:
        require_applicable(situation)  # before long work
        limit, flows = _classified(situation, asked.log_target, wanted)
    single = [compare(flow, limit, agreement=agreement) for flow in flows]
    pairs = {name: error for one in single for name, error in one.pairs.items()}
    delay = DELAY * max(0.0, -init.log_scale)
    closings = tuple(replace(closing, delay=delay) for one in single for closing in one.closings)
    error = min(pairs.values()) if closings else max(pairs.values())
    if len(flows) == 2:
        pairs[BOTH] = _between_flows(situation, *flows)
        error = error if closings else max(error, pairs[BOTH])
    return Comparison(error, agreement, flows[0], limit, pairs, single[0].distance, closings)


def _classified(
    situation: Situation, log_target: float, wanted: Sequence[Literal["parameters", "dual"]]
) -> tuple[Limit, list[Flow]]:
    """The limit direction and the flows, the parameters' first: the dual flow then knows its stops.

    Where it goes on to its own end, it passes the margin that chooses among stationary points, and
    the one at which the two are compared.
    """
    flows = margin_flows(situation)
    first = [flows.to(log_target, "parameters")] if "parameters" in wanted else []
    if "dual" in wanted:
        flows.plan([log_target, *(_height(flow) for flow in first)])
    limit = predicted(situation)
    if "dual" not in wanted:
        return limit, first
    far = _far_enough(limit, situation.init.log_scale)
    return limit, [*first, flows.to(log_target if far is None else far, "dual")]


def _height(flow: Flow) -> float:
    """The log margin at which a flow of a classification ended."""
    return float(np.asarray(flow.log_margins)[-1])


def _between_flows(situation: Situation, first: Flow, second: Flow) -> float:
    """How far parameter and dual flow are apart: at their ends, or at the first's margin."""
    if first.log_margins is None or first.final_direction is None:
        return relative_difference(second.final_coefficients, first.final_coefficients)
    if not np.isfinite(_height(first)):  # it has not separated the points
        return np.inf
    there = margin_flows(situation).to(_height(first), "dual")
    if there.final_direction is None:
        return np.inf
    return angle_between(there.final_direction, first.final_direction)


def _far_enough(limit: Limit, log_scale: float) -> float | None:
    """log margin at which margin^-rate is 1e-9, for the two-layer directions that slide there."""
    if limit.kind != "direction" or not limit.rate:
        return None
    start = PASSED * max(0.0, -log_scale)
    return float(min(-np.log(1e-9) / limit.rate + start, LARGEST_LOG_MARGIN))
