"""compare: one end of training against one limit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from implicitbias._arrays import (
    ArrayLike,
    FloatArray,
    Parameters,
    finite_array,
    largest_allowed,
)
from implicitbias._closing import angle_between, closing_of, delay_of, loss_course_of
from implicitbias._errors import InvalidInputError, NoPredictionError, Outcome
from implicitbias._names import renamed
from implicitbias._results import is_result
from implicitbias.comparison._result import EFFECTIVE, TOLERANCE, Comparison
from implicitbias.descent import Run
from implicitbias.flow import Flow
from implicitbias.limits import Limit, relative_difference
from implicitbias.theorems import predicted, situation_of

LOADED = (
    "a run that was loaded does not know its network, nor whether the limit is that of its own "
    "start: hold it against predict_limit(network, problem, run.effective_start)"
)


@renamed(tol="agreement")
def compare(
    flow: Flow | Run | ArrayLike, limit: Limit, *, agreement: float = TOLERANCE
) -> Comparison:
    """Hold one end of training against one limit; assert only what the limit's kind promises.

    - a point: |beta_flow - beta|_inf / |beta|_inf, or over the flow's largest |beta| where it is 0;
    - a direction: the angle, and the exponent with which it falls against the predicted one;
    - a small-scale limit: the exact identity beta_flow = X^+ y + alpha P Wbar_1 W_2 ... w_L at the
      flow's end, relative to |X^+ y|_inf, with the distance itself reported beside it.

    A run of gradient descent ends elsewhere than the flow. Where ``limit`` is that of the run's own
    start, a point, the run is held against the limit of its effective start instead, and the
    distance to ``limit`` is reported beside it. Any end that fits the data is the limit of its
    effective start; what the steps did is in ``effective``, in its factors and scales. A run that
    was loaded does not know its network: unless it is at ``limit``, the comparison is undecided.

    Parameters
    ----------
    flow, limit
        How training went, and where it was predicted to end. Plain coefficients, (d,), do as well:
        only the end counts then, and for directions only the angle.
    agreement
        The largest relative difference, or angle, that counts as agreement.

    Raises
    ------
    InvalidInputError
        The two do not belong to the same number of features, or to the same kind of problem.
    """
    agreement = largest_allowed(agreement, "agreement")
    if is_result(flow) and not isinstance(flow, Flow):
        raise InvalidInputError(
            f"flow is a {type(flow).__name__}; expected a Flow, a Run or coefficients of shape "
            "(d,). The order of the arguments is flow, limit."
        )
    if not isinstance(limit, Limit):
        raise InvalidInputError(
            f"limit is a {type(limit).__name__}; expected a Limit. The order of the arguments is "
            "flow, limit."
        )
    is_direction = limit.kind in ("direction", "stationary direction")
    if not isinstance(flow, Flow):
        return _plain(flow, limit, agreement, is_direction)
    if isinstance(flow, Run) and flow.activation is not None:
        raise InvalidInputError(
            "the run is of a network with an activation: it has no coefficients to compare, and no "
            "theorem speaks of its limit."
        )
    if (flow.final_direction is not None) != is_direction:
        raise InvalidInputError(
            f"the limit is a {limit.kind} and the flow is of "
            f"{'a regression' if is_direction else 'a classification'}: they come from different "
            "problems."
        )
    size = flow.coefficients.shape[1] if flow.directions is None else flow.directions.shape[1]
    _check_size(size, limit)
    name = f"{flow.route} - limit"
    if is_direction:
        closing = replace(closing_of(flow, limit), delay=delay_of(flow))
        course = loss_course_of(flow, limit)
        return Comparison(
            closing.angle,
            agreement,
            flow,
            limit,
            {name: closing.angle},
            closings=(closing,),
            losses=() if course is None else (course,),
        )
    error, distance = _error(flow, limit)
    found = Comparison(error, agreement, flow, limit, {name: error}, distance)
    return _effectively(found, flow) if isinstance(flow, Run) and not found.agrees else found


def _check_size(size: int, limit: Limit) -> None:
    if size != limit.coefficients.size:
        raise InvalidInputError(
            f"the flow has {size} coefficients and the limit {limit.coefficients.size}: they come "
            "from different problems."
        )


def _plain(flow: Any, limit: Limit, agreement: float, is_direction: bool) -> Comparison:
    """Coefficients from elsewhere against a limit."""
    beta = finite_array(flow, "flow", shape=(None,)).copy()
    _check_size(beta.size, limit)
    if not is_direction:
        error = relative_difference(beta, limit.coefficients)
    elif beta.any():
        error = angle_between(beta, limit.coefficients)
    else:
        raise InvalidInputError("flow is all zeros, which is no direction.")
    return Comparison(error, agreement, _given(beta), limit, {"coefficients - limit": error})


def _given(beta: FloatArray) -> Flow:
    """Coefficients from elsewhere as the end of a flow of which nothing else is known."""
    unknown, nothing = np.full(1, np.nan), float("nan")
    return Flow(
        coefficients=beta[None],
        final_parameters=None,
        times=unknown,
        log_times=unknown,
        log_losses=unknown,
        residual=nothing,
        remaining_change=nothing,
        drift=nothing,
        outcome=Outcome.GIVEN,
        message="only these coefficients are known.",
        route="coefficients",
        method="none",
        num_steps=0,
        num_evaluations=0,
        seconds=0.0,
    )


def _effectively(found: Comparison, run: Run) -> Comparison:
    """A run against the limit of its effective start, if ``limit`` is that of its own start."""
    effective = run.effective
    if effective.parameters is None or found.limit.kind != "point":
        return replace(found, effective=effective)
    if run.trained_on is None:
        return replace(found, effective=effective, doubt=LOADED if found.trained else "")
    network, problem, init = run.trained_on
    try:
        own = predicted(situation_of(network, problem, init)).coefficients
        reached = predicted(situation_of(network, problem, run.effective_start))
    except NoPredictionError:
        return replace(found, effective=effective)
    if relative_difference(own, found.limit.coefficients) > found.tolerance:
        return replace(found, effective=effective)
    error = relative_difference(run.final_coefficients, reached.coefficients)
    pairs = {f"{run.route} - {EFFECTIVE}": error}
    return replace(found, error=error, distance=found.error, pairs=pairs, effective=effective)


def _error(flow: Flow, limit: Limit) -> tuple[float, float | None]:
    end = flow.final_coefficients
    if limit.kind != "small-scale limit":
        return apart(end, limit.coefficients, flow), None
    if limit.unreached is None or flow.final_parameters is None:
        return np.inf, None
    never_moved = _through_later_layers(limit.unreached, flow.final_parameters)
    expected = limit.coefficients + never_moved
    distance = float(np.linalg.norm(end - limit.coefficients))
    if not limit.coefficients.any():  # of zero targets: in units of the largest on the way
        size = float(np.abs(flow.coefficients).max()) or 1.0
        return float(np.abs(end - expected).max()) / size, distance / size
    return relative_difference(end, expected), distance / float(np.linalg.norm(limit.coefficients))


def apart(found: FloatArray, expected: FloatArray, flow: Flow) -> float:
    """|found - expected|_inf / |expected|_inf; where nothing is expected, over the flow's largest.

    No flow reaches 0, and none of its entries there says how near it has come.
    """
    if expected.any() or not flow.coefficients.any():
        return relative_difference(found, expected)
    return float(np.abs(found).max()) / float(np.abs(flow.coefficients).max())


def _through_later_layers(first: FloatArray, parameters: Parameters) -> FloatArray:
    for layer in parameters[1:]:
        first = first @ layer
    return first
