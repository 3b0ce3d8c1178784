"""What a theorem names: a limit at a scale, along scales, and its derivatives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from implicitbias._arrays import FloatArray, IntArray, finite_array
from implicitbias._errors import InvalidInputError, NoPredictionError
from implicitbias._results import contents, types_of
from implicitbias._types import misfits
from implicitbias._verdicts import Verdict
from implicitbias.limits import Limit, relative_residual
from implicitbias.problems import Classification
from implicitbias.theorems._sensitivity import Sensitivity
from implicitbias.theorems._situation import Situation

Verdicts = tuple[Verdict, ...]
Solve = Callable[[Situation, str, Verdicts], Limit]
POINTS, DIRECTIONS = ("point", "small-scale limit"), ("direction", "stationary direction")


@dataclass(frozen=True, eq=False)
class Member:
    """One of many: a situation at scale 1, what applies to it, and the scales asked for.

    Attributes
    ----------
    situation, name, verdicts
        As every method of a ``LimitProblem`` takes them.
    log_scales
        In any order; infinities are the ends of the path.
    """

    situation: Situation
    name: str
    verdicts: Verdicts
    log_scales: FloatArray

    @property
    def falling(self) -> IntArray:
        """Where its finite scales are, the largest first."""
        order = np.argsort(-self.log_scales, kind="stable")
        return np.asarray(order[np.isfinite(self.log_scales[order])])


def require_finite(
    values: FloatArray,
    situation: Situation,
    name: str,
    verdicts: Verdicts,
    what: str = "coefficients",
) -> None:
    """Refuse a limit beyond float64.

    Raises
    ------
    NoPredictionError
        It is.
    """
    if not np.isfinite(values).all():
        raise NoPredictionError(
            f"{name} applies, but the limit's {what} do not fit float64: the start is at scale "
            f"exp({situation.init.log_scale:.4g}).",
            verdicts,
        )


class LimitProblem(ABC):
    """The limit that a theorem names in a situation where none of its assumptions fails.

    Every method takes the situation, the theorem's name and the verdicts on its assumptions, which
    limits and refusals carry.
    """

    exists: ClassVar[bool] = True
    """Whether there is a limit to name."""
    at_own_scale: ClassVar[bool] = True
    """Whether it is the limit from the start's own scale."""
    takes_many: ClassVar[bool] = False
    """Whether ``many`` may have answers."""

    @abstractmethod
    def at(
        self, situation: Situation, name: str, verdicts: Verdicts, scale: float | None = None
    ) -> Limit:
        """The limit from the situation's own start, or from its directions at another scale.

        Raises
        ------
        NoPredictionError
            It could not be solved, or is not known at this scale; 0 and infinity are scales, too.
        """

    def path(
        self,
        situation: Situation,
        name: str,
        verdicts: Verdicts,
        scales: FloatArray,
        callback: Callable[[int], object] | None,
    ) -> list[Limit]:
        """The limits at the scales, in their order; ``callback`` is told how many are done."""
        limits: list[Limit] = []
        for scale in scales:
            limits.append(self.at(situation, name, verdicts, float(scale)))
            if callback is not None:
                callback(len(limits))
        return limits

    def many(self, members: Sequence[Member]) -> list[list[Limit | None]]:
        """One list a member, a limit a scale; None where it has to be asked for by itself."""
        return [[None] * each.log_scales.size for each in members]

    def rough_path(
        self, situation: Situation, name: str, verdicts: Verdicts, scales: FloatArray
    ) -> FloatArray | None:
        """The path's coefficients to a percent, (n_scales, d); None where it is as dear itself."""
        return None

    def sensitivity(self, situation: Situation, name: str, verdicts: Verdicts) -> Sensitivity:
        """Its derivatives.

        Raises
        ------
        NoPredictionError
            They are not known.
        """
        raise NoPredictionError(
            f"{name} applies, and its limit is not that of a potential: sensitivities are "
            "known for decomposable networks.",
            verdicts,
        )


@dataclass(frozen=True)
class ClosedForm(LimitProblem):
    """A limit at finite scales, one at a time.

    Parameters
    ----------
    solve
        Function of the situation, the theorem's name and the verdicts; returns a ``Limit`` with a
        certificate measured at the point it returns.
    at_zero
        The same for scale 0; None where the theorem says nothing of it.
    """

    solve: Solve
    at_zero: Solve | None = None

    def at(
        self, situation: Situation, name: str, verdicts: Verdicts, scale: float | None = None
    ) -> Limit:
        """Solved anew."""
        if scale == 0.0 and self.at_zero is not None:
            return self.at_zero(situation, name, verdicts)
        if scale in (0.0, np.inf):
            raise NoPredictionError(
                f"{name} is stated for scales between 0 and infinity; got {scale:g}. Ask for a "
                "very small or very large one instead.",
                verdicts,
            )
        return self.solve(situation.at_scale(scale), name, verdicts)


@dataclass(frozen=True)
class SmallScale(LimitProblem):
    """A limit that the theory gives as the scale tends to 0."""

    solve: Solve
    at_own_scale: ClassVar[bool] = False

    def at(
        self, situation: Situation, name: str, verdicts: Verdicts, scale: float | None = None
    ) -> Limit:
        """Where the start's own scale is meant: with the distance identity at that scale."""
        if scale is not None and scale > 0.0:
            raise NoPredictionError(
                "for fully connected networks whose layers are not aligned the theory gives the "
                f"limit at scale 0 only; at scale {scale:g} simulate with gradient_flow, whose end "
                "obeys the distance identity.",
                verdicts,
            )
        return self.solve(situation.at_scale(None if scale is None else 1.0), name, verdicts)


@dataclass(frozen=True)
class Nothing(LimitProblem):
    """No limit that could be computed without training, and why."""

    why: str
    exists: ClassVar[bool] = False

    def at(
        self, situation: Situation, name: str, verdicts: Verdicts, scale: float | None = None
    ) -> Limit:
        """Refuse."""
        raise NoPredictionError(self.why, verdicts)


@dataclass(frozen=True, eq=False)  # whether the given one is hashed or not
class Checked(LimitProblem):
    """Another's limit, which has to be one: its feasibility is measured again."""

    given: LimitProblem

    def at(
        self, situation: Situation, name: str, verdicts: Verdicts, scale: float | None = None
    ) -> Limit:
        """The given limit, checked."""
        try:
            limit = self.given.at(situation, name, verdicts, scale)
        except Exception as error:
            error.add_note(f"Raised by the limit of {name!r}, a registered theorem.")
            raise
        return _checked(limit, situation, name, verdicts)

    def path(
        self,
        situation: Situation,
        name: str,
        verdicts: Verdicts,
        scales: FloatArray,
        callback: Callable[[int], object] | None,
    ) -> list[Limit]:
        """The given path, every limit checked."""
        limits: Any = self.given.path(situation, name, verdicts, scales, callback)
        if not isinstance(limits, (list, tuple)) or len(limits) != len(scales):
            what = f"{len(limits)} limits" if isinstance(limits, (list, tuple)) else repr(limits)
            raise InvalidInputError(
                f"the path of {name!r} is {what}; expected a list of {len(scales)}, one a scale."
            )
        return [_checked(limit, situation, name, verdicts) for limit in limits]

    def sensitivity(self, situation: Situation, name: str, verdicts: Verdicts) -> Sensitivity:
        """The given one."""
        return self.given.sensitivity(situation, name, verdicts)


def _checked(limit: Any, situation: Situation, name: str, verdicts: Verdicts) -> Limit:
    if not isinstance(limit, Limit):
        raise InvalidInputError(
            f"the limit of {name!r} is a {type(limit).__name__}; expected a Limit."
        )
    problem = situation.problem
    directed = isinstance(problem, Classification)
    kinds = DIRECTIONS if directed else POINTS
    if limit.kind not in kinds:
        raise InvalidInputError(
            f"the limit of {name!r} is a {limit.kind!r}; expected one of "
            f"{', '.join(map(repr, kinds))}."
        )
    beta = finite_array(limit.coefficients, f"the limit of {name!r}", shape=(problem.num_features,))
    whole: Limit = replace(
        limit, coefficients=beta, theorem=name, assumptions=limit.assumptions or verdicts
    )
    for part in (whole, whole.certificate, *whole.assumptions):
        for wrong in misfits(contents(part), types_of(type(part))):
            raise InvalidInputError(
                f"the limit of {name!r} has a {type(part).__name__} whose {wrong} is "
                f"{getattr(part, wrong)!r}, which is not of the type that it has."
            )
    if whole.parameters is not None:
        situation.network.check_parameters(whole.parameters, f"Limit.parameters of {name!r}")
    with np.errstate(over="ignore", invalid="ignore"):
        measured = (
            np.abs(1.0 - (problem.y * (problem.features @ beta)).min())
            if directed
            else relative_residual(problem.features, beta, problem.y)
        )
    feasibility = float(np.maximum(whole.certificate.feasibility, measured))  # NaN stays
    return replace(whole, certificate=replace(whole.certificate, feasibility=feasibility))
