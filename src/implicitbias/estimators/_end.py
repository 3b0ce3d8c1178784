"""Where training ends, for estimators: predicted and certified, or simulated."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from implicitbias._arrays import EPS, FloatArray, Parameters, worst_of
from implicitbias._errors import CertificateWarning, NoPredictionError
from implicitbias.flow import Flow, gradient_flow
from implicitbias.initialization import Initialization
from implicitbias.limits import MAX_ITERATIONS, Limit
from implicitbias.networks import Network
from implicitbias.problems import Classification, Regression
from implicitbias.theorems import limit_at_end, predict_limit, predict_limits


@dataclass(frozen=True, eq=False)
class End:
    """The end of training and the numbers by which to judge it.

    Attributes
    ----------
    coefficients
        beta, (d,).
    result
        The Limit, or the Flow where no result of the theory predicts the end.
    feasibility, gap
        Of the certificate: what is missing of X beta = y (or of the margins), and the duality gap
        (or KKT residual). Of a flow: its residual and the change of beta that remains.
    num_iterations
        Newton steps, or steps of the flow; at least 1.
    dual
        The dual point, one number a row of the problem, or None.
    reached
        False where the Newton steps ran out before the limit.
    error
        An estimate of |beta - beta*|_inf / |beta*|_inf, for directions of the angle; or None.
    """

    coefficients: FloatArray
    result: Limit | Flow
    feasibility: float
    gap: float
    num_iterations: int
    dual: FloatArray | None
    reached: bool = True
    error: float | None = None

    @property
    def worst(self) -> float:
        """The largest number that applies; NaN counts as infinite."""
        if isinstance(self.result, Limit):
            return worst_of(self.result.certificate.worst, self.error or 0.0)
        return float(np.nan_to_num(np.maximum(self.feasibility, self.gap), nan=np.inf))


def end_of_training(
    network: Network,
    problem: Regression | Classification,
    directions: Parameters,
    scale: float,
    max_iterations: int = MAX_ITERATIONS,
) -> End:
    """The limit of the flow from scale * directions; its simulated end if none is predicted.

    Raises
    ------
    NoPredictionError
        Scale 0 or infinity for a network whose limits there no result gives, or a limit of a
        diagonal or two-sided network that float64 cannot reach. Where ``max_iterations`` Newton
        steps are too few, the end is how far they led, with the certificate of that.
    """
    if scale in (0.0, np.inf) and isinstance(problem, Regression):
        return of_limit(problem, limit_at_end(network, problem, directions, scale))
    init = Initialization(directions, scale=scale)
    try:
        limit = predict_limit(
            network, problem, init, certified_to=np.inf, max_iterations=max_iterations
        )
        return of_limit(problem, limit)
    except NoPredictionError as error:
        if error.partial is not None:
            return replace(of_limit(problem, error.partial), reached=False)
        if network.decoupling().is_identity and isinstance(problem, Regression):
            raise
        if not problem.features.is_array:  # simulations take dense arrays
            raise
        flow = gradient_flow(network, problem, init)
    steps = max(flow.num_steps, 1)
    if flow.final_direction is not None:  # the flow states no certificate for a direction
        return End(flow.final_direction, flow, 0.0, np.nan, steps, None)
    left = flow.remaining_change
    return End(flow.final_coefficients, flow, flow.residual, left, steps, None)


def ends_of_training(
    network: Network,
    problems: Sequence[Regression],
    directions: Parameters,
    scale: float,
    max_iterations: int = MAX_ITERATIONS,
) -> list[End]:
    """``end_of_training`` of many problems, as one array program where they are small."""
    known: Sequence[Limit | None] = [None] * len(problems)
    if scale not in (0.0, np.inf) and len(problems) > 1:
        init = Initialization(directions, scale=scale)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CertificateWarning)  # refusals are looked at below
            known = predict_limits(
                network, problems, init, certified_to=np.inf, max_iterations=max_iterations
            ).limits
    return [
        end_of_training(network, problem, directions, scale, max_iterations)
        if limit is None
        else of_limit(problem, limit)
        for problem, limit in zip(problems, known, strict=True)
    ]


def beside_intercept(end: End, given: float, level: float) -> End:
    """The end with the error of all but its last coefficient, an intercept.

    Its level at the features' offsets was changed from the one given. The certificate is relative
    to all coefficients, which says less of the others where the intercept is far larger.
    """
    whole, part = end.coefficients, end.coefficients[:-1]
    if end.error is None or not part.any():
        return end
    share = max(float(np.linalg.norm(whole, p) / np.linalg.norm(part, p)) for p in (2, np.inf))
    moved = abs(level - given) + EPS * abs(level) if level != given else 0.0
    error = end.error + moved / float(np.linalg.norm(whole))
    return replace(end, error=error * share)


def of_limit(problem: Regression | Classification, limit: Limit) -> End:
    """The end that a limit states."""
    certificate = limit.certificate
    gap = certificate.kkt_residual if certificate.gap is None else certificate.gap
    dual = limit.dual
    if dual is not None and dual.size != problem.num_points:
        whole = np.zeros(problem.num_points)
        whole[problem.rows] = dual
        dual = whole
    return End(
        limit.coefficients,
        limit,
        certificate.feasibility,
        np.nan if gap is None else gap,
        max(limit.num_iterations, 1),
        dual,
        error=certificate.error,
    )
