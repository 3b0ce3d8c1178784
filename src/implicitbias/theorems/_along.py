"""What the paths of limits along a number have in common."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from implicitbias._arrays import ArrayLike, BoolArray, FloatArray
from implicitbias._errors import CertificateWarning, InvalidInputError
from implicitbias._html import Badge
from implicitbias._results import Record
from implicitbias.initialization import Initialization
from implicitbias.limits import Limit
from implicitbias.networks import Network
from implicitbias.problems import Classification, Regression
from implicitbias.theorems._dropped_rows import answered
from implicitbias.theorems._situation import Situation, situation_of


class LimitsAlong(Record):
    """Limits at one number after another; a refused one has coefficients NaN and a note."""

    limits: tuple[Limit, ...]
    theorem: str
    axis: ClassVar[str]
    """What its values are, as a figure's axis says it."""
    plural: ClassVar[str]
    """What they are called: scales or ratios."""

    @property
    def values(self) -> FloatArray:
        """Where the limits are taken."""
        raise NotImplementedError

    @property
    def _span(self) -> str:
        values = self.values
        return f"{self.plural} {values.min():.3g} to {values.max():.3g}"

    def _short(self) -> str:
        return f"{self._badge().word}: {self.theorem}, {self._span}"

    def _badge(self) -> Badge:
        refused, all_of_them = int(self.refused.sum()), len(self.limits)
        if refused:
            return Badge(f"{refused} of {all_of_them} limits refused", "bad")
        return Badge(f"{all_of_them} limits certified", "good")

    def __str__(self) -> str:
        refused = self.refused
        text = f"{len(self.limits)} limits by {self.theorem}, {self._span}"
        if not refused.all():
            kept = ~refused
            text += (
                f": feasibility <= {self.feasibilities[kept].max():.1e}, "
                f"gap <= {self.gaps[kept].max():.1e}"
            )
        return text + (f"; {refused.sum()} refused" if refused.any() else "")

    def warn_of_refused(self, stacklevel: int) -> None:
        """Say how many limits are refused, if some are, and why the first is."""
        refused = np.flatnonzero(self.refused)
        if refused.size:
            first = int(refused[0])
            warnings.warn(
                f"{refused.size} of {self.values.size} {self.plural} could not be certified and "
                f"are NaN; the first, {self.values[first]:g}: {self.limits[first].note}",
                CertificateWarning,
                stacklevel=stacklevel + 1,
            )

    @property
    def refused(self) -> BoolArray:
        """Where no limit could be certified, one a value."""
        return np.asarray(np.isnan(self.coefficients).any(axis=1))

    @property
    def coefficients(self) -> FloatArray:
        """beta, one row a value, (.., d)."""
        return np.array([limit.coefficients for limit in self.limits])

    @property
    def gaps(self) -> FloatArray:
        """The relative gap (or KKT residual) of each limit."""
        certificates = [limit.certificate for limit in self.limits]
        return np.array(
            [c.kkt_residual if c.gap is None else c.gap for c in certificates], dtype=np.float64
        )

    @property
    def feasibilities(self) -> FloatArray:
        """||X beta - y|| / ||y|| of each limit, or the largest violation of a margin."""
        return np.array([limit.certificate.feasibility for limit in self.limits])

    @property
    def errors(self) -> FloatArray:
        """The estimated relative error of each limit; NaN where there is none."""
        errors = [limit.certificate.error for limit in self.limits]
        return np.array([np.nan if error is None else error for error in errors])


def without_limit(limit: Limit, certified_to: float) -> Limit:
    """What stands for a limit that was not certified to that."""
    if np.isnan(limit.coefficients).any():
        return limit
    certificate = limit.certificate
    found = f"certified only to {certificate.worst:.1e} ({certificate})"
    note = f"{found}; asked for {certified_to:.1e}."
    nothing = np.full_like(limit.coefficients, np.nan)
    return Limit(nothing, limit.kind, limit.theorem, certificate, limit.assumptions, note=note)


def kept_or_refused(limit: Limit, certified_to: float) -> Limit:
    """The limit if its certificate is as good as asked for, else what stands for it."""
    if limit.certificate.worst <= certified_to:
        return answered(limit, certified_to)
    return without_limit(limit, certified_to)


def situation_along(
    network: Network,
    problem: Regression | Classification,
    directions: Initialization | Iterable[Any],
) -> Situation:
    """The situation at scale 1, of directions or of an initialization whose scale is ignored."""
    given = directions.directions if isinstance(directions, Initialization) else directions
    return situation_of(network, problem, Initialization(given, scale=1.0))


def checked_values(values: ArrayLike, name: str, one: str) -> FloatArray:
    """The scales or ratios as an array.

    Raises
    ------
    InvalidInputError
        They are no non-empty sequence of numbers >= 0.
    """
    try:
        found = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidInputError(f"{name} is {values!r}; expected a sequence of numbers.") from None
    if found.ndim != 1 or found.size == 0:
        raise InvalidInputError(
            f"{name} has shape {found.shape}; expected a non-empty sequence of numbers >= 0."
        )
    if not np.all(found >= 0):
        raise InvalidInputError(
            f"{name} contains {found[~(found >= 0)][0]:g}; every {one} must be >= 0 "
            "(0 and infinity are the ends of the path)."
        )
    return found
