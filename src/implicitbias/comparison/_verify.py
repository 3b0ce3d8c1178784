"""verify: run the flows, predict the limit, and compare every pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from implicitbias._arrays import largest_allowed, worst_of
from implicitbias._closing import DELAY, angle_between
from implicitbias._errors import InvalidInputError, Outcome
from implicitbias._names import renamed
from implicitbias.comparison._compare import apart, compare
from implicitbias.comparison._result import BOTH, TOLERANCE, Comparison
from implicitbias.flow import Flow, flow_of, margin_flows, request
from implicitbias.initialization import Initialization
from implicitbias.limits import Limit, relative_difference
from implicitbias.networks import Network
from implicitbias.problems import Classification, Regression
from implicitbias.theorems import Situation, predicted, require_applicable, situation_of

PASSED = 8.0  # log margins a unit of log(1/scale), until most saddles are past
LARGEST_LOG_MARGIN = 2.5e4


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

    Notes
    -----
    For a bar with percent and time left, run the flow by itself: ``compare(gradient_flow(...,
    callback=ProgressBar()), predict_limit(...))``.
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
        if limit.fitted is not None:  # a saddle, which flows of the parameters may slip off
            flows = [flow for flow in flows if flow.outcome is Outcome.STATIONARY] or flows
    else:
        require_applicable(situation)  # before long work
        limit, flows = _classified(situation, asked.log_target, wanted)
    single = [compare(flow, limit, agreement=agreement) for flow in flows]
    pairs = {name: error for one in single for name, error in one.pairs.items()}
    delay = DELAY * max(0.0, -init.log_scale)
    closings = tuple(replace(closing, delay=delay) for one in single for closing in one.closings)
    error = min(pairs.values()) if closings else worst_of(*pairs.values())
    if len(flows) == 2:
        pairs[BOTH] = _between_flows(situation, limit, *flows)
        error = error if closings else worst_of(error, pairs[BOTH])
    losses = tuple(course for one in single for course in one.losses)
    distance = single[0].distance
    return Comparison(error, agreement, flows[0], limit, pairs, distance, closings, losses=losses)


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


def _between_flows(situation: Situation, limit: Limit, first: Flow, second: Flow) -> float:
    """How far parameter and dual flow are apart: at their ends, or at the first's margin."""
    if first.log_margins is None or first.final_direction is None:
        if limit.coefficients.any():
            return relative_difference(second.final_coefficients, first.final_coefficients)
        return apart(
            second.final_coefficients - first.final_coefficients, limit.coefficients, first
        )
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
