"""What the paths of limits along a number have in common."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from implicitbias._arrays import BoolArray, FloatArray
from implicitbias._html import Badge
from implicitbias._results import Record
from implicitbias.limits import Limit


class LimitsAlong(Record):
    """Limits at one number after another; a refused one has coefficients NaN and a note."""

    limits: tuple[Limit, ...]
    theorem: str
    axis: ClassVar[str]
    """What its values are, as a figure's axis says it."""

    @property
    def values(self) -> FloatArray:
        """Where the limits are taken: scales or ratios."""
        raise NotImplementedError

    def _badge(self) -> Badge:
        refused, all_of_them = int(self.refused.sum()), len(self.limits)
        if refused:
            return Badge(f"{refused} of {all_of_them} limits refused", "bad")
        return Badge(f"{all_of_them} limits certified", "good")

    def _named(self, name: str, values: FloatArray) -> str:
        """The text of str(): how many, over which values, and how well certified."""
        refused = self.refused
        text = (
            f"{len(self.limits)} limits by {self.theorem}, {name} {values.min():.3g} to "
            f"{values.max():.3g}"
        )
        if not refused.all():
            kept = ~refused
            text += (
                f": feasibility <= {self.feasibilities[kept].max():.1e}, "
                f"gap <= {self.gaps[kept].max():.1e}"
            )
        return text + (f"; {refused.sum()} refused" if refused.any() else "")

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
        return replace(limit, certified_to=certified_to)
    return without_limit(limit, certified_to)
