"""limit_path: the limit as a function of the scale of the initialization."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from implicitbias._arrays import ArrayLike, FloatArray, check_callback, largest_allowed
from implicitbias._errors import InvalidInputError, NoPredictionError
from implicitbias._names import renamed
from implicitbias._threads import threads_for
from implicitbias._verdicts import CERTIFIED, Verdict
from implicitbias.initialization import Initialization
from implicitbias.limits import Limit
from implicitbias.networks import Network
from implicitbias.problems import Regression
from implicitbias.theorems._along import (
    LimitsAlong,
    checked_values,
    kept_or_refused,
    situation_along,
)
from implicitbias.theorems._dropped_rows import answered
from implicitbias.theorems._predict import applicable, applicable_in_turn, certified, first_answer
from implicitbias.theorems._situation import Situation
from implicitbias.theorems._theorem import Theorem


@dataclass(frozen=True, eq=False, repr=False)
class LimitPath(LimitsAlong):
    """Limits along the scale, in the order the scales were given.

    Attributes
    ----------
    scales
        alpha, shape (n_scales,); 0 and infinity stand for the ends of the path.
    limits
        One Limit per scale; of coefficients NaN, and a note that says why, where it is refused.
    theorem
        The result they rest on.
    """

    scales: FloatArray
    limits: tuple[Limit, ...]
    theorem: str
    axis: ClassVar[str] = r"scale $\alpha$ of the initialization"
    plural: ClassVar[str] = "scales"

    @property
    def values(self) -> FloatArray:
        """The scales."""
        return self.scales


@renamed(tol="certified_to")
def limit_path(
    network: Network,
    problem: Regression,
    directions: Initialization | Iterable[Any],
    scales: ArrayLike,
    *,
    certified_to: float = CERTIFIED,
    callback: Callable[[int], object] | None = None,
) -> LimitPath:
    """lim_{t -> infinity} beta(Theta(t)) for Theta(0) = alpha * directions, over many alpha.

    One solution is carried to the next along the path in log alpha, from the largest scale down.

    Parameters
    ----------
    network, problem
        What is trained, on what.
    directions
        The initial directions, one array a layer, or an Initialization whose scale is ignored.
    scales
        alpha >= 0, in any order. 0 is the weighted l1 end (of several, the one where paths end:
        sum |rho_j|^{2/L} maximised for L >= 3, sum |rho_j| (log |rho_j| - 2 log |eta_j|) minimised
        for L = 2), infinity the weighted l2 end.
    certified_to
        The largest certificate (relative) that still counts as an answer.
    callback
        Called after every scale with the number of scales that are done;
        ``ProgressBar(total=len(scales))`` shows percent and time left.

    Warns
    -----
    CertificateWarning
        Some scales could not be solved or certified: their coefficients are NaN, ``refused`` is
        True there, and the note of each such limit says why.

    Raises
    ------
    InvalidInputError
        Scales that are negative or NaN, or arguments that do not fit together.
    NoPredictionError
        No result covers the network and start at one of the scales.
    """
    alphas = checked_values(scales, "scales", "scale")
    certified_to = largest_allowed(certified_to, "certified_to")
    check_callback(callback, "the number of scales that are done")
    if not isinstance(problem, Regression):
        raise InvalidInputError(
            "limit_path needs a Regression; in classification the limit direction forgets the "
            "scale."
        )
    situation = situation_along(network, problem, directions)
    with threads_for(problem.X.size):
        path = whole_path(situation, alphas, certified_to, callback)
    path.warn_of_refused(stacklevel=3)  # past ``renamed``
    return path


def whole_path(
    situation: Situation,
    alphas: FloatArray,
    certified_to: float,
    callback: Callable[[int], object] | None,
) -> LimitPath:
    """The path of the first result that refuses no scale, else the one that refuses the fewest."""
    refusals: list[NoPredictionError] = []
    best: LimitPath | None = None
    for result, verdicts in applicable_in_turn(situation):
        try:
            limits = result.limit.path(situation, result.name, verdicts, alphas, callback)
        except NoPredictionError as error:
            refusals.append(error)
            continue
        kept = tuple(kept_or_refused(limit, certified_to) for limit in limits)
        path = LimitPath(alphas, kept, result.name)
        if best is None or path.refused.sum() < best.refused.sum():
            best = path
        if not best.refused.any():
            return best
    if best is not None:
        return best
    raise refusals[0]  # there is a first result, or applicable_in_turn has raised


def limit_at_end(
    network: Network,
    problem: Regression,
    directions: Initialization | Iterable[Any],
    scale: float,
    certified_to: float | None = None,
) -> Limit:
    """The one limit of ``limit_path`` at scale 0 or infinity; if None, however well certified.

    Raises
    ------
    InvalidInputError
        The scale is neither.
    NoPredictionError
        It could not be solved or certified, or no result covers the network and start there.
    """
    if scale not in (0.0, float("inf")):
        raise InvalidInputError(f"scale is {scale}; expected a number >= 0, or infinity.")
    situation = situation_along(network, problem, directions)

    def ask(result: Theorem, verdicts: tuple[Verdict, ...]) -> Limit:
        limit = result.limit.at(situation, result.name, verdicts, scale)
        if certified_to is None:
            return answered(limit, None)
        return certified(limit, situation, result, verdicts, certified_to)

    with threads_for(problem.X.size):
        return first_answer(situation, ask)


def rough_limit_path(
    network: Network,
    problem: Regression,
    directions: Initialization | Iterable[Any],
    scales: ArrayLike,
) -> FloatArray:
    """The coefficients of ``limit_path`` to about a percent of the largest, uncertified.

    For comparing scales: several times faster where the limits come from a potential.

    Returns
    -------
    (n_scales, d).

    Raises
    ------
    InvalidInputError, NoPredictionError
        As ``limit_path``.
    """
    alphas = checked_values(scales, "scales", "scale")
    situation = situation_along(network, problem, directions)
    with threads_for(problem.X.size):
        result, verdicts = applicable(situation)
        rough = result.limit.rough_path(situation, result.name, verdicts, alphas)
    return limit_path(network, problem, directions, alphas).coefficients if rough is None else rough
