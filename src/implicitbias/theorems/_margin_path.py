"""margin_path: classification stopped at a finite loss, from large starts to small."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from implicitbias._arrays import ArrayLike, FloatArray, IntArray, check_callback, largest_allowed
from implicitbias._errors import InvalidInputError, NoPredictionError
from implicitbias._threads import threads_for
from implicitbias._verdicts import CERTIFIED, Verdict
from implicitbias.features import Features
from implicitbias.initialization import Initialization
from implicitbias.limits import (
    Certificate,
    Limit,
    MarginPoint,
    MarginPotential,
    MarginSolver,
    PathError,
    PivotError,
    PotentialProblem,
)
from implicitbias.networks import Network
from implicitbias.problems import Classification
from implicitbias.theorems._along import (
    LimitsAlong,
    checked_values,
    kept_or_refused,
    situation_along,
)
from implicitbias.theorems._classification import scaled_to_margin
from implicitbias.theorems._finite_loss import FINITE_LOSS
from implicitbias.theorems._situation import Situation
from implicitbias.theorems._theorem import Theorem

Verdicts = tuple[Verdict, ...]
UNSOLVED = Certificate(np.inf, np.inf, error=np.inf)


@dataclass(frozen=True, eq=False, repr=False)
class MarginPath(LimitsAlong):
    """Limits at finite loss along mu, in the order the ratios were given.

    Attributes
    ----------
    ratios
        mu = alpha^L / log(1 / epsilon), shape (n_ratios,); infinity and 0 are the l2 and l1 ends.
    limits
        One Limit per ratio, scaled so that min_i y_i x_i^T beta = 1; of coefficients NaN, and a
        note that says why, where it is refused.
    theorem
        The result they rest on.
    departures
        Ratios at which a point left the smallest margin on the way, from the largest down, (k,);
        up to the first the limits are the potential's minimisers under all margins.
    """

    ratios: FloatArray
    limits: tuple[Limit, ...]
    theorem: str
    departures: FloatArray
    axis: ClassVar[str] = r"ratio $\mu = \alpha^L / \log(1 / \epsilon)$"
    plural: ClassVar[str] = "ratios"

    @property
    def values(self) -> FloatArray:
        """The ratios."""
        return self.ratios

    def __str__(self) -> str:
        text = super().__str__()
        if self.departures.size == 0:
            return text
        times = f"{self.departures.size} departures" if self.departures.size > 1 else "a departure"
        return f"{text}; {times} from ratio {self.departures[0]:.3g} on"


def margin_path(
    network: Network,
    problem: Classification,
    init: Initialization | Iterable[Any],
    ratios: ArrayLike,
    *,
    certified_to: float = CERTIFIED,
    callback: Callable[[int], object] | None = None,
) -> MarginPath:
    """lim beta / log(1 / epsilon) at the loss epsilon, as alpha -> infinity at a fixed ratio mu.

    mu = alpha^L / log(1 / epsilon). As mu falls from infinity the limit S^T rho begins as

        rho = argmin sum_j Psi_j^*(rho_j) s.t. y_i x_i^T S^T rho >= 1,

    Psi_j^* the potential of regression from the scale alpha = mu^{1/L}: of two-sided networks from
    u = v = alpha eta it is mu sum_j eta_j^2 q_D(z_j / (mu eta_j^D)) up to a factor. Where a
    multiplier would fall, which no flow's does, the path goes on with the divergence from that
    point (``MarginPath.departures``). A flow stopped at epsilon is O(1 / log(1 / epsilon)) away, up
    to a further logarithm after a departure; at a single point it is there at every alpha.

    Parameters
    ----------
    network, problem
        What is trained, on what: linearly separable classes.
    init
        The initial directions, one array a layer, or an Initialization whose scale is ignored.
    ratios
        mu >= 0, in any order. Infinity is the weighted l2 max-margin point (the kernel regime), 0
        the weighted l1 max-margin point; of several, the one where the path ends. For L = 2 that is
        the limit direction of training; for L > 2 training on and on leads to another, the
        l_{2/L} direction of ``predict_limit``.
    certified_to
        The largest certificate (relative) that still counts as an answer.
    callback
        Called after every ratio with the number of ratios that are done.

    Warns
    -----
    CertificateWarning
        Some ratios could not be solved or certified: their coefficients are NaN, ``refused`` is
        True there, and the note of each such limit says why.

    Raises
    ------
    InvalidInputError
        Ratios that are negative or NaN, or arguments that do not fit together.
    InfeasibleProblemError
        The two classes are not linearly separable; ``evidence`` is the Farkas vector.
    NoPredictionError
        The network has no decoupled real coordinates, some keep their sign from this start, or
        beta(0) is not 0.

    Notes
    -----
    Source: Moroshko et al., "Implicit bias in deep linear classification: initialization scale vs
    training accuracy", NeurIPS 2020, for u^D - v^D before departures; the dual flow for all else.
    """
    values = checked_values(ratios, "ratios", "ratio")
    certified_to = largest_allowed(certified_to, "certified_to")
    check_callback(callback, "the number of ratios that are done")
    if not isinstance(problem, Classification):
        raise InvalidInputError(
            "margin_path needs a Classification; in regression the limit at every scale is "
            "limit_path's."
        )
    situation = situation_along(network, problem, init)
    with threads_for(problem.X.size):
        problem.require_separable()
        result, verdicts = _applicable(situation)
        limits, departures = _limits(situation, result, verdicts, values, callback)
    kept = tuple(kept_or_refused(one, certified_to) for one in limits)
    path = MarginPath(values, kept, result.name, departures)
    path.warn_of_refused(stacklevel=2)
    return path


def _applicable(situation: Situation) -> tuple[Theorem, Verdicts]:
    """The result of finite loss none of whose assumptions fails.

    Raises
    ------
    NoPredictionError
        Each has one that does.
    """
    refused: list[tuple[Theorem, Verdicts]] = []
    for result in FINITE_LOSS:
        verdicts = result.measure(situation)
        if not verdicts[-1].fails:
            return result, verdicts
        refused.append((result, verdicts))
    lines = [f"  {result.name}: {verdicts[-1]}" for result, verdicts in refused]
    raise NoPredictionError(
        f"no result covers {situation.network!r} at finite loss from this start:\n"
        + "\n".join(lines)
        + "\nIt needs a network whose coordinates decouple, from beta(0) = 0 and free signs: "
        "Initialization.last_layer_zero(network, eta, scale), or u = v > 0 of a two-sided one.",
        [verdict for _, verdicts in refused for verdict in verdicts],
    )


def _limits(
    situation: Situation,
    result: Theorem,
    verdicts: Verdicts,
    ratios: FloatArray,
    callback: Callable[[int], object] | None,
) -> tuple[list[Limit], FloatArray]:
    """The limits in the order of the ratios, and the ratios where points left."""
    solver = MarginSolver(_problem(situation))
    limits: dict[int, Limit] = {}
    for index in (int(i) for i in np.argsort(-ratios, kind="stable")):
        ratio = float(ratios[index])
        try:
            point = _solved(solver, ratio, situation)
            limits[index] = _limit(situation, result.name, verdicts, ratio, solver, point)
        except (PathError, PivotError, ValueError, NoPredictionError) as error:
            nothing = np.full(situation.problem.num_features, np.nan)
            note = f"not solved: {error}" + ("" if str(error).endswith(".") else ".")
            limits[index] = Limit(nothing, "direction", result.name, UNSOLVED, verdicts, note=note)
        if callback is not None:
            callback(len(limits))
    departures = np.exp(situation.network.degree * np.array(solver.departures))
    return [limits[index] for index in range(ratios.size)], departures


def _problem(situation: Situation) -> MarginPotential:
    """min sum_j Psi_j^*(rho_j) s.t. Z rho >= 1, Z = diag(y) X S^T, at scale 1; in unit rows."""
    given = situation.reduction.features.scaled(situation.problem.y, None)
    exponents = _exponents(given)
    rows, goal = given.shifted(exponents), np.ldexp(1.0, exponents)
    kept = np.ones(rows.shape[1], dtype=bool)

    def on(active: IntArray) -> PotentialProblem:
        found = situation.potential_of(rows.rows(active), goal[active], kept, active)
        if found.rounding is None:
            return found
        return replace(found, rounding=(found.rounding[0] * goal[active], found.rounding[1]))

    return MarginPotential(rows, goal, situation.curves, on)


def _exponents(rows: Features) -> IntArray:
    """The powers of two that make the rows about unit."""
    return -np.frexp(rows.row_norms())[1]


def _solved(solver: MarginSolver, ratio: float, situation: Situation) -> MarginPoint:
    if ratio == 0.0:
        return solver.at_zero()
    if np.isinf(ratio):
        return solver.at_infinity()
    return solver.at(float(np.log(ratio)) / situation.network.degree)


def _limit(
    situation: Situation,
    name: str,
    verdicts: Verdicts,
    ratio: float,
    solver: MarginSolver,
    point: MarginPoint,
) -> Limit:
    dual = _multipliers(solver, point, ratio)
    where = {0.0: ", as the ratio tends to 0", np.inf: ", as the ratio tends to infinity"}
    note = f"{point.active.size} of {situation.problem.num_points} points have the smallest margin"
    left = len(solver.departures) if np.isfinite(ratio) else 0
    if left:
        note += f", after {left} departures" if left > 1 else ", after a departure"
    return Limit(
        scaled_to_margin(situation, situation.coefficients(point.rho)),
        "direction",
        name,
        point.certificate,
        verdicts if point.tie is None else (*verdicts, point.tie),
        spectrum=situation.reduction.spectrum(point.rho),
        dual=None if dual is None else np.ldexp(dual, _exponents(situation.reduction.features)),
        note=f"{note}{where.get(ratio, '')}.",
        num_iterations=point.num_iterations,
    )


def _multipliers(solver: MarginSolver, point: MarginPoint, ratio: float) -> FloatArray | None:
    """nu of all points up to a factor, (n,); None where those before departures count, too.

    As the ratio tends to 0 they count for L > 2, whose clocks have ends, in another unit.
    """
    if 0.0 < ratio < np.inf:
        return solver.multipliers(point)
    if ratio == 0.0 and solver.departures and solver.problem.curves.depth > 2:
        return None
    nu = np.zeros(len(solver.problem.rows))
    nu[point.active] = point.multipliers
    return nu
