"""What many limits are: the members' own results, in order, and why some have none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Generic, Literal, TypeVar

import numpy as np

from implicitbias._arrays import BoolArray, FloatArray
from implicitbias._errors import (
    ImplicitBiasError,
    InfeasibleProblemError,
    InvalidInputError,
    NoPredictionError,
)
from implicitbias._html import Badge
from implicitbias._results import Record
from implicitbias._verdicts import Verdict
from implicitbias.limits import Certificate, Limit
from implicitbias.theorems._path import LimitPath

Answer = TypeVar("Answer")
RefusalKind = Literal["NoPredictionError", "InfeasibleProblemError", "InvalidInputError"]
KINDS: dict[type[ImplicitBiasError], RefusalKind] = {
    NoPredictionError: "NoPredictionError",
    InfeasibleProblemError: "InfeasibleProblemError",
    InvalidInputError: "InvalidInputError",
}


@dataclass(frozen=True, eq=False, repr=False)
class Refusal(Record):
    """Why one of many has no limit: what the verb for one would have raised.

    Attributes
    ----------
    member
        Which, counted from 0.
    kind
        The class of the error.
    reason
        What it says.
    assumptions, certificate
        As for ``NoPredictionError``.
    """

    member: int
    kind: RefusalKind
    reason: str
    assumptions: tuple[Verdict, ...] = ()
    certificate: Certificate | None = None
    _raised: ImplicitBiasError | None = field(default=None, repr=False)
    _one_line: ClassVar[bool] = True

    @classmethod
    def of(cls, member: int, error: ImplicitBiasError) -> Refusal:
        """What an error says of a member."""
        kind = next(name for each, name in KINDS.items() if isinstance(error, each))
        if isinstance(error, NoPredictionError):
            return cls(member, kind, str(error), error.assumptions, error.certificate, error)
        return cls(member, kind, str(error), _raised=error)

    @property
    def error(self) -> ImplicitBiasError:
        """The error itself, with its evidence; made anew, without, of a refusal that was loaded."""
        if self._raised is not None:
            return self._raised
        if self.kind == "NoPredictionError":
            return NoPredictionError(self.reason, self.assumptions, self.certificate)
        return next(each for each, name in KINDS.items() if name == self.kind)(self.reason)

    def __str__(self) -> str:
        return f"member {self.member}: {self.kind}: {self.reason}"


class _Several(Record, Generic[Answer]):
    """One answer a member, in order; ``several[i]`` is the i-th, or raises its refusal."""

    refusals: tuple[Refusal, ...]

    @property
    def _answers(self) -> tuple[Answer | None, ...]:
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self._answers)

    def __iter__(self) -> Iterator[Answer | None]:
        return iter(self._answers)

    def __getitem__(self, member: int) -> Answer:
        answer = self._answers[member]
        if answer is None:
            place = member % len(self)
            raise next(each for each in self.refusals if each.member == place).error
        return answer

    def _short(self) -> str:
        return str(self)


@dataclass(frozen=True, eq=False, repr=False)
class Limits(_Several[Limit]):
    """Limits of many members, in order; ``limits[i]`` is the i-th, or raises its refusal.

    Attributes
    ----------
    limits
        One a member, None where it was refused.
    refusals
        Why, for those.
    """

    limits: tuple[Limit | None, ...]
    refusals: tuple[Refusal, ...] = ()

    @property
    def _answers(self) -> tuple[Limit | None, ...]:
        return self.limits

    @property
    def refused(self) -> BoolArray:
        """Which members have no limit, (B,)."""
        return np.array([limit is None for limit in self.limits], dtype=bool)

    @property
    def coefficients(self) -> FloatArray:
        """beta, (B, d); NaN where refused. Of members with one number of features."""
        known = [limit.coefficients for limit in self.limits if limit is not None]
        nothing = np.full(known[0].size if known else 0, np.nan)
        return np.array([nothing if each is None else each.coefficients for each in self.limits])

    @property
    def worst(self) -> FloatArray:
        """The largest number of each certificate, (B,); infinite where refused."""
        return np.array(
            [np.inf if each is None else each.certificate.worst for each in self.limits]
        )

    def _badge(self) -> Badge:
        return _badge(len(self.refusals), len(self))

    def __str__(self) -> str:
        text, kept = f"{len(self)} limits", ~self.refused
        if kept.any():
            text += f", certified to {self.worst[kept].max():.1e}"
        return text + (f"; {len(self.refusals)} refused" if self.refusals else "")


@dataclass(frozen=True, eq=False, repr=False)
class LimitPaths(_Several[LimitPath]):
    """Paths of many members over one set of scales; ``paths[i]`` as in ``Limits``.

    Attributes
    ----------
    scales
        alpha, (n_scales,).
    paths
        One a member, None where it was refused.
    refusals
        Why, for those.
    """

    scales: FloatArray
    paths: tuple[LimitPath | None, ...]
    refusals: tuple[Refusal, ...] = ()

    @property
    def _answers(self) -> tuple[LimitPath | None, ...]:
        return self.paths

    @property
    def refused(self) -> BoolArray:
        """Where there is no certified limit, (B, n_scales)."""
        all_of_them = np.ones(self.scales.size, dtype=bool)
        return np.array([all_of_them if path is None else path.refused for path in self.paths])

    @property
    def coefficients(self) -> FloatArray:
        """beta, (B, n_scales, d); NaN where refused. Of members with one number of features."""
        known = [path.coefficients for path in self.paths if path is not None]
        nothing = np.full_like(known[0], np.nan) if known else np.zeros((self.scales.size, 0))
        each = iter(known)
        return np.array([nothing if path is None else next(each) for path in self.paths])

    def _badge(self) -> Badge:
        return _badge(int(self.refused.sum()), self.refused.size)

    def __str__(self) -> str:
        refused = int(self.refused.sum())
        text = f"{len(self)} paths of {self.scales.size} scales"
        return text + (f"; {refused} of {self.refused.size} limits refused" if refused else "")


def _badge(refused: int, all_of_them: int) -> Badge:
    if refused:
        return Badge(f"{refused} of {all_of_them} limits refused", "bad")
    return Badge(f"{all_of_them} limits certified", "good")
